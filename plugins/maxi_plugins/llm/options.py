"""The options of every source that asks a language model."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field, field_validator

from maxi_core import Options, WorldPath
from maxi_core.recipe.parts import MARK
from maxi_core.system.secrets import is_secret

Provider = Literal["chat", "completions"]
Plain: TypeAlias = bool | int | float | str | list[str] | list[int] | list[float]
Extra: TypeAlias = Plain | dict[str, Plain | dict[str, Plain]]  # as deep as a recipe is read with ease
OWN_FIELDS = ("messages", "prompt", "stream", "stream_options", "n")


class ModelOptions(Options):
    """Options of a source that asks a language model: which one, how much may be asked, and what is kept of it."""

    model_config = ConfigDict(allow_inf_nan=False)

    model: str | None = Field(None, description="model of the endpoint; none: an error that lists what it offers")
    provider: Provider = Field(
        "chat", description="chat, or completions: the original form, for endpoints that still have it"
    )
    cap_calls: int | None = Field(None, ge=0, description="requests that are paid for at most, in all runs together")
    cap_tokens: int | None = Field(None, ge=0, description="tokens that are used at most, in all runs together")
    timeout: float = Field(60, gt=0, description="seconds to wait for one answer")
    patience: float = Field(120, ge=0, description="seconds after which one question is given up, all tries together")
    extra: dict[str, Extra] = Field(
        {}, description="further fields of the request, as the endpoint names them, such as {reasoning_effort = 'low'}"
    )
    exchanges: Path | None = Field(
        None, description="folder that keeps every reply that was paid for; none: $MAXI_HOME/exchanges"
    )
    replay: Annotated[Path | None, WorldPath("replies")] = Field(
        None,
        description="answer from this file of JSON lines {request, response}, or from the replies of a world, "
        "without model, key and network",
    )
    record: Path | None = Field(None, description="append each exchange to this file, for replay; never the key")
    api_key_file: Path | None = Field(None, description="file that holds the key; none: OPENAI_API_KEY")

    TYPED = ("record", "api_key_file")  # a file that is written to, and one whose content is sent away
    EFFORT = ("cap_calls", "cap_tokens", "timeout", "patience", "exchanges", "record", "api_key_file")

    @field_validator("extra")
    @classmethod
    def _adds(cls, extra: dict[str, Extra]) -> dict[str, Extra]:
        for name in extra:
            if name in OWN_FIELDS or name in cls.model_fields:
                raise ValueError(f"'{name}' is no further field: maxi sets it itself, or it is an option of its own")
            if is_secret(name):
                raise ValueError(f"'{name}' is a secret: a key comes from OPENAI_API_KEY or api_key_file")
        return extra


def model_fix(label: str) -> str:
    """Return how to name a model; no variable sets an option of a labelled source."""
    typed = f"type -o {label}.model=NAME"
    return typed if MARK in label else f"{typed} or set {f'MAXI_{label}_MODEL'.upper().replace('-', '_')}"
