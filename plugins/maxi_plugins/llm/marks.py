"""What models and servers write around an answer: thoughts, channels, turns, answer tags, HTML and tables.

All reading is linear in the length of the reply, since a body may have megabytes.
"""

import html
import re
from collections.abc import Iterator

LONGEST_ANSWER = 100_000  # characters, marks and tags included

# Thoughts, by the names that models give them: <think>, [THINK], <|begin_of_thought|>, a channel, a heading
_THOUGHT = (
    r"(?:\w{1,20}:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflect(?:ion)?|analysis|scratch_?pad|rationale|"
    r"(?:inner_?)?monologue|chain_?of_?thought|cot|plan(?:ning)?|deliberat(?:e|ion)|details|"
    r"tool_?calls?|function_?calls?|tool_?(?:use|code|response))"
)
_OPENS = (
    rf"<\|?\s*{_THOUGHT}(?:\s[^<>\n]{{0,200}})?\s*\|?>|\[{_THOUGHT}\]|◁{_THOUGHT}▷|```{_THOUGHT}[^\n`]*\n",
    rf"<[|\uff5c](?:begin[_▁]of|start)[_▁]{_THOUGHT}[|\uff5c]>",
    r"<\|?channel\|?>\s*(?:analysis|commentary|thought)[^<>\n]{0,80}(?:<\|(?!channel|start)[^<>|]{1,40}\|>[^<>\n]{0,80}){0,3}",
    r"\A\s*(?:analysis(?=[A-Z])|thinking\.\.\.\s|here(?: is|'s|\u2019s) my (?:thought process|reasoning|thinking):)",
)
_CLOSES = (
    rf"<\|?\s*/\s*{_THOUGHT}\s*\|?>|\[/{_THOUGHT}\]|◁/{_THOUGHT}▷",
    rf"<[|\uff5c]end[_▁](?:of[_▁])?{_THOUGHT}[|\uff5c]>",
    r"<\|?channel\|?>\s*final[^<>\n]{0,80}(?:<\|(?!channel|start)[^<>|]{1,40}\|>)?|<channel\|>|assistant\s?final(?=\W|\d|[A-Z])",
    r"\.\.\.\s?done thinking\.|^[\W_]*here(?: is|'s|\u2019s) my (?:response|answer):|"
    r"^[\W_]*(?:(?:my|the) )?final (?:answer|response|output|list|phrases)(?:[\s*_]*:[\s*_]*|[\W_]*$)",
)
_THOUGHTS = re.compile(
    rf"(?P<opens>{'|'.join(_OPENS)})|(?P<closes>{'|'.join(_CLOSES)})|(?P<fence>```)", re.IGNORECASE | re.MULTILINE
)

# Turns: what stands in front of an answer, and what ends it
_TURN = re.compile(
    r"<\|(?:im_)?start\|>\s*\w{0,20}|<\|start_header_id\|>[^<>\n]{0,40}<\|end_header_id\|>|<start_of_turn>\s*\w{0,20}|"
    r"<\|(?:assistant|chatbot_token|start_of_turn_token|bot|message|start_response|end_response)\|>|"
    r"<(?:bos|s|pad|unk)>|\[/?INST\]|<<?/?SYS>>?",
    re.IGNORECASE,
)
_END = re.compile(
    r"<[|\uff5c]\s*(?:im[_▁]end|eot_id|eom_id|end|endoftext|end[_▁]of[_▁]\w{1,20}|eot|eos|return|call|im_sep|user|system|"
    r"end_of_turn_token)\s*[|\uff5c]>|</s>|<(?:eos|eot|eod|end_of_turn|end_of_utterance|turn\|)>|\[(?:EOS|EOT|END)\]",
    re.IGNORECASE,
)
_SPECIAL = re.compile(r"<[|\uff5c][^<>\n]{1,60}[|\uff5c]>")

_ANSWER = re.compile(
    r"(?P<close></|\[/|<\|end_of_)?(?:(?<=/)|(?<=_of_)|<\|begin_of_|<|\[)"
    r"(?:final[_ -]?)?(?:answers?|response|output|results?|solution|final)\s*(?:\|>|>|\])",
    re.IGNORECASE,
)

# HTML: cells and rows become a table with pipes, other tags a break or nothing
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[a-zA-Z][\w:-]{0,30})(?:\s[^<>]{0,300})?\s*/?>")
_DECLARATION = re.compile(r"<!--|-->|<!DOCTYPE[^<>]{0,200}>|<!\[CDATA\[|\]\]>")
_INLINE = re.compile(
    "a|abbr|b|big|cite|code|del|em|font|i|ins|kbd|mark|q|s|samp|small|span|strong|sub|sup|tt|u|var", re.IGNORECASE
)
_BREAKING = re.compile(
    "br|hr|p|div|li|ul|ol|dl|dt|dd|body|html|pre|blockquote|section|table|tbody|thead|tfoot", re.IGNORECASE
)
_HEADING = re.compile("h[1-6]")
_CELL, _ROW_BEGINS, _ROW_ENDS = "\x00", "\x01", "\x02"

_ROW = re.compile(r"\s*\|?[^|\n]*\|")
_RULE = re.compile(r"[\s|:+=-]*-{2,}[\s|:+=-]*")
_TITLE = re.compile(r"\W*(?:phrases?|descriptions?|actions?|expressions?|simple phrases?)\W*\d*\W*", re.IGNORECASE)


def answer_of(reply: str) -> str:
    """Return the answer that a reply holds, without thoughts, marks of turns and tags; "" if it is all thoughts."""
    text = _first_turn(_without_thoughts(reply)[:LONGEST_ANSWER])
    return html.unescape(_without_tags(_SPECIAL.sub("", _in_answer_tags(text))))


def _without_thoughts(text: str) -> str:
    """Return a text without its thoughts: closed, closed but never opened (all before it), opened and never closed."""
    kept: list[str] = []
    start, opened = 0, ""
    for mark in _THOUGHTS.finditer(text):
        if mark["fence"]:  # the end of a fence that holds thoughts, or any other fence
            if opened != "`":
                continue
        elif mark["opens"]:
            if not opened:
                kept.append(text[start : mark.start()])
                start, opened = mark.end(), mark["opens"].lstrip()[0]
            continue
        elif not opened:
            kept.clear()
        start, opened = mark.end(), ""
    if opened:  # never closed: only what is in an answer tag is none of them
        start = next((mark.start() for mark in _ANSWER.finditer(text, start) if not mark["close"]), len(text))
    return "\n".join([*kept, text[start:]])


def _first_turn(text: str) -> str:
    """Return the first turn that says anything: a model that runs on asks and answers itself."""
    return next((turn for turn in map(_unturned, _END.split(text)) if turn.strip()), "")


def _unturned(text: str) -> str:
    return _TURN.sub("", text)


def _in_answer_tags(text: str) -> str:
    """Return what stands in the last answer tag, the whole text if there is none."""
    found, start = text, None
    for mark in _ANSWER.finditer(text):
        if mark["close"] and start is not None:
            found, start = text[start : mark.start()], None
        elif not mark["close"]:
            start = mark.end()
    return found if start is None else text[start:]


def _without_tags(text: str) -> str:
    """Return a text without HTML; a tag of an unknown name is one only if it is closed somewhere."""
    if "<" not in text:
        return text
    text = _DECLARATION.sub("", text)
    closed = {tag["name"].lower() for tag in _TAG.finditer(text) if tag["close"]}

    def instead(tag: re.Match[str]) -> str:
        name, closes = tag["name"].lower(), bool(tag["close"])
        if name in ("td", "th"):
            return "" if closes else _CELL
        if name == "tr":
            return _ROW_ENDS if closes else _ROW_BEGINS
        if _INLINE.fullmatch(name):
            return ""
        if _HEADING.fullmatch(name):
            return "\n" if closes else "\n# "
        return "\n" if _BREAKING.fullmatch(name) or name in closed else tag[0]

    return "\n".join(_row(part) for part in _TAG.sub(instead, text).split(_ROW_BEGINS))


def _row(text: str) -> str:
    """Return a row of an HTML table, with what follows it, as a line with pipes."""
    row, _, after = text.partition(_ROW_ENDS)
    before, *cells = row.split(_CELL)
    return f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |\n{after}" if cells else before + after


def table_cells(lines: list[str]) -> list[str]:
    """Return the phrases of a table with pipes, [] if the lines hold none.

    They are the column whose title says so, or the first with words that differ; of a single row, all its cells.
    """
    rows = [_cells(line) for line in lines if _ROW.match(line) and not _RULE.fullmatch(line)]
    if not rows or (len(rows) == 1 and len(rows[0]) < 3):
        return []
    after_rule = [place for place, line in enumerate(lines) if "|" in line and _RULE.fullmatch(line)]
    head = _cells(lines[after_rule[0] - 1]) if after_rule and after_rule[0] else []
    titled = head or (rows[0] if any(map(_TITLE.fullmatch, rows[0])) else [])
    body = rows[1:] if titled and rows[0] == titled else rows
    if len(body) == 1:
        return [cell for cell in body[0] if _worded(cell)]
    return max(_columns(titled, body), key=lambda column: column[0], default=(0, list[str]()))[1]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _worded(cell: str) -> bool:
    return sum(map(str.isalpha, cell)) > 2


def _columns(titles: list[str], rows: list[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Yield (how much it looks like one of phrases, its cells) of each column; of equal ones the first is best."""
    for place in range(max(map(len, rows))):
        cells = [row[place] for row in rows if place < len(row)]
        title = titles[place].casefold() if place < len(titles) else ""
        differs = len(set(cells)) == len(cells) and all(map(_worded, cells))
        yield 2 * ("phrase" in title) + differs, cells
