"""Reading phrases out of what a language model says, in whatever form it says them; never raises."""

import json
import re
from collections.abc import Iterator

from maxi_core.texts import name_key, tidy
from maxi_plugins.llm.marks import answer_of, table_cells

LONGEST_REPLY = 20_000  # characters of the answer itself; five phrases take about 200
MOST_WORDS = 20  # of one phrase; anything longer is a sentence of an essay
MOST_LETTERS = 150  # the same for scripts that write without spaces

_DASHES = "-\u2013\u2014"
_FENCE = re.compile(r"```[^\n`]*\n?")
_STRING = re.compile(r"""(?P<mark>["'])(?P<text>(?:(?!(?P=mark))[^\\\n]|\\.)*)(?P=mark)(?!\s*:)""")
_BULLET = rf"[{_DASHES}*+•◦▪·]+(?=\s|[^\W\d_])|[^\x00-\x7f\w\s]+(?=\s)"  # the last one: ✅, →, 👋
_NUMBER = (
    rf"\(?\d{{1,3}}(?:[.):,\]、](?!\d)|\t|\s+[{_DASHES}](?=\s))|\d\ufe0f?\u20e3|#\d{{1,2}}(?:[.):]|(?=\s))|"
    r"(?:phrase|option|step|item|number|description|action)\s?#?\d{1,2}[.):]|\(?[ivx]{1,5}[.)](?=\s)"
)
_MARK = re.compile(rf"(?:{_BULLET}|{_NUMBER}|\\item\b|\(?[a-zA-Z][.)](?=\s))\s*", re.IGNORECASE)
_HEADING = re.compile(r"#{1,6}(?!\d)|(\*\*|__)[^*_]+\1\s*$")
_COUNTED = re.compile(r"\s*(\d{1,2})\s+(\D.*)")  # a number with nothing but space behind it
_QUOTES = re.compile(r'[\s,;]*(?:(?:and|or)\s+)?"([^"]*)"[\s,;.]*')
_COLUMN = re.compile(r"phrases?|descriptions?", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([.()\[\]#!*_+-])")
_WRITTEN_OUT = re.compile(r"(?:\\r)?\\n(?!ew(?:line|page))")  # a line break as its two characters
_STRUCK = re.compile(r"~~[^~\n]{0,200}~~")
_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\((?:https?:|/|#)[^()\s]{0,400}\)")
_BOX = re.compile(r"(?m)^(\s*[-*+] )\[[ xX]\]\s")
_EXPLAINED = re.compile(rf"""(?P<mark>["'])(?P<head>[^"]+)(?P=mark)\s*(?:[{_DASHES}:(=].*)""")
_ARROW = re.compile(r"\s+(?:→|⇒|=>|->)\s.*")
_NOTE = re.compile(r"\s*(?:\[\^?\d{1,3}(?:,\s*\d{1,3})*\]|【[^【】]*】)[.]?$")  # of a source
_NAMED = re.compile("phrase|text", re.IGNORECASE)  # keys of what is asked for
_BREAK = re.compile(
    r"(?<=\S)\s+(?=\(?\d{1,2}[.)]\s|\((?:[a-h]|[ivx]{1,4})\)\s|[•◦▪]\s)|(?=\\item\b)|\\(?:begin|end)\{\w+\*?\}"
)
_BOLD = re.compile(r"\s*(\*\*|__)(?P<head>.+?)\1\s*(?P<rest>.*)")
_CURLY = str.maketrans("\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d", '\'\'"""""""')
_WIDE = {0xFEE0 + code: code for code in range(0x21, 0x7F)}  # the full-width forms of ASCII
_CHATTER = re.compile(
    r"(?:sure|certainly|of course|absolutely|here (?:are|is)|here's|below|these are|the following|let me know|i hope|"
    r"hope this|feel free|as an ai|as a language model|(?:i'?m|i am) (?:sorry|unable|not able)|sorry|"
    r"i (?:can'?t|cannot|won'?t)|unfortunately|please)\b|note:",
    re.IGNORECASE,
)


def phrases(reply: str, most: int) -> list[str]:
    """Return at most `most` distinct phrases of a reply, [] if there are none; never raises.

    Reads numbered, bulleted, quoted and comma-separated lists, Markdown, tables, HTML, JSON (also when it is cut off),
    and one phrase a line; leaves out thoughts, what is said around the phrases, and phrases too long to be one (essays,
    refusals).
    """
    text = _answer(reply)
    found: dict[str, str] = {}
    for candidate in _json_strings(text) or _items(_plain(text)):
        phrase = _bare(candidate)
        if _is_phrase(phrase):
            found.setdefault(name_key(phrase), phrase)
    return list(found.values())[:most]


def says_none(reply: str) -> bool:
    """Return whether a reply says that there is no phrase: JSON whose lists are empty, such as `{"actions": []}`."""
    try:
        value = json.loads(_answer(reply))
    except (ValueError, RecursionError):
        return False
    lists = [inner for inner in (value.values() if isinstance(value, dict) else [value]) if isinstance(inner, list)]
    return bool(lists) and not any(item for inner in lists for item in inner)


def _answer(reply: str) -> str:
    text = answer_of(reply).strip("\n\ufeff")[:LONGEST_REPLY]
    text = text if "\n" in text else _WRITTEN_OUT.sub("\n", text)
    return _FENCE.sub("\n", text.replace("\r", "\n").replace("<0x0A>", "\n").translate(_CURLY | _WIDE))


def _is_phrase(text: str) -> bool:
    short = len(text) <= MOST_LETTERS and len(text.split()) <= MOST_WORDS
    said = bool(name_key(text)) and "://" not in text and not _CHATTER.match(text) and not _COLUMN.fullmatch(text)
    return short and said and any(letter.isalpha() for letter in text)


def _plain(text: str) -> str:
    """Return Markdown without links, boxes to be ticked, what is struck out, and backslashes before marks."""
    text = _ESCAPED.sub(r"\1", _STRUCK.sub("", text))
    return _BOX.sub(r"\1", _LINK.sub(r"\1", text))


def _json_strings(text: str) -> list[str]:
    """Return the strings of the JSON in a text, of a cut one those that are whole, [] if it is no JSON."""
    starts = [place for place in (text.find("["), text.find("{")) if place >= 0]
    if not starts or text[: min(starts)].count("\n") > 2:
        return []
    end = max(text.rfind("]"), text.rfind("}")) + 1
    try:
        return list(_strings(json.loads(text[min(starts) : end])))
    except (ValueError, RecursionError):
        listed = text[starts[0] + 1 :].lstrip()
        whole = listed.startswith(('"', "'", "{"))  # a list that was cut off, or one as Python writes it
        return _of_lines(text) or [found["text"] for found in _STRING.finditer(listed) if whole]


def _of_lines(text: str) -> list[str]:
    """Return the strings of JSON lines, [] if they are none."""
    try:
        return [found for line in text.split("\n") if line.strip() for found in _strings(json.loads(line))]
    except (ValueError, RecursionError):
        return []


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]  # {"action": "...", "phrases": [...]}
        named = [inner for key, inner in value.items() if _NAMED.search(key)]  # {"phrase": "...", "reason": "..."}
        deeper = [inner for inner in value.values() if isinstance(inner, dict)]  # {"name": "...", "arguments": {...}}
        yield from (text for inner in lists or named or deeper or value.values() for text in _strings(inner))
    elif isinstance(value, list):
        yield from (text for inner in value for text in _strings(inner))


def _items(text: str) -> list[str]:
    """Return the items of a list written as text: the marked lines if any line is marked, else every line.

    A line in bold is a heading if other lines are marked, else an item.
    """
    lines = [line for line in _BREAK.sub("\n", text).split("\n") if line.strip()]
    headless = [line for line in lines if not _HEADING.match(line.strip())]
    if any(_is_marked(line) for line in headless):
        lines = headless
    lines = [line for line in lines if not line.lstrip().startswith("#") or _is_marked(line)]
    if cells := table_cells(lines):
        return cells
    marked = [(len(line) - len(line.lstrip()), line) for line in lines if _is_marked(line)]
    if len(marked) == len(lines) == 1 and len(inline := _inline(lines[0])) > 2:
        return inline
    if marked:
        outermost = min(indent for indent, _ in marked)
        return [line for indent, line in marked if indent <= outermost + 1]  # deeper ones explain
    lines = [line for line in lines if not line.rstrip().endswith(":")]
    return _separated(lines[0]) if len(lines) == 1 else _counted(lines) or lines


def _is_marked(line: str) -> bool:
    return _MARK.match(line.lstrip(" \t>\u200b")) is not None


def _inline(line: str) -> list[str]:
    """Return the items of one line whose marks are dashes or asterisks with spaces around them."""
    mark = line.strip()[:1]
    return re.split(rf"\s+{re.escape(mark)}\s+", line.strip()[1:]) if mark in ("-", "*") else []


def _counted(lines: list[str]) -> list[str]:
    """Return the lines without numbers that count them from 1 and have no mark, [] if they have none."""
    found = [_COUNTED.fullmatch(line) for line in lines]
    numbers = [int(one[1]) for one in found if one]
    return [one[2] for one in found if one] if numbers == list(range(1, len(lines) + 1)) else []


def _separated(line: str) -> list[str]:
    """Return the parts of a line such as `here are three: a, b; and c`, the line itself if it is no such list."""
    listed = line.rpartition(":")[2]
    if len(quoted := _QUOTES.findall(listed)) > 1 and not _QUOTES.sub("", listed).strip():
        return quoted
    parts = [re.sub(r"^\s*and\s+", "", part) for part in re.split(r"[;,]", listed)]
    is_list = len(parts) > 2 and all(len(part.split()) <= 6 for part in parts)
    return parts if is_list else [line]


def _bare(item: str) -> str:
    """Return an item without its mark, its emphasis, what explains it, quotes and the full stop."""
    text = _NOTE.sub("", item.strip(" \t>\u200b"))
    text = text[mark.end() :] if (mark := _MARK.match(text)) else text
    if bold := _BOLD.fullmatch(text):
        head, rest = bold["head"], bold["rest"]
        text = head if head.endswith(":") or rest[:1] in (":", *_DASHES) else f"{head} {rest}"
    text = explained["head"] if (explained := _EXPLAINED.fullmatch(text)) else _ARROW.sub("", text)
    return tidy(_unquoted(text.replace("**", "").replace("__", "")))


def _unquoted(text: str) -> str:
    while True:
        short = text.strip().strip('"`*_').rstrip(".,;:!?。…").strip()
        if len(short) > 1 and short[0] == short[-1] == "'":
            short = short[1:-1]
        if short == text:
            return short
        text = short
