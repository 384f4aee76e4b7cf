"""What every source keeps about its fingerprint: what besides the options decides its answers (DESIGN, the store)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from maxi_core.conformance import Subject
from maxi_core.errors import MaxiError
from maxi_core.options import Configured
from maxi_core.sources import Source

LARGEST = 16 << 20  # bytes of a file that is copied for the check


def is_text_and_the_same_twice(subject: Subject) -> None:
    """A dict of texts, which another instance with the same options repeats: else nothing is ever found again."""
    first = _fingerprint(subject.make())
    assert isinstance(first, dict), f"fingerprint() returned {first!r}, which is not a dict"
    for key, value in first.items():
        assert isinstance(key, str), f"the fingerprint has the key {key!r}, which is no text"
        assert isinstance(value, str), f"the fingerprint says {key} = {value!r}, which is no text"
    second = _fingerprint(subject.make())
    assert first == second, f"first {first}, then {second}"


def follows_the_files_of_its_options(subject: Subject) -> None:
    """A file that an option names decides the answers, unless the option is in EFFORT: its content must count."""
    made = subject.make()
    for key in path_options(made):
        path = subject.folder / f"{key} of an option.txt"
        before, after = _contents(getattr(made.options, key))
        seen = [_with_file(made, key, path, content) for content in (before, after)]
        assert None in seen or seen[0] != seen[1], (
            f"option '{key}' names a file, and after the file has changed the fingerprint is the same, {seen[0]}: put "
            f"a digest of its content there (or '{key}' into EFFORT, if it does not decide the answers)"
        )


def path_options(made: Configured) -> list[str]:
    """Return the options that may name a file and are not in EFFORT."""
    model = made.Options
    return [
        key for key, field in model.model_fields.items() if Path in _kinds(field.annotation) and key not in model.EFFORT
    ]


def _kinds(annotation: Any) -> set[Any]:
    return {annotation}.union(*(_kinds(part) for part in get_args(annotation)))


def _fingerprint(made: Configured) -> dict[str, str]:
    assert isinstance(made, Source), f"{type(made).__name__} is no source"
    return made.fingerprint()


def _contents(now: object) -> tuple[bytes, bytes]:
    """Return two contents of different length: the file's own and a cut one, or two that are made up."""
    if isinstance(now, Path) and now.is_file() and 1 < now.stat().st_size <= LARGEST:
        whole = now.read_bytes()
        return whole, whole[: len(whole) // 2]
    return b"first: one\n", b"second: two, three\n"


def _with_file(made: Configured, key: str, path: Path, content: bytes) -> dict[str, str] | None:
    """Return the fingerprint with this file, None if the source has said that it is not right."""
    path.write_bytes(content)
    options = made.options.model_copy(update={key: path})
    try:
        return _fingerprint(type(made)(options))
    except MaxiError:
        return None
    except Exception as error:
        raise AssertionError(
            f"with a file as option '{key}' that is not what it expects, fingerprint() raised "
            f"{type(error).__name__}: {error}; raise maxi_core.errors.UsageError(problem, fix)"
        ) from error


FINGERPRINT: dict[str, Callable[[Subject], None]] = {
    "its fingerprint is text, the same twice": is_text_and_the_same_twice,
    "its fingerprint follows the files that its options name": follows_the_files_of_its_options,
}
