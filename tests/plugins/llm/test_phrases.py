"""Reading phrases out of replies: a table of the forms in which models answer, and never an exception."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxi_core.texts import tidy
from maxi_plugins.llm.exchange import reply_text
from maxi_plugins.llm.phrases import LONGEST_REPLY, MOST_LETTERS, MOST_WORDS, phrases
from maxi_sandbox import Sandbox

FIVE = ["smearing cream", "rubbing cream", "putting cream", "spreading cream", "coating cream"]

GOLDEN = {
    "numbered with stops": "\n\n".join(f"{n}. {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "numbered with brackets": "\n".join(f"{n}) {phrase}." for n, phrase in enumerate(FIVE, 1)),
    "numbered in brackets": "\n".join(f"({n}) {phrase};" for n, phrase in enumerate(FIVE, 1)),
    "numbered with colons": "\n".join(f"{n}: {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "numbered without a space": "\n".join(f"{n}.{phrase}" for n, phrase in enumerate(FIVE, 1)),
    "numbered on one line": " ".join(f"{n}. {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "lettered": "\n".join(f"{letter}) {phrase}" for letter, phrase in zip("abcde", FIVE, strict=True)),
    "hyphens": "\n".join(f"- {phrase}" for phrase in FIVE),
    "asterisks, Windows lines": "\r\n".join(f"* {phrase}" for phrase in FIVE),
    "bullets without a space": "\n".join(f"•{phrase}" for phrase in FIVE),
    "dashes": "\n".join(f"\N{EN DASH} {phrase}" for phrase in FIVE),
    "indented": "\n".join(f"   - {phrase}  " for phrase in FIVE),
    "quoted": "\n".join(f'{n}. "{phrase}."' for n, phrase in enumerate(FIVE, 1)),
    "curly quotes": "\n".join(f"{n}. \u201c{phrase}\u201d" for n, phrase in enumerate(FIVE, 1)),
    "single quotes": "\n".join(f"'{phrase}'" for phrase in FIVE),
    "one a line": "\n".join(FIVE),
    "commas": ", ".join(FIVE),
    "commas in a sentence": "Here are five phrases: " + ", ".join(FIVE[:4]) + ", and coating cream.",
    "semicolons": "; ".join(FIVE) + ".",
    "prose around a list": "Sure! Here are 5 phrases to describe the action of applying cream:\n\n"
    + "\n".join(f"{n}. {phrase}" for n, phrase in enumerate(FIVE, 1))
    + "\n\nLet me know if you would like more phrases!",
    "prose around plain lines": "Here are 5 phrases:\n" + "\n".join(FIVE) + "\nI hope this helps!",
    "a heading": "## Phrases\n" + "\n".join(f"- {phrase}" for phrase in FIVE),
    "bold": "\n".join(f"{n}. **{phrase}**" for n, phrase in enumerate(FIVE, 1)),
    "bold with explanations": "\n".join(f"- **{phrase}**: to do so with {phrase[:4]}" for phrase in FIVE),
    "bold with explanations after a dash": "\n".join(f"* **{phrase}** - moving the hand" for phrase in FIVE),
    "explanations below each": "\n".join(f"{n}. {phrase}\n   - with the hand" for n, phrase in enumerate(FIVE, 1)),
    "a code block": "```\n" + "\n".join(FIVE) + "\n```",
    "a quotation": "\n".join(f"> {n}. {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "JSON list": json.dumps(FIVE),
    "JSON list in a code block": f"```json\n{json.dumps(FIVE, indent=2)}\n```",
    "JSON object": json.dumps({"action": "applying cream", "phrases": FIVE}),
    "JSON list of objects": json.dumps([{"phrase": phrase} for phrase in FIVE]),
    "JSON in prose": f"Here you go:\n{json.dumps(FIVE)}\nEnjoy!",
    "cut JSON": json.dumps([*FIVE, "slathering cream"], indent=1)[:-9],
    "cut JSON object": '{"action": "applying", "phrases": ' + json.dumps([*FIVE, "slathering cream"])[:-6],
    "repeated phrases": "\n".join(f"{n}. {phrase}" for n, phrase in enumerate([*FIVE, "Rubbing cream.", *FIVE], 1)),
    "more than five": "\n".join(f"{n}. {phrase}" for n, phrase in enumerate([*FIVE, "slathering cream"], 1)),
    "check marks": "\n".join(f"\u2705 {phrase}" for phrase in FIVE),
    "emoji": "\n".join(f"\U0001f44b\U0001f3fd {phrase}" for phrase in FIVE),
    "emoji of numbers": "\n".join(f"{n}\ufe0f\u20e3 {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "arrows": "\n".join(f"\u2192 {phrase}" for phrase in FIVE),
    "numbered with dashes": "\n".join(f"{n} \N{EM DASH} {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "numbered with a space": "\n".join(f"{n} {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "numbered with a hash": "\n".join(f"#{n} {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "numbered in full width": "\n".join(f"{chr(0xFF10 + n)}\uff0e{phrase}" for n, phrase in enumerate(FIVE, 1)),
    "numbered as in Chinese": "\n".join(f"{n}\u3001{phrase}" for n, phrase in enumerate(FIVE, 1)),
    "Roman numbers": "\n".join(f"{n}. {phrase}" for n, phrase in zip(("i", "ii", "iii", "iv", "v"), FIVE, strict=True)),
    "steps": "\n".join(f"Step {n}: {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "lettered on one line": " ".join(f"({letter}) {phrase}" for letter, phrase in zip("abcde", FIVE, strict=True)),
    "quoted on one line": ", ".join(f"\u201c{phrase}\u201d" for phrase in FIVE) + ".",
    "LaTeX on one line": r"\begin{enumerate}\item " + r" \item ".join(FIVE) + r"\end{enumerate}",
    "a bold heading": "**Final Answer**\n\n" + "\n".join(f"{n}. {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "bold alone": "\n".join(f"**{phrase}**" for phrase in FIVE),
    "notes behind": "\n".join(f"{n}. {phrase} [{n}]" for n, phrase in enumerate(FIVE, 1)),
    "invisible letters": "\n".join(f"{n}.\u200b{phrase}\u2060" for n, phrase in enumerate(FIVE, 1)),
    "thoughts in wide marks": "<\uff5cbegin\u2581of\u2581thinking\uff5c>1. no<\uff5cend\u2581of\u2581thinking\uff5c>"
    + "\n".join(f"{n}. {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "quoted, then explained": "\n".join(f'{n}. "{phrase}" - so' for n, phrase in enumerate(FIVE, 1)),
    "explained after an arrow": "\n".join(f"- {phrase} \u2192 with the hand" for phrase in FIVE),
    "a list of Python": repr(FIVE),
    "a dict of Python": repr({"phrases": FIVE}),
    "JSON lines": "\n".join(json.dumps({"phrase": phrase}) for phrase in FIVE),
    "a column of CSV": "phrase\n" + "\n".join(f'"{phrase}"' for phrase in FIVE),
    "boxes to be ticked": "\n".join(f"- [ ] {phrase}" for phrase in FIVE),
    "links": "\n".join(f"{n}. [{phrase}](https://x.y/{n})" for n, phrase in enumerate(FIVE, 1)),
    "escaped marks": "\n".join(f"{n}\\. {phrase}" for n, phrase in enumerate(FIVE, 1)),
    "asterisks on one line": "* " + " * ".join(FIVE),
    "bullets on one line": " ".join(f"\u2022 {phrase}" for phrase in FIVE),
    "a note at the end": "\n".join(f"- {phrase}" for phrase in FIVE[:5]) + "\n\n*Note: in simple words.*",
    "control characters": "\n".join(f"{n}.\t{phrase}\x07" for n, phrase in enumerate(FIVE, 1)),
}

OTHERS = {
    "line breaks as two characters": (
        "1. smear cream\\n2. rub cream\\n3. pat cream",
        ["smear cream", "rub cream", "pat cream"],
    ),
    "a call of a tool with its name": (
        '{"name": "answer", "arguments": {"list": ["smear cream", "rub cream"]}}',
        ["smear cream", "rub cream"],
    ),
    "Roman numbers on one line": (
        "(i) smear cream (ii) rub cream (iii) pat cream",
        ["smear cream", "rub cream", "pat cream"],
    ),
    "a byte order mark": ("\ufeff1. smear cream", ["smear cream"]),
    "an address": ("https://example.org", []),
    "three of five": ("1. waving\n2. greeting\n3. saluting", ["waving", "greeting", "saluting"]),
    "another language": ("1. Creme auftragen\n2. Creme verreiben", ["Creme auftragen", "Creme verreiben"]),
    "a script without spaces": ("1. 塗る\n2. 伸ばす", ["塗る", "伸ばす"]),
    "right to left": ("1. لعب الكرة\n2. رمي الكرة", ["لعب الكرة", "رمي الكرة"]),
    "a hyphen inside": ("- arm-wrestling\n- high-fiving a friend", ["arm-wrestling", "high-fiving a friend"]),
    "a number inside": ("1. 3 people dancing\n2. running 2.5 km", ["3 people dancing", "running 2.5 km"]),
    "an apostrophe at the end": ("1. pulling the dogs'\n2. o'clock 'n'", ["pulling the dogs'", "o'clock 'n'"]),
    "a bold word inside": ("1. **rubbing** the cream in", ["rubbing the cream in"]),
    "an empty reply": ("", []),
    "only marks": ("1.\n2.\n- \n***\n", []),
    "a refusal": ("I'm sorry, but I can't help with that.", []),
    "a refusal in curly quotes": ("I\u2019m sorry, but I can\u2019t help with that.", []),
    "an assistant's refusal": ("As an AI language model, I cannot describe this.", []),
    "an essay": (("Applying cream is an activity in which a person, using the tips of the fingers, spreads " * 3), []),
    "brackets in prose": ("Waving [hello]", ["Waving [hello]"]),
    "struck out": ("1. ~~waving~~ greeting\n2. saluting", ["greeting", "saluting"]),
    "ends of sentences": ("1. waving\u2026\n2. greeting?", ["waving", "greeting"]),
    "a call of a tool": ('<tool_call>{"name": "search", "arguments": {"q": "cream"}}</tool_call>', []),
    "a single pair of quotes": ("\u201cwaving\u201d and \u201cgreeting\u201d", ["waving", "greeting"]),
    "numbers that count nothing": ("2 people dancing\n3 dogs running", ["2 people dancing", "3 dogs running"]),
    "deep brackets": ("[" * 5000, []),
}


@pytest.mark.parametrize("form", GOLDEN)
def test_the_same_five_phrases_are_read_from_every_form(form: str) -> None:
    assert phrases(GOLDEN[form], 5) == FIVE


@pytest.mark.parametrize("form", OTHERS)
def test_what_is_there_is_read_and_nothing_else(form: str) -> None:
    reply, expected = OTHERS[form]
    assert phrases(reply, 5) == expected


def check(reply: str, most: int) -> None:
    found = phrases(reply, most)
    assert len(found) <= most
    assert len({phrase.casefold() for phrase in found}) == len(found)
    for phrase in found:
        assert phrase == tidy(phrase) != ""
        assert len(phrase) <= MOST_LETTERS
        assert len(phrase.split()) <= MOST_WORDS


@given(st.text(), st.integers(1, 7))
def test_no_text_makes_it_raise(reply: str, most: int) -> None:
    check(reply, most)


PIECES = st.sampled_from(
    ["1.", "2)", "- ", "\n", "[", "]", "{", "}", '"', "'", "**", "`", "```json\n", ":", ",", "\\", "\ud800", "\x00",
     " a ", "rubbing cream", "Here are", "\u201c", "(3)", "#", "> ", "\u200b", "null", "1e999"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("".join))
def test_no_mixture_of_list_marks_makes_it_raise(reply: str) -> None:
    check(reply, 5)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner)
       | st.dictionaries(st.text(), inner), max_leaves=8).map(json.dumps), st.integers(0, 80))  # fmt: skip
def test_no_json_makes_it_raise_whole_or_cut(document: str, end: int) -> None:
    check(document, 5)
    check(document[:end], 5)


def test_a_reply_of_a_megabyte_is_read_up_to_a_limit() -> None:
    reply = "1. waving\n" + "x" * LONGEST_REPLY + "\n2. greeting\n" * 100_000
    assert phrases(reply, 5) == ["waving"]


def test_the_recorded_replies_of_the_sandbox_give_five_phrases_each() -> None:
    for line in Sandbox().replies().read_text(encoding="utf-8").splitlines():
        text = reply_text(json.loads(line)["response"])
        assert isinstance(text, str)
        assert [line.partition(". ")[2] for line in text.splitlines()] == phrases(text, 5)
