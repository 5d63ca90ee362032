# SPDX-License-Identifier: MIT
"""The Open Inference Protocol byte for byte: the requests that its clients send (oip_clients.py), and the answers,
which must be exactly these bytes wherever they are determined."""

import gzip
import json
import math
import socket
import struct
import zlib

import api_check
import oip_clients
from normd import PATIENCE, Answer, DaemonTest
from oip_clients import CXX_REQUESTS, KSERVE_REQUESTS, REQUESTS, bf16, fp16, fp32, fp64, infer

# With these statistics, 1 / sqrt(var + eps) is 1/2 and 1/4, so all results are exact in every datatype.
LAYERS = {
    "bn1": {"kind": "batch_norm", "num_features": 2, "eps": 3},
    "bn2": {"kind": "batch_norm", "num_features": 2, "eps": 3},
    "ln": {"kind": "layer_norm", "normalized_shape": [2], "eps": 3},
}
STATISTICS = {"running_mean": [1, 2], "running_var": [1, 13], "num_batches_tracked": 4}
RESULT = (0, 0, 1, 0.625)  # of 1, 2, 3, 4.5


def compact(value):
    return json.dumps(value, separators=(",", ":"))


class Connection:
    """A kept connection: sends bytes, and reads the answers by their Content-Length or chunks."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30 * PATIENCE)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def exchange(self, request):
        self.socket.sendall(request)
        status = int(self.file.readline().split()[1])
        headers = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return Answer(status, headers, self.body(headers))

    def body(self, headers):
        if headers.get("transfer-encoding") != "chunked":
            return self.file.read(int(headers["content-length"]))
        body = b""
        while length := int(self.file.readline(), 16):
            body += self.file.read(length)
            self.file.readline()
        self.file.readline()
        return body


class Exchange:
    """A model with known statistics, and a connection on which one client talks (`form`: a function of oip_clients)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        api = cls.daemon.client()
        for name, definition in LAYERS.items():
            api.request("PUT", f"/v1/models/vision/layers/{name}", definition)
        for name in ("bn1", "bn2"):
            api.request("PUT", f"/v1/models/vision/layers/{name}/statistics", STATISTICS)
        api.request("POST", "/v1/models/vision/versions")
        api.request("PUT", "/v1/models/vision/aliases/champion", {"version": 1})
        api.close()

    def setUp(self):
        self.connection = Connection(self.daemon.port)
        self.addCleanup(self.connection.close)
        api = self.daemon.client()
        self.addCleanup(api.close)
        self.api = api.request

    def set_back_afterwards(self):
        """For tests that train bn1 or bn2: the next test finds the same statistics, under a later revision."""
        for name in ("bn1", "bn2"):
            self.addCleanup(self.api, "PUT", f"/v1/models/vision/layers/{name}/statistics", STATISTICS)

    def exchange(self, request, status=200):
        answer = self.connection.exchange(type(self).form(request))
        self.assertEqual(answer.status, status, answer)
        api_check.check(request.method, request.target, answer)
        if status != 200:
            self.assertEqual(answer.headers["content-type"], "application/problem+json")
        return answer

    def expect_json(self, request, text):
        answer = self.exchange(request)
        self.assertEqual((answer.headers["content-type"], answer.body), ("application/json", text))
        self.assertNotIn("inference-header-content-length", answer.headers)
        return answer

    def expect_binary(self, request, text, raw):
        answer = self.exchange(request)
        self.assertEqual(answer.raw, text.encode() + raw)
        self.assertEqual((answer.headers["content-type"], answer.headers["inference-header-content-length"]),
                         ("application/octet-stream", str(len(text))))
        return answer

    def revisions(self):
        return {name: int(self.api("GET", f"/v1/models/vision/layers/{name}").headers["etag"].strip('"'))
                for name in LAYERS}

    def output(self, name="bn1", shape=(2, 2), datatype="FP32", size=None, data=None, **parameters):
        """An output as it is written: revision, then what the mode adds, then the size of the binary tensor. Without
        the last two it has no parameters."""
        size = {} if size is None else {"binary_data_size": size}
        data = {} if data is None else {"data": data}
        if size or parameters:
            revision = parameters.pop("revision", self.revisions()[name])
            parameters = {"parameters": {"revision": revision, **parameters, **size}}
        return {"name": name, "datatype": datatype, "shape": list(shape), **parameters, **data}

    def answer(self, *outputs, version="live", **request_id):
        return compact({"model_name": "vision", "model_version": version, **request_id, "outputs": outputs})


class Calls(Exchange):
    """All calls of the Triton client for Python."""

    def test_health(self):
        self.expect_json(REQUESTS["server live"], '{"live":true}')
        self.expect_json(REQUESTS["server ready"], '{"live":true,"ready":true}')
        self.expect_json(REQUESTS["server live, query"], '{"live":true}')

    def test_metadata(self):
        server = self.exchange(REQUESTS["server metadata"]).json
        self.assertEqual((server["name"], server["extensions"][0]), ("normd", "binary_tensor_data"))
        tensors = compact([{"name": name, "datatype": "FP32", "shape": [-1, 2]} for name in LAYERS])
        text = f'{{"name":"vision","versions":["live","1"],"platform":"normd","inputs":{tensors},"outputs":{tensors}}}'
        for name in ("model metadata", "model metadata, query", "model metadata, version, header"):
            with self.subTest(name):
                self.expect_json(REQUESTS[name], text)
        for name in ("model ready", "model ready, version"):
            with self.subTest(name):
                self.expect_json(REQUESTS[name], '{"name":"vision","ready":true}')
        config = self.exchange(REQUESTS["model config"])
        self.expect_json(REQUESTS["model config, version"], config.body)
        self.assertEqual((config.json["name"], config.json["max_batch_size"], config.json["output"][0]),
                         ("vision", 0, {"name": "bn1", "data_type": "TYPE_FP32", "dims": [-1, 2]}))

    def test_repository(self):
        """An unloaded model is not ready and does not infer, until it is loaded."""
        entry = '{"name":"vision","version":"live","state":"%s","reason":"%s"}'
        self.assertIn(entry % ("READY", ""), self.exchange(REQUESTS["index"]).body)
        for name in ("unload", "unload dependents"):
            self.expect_json(REQUESTS[name], '{"name":"vision","unload":true}')
        self.assertIn(entry % ("UNAVAILABLE", "unloaded"), self.exchange(REQUESTS["index"]).body)
        for name in ("model ready", "infer, binary, no outputs", "infer, JSON, output JSON"):
            with self.subTest(name):
                self.assertEqual(self.exchange(REQUESTS[name], 404).code, "no_such_model")
        self.expect_json(REQUESTS["load"], '{"name":"vision","load":true}')
        self.exchange(REQUESTS["model ready"])
        self.exchange(REQUESTS["infer, binary, no outputs"])
        refused = self.exchange(REQUESTS["load, config"], 400)
        self.assertTrue(refused.json["error"].startswith("failed to load"))

    def counts(self, name):
        """By version: how many inferences the model's statistics say."""
        entries = [each for each in self.exchange(REQUESTS[name]).json["model_stats"] if each["name"] == "vision"]
        for each in entries:
            self.assertEqual(each["inference_count"], each["inference_stats"]["success"]["count"])
        return {each["version"]: each["inference_count"] for each in entries}

    def test_statistics(self):
        for _ in range(2):  # so that there are counters
            before = self.counts("statistics")
            self.exchange(REQUESTS["infer, binary, no outputs"])
            self.exchange(REQUESTS["infer, version"])
            self.exchange(REQUESTS["infer, classification"], 400)
        expected = {version: count + 1 for version, count in before.items()}
        self.assertEqual(expected.keys(), {"live", "1"})
        self.assertEqual(self.counts("statistics"), expected)
        self.assertEqual(self.counts("statistics, all"), expected)
        self.assertEqual(self.counts("statistics, version"), {"1": expected["1"]})

    def test_binary(self):
        text = self.answer(self.output(size=16))
        for name in ("infer, binary, no outputs", "infer, binary, output binary", "infer, JSON, no outputs",
                     "infer, query", "infer, sequence, priority, timeout", "infer, gzip", "infer, deflate",
                     "infer, answer gzip", "infer, answer deflate", "infer, both gzip"):
            with self.subTest(name):
                answer = self.expect_binary(REQUESTS[name], text, fp32(*RESULT))
                self.assertEqual((answer.headers["normd-version"], answer.headers["normd-revision"]),
                                 ("live", str(self.revisions()["bn1"])))

    def test_json(self):
        text = self.answer(self.output(data=list(RESULT)))
        for name in ("infer, binary, output JSON", "infer, JSON, output JSON", "infer, JSON, gzip",
                     "infer, JSON, deflate"):
            with self.subTest(name):
                self.expect_json(REQUESTS[name], text)

    def test_mixed(self):
        """JSON and binary tensors of two datatypes in, and out in the order of `outputs`."""
        text = self.answer(self.output("ln", data=[-0.5, 0.5, -0.5, 0.5]), self.output("bn1", size=16),
                           self.output("bn2", datatype="FP64", size=32))
        self.expect_binary(REQUESTS["infer, mixed"], text, fp32(*RESULT) + fp64(*RESULT))

    def test_id(self):
        answer = self.exchange(REQUESTS["infer, id"])
        head = json.loads(answer.raw[:int(answer.headers["inference-header-content-length"])])
        self.assertEqual(head["id"], 'my id \u00e9 "1"')

    def test_datatypes(self):
        for datatype, pack, size in (("FP16", fp16, 8), ("FP64", fp64, 32), ("BF16", bf16, 8)):
            with self.subTest(datatype):
                self.expect_binary(REQUESTS[f"infer, {datatype}"],
                                   self.answer(self.output(datatype=datatype, size=size)), pack(*RESULT))
        self.expect_json(REQUESTS["infer, FP16 JSON"], self.answer(self.output(datatype="FP16", data=list(RESULT))))
        self.expect_json(REQUESTS["infer, FP64 JSON"],
                         self.answer(self.output(datatype="FP64", data=[2.**-41, *RESULT[1:]])))

    def test_zero_size(self):
        self.expect_binary(REQUESTS["infer, zero-size"], self.answer(self.output(shape=(0, 2), size=0)), b"")
        self.expect_json(REQUESTS["infer, zero-size JSON"], self.answer(self.output(shape=(0, 2), data=[])))
        self.expect_binary(REQUESTS["infer, zero-size BF16"],
                           self.answer(self.output(shape=(0, 2), datatype="BF16", size=0)), b"")
        self.expect_binary(REQUESTS["infer, zero-size between"],
                           self.answer(self.output(size=16), self.output("bn2", shape=(0, 2), size=0),
                                       self.output("ln", shape=(1, 2), size=8)), fp32(*RESULT, -0.5, 0.5))

    def test_not_finite(self):
        results = [math.nan, math.inf, -math.inf, -0.5]
        self.expect_json(REQUESTS["infer, not finite"], self.answer(self.output(data=results)))
        text = self.answer(self.output(size=16))
        answer = self.exchange(REQUESTS["infer, not finite binary"])
        self.assertEqual(answer.raw[:len(text)], text.encode())
        nan, *others = struct.unpack("<4f", answer.raw[len(text):])
        self.assertTrue(math.isnan(nan))
        self.assertEqual(others, results[1:])

    def test_versions(self):
        self.set_back_afterwards()
        self.exchange(REQUESTS["train, JSON"])
        text = self.answer(self.output(size=16, revision=1), version="1")
        for name in ("infer, version", "infer, alias"):
            with self.subTest(name):
                answer = self.expect_binary(REQUESTS[name], text, fp32(*RESULT))
                self.assertEqual((answer.headers["normd-version"], answer.headers["normd-revision"]), ("1", "1"))

    def test_train(self):
        """Both layers in one change; the same request again changes nothing and gets the same answer."""
        self.set_back_afterwards()
        before = self.revisions()
        outputs = [self.output(name, size=16, revision=before[name] + 1, num_batches_tracked=5)
                   for name in ("bn1", "bn2")]
        for _ in range(2):
            self.expect_binary(REQUESTS["train"], self.answer(*outputs), fp32(-0.5, -0.5, 0.5, 0.5) * 2)
        self.assertEqual(self.revisions(), {"bn1": before["bn1"] + 1, "bn2": before["bn2"] + 1, "ln": before["ln"]})
        output = self.output(data=[-0.5, -0.5, 0.5, 0.5], revision=before["bn1"] + 2, num_batches_tracked=6)
        self.expect_json(REQUESTS["train, JSON"], self.answer(output))

    def test_compressed_answers(self):
        """Answers from 1 KiB are compressed. The header's length is that of the JSON before compression."""
        inputs = {"name": "bn1", "shape": [500, 2], "datatype": "FP32", "parameters": {"binary_data_size": 4000}}
        request = compact({"inputs": [inputs], "parameters": {"binary_data_output": True}})
        text = self.answer(self.output(shape=(500, 2), size=4000))
        for coding, decompress in (("gzip", gzip.decompress), ("deflate", zlib.decompress)):
            with self.subTest(coding):
                answer = self.exchange(infer(request, fp32(3, 6) * 500, headers={"Accept-Encoding": coding}))
                self.assertEqual(answer.headers["content-encoding"], coding)
                self.assertEqual(answer.headers["inference-header-content-length"], str(len(text)))
                self.assertEqual(decompress(answer.raw), text.encode() + fp32(1, 1) * 500)

    def test_refused(self):
        """With the protocol's `error`; the connection stays usable."""
        for name, status, code in (("infer, unknown model", 404, "no_such_model"),
                                   ("infer, classification", 400, "bad_parameter"),
                                   ("infer, model name to be quoted", 404, "no_such_route"),
                                   ("trace settings", 404, "no_such_route"), ("log settings", 404, "no_such_route"),
                                   ("system shared memory status", 404, "no_such_route"),
                                   ("unregister system shared memory", 404, "no_such_route")):
            with self.subTest(name):
                self.assertEqual(self.exchange(REQUESTS[name], status).code, code)
        unknown = self.exchange(REQUESTS["infer, unknown model"], 404).json["error"]
        self.assertTrue(unknown.startswith("Request for unknown model"), unknown)
        self.expect_json(REQUESTS["server live"], '{"live":true}')


class Cxx(Exchange, DaemonTest):
    form = oip_clients.cxx

    def test_calls(self):
        self.assertIn('{"name":"vision",', self.exchange(CXX_REQUESTS["index"]).body)
        for name in ("unload", "load"):
            self.expect_json(CXX_REQUESTS[name], f'{{"name":"vision","{name}":true}}')
        binary, text = self.answer(self.output(size=16), id="7"), self.answer(self.output(data=list(RESULT)), id="7")
        self.expect_binary(CXX_REQUESTS["infer, binary"], binary, fp32(*RESULT))
        self.expect_binary(CXX_REQUESTS["infer, JSON, output binary"], binary, fp32(*RESULT))
        self.expect_json(CXX_REQUESTS["infer, JSON, output JSON"], text)


class Kserve(Exchange, DaemonTest):
    form = oip_clients.kserve

    def test_calls(self):
        text = self.answer(self.output(data=list(RESULT)), self.output("bn2", data=list(RESULT)), id="7")
        self.expect_json(KSERVE_REQUESTS["infer, mixed"], text)
        self.expect_json(KSERVE_REQUESTS["infer, zero-size"], self.answer(self.output(shape=(0, 2), data=[]), id="7"))


class Synchronous(Calls, DaemonTest):
    form = oip_clients.synchronous


class SynchronousLowerCase(Calls, DaemonTest):
    form = oip_clients.synchronous_lower_case


class Asyncio(Calls, DaemonTest):
    form = oip_clients.asyncio
