# SPDX-License-Identifier: MIT
"""The exceptions of this package.

A refusal by the daemon is an ``ApiError``, of one subclass for each ``code`` of the API. Everything else that can go
wrong between the caller and the daemon is another subclass of ``Error``.
"""

from __future__ import annotations

from typing import Any, ClassVar, Mapping

from ._text import printable


class Error(Exception):
    """The base of all exceptions of this package.

    ``maybe_done`` is true if an attempt of the call had no answer from the daemon, which may have received it: then
    what the call asks for may have happened.
    """

    maybe_done = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self.args, self.__dict__)  # processes of a pool send their exceptions


def _unpickled(kind: type[Error], args: tuple[Any, ...], members: Mapping[str, Any]) -> Error:
    error = kind.__new__(kind, *args)
    error.__dict__.update(members)
    return error


class NoAnswer(Error):
    """No answer came: the connection failed, or the deadline passed."""

    def __init__(self, text: str, maybe_done: bool = False) -> None:
        super().__init__(text)
        self.maybe_done = maybe_done


class DeadlineExceeded(NoAnswer):
    """The deadline of the call passed. The cause (``__cause__``) is what the last attempt met, if it met anything."""


class UnexpectedAnswer(Error):
    """An answer that is not normd's, such as the error page of a proxy.

    ``status`` is its HTTP status, ``content_type`` its type, and ``text`` the beginning of its body. ``retry_after`` is
    the number of seconds after which it asks to come again, or None.
    """

    maybe_done = True

    def __init__(self, request: str, status: int, content_type: str, text: str,
                 retry_after: float | None = None) -> None:
        shown = printable(" ".join(text.split())[:200])
        super().__init__(f"{request}: the answer is not one of normd's: status {status}, "
                         f"{content_type or 'no content type'}: {shown or 'an empty body'}")
        self.status = status
        self.content_type = content_type
        self.text = text
        self.retry_after = retry_after


class Incompatible(Error):
    """The server is not normd, or a normd whose API is not the one that this package speaks."""


class ApiError(Error):
    """The daemon refused a request, and nothing has changed, unless ``maybe_done``. Each ``code`` has a subclass.

    ``status`` is the HTTP status, ``detail`` says what was wrong, ``request_id`` names the request in the daemon's log.
    ``offset``, ``expected`` and ``actual`` are set where the daemon says them, else None. ``retry_after`` is the number
    of seconds after which the daemon asks to come again, or None.
    """

    code: ClassVar[str] = ""
    _by_code: ClassVar[dict[str, type[ApiError]]] = {}

    def __init_subclass__(cls) -> None:
        if "code" in cls.__dict__:
            cls._by_code[cls.code] = cls

    def __init__(self, request: str, status: int, problem: Mapping[str, Any], request_id: str | None = None,
                 retry_after: float | None = None) -> None:
        self.status = status
        self.detail = str(problem.get("detail") or problem.get("title") or "")
        self.request_id = request_id
        self.offset: int | None = problem.get("offset")
        self.expected: Any = problem.get("expected")
        self.actual: Any = problem.get("actual")
        self.retry_after = retry_after
        super().__init__(f"{request}: {self.detail} ({problem.get('code')}, status {status})")


def api_error(request: str, status: int, problem: Mapping[str, Any], request_id: str | None,
              retry_after: float | None) -> ApiError:
    """The exception for a problem document. A code that this package does not know is a plain ``ApiError``."""
    kind = ApiError._by_code.get(str(problem.get("code")), ApiError)
    error = kind(request, status, problem, request_id, retry_after)
    if kind is ApiError:
        error.code = str(problem.get("code"))  # type: ignore[misc]
    return error


class BadJson(ApiError):
    """The body is not valid JSON: status 400."""

    code = "bad_json"


class BadTensor(ApiError):
    """The tensor is not valid: status 400."""

    code = "bad_tensor"


class BadNpy(ApiError):
    """The .npy file is not valid: status 400."""

    code = "bad_npy"


class BadSafetensors(ApiError):
    """The safetensors file is not valid: status 400."""

    code = "bad_safetensors"


class BadParameter(ApiError):
    """A parameter is not valid: status 400."""

    code = "bad_parameter"


class BadName(ApiError):
    """The name is not valid: status 400."""

    code = "bad_name"


class Unauthenticated(ApiError):
    """The request has no token that the server knows: status 401."""

    code = "unauthenticated"


class Forbidden(ApiError):
    """The request is not allowed: status 403."""

    code = "forbidden"


class NoSuchRoute(ApiError):
    """There is no such route: status 404."""

    code = "no_such_route"


class NoSuchModel(ApiError):
    """There is no such model: status 404."""

    code = "no_such_model"


class NoSuchLayer(ApiError):
    """There is no such layer: status 404."""

    code = "no_such_layer"


class NoSuchSource(ApiError):
    """There is no such source: status 404."""

    code = "no_such_source"


class NoSuchVersion(ApiError):
    """There is no such version: status 404."""

    code = "no_such_version"


class NoSuchAlias(ApiError):
    """There is no such alias: status 404."""

    code = "no_such_alias"


class MethodNotAllowed(ApiError):
    """The route does not have this method: status 405."""

    code = "method_not_allowed"


class NotAcceptable(ApiError):
    """No acceptable form of answer: status 406."""

    code = "not_acceptable"


class LayerDiffers(ApiError):
    """The layer exists with another definition: status 409."""

    code = "layer_differs"


class IdempotencyInFlight(ApiError):
    """The first request with this key is still running: status 409."""

    code = "idempotency_in_flight"


class NotTrained(ApiError):
    """The layer has no statistics yet: status 409."""

    code = "not_trained"


class SyncIncomplete(ApiError):
    """The synchronized step is incomplete: status 409."""

    code = "sync_incomplete"


class Frozen(ApiError):
    """The layer is frozen: status 409."""

    code = "frozen"


class SourceWentBack(ApiError):
    """The source has fewer values than before: status 409."""

    code = "source_went_back"


class TooManySources(ApiError):
    """The layer has too many sources: status 409."""

    code = "too_many_sources"


class VersionInUse(ApiError):
    """The version is in use: status 409."""

    code = "version_in_use"


class RevisionMismatch(ApiError):
    """The layer has another revision: status 412."""

    code = "revision_mismatch"


class StateMismatch(ApiError):
    """The state is not the expected one: status 412."""

    code = "state_mismatch"


class BodyTooLarge(ApiError):
    """The body is too large: status 413."""

    code = "body_too_large"


class TargetTooLong(ApiError):
    """The request's target is too long: status 414."""

    code = "target_too_long"


class UnsupportedMediaType(ApiError):
    """The body's type is not supported: status 415."""

    code = "unsupported_media_type"


class RangeNotSatisfiable(ApiError):
    """The range is beyond the end: status 416."""

    code = "range_not_satisfiable"


class ShapeMismatch(ApiError):
    """The shape does not fit the layer: status 422."""

    code = "shape_mismatch"


class TooFewValues(ApiError):
    """Too few values per channel: status 422."""

    code = "too_few_values"


class IdempotencyMismatch(ApiError):
    """The key was used with another body: status 422."""

    code = "idempotency_mismatch"


class NonFiniteInput(ApiError):
    """A value is not finite: status 422."""

    code = "non_finite_input"


class TooManyRequests(ApiError):
    """The client asks too much: status 429."""

    code = "too_many_requests"


class HeadTooLarge(ApiError):
    """The request's head is too large: status 431."""

    code = "head_too_large"


class NotImplemented(ApiError):  # the name that the code gives; Python's own is another thing
    """The store cannot do this: status 501."""

    code = "not_implemented"


class Overloaded(ApiError):
    """The server is overloaded: status 503."""

    code = "overloaded"


class StorageUnavailable(ApiError):
    """The storage is not available: status 503."""

    code = "storage_unavailable"


class ShuttingDown(ApiError):
    """The server is shutting down: status 503."""

    code = "shutting_down"


class HttpVersionNotSupported(ApiError):
    """The version of HTTP is not supported: status 505."""

    code = "http_version_not_supported"


class StorageFull(ApiError):
    """The storage is full: status 507."""

    code = "storage_full"
