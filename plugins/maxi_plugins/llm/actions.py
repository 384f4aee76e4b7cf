"""The question what people do in a video, for any model that sees: its words, and JSON in which it may be answered."""

PROMPT = (
    "You see frames of one video, in order of time. Name what people do in it: at most {phrases} different actions, "
    "each a short verb phrase that begins with a verb in -ing, such as 'pouring water into a glass', the clearest "
    "first. Name only what can be seen. Answer with nothing but the phrases, one a line."
)
ASKED = "What do people do in this video?"  # after the frames: some servers want a text there
FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "actions",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"actions": {"type": "array", "items": {"type": "string"}}},
            "required": ["actions"],
            "additionalProperties": False,
        },
    },
}


def question(prompt: str, phrases: int) -> str:
    """Return the question with the number of phrases in the place of `{phrases}`."""
    return prompt.replace("{phrases}", str(phrases))
