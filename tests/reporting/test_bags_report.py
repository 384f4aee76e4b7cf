"""`maxi report` of text bags, looked at in a real browser."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maxi_core.errors import ExitCode
from maxi_core.reporting.report import Wanted, make_report
from maxi_core.system.files import write_text
from tests.reporting.conftest import DESKTOP, PHONE
from tests.reporting.evaluations import write_training
from tests.reporting.runs import ENTRIES, RUN, SCRIPT, bag, write_run
from tests.video.clips import number_in, numbered
from tests.video.clips import write as write_clip

ODD = r"\x1b[31m\u202ered\udcff.mp4"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    made = make_report([write_run(folder / "run", RUN)], Wanted())
    write_text(folder / "report.html", made.html)
    return folder / "report.html"


def found(opened) -> str:
    return opened.page.locator(".found").inner_text()


def test_the_page_counts_all_and_lists_the_first_24(page: Path, opened) -> None:
    shown = opened(page)
    facts = dict(text.split("\n") for text in shown.texts(".facts div"))
    assert (facts["videos"], facts["kept"], facts["empty bags"], facts["not matched"]) == ("35", "34", "1", "1")
    assert found(shown) == "35 of 35 listed videos"
    assert shown.page.locator(".card").count() == 24
    shown.page.get_by_role("button", name="Next").click()
    assert shown.page.locator(".card").count() == 11
    assert shown.page.get_by_role("button", name="Next").is_disabled()


def test_nothing_is_fetched_and_the_policy_allows_no_script_but_ours(page: Path, opened) -> None:
    shown = opened(page)
    assert [url for url in shown.requests if not url.startswith(("file:", "data:"))] == []
    policy = shown.page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    blocked = "document.body.appendChild(Object.assign(document.createElement('script'), {text: 'document.title = 1'}))"
    shown.page.evaluate(blocked)
    assert "maxi report" in shown.page.title()
    assert len(shown.complaints) == 1
    assert "Content Security Policy" in shown.complaints.pop()
    assert re.findall(r"\son\w+\s*=|\sstyle\s*=|javascript:", page.read_text("utf-8").split("<script", 1)[0]) == []


def test_a_caption_with_a_script_in_it_stays_text(page: Path, opened) -> None:
    shown = opened(page)
    assert "owned" not in shown.page.title()
    shown.field("words").fill("onerror")
    assert found(shown) == "1 of 35 listed videos"
    shown.page.locator(".card summary", has_text="captions").click()
    assert SCRIPT in shown.page.locator(".card").inner_text()
    assert shown.page.locator(".card script, .card b b, img[src=x]").count() == 0
    assert "owned" not in shown.page.title()


def test_names_of_entries_and_videos_are_text_and_control_characters_are_written_out(page: Path, opened) -> None:
    shown = opened(page)
    shown.field("words").fill("red")
    card = shown.page.locator(".card").inner_text()
    assert ODD in card
    assert "<b>waving</b> {{ 7 * 7 }} &amp; (" in card


def test_search_and_filters_narrow_the_list_together(page: Path, opened) -> None:
    shown = opened(page)
    shown.field("entry").select_option(ENTRIES[0])
    assert found(shown) == "17 of 35 listed videos"
    shown.field("words").fill("SMILING 16")
    assert shown.texts(".card h4") == ["clip 16.mp4"]
    shown.page.get_by_role("button", name="Reset").click()
    for sign, videos in {
        "empty": ["clip 31.mp4"],
        "close": ["clip 32.mp4"],
        "not kept": ["clip 33.mp4"],
        "odd text": ["clip 30.mp4", ODD],
        "one caption": ["clip 30.mp4"],
        "silent": ["clip 31.mp4"],
    }.items():
        shown.field("sign").select_option(sign)
        assert shown.texts(".card h4") == videos, sign
    shown.page.get_by_role("button", name="Reset").click()
    shown.field("source").select_option("captioner")
    assert found(shown) == "33 of 35 listed videos"
    shown.field("low").fill("0.275")
    shown.field("high").fill("0.295")
    assert shown.texts(".card h4") == ["clip 1.mp4", "clip 2.mp4"]
    shown.field("order").select_option("low")
    assert shown.texts(".card h4") == ["clip 2.mp4", "clip 1.mp4"]


def test_texts_stand_at_their_sources_and_what_two_said_is_marked(page: Path, opened) -> None:
    shown = opened(page)
    card = shown.page.locator(".card").first
    assert card.locator(".chips").all_inner_texts() == [
        "phraser moving the juggling balls move*",
        "captioner 0 smiling",
    ]
    colours = card.locator(".chips").evaluate_all("all => all.map(one => getComputedStyle(one).color)")
    assert len(set(colours)) == 2


def test_entries_that_match_nothing_are_named(page: Path, opened, tmp_path: Path) -> None:
    shown = opened(page)
    shown.page.get_by_text("1 entry matches nothing").click()
    assert shown.texts(".columns li") == ["waving a flag"]
    run = write_run(tmp_path / "run", RUN[:2])
    (run / "dictionary.txt").unlink()
    assert "Which entries match nothing is not known" in make_report([run], Wanted()).html


def test_a_chosen_video_is_drawn_with_the_frames_of_its_captions(tmp_path: Path, maxi, opened) -> None:
    for place in range(2):
        write_clip(tmp_path / f"clip {place}.mp4", [numbered(index, 96, 96) for index in range(9)])
    write_run(tmp_path / "run", [bag(place, folder=tmp_path) for place in range(3)])
    out = tmp_path / "report.html"
    ran = maxi("report", str(tmp_path / "run"), "--out", str(out), "--figure", "clip 1.mp4", "--json")
    said = json.loads(ran.out)
    assert (said["videos"], said["without_pictures"], said["bytes"]) == (3, 1, out.stat().st_size)
    shown = opened(out)
    assert shown.page.locator("figure.six").count() == 1
    sources = shown.page.locator("figure.six img").evaluate_all("all => all.map(one => one.src)")
    images = [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))) for uri in sources]
    assert [number_in(image) for image in images] == [0, 8]  # two captions, of the first and of the last frame
    widths = shown.page.locator(".card img").evaluate_all("all => all.map((one) => one.naturalWidth)")
    assert widths == [96, 96]
    assert shown.page.locator(".card").nth(2).locator(".missing").inner_text().startswith("no picture: no such file")
    ran = maxi("report", str(tmp_path / "run"), "--out", str(out), "--figure", "clop 1.mp4")
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "did you mean 'clip 1.mp4'" in ran.err


def test_labels_tell_which_matches_are_wrong(tmp_path: Path, maxi, opened) -> None:
    write_run(tmp_path / "run", RUN[:4])
    (tmp_path / "labels.csv").write_text(f"video,label\nclip 0.mp4,{ENTRIES[0]}\nclip 1.mp4,{ENTRIES[0]}\n")
    out = tmp_path / "report.html"
    maxi("report", str(tmp_path / "run"), "--out", str(out), "--labels", str(tmp_path / "labels.csv"), "--no-pictures")
    shown = opened(out)
    assert "1 of 2 (50.0 %)" in shown.page.locator("main").inner_text()
    shown.field("sign").select_option("wrong")
    assert shown.texts(".card h4") == ["clip 1.mp4"]


def test_of_many_videos_some_are_listed_and_all_are_counted(tmp_path: Path, maxi, opened) -> None:
    write_run(tmp_path / "run", RUN)
    out = tmp_path / "report.html"
    ran = maxi(
        "report", str(tmp_path / "run"), "--out", str(out), "--list", "8", "--figure", "clip 5.mp4", "--no-pictures"
    )
    assert ran.code == 0
    shown = opened(out)
    assert "8 of 35 videos are listed" in shown.page.locator("main").inner_text()
    assert dict(text.split("\n") for text in shown.texts(".facts div"))["videos"] == "35"
    names = shown.texts(".card h4")
    assert "clip 5.mp4" in names
    shown.field("sign").select_option("any")
    assert 1 <= shown.page.locator(".card").count() <= 5
    maxi("report", str(tmp_path / "run"), "--out", str(out), "--list", "8", "--figure", "clip 5.mp4", "--no-pictures")
    assert opened(out).texts(".card h4") == names


CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = numbers(colour).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
  };
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || one.closest("script, noscript, style") || one.disabled || !one.getClientRects().length) continue;
    const style = getComputedStyle(one);
    const [a, b] = [light(one.closest("svg") ? style.fill : style.color), light(behind(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push(`${one.tagName}.${one.className} ${one.textContent.slice(0, 20)}`);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_asks_for(page: Path, opened, scheme: str) -> None:
    shown = opened(page, scheme=scheme)
    shown.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert shown.page.evaluate(CONTRAST) == []
    colour = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nothing_is_wider_than_the_screen(page: Path, opened, width: int) -> None:
    shown = opened(page, width=width)
    shown.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.page.evaluate("getComputedStyle(document.body).fontSize") == "16px"


def test_the_keyboard_reaches_everything_that_can_be_used(page: Path, opened) -> None:
    shown = opened(page)
    usable = shown.page.evaluate(
        "[...document.querySelectorAll('a, input, select, button, summary, [tabindex=\"0\"]')]"
        ".filter((one) => !one.disabled && one.checkVisibility()).map((one, place) => one.dataset.place = place).length"
    )
    reached = []
    for _ in range(usable):
        shown.page.keyboard.press("Tab")
        reached.append(shown.page.evaluate("Number(document.activeElement.dataset.place)"))
        outline = shown.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", shown.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    assert reached == list(range(usable))


def test_the_keyboard_alone_searches_and_turns_the_page(page: Path, opened) -> None:
    shown = opened(page)
    shown.field("words").focus()
    shown.page.keyboard.type("throwing")
    assert found(shown) == "32 of 35 listed videos"
    shown.page.get_by_role("button", name="Next").focus()
    shown.page.keyboard.press("Enter")
    assert shown.page.locator(".card").count() == 8


def test_what_is_no_run_is_one_line(tmp_path: Path, maxi, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "mine", RUN[:2])
    (tmp_path / "empty").mkdir()
    write_training(tmp_path / "train")
    (tmp_path / "labels.csv").write_text("video,label\na,b\n")
    (tmp_path / "thesis.html").write_text("<!doctype html>\n<title>My thesis</title>")
    for words, said in {
        (): "which runs?; name folders of maxi bags",
        ("nowhere",): "there is no nowhere; name a run folder",
        ("empty",): "empty holds no bags, no training, no scores and no study; name a run folder",
        ("runs",): "name what is below it: runs/mine\n",
        ("runs/mine", "--out", "runs"): "runs is a folder; name the file, such as --out runs/report.html",
        ("runs/mine", "--list", "-1"): "--list",
        ("runs/mine", "--out", "runs/mine/bags.jsonl"): "bags.jsonl is no report and would be overwritten; choose",
        ("runs/mine", "--out", "thesis.html"): "thesis.html is no report and would be overwritten; choose",
        ("runs/mine", "--no-pictures", "--config", "none.toml"): "no recipe at none.toml; name an existing",
        ("train", "--figure", "clip 1.mp4"): "no video of these bags is called 'clip 1.mp4'; see maxi show RUN",
        ("train", "--labels", "labels.csv"): "--labels are of the videos of bags, and no run has bags; name",
    }.items():
        ran = maxi("report", *words)
        assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1), words
        assert said.replace("?;", "?") in ran.err, words
    assert not (tmp_path / "report.html").exists()
    for _ in range(2):
        assert maxi("report", "runs/mine", "--no-pictures").code == 0, "a report is replaced by the next"


def test_a_secret_in_a_caption_is_in_no_report(tmp_path: Path, maxi, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789abcdef")
    write_run(tmp_path / "run", [bag(0, captions=["the key is sk-canary-0123456789abcdef"])])
    maxi("report", str(tmp_path / "run"), "--out", str(tmp_path / "report.html"))
    assert "canary" not in (tmp_path / "report.html").read_text("utf-8")


def test_bags_without_a_manifest_as_released_ones_are_shown_too(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", RUN[:2])
    for name in ("manifest.json", "dictionary.txt", "skipped.jsonl", "recipe.toml"):
        (run / name).unlink()
    assert "The folder has no manifest." in make_report([run], Wanted()).html
    (run / "bags.jsonl").write_text("")
    assert "All are listed: 0 videos." in make_report([run], Wanted()).html


def test_a_huge_dictionary_makes_no_huge_page(tmp_path: Path) -> None:
    entries = [f"doing number {place}" for place in range(5000)]
    bags = [bag(place, entry=entries[place]) for place in range(1500)]
    html = make_report([write_run(tmp_path / "run", bags, entries)], Wanted(listed=10)).html
    assert "The 1,000 entries that most videos match" in html
    assert "3,500 entries match nothing" in html
    assert "and 2,500 more." in html
    assert len(html) < 500_000


def test_a_figure_may_be_of_one_of_several_runs(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, RUN[:3] if name == "a" else RUN[3:6]) for name in ("a", "b")]
    html = make_report(runs, Wanted(figures=("clip 4.mp4",))).html
    assert html.count('<figure class="six">') == 1
