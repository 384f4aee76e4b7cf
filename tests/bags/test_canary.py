"""A canary key, told by a source in every way it can, is found nowhere: screen, log, records, store (K1)."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maxi_core.errors import ExitCode

KEY, PASSWORD = "sk-canary-0123456789", "p@canary-word"
TELLTALE = """
    import base64, logging, os, warnings
    from pathlib import Path
    import maxi_core
    from maxi_core import Expander, Failed, hookimpl
    from maxi_core.errors import MaxiError
    from pydantic import Field

    class Telltale(Expander):
        name = "telltale"
        class Options(maxi_core.Options):
            token: str = Field("", description="a secret")
            api_key_file: Path | None = Field(None, description="a file with a secret")
        def expand(self, entries):
            key = self.options.token or self.options.api_key_file.read_text().strip()
            password = os.environ["HTTPS_PROXY"][12:].rpartition("@")[0]
            for name in ("maxi.telltale", "telltale"):
                logging.getLogger(name).error("key %s and %r", key, password)
            return [self.say(entry, key, password) for entry in entries]
        def say(self, entry, key, password):
            BODY

    @hookimpl
    def maxi_register_sources():
        return [Telltale]
"""


def assert_no_canary(folder: Path) -> None:
    assert not [path for path in folder.rglob("*") if path.is_file() and tells(path.read_text("utf-8", "replace"))]


def tells(text: str) -> bool:
    """Whether a text has the canary, in any case, pulled apart or in base64."""
    bare = re.sub(r"[\W_]", "", text).casefold()
    return "canary" in bare or re.sub(r"\W", "", base64.b64encode(KEY.encode()).decode())[:16].casefold() in bare


def test_no_secret_of_the_command_line_reaches_the_manifest(world, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(sys, "argv", ["maxi", "bags", "--weird", KEY, "http://me:canary@host"])
    assert world.bags().code == ExitCode.DONE
    assert_no_canary(world.folder)
    assert json.loads((world.out / "manifest.json").read_text())["argv"][-2:] == ["***", "http://***@host"]


FORMS = "[key[:9], key[9:], ' '.join(key), base64.b64encode(key.encode()).decode(), repr(list(key)), key.upper()]"


@pytest.mark.parametrize(
    ("body", "given", "code"),
    [
        (f"raise ValueError(repr({FORMS}))", "file", ExitCode.SKIPPED),
        (f"return [warnings.warn(form) for form in {FORMS}] and [entry]", "variable", ExitCode.DONE),
        (f"return [print(form, key) for form in {FORMS}] and [entry]", "variable", ExitCode.DONE),
        (f"return [*{FORMS}]", "variable", ExitCode.DONE),
        ("raise ValueError(f'401: {key} of {password} is wrong')", "variable", ExitCode.SKIPPED),
        ("return Failed(f'{key} and {password} are refused')", "file", ExitCode.SKIPPED),
        ("raise MaxiError(f'the key {key} in http://me:{password}@host is refused')", "option", ExitCode.FAILED),
        ("return {'key': key, 'password': password}", "config", ExitCode.SKIPPED),
    ],
)
def test_a_source_that_tells_its_key_is_heard_nowhere(world, fake_dist, body: str, given: str, code: int) -> None:
    site = fake_dist("telltale", TELLTALE.replace("BODY", body))
    secret = world.folder.parent / f"key-{world.folder.name}.txt"
    secret.write_text(f"{KEY}\n")
    env, more = {"HTTPS_PROXY": f"http://user:{PASSWORD}@proxy:1"}, []
    if given == "variable":
        env["MAXI_TELLTALE_TOKEN"] = KEY
    elif given == "file":
        env["MAXI_TELLTALE_API_KEY_FILE"] = str(secret)
    elif given == "option":
        more = ["-o", f"telltale.token={KEY}"]
    else:
        secret.write_text(f'[telltale]\ntoken = "{KEY}"\n')
        more = ["--config", str(secret)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "maxi_cli", "--log-level", "debug"),
            *world.arguments(*more, sources="toymatch,toygpt,toyblip,toyverbs,telltale"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )
    assert done.returncode == code, done.stderr
    assert not tells(done.stdout + done.stderr)
    assert "key *** and '***'" in done.stderr
    assert "key ***" in (world.out / "run.log").read_text()
    assert (world.out / "skipped.jsonl").exists()
    (site / "telltale.py").unlink()
    assert_no_canary(world.folder)
