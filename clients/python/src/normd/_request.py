# SPDX-License-Identifier: MIT
"""A request and an answer as values, and a call: a request with the function that reads its answer. No I/O."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Generic, Iterator, Mapping, TypeVar
from urllib.parse import quote, urlencode

from ._retries import Repeat
from ._tensors import Buffer, json_text
from .errors import ApiError, Error, Incompatible, UnexpectedAnswer, api_error

T = TypeVar("T")
_PROBLEM = "application/problem+json"
_SHOWN_BYTES = 2000


@dataclass(frozen=True)
class Request:
    """``path`` is encoded and without the server's base path. ``body`` is sent part after part."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Iterator[Buffer]] | tuple[Buffer, ...] = ()
    body_bytes: int = 0
    repeat: Repeat = Repeat.SAFE
    absent_is_done: bool = False  # a DELETE whose answer was lost has been carried out if the thing is not there

    @property
    def target(self) -> str:
        return self.path + ("?" + urlencode(self.query, safe=",", quote_via=quote) if self.query else "")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Answer:
    """``headers`` are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    body: memoryview

    def json(self) -> Any:
        return json.loads(bytes(self.body))

    def document(self) -> dict[str, Any]:
        document = self.json()
        if not isinstance(document, dict):
            raise TypeError("the JSON is not an object")
        return document

    def number(self, header: str) -> int | None:
        value = self.headers.get(header)
        return None if value is None else int(value)


@dataclass(frozen=True)
class Call(Generic[T]):
    request: Request
    read: Callable[[Answer], T]


def segment(name: str, what: str) -> str:
    """A name in a path. The daemon says which names are valid; these three would be another path."""
    if not isinstance(name, str) or name in ("", ".", ".."):
        raise ValueError(f"{name!r} is not a valid {what} name")
    return quote(name, safe="")


def _seconds(retry_after: str | None) -> float | None:
    """Seconds from now; gateways may say a date."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def error_of(request: Request, answer: Answer) -> Error | None:
    """What an answer says went wrong; None for success."""
    if 200 <= answer.status < 300:
        return None
    content_type = answer.headers.get("content-type", "")
    if content_type.partition(";")[0].strip() == _PROBLEM:
        try:
            problem = answer.json()
        except (ValueError, RecursionError):
            problem = None
        if isinstance(problem, dict) and isinstance(problem.get("code"), str):
            return api_error(str(request), answer.status, problem, answer.headers.get("x-request-id"),
                             _seconds(answer.headers.get("retry-after")))
    return not_normd(request, answer)


def is_absent(error: Error) -> bool:
    """Whether normd says that a thing is not there; a proxy's page does not say so."""
    return isinstance(error, ApiError) and error.status == 404


def not_normd(request: Request, answer: Answer) -> UnexpectedAnswer:
    text = bytes(answer.body[:_SHOWN_BYTES]).decode(errors="replace")
    return UnexpectedAnswer(str(request), answer.status, answer.headers.get("content-type", ""), text,
                            _seconds(answer.headers.get("retry-after")))


def read_answer(call: Call[T], answer: Answer) -> T:
    """An answer that claims success and cannot be read is somebody else's."""
    try:
        return call.read(answer)
    except Incompatible:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, Error) as error:
        raise not_normd(call.request, answer) from error


def json_body(document: Any) -> dict[str, Any]:
    """The arguments of a Request with a JSON body."""
    text = json_text(document)
    return {"body": (text,), "body_bytes": len(text)}
