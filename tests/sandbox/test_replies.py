"""The recorded replies: what an OpenAI-compatible endpoint would have said about each entry of the dictionary."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from maxi_core.errors import UsageError
from maxi_sandbox import Sandbox


@pytest.fixture(scope="module")
def exchanges() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Sandbox().replies().read_text(encoding="utf-8").splitlines()]


def test_each_entry_was_asked_for_with_the_papers_prompt(exchanges: list[dict[str, Any]]) -> None:
    asked = [exchange["request"]["messages"][0]["content"] for exchange in exchanges]
    assert asked == [
        f"Generate 5 phrases to describe the action of {entry} in simple words." for entry in Sandbox().dictionary()
    ]
    assert {exchange["request"]["temperature"] for exchange in exchanges} == {0.4}


def test_each_reply_is_a_chat_completion_of_five_phrases(exchanges: list[dict[str, Any]]) -> None:
    for exchange in exchanges:
        reply = ChatCompletion.model_validate(exchange["response"])
        assert reply.choices[0].finish_reason == "stop"
        lines = (reply.choices[0].message.content or "").splitlines()
        assert [line.split(". ")[0] for line in lines] == ["1", "2", "3", "4", "5"]
        assert len(set(lines)) == 5


def test_replies_do_not_repeat_the_name_of_the_action(exchanges: list[dict[str, Any]]) -> None:
    for entry, exchange in zip(Sandbox().dictionary(), exchanges, strict=True):
        assert entry not in exchange["response"]["choices"][0]["message"]["content"]


@pytest.mark.parametrize("which", ["plain", "x"])
def test_there_are_no_other_replies_and_one_line_says_so(which: str) -> None:
    with pytest.raises(UsageError, match=rf"^the sandbox has no replies 'sandbox-{which}'; type sandbox$"):
        Sandbox().replies(which)
