"""What is somebody's is never written over: each command replaces what it has written itself, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from maxi_core.errors import ExitCode, UsageError
from maxi_core.evaluation.benchmarks.lists import Listing, Row, write_list
from maxi_core.system.replacing import refuse_foreign
from maxi_core.training.checkpoint import write_checkpoint
from tests.conftest import Ran
from tests.evaluation.conftest import CLASSES, World, film, world  # noqa: F401 (a fixture)

Maxi = Callable[..., Ran]
TOYS = Path(__file__).parent / "bags" / "toys.py"
FAST = ("--workers", "0", "--quiet")


@pytest.fixture
def place(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """Stand in a folder with two films, a dictionary, a model and a labelled benchmark."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a.mp4", "b.mp4")):
        film(tmp_path / "clips" / name, number)
    (tmp_path / "actions.txt").write_text("# mine\njump\n\nsit\n")
    shutil.copytree(world.model, tmp_path / "model")
    shutil.copytree(world.benchmark, tmp_path / "bench")
    rows = [f"{number:02d}.mp4,{CLASSES[number % 4]}\n" for number in range(12)]
    (tmp_path / "labelled.csv").write_text(f"video,label\n{''.join(rows)}")
    return tmp_path


def bags(*more: str) -> tuple[str, ...]:
    toys = ("--plugin", str(TOYS), "--sources", "toymatch,toyverbs")
    return ("bags", "clips", "--dictionary", "actions.txt", *toys, *FAST, *more)


def train(*more: str) -> tuple[str, ...]:
    labels = ("--labels", "labelled.csv", "--videos", "bench/videos", "--loss", "ce")
    sizes = ("--epochs", "1", "--batch-size", "4", "--warmup", "0", "--frames", "2", "--device", "cpu")
    return ("train", "--model", "model", *labels, *sizes, *FAST, *more)


DRAWN = ("heatmap", "clips/a.mp4", "--text", "jump", "--models", "model", "--frames", "2", *FAST, "--out")
STRIP = ("predict", "model", "clips/a.mp4", "--labels", "jump,sit", "--window", "0.5", "--frames", "2", *FAST)
WRITES = {  # a file that a command writes, and what it is called there
    "problems.jsonl": ("check", "clips", *FAST, "--problems"),
    "strip.png": (*STRIP, "--strip"),
    "map.png": DRAWN,
    "map.pdf": DRAWN,
    "map.svg": DRAWN,
    "map.mp4": DRAWN,
    "map.gif": DRAWN,
    "map.npz": DRAWN,
}


@pytest.mark.parametrize("name", WRITES)
def test_a_file_of_somebody_is_kept_and_one_of_the_command_is_replaced(maxi: Maxi, place: Path, name: str) -> None:
    (place / "clips" / "c.mp4").write_bytes(b"no film")  # so that there is a problem
    for content in (b"precious", (place / "clips" / "a.mp4").read_bytes()):
        (place / name).write_bytes(content)
        ran = maxi(*WRITES[name], name)
        assert (ran.code, ran.err.count("\n"), "would be overwritten; choose another --" in ran.err) == (2, 1, True)
        assert (place / name).read_bytes() == content
    (place / name).write_bytes(b"")  # nobody's
    first = maxi(*WRITES[name], name)
    assert first.code in (ExitCode.DONE, ExitCode.SKIPPED), first.err
    assert (place / name).stat().st_size
    assert maxi(*WRITES[name], name).code == first.code, "the same command again"


@pytest.mark.parametrize("name", ["problems.jsonl", "strip.png", "map.mp4"])
def test_no_input_a_folder_and_a_pipe_are_written_over(maxi: Maxi, place: Path, name: str) -> None:
    film = (place / "clips" / "a.mp4").read_bytes()
    (place / "folder").mkdir()
    os.mkfifo(place / "pipe.mp4")
    for out in ("clips/a.mp4", "folder", "pipe.mp4"):
        if (name, out) == ("map.mp4", "folder"):
            continue  # heatmaps of several videos go into one
        ran = maxi(*WRITES[name], out)
        assert (ran.code in (ExitCode.USAGE, ExitCode.FAILED), ran.err.count("\n")) == (True, 1), out
    assert (place / "clips" / "a.mp4").read_bytes() == film


EVAL = ("eval", "model", "-b", "bench/split.txt", "--labels", "bench/labels.csv", "--frames", "2", *FAST)
LINKS = {  # a file that a command writes -> the command
    "problems.jsonl": (*WRITES["problems.jsonl"], "problems.jsonl"),
    "strip.png": (*WRITES["strip.png"], "strip.png"),
    "map.png": (*DRAWN, "map.png"),
    "map.npz": (*DRAWN, "map.npz"),
    "report.html": ("report", "made", "--out", "report.html"),
    "bags.parquet": ("export", "bags", "made", "bags.parquet", "--to", "parquet"),
    "bags.jsonl": ("export", "bags", "made", "bags.jsonl", "--to", "jsonl"),
    "hub": ("export", "bags", "made", "hub", "--to", "hf"),
    "lists/labels.csv": ("data", "convert", "-b", "bench", "--out", "lists"),
    "run/bags.jsonl": bags("--out", "run"),
    "run/manifest.json": bags("--out", "run"),
    "own/metrics.jsonl": train("--out", "own"),
    "eval/model/scores.json": EVAL,
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("there", [False, True])
def test_a_link_is_neither_replaced_nor_written_through(maxi: Maxi, place: Path, link: str, there: bool) -> None:
    (place / "clips" / "c.mp4").write_bytes(b"no film")  # so that there is a problem
    maxi(*bags("--out", "made"))
    (place / link).parent.mkdir(parents=True, exist_ok=True)
    (place / link).symlink_to(place / "target")
    if there:
        (place / "target").write_bytes(b"")
    ran = maxi(*LINKS[link])
    assert (ran.code, ran.err.count("\n"), str(link) in ran.err) == (2, 1, True), ran.err
    assert any(why in ran.err for why in ("would be replaced", "is there already", "is not JSON")), ran.err
    assert (place / link).readlink() == place / "target"
    assert (place / "target").exists() == there
    assert not there or (place / "target").read_bytes() == b""


def test_a_link_to_a_checkpoint_is_kept_with_all_it_leads_to(tmp_path: Path, world: World) -> None:  # noqa: F811
    shutil.copytree(world.model, tmp_path / "whole")
    (tmp_path / "link").symlink_to("whole")
    before = sorted(path.name for path in (tmp_path / "whole").iterdir())
    with pytest.raises(UsageError, match="link: it is a link to whole, and would be replaced"):
        write_checkpoint(tmp_path / "link", {}, {})
    assert sorted(path.name for path in (tmp_path / "link").iterdir()) == before


def test_what_a_command_reads_it_never_writes_though_it_wrote_it_before(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"... maxi heatmap ...")
    refuse_foreign(tmp_path / "a.mp4", b"maxi heatmap", "heatmap", "--out")
    with pytest.raises(UsageError, match="is read by this command, and would be overwritten"):
        refuse_foreign(tmp_path / "a.mp4", b"maxi heatmap", "heatmap", "--out", [tmp_path / "a.mp4"])


@pytest.mark.parametrize("name", ["bags.jsonl", "skipped.jsonl", "dictionary.txt", "recipe.toml", "manifest.json"])
def test_a_folder_with_files_of_somebody_becomes_no_run_of_bags(maxi: Maxi, place: Path, name: str) -> None:
    (place / "own").mkdir()
    (place / "own" / name).write_text('{"mine": 1}')
    ran = maxi(*bags("--out", "own"))
    assert (ran.code, f"own/{name} was not written by maxi bags, and would be overwritten" in ran.err) == (2, True)
    assert (place / "own" / name).read_text() == '{"mine": 1}'
    assert maxi(*bags("--out", "own", "--overwrite")).code == 0, "but where that was asked for"


def test_a_dictionary_that_is_read_is_never_written_over(maxi: Maxi, place: Path) -> None:
    (place / "dictionary.txt").write_text("# mine\njump\n")
    words = [word.replace("actions.txt", "dictionary.txt") for word in bags("--out", ".", "--overwrite")]
    ran = maxi(*words)
    assert (ran.code, "dictionary.txt is read by this command" in ran.err) == (2, True)
    assert (place / "dictionary.txt").read_text() == "# mine\njump\n"


def test_nothing_is_written_beside_videos(maxi: Maxi, place: Path) -> None:
    before = sorted((place / "clips").iterdir())
    single = ("bags", "clips/a.mp4", *bags("--out", "clips")[2:])
    labelled = train("--out", "bench/videos")
    (place / "list.txt").write_text("clips/a.mp4\nclips/b.mp4\n")
    listed = ("bags", "list.txt", *bags("--out", "clips")[2:])
    assert maxi(*bags("--out", "run")).code == 0
    of_bags = ("train", "run", "--model", "model", "--batch-size", "2", "--frames", "2", *FAST, "--out", "clips")
    for words in (bags("--out", "clips"), single, listed, labelled, of_bags, (*DRAWN, "clips")):
        ran = maxi(*words)
        assert (ran.code, ran.err.count("\n"), "videos, " in ran.err, " nothing is written " in ran.err) == (
            2,
            1,
            True,
            True,
        ), words
    assert sorted((place / "clips").iterdir()) == before
    assert maxi(*bags("--out", "clips/run")).code == 0, "a folder of its own is none of videos"
    (place / "run" / "map.mp4").write_bytes(b"drawn into a run")
    assert maxi(*bags("--out", "run")).code == 0, "and a run stays one"


@pytest.mark.parametrize("name", ["recipe.toml", "metrics.jsonl", "manifest.json", "loss.png"])
def test_a_folder_with_files_of_somebody_becomes_no_training(maxi: Maxi, place: Path, name: str) -> None:
    (place / "own").mkdir()
    (place / "own" / name).write_text('{"mine": 1}')
    ran = maxi(*train("--out", "own"))
    assert (ran.code, f"own/{name} was not written by maxi train, and would be overwritten" in ran.err) == (2, True)
    assert (place / "own" / name).read_text() == '{"mine": 1}'


def test_a_training_goes_not_into_the_run_of_its_bags_but_again_into_its_own(maxi: Maxi, place: Path) -> None:
    assert maxi(*bags("--out", "run")).code == 0
    manifest = (place / "run" / "manifest.json").read_bytes()
    ran = maxi(*train("--out", "run"))
    assert (ran.code, "run is the run folder of bags" in ran.err) == (2, True)
    assert (place / "run" / "manifest.json").read_bytes() == manifest
    assert maxi(*train("--out", "own")).code == 0
    assert maxi(*train("--out", "own", "--overwrite")).code == 0
    shutil.rmtree(place / "own" / "checkpoints")  # as a training that was killed before its first
    assert maxi(*train("--out", "own")).code == 0


@pytest.mark.parametrize("name", ["predictions-split-1.jsonl", "classes-a.csv", "confusion-a.csv", "skipped.jsonl"])
def test_files_of_somebody_are_kept_by_an_evaluation(maxi: Maxi, place: Path, name: str) -> None:
    words = ("eval", "model", "-b", "bench/split.txt", "--labels", "bench/labels.csv", "--frames", "2", *FAST)
    (place / "eval" / "model").mkdir(parents=True)
    (place / "eval" / "model" / name).write_text("mine")
    ran = maxi(*words)
    assert (ran.code, f"{name} has no mark of a file of maxi eval and would be overwritten" in ran.err) == (2, True), (
        ran.err
    )
    assert (place / "eval" / "model" / name).read_text() == "mine"
    (place / "eval" / "model" / name).unlink()
    assert maxi(*words).code == 0
    (place / "eval" / "model" / "scores.json").unlink()  # as one that was killed while it wrote
    assert maxi(*words).code == 0


def test_a_list_with_other_lines_is_kept(tmp_path: Path) -> None:
    listing = Listing(("jump", "sit"), (Row("a.mp4", ("sit",)),), {})
    paths = tmp_path / "split.txt", tmp_path / "labels.csv"
    for _ in range(2):
        write_list(listing, *paths)  # and the same lines again are nothing
    for path in paths:
        before = path.read_text()
        path.write_text(f"# mine\n{before}")
        with pytest.raises(UsageError, match=f"{path.name} is there already, with other lines"):
            write_list(listing, *paths)
        assert path.read_text() == f"# mine\n{before}"
        path.write_text(before)


def test_a_mixture_of_others_is_kept(maxi: Maxi, place: Path, world: World) -> None:  # noqa: F811
    assert maxi(*train("--out", "own", "--ensemble", "0.2")).code == 0
    (mixture,) = (place / "own" / "checkpoints").glob("*-ensemble-0.2")
    weights = (mixture / "model.safetensors").read_bytes()
    ran = maxi("ensemble", str(world.other), "own", "--out", "own")
    assert (ran.code, f"{mixture.name} is there already, of model and step-" in ran.err) == (2, True)
    assert (mixture / "model.safetensors").read_bytes() == weights
    trained = str(mixture).removesuffix("-ensemble-0.2")
    assert maxi("ensemble", "model", trained, "--out", "own").code == 0, "of the same two it is the same"
    for _ in range(2):
        assert maxi("ensemble", str(world.other), "own", "--out", "mixed").code == 0


def test_tables_of_somebody_are_kept_by_a_study(maxi: Maxi, place: Path) -> None:
    (place / "studies" / "loss").mkdir(parents=True)
    (place / "studies" / "loss" / "table.md").write_text("mine")
    ran = maxi("study", "loss", "--config", "sandbox", "--only", "mil_nce", "--out", "studies", "--quiet")
    assert (ran.code, "table.md was not written by maxi study" in ran.err) == (2, True)


def test_a_run_that_an_earlier_maxi_began_goes_on(maxi: Maxi, place: Path) -> None:
    assert maxi(*bags("--out", "run")).code == 0
    (place / "begun").mkdir()
    shutil.copy(place / "run" / "recipe.toml", place / "begun")  # which it wrote before the manifest
    assert maxi(*bags("--out", "begun")).code == 0


def test_lists_of_one_name_are_no_splits_of_one_benchmark(maxi: Maxi, place: Path) -> None:
    shutil.copytree(place / "bench", place / "other")
    (place / "other" / "split.txt").write_text(
        "".join(f"videos/{number:02d}.mp4 {number % 4}\n" for number in range(6))
    )
    fast = ("--frames", "2", *FAST)
    ran = maxi("eval", "model", "-b", "bench/split.txt,other/split.txt", *fast)
    assert (ran.code, "bench/split.txt and other/split.txt would both be called 'split:1'" in ran.err) == (2, True)
    assert not (place / "eval").exists()
    twice = ("-b", "bench/split.txt,bench/split.txt,bench", "--forgetting", "bench")
    assert maxi("eval", "model", str(place / "model"), *twice, "--out", "twice", *fast).code == 0
    assert maxi("eval", "model", "-b", "bench/split.txt", *fast).code == 0
    assert (
        "eval/model had scores of another list, which are replaced"
        in maxi("eval", "model", "-b", "other/split.txt", *fast).err
    )


def test_an_import_goes_on_and_is_repeated_by_the_same_command(
    maxi: Maxi, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "release" / "gpt3_verbs").mkdir(parents=True)
    (place / "release" / "gpt3_verbs" / "jump.txt").write_text("leap\n")
    (place / "release" / "matches.txt").write_text("a.mp4 0\n")
    (place / "release" / "labels.csv").write_text("id,name\n0,jump\n")
    words = ("import", "bags", "release", "--out", "run")
    assert maxi(*words).code == 0
    bags_made = (place / "run" / "bags.jsonl").read_bytes()
    assert maxi(*words).code == 0, "a finished command repeated"
    manifest = json.loads((place / "run" / "manifest.json").read_text())
    (place / "run" / "manifest.json").write_text(json.dumps(manifest | {"finished": None, "argv": []}))
    assert maxi(*words).code == 0, "one that was killed"
    assert (place / "run" / "bags.jsonl").read_bytes() == bags_made
    monkeypatch.setattr(sys, "argv", ["maxi", "import", "bags", "of", "another"])
    other = maxi("import", "bags", "release", "--out", "run", "--videos", "clips")
    assert (other.code, "run has bags already" in other.err) == (2, True)


def test_a_mixture_of_the_same_two_is_known_by_any_spelling(maxi: Maxi, place: Path) -> None:
    assert maxi(*train("--out", "own")).code == 0
    for original in ("model", "./model/", str(place / "model")):
        assert maxi("ensemble", original, "own", "--out", "mixed").code == 0, original


def test_annotations_of_what_has_none_are_refused(maxi: Maxi, place: Path) -> None:
    for annotations in ("nowhere", "http://127.0.0.1:9/x"):
        ran = maxi("eval", "model", "-b", "bench/split.txt", "--annotations", annotations, *FAST)
        assert (ran.code, ran.err.count("\n"), "--annotations" in ran.err) == (2, 1, True)


@pytest.mark.skipif(not shutil.which("setpriv") or os.geteuid() != 0, reason="needs root, to be refused something")
@pytest.mark.parametrize(
    "command",
    [
        "bags clips --dictionary actions.txt --out locked",
        "train locked/l.csv",
        "merge locked/x",
        "export model locked out --to open-clip",
        "export model model/unread out --to open-clip",
        "import checkpoint model/unread --out out",
    ],
)
def test_what_may_not_be_entered_is_one_line(place: Path, command: str) -> None:
    (place / "locked").mkdir()
    (place / "locked" / "l.csv").write_text("")
    os.chown(place / "locked", 65534, 65534)
    (place / "locked").chmod(0o700)
    shutil.copytree(place / "model", place / "model" / "unread")
    (weights,) = (place / "model" / "unread").glob("*.safetensors")
    weights.chmod(0)
    drop = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]
    ran = subprocess.run(
        [*drop, sys.executable, "-m", "maxi_cli", *command.split()], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran.stderr
    assert "Permission denied" in ran.stderr
    assert ("locked" if "locked" in command else "unread/open_clip_model.safetensors: ") in ran.stderr
    assert "a bug in maxi" not in ran.stderr
    assert not (place / "out").exists()
