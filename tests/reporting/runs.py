"""Run folders to be shown: bags written as `maxi bags` writes them, with whatever a stranger may say in them."""

import json
from collections.abc import Sequence
from pathlib import Path

from maxi_core.bags.bag import to_line
from maxi_core.types import Match, Text, TextBag, Video

ENTRIES = ("juggling balls", "playing chess", "waving a flag")
SCRIPT = "a man</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


def bag(place: int, *, folder: Path = Path("/nowhere"), captions: Sequence[str] = (), **more: object) -> TextBag:
    """Return the bag of video number `place`, with a score that falls from one to the next."""
    video = Video(str(more.get("video", f"clip {place}.mp4")), folder / f"clip {place}.mp4")
    entry = str(more.get("entry", ENTRIES[place % 2]))
    score = 0.3 - 0.01 * place
    said = tuple(captions) or (f"somebody is throwing {place}", "a person is smiling")
    texts = (
        Text(f"moving the {entry}", "phraser", entry, "phrase"),
        Text("move", "phraser", f"moving the {entry}", "verb", ("captioner",)),
        *(Text(word, "captioner", caption, "verb") for caption in said for word in caption.split()[-1:]),
    )
    top = ((entry, score), ("waving a flag", score - float(str(more.get("margin", 0.1)))))
    found = TextBag(
        Match(video, entry, score, top), True, texts, (("phraser", (f"moving the {entry}",)), ("captioner", said))
    )
    if more.get("kept") is False:
        return TextBag(found.match, False)
    return TextBag(found.match, True, (), ()) if more.get("empty") else found


RUN = [
    *(bag(place) for place in range(30)),
    bag(30, captions=[SCRIPT, SCRIPT]),
    bag(31, empty=True),
    bag(32, margin=0.001),
    bag(33, kept=False),
    bag(34, entry="<b>waving</b> {{ 7 * 7 }} &amp;", video="\x1b[31m\u202ered\udcff.mp4"),
]


def write_run(folder: Path, bags: Sequence[TextBag], entries: Sequence[str] = ENTRIES) -> Path:
    """Write bags as the files of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bags.jsonl").write_text("".join(f"{to_line(one)}\n" for one in bags), "utf-8")
    (folder / "dictionary.txt").write_text("".join(f"{entry}\n" for entry in entries), "utf-8")
    (folder / "skipped.jsonl").write_text(
        json.dumps({"video": "gone.mp4", "stage": "match", "source": "", "message": "no such file"}) + "\n"
    )
    (folder / "recipe.toml").write_text('[sources]\ntexts = ["a:phraser", "a:captioner"]\n')
    manifest = {"made_of": {"maxi": "0"}, "argv": ["maxi", "bags"], "finished": "2026-01-01T00:00:00Z", "keep": 0.9}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "threshold": 0.2, "versions": {"torch": "2"}}))
    return folder
