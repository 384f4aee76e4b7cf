"""Thoughts, turns, tags and tables around an answer: whatever a model writes, the five phrases and nothing else."""

import json
import time

import pytest

from maxi_plugins.llm.phrases import phrases

FIVE = ["Moving a hand", "Saying hello", "Lifting an arm", "Greeting someone", "Swinging a hand"]
PLAIN = "\n".join(FIVE)
LIST = "\n".join(f"{n}. {phrase}" for n, phrase in enumerate(FIVE, 1))
HM = "Okay, I need:\n- simple words\n1. draft one\n2. draft two"
NAMES = ["think", "thinking", "THINKING", "thought", "reasoning", "reflection", "scratchpad", "analysis", "seed:think"]
ENDS = ["<|im_end|>", "<|eot_id|>", "</s>", "<|endoftext|>", "<|end|>", "<eos>", "<end_of_turn>", "<|return|>", "[EOS]",
        "<\uff5cend\u2581of\u2581sentence\uff5c>", "<|END_OF_TURN_TOKEN|>"]  # fmt: skip
ROWS = "\n".join(f"| {n} | {phrase} |" for n, phrase in enumerate(FIVE, 1))
FINAL = "<|start|>assistant<|channel|>final<|message|>"

ANSWERS = {
    **{f"closed {name}": f"<{name}>\n{HM}\n</{name}>\n{LIST}" for name in NAMES},
    **{f"never opened {name}": f"{HM}\n</{name}>\n\n{PLAIN}" for name in NAMES},
    **{f"after the answer {name}": f"{LIST}\n<{name}>These look good.\n- really</{name}>" for name in NAMES},
    "square marks": f"[THINK]{HM}[/THINK]{PLAIN}",
    "square marks, never opened": f"{HM}[/THINK]\n{LIST}",
    "triangles": f"◁think▷{HM}◁/think▷{PLAIN}",
    "nested": f"<think>{HM}<think>more</think>{HM}</think>{LIST}",
    "an empty block": f"<think>\n\n</think>\n\n{PLAIN}",
    "a mark with attributes": f'<details type="reasoning" done="true">\n<summary>Hm</summary>\n{HM}</details>\n{LIST}',
    "thought and solution": f"<|begin_of_thought|>\n{HM}<|end_of_thought|>\n"
    f"<|begin_of_solution|>\n{LIST}\n<|end_of_solution|>",
    "thinking and response": f"<|START_THINKING|>{HM}<|END_THINKING|><|START_RESPONSE|>{LIST}<|END_RESPONSE|>",
    "channels": f"<|channel|>analysis<|message|>{HM}<|end|>{FINAL}{LIST}<|return|>",
    "channels from the start": f"<|start|>assistant<|channel|>analysis<|message|>{HM}<|end|>{FINAL}{PLAIN}<|return|>",
    "channels, the last alone": f"<|channel|>final<|message|>{PLAIN}<|end|>",
    "channels and JSON": f"<|channel|>analysis<|message|>{HM}<|end|><|start|>assistant<|channel|>final "
    f"<|constrain|>json<|message|>{json.dumps(FIVE)}<|return|>",
    "channels without their marks": f"analysisWe need five phrases. {HM}assistantfinal{LIST}",
    "a channel of one mark": f"<|channel>thought\n{HM}<channel|>{LIST}",
    "as a terminal shows it": f"Thinking...\n{HM}\n...done thinking.\n\n{LIST}",
    "in words": f"Here is my thought process:\n{HM}\n\nHere is my response:\n{LIST}",
    "a final answer": f"{HM}\n\n**Final answer:**\n{LIST}",
    "a fence of thoughts": f"```thinking\n{HM}\n```\n{LIST}",
    "never closed, but with an answer": f"<think>{HM}<answer>{LIST}</answer>",
    "a block and an answer tag": f"<think>{HM}</think><answer>{PLAIN}</answer>",
    "a long block": f"<think>{HM * 1000}</think>{LIST}",
    **{f"end {end}": PLAIN + end for end in ENDS},
    **{f"runs on after {end}": f"{LIST}{end}\n<|im_start|>user\nAnd of running?{end}\n1. Running" for end in ENDS},
    "a turn of its own": f"<|im_start|>assistant\n{PLAIN}<|im_end|>",
    "a header": f"<|start_header_id|>assistant<|end_header_id|>\n\n{PLAIN}<|eot_id|>",
    "instructions": f"<s>[INST] [/INST] {PLAIN}</s>",
    **{
        f"in a tag {tag}": f"I think:\n1. no\n<{tag}>{PLAIN}</{tag}>\nHope this helps"
        for tag in ("answer", "final_answer", "response", "output", "result")
    },
    "an answer tag never closed": f"Sure.\n<answer>\n{LIST}",
    "breaks": "<br>".join(FIVE),
    "breaks and lines": "<BR />\n".join(LIST.split("\n")),
    "an HTML list": "<ol>" + "".join(f"<li><b>{phrase}</b></li>" for phrase in FIVE) + "</ol>",
    "paragraphs": "".join(f"<p>{phrase}.</p>" for phrase in FIVE),
    "tags of its own": "".join(f'<phrase id="{n}">{phrase}</phrase>' for n, phrase in enumerate(FIVE)),
    "a page": "<!DOCTYPE html><html><body><h1>Phrases</h1><ul>"
    + "".join(f"<li>{phrase}</li>" for phrase in FIVE)
    + "</ul></body></html>",
    "entities": "&bull; " + "\n&bull; ".join(FIVE),
    "a table": f"Here you go:\n\n| # | Phrase |\n|---|:--|\n{ROWS}\n\nLet me know!",
    "a table with meanings": "| Phrase | Meaning |\n|:--|--:|\n"
    + "\n".join(f"| **{phrase}** | what {n} means |" for n, phrase in enumerate(FIVE)),
    "a table of the action": "Action | Phrase\n--- | ---\n" + "\n".join(f"waving | {phrase}" for phrase in FIVE),
    "a table without a head": ROWS,
    "a table of one column": "| Phrase |\n|---|\n" + "\n".join(f"| {phrase} |" for phrase in FIVE),
    "a table of one row": f"| {' | '.join(FIVE)} |",
    "a table in a box": f"+---+-----+\n| # | Phrase |\n+---+-----+\n{ROWS}\n+---+-----+",
    "an HTML table": "<table>\n<thead>\n<tr>\n<th>Phrase</th>\n<th>Why</th>\n</tr>\n</thead>\n"
    + "".join(f"<tr>\n<td>{phrase}</td>\n<td>because of {n}</td>\n</tr>\n" for n, phrase in enumerate(FIVE))
    + "</table>\nLet me know!",
    "columns by tabs": "\n".join(f"{n}\t{phrase}" for n, phrase in enumerate(FIVE, 1)),
    "CSV": "number,phrase\n" + "\n".join(f"{n},{phrase}" for n, phrase in enumerate(FIVE, 1)),
    "JSON with explanations": json.dumps([{"phrase": phrase, "explanation": "as one does"} for phrase in FIVE]),
    "JSON after a block with JSON": f'<think>{{"a": [1]}}</think>\n```json\n{json.dumps(FIVE)}\n```',
    "labels": "\n".join(f"Phrase {n}: {phrase}" for n, phrase in enumerate(FIVE, 1)),
}

THOUGHTS = {
    **{f"never closed {name}": f"<{name}>\n{HM}\n{LIST}" for name in NAMES},
    "square marks never closed": f"[THINK]{HM}",
    "a channel that was cut": f"<|channel|>analysis<|message|>{HM}",
    "a channel without its marks that was cut": f"analysisWe need five phrases.\n{HM}",
    "closed and nothing else": f"<think>{HM}</think>",
}


@pytest.mark.parametrize("form", ANSWERS)
def test_what_stands_around_an_answer_is_left_out(form: str) -> None:
    assert phrases(ANSWERS[form], 5) == FIVE


@pytest.mark.parametrize("form", THOUGHTS)
def test_thoughts_alone_hold_no_phrase(form: str) -> None:
    assert phrases(THOUGHTS[form], 5) == []


@pytest.mark.parametrize(
    "piece", ["<think>", "<", "<|", "<|channel|>analysis", "</think>", "|", "[THINK", "<a ", "<!--", "- ", "<answer>"]
)
def test_a_megabyte_of_marks_is_read_in_seconds(piece: str) -> None:
    began = time.process_time()
    phrases(piece * (2**20 // len(piece)), 5)
    assert time.process_time() - began < 10
