"""Runs by an engine: shares, dead workers, the video that kills them; the files are those of one process."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator

import pytest

from maxi_core.errors import ExitCode
from maxi_core.plugin.engine import Engine, Work
from maxi_core.types import Failed
from tests.conftest import Ran

CAST = "toynoise,toymatch,toygpt,toyblip,toyverbs"
TWO = ("--engine", "local", "-o", "local.processes=2")
MORTAL = """
    from maxi_core import Engine, Failed, hookimpl

    class Mortal(Engine):
        '''Works here, and notes each item; one with a poisoned video in it ends a worker.'''
        name = "mortal"
        items = []
        def run(self, work, items):
            self.work = work
            for place, item in enumerate(items):
                self.items.append(item)
                yield place, Failed("a worker died (here)") if "poison" in item else work(item)
        def close(self):
            if hasattr(self, "work"):
                self.work.close()

    @hookimpl
    def maxi_register_engines():
        return [Mortal]
"""
DEADLY = """
    import os
    from maxi_core import Captioner, hookimpl

    class Deadly(Captioner):
        '''Ends its process at one video.'''
        name = "deadly"
        frames = None
        def caption(self, clips):
            if any("poison" in clip.video.id for clip in clips):
                os._exit(7)
            return [["a person waving"] for clip in clips]

    @hookimpl
    def maxi_register_sources():
        return [Deadly]
"""


@pytest.fixture
def many(world, monkeypatch):
    """More videos, some that cannot be read or shown, in shares of four, and the files of a run by one process."""
    monkeypatch.setattr("maxi_core.bags.by_engine.SHARE", 4)
    return world.made_whole(8)


def run(world, *more: str) -> Ran:
    return world.bags("--keep", "0.7", *(more or TWO), sources=CAST)


def mortal(fake_dist) -> list[str]:
    fake_dist("mortal", MORTAL)
    import mortal as plugin

    plugin.Mortal.items.clear()
    found: list[str] = plugin.Mortal.items
    return found


@pytest.mark.long
def test_two_processes_make_the_bags_of_one_and_go_on_where_they_were(many) -> None:
    ran = run(many, *TWO, "--json")
    assert ran.code == ExitCode.DONE, ran.err
    assert many.files(many.out) == many.files(many.folder / "whole")
    asked = many.asked()
    assert (asked["toymatch"], asked["toyblip"]) == (16, 16), "nobody asks again what a worker was asked"
    assert json.loads(ran.out)["asked"]["toymatch"] == 16
    (many.videos / "a broken one.mp4").unlink()
    (many.videos / "dark.mp4").unlink()
    assert run(many, *TWO, "--overwrite").code == ExitCode.DONE
    assert not many.asked(), "all is known, and no worker is started"


def test_an_engine_of_a_plugin_is_found_and_asked_of_what_is_new_alone(many, fake_dist) -> None:
    items = mortal(fake_dist)
    assert run(many, "--engine", "mortal").code == ExitCode.DONE
    assert many.files(many.out) == many.files(many.folder / "whole")
    assert [len(json.loads(item)["videos"]) for item in items] == [4, 4, 4, 4]
    assert many.asked()["toyverbs"] < 40, "a worker remembers the forms of a text"
    items.clear()
    many.add("one more.mp4")
    assert run(many, "--engine", "mortal", "--overwrite").code == ExitCode.DONE
    videos = [video[0] for item in items for video in json.loads(item)["videos"]]
    assert sorted(videos) == ["a broken one.mp4", "dark.mp4", "one more.mp4"]


def test_a_share_that_ends_workers_is_halved_until_one_video_is_left_out(many, fake_dist) -> None:
    items = mortal(fake_dist)
    many.add("clip 3 poison.mp4")
    ran = run(many, "--engine", "mortal")
    assert ran.code == ExitCode.DONE, ran.err
    deadly = [len(json.loads(item)["videos"]) for item in items if "poison" in item]
    assert deadly == [4, 4, 4, 2, 1, 1, 1], "three times as it was, once as a half, three times alone"
    records = [json.loads(line) for line in (many.out / "skipped.jsonl").read_text().splitlines()]
    poisoned = [(one["stage"], one["error"], one["message"]) for one in records if one["video"] == "clip 3 poison.mp4"]
    reason = "it ended its worker 3 times (a worker died (here)); get the file again, or take it off the list"
    assert poisoned == [("match", "crash", reason)]
    assert len((many.out / "bags.jsonl").read_text().splitlines()) == len(
        many.files(many.folder / "whole")["bags.jsonl"].splitlines()
    )
    assert many.asked()["toymatch"] == 16, "no other video is lost, and nobody asks of the poisoned one"


def test_what_no_engine_can_do_is_one_line(world, monkeypatch) -> None:
    for arguments, said in {
        ("--engine", "toyblip"): "'toyblip' is a captioner, and an engine is wanted here",
        ("--engine", "lokal"): "no engine is called 'lokal' (did you mean 'local'?)",
        (*TWO, "--shard", "1/2"): "--shard and --engine both share out the videos; give one of them",
        ("-o", "local.processes=-1"): "[local] processes = '-1'",
    }.items():
        ran = world.bags(*arguments)
        assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
        assert said in ran.err
    monkeypatch.setattr("maxi_plugins.ray.find_spec", lambda _: None)
    ran = world.bags("--engine", "ray")
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "engine 'ray' needs the package ray, which is not installed; pip install 'maxi[ray]'" in ran.err


ODD = """
    import sys
    from maxi_core import Engine, Failed, hookimpl

    class Odd(Engine):
        name = "odd"
        def cores(self):
            {cores}
        def check(self):
            {check}
        def close(self):
            if hasattr(self, "work"):
                self.work.close()
            {close}
        def run(self, work, items):
            self.work = work
            {run}

    @hookimpl
    def maxi_register_engines():
        return [Odd]
"""
EACH = "return ({given} for place, item in enumerate(items))"


def odd(fake_dist, **bodies: str) -> None:
    fake_dist("odd", ODD.format(**{"cores": "pass", "check": "pass", "close": "pass", "run": "pass", **bodies}))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("(place + 5, work(item))", "engine 'odd' gave a result of the item 5, which none waits for"),
        ("(-1, work(item))", "engine 'odd' gave a result of the item -1, which none waits for"),
        ("(0, work(item))", "engine 'odd' gave a result of the item 0, which none waits for"),
        ("(str(place), work(item))", "engine 'odd' gave '0' for the place of an item, not a whole number"),
        ("(place, None)", "engine 'odd' gave None for the result of an item, not a text or Failed"),
        ("(place, Failed)", "for the result of an item, not a text or Failed"),
        ("(place, 'not json')", "engine 'odd' gave 'not json' for the result of an item, which the work has not given"),
        ("(place, '[]')", "engine 'odd' gave '[]' for the result of an item, which the work has not given"),
        ("(place, item)", "for the result of an item, which the work has not given"),
        ("work(item)", ", not the place of an item and its result"),
        ("None", "engine 'odd' gave None, not the place of an item and its result"),
        ("1 / 0", "engine 'odd' raised ZeroDivisionError: division by zero when it ran"),
        ("sys.exit(0)", "engine 'odd' called sys.exit(0) when it ran"),
    ],
)
def test_an_engine_that_gives_no_results_of_its_items_is_named(many, fake_dist, given: str, line: str) -> None:
    odd(fake_dist, run=EACH.format(given=given))
    ran = run(many, "--engine", "odd")
    assert ran.code == ExitCode.USAGE
    assert [one for one in ran.err.splitlines() if "error" in one] == ran.err.splitlines()[-1:]
    assert line in ran.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("bodies", "line"),
    [
        ({"run": "return None"}, "engine 'odd' raised TypeError: 'NoneType' object is not iterable when it ran"),
        ({"run": "return iter(())"}, "engine 'odd' ended without taking any item"),
        ({"run": "return [None for _ in items][:0]"}, "engine 'odd' gave no result of 4 items that it took"),
        (
            {"run": "two = list(items)[:2]; return [(1, work(two[0])), (0, work(two[1]))]"},
            "engine 'odd' gave the result of one item at the place of another",
        ),
        ({"run": "sys.exit(0)"}, "engine 'odd' called sys.exit(0) when it ran"),
        ({"check": "sys.exit(0)"}, "'odd' called sys.exit(0) when it was asked whether it can work here"),
        ({"check": "1 / 0"}, "'odd' raised ZeroDivisionError: division by zero when it was asked whether it can"),
        ({"cores": "return 'many'"}, "engine 'odd' gave 'many' for the cores of a worker, which has one or more"),
        ({"cores": "return 0"}, "engine 'odd' gave 0 for the cores of a worker"),
        ({"cores": "sys.exit(0)"}, "'odd' called sys.exit(0) when it was asked for the cores of a worker"),
        (
            {"run": EACH.format(given="(place, work(item))"), "close": "sys.exit(0)"},
            "'odd' called sys.exit(0) when it was closed",
        ),
    ],
)
def test_an_engine_that_cannot_be_used_is_named(many, fake_dist, bodies: dict[str, str], line: str) -> None:
    odd(fake_dist, **bodies)
    ran = run(many, "--engine", "odd")
    assert ran.code == ExitCode.USAGE
    assert line in ran.err.splitlines()[-1]
    assert not (many.out / "bags.jsonl").exists()


def test_an_engine_that_cannot_be_closed_either_is_blamed_for_what_came_first(many, fake_dist) -> None:
    odd(fake_dist, run="1 / 0", close="sys.exit(0)")
    ran = run(many, "--engine", "odd")
    assert ran.code == ExitCode.USAGE
    assert "engine 'odd' called sys.exit(0) when it was closed" in ran.err
    assert "engine 'odd' raised ZeroDivisionError: division by zero when it ran" in ran.err.splitlines()[-1]


def test_what_is_raised_where_items_are_made_is_not_the_engines_doing() -> None:
    from maxi_core.plugin.engine_calls import results

    class Plain(Engine):
        name = "plain"

        def run(self, work: Work, items: Iterable[str]) -> Iterator[tuple[int, str | Failed]]:
            yield from ((place, work(item)) for place, item in enumerate(items))

    def items() -> Iterator[str]:
        yield "one"
        raise OSError("the disk is gone")

    class Upper:
        def __call__(self, item: str) -> str:
            return item.upper()

        def close(self) -> None:
            pass

    running = results(Plain(), Upper(), items())
    assert next(running) == (0, "ONE")
    with pytest.raises(OSError, match="the disk is gone"):
        next(running)


RAISING = """
    from maxi_core import Expander, MaxiError, Captioner, hookimpl
    import maxi_core
    from pydantic import Field, SecretStr

    class Refused(Captioner):
        '''Is refused, and says with which key.'''
        name = "refused"
        frames = None
        class Options(maxi_core.Options):
            key: SecretStr = Field(SecretStr(""), description="the key")
        def caption(self, clips):
            print(self.options.key.get_secret_value())
            raise MaxiError(f"the key {self.options.key.get_secret_value()} was refused", "get another")

    @hookimpl
    def maxi_register_sources():
        return [Refused]
"""


def test_an_error_of_a_worker_ends_the_run_in_its_words_and_no_secret_is_seen(world, tmp_path, fake_dist) -> None:
    items = mortal(fake_dist)
    (tmp_path / "refused.py").write_text(textwrap.dedent(RAISING))
    key = "sk-abcd1234efgh5678"
    arguments = ("--engine", "mortal", "--plugin", "refused.py", "-o", f"refused.key={key}")
    ran = world.bags(*arguments, sources="toymatch,refused,toyverbs")
    assert ran.code == ExitCode.FAILED
    assert "error: the key *** was refused; get another" in ran.err
    everything = (
        ran.out
        + ran.err
        + "".join(items)
        + "".join(
            path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".py"
        )
    )
    assert key not in everything


@pytest.mark.long
def test_a_process_that_a_source_ends_costs_one_video(world, tmp_path) -> None:
    (tmp_path / "deadly.py").write_text(textwrap.dedent(DEADLY))
    world.add("a poison.mp4")
    ran = world.bags(*TWO, "--plugin", "deadly.py", sources="toymatch,deadly,toyverbs")
    assert ran.code == ExitCode.DONE, ran.err
    assert len(world.records()) == 6
    assert "it ended its worker 3 times (a worker process died (exit code 7))" in ran.out


def start(world, *more: str, **env: str) -> subprocess.Popen[str]:
    arguments = world.arguments("--keep", "0.7", *(more or TWO), sources=CAST)
    return subprocess.Popen(
        [sys.executable, "-m", "maxi_cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TOY_SLEEP": "0.1", **env},
    )


def wait_for_answers(world, running: "subprocess.Popen[str]") -> None:
    while not (world.folder / "asked.log").exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    time.sleep(0.3)


@pytest.mark.long
@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_process_and_goes_on(many, ended_by: signal.Signals) -> None:
    import psutil

    running = start(many)
    wait_for_answers(many, running)
    ran = run(many)
    assert f"is in use by process {running.pid} on " in ran.err
    workers = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(ended_by)
    _, err = running.communicate()
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
    assert running.returncode == codes[ended_by]
    assert "Traceback" not in err
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    assert run(many).code == ExitCode.DONE
    assert many.files(many.out) == many.files(many.folder / "whole")
