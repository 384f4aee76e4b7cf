"""The recorded replies, and what is left of them without the phrases that name a verb of the novel benchmarks."""

import json
from collections.abc import Iterator
from pathlib import Path

from maxi_sandbox.actions import NOVEL, NOVEL_DEV, gerund


def forms(verb: str) -> set[str]:
    """Return the forms of one of the world's verbs that a phrase may have."""
    gerund_form = gerund(verb)
    return {verb, f"{verb}s", f"{verb}es", f"{verb}ed", f"{verb}d", gerund_form}


def names_novel(phrase: str) -> bool:
    """Return whether a phrase has a form of a verb that the dictionary never names."""
    novel = set().union(*map(forms, (*NOVEL, *NOVEL_DEV)))
    return any(word.strip(".,").lower() in novel for word in phrase.split())


def plain(lines: list[str]) -> Iterator[str]:
    """Yield recorded exchanges, JSON lines, each reply without the phrases that name a novel verb, numbered anew."""
    for line in lines:
        exchange = json.loads(line)
        message = exchange["response"]["choices"][0]["message"]
        phrases = [said.split(". ", 1)[1] for said in message["content"].splitlines()]
        kept = [phrase for phrase in phrases if not names_novel(phrase)]
        message["content"] = "\n".join(f"{number}. {phrase}" for number, phrase in enumerate(kept, 1))
        yield json.dumps(exchange, ensure_ascii=False)


def write_plain(folder: Path) -> None:
    """Write `replies.jsonl` without novel verbs into `folder`."""
    lines = (Path(__file__).parent / "data" / "replies.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "replies.jsonl").write_text("".join(f"{line}\n" for line in plain(lines)), encoding="utf-8")
