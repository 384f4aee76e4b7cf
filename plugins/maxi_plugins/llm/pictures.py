"""Pictures in a request: what is kept of them, what they cost, and the bytes in which the request is sent."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

_PLACE = uuid4().hex  # of a picture in a request, until its bytes stand there


@dataclass(frozen=True)
class Picture:
    """A picture in a request: `of` names what it was made from, `tokens` is about what it takes, `jpeg` packs it.

    What is kept, compared and recorded is `of`: pixels are the same for every version of the library that packs them,
    and a thousand times as many bytes. So a picture is packed when it is sent: what was answered before never is.
    """

    of: str
    tokens: int
    jpeg: Callable[[], bytes] = field(compare=False, repr=False)

    def url(self) -> bytes:
        """Return the data URL, packed anew: what is sent again is rare, and a lock around it would hold all up."""
        return b"data:image/jpeg;base64," + b64encode(self.jpeg())


def encoded(request: Mapping[str, object]) -> bytes:
    """Return a request as JSON; pictures are put in as they are, since `json` looks at every letter of a text."""
    urls: list[bytes] = []

    def place(value: object) -> str:
        if not isinstance(value, Picture):
            raise TypeError(f"{type(value).__name__} cannot be sent")
        urls.append(value.url())
        return _PLACE

    first, *rest = json.dumps(dict(request), default=place).encode().split(_PLACE.encode())
    return b"".join([first, *(part for pair in zip(urls, rest, strict=True) for part in pair)])


def kept(value: Any) -> Any:
    """Return a request, or a part of it, as it is kept: of each picture only what it was made from."""
    match value:
        case Picture():
            return value.of
        case dict():
            return {name: kept(inner) for name, inner in value.items()}
        case list():
            return [kept(inner) for inner in value]
    return value


def pictures_of(value: object) -> Iterator[Picture]:
    """Yield the pictures of a request, or of a part of it."""
    if isinstance(value, Picture):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from pictures_of(inner)
