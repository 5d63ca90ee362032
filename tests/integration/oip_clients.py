# SPDX-License-Identifier: MIT
"""What clients of the Open Inference Protocol send, byte for byte, recorded by a server that kept the bytes.

The Triton client for Python has two forms. The synchronous one uses geventhttpclient: version 2.0 writes the names of
headers in lower case, version 2.3 as they are given. Neither sends Accept or Content-Type, and a request without a body
has no Content-Length. The asyncio form uses aiohttp, which sends all of these. The Triton client for C++ says how long
the JSON is also where nothing follows it, and its calls without tensors have the Content-Type of forms. KServe's client
names the model in the body, and writes a binary tensor of no bytes as `"data":null`.
"""

import collections
import struct

HOST = "localhost:8000"

Request = collections.namedtuple("Request", "method target headers body")


def get(target, headers=None):
    return Request("GET", target, headers or {}, b"")


def post(target, body=b"", headers=None):
    return Request("POST", target, headers or {}, body)


def infer(json, raw=b"", target="/v2/models/vision/infer", headers=None):
    """A call of the client's infer(): the JSON text and the bytes of the binary tensors. The header with the length of
    the JSON is there if a tensor is binary, even one of no bytes."""
    length = {"Inference-Header-Content-Length": len(json)} if "binary_data_size" in json else {}
    return post(target, json.encode() + raw, {**(headers or {}), **length})


def compressed(coding, body, length=None, headers=None):
    length = {"Inference-Header-Content-Length": length} if length else {}
    return post("/v2/models/vision/infer", body, {"Content-Encoding": coding, **(headers or {}), **length})


def fp32(*values):
    return struct.pack(f"<{len(values)}f", *values)


def fp64(*values):
    return struct.pack(f"<{len(values)}d", *values)


def fp16(*values):
    return struct.pack(f"<{len(values)}e", *values)


def bf16(*values):
    return b"".join(fp32(value)[2:] for value in values)


# What is common to the recorded calls: one binary tensor of FP32, and all outputs asked for in binary.
BN1 = '{"name":"bn1","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}}'
BN1_JSON = '{"name":"bn1","shape":[2,2],"datatype":"FP32","data":[1.0,2.0,3.0,4.5]}'
ALL_BINARY = '"parameters":{"binary_data_output":true}'
BN1_AS_JSON = '"outputs":[{"name":"bn1","parameters":{"binary_data":false}}]'
ONE = f'{{"inputs":[{BN1}],{ALL_BINARY}}}'
VALUES = fp32(1, 2, 3, 4.5)

# ONE + VALUES, and the call of JSON alone, compressed by Python's gzip and zlib, which differ in head and tail alone.
GZIP_HEAD = bytes.fromhex("1f8b08004ace0d6b02ff")
ZLIB_HEAD = b"x\x9c"
ONE_COMPRESSED = bytes.fromhex(
    "ab56cacc2b282d2956b28aae56ca4bcc4d55b2524aca3354d2512ace482c00f2a28d748c62759452124b124b2a41024a6e01c646"
    "40f982c422a0f292d422a0de6aa5a4ccbcc4a2ca7890b2f8e2cc2aa03a43b3dada587ccaf24b4b80362b59951495a6d6d6323034"
    "d8333030380011104f700000")
JSON_COMPRESSED = bytes.fromhex(
    "ab56cacc2b282d2956b28aae56ca4bcc4d55b2524aca3354d2512ace482c00f2a28d748c62759452124b124b2a41024a6e01c646"
    "4a1011a0b4a19e818e11101b03b1899e696c2d50717e690976330b128b80dc92d422a05cb55252665e6251653cc4a0b4c49ce2d4"
    "dadad85a00")
ONE_GZIP = GZIP_HEAD + ONE_COMPRESSED + bytes.fromhex("523bb2ab99000000")
ONE_DEFLATE = ZLIB_HEAD + ONE_COMPRESSED + bytes.fromhex("2e7731ba")
JSON_GZIP = GZIP_HEAD + JSON_COMPRESSED + bytes.fromhex("8212010a92000000")
JSON_DEFLATE = ZLIB_HEAD + JSON_COMPRESSED + bytes.fromhex("b0552dfc")

REQUESTS = {
    "server live": get("/v2/health/live"),
    "server ready": get("/v2/health/ready"),
    "server live, query": get("/v2/health/live?test_1=1&test_2=2"),
    "server metadata": get("/v2"),
    "model ready": get("/v2/models/vision/ready"),
    "model ready, version": get("/v2/models/vision/versions/1/ready"),
    "model metadata": get("/v2/models/vision"),
    "model metadata, query": get("/v2/models/vision?test_1=1&test_2=2"),
    "model metadata, version, header": get("/v2/models/vision/versions/1", {"X-Trace": "a b"}),
    "model config": get("/v2/models/vision/config"),
    "model config, version": get("/v2/models/vision/versions/1/config"),
    "index": post("/v2/repository/index"),
    "load": post("/v2/repository/models/vision/load", b"{}"),
    "load, config": post("/v2/repository/models/vision/load",
                         rb'{"parameters":{"config":"{\"max_batch_size\":\"16\"}"}}'),
    "unload": post("/v2/repository/models/vision/unload", b'{"parameters":{"unload_dependents":false}}'),
    "unload dependents": post("/v2/repository/models/vision/unload", b'{"parameters":{"unload_dependents":true}}'),
    "statistics": get("/v2/models/vision/stats"),
    "statistics, version": get("/v2/models/vision/versions/1/stats"),
    "statistics, all": get("/v2/models/stats"),
    "trace settings": get("/v2/trace/setting"),
    "log settings": get("/v2/logging"),
    "system shared memory status": get("/v2/systemsharedmemory/status"),
    "unregister system shared memory": post("/v2/systemsharedmemory/unregister"),

    "infer, binary, no outputs": infer(ONE, VALUES),
    "infer, binary, output binary":
        infer(f'{{"inputs":[{BN1}],"outputs":[{{"name":"bn1","parameters":{{"binary_data":true}}}}]}}', VALUES),
    "infer, binary, output JSON": infer(f'{{"inputs":[{BN1}],{BN1_AS_JSON}}}', VALUES),
    "infer, JSON, output JSON": infer(f'{{"inputs":[{BN1_JSON}],{BN1_AS_JSON}}}'),
    "infer, JSON, no outputs": infer(f'{{"inputs":[{BN1_JSON}],{ALL_BINARY}}}'),
    "infer, mixed":
        infer(f'{{"inputs":[{BN1_JSON},'
              '{"name":"bn2","shape":[2,2],"datatype":"FP64","parameters":{"binary_data_size":32}},'
              '{"name":"ln","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}}],'
              '"outputs":[{"name":"ln","parameters":{"binary_data":false}},'
              '{"name":"bn1","parameters":{"binary_data":true}},{"name":"bn2","parameters":{"binary_data":true}}]}',
              fp64(1, 2, 3, 4.5) + fp32(1, 3, 3, 5)),
    "infer, id": infer(rf'{{"id":"my id \u00E9 \"1\"","inputs":[{BN1}],{ALL_BINARY}}}', VALUES),
    "infer, version": infer(ONE, VALUES, "/v2/models/vision/versions/1/infer"),
    "infer, alias": infer(ONE, VALUES, "/v2/models/vision/versions/champion/infer"),
    "infer, query": infer(ONE, VALUES, "/v2/models/vision/infer?test_1=1&test_2=2"),
    "infer, sequence, priority, timeout":
        infer(f'{{"inputs":[{BN1}],"parameters":{{"sequence_id":7,"sequence_start":true,"sequence_end":false,'
              '"priority":1,"timeout":1000000,"binary_data_output":true}}', VALUES),
    "infer, gzip": compressed("gzip", ONE_GZIP, 137),
    "infer, deflate": compressed("deflate", ONE_DEFLATE, 137),
    "infer, JSON, gzip": compressed("gzip", JSON_GZIP),
    "infer, JSON, deflate": compressed("deflate", JSON_DEFLATE),
    "infer, answer gzip": infer(ONE, VALUES, headers={"Accept-Encoding": "gzip"}),
    "infer, answer deflate": infer(ONE, VALUES, headers={"Accept-Encoding": "deflate"}),
    "infer, both gzip": compressed("gzip", ONE_GZIP, 137, {"Accept-Encoding": "gzip"}),
    "infer, FP16": infer(ONE.replace("FP32", "FP16").replace("16}", "8}"), fp16(1, 2, 3, 4.5)),
    "infer, FP16 JSON": infer(f'{{"inputs":[{BN1_JSON.replace("FP32", "FP16")}],{BN1_AS_JSON}}}'),
    "infer, FP64": infer(ONE.replace("FP32", "FP64").replace("16}", "32}"), fp64(1, 2, 3, 4.5)),
    "infer, FP64 JSON":
        infer('{"inputs":[{"name":"bn1","shape":[2,2],"datatype":"FP64","data":[1.0000000000009095,2.0,3.0,4.5]}],'
              f'{BN1_AS_JSON}}}'),
    "infer, BF16": infer(ONE.replace("FP32", "BF16").replace("16}", "8}"), bf16(1, 2, 3, 4.5)),
    "infer, zero-size": infer(ONE.replace("[2,2]", "[0,2]").replace("16}", "0}")),
    "infer, zero-size JSON":
        infer(f'{{"inputs":[{{"name":"bn1","shape":[0,2],"datatype":"FP32","data":[]}}],{BN1_AS_JSON}}}'),
    "infer, zero-size between":
        infer(f'{{"inputs":[{BN1},'
              '{"name":"bn2","shape":[0,2],"datatype":"FP32","parameters":{"binary_data_size":0}},'
              '{"name":"ln","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],'
              f'{ALL_BINARY}}}', VALUES + fp32(1, 3)),
    "infer, zero-size BF16":
        infer(ONE.replace("FP32", "BF16").replace("[2,2]", "[0,2]").replace("16}", "0}")),
    "infer, not finite":
        infer('{"inputs":[{"name":"bn1","shape":[2,2],"datatype":"FP32","data":[NaN,Infinity,-Infinity,-0.0]}],'
              f'{BN1_AS_JSON}}}'),
    "infer, not finite binary": infer(ONE, bytes.fromhex("0000c07f 0000807f 000080ff 00000080")),
    "infer, classification":
        infer(f'{{"inputs":[{BN1}],'
              '"outputs":[{"name":"bn1","parameters":{"classification":2,"binary_data":true}}]}', VALUES),
    "train":
        infer(f'{{"inputs":[{BN1},{BN1.replace("bn1", "bn2")}],'
              '"parameters":{"binary_data_output":true,"mode":"train"}}',
              fp32(1, 3, 3, 5) * 2, headers={"Idempotency-Key": "step-1"}),
    "train, JSON":
        infer('{"inputs":[{"name":"bn1","shape":[2,2],"datatype":"FP32","data":[1.0,3.0,3.0,5.0]}],'
              f'{BN1_AS_JSON},"parameters":{{"mode":"train"}}}}'),
    "infer, unknown model": infer(ONE, VALUES, "/v2/models/nothing/infer"),
    "infer, model name to be quoted": infer(ONE, VALUES, "/v2/models/no%20thing/%C3%A9/infer"),
}


CXX_ONE = '{"id":"7",%s"inputs":[{"name":"bn1","datatype":"FP32","shape":[2,2],%s}]%s}'
CXX_BINARY = '"parameters":{"binary_data_size":16}'
CXX_DATA = '"data":[1.0,2.0,3.0,4.5]'

# By the Triton client for C++; the type of the infer calls depends on the inputs.
CXX_REQUESTS = {
    "index": post("/v2/repository/index"),
    "load": post("/v2/repository/models/vision/load", b"{}"),
    "unload": post("/v2/repository/models/vision/unload"),
    "infer, binary": infer(CXX_ONE % (ALL_BINARY + ",", CXX_BINARY, ""), VALUES),
    "infer, JSON, output binary": infer(CXX_ONE % (ALL_BINARY + ",", CXX_DATA, "")),
    "infer, JSON, output JSON": infer(CXX_ONE % ("", CXX_DATA, "," + BN1_AS_JSON)),
}

# By KServe's client.
KSERVE_REQUESTS = {
    "infer, mixed":
        infer('{"id":"7","model_name":"vision","inputs":[{"name":"bn1","shape":[2,2],"datatype":"FP32",'
              '"parameters":{"binary_data_size":16}},{"name":"bn2","shape":[2,2],"datatype":"FP32",'
              '"data":[1.0,2.0,3.0,4.5]}]}', VALUES),
    "infer, zero-size":
        post("/v2/models/vision/infer",
             b'{"id":"7","model_name":"vision","inputs":[{"name":"bn1","shape":[0,2],"datatype":"FP32",'
             b'"parameters":{"binary_data_size":0},"data":null}]}'),
}


def text(request, lines):
    head = f"{request.method} {request.target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines)
    return head.encode() + b"\r\n" + request.body


def synchronous(request):
    """The request as tritonclient.http sends it through geventhttpclient 2.3."""
    length = {"Content-Length": len(request.body)} if request.body else {}
    return text(request, {"User-Agent": "python/gevent-http-client-2.3.8", **request.headers, "Host": HOST,
                          **length}.items())


def synchronous_lower_case(request):
    """As geventhttpclient 2.0 does."""
    length = {"content-length": len(request.body)} if request.body else {}
    headers = {name.lower(): value for name, value in request.headers.items()}
    return text(request, {"user-agent": "python/gevent-http-client-2.0.8", **headers, "host": HOST, **length}.items())


def asyncio(request):
    """The request as tritonclient.http.aio sends it through aiohttp 3.8."""
    own = {} if "Accept-Encoding" in request.headers else {"Accept-Encoding": "gzip, deflate"}
    body = {"Content-Length": len(request.body), "Content-Type": "application/octet-stream"}
    return text(request, {"Host": HOST, **request.headers, "Accept": "*/*", **own,
                          "User-Agent": "Python/3.11 aiohttp/3.8.4", **(body if request.method == "POST" else {})
                          }.items())


def cxx(request):
    """The request as the Triton client for C++ sends it through libcurl."""
    lines = {"Host": HOST, "User-Agent": "libcurl-agent/1.0", "Accept": "*/*", **request.headers}
    length = {"Content-Length": len(request.body)} if request.method == "POST" else {}
    if request.target.endswith("/infer"):
        binary = "Inference-Header-Content-Length" in request.headers
        lines.setdefault("Inference-Header-Content-Length", len(request.body))
        media_type = {"Content-Type": "application/octet-stream" if binary else "application/json"}
        return text(request, {**lines, **media_type, **length}.items())
    form = {"Content-Type": "application/x-www-form-urlencoded"} if request.method == "POST" else {}
    return text(request, {**lines, **length, **form}.items())


def kserve(request):
    """The request as KServe's client sends it through httpx."""
    binary = "Inference-Header-Content-Length" in request.headers
    lines = {"Host": HOST, "Accept": "*/*", "Accept-Encoding": "gzip, deflate, br", "Connection": "keep-alive",
             "User-Agent": "python-httpx/0.23.3", **{name.lower(): value for name, value in request.headers.items()},
             "content-type": "application/octet-stream" if binary else "application/json",
             "Content-Length": len(request.body)}
    return text(request, lines.items())
