"""`maxi new-plugin`: what it writes is installed, listed, passes its tests and fills bags, with no edit."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import maxi_core
from maxi_core.errors import ExitCode, MaxiError
from maxi_core.plugin.hookspecs import API_VERSION
from maxi_core.testing import clip, scaffold
from maxi_core.testing.contract import checks_for
from maxi_core.testing.scaffold import KINDS
from tests.conftest import EXPANDER


def install(folder: Path, site: Path) -> None:
    """Put a distribution on a path as its wheel would be: its module and its entry point, from its pyproject.toml."""
    document = tomllib.loads((folder / "pyproject.toml").read_text())
    project, (module,) = document["project"], document["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    shutil.copy(folder / module, site)
    info = site / f"{Path(module).stem}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    ((name, target),) = project["entry-points"]["maxi"].items()
    (info / "entry_points.txt").write_text(f"[maxi]\n{name} = {target}\n")


@pytest.fixture
def six(maxi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a plugin of each role, install them all, and return the folder they were written into."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.chdir(tmp_path)
    for role in KINDS:
        assert maxi("new-plugin", f"my-{role}", "--role", role).code == ExitCode.DONE
        install(tmp_path / f"maxi-my-{role}", site)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    return tmp_path


def test_a_plugin_of_every_role_is_listed_explained_and_fills_bags(maxi, six: Path) -> None:
    rows = [line.split() for line in maxi("plugins").out.splitlines()]
    for role in KINDS:
        name = f"my-{role}"
        assert [name, role, name, f"maxi-{name}", "0.1.0", "ok"] in rows or [name, role, name] in [
            row[:3] for row in rows
        ]
        assert f"This text is what `maxi plugins {name}` shows." in maxi("plugins", name).out
        assert maxi("check-plugin", name, "--full").code == ExitCode.DONE
    videos = six / "videos"
    videos.mkdir()
    clip(videos / "bright.mp4", shade=250)
    (six / "actions.txt").write_text("juggling\nriding a bike\n")
    names = ",".join(f"my-{role}" for role in KINDS if role not in ("temporal", "objective"))
    ran = maxi("bags", "videos", "--dictionary", "actions.txt", "--out", "run", "--sources", names, "-q", "--json")
    assert (ran.code, ran.err) == (ExitCode.DONE, "")
    (bag,) = [json.loads(line) for line in (six / "run" / "bags.jsonl").read_text().splitlines()]
    assert bag["match"]["entry"] == "riding a bike"
    assert {"my-expander", "my-captioner"} == set(bag["said"])
    assert {text["source"] for text in bag["texts"]} >= {"my-expander"}
    recipe = tomllib.loads((six / "run" / "recipe.toml").read_text())
    assert recipe["sources"]["injector"] == "maxi-my-injector:my-injector"
    assert recipe["sources"]["augmenter"] == "maxi-my-augmenter:my-augmenter"
    assert "riding" in {text["text"] for text in bag["texts"]}  # what the augmenter found


@pytest.mark.parametrize(
    "roles",
    [
        ("expander", "injector"),
        pytest.param(("objective",), marks=pytest.mark.long),
        pytest.param(KINDS, marks=pytest.mark.slow),
    ],
)
def test_the_tests_that_are_written_pass(six: Path, roles: tuple[str, ...]) -> None:
    folders = [str(six / f"maxi-my-{role}") for role in roles]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-W", "error"]
    done = subprocess.run([*command, *folders], capture_output=True, text=True, check=False, cwd=six)
    assert done.returncode == 0, done.stdout[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) == sum(len(checks_for(role)) + 1 for role in roles)


def test_what_is_written_is_clean_and_names_nothing_of_this_machine(six: Path) -> None:
    for folder in six.glob("maxi-my-*"):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", "check", "--no-cache", "--isolated", "--select", "E,F,W,I,UP,B,SIM,RET",
             "--line-length", "120", "."], capture_output=True, text=True, check=False, cwd=folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        for file in filter(Path.is_file, folder.rglob("*.*")):
            assert "$" not in file.read_text()
            assert str(six) not in file.read_text()


def test_what_is_written_imports_only_what_is_stable_and_says_for_which_surface(six: Path) -> None:
    for role in KINDS:
        folder = six / f"maxi-my-{role}"
        module, test = folder / f"maxi_my_{role}.py", folder / "tests" / f"test_maxi_my_{role}.py"
        imports = re.findall(
            r"^\s*(?:from|import) (maxi_\w+\S*)(?: import (.*))?$", module.read_text() + test.read_text(), re.M
        )
        assert {name for name, _ in imports} == {"maxi_core", "maxi_core.testing", module.stem}
        taken = {name for source, names in imports if source == "maxi_core" for name in names.split(", ") if name}
        assert taken <= set(maxi_core.__all__)
        assert f"\nMAXI_API = {API_VERSION}\n" in module.read_text()


def test_the_workflow_that_is_written_installs_and_tests_and_checks_the_plugin(six: Path) -> None:
    text = (six / "maxi-my-expander" / ".github" / "workflows" / "test.yml").read_text()
    runs = re.findall(r"- run: (.*)", text)
    assert runs == ["pip install '.[test]'", "pytest", "maxi check-plugin my-expander --full"]


def test_the_json_names_the_files_and_the_command_that_uses_it(maxi, tmp_path: Path) -> None:
    document = json.loads(
        maxi("new-plugin", "maxi-my-pool", "--role", "temporal", "--out", str(tmp_path), "--json").out
    )
    assert document["schema"] == 1
    assert document["folder"] == str(tmp_path / "maxi-my-pool")
    assert document["files"] == [
        "pyproject.toml", "README.md", "maxi_my_pool.py", "tests/test_maxi_my_pool.py", ".github/workflows/test.yml"
    ]  # fmt: skip
    assert document["use"] == "maxi train runs/mine --temporal my-pool"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["My_Source", "--role", "expander"], "cannot be called 'My_Source'; use lower-case letters"),
        (["my--source", "--role", "expander"], "cannot be called 'my--source'"),
        (["../evil", "--role", "expander"], "cannot be called '../evil'"),
        (["sources", "--role", "expander"], "'sources' is a word that maxi keeps for itself"),
        (["core", "--role", "expander"], "the plugin 'core' would be the module maxi_core, and there is one already"),
        (["cli", "--role", "temporal"], "the plugin 'cli' would be the module maxi_cli"),
        (["gpt3", "--role", "expander"], "'gpt3' is offered by maxi"),
        (["mine", "--role", "expnder"], "there is no role 'expnder' (did you mean 'expander'?)"),
    ],
)
def test_a_name_or_role_that_cannot_be_is_refused_in_one_line(maxi, tmp_path, monkeypatch, arguments, said) -> None:
    monkeypatch.chdir(tmp_path)
    ran = maxi("new-plugin", *arguments)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(maxi, tmp_path: Path) -> None:
    (tmp_path / "maxi-mine").mkdir()
    ran = maxi("new-plugin", "mine", "--role", "expander", "--out", str(tmp_path))
    assert ran.code == ExitCode.USAGE
    assert "maxi-mine exists" in ran.err
    ran = maxi("new-plugin", "mine", "--role", "expander", "--out", "/dev/null/here")
    assert ran.code == ExitCode.FAILED
    assert "cannot write /dev/null/here/maxi-mine/" in ran.err


def test_a_plugin_that_could_not_be_written_whole_is_not_there(maxi, tmp_path: Path, monkeypatch) -> None:
    written: list[Path] = []

    def full(path: Path, text: str) -> None:
        if written:
            raise MaxiError(f"cannot write {path}: No space left on device", "make room there")
        written.append(path)
        path.parent.mkdir(parents=True)
        path.write_text(text)

    with monkeypatch.context() as patch:
        patch.setattr(scaffold, "write_text", full)
        ran = maxi("new-plugin", "mine", "--role", "expander", "--out", str(tmp_path))
    assert (ran.code, list(tmp_path.iterdir())) == (ExitCode.FAILED, [])
    assert maxi("new-plugin", "mine", "--role", "expander", "--out", str(tmp_path)).code == 0


def test_check_plugin_says_what_is_broken_and_returns_one(maxi, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("import av\n" + textwrap.dedent(EXPANDER.format(name="mine")))
    ran = maxi("check-plugin", "mine", "--plugin", "mine.py")
    assert ran.code == ExitCode.FAILED
    assert "broken       it is light to import" in ran.out
    assert "importing its module imports av" in ran.out
    rows = json.loads(maxi("check-plugin", "mine", "--plugin", "mine.py", "--json").out)["checks"]
    assert {row["check"]: row["state"] for row in rows}["its options survive a recipe"] == "kept"
    assert "it gives a list of one answer for each item" not in [row["check"] for row in rows]
    left_out = json.loads(maxi("check-plugin", "mine", "--plugin", "mine.py", "--json").out)["left_out"]
    assert "it gives a list of one answer for each item" in left_out


def test_check_plugin_asks_only_when_it_may(maxi, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        textwrap.dedent(EXPANDER.format(name="mine")).replace("return [entry]", "return [entry, 1 / 0]")
    )
    ran = maxi("check-plugin", "mine", "--plugin", "mine.py")
    assert ran.code == ExitCode.FAILED
    assert "that ask it are not checked: maxi check-plugin mine --full" in ran.out
    assert "broken" not in ran.out
    ran = maxi("check-plugin", "mine", "--plugin", "mine.py", "--full")
    assert ran.code == ExitCode.FAILED
    assert "expand() raised ZeroDivisionError: division by zero" in " ".join(ran.out.split())
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_check_plugin_asks_what_it_is_given_and_keeps_what_is_printed_off_stdout(maxi, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = textwrap.dedent(EXPANDER.format(name="mine")).replace(
        "return [entry]", "print(entry); return self.know[entry]"
    )
    code = code.replace("def say", "know = {'waving': ['greeting'], 'bowing': ['bending']}\n    def say")
    (tmp_path / "mine.py").write_text(code)
    (tmp_path / "known.txt").write_text("waving\n\nbowing\nwaving\n")
    named = ("check-plugin", "mine", "--plugin", "mine.py", "--json", "--questions", "known.txt")
    ran = maxi(*named, "--full")
    assert ran.code == ExitCode.FAILED
    states = {row["check"]: (row["state"], row["why"]) for row in json.loads(ran.out)["checks"]}
    assert states["it says the same in another process"] == ("kept", None)
    assert "printed 'waving\\nbowing\\nwaving\\n' on stdout" in states["it leaves the process as it was"][1]
    assert maxi(*named).err == "maxi: error: there are questions, and nobody is asked any; type --full, too\n"
    (tmp_path / "known.txt").write_text("\n")
    assert maxi(*named, "--full").err == (
        "maxi: error: there are no questions in known.txt; write texts into it, one a line\n"
    )


@pytest.mark.parametrize("url", ["https://127.0.0.1:9/q.txt", "s3://bucket/q.txt"])
def test_check_plugin_takes_questions_of_this_machine(maxi, tmp_path: Path, monkeypatch, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("dictionary", "verbs", "stoplist"):
        ran = maxi("check-plugin", name, "--full", "--questions", url)
        assert (ran.code, ran.out) == (ExitCode.USAGE, "")
        assert ran.err == f"maxi: error: {url} is remote, and questions are read on this machine; copy it here\n"
    (tmp_path / "list.txt").write_text(f"{url.replace('txt', 'mp4')}\n")
    ran = maxi("check-plugin", "dictionary", "--full", "--questions", "list.txt")
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "q.mp4 is remote, and a plugin is checked with videos that are on this machine" in ran.err
    assert "ftp:// is not read" in maxi("check-plugin", "verbs", "--full", "--questions", "ftp://a/q.txt").err


def test_check_plugin_returns_one_for_what_could_not_be_checked(maxi, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = textwrap.dedent(EXPANDER.format(name="mine")).replace("return [entry]", "return ['always']")
    (tmp_path / "mine.py").write_text(code)
    ran = maxi("check-plugin", "mine", "--plugin", "mine.py", "--full")
    assert ran.code == ExitCode.FAILED
    assert "not checked  each answer is at the place of its item" in ran.out
    assert "broken" not in ran.out
    assert "1 not checked" in ran.out.splitlines()[-1]


def test_check_plugin_says_what_it_could_not_check_and_why(maxi, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ran = maxi("check-plugin", "gpt3")
    assert ran.code == ExitCode.FAILED
    assert "not checked  its fingerprint is text, the same twice" in ran.out
    assert "there is no API key" in ran.out
    assert "no source, temporal module or objective is called 'gpt33'" in maxi("check-plugin", "gpt33").err


def test_check_plugin_names_the_roles_that_have_a_contract(maxi) -> None:
    ran = maxi("check-plugin", "pyav")
    assert ran.code == ExitCode.USAGE
    assert "'pyav' is a decoder, which has no contract; roles with one: injector, matcher, expander" in ran.err
