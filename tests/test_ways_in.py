"""No file that maxi reads runs code: a canary in every place that a file has, and it never sings."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maxi_core.bags.bag import as_record, from_line
from maxi_core.clip.checkpoints import checkpoints_of
from maxi_core.system.store import Store, digest
from tests.said import errors
from tests.training.runs import write_world
from tests.training.test_train_command import SMALL, arguments

Maxi = Callable[..., Any]


class Canary:
    """A file that is there as soon as any of its forms of code has run."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "sung"
        self.line = f"__import__('pathlib').Path({str(self.file)!r}).touch()"
        self.texts = [
            self.line,
            f"$(touch {self.file})",
            f"`touch {self.file}`",
            f"; touch {self.file} #",
            f"{{{{{self.line}}}}}",
            f"!!python/object/apply:os.system ['touch {self.file}']",
            f"{{0.__class__.__init__.__globals__}} %s {self.line}",
            f"evil:sing {self.line}",
        ]
        (folder / "evil.py").write_text(f"{self.line}\ndef sing(*a, **k): {self.line}\ndec = sing\n")
        (folder / "sitecustomize.py").write_text(self.line)
        (folder / "conftest.py").write_text(self.line)
        (folder / "maxi_evil.py").write_text(self.line)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return eval, (self.line,)

    @property
    def sung(self) -> bool:
        return self.file.exists()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canary:
    monkeypatch.chdir(tmp_path)
    return Canary(tmp_path)


def run_of(world: Path, folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(world / "run" / "bags.jsonl", folder)
    return folder


def test_the_canary_sings_when_it_is_run(canary: Canary) -> None:
    exec((canary.file.parent / "evil.py").read_text())
    assert canary.sung


@pytest.mark.parametrize(
    "said",
    [
        '[plugins]\nfiles = ["./evil.py"]',
        '[video]\ndecoder = "evil:dec"',
        '[video]\ndecoder = "./evil.py:dec"',
        '[sources]\ntexts = ["evil:sing"]',
        '[sources]\nmatcher = "./evil.py"',
        '[train]\ntemporal = "evil:sing"',
        '[train]\nreport_to = ["evil"]',
        '[evil]\nrun = "sing"',
        '[gpt3]\nrecord = "evil.py"',
        '[gpt3]\napi_key_file = "evil.py"',
        '["gpt3#other"]\nrecord = "evil.py"',
        '["maxi:gpt3"]\napi-key-file = "evil.py"',
    ],
)
def test_a_maxi_toml_that_lies_there_runs_nothing_writes_nothing_and_sends_no_file_away(
    world: Path, canary: Canary, maxi: Maxi, said: str
) -> None:
    Path("maxi.toml").write_text(f"{said}\n")
    before = Path("evil.py").read_text()
    Path("actions.txt").write_text("juggling\nwaving\n")
    bags = ("bags", str(world / "clips"), "--dictionary", "actions.txt", "--out", "out")
    ran = maxi(*bags, "-o", f"dictionary.model={world / 'model'}", "--sources", "gpt3", "--without", "verbs")
    assert (ran.code, errors(ran.err)) == (2, 1), ran.err
    assert (canary.sung, Path("evil.py").read_text()) == (False, before)


def test_a_recipe_that_is_named_may_say_where_a_record_is_written(canary: Canary, maxi: Maxi) -> None:
    Path("mine.toml").write_text('[gpt3]\nrecord = "said.jsonl"\n')
    assert maxi("env", "--config", "mine.toml").code == 0
    Path("mine.toml").rename("maxi.toml")
    assert maxi("env", "--config", "maxi.toml").code == 0
    ran = maxi("env")
    assert "maxi.toml sets gpt3.record, and nobody named it" in ran.err + ran.out
    assert maxi("env", "-o", "gpt3.record=said.jsonl", "--config", "maxi.toml").code == 0


VARIABLES = ["MAXI_VIDEO_DECODER=evil:dec", "MAXI_PLUGINS_FILES=./evil.py", "MAXI_TRAIN_TEMPORAL=evil:dec"]


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_runs_nothing(
    world: Path, canary: Canary, maxi: Maxi, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    key, _, value = name.partition("=")
    monkeypatch.setenv(key, value)
    assert maxi("check", str(world / "clips")).code in (0, 2)
    assert maxi(*arguments(world, Path("out"), "--dry-run")).code == 2
    assert not canary.sung


def test_names_lists_labels_and_prompts_are_texts(world: Path, canary: Canary, maxi: Maxi) -> None:
    Path("names.txt").write_text("".join(f"{text}\n" for text in canary.texts))
    rows = "".join(f"{number}.mp4 {number}\n" for number in range(len(canary.texts)))
    Path("list.txt").write_text("".join(f"{world / 'clips' / '0.mp4'} {text}\n" for text in canary.texts) + rows)
    Path("list.csv").write_text(
        "path,label\n" + "".join(f'"{text}","{text}"\n' for text in canary.texts if '"' not in text)
    )
    Path("names.json").write_text(json.dumps(canary.texts))
    Path("pickled.json").write_bytes(pickle.dumps(canary))
    model, clip = str(world / "model"), str(world / "clips" / "0.mp4")
    for dictionary in ("names.txt", "names.json", "pickled.json", "list.csv"):
        maxi("predict", model, clip, "--dictionary", dictionary, "--json")
        more = ("-o", f"dictionary.model={model}", "--without", "verbs", "--workers", "0")
        maxi("bags", str(world / "clips"), "--dictionary", dictionary, "--out", "out", *more)
    for text in canary.texts:
        maxi("predict", model, clip, "--labels", f"a, {text.replace(',', ' ')}", "--prompt", f"{{}} {text}")
    for videos in ("list.txt", "list.csv", "pickled.json"):
        maxi("check", videos)
        maxi("eval", model, "-b", videos, "--videos", str(world / "clips"), "--frames", "2", "--workers", "0")
    assert not canary.sung


def test_bags_manifest_and_recipe_of_a_run_are_data(world: Path, canary: Canary, maxi: Maxi) -> None:
    run = run_of(world, Path("run"))
    bags = [as_record(from_line(line)) for line in (run / "bags.jsonl").read_bytes().splitlines()]
    for bag, text in zip(bags, canary.texts * 2, strict=True):
        bag["texts"] = [{"text": text, "source": text, "of": text, "kind": "phrase"}]
        bag["said"] = {text: [text]}
    lines = [json.dumps({**bag, "match": {**bag["match"], "entry": canary.texts[n % 3]}}) for n, bag in enumerate(bags)]
    (run / "bags.jsonl").write_text("\n".join(lines) + "\n")
    (run / "manifest.json").write_text(
        json.dumps(dict.fromkeys(("argv", "sources", "made_of", "passes"), canary.texts))
    )
    recipe = '[plugins]\nfiles = ["evil.py"]\n[video]\ndecoder = "evil:dec"\n[sources]\ntexts = ["evil:sing"]\n'
    (run / "recipe.toml").write_text(recipe)
    (run / "shards").mkdir()
    (run / "shards" / "recipe.toml").write_text('maxi = "1"\n' + recipe)
    (run / "shards" / "1-of-2.lock").touch()
    train = ("--model", str(world / "model"), "--out", "out", *SMALL)
    for command in (("show", "run"), ("show", "run", "0.mp4"), ("stats", "run", "--word", "a"), ("merge", "run"),
                    ("train", "run", *train)):  # fmt: skip
        assert "a bug in maxi" not in maxi(*command).err
    assert not canary.sung


def test_pickles_in_the_place_of_any_file_are_not_opened(world: Path, canary: Canary, maxi: Maxi) -> None:
    data = pickle.dumps(canary)
    run = run_of(world, Path("run"))
    assert maxi(*arguments(world, Path("trained"), "--epochs", "1", "-q")).code == 0
    checkpoint = checkpoints_of(Path("trained"))[-1]
    files = [path for path in checkpoint.rglob("*") if path.is_file()]
    for path in [*files, run / "manifest.json", run / "bags.jsonl", run / "recipe.toml", Path("trained/metrics.jsonl")]:
        before = path.read_bytes() if path.exists() else b""
        path.write_bytes(data)
        assert "a bug in maxi" not in maxi("predict", "trained", str(world / "clips" / "0.mp4"), "--labels", "a, b").err
        assert (
            "a bug in maxi" not in maxi(*arguments(world, Path("trained"), "--epochs", "1", "--resume", "latest")).err
        )
        for command in (("show", "run"), ("stats", "run")):
            assert "a bug in maxi" not in maxi(*command).err
        path.write_bytes(before)
    for name in ("best.pt", "model.pth", "pytorch_model.bin", "optimizer.pt", "training_args.bin"):
        (checkpoint / name).write_bytes(data)
        (checkpoint / "state" / name).write_bytes(data)
    maxi("predict", "trained", str(world / "clips" / "0.mp4"), "--labels", "a, b")
    assert not canary.sung


def test_the_store_and_the_caches_are_data(world: Path, canary: Canary, maxi: Maxi) -> None:
    with Store(Path("store"), {}) as store:
        for text in canary.texts:
            store.put(digest(text), text, text)
    (segment,) = Path("store").glob("*.jsonl")
    segment.write_bytes(segment.read_bytes() + pickle.dumps(canary) + b"\n")
    (Path("store") / "speed.json").write_bytes(pickle.dumps(canary))
    with Store(Path("store"), {}) as store:
        assert [store.get(digest(text)) for text in canary.texts] == canary.texts
        assert store.speed() is None
    assert not canary.sung


def test_replies_of_a_language_model_are_texts(canary: Canary) -> None:
    from maxi_plugins.llm.phrases import phrases

    for text in canary.texts:
        for reply in (text, f"1. {text}\n2. {text}", json.dumps([text]), f"```python\n{text}\n```"):
            phrases(reply, 5)
    assert not canary.sung
