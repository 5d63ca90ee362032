# SPDX-License-Identifier: MIT
"""What clients of the Open Inference Protocol ask beside inference: metadata, readiness, the model repository,
statistics and configuration; also of very many models, versions and layers."""

import json
import socket
import sqlite3
import time
import unittest

from many import fill
from normd import BUILD, PATIENCE, Client, ClientTest, Daemon, DaemonTest

SLOW = any(name in BUILD for name in ("asan", "tsan", "coverage"))
BYTES = {"Content-Type": "application/octet-stream"}
COUNTS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")


def tensor(name, shape, datatype="FP32"):
    return {"name": name, "datatype": datatype, "shape": shape}


def names(tensors):
    return [each["name"] for each in tensors]


def wire(port, method, path, headers=(), body=b""):
    """A request with these headers and no others, as Triton's client writes them; the status and the parsed answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30 * PATIENCE) as s:
        s.sendall("".join([f"{method} {path} HTTP/1.1\r\n", *(f"{each}\r\n" for each in headers),
                           f"host: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n"]).encode() + body)
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    head, _, rest = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(rest)


class Server(DaemonTest):
    def test_metadata(self):
        found = self.call("GET", "/v2")
        self.assertEqual(found.status, 200)
        self.assertEqual(found.json["name"], "normd")
        root = self.call("GET", "/", headers={"Accept": "application/json"}).json
        self.assertEqual(found.json["version"], root["version"])
        self.assertEqual(found.json["extensions"],
                         ["binary_tensor_data", "model_repository", "model_configuration", "statistics"])
        for path in ("/v2/", "/v2?a=1&b", "/v2/?a=1"):
            self.assertEqual(self.call("GET", path).body, found.body, path)
        self.assertEqual(wire(self.daemon.port, "GET", "/v2"), (200, found.json))

    def test_methods(self):
        for path, allow in (("/v2", "GET, HEAD, OPTIONS"), ("/v2/models/stats", "GET, HEAD, OPTIONS"),
                            ("/v2/models/m/ready", "GET, HEAD, OPTIONS"), ("/v2/repository/index", "POST, OPTIONS"),
                            ("/v2/repository/models/m/load", "POST, OPTIONS")):
            self.assertEqual(self.refused("method_not_allowed", 405, "PUT", path).headers["allow"], allow)
            self.assertEqual(self.call("OPTIONS", path).headers["allow"], allow)


class Model(ClientTest):
    def metadata(self, *rest):
        return self.ask("GET", "/".join(("/v2/models", self.model, *rest))).json

    def make_version(self):
        return self.call("POST", f"/v1/models/{self.model}/versions", {}).json["version"]

    def test_a_tensor_for_each_layer(self):
        definitions = {
            "a": ({"kind": "batch_norm", "num_features": 3}, tensor("a", [-1, 3])),
            "b": ({"kind": "batch_norm", "datatype": "FP64"}, tensor("b", [-1, -1], "FP64")),
            "c": ({"kind": "batch_norm", "num_features": 3, "channel_axis": 2}, tensor("c", [-1, -1, 3])),
            "d": ({"kind": "batch_norm", "num_features": 3, "convention": "keras"}, tensor("d", [-1, 3])),
            "e": ({"kind": "layer_norm", "normalized_shape": [4, 5], "datatype": "FP16"},
                  tensor("e", [-1, 4, 5], "FP16")),
            "f": ({"kind": "rms_norm", "normalized_shape": 7}, tensor("f", [-1, 7])),
            "g": ({"kind": "instance_norm", "num_features": 3}, tensor("g", [-1, 3, -1])),
            "h": ({"kind": "group_norm", "num_groups": 2, "num_channels": 6}, tensor("h", [-1, 6, -1])),
        }
        for name, (definition, _) in definitions.items():
            self.put_layer(name, definition)
        expected = [shown for _, shown in definitions.values()]
        self.assertEqual(self.metadata(), {"name": self.model, "versions": ["live"], "platform": "normd",
                                           "inputs": expected, "outputs": expected})
        config = self.metadata("config")
        outputs = [{"name": each["name"], "data_type": "TYPE_" + each["datatype"], "dims": each["shape"]}
                   for each in expected]
        self.assertEqual(config, {"name": self.model, "platform": "normd", "backend": "normd", "max_batch_size": 0,
                                  "input": [{**each, "optional": True} for each in outputs], "output": outputs})

    def test_the_first_batch_fixes_the_channels(self):
        self.put_layer()
        self.assertEqual(self.metadata()["inputs"], [tensor("bn", [-1, -1])])
        self.call("POST", self.path("bn", "train"), {"data": [[1, 2], [3, 5]]})
        self.assertEqual(self.metadata()["inputs"], [tensor("bn", [-1, 2])])
        self.assertEqual(self.metadata("config")["output"][0]["dims"], [-1, 2])

    def test_versions(self):
        """Without one: what serves. A number, an alias or `live` names another."""
        self.put_layer("a")
        self.call("POST", self.path("a", "train"), {"data": [[1, 2], [3, 5]]})
        self.assertEqual(self.make_version(), 1)
        self.put_layer("b")
        self.call("PUT", f"/v1/models/{self.model}/aliases/champion", {"version": 1})
        live = self.metadata()
        self.assertEqual(live["versions"], ["live", "1"])
        self.assertEqual(names(live["inputs"]), ["a", "b"])
        self.assertEqual(live, self.metadata("versions", "live"))
        first = self.metadata("versions", "1")
        self.assertEqual(first["inputs"], [tensor("a", [-1, 2])])
        self.assertEqual(first["versions"], ["live", "1"])
        self.assertEqual(first, self.metadata("versions", "champion"))
        self.assertEqual(names(self.metadata("versions", "1", "config")["input"]), ["a"])
        self.call("PUT", f"/v1/models/{self.model}/serving", {"version": 1})
        self.assertEqual(first, self.metadata())
        self.assertEqual(names(self.metadata("config")["output"]), ["a"])
        self.assertEqual(live, self.metadata("versions", "live"))
        self.assertEqual(self.metadata("stats")["model_stats"][0]["version"], "1")

    def test_a_model_without_layers(self):
        self.put_layer()
        self.call("DELETE", self.path())
        self.assertEqual(self.metadata()["inputs"], [])
        self.assertEqual(self.metadata("config")["output"], [])
        self.assertEqual(self.metadata("ready"), {"name": self.model, "ready": True})

    def test_ready(self):
        self.put_layer()
        self.assertEqual(self.make_version(), 1)
        for path in ("ready", "ready?test_1=1&test_2=2", "ready/", "versions/1/ready", "versions/live/ready"):
            self.assertEqual(self.metadata(*path.split("/")), {"name": self.model, "ready": True})
            self.assertEqual(wire(self.daemon.port, "GET", f"/v2/models/{self.model}/{path}"),
                             (200, {"name": self.model, "ready": True}))

    def test_what_does_not_exist(self):
        self.put_layer()
        for path, code, status in (("none", "no_such_model", 404), ("none/versions/1", "no_such_model", 404),
                                   ("none/versions/live", "no_such_model", 404),
                                   (f"{self.model}/versions/1", "no_such_version", 404),
                                   (f"{self.model}/versions/0", "no_such_version", 404),
                                   (f"{self.model}/versions/{2**64}", "no_such_version", 404),
                                   (f"{self.model}/versions/champion", "no_such_alias", 404),
                                   (".none", "bad_name", 400), (f"{self.model}/versions/-1", "bad_name", 400)):
            for rest in ("", "/ready", "/config", "/stats"):
                refused = self.ask("GET", f"/v2/models/{path}{rest}", status=status).json
                self.assertEqual((refused["code"], "error" in refused), (code, True), path + rest)
        self.refused("no_such_route", 404, "GET", f"/v2/models/{self.model}/readi")

    def test_a_model_named_stats(self):
        """Its metadata need a version, because the path without one means the statistics of all models."""
        self.call("PUT", "/v1/models/stats/layers/bn", {"kind": "batch_norm"})
        self.addCleanup(self.call, "DELETE", "/v1/models/stats")
        self.assertEqual(list(self.call("GET", "/v2/models/stats").json), ["model_stats"])
        self.assertEqual(self.call("GET", "/v2/models/stats/versions/live").json["name"], "stats")
        self.assertEqual(self.call("GET", "/v2/models/stats/config").json["name"], "stats")
        self.assertEqual(self.call("GET", "/v2/models/stats/stats").json["model_stats"][0]["name"], "stats")

    def test_statistics_of_a_model_that_was_not_used(self):
        self.put_layer()
        self.assertEqual(self.make_version(), 1)
        for path, version in (("stats", "live"), ("versions/live/stats", "live"), ("versions/1/stats", "1")):
            self.assertEqual(self.metadata(*path.split("/")), {"model_stats": [
                {"name": self.model, "version": version, "last_inference": 0, "inference_count": 0,
                 "execution_count": 0, "inference_stats": dict.fromkeys(COUNTS, {"count": 0, "ns": 0}),
                 "batch_stats": []}]})
        # Calls under /v1 are not this protocol's.
        self.call("POST", self.path("bn", "train"), {"data": [[1, 2], [3, 5]]})
        self.call("POST", self.path("bn", "infer"), {"data": [[1, 2], [3, 5]]})
        self.assertEqual(self.metadata("stats")["model_stats"][0]["inference_stats"]["success"]["count"], 0)
        self.assertNotIn(self.model, names(self.call("GET", "/v2/models/stats").json["model_stats"]))


class Use(ClientTest):
    """Statistics of models that were used."""

    def infer(self, *rest, data=(1, 2, 3, 5), status=200):
        """Two samples of two channels."""
        body = {"inputs": [{"name": "bn", "shape": [2, len(data) // 2], "datatype": "FP32", "data": data}]}
        return self.ask("POST", "/".join(("/v2/models", self.model, *rest, "infer")), body, status=status)

    def stats(self, *rest):
        return self.ask("GET", "/".join(("/v2/models", self.model, *rest, "stats"))).json["model_stats"]

    def counts(self, *rest):
        """Of each entry: the version, and how many calls have succeeded and failed."""
        return [(each["version"], *(each["inference_stats"][name]["count"] for name in ("success", "fail")))
                for each in self.stats(*rest)]

    def setUp(self):
        super().setUp()
        self.put_layer()
        self.call("POST", self.path("bn", "train"), {"data": [[1, 2], [3, 5]]})
        self.call("POST", f"/v1/models/{self.model}/versions")

    def test_calls_are_counted(self):
        before = int(time.time() * 1000)
        for _ in range(3):
            self.infer()
        after = int(time.time() * 1000)
        self.infer("versions", "1")
        self.infer(data=(1, 2, 3, 4, 5, 6), status=422)
        self.assertEqual(self.counts(), [("live", 3, 1), ("1", 1, 0)])
        self.assertEqual(self.counts("versions", "live"), [("live", 3, 1)])
        self.assertEqual(self.counts("versions", "1"), [("1", 1, 0)])
        self.assertEqual([each for each in self.call("GET", "/v2/models/stats").json["model_stats"]
                          if each["name"] == self.model], self.stats())
        live = self.stats("versions", "live")[0]
        self.assertEqual((live["inference_count"], live["execution_count"]), (3, 3))
        self.assertLessEqual(before, live["last_inference"])
        self.assertLessEqual(live["last_inference"], after)
        times = {name: each["ns"] for name, each in live["inference_stats"].items()}
        self.assertLessEqual(sum(times[name] for name in COUNTS[2:6]), times["success"])
        self.assertEqual((times["cache_hit"], times["cache_miss"]), (0, 0))

    def test_a_call_of_what_serves_counts_for_its_version(self):
        self.call("PUT", f"/v1/models/{self.model}/serving", {"version": 1})
        self.infer()
        self.assertEqual(self.counts(), [("1", 1, 0)])

    def test_what_is_not_there_is_not_counted(self):
        """Or anyone could fill the table with names."""
        self.infer("versions", "7", status=404)
        self.call("POST", "/v2/models/nowhere/infer",
                  {"inputs": [{"name": "bn", "shape": [1], "datatype": "FP32", "data": [1]}]}, status=404)
        self.assertEqual(self.counts(), [("live", 0, 0)])
        found = names(self.call("GET", "/v2/models/stats").json["model_stats"])
        self.assertFalse({self.model, "nowhere"} & set(found))
        self.assertEqual(found, sorted(found))

    def test_a_deleted_model_is_forgotten(self):
        self.infer()
        self.call("DELETE", f"/v1/models/{self.model}")
        self.assertNotIn(self.model, names(self.call("GET", "/v2/models/stats").json["model_stats"]))
        self.put_layer()
        self.assertEqual(self.counts(), [("live", 0, 0)])

    def test_an_unloaded_model_refuses_calls_and_keeps_its_statistics(self):
        self.infer()
        self.call("POST", f"/v2/repository/models/{self.model}/unload")
        for rest in ((), ("versions", "1")):
            self.assertIn("is unloaded", self.infer(*rest, status=404).json["detail"])
        self.assertEqual(self.counts(), [("live", 1, 0)])
        self.call("POST", f"/v2/repository/models/{self.model}/load")
        self.infer()
        self.assertEqual(self.counts(), [("live", 2, 0)])


class Repository(ClientTest):
    def index(self, body=None, headers=None):
        return {each["name"]: each for each in self.ask("POST", "/v2/repository/index", body, headers).json}

    def post(self, verb, body=None, headers=None):
        answer = self.ask("POST", f"/v2/repository/models/{self.model}/{verb}", body, headers)
        self.assertEqual(answer.json, {"name": self.model, verb: True})

    def is_ready(self):
        return self.client.request("GET", f"/v2/models/{self.model}/ready").status == 200

    def test_index(self):
        self.put_layer()
        entry = {"name": self.model, "version": "live", "state": "READY", "reason": ""}
        self.assertEqual(self.index()[self.model], entry)
        self.assertEqual(self.index({})[self.model], entry)
        self.assertEqual(self.index({"ready": False})[self.model], entry)
        self.call("POST", f"/v1/models/{self.model}/versions")
        self.call("PUT", f"/v1/models/{self.model}/serving", {"version": 1})
        self.assertEqual(self.index()[self.model], {**entry, "version": "1"})
        self.call("DELETE", f"/v1/models/{self.model}")
        self.assertNotIn(self.model, self.index())
        self.refused("bad_parameter", 400, "POST", "/v2/repository/index", {"ready": "yes"})
        self.refused("bad_parameter", 400, "POST", "/v2/repository/index", {"redy": True})
        self.refused("bad_parameter", 400, "POST", "/v2/repository/index", [1])
        self.refused("bad_json", 400, "POST", "/v2/repository/index", "{")
        self.refused("unsupported_media_type", 415, "POST", "/v2/repository/index", "{}", {"Content-Type": "image/png"})

    def test_index_as_the_clients_send_it(self):
        """The synchronous one: no body and no length. The one for asyncio: a length of 0, and a type."""
        self.put_layer()
        expected = 200, self.call("POST", "/v2/repository/index").json
        self.assertIn(self.model, names(expected[1]))
        self.assertEqual(wire(self.daemon.port, "POST", "/v2/repository/index"), expected)
        self.assertEqual(wire(self.daemon.port, "POST", "/v2/repository/index",
                              ("content-length: 0", "content-type: application/octet-stream")), expected)

    def test_unload_and_load(self):
        """As the clients send both: with parameters, and under any type."""
        self.put_layer()
        for type in (None, BYTES):
            for body in (None, {}, {"parameters": {"unload_dependents": False, "config": None}},
                         {"parameters": None}):
                self.post("unload", body, type)
                self.assertFalse(self.is_ready())
                self.assertEqual(self.index()[self.model],
                                 {"name": self.model, "version": "live", "state": "UNAVAILABLE", "reason": "unloaded"})
                self.assertNotIn(self.model, self.index({"ready": True}))
                self.post("unload", body, type)
                self.post("load", body, type)
                self.assertTrue(self.is_ready())
                self.assertIn(self.model, self.index({"ready": True}))
                self.post("load", body, type)

    def test_an_unloaded_model(self):
        """It is not ready, and says so; what is no business of this protocol's readiness still works."""
        self.put_layer()
        self.call("POST", f"/v1/models/{self.model}/versions")
        self.post("unload")
        for rest in ("ready", "versions/1/ready", "versions/live/ready"):
            refused = self.refused("no_such_model", 404, "GET", f"/v2/models/{self.model}/{rest}")
            self.assertIn("is unloaded", refused.json["detail"])
        self.call("POST", self.path("bn", "train"), {"data": [[1, 2], [3, 5]]})
        self.call("POST", self.path("bn", "infer"), {"data": [[1, 2]]})
        for rest in ("", "/config", "/stats"):
            self.call("GET", f"/v2/models/{self.model}{rest}")

    def test_a_later_model_of_the_name_is_loaded(self):
        self.put_layer()
        self.post("unload")
        self.call("DELETE", f"/v1/models/{self.model}")
        self.refused("no_such_model", 404, "DELETE", f"/v1/models/{self.model}")
        self.put_layer()
        self.assertTrue(self.is_ready())

    def test_what_is_refused_changes_nothing(self):
        self.put_layer()
        load = f"/v2/repository/models/{self.model}/load"
        for verb in ("load", "unload"):
            self.refused("no_such_model", 404, "POST", f"/v2/repository/models/none/{verb}", {})
            self.refused("bad_name", 400, "POST", f"/v2/repository/models/-/{verb}", {})
        self.post("unload")
        for config in ('{"max_batch_size":"16"}', '"parameters": {', "", {}):
            refused = self.refused("bad_parameter", 400, "POST", load, {"parameters": {"config": config}})
            self.assertIn("failed to load", refused.json["detail"])
        refused = self.refused("bad_parameter", 400, "POST", load, {"parameters": {"file:1/model.onnx": "AAAA"}})
        self.assertIn("failed to load", refused.json["detail"])
        for body in ({"parameters": {"unload_dependents": "yes"}}, {"parameters": {"unload": True}}, {"parameter": {}},
                     {"parameters": [1]}, [1]):
            self.refused("bad_parameter", 400, "POST", load, body)
        self.refused("bad_json", 400, "POST", load, "{", BYTES)
        self.assertFalse(self.is_ready())

    def test_a_restart_loads_all(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        daemon.curl("PUT", "/v1/models/m/layers/bn", {"kind": "batch_norm"})
        self.assertEqual(daemon.curl("POST", "/v2/repository/models/m/unload").status, 200)
        self.assertEqual(daemon.curl("GET", "/v2/models/m/ready").status, 404)
        daemon.stop()
        daemon.start()
        self.assertEqual(daemon.curl("GET", "/v2/models/m/ready").json, {"name": "m", "ready": True})


class Many(unittest.TestCase):
    """20,000 layers, 5,000 models and 300 versions, in little memory."""

    layers = [f"block{i:05d}.{'x' * 80}" for i in range(20000)]
    models = ["wide", *(f"model-{i:04d}" for i in range(5000))]
    versions = 300
    memory_mib = 80

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon("--threads", "2", "--max-body", "1MiB", "--max-memory", f"{cls.memory_mib}MiB", start=False)
        cls.daemon.start()
        cls.daemon.curl("PUT", "/v1/models/a/layers/bn", {"kind": "batch_norm", "num_features": 2})
        cls.daemon.curl("POST", "/v1/models/a/versions")
        cls.daemon.stop()
        fill(cls.daemon, ((model, cls.layers if model == "wide" else ["bn"]) for model in cls.models), 2)
        db = sqlite3.connect(cls.daemon.store[len("sqlite:"):])
        with db:
            db.executemany("INSERT INTO version(model_id, mark, number, created_s, note, digest) SELECT model_id, ?, ?,"
                           " created_s, note, digest FROM version WHERE number = 1",
                           ((i, i) for i in range(2, cls.versions + 1)))
        db.close()
        cls.daemon.start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def setUp(self):
        self.client = Client(self.daemon.port)
        self.addCleanup(self.client.close)

    def ask(self, method, path, body=None, status=200):
        answer = self.client.request(method, path, body)
        self.assertEqual(answer.status, status, answer)
        return answer.json

    def test_layers(self):
        found = self.ask("GET", "/v2/models/wide")
        self.assertEqual(names(found["inputs"]), self.layers)
        self.assertEqual(found["inputs"], found["outputs"])
        self.assertEqual(found["inputs"][-1]["shape"], [-1, 2])
        config = self.ask("GET", "/v2/models/wide/config")
        self.assertEqual(names(config["input"]), self.layers)
        self.assertEqual(names(config["output"]), self.layers)
        if not SLOW:
            self.assertLess(self.daemon.memory("VmHWM"), self.memory_mib << 20)

    def test_an_answer_that_cannot_fit(self):
        daemon = Daemon("--threads", "2", "--max-body", "64KiB", "--max-memory", "46MiB", store=self.daemon.store,
                        start=False)
        self.daemon.stop()
        self.addCleanup(self.daemon.start)
        self.addCleanup(daemon.close)
        daemon.start()
        answer = daemon.curl("GET", "/v2/models/wide")
        self.assertIn((answer.status, answer.code), ((413, "body_too_large"), (503, "overloaded")))
        self.assertEqual(daemon.curl("GET", "/v2/models/model-0001").status, 200)

    def test_versions(self):
        expected = ["live", *(str(i) for i in range(1, self.versions + 1))]
        self.assertEqual(self.ask("GET", "/v2/models/a")["versions"], expected)

    def test_models(self):
        found = self.ask("POST", "/v2/repository/index")
        self.assertEqual(names(found), sorted([*self.models, "a"]))
        self.assertEqual({(each["version"], each["state"]) for each in found}, {("live", "READY")})

    def test_as_many_as_may_be_unloaded(self):
        most = 2048
        for model in self.models[:most]:
            self.ask("POST", f"/v2/repository/models/{model}/unload")
        refused = self.ask("POST", f"/v2/repository/models/{self.models[most]}/unload", status=503)
        self.assertEqual(refused["code"], "overloaded")
        self.ask("POST", f"/v2/repository/models/{self.models[0]}/unload")
        self.assertEqual(len(self.ask("POST", "/v2/repository/index", {"ready": True})), len(self.models) + 1 - most)
        self.ask("POST", f"/v2/repository/models/{self.models[0]}/load")
        self.ask("POST", f"/v2/repository/models/{self.models[most]}/unload")
        self.daemon.stop()
        self.daemon.start()
        self.client = Client(self.daemon.port)
        self.addCleanup(self.client.close)
        self.assertEqual(len(self.ask("POST", "/v2/repository/index", {"ready": True})), len(self.models) + 1)


if __name__ == "__main__":
    unittest.main()
