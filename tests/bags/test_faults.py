"""Faults around a run: killed anywhere, two at once, plugins that raise, secrets, memory."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from maxi_core.errors import ExitCode
from tests.conftest import EXPANDER

CAST = "toymatch,toygpt,toyblip,toyverbs"


def process(world, *more: str, **env: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "maxi_cli", *world.arguments(*more)]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env}
    )


def questions(world) -> list[str]:
    log = world.folder / "asked.log"
    return log.read_text("utf-8").splitlines() if log.exists() else []


def test_killed_at_ten_points_it_goes_on_and_the_bags_are_the_same_bytes(world) -> None:
    for place in range(20):
        world.add(f"more {place}.mp4")
    arguments = world.arguments()
    arguments[arguments.index("--store") + 1] = str(world.folder / "unbroken store")
    arguments[arguments.index("--out") + 1] = str(world.folder / "unbroken")
    assert world.maxi(*arguments).code == ExitCode.DONE
    unbroken = (world.folder / "unbroken" / "bags.jsonl").read_bytes()
    total = sum(world.asked().values())
    draw = random.Random(0)
    points = sorted(draw.sample(range(1, total), 10))
    for point in points:
        running = process(world, TOY_SLEEP="0.002")
        while len(questions(world)) < point and running.poll() is None:
            time.sleep(0.002)
        running.kill()
        running.communicate()
        assert not (world.out / "bags.jsonl").exists() or (world.out / "bags.jsonl").read_bytes() == unbroken
    assert world.bags().code == ExitCode.DONE
    assert (world.out / "bags.jsonl").read_bytes() == unbroken
    asked = Counter(questions(world))
    again = sum(count - 1 for count in asked.values())
    assert len(asked) == total
    assert again <= 2 * len(points), "more was asked twice than the question that each kill cut off"


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_stopped_run_ends_at_once_and_goes_on_later(world, sent, code) -> None:
    running = process(world, TOY_SLEEP="0.05")
    while len(questions(world)) < 3:
        time.sleep(0.01)
    running.send_signal(sent)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == code
    assert "Traceback" not in errors
    assert "maxi: stopped; the same command goes on where it was" in errors
    assert world.bags().code == ExitCode.DONE
    asked = questions(world)
    assert len(asked) - len(set(asked)) <= 2, "more was asked again than what the signal cut off"


def test_two_runs_on_one_folder_refuse_each_other_by_name_and_a_killed_one_leaves_no_lock(world) -> None:
    running = process(world, TOY_SLEEP="0.3")
    while not questions(world):
        time.sleep(0.01)
    ran = world.bags()
    assert ran.code == ExitCode.FAILED
    assert f"is in use by process {running.pid} on " in ran.err
    assert " since 20" in ran.err
    running.kill()
    running.communicate()
    assert world.bags().code == ExitCode.DONE


def test_two_runs_in_two_folders_share_one_store(world) -> None:
    first = process(world)
    arguments = world.arguments()
    arguments[arguments.index("--out") + 1] = str(world.folder / "second")
    assert world.maxi(*arguments).code == ExitCode.DONE
    first.communicate()
    assert first.returncode == 0
    assert (world.folder / "second" / "bags.jsonl").read_bytes() == (world.out / "bags.jsonl").read_bytes()


FAULTY = EXPANDER.format(name="faulty")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no luck')", "source 'faulty' raised ValueError: no luck"),
        ("return None", "source 'faulty' answered NoneType, not a list of texts"),
        ("return entry", "source 'faulty' answered str, not a list of texts"),
        ("return (word for word in [entry])", "source 'faulty' answered generator, not a list of texts"),
    ],
)
def test_a_source_that_fails_at_run_time_is_skipped_by_name_and_the_bags_are_made(
    world, fake_dist, body, message
) -> None:
    fake_dist("faulty", FAULTY.replace("return [entry]", body))
    ran = world.bags(sources=f"{CAST},faulty")
    assert ran.code == ExitCode.SKIPPED
    assert ran.err.splitlines()[-1].startswith("maxi: error: source 'faulty' said nothing of all ")
    skips = [json.loads(line) for line in (world.out / "skipped.jsonl").read_text().splitlines()]
    assert {skip["source"] for skip in skips} == {"faulty"}
    assert any(skip["message"] == message for skip in skips)
    assert all("faulty" not in record["said"] for record in world.records())
    strict = world.bags("--strict", sources=f"{CAST},faulty")
    assert strict.code == ExitCode.USAGE
    assert message in strict.err
    assert strict.err.count("\n") == 1


@pytest.mark.parametrize("printing", ["print('{')", "os.write(1, b'{')", "os.system('echo {')"])
def test_what_a_source_prints_does_not_get_into_the_data_of_the_command(world, fake_dist, printing) -> None:
    fake_dist("faulty", FAULTY.replace("return [self", f"import os; {printing}\n            return [self"))
    running = process(world, "--json", "--sources", f"{CAST},faulty")
    out, err = running.communicate()
    assert running.returncode == ExitCode.DONE, err
    assert json.loads(out)["kept"] == 6
    assert "{" in err


@pytest.mark.parametrize("leaving", ["sys.exit()", "sys.exit(0)", "raise KeyboardInterrupt", "raise GeneratorExit"])
def test_a_source_that_leaves_is_named_and_not_obeyed(world, fake_dist, leaving) -> None:
    fake_dist("faulty", FAULTY.replace("return [entry]", f"import sys; {leaving}"))
    ran = world.bags(sources=f"{CAST},faulty")
    assert ran.code == ExitCode.SKIPPED
    assert "source 'faulty' said nothing of all " in ran.err
    assert len(world.records()) == 6
    assert json.loads((world.out / "manifest.json").read_text())["heard"]["faulty"]["failed"] > 0


def test_a_source_that_swallows_interrupts_cannot_swallow_ctrl_c(world, fake_dist) -> None:
    stubborn = """
            import time
            for _ in range(300):
                try: time.sleep(0.1)
                except BaseException: pass
            return [self"""
    fake_dist("faulty", FAULTY.replace("return [self", stubborn.strip() + " "))
    running = process(world, "--sources", f"{CAST},faulty")
    while len(questions(world)) < 6:
        time.sleep(0.01)
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "Traceback" not in errors


def test_a_source_that_was_switched_off_is_in_the_manifest(world, fake_dist) -> None:
    for place in range(20):
        world.add(f"more {place}.mp4")
    captioner = FAULTY.replace("Expander", "Captioner").replace("def expand(self, entries)", "def caption(self, clips)")
    captioner = captioner.replace("for entry in entries", "for entry in clips").replace("class Fake", "class Blind")
    fake_dist("faulty", captioner.replace("return [entry]", "raise OSError('dark')").replace("[Fake]", "[Blind]"))
    site = world.folder / "site" / "faulty.py"
    site.write_text(site.read_text().replace("name =", "frames = None\n    name ="))
    ran = world.bags(sources=f"{CAST},faulty")
    assert ran.code == ExitCode.SKIPPED
    off = json.loads((world.out / "manifest.json").read_text())["heard"]["faulty"]["off"]
    assert off == "source 'faulty' was switched off: 5 faults in a row, the last: raised OSError: dark"


def test_a_source_that_says_ten_thousand_texts_is_capped(world, fake_dist) -> None:
    fake_dist("faulty", FAULTY.replace("return [entry]", "return [f'{entry} {i}' for i in range(10_000)]"))
    assert world.bags(sources=f"{CAST},faulty").code == ExitCode.DONE
    assert {len(record["said"]["faulty"]) for record in world.records()} == {1000}


def test_a_source_that_cannot_work_is_seen_before_any_work_is_done(world, fake_dist) -> None:
    body = "def fingerprint(self):\n            raise UsageError('no key', 'set one')\n        def expand"
    code = FAULTY.replace("def expand", body).replace(
        "import maxi_core", "import maxi_core\n    from maxi_core.errors import UsageError"
    )
    fake_dist("faulty", code)
    ran = world.bags(sources=f"{CAST},faulty")
    assert (ran.code, ran.err) == (ExitCode.USAGE, "maxi: error: no key; set one\n")
    assert questions(world) == []
    assert world.bags("--dry-run", sources=f"{CAST},faulty").code == ExitCode.DONE


def test_a_video_that_vanishes_during_the_run_is_named(world, fake_dist) -> None:
    body = "import os; os.path.exists('videos/clip 3.mp4') and os.rename('videos/clip 3.mp4', 'videos/broken')"
    fake_dist("faulty", FAULTY.replace("return [self", f"{body}\n            return [self"))
    ran = world.bags(sources=f"{CAST},faulty")
    assert ran.code == ExitCode.FAILED
    why = "no such file; correct the path, or take it off the list"
    assert ran.err == f"maxi: error: clip 3.mp4 can no longer be read ({why}); run the same command again\n"


def test_a_run_folder_that_cannot_be_written_is_one_line(world) -> None:
    (world.folder / "file").write_text("")
    arguments = world.arguments()
    arguments[arguments.index("--out") + 1] = str(world.folder / "file" / "run")
    ran = world.maxi(*arguments)
    assert ran.code == ExitCode.USAGE
    assert ran.err.startswith(f"maxi: error: cannot write to {world.folder / 'file' / 'run'}: ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "setting", ["bags.store=~nobody-at-all/x", "bags.videos=~nobody-at-all/x", "bags.videos=" + "x" * 300]
)
def test_a_path_that_cannot_be_is_one_line(world, setting) -> None:
    arguments = ["bags", "--dictionary", "actions.txt", "--out", "r", "--sources", CAST, "-o", setting]
    ran = world.maxi(*arguments)
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "cannot be found" in ran.err


PEAK = """
import sys
from pathlib import Path
from tests.bags.toys import ToyBlip, ToyGpt, ToyMatcher, ToyVerbs
from maxi_core.bags.askers import Sources
from maxi_core.bags.pipeline import make_bags
from maxi_core.bags.tally import Stages, Tally
from maxi_core.bags.bag import to_line
from maxi_core.types import Dictionary
from maxi_core.video.inputs import find_videos
import resource
from maxi_cli.progress import progress
stages = Stages(Path(sys.argv[2]), progress(quiet=True), lambda *skip: None, lambda: None)
sources = Sources(ToyMatcher(), (ToyGpt(), ToyBlip()), ToyVerbs())
dictionary = Dictionary("d", ("riding a bike", "juggling balls"))
videos = find_videos(Path(sys.argv[1]))
count = sum(len(to_line(bag)) > 0 for bag in make_bags(videos, dictionary, sources, 0.9, stages, Tally()))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.long
def test_memory_is_flat_in_the_number_of_videos(world) -> None:
    peaks = {}
    for count in (100, 10_000):
        listed = world.videos / f"list{count}.csv"
        listed.write_text("path,start,end\n" + "\n".join(f"clip {i % 6}.mp4,{i},{i + 1}" for i in range(count)))
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(listed), str(world.folder / f"store{count}")],
            capture_output=True,
            text=True,
            check=True,
            env={name: value for name, value in os.environ.items() if name != "TOY_LOG"},
        )
        made, peaks[count] = done.stdout.split()
        assert int(made) == count
    print(peaks)
    # places of three answers for each video, about 150 bytes each: 4.5 MB; the answers themselves would be 30
    assert float(peaks[10_000]) - float(peaks[100]) < 15
