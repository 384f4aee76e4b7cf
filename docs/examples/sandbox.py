# %% [markdown]
# # maxi in Python, from videos to a table
#
# All that the commands do, as functions, in the sandbox: a small rendered world with models made for it, so everything
# runs offline. The first cell that asks for its videos renders them, once, into the cache folder. Each cell says which
# command it stands for; the page `docs/python.md` lists the functions of all commands.

# %%
import json
import logging
from pathlib import Path

from maxi_core.plugin.catalog import discover

logging.getLogger("maxi").setLevel(logging.ERROR)
VIDEOS, EPOCHS, BATCH, SHOWN = 96, 2, 16, 3  # of 1,440 videos and 6 epochs, so that it takes a few minutes
OUT = Path("runs/notebook")
catalog = discover()  # the plugins that are installed
print(*sorted({offer.role for offer in catalog.offers}))  # `maxi plugins`

# %% [markdown]
# ## Videos and benchmarks: `maxi check`, `maxi data`

# %%
from maxi_core.plugin.world_paths import videos_of
from maxi_core.video.check import check_videos, count

videos = list(videos_of(catalog, "sandbox"))[:VIDEOS]
totals = count(check_videos(videos[:SHOWN]))
print(f"{len(videos)} videos; of the first {totals.videos}, {totals.usable} are usable")

# %%
from maxi_core.evaluation.benchmarks.opening import benchmarks_of, open_benchmark
from maxi_core.evaluation.benchmarks.splits import write_splits
from maxi_core.evaluation.survey import survey

print("published:", *(known.name for known in benchmarks_of(catalog)))
benchmark = open_benchmark("sandbox-novel", catalog)
for found in survey(benchmark):  # `maxi data stats`
    print(found.as_record())
((path, split),) = write_splits(benchmark, OUT / "lists")  # `maxi data convert`
print(path, len(split.samples))

# %% [markdown]
# ## Text bags: `maxi bags`, `maxi show`, `maxi stats`
#
# A recipe is what stands in `maxi.toml`; options are named as after `-o`. `sandbox` is a recipe that comes along.

# %%
from maxi_core.bags.bag import read_bags
from maxi_core.bags.plan import make_job
from maxi_core.bags.run import find_bag, run_job
from maxi_core.bags.stats import collect, named_labels
from maxi_core.recipe.library import recipe_of

options = {
    "bags.videos": [str(video.path) for video in videos],
    "bags.out": OUT / "bags",
    "sources.texts": "gpt3,blip",
}
made = run_job(make_job(catalog, recipe_of(catalog, options, "sandbox", sources=True)))
print(f"{made.tally.kept} bags of {made.tally.videos} videos, {sum(made.sizes)} texts")

# %%
bag = find_bag(OUT / "bags", videos[0].id)  # `maxi show`
print(bag.match.entry, [text.text for text in bag.texts])
stats = collect(read_bags(OUT / "bags"), named_labels("sandbox", catalog))  # `maxi stats --labels sandbox`
print(stats.videos, dict(stats.sources), stats.shares[0])

# %% [markdown]
# ## Training: `maxi train`, `maxi ensemble`

# %%
from maxi_core.training.ensemble import ensemble
from maxi_core.training.plan import make_training
from maxi_core.training.run import run_training

options = {"train.run": OUT / "bags", "train.epochs": EPOCHS, "train.warmup_epochs": 0, "train.batch_size": BATCH}
trained = run_training(make_training(catalog, recipe_of(catalog, options, "sandbox")))
print(trained.checkpoint.name, trained.step and trained.step.loss)
(mixed,) = ensemble("sandbox", str(OUT / "bags" / "train"), [0.5], OUT / "mixed", catalog)

# %% [markdown]
# ## Scores: `maxi eval`, `maxi compare`, `maxi predict`

# %%
from maxi_core.clip.loading import load_model
from maxi_core.evaluation.comparing import as_markdown, compare
from maxi_core.evaluation.evaluating import evaluate
from maxi_core.evaluation.protocol import Protocol
from maxi_core.evaluation.saving import save

models = [load_model(name, catalog=catalog) for name in ("sandbox", str(OUT / "bags" / "train"))]
evaluated = evaluate(models, [benchmark], Protocol(frames=8), store=OUT / "store")
for name, scores in zip(("raw", "trained"), evaluated.models, strict=True):
    save(scores, OUT / "eval" / name)
    print(name, scores.records()[0]["metrics"])
table = compare([OUT / "eval" / name / "scores.json" for name in ("raw", "trained")], tables=[])
print(as_markdown(table.lines))

# %%
from maxi_core.evaluation.predicting import predict

clips = [split.samples[place] for place in range(SHOWN)]
for answer in predict(models[1], [benchmark.videos / clip.path for clip in clips], split.classes, top=2):
    print(answer.video.path.name, [(guess.label, round(guess.share, 2)) for guess in answer.guesses])

# %% [markdown]
# ## To look at: `maxi heatmap`, `maxi report`

# %%
from maxi_core.heatmaps.figure import write_figure
from maxi_core.heatmaps.heatmap import Question, heatmaps
from maxi_core.reporting.report import Wanted, make_report
from maxi_core.settings.sections import VideoOptions

question = Question((split.classes[0],), protocol=Protocol(frames=4))
for _, heat in heatmaps(models, videos[:1], question, VideoOptions()):
    write_figure(heat, OUT / "heatmap.png", 4)
report = make_report([OUT / "bags", OUT / "bags" / "train", OUT / "eval" / "trained"], Wanted(reading=VideoOptions()))
(OUT / "report.html").write_text(report.html, encoding="utf-8")
print(report.videos, "videos in", OUT / "report.html")

# %% [markdown]
# ## For other programs, and from them: `maxi export`, `maxi import`

# %%
from maxi_core.bags.exporting import export_bags
from maxi_core.bags.released import find_release, import_released
from maxi_core.export.exporting import export_model
from maxi_core.interop.checkpoint_import import import_checkpoint

for file in export_model(str(OUT / "bags" / "train"), OUT / "open-clip", "open-clip", catalog):
    print(file.name)
imported = import_checkpoint(OUT / "open-clip", OUT / "imported")
print(imported.layout.project.name, len(imported.fit.mapped), "weights")

# %%
released = export_bags(OUT / "bags", OUT / "released", "released")
labels = OUT / "released" / "labels.csv"
again = import_released(find_release(OUT / "released", None, str(labels), catalog=catalog), OUT / "bags again")
print(released.bags, "bags written,", again.videos, "read")

# %% [markdown]
# ## A study: `maxi study`
#
# Variants of one recipe, here two of those that the paper's Table 7 compares. Whatever two have in common is made once,
# and a study that was stopped goes on.

# %%
from maxi_core.recipe.library import settling
from maxi_core.studies.formats import as_markdown as study_table
from maxi_core.studies.plan import make_plan
from maxi_core.studies.results import read_results
from maxi_core.studies.run import Runner
from maxi_core.studies.step import Place
from maxi_core.studies.study import only, read_study

study = read_study("loss")
options = {
    "bags.videos": [str(video.path) for video in videos],
    "study.benchmark": "sandbox-novel",
    "study.out": OUT / "studies",
    "train.epochs": EPOCHS,
    "train.batch_size": BATCH,
}
plan = make_plan(study, only(study, ["raw", "instance"]), settling(catalog, options, "sandbox"), catalog)
Runner(Place(plan.section.out, catalog)).run(plan)
print(study_table(read_results(plan, plan.section.out, catalog)))

# %% [markdown]
# ## The installation: `maxi env`, `maxi check-plugin`

# %%
from maxi_core.system import environment
from maxi_core.testing.contract import check_offer

settled = recipe_of(catalog, {}, "sandbox")
print(json.dumps(environment.report(catalog, settled)["machine"]))
kept = check_offer(catalog, settled, "mean")
print(sum(one.state == "kept" for one in kept.findings), "of", len(kept.findings), "checks kept")
