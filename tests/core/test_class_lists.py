"""Lists of class names: every usual form gives its names, and what is no list of names is refused in one line."""

import os
from pathlib import Path

import pytest

from maxi_core.class_lists import read_class_list
from maxi_core.dictionaries import read_dictionary, spelt
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import read_labels, read_names

SHARED = Path(os.environ.get("MAXI_SHARED", Path(__file__).parents[3] / "shared"))
TWO = ("abseiling", "air drumming")


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("classInd.txt", "1 abseiling\n2 air drumming\n"),
        ("codes.txt", "c000 abseiling\nc001 air drumming\n"),
        ("dots.txt", "1. abseiling\n2.air drumming\n"),
        ("brackets.txt", "0) abseiling\n\n1) air drumming"),
        ("dashes.txt", "7 - abseiling\n9 - air drumming\n"),
        ("colons.txt", "0: abseiling\n1: air drumming\n"),
        ("equals.txt", "0=abseiling\n1 = air drumming\n"),
        ("behind.txt", "abseiling = 0\nair drumming = 1\n"),
        ("bullets.txt", "- abseiling\n* air drumming\n"),
        ("tabs.txt", "0\tabseiling\n1\tair drumming\n"),
        ("moments_categories.txt", "abseiling,4\nair drumming,2\n"),
        ("behind.txt", "abseiling 0\nair drumming 1\n"),
        ("pipes.txt", "abseiling|0\nair drumming|1\n"),
        ("keys.txt", "abseiling: 4\nair drumming: 2\n"),
        ("close.txt", "abseiling:4\nair drumming:2\n"),
        ("commas.txt", "abseiling,\nair drumming\n"),
        ("ends.txt", "0: abseiling;\n1: air drumming;\n"),
        ("headless.csv", '0,abseiling\n1,"air drumming"\n'),
        ("headed.txt", "id name\n0 abseiling\n1 air drumming\n"),
        ("idlabel.csv", "id,label\n0,abseiling\n1,air drumming\n"),
        ("turned.csv", "Class Name,class_id\nabseiling,0\nair drumming,1\n"),
        ("excel.csv", "id;name\r\n0;abseiling\r\n1;air drumming\r\n"),
        ("more.tsv", "index\tmid\tdisplay_name\n0\t/m/1\tabseiling\n1\t/m/2\tair drumming\n"),
        ("swapped.csv", "label,name\n0,abseiling\n1,air drumming\n"),
        ("name_only.csv", "name\nabseiling\nair drumming\n"),
        ("quoted.csv", '"abseiling"\n"air drumming"\n'),
        ("comments.csv", "# of mine\nid,name\n # these\n0,abseiling\n\n1,air drumming\n"),
        ("comments.txt", "# of mine\nabseiling\n  # and\nair drumming\n"),
        ("copied.txt", '"abseiling",\n"air drumming",\n'),
        ("k400.json", '{"abseiling": 0, "\\"air drumming\\"": 1}'),
        ("texts.json", '{"abseiling": "0", "air drumming": "1"}'),
        ("turned.json", '{"0": "abseiling", "1": "air drumming"}'),
        ("list.json", '["abseiling", "air drumming"]'),
        ("inside.json", '{"classes": ["abseiling", "air drumming"]}'),
        ("config.json", '{"model_type": "x", "id2label": {"0": "abseiling", "1": "air drumming"}}'),
        ("table.json", '[{"id": 0, "name": "abseiling"}, {"id": 1, "name": "air drumming"}]'),
        ("lines.jsonl", '{"label": "abseiling"}\n{"label": "air drumming"}\n'),
        ("lines.json", '"abseiling"\n"air drumming"\n'),
        ("named.txt", '["abseiling", "air drumming"]'),
        ("train.csv", "label,youtube_id,time_start\nabseiling,a,1\nair drumming,b,1\nabseiling,c,1\n"),
        ("utf16.csv", "id,label\r\n0,abseiling\r\n1,air drumming\r\n".encode("utf-16")),
        ("utf32.txt", "1 abseiling\n2 air drumming\n".encode("utf-32")),
        ("bom.json", '["abseiling", "air drumming"]'.encode("utf-8-sig")),
    ],
)
def test_names_are_read_from_every_usual_form(tmp_path: Path, name: str, content: str | bytes) -> None:
    path = written(tmp_path, name, content)
    assert read_dictionary(path).entries == TWO
    assert read_names(path) == TWO


@pytest.mark.parametrize(
    "content",
    [
        "3 legged race\nrunning\n",
        "lights, camera, action\nrunning\n",
        "on its side, not upright\nrunning\n",
        "100 meter sprint\n",
        "[b]bold[/b]\n[Something] falling\n",
        "?!\U0001f3c3\nrunning\n",
        "take 5\nroute\n",
        "k9 training\nf1 racing\n",
    ],
)
def test_one_name_a_line_stays_as_it_is_written(tmp_path: Path, content: str) -> None:
    assert list(read_dictionary(written(tmp_path, "actions.txt", content)).entries) == content.splitlines()


def test_templates_lose_their_brackets_and_come_once_each(tmp_path: Path) -> None:
    entry = '{{"id": "{}", "label": "putting a cup", "template": "Putting [something]", "placeholders": ["a cup"]}}'
    records = f"[{entry.format(1)}, {entry.format(2)}]"
    for name, content in (("labels.json", '{"Putting [something]": "0"}'), ("validation.json", records)):
        assert read_dictionary(written(tmp_path, name, content)).entries == ("Putting something",)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("deep.json", "[" * 100_000, "nested too deeply"),
        ("a.json", '{"abseiling": "going down a rope"}', "neither a list of names nor an object of names and numbers"),
        ("a.json", '{"database": {"x": {"label": "run"}}}', "neither a list of names"),
        ("a.json", "[1, 2]", "entry 1 is neither a name nor an object"),
        ("a.json", '[{"name": "run"}, {}]', "entry 2 is neither a name nor an object"),
        ("a.json", '[["run", 0]]', "entry 1 is neither a name nor an object"),
        ("a.json", '[{"name": "run"}, {"id": 1}]', "entry 2 has no 'name' that is text"),
        ("a.json", '["run", 2]', "entry 2 is neither a name nor an object"),
        ("a.json", '{"run": 0, "run": 1}', "has 'run' twice, in entries 1 and 2"),
        ("a.json", '["run",', "this is not JSON"),
        ("a.json", "[" * 100_000, "this is not JSON"),
        ("a.txt", "{\n'run': 0}", "this is not JSON"),
        ("a.json", "[]", "is empty"),
        ("a.txt", "# nothing else\n", "has nothing but comments"),
        ("a.csv", "caption,page\nrun,1\n", "line 1: there are several columns, and no header"),
        ("a.csv", "run,jump\nhop,skip\n", "line 1: there are several columns, and no header"),
        ("a.txt", "run\tfast\nhop\thigh\n", "line 1: there are several columns, and no header"),
        ("a.csv", "id,mid,foo\n0,x,run\n", "no header"),
        ("a.csv", "video,label\na.mp4,3\nb.mp4,4\n", "the column 'label' has numbers and no names"),
        ("a.csv", "name\nrun, fast\n", "line 2: 2 columns instead of name; put a name that holds a comma in double"),
        ("a.txt", "5 Archery\n17 Biking\n", "such as '5 Archery', and they do not count from 0 or 1"),
        ("a.txt", "1 run\n2 hop\nskip\n", "line 3: 'skip' has no number or mark as the other lines"),
        ("a.txt", "run.mp4 0\nhop.mp4 1\n", "is a list of videos"),
        ("a.csv", "a.mp4,0\nb.mp4,1\n", "is a list of videos"),
        ("a.txt", "item {\n  id: 1\n}\n", "line 1: 'item {' does not begin a list of names"),
        ("a.txt", "<!DOCTYPE html>\n<title>Login</title>\n", "does not begin a list of names"),
        ("a.txt", "run\n---\n", "line 2: '---' is no name"),
        ("a.yaml", "names:\n- run\n", "a .yaml file is no list of names"),
        ("a.txt", "id,name\n0,run".encode("utf-16-le"), "it holds NUL bytes; save it as UTF-8 text"),
    ],
)
def test_what_is_no_list_of_names_is_refused_in_one_line(
    tmp_path: Path, name: str, content: str | bytes, says: str
) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(UsageError) as caught:
        read_dictionary(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.fix
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["step 0\nstep 1\nstep 2\n", "1 lap\n2 lap\n", "7 lap\n9 lap\n"])
def test_numbers_that_alone_tell_names_apart_belong_to_them(tmp_path: Path, content: str) -> None:
    found = read_class_list(written(tmp_path, "actions.txt", content))
    assert [one.name for one in found.names] == content.splitlines()


def test_numbers_that_belong_to_the_names_are_kept_below_a_header(tmp_path: Path) -> None:
    names = "100 meter sprint\n200 meter relay\n"
    path = written(tmp_path, "a.txt", "name\n" + names)
    assert list(read_dictionary(path).entries) == names.splitlines()
    with pytest.raises(UsageError, match="if they belong to the names, name above them"):
        read_dictionary(written(tmp_path, "b.txt", names))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("classInd.txt", "5 abseiling\n17 air drumming\n"),
        ("turned.csv", "name,id\nair drumming,17\nabseiling,5\n"),
        ("k.json", '{"air drumming": 17, "abseiling": 5}'),
        ("records.json", '[{"label": "abseiling", "index": 5}, {"label": "air drumming", "index": "17"}]'),
    ],
)
def test_labels_have_the_numbers_that_their_file_says(tmp_path: Path, name: str, content: str) -> None:
    assert read_labels(written(tmp_path, name, content)) == {5: "abseiling", 17: "air drumming"}


def test_a_list_without_numbers_is_no_list_of_labels(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="entry 1: 'run' is not a name with a number; write a table id,name"):
        read_labels(written(tmp_path, "a.json", '["run", "hop"]'))


def test_places_are_lines_and_of_json_entries(tmp_path: Path) -> None:
    assert [one.place for one in read_class_list(written(tmp_path, "a.txt", "# x\n\n1 run\n2 hop\n")).names] == [3, 4]
    assert [one.place for one in read_class_list(written(tmp_path, "a.json", '{\n\n"run": 0, "hop": 1}')).names] == [
        1,
        2,
    ]


# what the shared cases hold: entries as written, and as they are matched
CASES = {
    "classInd.txt": (
        ("ApplyEyeMakeup", "ApplyLipstick", "Archery"),
        ("apply eye makeup", "apply lipstick", "archery"),
    ),
    "camel.txt": (("ApplyEyeMakeup", "ArmWrestling", "high_jump"), ("apply eye makeup", "arm wrestling", "high jump")),
    "k400.json": (TWO, TWO),
    "ssv2-labels.json": (("Pushing something off something", "Moving something up"),) * 2,
    "idlabel.csv": (TWO, TWO),
    "name_only.csv": (TWO, TWO),
    "moments_categories.txt": (("adult+female+singing", "arresting"), ("adult female singing", "arresting")),
    "comments.txt": (("waving",), ("waving",)),
}


@pytest.mark.skipif(not (SHARED / "cases" / "dictionaries").is_dir(), reason="the shared cases are not here")
def test_the_shared_cases_are_right() -> None:
    found = {path.name: read_dictionary(path) for path in (SHARED / "cases" / "dictionaries").iterdir()}
    assert {name: (one.entries, spelt(one, "spaced").entries) for name, one in found.items()} == CASES
