"""Asking in a process of its own: what importing and making load, and whether the answers are the same there."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from maxi_core.errors import MaxiError
from maxi_core.recipe.plugin_files import PREFIX, import_file
from maxi_core.settings.options import Configured
from maxi_core.testing.subject import NotCheckedError, Subject, ask, plain_augment
from maxi_core.types import Dictionary, Failed, Form, Match, Text, TextBag, Video

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from maxi_core.testing import process
getattr(process, sys.argv[2])(*sys.argv[3:])
"""

# what differs there; a source has no business with any of these
_ELSEWHERE = {"USER": "somebody", "LOGNAME": "somebody", "TZ": "Asia/Kathmandu", "COLUMNS": "57"}


def imported_by(subject: Subject, heavy: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of the `heavy` packages importing the module imports, and which making an instance does."""
    if "imported" not in subject.seen:
        subject.seen["imported"] = json.loads(_run(subject, "probe", *_place_of(subject.make()), " ".join(heavy)))
    importing, making = subject.seen["imported"]
    return importing, making


def asked_elsewhere(subject: Subject, questions: Sequence[Any]) -> list[Any]:
    """Return what an instance in another process answers to one batch, asked in another folder and environment."""
    answers = _elsewhere(subject, list(questions))
    assert isinstance(answers, list)
    return answers


def injected_elsewhere(subject: Subject, dictionary: Dictionary) -> Any:
    """Return what an injector in another process makes of a dictionary, with the kit's augmenter."""
    return _elsewhere(subject, dictionary)


def _elsewhere(subject: Subject, asked: object) -> object:
    made = subject.make()
    paths = {key: value.expanduser().absolute() for key, value in made.options if isinstance(value, Path)}
    options = made.options.model_copy(update=paths)
    with tempfile.TemporaryDirectory(dir=subject.folder) as folder:
        file = Path(folder) / "asked.json"
        file.write_text(json.dumps({"options": _options(options), "asked": plain(asked)}))
        seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
        env = {**os.environ, **_ELSEWHERE, "PYTHONHASHSEED": seed}
        said = _run(subject, "answer", *_place_of(made), str(file), cwd=folder, env=env)
    answer = json.loads(said)
    if "refused" in answer:
        raise NotCheckedError(*answer["refused"])
    return from_plain(answer["said"])


def _options(options: BaseModel) -> dict[str, Any]:
    """Return the options as a recipe would hold them, secrets too: the file is gone when the check ends."""
    values = {key: plain(value) for key, value in options}
    return {key: values[key]["tuple"] if isinstance(value, tuple) else values[key] for key, value in options}


def _run(
    subject: Subject, what: str, *arguments: str, cwd: str | None = None, env: dict[str, str] | None = None
) -> bytes:
    path = json.dumps([entry or os.getcwd() for entry in sys.path])  # noqa: PTH109 (a text, as the path has)
    with tempfile.TemporaryDirectory(dir=subject.folder) as folder:
        out = Path(folder) / "out"
        done = subprocess.run(  # noqa: S603 (our own interpreter, our own program)
            [sys.executable, "-c", _PROGRAM, path, what, str(out), *arguments],
            capture_output=True, text=True, check=False, cwd=cwd, env=env,
        )  # fmt: skip
        last = (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1]
        if done.returncode != 0 or not out.exists():
            raise AssertionError(f"in a process of its own it failed: {last[-500:]}")
        return out.read_bytes()


def _place_of(made: Configured) -> tuple[str, str, str]:
    """Return where another process finds a class: its module, its name, and its file if it is a plugin file."""
    cls = type(made)
    assert "<locals>" not in cls.__qualname__, f"{cls.__qualname__} must stand at the top of a module"
    file = str(sys.modules[cls.__module__].__file__) if cls.__module__.startswith(PREFIX) else ""
    return cls.__module__, cls.__qualname__, file


def _found(module: str, qualname: str, file: str) -> Any:
    found: Any = import_file(Path(file)) if file else import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    return found


def probe(out: str, module: str, qualname: str, file: str, heavy: str) -> None:
    """Write which of the heavy packages the module imports, and which it imports to make an instance."""
    cls = _found(module, qualname, file)
    importing = [name for name in heavy.split() if name in sys.modules]
    cls()
    making = [name for name in heavy.split() if name in sys.modules]
    Path(out).write_text(json.dumps([importing, making]))


def answer(out: str, module: str, qualname: str, file: str, asked: str) -> None:
    """Make an instance, ask it, and write its answers, or how it refused."""
    cls = _found(module, qualname, file)
    given = json.loads(Path(asked).read_text())
    source, questions = cls(cls.Options.model_validate(given["options"])), from_plain(given["asked"])
    try:
        source.open()
        if isinstance(questions, Dictionary):
            said: dict[str, object] = {"said": plain(source.inject(questions, plain_augment))}
        else:
            said = {"said": plain(ask(source, questions))}
    except MaxiError as error:
        said = {"refused": [error.problem, error.fix]}
    finally:
        source.close()
    Path(out).write_text(json.dumps(said, default=repr))


_TYPES: dict[str, type[Any]] = {cls.__name__: cls for cls in (Dictionary, Failed, Form, Match, Text, TextBag, Video)}


def plain(value: Any) -> Any:
    """Return a question, an answer or the value of an option as JSON has it."""
    if type(value) in _TYPES.values():
        return {type(value).__name__: [plain(getattr(value, field.name)) for field in fields(value)]}
    if isinstance(value, tuple):
        return {"tuple": [plain(item) for item in value]}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value


def from_plain(value: Any) -> Any:
    """Return what `plain` was given."""
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, parts),) = value.items()
    made = [from_plain(part) for part in parts]
    if kind == "Video":
        made[1] = Path(made[1])
    return tuple(made) if kind == "tuple" else _TYPES[kind](*made)
