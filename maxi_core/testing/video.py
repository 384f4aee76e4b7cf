"""What every matcher and captioner keeps besides: windows, paths as they are given, the frames it wants."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from maxi_core.plugin.roles import LOOKING, Source
from maxi_core.testing.source import check_type
from maxi_core.testing.subject import DICTIONARY, Subject, ask, halves, opened, questions_for, said, same, shown
from maxi_core.types import Failed, Video
from maxi_core.video.sampling import Sampling


def keeps_to_the_window(subject: Subject) -> None:
    """A window (`start`, `end`) is a video of its own: what lies outside it changes no answer."""
    whole, cut = (halves().whole, 1.0) if _by_the_kit(subject) else (subject.questions[0], 0.5)
    windows = [replace(whole, id="first part", end=cut), replace(whole, id="second part", start=cut), whole]
    alone = [_fresh(subject, window) for window in windows]
    with opened(subject) as source:
        for order in (windows, windows[::-1]):
            for window, answer in zip(order, ask(source, order), strict=True):
                check_type(source, window, answer, DICTIONARY)
                fresh = alone[windows.index(window)]
                assert same(answer, fresh), (
                    f"of {shown(window)} it says {shown(answer)} beside other windows of that file, and "
                    f"{shown(fresh)} by itself: whatever is kept of a video is kept by path, start and end"
                )
    if _by_the_kit(subject):
        _check_cut(subject, windows, alone)


def _check_cut(subject: Subject, windows: list[Video], alone: list[Any]) -> None:
    """Compare a window with a file that holds nothing but it."""
    of_all = said(alone[-1])
    for window, half, answer in zip(windows, (halves().first, halves().second), alone, strict=False):
        cut = said(_fresh(subject, half))
        if isinstance(answer, Failed) or cut == of_all:
            continue
        assert said(answer) != of_all, (
            f"of {shown(window)} it says what it says of the whole file, {shown(answer)}, and of a file with that part "
            f"alone {shown(cut)}: look at video.start and video.end, or return Failed for a window"
        )


def takes_paths_as_they_are(subject: Subject) -> None:
    """A path is given back as it came, relative or with spaces, and the file decides, however its path is written."""
    asked: Video = subject.questions[0]
    folder = subject.folder / "a folder, é"
    (folder / "in it").mkdir(parents=True)
    copy = folder / asked.path.name
    shutil.copyfile(asked.path, copy)
    plain = replace(asked, path=copy)
    spelled = [Path(os.path.relpath(copy)), folder / "in it" / ".." / copy.name]
    with opened(subject) as source:
        (first,) = ask(source, [plain])
        assert isinstance(subject.true(asked), Failed) or not isinstance(first, Failed), (
            f"of a copy of the file it says {shown(first)}; the copy is at '{copy}'"
        )
        for path in spelled:
            video = replace(asked, path=path)
            (answer,) = ask(source, [video])
            check_type(source, video, answer, DICTIONARY)
            assert said(answer) == said(first) or same(_named(answer, plain), first), (
                f"of the path '{path}' it says {shown(answer)}, and of the same file as '{copy}' {shown(first)}"
            )


def wants_the_same_frames(subject: Subject) -> None:
    """The frames it wants are a Sampling or None, the same before and after it was asked and of every instance."""
    wanted: list[Sampling | None] = []
    for _ in range(2):
        with opened(subject) as source:
            wanted.append(_wanted(source))
            ask(source, subject.batch(2))
            wanted.append(_wanted(source))
    assert wanted == wanted[:1] * 4, f"`frames` said one after the other {shown(wanted)}: options alone may decide it"


def _wanted(source: Source) -> Sampling | None:
    assert isinstance(source, LOOKING)
    wanted: object = source.frames
    assert wanted is None or isinstance(wanted, Sampling), (
        f"`frames` is {shown(wanted)}: make it a Sampling(kind, count), or None for a source that reads the file itself"
    )
    return wanted


def _by_the_kit(subject: Subject) -> bool:
    return list(subject.questions) == questions_for(subject.make().role)


def _fresh(subject: Subject, video: Video) -> Any:
    with opened(subject) as source:
        return ask(source, [video])[0]


def _named(answer: Any, video: Video) -> Any:
    return replace(answer, video=video) if hasattr(answer, "video") else answer


VIDEO: dict[str, Callable[[Subject], None]] = {
    "it keeps to the window of a video": keeps_to_the_window,
    "it takes a path as it is given": takes_paths_as_they_are,
}
FRAMES: dict[str, Callable[[Subject], None]] = {"it always wants the same frames": wants_the_same_frames}
