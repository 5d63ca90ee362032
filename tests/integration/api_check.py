# SPDX-License-Identifier: MIT
"""
Compares answers with docs/openapi.yaml. The tests' clients call check() with every answer that they get: its status,
media type, headers, error code and JSON body must be what the page declares for the operation. The test that got an
answer which is not fails.

It costs little. Of each operation and status only the first CHECKED answers of one shape are validated, and only the
first READ are read at all; of long lists only both ends are. What fails is never taken as checked.
"""

import collections
import json
import re
import threading
import urllib.parse
import zlib

import jsonschema

from api_page import OPERATIONS, PAGE, at, error_codes, resolved

CHECKED = 10
READ = 500
BODY_MAX = 256 * 1024
ENDS = 3  # of a list: this many elements from its start, and from its end

# The only answers without an operation, or beside those that it declares: by status.
ANY_PATH = {status: at(f"#/components/responses/{name}") for status, name in
            (("414", "TargetTooLong"), ("429", "TooManyRequests"), ("431", "HeadTooLarge"),
             ("505", "HttpVersionNotSupported"))}
NO_OPERATION = {**ANY_PATH, **{status: at(f"#/components/responses/{name}") for status, name in
                               (("400", "BadNameOrParameter"), ("401", "Unauthenticated"), ("403", "Forbidden"),
                                ("404", "NoSuchRoute"), ("405", "MethodNotAllowed"), ("503", "Unavailable"))}}
OPTIONS = {"204": {"headers": {"Allow": at("#/components/headers/Allow"),
                               "X-Request-Id": at("#/components/headers/RequestId")}}}

# Their answers are the same for everybody: caches may keep them.
WITHOUT_STATE = {"/", "/openapi.json"}

# Headers that say something of normd's; an answer has none of them that the page does not declare.
OURS = re.compile(r"normd-.*|age|etag|location|retry-after|content-disposition|x-request-id|content-range|"
                  r"accept-ranges|www-authenticate|inference-header-content-length")


class Violation(AssertionError):
    """An answer is not what docs/openapi.yaml says."""


def segments(path):
    return [urllib.parse.unquote(each) for each in path.strip("/").split("/")]


# The operations by the number of their segments; those whose path has fewer placeholders come first.
TEMPLATES = collections.defaultdict(list)
for found in sorted(OPERATIONS.values(), key=lambda operation: operation.path.count("{")):
    TEMPLATES[len(segments(found.path))].append((segments(found.path), found))


def path_of(target):
    """The path of a target, which may be a URL with a query."""
    return re.sub(r"^https?://[^/]*", "", target).split("?")[0]


def operation_of(method, target):
    """The operation that a request means, or None."""
    path = segments(path_of(target))
    for template, operation in TEMPLATES[len(path)]:
        if operation.method == ("GET" if method == "HEAD" else method) and all(
                part == given or part.startswith("{") for part, given in zip(template, path)):
            return operation
    return None


def ends(value):
    """The value with only the ends of its lists."""
    if isinstance(value, list):
        return [ends(each) for each in (value if len(value) <= 2 * ENDS else value[:ENDS] + value[-ENDS:])]
    return {key: ends(each) for key, each in value.items()} if isinstance(value, dict) else value


def shape(value):
    """What tells answers apart: names of members, types, and the texts of `code` and `kind`."""
    if isinstance(value, dict):
        return tuple((key, each if key in ("code", "kind") and isinstance(each, str) else shape(each))
                     for key, each in value.items())
    return tuple({shape(each) for each in value}) if isinstance(value, list) else type(value).__name__


def refuse_constant(text):
    raise ValueError(f"{text} is not JSON")


class Checker:
    """Remembers what was checked. Any number of threads may use it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.validators = {}
        self.read = collections.Counter()
        self.checked = collections.Counter()

    def valid(self, value, schema, what):
        """Raises unless the value is of the schema, a node of the page."""
        if id(schema) not in self.validators:
            root = {"components": PAGE["components"], **schema}
            self.validators[id(schema)] = jsonschema.Draft202012Validator(root)
        error = jsonschema.exceptions.best_match(self.validators[id(schema)].iter_errors(value))
        if error is not None:
            place = "".join(f"[{part!r}]" for part in error.absolute_path)
            raise Violation(f"{what}{place}: {error.message[:500]} ({'/'.join(map(str, error.absolute_schema_path))})")

    def headers(self, headers, declared, what):
        declared = {name.lower(): resolved(header) for name, header in declared.items()}
        for name in headers:
            if OURS.fullmatch(name) and name not in declared:
                raise Violation(f"{what} does not declare the header {name}")
        for name, header in declared.items():
            if name not in headers:
                if header.get("required"):
                    raise Violation(f"{what} lacks the header {name}")
                continue
            schema, text = resolved(header["schema"]), headers[name]
            number = schema.get("type") == "integer" and re.fullmatch("[0-9]+", text)
            self.valid(int(text) if number else text, schema, f"{what}, the header {name}")

    def caching(self, method, target, answer, what):
        """What every answer says to browsers and caches."""
        if answer.headers.get("x-content-type-options") != "nosniff":
            raise Violation(f"{what} lets browsers guess its type")
        said = answer.headers.get("cache-control")
        if "content-security-policy" in answer.headers and said in ("no-cache", "no-store"):
            return  # a file of the pages, built in or from a folder
        kept = answer.status < 300 and method != "OPTIONS" and path_of(target) in WITHOUT_STATE
        if said != (None if kept else "no-store"):
            raise Violation(f"{what} has the Cache-Control {said}")

    def body(self, target, answer, media, response, what):
        """The body of an answer whose media type is declared."""
        oip = segments(path_of(target))[0] == "v2"
        if "json" not in media or len(answer.raw) > BODY_MAX:
            return
        raw = answer.raw
        if "content-encoding" in answer.headers and raw[:1] != b"{":  # curl may have decoded it
            raw = zlib.decompress(raw, 32 + 15)
        try:
            value = json.loads(raw, parse_constant=float if oip else refuse_constant)
        except ValueError as e:
            raise Violation(f"{what} is not JSON: {e}: {raw[:200]!r}") from None
        value = ends(value)
        kind = what, shape(value)
        if self.checked[kind] >= CHECKED:
            return
        self.valid(value, response["content"][media]["schema"], what)
        if media == "application/problem+json":
            if value["code"] not in error_codes(response):
                raise Violation(f"{what} does not name the code {value['code']}: {value['detail']}")
            if value["status"] != answer.status:
                raise Violation(f"{what} says the status {value['status']}")
            unknown_model = "Request for unknown model: " if value["code"] == "no_such_model" else ""
            if value.get("error") != (unknown_model + value["detail"] if oip else None):
                raise Violation(f"{what} says the error {value.get('error')!r}")
        self.checked[kind] += 1

    def check(self, method, target, answer):
        operation, status = operation_of(method, target), str(answer.status)
        if operation is not None:
            responses = {**ANY_PATH, **operation.responses}
        else:
            responses = OPTIONS if method == "OPTIONS" and status < "400" else NO_OPERATION
        what = f"{status} of {operation or f'{method} where the page has no operation'}"
        with self.lock:
            if self.read[what] >= READ:
                return
            if status not in responses:
                raise Violation(f"docs/openapi.yaml does not declare {what}: {answer}")
            response, media = responses[status], answer.headers.get("content-type")
            content = {**response.get("content", {})}
            if content and media not in content or not content and media is not None:
                raise Violation(f"{what} has the media type {media}, not {' or '.join(content) or 'none'}")
            self.headers(answer.headers, response.get("headers", {}), what)
            self.caching(method, target, answer, what)
            if method != "HEAD" and content:
                self.body(target, answer, media, response, what)
            self.read[what] += 1


check = Checker().check
