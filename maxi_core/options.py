"""Options of plugins and of core sections: what a recipe may set, with type, default and help at one place."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Base of every options model; each field of a subclass has a default and a description."""

    model_config = ConfigDict(extra="forbid", frozen=True)
