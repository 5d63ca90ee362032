# SPDX-License-Identifier: MIT
"""The API's calls as values: what is sent, and how the answer is read. Pure functions; both clients use them."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import Any, Iterator, Mapping, Sequence

from . import _npy, _oip, _safetensors, _tensors
from ._request import Answer, Call, Request, json_body, segment
from ._retries import Repeat, new_key
from ._tensors import Buffer, Values, column, flat_list
from ._version import __version__
from .errors import Error, Incompatible
from .types import (Affine, Counts, Gradients, Inferred, ModelInferred, ModelTrained, Parameters, Source, Statistics,
                    Sync, Trained, Version, VersionName)

#: A query with more characters goes into the body: a request's head has room for 8,000 bytes.
QUERY_MAX = 6000
#: Parts of a file that is sent.
CHUNK_BYTES = 1 << 20
PAGE = "1000"
#: What of a file's status tells that it is still the same.
_FILE = ("st_dev", "st_ino", "st_size", "st_mtime_ns")

JSON_TYPE = "application/json"


class Unset:
    """The default of an argument whose None has a meaning: it is left out of the request."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


def present(**members: Any) -> dict[str, Any]:
    """The members that are given: neither None nor UNSET."""
    return {name: value for name, value in members.items() if value is not None and value is not UNSET}


def _document(answer: Answer) -> dict[str, Any]:
    return answer.document()


def _nothing(answer: Answer) -> None:
    return None


def _version(name: str | None) -> VersionName:
    return int(name) if name is not None and name.isdigit() else name or "live"


def model_path(model: str) -> str:
    return "/v1/models/" + segment(model, "model")


def layer_path(model: str, layer: str) -> str:
    return f"{model_path(model)}/layers/{segment(layer, 'layer')}"


def protocol_path(model: str, version: VersionName | None) -> str:
    """The path of the Open Inference Protocol: of what serves, or of a version."""
    path = "/v2/models/" + segment(model, "model")
    return path if version is None else f"{path}/versions/{segment(str(version), 'version')}"


def hello() -> Call[None]:
    """Fails unless the server is a normd whose API is /v1."""

    def read(answer: Answer) -> None:
        root = answer.document()
        if root.get("name") != "normd":
            raise Incompatible(f"the server is not a normd: its name is {root.get('name')!r}, not 'normd'")
        models = root["links"]["models"]
        if models != "/v1/models":
            raise Incompatible(f"the server is normd {root['version']}, whose models are at {models}, and this package "
                               f"(normd {__version__}) speaks the API with /v1/models")

    return Call(Request("GET", "/", headers={"Accept": JSON_TYPE}), read)


# ---- documents


def get(path: str, query: Mapping[str, str] | None = None) -> Call[Any]:
    """A document. Without Accept, `/` would be a page for browsers."""
    return Call(Request("GET", path, query or {}, {"Accept": JSON_TYPE}), _document)


def text(path: str) -> Call[str]:
    return Call(Request("GET", path), lambda answer: bytes(answer.body).decode())


def version(path: str) -> Call[Version]:
    """Only what the version itself is, not its layers."""

    def read(answer: Answer) -> Version:
        found = answer.document()
        return {"version": found["version"], "created": found["created"], "note": found["note"],
                "digest": found["digest"]}

    return Call(get(path, {"limit": "1"}).request, read)


def index(ready: bool) -> Call[list[dict[str, Any]]]:
    return Call(post("/v2/repository/index", {"ready": ready}).request, lambda answer: list(answer.json()))


def page(path: str, member: str, after: str | None) -> Call[tuple[list[Any], str | None]]:
    """A part of a list, and the name after which the next part begins."""

    def read(answer: Answer) -> tuple[list[Any], str | None]:
        document = answer.document()
        return list(document[member]), document["next"]

    return Call(get(path, present(limit=PAGE, after=after)).request, read)


def member(call: Call[Any], name: str) -> Call[Any]:
    """The call, of whose answer one member is read."""
    return Call(call.request, lambda answer: answer.document()[name])


def put(path: str, document: Any, if_match: int | None = None, repeat: Repeat = Repeat.SAFE) -> Call[Any]:
    """A conditional change that was carried out would be refused if it came again."""
    headers = {"Content-Type": JSON_TYPE, **_if_match(if_match)}
    return Call(Request("PUT", path, headers=headers, repeat=repeat if if_match is None else Repeat.NEVER,
                        **json_body(document)), _document)


def delete(path: str, if_match: int | None = None) -> Call[None]:
    return Call(Request("DELETE", path, headers=_if_match(if_match), absent_is_done=True,
                        repeat=Repeat.SAFE if if_match is None else Repeat.NEVER), _nothing)


def post(path: str, document: Any, query: Mapping[str, str] | None = None, key: str | int | None = None,
         keyed: bool = False) -> Call[Any]:
    headers = {"Content-Type": JSON_TYPE, **(_key(key) if keyed else {})}
    return Call(Request("POST", path, query or {}, headers, **json_body(document)), _document)


def _if_match(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f'"{revision}"'}


def _key(key: str | int | None) -> dict[str, str]:
    if key is None:
        return {"Idempotency-Key": f'"{new_key()}"'}
    if not re.fullmatch(r"[ !#-\[\]-~]{1,255}", str(key)):
        raise ValueError(f"{key!r} is not an idempotency key, which has 1 to 255 printable ASCII characters, no quotes "
                         f"or backslashes")
    return {"Idempotency-Key": f'"{key}"'}


# ---- tensors


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _tensors.json_text(value).decode() if isinstance(value, dict) else str(value)


def _padding(lengths: Any, mask: Any) -> dict[str, Any]:
    return present(lengths=lengths, mask=mask)


def _comma_separated(padding: Mapping[str, Any]) -> dict[str, str]:
    return {name: ",".join(_leaves(values)) for name, values in padding.items()}


def _leaves(value: Any) -> Iterator[str]:
    value = _tensors.plain(value)
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _leaves(part)
    else:
        yield str(int(value)) if isinstance(value, bool) else str(value)


def _tensor_json(values: Values | None, x: Any) -> dict[str, Any]:
    """A list as it is. A tensor in memory as well: for options that do not fit a request's head."""
    if values is None:
        return {"data": x}
    if values.bfloat16:
        raise ValueError("parameters, or a mask this long, go as JSON, which has no bfloat16: pass float32")
    return {"shape": list(values.array.shape), "datatype": _tensors.datatype(values),
            "data": values.array.reshape(-1).tolist()}


def _restored(values: Values, document: Mapping[str, Any]) -> Any:
    import numpy
    array = numpy.array(document["data"], dtype=_tensors.TYPES[document["datatype"]])
    return values.restore(array.reshape(document["shape"]))


def _with_tensor(path: str, x: Any, padding: dict[str, Any], options: dict[str, Any],
                 headers: dict[str, str]) -> tuple[Request, Values | None, bool]:
    """
    A request with one tensor: arrays as .npy with the options in the query, lists as JSON. Also what the tensor was,
    and whether it went as JSON. `options` are for the query in any form.
    """
    values = _tensors.values(x)
    query = {name: _query_text(value) for name, value in options.items()}
    flat = _comma_separated(padding) if values is not None else {}
    if values is None or sum(map(len, flat.values())) > QUERY_MAX:
        body = {**_tensor_json(values, x), **padding}
        return Request("POST", path, query, {"Content-Type": JSON_TYPE, **headers}, **json_body(body)), values, True
    parts = _npy.encode(values)
    return Request("POST", path, {**query, **flat}, {"Content-Type": _npy.MEDIA_TYPE, **headers}, tuple(parts),
                   sum(map(len, parts))), values, False


def _output(answer: Answer, values: Values | None, as_json: bool, copy: bool) -> Any:
    if values is None:
        return answer.json()["data"]
    return _restored(values, answer.json()) if as_json else values.restore(_npy.decode(answer.body, copy)[0])


def _number(answer: Answer, header: str) -> int:
    value = answer.number(header)
    if value is None:
        raise KeyError(header)
    return value


def train(path: str, x: Any, *, output: bool, lengths: Any, mask: Any, seed: int | None, sync: Sync | None,
          source: str | None, key: str | int | None, copy: bool) -> Call[Trained]:
    options = present(output=None if output else False, seed=seed, sync=sync, source=source)
    if sync is not None and key is not None:
        raise ValueError("a synchronized batch takes no key: its step names it")
    headers = {} if sync is not None else _key(key)
    request, values, as_json = _with_tensor(path + "/train", x, _padding(lengths, mask), options, headers)
    if sync is not None:
        request = replace(request, repeat=Repeat.NEVER)  # a daemon that is started again has forgotten its steps

    def read(answer: Answer) -> Trained:
        return Trained(_output(answer, values, as_json, copy) if output else None,
                       _number(answer, "normd-revision"), _number(answer, "normd-num-batches-tracked"),
                       answer.number("normd-seed"))

    return Call(request, read)


def infer(path: str, x: Any, *, version: VersionName | None, inverse: bool, lengths: Any, mask: Any,
          expect: str | None, copy: bool) -> Call[Inferred]:
    options = present(version=version, inverse=inverse or None, expect=expect)
    request, values, as_json = _with_tensor(path + "/infer", x, _padding(lengths, mask), options, {})

    def read(answer: Answer) -> Inferred:
        return Inferred(_output(answer, values, as_json, copy), _number(answer, "normd-revision"),
                        _version(answer.headers.get("normd-version")))

    return Call(request, read)


def normalize(definition: Mapping[str, Any], x: Any, *, weight: Any, bias: Any, lengths: Any, mask: Any,
              copy: bool) -> Call[Any]:
    """Arrays go as .npy, unless there are weights, which only JSON has room for."""
    values = _tensors.values(x)
    padding = _padding(lengths, mask)
    if values is not None and weight is None and bias is None:
        request, values, as_json = _with_tensor("/v1/normalize", x, padding, {"definition": dict(definition)}, {})
        if not as_json:
            return Call(request, lambda answer: _output(answer, values, False, copy))
    parameters = {name: flat_list(value) for name, value in present(weight=weight, bias=bias).items()}
    document = {"definition": dict(definition), "tensor": _tensor_json(values, x), **parameters, **padding}
    request = Request("POST", "/v1/normalize", {}, {"Content-Type": JSON_TYPE}, **json_body(document))
    return Call(request, lambda answer: _output(answer, values, True, copy))


def backward(path: str, x: Any, grad_output: Any, *, mode: str, lengths: Any, mask: Any, seed: int | None,
             sync: Sync | None, copy: bool) -> Call[Gradients]:
    options = present(mode=mode, seed=seed, sync=sync)
    found, gradient = _tensors.values(x), _tensors.values(grad_output)
    padding = _padding(lengths, mask)
    flat = _comma_separated(padding)
    if found is None or gradient is None or sum(map(len, flat.values())) > QUERY_MAX:
        return _backward_json(path, (x, found), (grad_output, gradient), {**options, **padding})
    parts = [*_npy.encode(found), *_npy.encode(gradient)]
    restore = found.restore
    query = {name: _query_text(value) for name, value in options.items()}

    def read(answer: Answer) -> Gradients:
        arrays = _npy.decode(answer.body, copy)
        # One file for each gradient: layers without a bias, or without a weight, have fewer.
        weight, bias = (arrays[1:] + [None, None])[:2]
        return Gradients(restore(arrays[0]), weight, bias, _number(answer, "normd-revision"))

    return Call(Request("POST", path + "/backward", {**query, **flat}, {"Content-Type": _npy.MEDIA_TYPE},
                        tuple(parts), sum(map(len, parts))), read)


def _backward_json(path: str, x: tuple[Any, Values | None], grad_output: tuple[Any, Values | None],
                   options: Mapping[str, Any]) -> Call[Gradients]:
    def optional(gradient: Mapping[str, Any] | None) -> Any:
        return None if gradient is None else column(gradient["data"])

    def read(answer: Answer) -> Gradients:
        document = answer.json()
        values, grad_input = x[1], document["grad_input"]
        return Gradients(grad_input["data"] if values is None else _restored(values, grad_input),
                         optional(document["grad_weight"]), optional(document["grad_bias"]),
                         _number(answer, "normd-revision"))

    body = {"input": _tensor_json(x[1], x[0]), "grad_output": _tensor_json(grad_output[1], grad_output[0]), **options}
    return Call(Request("POST", path + "/backward", {}, {"Content-Type": JSON_TYPE}, **json_body(body)), read)


def report(path: str, x: Any, *, version: VersionName | None, top: int | None, possible: float | None,
           drift: float | None, min_count: int | None, lengths: Any, mask: Any) -> Call[Any]:
    options = present(version=version, top=top, possible=possible, drift=drift, min_count=min_count)
    request, _, _ = _with_tensor(path + "/report", x, _padding(lengths, mask), options, {"Accept": JSON_TYPE})
    return Call(request, _document)


# ---- models


def _model_call(model: str, tensors: Mapping[str, Any], found: Mapping[str, Values | None],
                parameters: Mapping[str, Any], version: VersionName | None, headers: dict[str, str]) -> Request:
    parts, head_bytes = _oip.encode(tensors, found, parameters)
    return Request("POST", protocol_path(model, version) + "/infer", {},
                   {"Content-Type": _oip.MEDIA_TYPE, _oip.HEADER_BYTES: str(head_bytes), **headers}, tuple(parts),
                   sum(map(len, parts)))


def _head_bytes(answer: Answer) -> int | None:
    return answer.number(_oip.HEADER_BYTES.lower())


def model_infer(model: str, tensors: Mapping[str, Any], *, version: VersionName | None,
                copy: bool) -> Call[ModelInferred]:
    found = {name: _tensors.values(x) for name, x in tensors.items()}

    def read(answer: Answer) -> ModelInferred:
        document, outputs = _oip.decode(answer.body, _head_bytes(answer), found, copy)
        return ModelInferred(outputs, _version(document["model_version"]))

    return Call(_model_call(model, tensors, found, {}, version, {}), read)


def model_train(model: str, tensors: Mapping[str, Any], *, key: str | int | None, copy: bool) -> Call[ModelTrained]:
    found = {name: _tensors.values(x) for name, x in tensors.items()}

    def read(answer: Answer) -> ModelTrained:
        document, outputs = _oip.decode(answer.body, _head_bytes(answer), found, copy)
        said = {output["name"]: output["parameters"] for output in document["outputs"]}
        return ModelTrained({name: Trained(output, said[name]["revision"], said[name].get("num_batches_tracked", 0),
                                           said[name].get("seed")) for name, output in outputs.items()})

    return Call(_model_call(model, tensors, found, {"mode": "train"}, None, _key(key)), read)


def state_put(model: str, tensors: Mapping[str, Any], counts: Mapping[str, float],
              definitions: Mapping[str, Mapping[str, Any]]) -> Call[Any]:
    parts = _safetensors.encode(tensors, {
        **{f"normd.count.{layer}": str(count) for layer, count in counts.items()},
        **{f"normd.definition.{layer}": json.dumps(dict(definition)) for layer, definition in definitions.items()}})
    return Call(Request("PUT", model_path(model) + "/state.safetensors", {},
                        {"Content-Type": _safetensors.MEDIA_TYPE}, tuple(parts), sum(map(len, parts))), _document)


def state_put_file(model: str, path: str | os.PathLike[str], progress: Any = None) -> Call[Any]:
    """The file is opened anew for each attempt. One that has changed meanwhile is not sent whole, and so not read."""
    with open(path, "rb") as file:
        found = os.fstat(file.fileno())
    size = found.st_size

    def parts() -> Iterator[Buffer]:
        sent = 0
        with open(path, "rb") as file:
            while sent < size:
                chunk = file.read(min(CHUNK_BYTES, size - sent))
                now = os.fstat(file.fileno())
                if not chunk or any(getattr(now, member) != getattr(found, member) for member in _FILE):
                    raise Error(f"{os.fspath(path)}: the file changed while it was sent: import it again when it is "
                                f"complete")
                yield chunk
                sent += len(chunk)
                if progress is not None:
                    progress(sent, size)

    return Call(Request("PUT", model_path(model) + "/state.safetensors", {},
                        {"Content-Type": _safetensors.MEDIA_TYPE}, parts, size), _document)


def state_get(model: str, *, version: VersionName | None, datatype: str | None) -> Call[dict[str, Any]]:
    query = {name: str(value) for name, value in present(version=version, datatype=datatype).items()}
    return Call(Request("GET", model_path(model) + "/state.safetensors", query),
                lambda answer: dict(_safetensors.decode(answer.body)))


# ---- statistics


def _statistics(answer: Answer) -> Statistics:
    document = answer.json()
    return Statistics(column(document["running_mean"]["data"]), column(document["running_var"]["data"]),
                      document["num_batches_tracked"], document["revision"], document.get("count"),
                      document.get("digest"))


def statistics(path: str, version: VersionName | None) -> Call[Statistics]:
    query = {name: str(value) for name, value in present(version=version).items()}
    return Call(Request("GET", path + "/statistics", query), _statistics)


def statistics_put(path: str, running_mean: Any, running_var: Any, num_batches_tracked: int, count: float | None,
                   if_match: int | None) -> Call[Statistics]:
    document = {"running_mean": flat_list(running_mean), "running_var": flat_list(running_var),
                "num_batches_tracked": num_batches_tracked, **present(count=count)}
    return Call(put(path + "/statistics", document, if_match).request, _statistics)


def statistics_reset(path: str, if_match: int | None) -> Call[Statistics]:
    request = delete(path + "/statistics", if_match).request
    return Call(replace(request, absent_is_done=False), _statistics)


def moments(count: int, mean: Any, var: Any) -> dict[str, Any]:
    return {"count": count, "mean": flat_list(mean), "var": flat_list(var)}


def counts(call: Call[Any]) -> Call[Counts]:
    """The call, whose answer is read as counts."""

    def read(answer: Answer) -> Counts:
        document = answer.json()
        return Counts(document["revision"], document["num_batches_tracked"])

    return Call(call.request, read)


def source(path: str) -> Call[Source]:
    def read(answer: Answer) -> Source:
        document = answer.json()
        return Source(document["source"], document["count"], column(document["mean"]), column(document["var"]),
                      document["time"])

    return Call(Request("GET", path), read)


def _optional_column(numbers: list[float] | None) -> Any:
    return None if numbers is None else column(numbers)


def parameters(call: Call[Any]) -> Call[Parameters]:
    def read(answer: Answer) -> Parameters:
        document = answer.json()
        return Parameters(_optional_column(document["weight"]), _optional_column(document["bias"]))

    return Call(call.request, read)


def affine(path: str, version: VersionName | None) -> Call[Affine]:
    query = {name: str(value) for name, value in present(version=version).items()}

    def read(answer: Answer) -> Affine:
        document = answer.json()
        return Affine(column(document["scale"]), column(document["shift"]))

    return Call(Request("GET", path + "/affine", query), read)


def names(sources: Sequence[str]) -> dict[str, Any]:
    return {"sources": list(sources)}
