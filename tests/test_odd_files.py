"""Damaged and odd files of a user are one line that names the file, and the line in it: never a bug in maxi."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from maxi_core.errors import UsageError
from maxi_core.settings.sections import EvalSection, VideoOptions
from maxi_core.system.store import Store, digest
from maxi_core.training.options import TrainSection
from maxi_plugins.blip import Blip
from maxi_plugins.dictionary import DictionaryMatcher
from tests.said import errors
from tests.training.runs import write_world
from tests.training.test_train_command import SMALL

Maxi = Callable[..., Any]
DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"))


def lines_of(world: Path) -> list[bytes]:
    return (world / "run" / "bags.jsonl").read_bytes().splitlines(keepends=True)


TEXT = {"text": "a", "source": "s", "of": "b", "kind": "verb"}


def changed(**keys: Any) -> Callable[[dict[str, Any]], bytes]:
    """Return what changes these keys of a bag; those of `match` are told by `match_`."""

    def change(bag: dict[str, Any]) -> bytes:
        match = {key.removeprefix("match_"): value for key, value in keys.items() if key.startswith("match_")}
        own = {key: value for key, value in keys.items() if not key.startswith("match_")}
        return json.dumps({**bag, **own, "match": {**bag["match"], **match}}).encode()

    return change


BAGS: dict[str, bytes | Callable[[dict[str, Any]], bytes]] = {
    "no text": b"\xff\xfe\x00",
    "nested too deeply": DEEP,
    "cut": b'{"schema": 1, "vid',
    "a list": b"[]",
    "null": b"null",
    "of another schema": changed(schema=2),
    "a video that is a number": changed(video=5),
    "a start that is a text": changed(start="x"),
    "an endless end": changed(end=float("inf")),
    "a score that is a text": changed(match_score="x"),
    "no score": changed(match_score=None),
    "a score that is NaN": changed(match_score=float("nan")),
    "an entry that is a number": changed(match_entry=5),
    "an entry that is a list": changed(match_entry=["a"]),
    "a top that is a number": changed(match_top=5),
    "texts that are a table": changed(texts={"a": 1}),
    "a text that is a number": changed(texts=[{**TEXT, "text": 5}]),
    "a text without a source": changed(texts=[{**TEXT, "source": None}]),
    "an also that is a number": changed(texts=[{**TEXT, "also": 5}]),
    "said that is a list": changed(said=["a"]),
    "said that is a number": changed(said={"a": 5}),
    "kept that is a text": changed(kept="yes"),
}


@pytest.mark.parametrize("kind", BAGS)
def test_a_line_that_is_no_bag_is_named(world: Path, tmp_path: Path, maxi: Maxi, kind: str) -> None:
    good, bad = lines_of(world), BAGS[kind]
    run = tmp_path / "run"
    run.mkdir()
    made = bad if isinstance(bad, bytes) else bad(json.loads(good[0]))
    (run / "bags.jsonl").write_bytes(b"".join([good[1], made, b"\n", *good[2:]]))
    train = ("train", str(run), "--model", str(world / "model"), "--out", str(tmp_path / "out"), *SMALL)
    for command in (("show", str(run)), ("stats", str(run)), ("stats", str(run), "--word", "a"), train):
        ran = maxi(*command)
        assert (ran.code, errors(ran.err)) == (2, 1), (command, ran.err)
        assert f"{run / 'bags.jsonl'}:2 is not a bag: " in ran.err


@pytest.mark.parametrize("text", [b"\xff\xfe", DEEP, b"[]", b"null", b"5", b'{"a":', None])
@pytest.mark.parametrize("file", ["manifest.json", "skipped.jsonl", "recipe.toml"])
def test_a_damaged_file_of_a_run_is_one_line_or_not_needed(
    world: Path, tmp_path: Path, maxi: Maxi, file: str, text: bytes | None
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "bags.jsonl").write_bytes(b"".join(lines_of(world)))
    (run / file).symlink_to(run / file) if text is None else (run / file).write_bytes(text)
    train = ("train", str(run), "--model", str(world / "model"), "--out", str(tmp_path / "out"), *SMALL, "--dry-run")
    for command in (("show", str(run)), ("show", str(run), "99.mp4"), ("stats", str(run)), train):
        ran = maxi(*command)
        assert "a bug in maxi" not in ran.err
        assert ran.code == 0 or file in ran.err or command[-1] == "99.mp4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a=" + b"[" * 50_000, "it is nested too deeply"),
        (b"[video]\nworkers=" + b"9" * 6000, "digits"),
        (b"\xff[video]", "line 1: this is not UTF-8"),
        (b"[video]\n[video]\n", "at line 2"),
        (b"[video]\ntimeout=inf\n", "[video] timeout = "),
        (b"[video]\ntimeout=1e300\n", "[video] timeout = "),
        ("loop", "Too many levels of symbolic links"),
        ("folder", "Is a directory"),
        ("pipe", "a named pipe"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_one_line(
    world: Path, tmp_path: Path, maxi: Maxi, monkeypatch: pytest.MonkeyPatch, text: bytes | str, said: str
) -> None:
    recipe = tmp_path / "maxi.toml"
    if isinstance(text, bytes):
        recipe.write_bytes(text)
    else:
        {"loop": lambda: recipe.symlink_to(recipe), "folder": recipe.mkdir, "pipe": lambda: os.mkfifo(recipe)}[text]()
    monkeypatch.chdir(tmp_path)
    for more in ((), ("--config", str(recipe))):
        ran = maxi("check", str(world / "clips" / "0.mp4"), *more)
        assert (ran.code, errors(ran.err)) == (2, 1), ran.err
        assert said in ran.err


@pytest.mark.parametrize(
    ("section", "key"), [(VideoOptions, "timeout"), (TrainSection, "hold_gb"), (TrainSection, "lr")]
)
def test_no_number_of_an_option_is_endless(section: Any, key: str) -> None:
    for value in (float("inf"), float("nan")):
        with pytest.raises(ValueError, match="finite"):
            section.model_validate({key: value})


@pytest.mark.parametrize("section", [EvalSection, TrainSection, Blip.Options, DictionaryMatcher.Options])
def test_no_clip_has_more_frames_than_memory_holds(section: Any) -> None:
    with pytest.raises(ValueError, match="less than or equal to 1000"):
        section.model_validate({"frames": 1_000_000})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("best.pt", "is a file of PyTorch (.pt)"),
        ("x.safetensors", "is a file of weights alone"),
        ("notes.txt", "is a file, and a model is a folder"),
        ("clip/config.json", "is a Hugging Face folder of a model of the kind 'clip'"),
        ("clip/pytorch_model.bin", "is a folder of PyTorch files (pytorch_model.bin)"),
    ],
)
def test_a_model_of_another_program_is_told_what_it_is(
    world: Path, tmp_path: Path, maxi: Maxi, name: str, said: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    torch.save({"a": torch.zeros(2)}, path) if name.endswith("pt") else path.write_text('{"model_type": "clip"}')
    if name == "clip/config.json":
        (path.parent / "model.safetensors").write_bytes(b"weights of transformers")
    model = str(path.parent if "/" in name else path)
    (tmp_path / "actions.txt").write_text("juggling\nwaving\n")
    bags = ("--dictionary", str(tmp_path / "actions.txt"), "--out", str(tmp_path / "out"))
    for command in (
        ("predict", model, str(world / "clips" / "0.mp4"), "--labels", "a, b"),
        ("ensemble", str(world / "model"), model),
        ("bags", str(world / "clips"), "-o", f"dictionary.model={model}", *bags),
    ):
        ran = maxi(*command)
        assert (ran.code, errors(ran.err)) == (2, 1), ran.err
        assert said in ran.err
        assert ("maxi import checkpoint" in ran.err) == (name != "notes.txt")


def test_weights_that_do_not_fit_are_named_by_their_keys(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    config = json.loads((world / "model" / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = 7
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    (folder / "open_clip_model.safetensors").write_bytes((world / "model" / "open_clip_model.safetensors").read_bytes())
    ran = maxi("predict", str(folder), str(world / "clips" / "0.mp4"), "--labels", "a, b")
    assert (ran.code, errors(ran.err)) == (2, 1)
    assert "text_projection" in ran.err


def key(number: int) -> str:
    return digest(number)


@pytest.mark.parametrize("kind", ["private", "folder", "pipe", "loop", "deep", "no text"])
def test_a_segment_of_the_store_that_cannot_be_read_is_a_miss(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "store"
    with Store(folder, {}) as store:
        store.put(key(1), "1", "one")
    other = folder / "a-colleague.jsonl"
    if kind == "private":
        if os.geteuid() == 0:
            pytest.skip("root reads the files of everybody; see the next test")
        other.write_text("{}\n")
        other.chmod(0)
    elif kind in ("deep", "no text"):
        other.write_bytes((DEEP if kind == "deep" else b"\xff\xfe\0") + b"\n")
    else:
        make = {"folder": other.mkdir, "pipe": lambda: os.mkfifo(other), "loop": lambda: other.symlink_to(other)}
        make[kind]()
    with Store(folder, {}) as store:
        assert (store.get(key(1)), store.get(key(2))) == ("one", None)


def test_a_private_segment_of_a_colleague_is_a_miss_for_whoever_may_not_read_it() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be two people")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "store"
        with Store(folder, {}) as store:
            store.put(key(1), "1", "one")
        (segment,) = folder.glob("*.jsonl")
        segment.chmod(0o600)
        for one in (folder, folder.parent):
            one.chmod(0o777)
        program = (
            f"import os\nfrom pathlib import Path\nfrom maxi_core.system.store import Store\nos.setuid(12345)\n"
            f"store = Store(Path({str(folder)!r}), {{}})\nassert store.get({key(1)!r}) is None\n"
            f"store.put({key(1)!r}, '1', 'one again')\nassert store.get({key(1)!r}) == 'one again'\nstore.close()\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, "cannot be read and count as not there" in done.stderr) == (0, True), done.stderr


@pytest.mark.parametrize("streams", [">&-", ">&- 2>&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("command", ["plugins", "plugins --json"])
def test_a_closed_stdout_is_no_bug(streams: str, command: str, tmp_path: Path) -> None:
    line = f"{sys.executable} -m maxi_cli {command} {streams}"
    done = subprocess.run(["bash", "-c", line], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not list((Path(os.environ["MAXI_HOME"]) / "logs").glob("bug-*"))


def test_an_index_of_bags_that_was_changed_is_made_again_or_named(world: Path, maxi: Maxi, tmp_path: Path) -> None:
    from maxi_core.batches.bag_index import open_bags
    from maxi_core.errors import MaxiError

    assert len(open_bags(world / "run")) > 0
    index = world / "run" / "bags.index"
    whole = index.read_bytes()
    for damage in (b"", b"{}" + (2).to_bytes(8, "little"), whole[:-8] + (2**60).to_bytes(8, "little")):
        index.write_bytes(damage)
        assert len(open_bags(world / "run")) > 0
    index.write_bytes(b"\x05" + whole[1:])
    with pytest.raises((MaxiError, UsageError), match="cannot be read"):
        open_bags(world / "run")[0]
