"""`webvid`: noise for the dictionary from a file of captions, the same whatever the order and the form of the file."""

import csv
import gzip
import io
import json
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxi_core import Dictionary, Form
from maxi_core.errors import UsageError
from maxi_core.testing import contract
from maxi_core.testing.subject import plain_augment
from maxi_core.texts import name_key
from maxi_plugins import webvid
from maxi_plugins.verbs import Verbs
from maxi_plugins.webvid import Draw, Webvid, read_captions

CAPTIONS = Path(__file__).parent.parent / "data" / "webvid.csv"
KNOWN = Dictionary("small", ("riding a bike", "Cooking"))

test_webvid_keeps_the_contract = contract(lambda: Webvid(Webvid.Options(captions=CAPTIONS, noise=5)))


def rules(texts: Iterable[str]) -> list[list[Form]]:
    """Augment by the built-in `verbs` without a model."""
    found = Verbs(Verbs.Options(model="rules")).augment(list(texts))
    return [forms for forms in found if isinstance(forms, list)]


def injected(path: Path = CAPTIONS, *, noise: int = 6, seed: int = 0, column: str | None = None) -> Dictionary:
    options = Webvid.Options(captions=path, noise=noise, seed=seed, column=column)
    return Webvid(options).inject(KNOWN, rules)


def texts() -> list[str]:
    return list(read_captions(CAPTIONS, None))


def test_the_noise_stands_at_the_end_and_the_name_says_how_much() -> None:
    new = injected()
    assert new.name == "small+webvid6@seed0"
    assert new.entries[:2] == KNOWN.entries
    assert len(new.entries) == 8
    assert len({name_key(entry) for entry in new.entries}) == 8


def test_the_noise_is_verbs_as_gerunds_and_verb_phrases_of_the_captions() -> None:
    said = {form.text for forms in rules(texts()) for form in forms if form.kind != "noun"}
    lemmas = {
        form.lemma for forms in rules(texts()) for form in forms if form.kind == "verb" and form.text != form.lemma
    }
    everything = injected(noise=count_of_candidates())
    assert set(everything.entries[2:]) <= said
    assert not set(everything.entries[2:]) & lemmas
    assert {"chopping", "chopping vegetables", "surfing", "feeding pigeons"} <= set(everything.entries)


def test_verbs_alone_are_taken_where_that_is_wanted() -> None:
    new = Webvid(Webvid.Options(captions=CAPTIONS, noise=3, kinds=("verb",))).inject(KNOWN, rules)
    assert not [entry for entry in new.entries[2:] if " " in entry]


def count_of_candidates() -> int:
    with pytest.raises(UsageError, match="verbs and verb phrases that small has not") as caught:
        injected(noise=10_000)
    return int(caught.value.problem.split("holds ")[1].split()[0])


def test_what_the_dictionary_has_is_never_noise_whatever_its_spelling() -> None:
    assert "A person riding a bike in the mountains" in texts()
    noise = injected(noise=count_of_candidates()).entries[2:]
    assert not {"ridingabike", "cooking", "cook"} & {name_key(entry) for entry in noise}
    assert "riding" in noise


def test_seeds_give_other_noise_and_a_larger_draw_begins_with_the_smaller() -> None:
    assert injected(seed=1).entries != injected(seed=0).entries
    assert injected(seed=1).name == "small+webvid6@seed1"
    assert injected(noise=12).entries[: 2 + 6] == injected(noise=6).entries


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_noise_is_the_same_for_any_size_of_chunk(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = injected()
    monkeypatch.setattr(webvid, "CHUNK", size)
    assert injected() == expected


def test_the_noise_is_the_same_for_any_order_and_number_of_the_captions(tmp_path: Path) -> None:
    shuffled = texts() * 3
    random.Random(1).shuffle(shuffled)
    (tmp_path / "captions.txt").write_text("\n".join(shuffled))
    assert injected(tmp_path / "captions.txt") == injected()


def test_too_few_verbs_are_one_line_that_says_how_many_there_are() -> None:
    count = count_of_candidates()
    with pytest.raises(UsageError, match=f"and {count + 1} are wanted; type -o webvid.noise={count} or name more"):
        injected(noise=count + 1)


def test_the_draw_is_uniform_over_the_distinct_candidates() -> None:
    words = [f"word{number}" for number in range(20)]
    drawn = [word for seed in range(500) for word in _drawn(words + words[:5] * 9, 4, seed)]
    counts = [drawn.count(word) for word in words]
    assert sum(counts) == 2000
    assert all(60 <= count <= 140 for count in counts)  # 100 each, 4.5 standard deviations


def _drawn(candidates: Iterable[str], count: int, seed: int) -> list[str]:
    draw = Draw(count, seed)
    for text in candidates:
        draw.offer(text)
    return draw.drawn()


@given(st.lists(st.sampled_from(["Wave", "wave", "wa-ve", "bow", "Bow!", "run", "sit", "sit!", "?"]), max_size=30),
       st.integers(1, 5), st.randoms(use_true_random=False))  # fmt: skip
def test_the_draw_is_the_same_for_any_order(candidates: list[str], count: int, order: random.Random) -> None:
    shuffled = candidates.copy()
    order.shuffle(shuffled)
    drawn = _drawn(candidates, count, 0)
    assert _drawn(shuffled, count, 0) == drawn
    assert len(drawn) == min(count, len({name_key(text) for text in candidates} - {""}))


def test_a_verb_without_another_form_enters_as_it_is() -> None:
    path = CAPTIONS
    options = Webvid.Options(captions=path, noise=1)
    footage = [[Form("footage", "verb", "footage")]]
    assert Webvid(options).inject(KNOWN, lambda texts: footage).entries[2:] == ("footage",)


# Files


def rows() -> list[list[str]]:
    with CAPTIONS.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def as_csv(table: list[list[str]], delimiter: str = ",") -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows(table)
    return file.getvalue()


def written(tmp_path: Path) -> dict[str, Path]:
    """Write the captions in every form that is read."""
    plain = CAPTIONS.read_bytes()
    forms = {
        "plain.txt": "\n".join(texts()).encode(),
        "no suffix": "\r\n".join(texts()).encode(),
        "packed.csv.gz": gzip.compress(plain),
        "packed.csv": gzip.compress(plain),  # by its content, whatever it is called
        "lines.txt.gz": gzip.compress("\n".join(texts()).encode()),
        "tabs.tsv": as_csv(rows(), "\t").encode(),
        "marked.csv": b"\xef\xbb\xbf" + plain,
        "wide.csv": plain.decode().encode("utf-16"),
        "wide.csv.gz": gzip.compress(plain.decode().encode("utf-16")),
    }
    for name, data in forms.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in forms}


def test_captions_are_the_same_in_every_form_of_file(tmp_path: Path) -> None:
    expected = texts()
    assert len(expected) == len(rows()) - 1
    for name, path in written(tmp_path).items():
        assert list(read_captions(path, None)) == expected, name


def test_any_column_can_be_named_and_makes_any_file_a_table(tmp_path: Path) -> None:
    table = [["id", "what is said"], ["1", 'a man, "waving"'], ["2", "a dog\nrunning"], ["3", ""], ["4", " \u200b "]]
    (tmp_path / "own.txt").write_text(as_csv(table), encoding="utf-8")
    assert list(read_captions(tmp_path / "own.txt", "what is said")) == ['a man, "waving"', "a dog running"]


def test_a_missing_column_is_one_line_with_the_columns_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("id,caption\n1,waving\n")
    with pytest.raises(UsageError) as caught:
        injected(tmp_path / "own.csv")
    assert str(caught.value) == (
        f"{tmp_path}/own.csv has no column 'name'; its columns are: id, caption; type -o webvid.column=NAME"
    )


def test_a_missing_file_and_a_missing_name_of_it_are_one_line(tmp_path: Path) -> None:
    for ask in (lambda source: source.fingerprint(), lambda source: source.inject(KNOWN, plain_augment)):
        with pytest.raises(UsageError, match=r"cannot read the captions .*gone.csv: No such file or directory; name a"):
            ask(Webvid(Webvid.Options(captions=tmp_path / "gone.csv")))
        with pytest.raises(UsageError, match="webvid has no captions to take verbs from; type -o webvid.captions=FILE"):
            ask(Webvid())


def test_cut_gzip_and_broken_csv_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(CAPTIONS.read_bytes())[:-40])
    with pytest.raises(UsageError, match=r"cut.csv.gz is cut or damaged"):
        injected(tmp_path / "cut.csv.gz")
    (tmp_path / "open.csv").write_text('name\n"never closed ' + "x" * 200_000)
    with pytest.raises(UsageError, match=r"open.csv:\d+ is not CSV"):
        injected(tmp_path / "open.csv")


def test_bytes_that_are_no_text_cost_only_themselves(tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_bytes(b"a man \xff waving\n\x00\n\nbowing\n")
    assert list(read_captions(tmp_path / "odd.txt", None)) == ["a man \N{REPLACEMENT CHARACTER} waving", "bowing"]


def test_short_rows_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "short.csv").write_text("id,name\n1,waving\n2\n\n3,bowing\n")
    assert list(read_captions(tmp_path / "short.csv", None)) == ["waving", "bowing"]
    assert "left out 1 row without the column 'name'" in caplog.text


def test_captions_are_read_one_after_the_other() -> None:
    stream = read_captions(Path("/dev/null"), None)
    assert list(stream) == []
    assert not isinstance(stream, list)


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "copy.csv").write_bytes(CAPTIONS.read_bytes())
    print_of = {name: Webvid(Webvid.Options(captions=path)).fingerprint() for name, path in
                {"one": CAPTIONS, "two": tmp_path / "copy.csv", "other": Path(__file__)}.items()}  # fmt: skip
    assert print_of["one"] == print_of["two"] != print_of["other"]


PEAK = """
import resource, sys
from pathlib import Path
from maxi_core import Dictionary
from maxi_core.testing.subject import plain_augment
from maxi_plugins.webvid import Webvid
options = Webvid.Options(captions=Path(sys.argv[1]), noise=100)
assert len(Webvid(options).inject(Dictionary("none", ("x",)), plain_augment).entries) == 101
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = {}
    for rows in (1000, 50_000):
        path = tmp_path / f"{rows}.csv.gz"
        with gzip.open(path, "wt", compresslevel=1) as file:
            file.write("videoid,name\n")
            file.writelines(f"{row},someone is doing{row}ing things in a park\n" for row in range(rows))
        done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
        peaks[rows] = float(done.stdout)
    assert peaks[50_000] - peaks[1000] < 10


def test_one_command_makes_the_over_specified_dictionary_and_one_the_under_specified(maxi, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("a dry run looks into no video")

    def planned(*more: str) -> str:
        ran = maxi("bags", str(tmp_path), "--out", str(tmp_path / "run"), "--dry-run", "--json", *more)
        assert ran.code == 0, ran.err
        return str(json.loads(ran.out)["dictionary"])

    noisy = ["--sources", "webvid", "-o", f"webvid.captions={CAPTIONS}", "-o", "verbs.model=rules"]
    over = planned("--dictionary", "kinetics400", *noisy, "-o", "webvid.noise=30")
    assert over == "kinetics400+webvid30@seed0 (430 entries)"
    assert planned("--dictionary", "kinetics400:200").endswith("(200 entries)")
