"""The figures of docs/design.md: what is counted, and the goals that are reached."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.figures import ASKING, ROOT, circles, imported_by, lines_of, long_functions, sources

FOUND = sources()


def test_no_module_of_the_product_imports_itself_by_way_of_others() -> None:
    imports = {module: imported_by(path, FOUND) for module, path in FOUND.items()}
    assert sum(map(len, imports.values())) > len(imports), "imports are seen"
    assert circles(imports) == []


def test_circles_of_any_length_are_found_once_each() -> None:
    imports: dict[str, set[str]] = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}, "f": {"a", "d"}}
    assert circles(imports) == [{"a", "b", "c"}, {"d", "e"}]
    assert circles({"a": {"a"}}) == [{"a"}]


def test_only_what_is_imported_with_a_module_counts(tmp_path: Path) -> None:
    known = dict.fromkeys(("p", "p.a", "p.b", "p.c", "p.d", "p.e", "p.f"), tmp_path)
    (tmp_path / "m.py").write_text(
        "import p.a\nfrom p import b, B\nfrom p.c import C\nimport os\n"
        "if TYPE_CHECKING:\n    import p.d\n"
        "def f():\n    import p.e\n"
        "class K:\n    import p.f\n"
    )
    assert imported_by(tmp_path / "m.py", known) == {"p.a", "p.b", "p.c", "p.f"}


def test_decorators_are_no_lines_of_a_function(tmp_path: Path) -> None:
    body = "".join(f"    x = {number}\n" for number in range(39))
    decorator = "@f(\n    1,\n)\n"
    (tmp_path / "m.py").write_text(f"{decorator}def short():\n{body}\n\ndef long():\n{body}    y = 1\n")
    assert list(long_functions(tmp_path / "m.py")) == [("long", 41)]


def test_the_goals_that_are_reached_stay_reached() -> None:
    assert sum(lines_of(ROOT / name) for name in ASKING) <= 200
    assert sum(len(list(long_functions(path))) for path in FOUND.values()) <= 8


@pytest.mark.long
def test_the_run_that_is_traced_is_deep_in_the_decoder_and_counted_by_file() -> None:
    said = subprocess.run([sys.executable, "-m", "tools.figures"], capture_output=True, text=True, cwd=ROOT, check=True)
    functions, files, deep = map(int, re.findall(r"one maxi bags: (\d+) .* in (\d+) files, (\d+) deep", said.stdout)[0])
    assert (functions > files > deep > 10, "pyav_decoder" in said.stdout.splitlines()[-1]) == (True, True)
