# SPDX-License-Identifier: MIT
"""Training of several layers by one call of the Open Inference Protocol: all or none, and once under a key."""

import concurrent.futures
import http.client
import os
import socket
import threading
import unittest

import numpy

from normd import Client, Daemon, LateStore, undigested, wait_for
from oip import call, results
from small_disk import start_on_small_disk
from test_oip_infer import OipTest, array

TRAIN = {"mode": "train"}
RUNNING = {"kind": "batch_norm", "averaging": "pooled", "normalize_by": "running"}
TRACKING = {
    "a": {"kind": "batch_norm"},
    "b": {"kind": "batch_norm", "momentum": 0.5},
    "by": RUNNING,
    "in": {"kind": "instance_norm", "track_running_stats": True},
}


def key(text):
    return {"Idempotency-Key": text}


class Training(OipTest):
    layers = {**TRACKING, "ln": {"kind": "layer_norm", "normalized_shape": [4]}}

    def setUp(self):
        super().setUp()
        for name, definition in self.layers.items():  # a twin for each, in a model of its own
            self.ask("PUT", self.twin(name), definition, status=201)
            if definition["kind"] == "batch_norm":
                self.ask("PUT", self.twin(name, "statistics"), self.imported(name))

    def twin(self, layer, *rest):
        return "/".join((f"/v1/models/{self.model}-twin/layers", layer, *rest))

    def imported(self, layer):
        state = self.state(layer)
        state.pop("digest")
        state.pop("revision")
        return state

    def inputs(self):
        return {"a": array(3, 4), "b": array(5, 4), "by": array(3, 4, dtype=numpy.float64), "in": array(2, 3, 5),
                "ln": array(2, 4)}

    def train(self, inputs, **how):
        return self.infer(inputs, **{"parameters": {**TRAIN, **how.pop("more", {})}, **how})

    def train_twin(self, layer, values, headers=None):
        body = {"shape": list(values.shape), "datatype": "FP64" if values.dtype == numpy.float64 else "FP32",
                "data": values.ravel().tolist()}
        return self.ask("POST", self.twin(layer, "train"), body, headers).json

    def states(self):
        return {name: self.state(name) for name in self.layers if name != "ln"}

    def freeze(self, layer, frozen=True):
        self.ask("PUT", self.path(layer, "frozen"), {"frozen": frozen})

    def refused_unchanged(self, code, status, inputs, **how):
        before = self.states()
        answer = self.train(inputs, status=status, **how)
        self.assertEqual(answer.code, code, answer)
        self.assertEqual(self.states(), before)
        return answer.json["detail"]

    def test_as_the_layers_own_calls(self):
        for binary in (True, False, ("by", "ln")):
            inputs = self.inputs()
            found = results(self.train(inputs, binary=binary, more={"binary_data_output": binary is True}))
            self.assertEqual(list(found), list(inputs))
            for name, (values, parameters) in found.items():
                alone = self.train_twin(name, inputs[name])
                numpy.testing.assert_array_equal(values, numpy.array(alone["data"], values.dtype).reshape(values.shape))
                self.assertEqual(parameters["num_batches_tracked"], alone["num_batches_tracked"])
                if name != "ln":
                    twin = self.ask("GET", self.twin(name, "statistics")).json
                    for each in ("running_mean", "running_var", "num_batches_tracked"):
                        self.assertEqual(self.state(name)[each], twin[each], name)
                    self.assertEqual(parameters["revision"], self.state(name)["revision"])

    def test_what_headers_say(self):
        answer = self.train({"a": array(2, 4)})
        self.assertEqual((answer.headers["normd-revision"], answer.headers["normd-num-batches-tracked"],
                          answer.headers["normd-version"], answer.headers["etag"]), ("2", "2", "live", '"2"'))
        several = self.train({"a": array(2, 4), "b": array(2, 4)})
        self.assertFalse({"normd-revision", "normd-num-batches-tracked", "etag"} & set(several.headers))

    def test_one_bad_half_changes_nothing(self):
        good, bad = self.inputs(), array(3, 4)
        bad[1, 2] = numpy.nan
        for name in good:
            wrong = bad[:, :3] if name == "ln" else array(2, 7, 5)[:, :, :1] if name == "in" else array(3, 5)
            if name != "in":
                self.assertIn(f'"{name}"', self.refused_unchanged("shape_mismatch", 422, {**good, name: wrong}))
            nan = good[name].copy()
            nan.flat[3] = numpy.nan
            for binary in (True, False):
                detail = self.refused_unchanged("non_finite_input", 422, {**good, name: nan}, binary=binary)
                self.assertIn(f'"{name}"', detail)
        self.assertIn('"b"', self.refused_unchanged("too_few_values", 422, {**good, "b": array(1, 4)}))
        self.refused_unchanged("no_such_layer", 404, {**good, "none": array(2, 4)})
        self.refused_unchanged("bad_parameter", 400, good, outputs=["none"])
        huge = numpy.full((3, 4), 1e308)
        huge[1] = -1e308
        self.assertIn('"by"', self.refused_unchanged("non_finite_input", 422, {**good, "by": huge}))

    def test_only_live_is_trained(self):
        self.ask("POST", f"/v1/models/{self.model}/versions", {}, status=201)
        self.ask("PUT", f"/v1/models/{self.model}/serving", {"version": 1})
        self.ask("PUT", f"/v1/models/{self.model}/aliases/best", {"version": 1}, status=201)
        for version in ("1", "2", "best", "none"):
            self.refused_unchanged("bad_parameter", 400, {"a": array(2, 4)}, version=version)
        for i, version in enumerate((None, "live")):
            answer = self.train({"a": array(2, 4)}, version=version)
            self.assertEqual(answer.headers["normd-num-batches-tracked"], str(i + 2))

    def test_empty_inputs_and_kinds_without_statistics_change_nothing(self):
        before = self.states()
        answer = self.train({"a": array(0, 4), "ln": array(2, 4), "by": array(0, 4)}, headers=key("nothing"))
        found = results(answer)
        self.assertEqual([parameters["revision"] for _, parameters in found.values()], [1, 0, 1])
        self.assertEqual(self.states(), before)
        self.train({"a": array(2, 4), "b": array(0, 4)})
        self.assertEqual(self.state("a")["num_batches_tracked"], 2)
        self.assertEqual(self.state("b"), before["b"])

    def test_frozen_layers_are_normalized_by_their_running_statistics(self):
        inputs = self.inputs()
        self.freeze("b")
        before, expected = self.states(), self.one("b", inputs["b"])[0]
        found = results(self.train(inputs))
        self.assertEqual(found["b"][0].tobytes(), expected.tobytes())
        self.assertEqual(found["b"][1]["num_batches_tracked"], 1)
        after = self.states()
        self.assertEqual(undigested(after["b"]), undigested(before["b"]))
        self.assertEqual(after["a"]["num_batches_tracked"], 2)
        nan = inputs["b"].copy()
        nan[0, 0] = numpy.nan
        self.refused_unchanged("non_finite_input", 422, {**inputs, "b": nan})

    def test_a_shuffle_says_its_seed(self):
        shuffling = {"kind": "batch_norm", "virtual_batch_size": 2, "shuffle": True}
        for name in ("s", "t"):
            self.ask("PUT", self.path(name), shuffling, status=201)
        values = array(8, 4)
        found = results(self.train({"s": values, "a": values}, headers=key("shuffled")))
        self.assertNotIn("seed", found["a"][1])
        again = results(self.train({"s": values, "a": values}, headers=key("shuffled")))
        self.assertEqual((again["s"][0].tobytes(), again["s"][1]), (found["s"][0].tobytes(), found["s"][1]))
        one = self.ask("POST", self.path("t", f"train?seed={found['s'][1]['seed']}"), {"data": values.tolist()}).json
        numpy.testing.assert_array_equal(found["s"][0], numpy.float32(one["data"]))
        self.assertNotEqual(results(self.train({"s": values}))["s"][1]["seed"], found["s"][1]["seed"])

    def test_a_repeat_changes_nothing_and_answers_the_same(self):
        inputs = self.inputs()
        for binary in (True, False):
            first = self.train(inputs, binary=binary, headers=key(f"k{binary}"))
            once = self.states()
            again = self.train(inputs, binary=binary, headers=key(f"k{binary}"))
            self.assertEqual(again.raw, first.raw)
            self.assertEqual(self.states(), once)
        self.train(inputs)
        again = results(self.train(inputs, headers=key("kTrue")))
        for name, (values, parameters) in results(first).items():
            if name == "by":  # by the statistics as they are now
                self.assertEqual(parameters["num_batches_tracked"] + 1, again[name][1]["num_batches_tracked"])
                self.assertEqual(again[name][0].tobytes(), self.one(name, inputs[name])[0].tobytes())
            else:
                self.assertEqual(again[name][0].tobytes(), values.tobytes(), name)

    def test_other_calls_under_the_key_are_mismatches(self):
        inputs = {"a": array(2, 4), "b": array(2, 4)}
        self.train(inputs, headers=key("k"))
        before = self.states()
        for other in ({**inputs, "b": array(2, 4)}, {"a": inputs["a"]}, {**inputs, "in": array(2, 3, 5)}):
            answer = self.train(other, headers=key("k"), status=422)
            self.assertEqual(answer.code, "idempotency_mismatch")
            self.assertRegex(answer.json["detail"], f'^(layer "a" of model "{self.model}": )?the Idempotency-Key was')
            self.assertIn("a new request needs a new key", answer.json["detail"])
        answer = self.ask("POST", self.path("a", "train"), {"data": [[1] * 4] * 2}, key("k"), status=422)
        self.assertEqual(answer.code, "idempotency_mismatch")
        self.assertEqual(self.states(), before)
        self.infer(inputs, headers=key("k"))  # a key guards what is changed

    def test_a_repeat_after_layers_were_frozen_and_thawed(self):
        """The first answer, whatever is frozen by now. The revision of what was frozen is that of its present state."""
        inputs = {name: self.inputs()[name] for name in ("a", "b", "in", "ln")}
        self.freeze("b")
        first = results(self.train(inputs, headers=key("k")))
        for frozen in ((), ("b",), ("a",), ("a", "b", "in"), ("in",)):
            for name in ("a", "b", "in"):
                self.freeze(name, name in frozen)
            before = self.states()
            again = results(self.train(inputs, headers=key("k")))
            self.assertEqual(self.states(), before)
            for name, (values, parameters) in first.items():
                self.assertEqual(again[name][0].tobytes(), values.tobytes(), (name, frozen))
                expected = {**parameters, "revision": before["b"]["revision"]} if name == "b" else parameters
                self.assertEqual(again[name][1], expected, (name, frozen))

    def test_a_repeat_after_a_frozen_layer_has_moved(self):
        """Its output is by the present statistics, and the answer says so; the other layer's is the first."""
        inputs = {name: self.inputs()[name] for name in ("a", "b")}
        self.freeze("b")
        first = results(self.train(inputs, headers=key("k")))
        self.freeze("b", False)
        self.train(inputs)
        expected, answer = self.one("b", inputs["b"])
        again = results(self.train(inputs, headers=key("k")))
        self.assertEqual((again["a"][0].tobytes(), again["a"][1]), (first["a"][0].tobytes(), first["a"][1]))
        self.assertNotEqual(expected.tobytes(), first["b"][0].tobytes())
        self.assertEqual(again["b"][0].tobytes(), expected.tobytes())
        self.assertEqual((again["b"][1]["revision"], again["b"][1]["num_batches_tracked"]),
                         (int(answer.headers["normd-revision"]), self.state("b")["num_batches_tracked"]))

    def test_a_key_under_which_all_was_frozen_is_free(self):
        inputs = {"a": array(2, 4), "b": array(2, 4)}
        for frozen in (True, False):
            self.ask("PUT", f"/v1/models/{self.model}/frozen", {"frozen": frozen})
            self.train(inputs, headers=key("k"))
            self.assertEqual(self.state("a")["num_batches_tracked"], 1 if frozen else 2)

    def test_large_inputs_are_shared_and_keep_their_bits(self):
        inputs = {"a": array(30000, 4), "b": array(300000, 4), "by": array(20000, 4, dtype=numpy.float64),
                  "in": array(400, 3, 50), "ln": array(30000, 4)}
        found = results(self.train(inputs))
        for name, (values, _) in found.items():
            body = {"shape": list(values.shape), "datatype": "FP64" if name == "by" else "FP32",
                    "data": inputs[name].ravel().tolist()}
            alone = self.ask("POST", self.twin(name, "train"), body).json
            self.assertEqual(values.tobytes(), numpy.array(alone["data"], values.dtype).tobytes(), name)
        bad = inputs["in"].copy()
        bad[399, 2, 49] = numpy.inf
        self.assertIn('"in"', self.refused_unchanged("non_finite_input", 422, {**inputs, "in": bad}))

    def test_a_thousand_layers_in_one_change(self):
        layers = {f"l{i}": array(2, 3) for i in range(1000)}
        self.put_many(layers, {"kind": "batch_norm"})
        found = results(self.train(layers, headers=key("k")))
        self.assertEqual({parameters["num_batches_tracked"] for _, parameters in found.values()}, {1})
        self.assertEqual(list(found), list(layers))
        bad = {**layers, "l999": layers["l999"] * numpy.nan}
        self.assertIn('"l999"', self.train(bad, status=422).json["detail"])
        self.assertEqual(self.state("l0")["num_batches_tracked"], 1)


INPUTS = {"a": array(4, 3), "b": array(4, 3)}
PATH = "/v2/models/m/infer"


def put_two(daemon):
    for name in INPUTS:
        daemon.curl("PUT", f"/v1/models/m/layers/{name}", {"kind": "batch_norm", "num_features": 3})


def batches(daemon):
    """What both layers say: they must say the same."""
    counts = {daemon.curl("GET", f"/v1/models/m/layers/{name}/statistics").json["num_batches_tracked"]
              for name in INPUTS}
    assert len(counts) == 1, counts
    return counts.pop()


class Together(unittest.TestCase):
    def test_readers_never_see_half_of_a_change(self):
        """One trains both layers in one call, others infer by both in one call: always at one revision."""
        daemon = Daemon()
        self.addCleanup(daemon.close)
        put_two(daemon)
        train, infer = call(INPUTS, parameters=TRAIN), call(INPUTS, parameters={"binary_data_output": True})
        done, seen, torn = threading.Event(), set(), []

        def read():
            client = Client(daemon.port)
            while not done.is_set():
                answer = client.request("POST", PATH, *infer)
                if answer.status == 200:
                    revisions = {parameters["revision"] for _, parameters in results(answer).values()}
                    seen.update(revisions)
                    torn.extend([revisions] if len(revisions) > 1 else [])
            client.close()

        readers = [threading.Thread(target=read) for _ in range(3)]
        for each in readers:
            each.start()
        writer = Client(daemon.port)
        try:
            for _ in range(100):
                self.assertEqual(writer.request("POST", PATH, *train).status, 200)
        finally:
            done.set()
            for each in readers:
                each.join()
            writer.close()
        self.assertEqual(torn, [])
        self.assertGreater(len(seen), 1)

    def test_a_kill_leaves_all_or_nothing(self):
        """Killed while calls under keys run: both layers have the same batches; repeats are then made once."""
        daemon = Daemon()
        self.addCleanup(daemon.close)
        put_two(daemon)
        acknowledged, asked, clients = 0, 0, 4
        body, headers = call(INPUTS, parameters=TRAIN)
        for turn in range(3):
            answered = [0] * clients
            stop = threading.Event()

            def train(i):
                client = Client(daemon.port)
                try:
                    while not stop.is_set():
                        sent = {**headers, **key(f"{turn}-{i}-{answered[i]}")}
                        self.assertEqual(client.request("POST", PATH, body, sent).status, 200)
                        answered[i] += 1
                except (OSError, http.client.HTTPException):
                    pass  # the daemon was killed
                finally:
                    client.close()

            threads = [threading.Thread(target=train, args=(i,)) for i in range(clients)]
            for each in threads:
                each.start()
            wait_for(lambda: sum(answered) >= 20, "calls are answered")
            daemon.kill()
            stop.set()
            for each in threads:
                each.join()
            daemon.start()
            acknowledged += sum(answered)
            stored = batches(daemon)
            self.assertGreaterEqual(stored, acknowledged)
            self.assertLessEqual(stored, acknowledged + clients)
            for i in range(clients):  # what was not answered, is repeated
                for number in {max(answered[i] - 1, 0), answered[i]}:
                    sent = {**headers, **key(f"{turn}-{i}-{number}")}
                    self.assertEqual(daemon.curl("POST", PATH, body, sent).status, 200)
            acknowledged += clients
            self.assertEqual(batches(daemon), acknowledged)

    def test_a_client_that_hangs_up(self):
        """While the change waits for the store: it is stored whole, or not at all before it was submitted."""
        daemon = LateStore("--threads", "4")
        self.addCleanup(daemon.close)
        put_two(daemon)
        body, headers = call(INPUTS, parameters=TRAIN)
        head = (f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n" +
                "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode()
        with socket.create_connection(("127.0.0.1", daemon.port)) as s:
            s.sendall(head + body[:-5])
        self.assertEqual(batches(daemon), 0)
        with socket.create_connection(("127.0.0.1", daemon.port)) as s:
            s.sendall(head + body)
            daemon.wait_until_asked()
        daemon.go()
        wait_for(lambda: daemon.curl("GET", "/v1/models/m/layers/b/statistics").json["num_batches_tracked"] == 1,
                 "the change is stored")
        self.assertEqual(batches(daemon), 1)
        self.assertEqual(daemon.curl("POST", PATH, body, headers).status, 200)
        self.assertEqual(batches(daemon), 2)

    def test_a_layer_that_is_thawed_and_moves_meanwhile(self):
        """The answer has the revision of the frozen state, by which the layer was normalized."""
        daemon = LateStore("--threads", "4")
        self.addCleanup(daemon.close)
        put_two(daemon)
        state = {"running_mean": [1.] * 3, "running_var": [4.] * 3, "num_batches_tracked": 7}
        at = "/v1/models/m/layers/b"
        self.assertEqual(daemon.curl("PUT", f"{at}/statistics", state).status, 200)
        self.assertEqual(daemon.curl("PUT", f"{at}/frozen", {"frozen": True}).status, 200)
        expected = results(daemon.curl("POST", PATH, *call({"b": INPUTS["b"]},
                                                           parameters={"binary_data_output": True})))["b"]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(daemon.curl, "POST", PATH, *call(INPUTS, parameters=TRAIN))
            daemon.wait_until_asked()
            self.assertEqual(daemon.curl("PUT", f"{at}/frozen", {"frozen": False}).status, 200)
            moved = {**state, "running_mean": [5.] * 3, "num_batches_tracked": 8}
            self.assertEqual(daemon.curl("PUT", f"{at}/statistics", moved).status, 200)
            daemon.go()
            values, parameters = results(asked.result())["b"]
        self.assertEqual(values.tobytes(), expected[0].tobytes())
        self.assertEqual(parameters, {"revision": expected[1]["revision"], "num_batches_tracked": 7})

    def test_a_layer_that_is_frozen_or_deleted_meanwhile(self):
        for method, path, body, code in (("PUT", "/frozen", {"frozen": True}, "frozen"), ("DELETE", "", None,
                                                                                           "no_such_layer")):
            daemon = LateStore("--threads", "4")
            self.addCleanup(daemon.close)
            put_two(daemon)
            answer = []
            asked = threading.Thread(target=lambda: answer.append(
                daemon.curl("POST", PATH, *call(INPUTS, parameters=TRAIN))))
            asked.start()
            daemon.wait_until_asked()
            client = Client(daemon.port)
            client.request(method, "/v1/models/m/layers/b" + path, body)
            client.close()
            daemon.go()
            asked.join()
            self.assertEqual(answer[0].code, code, answer)
            self.assertIn('"b"', answer[0].json["detail"])
            statistics = daemon.curl("GET", "/v1/models/m/layers/a/statistics").json
            self.assertEqual(statistics["num_batches_tracked"], 0)
            counted = daemon.curl("GET", "/v2/models/m/stats").json["model_stats"][0]["inference_stats"]
            self.assertEqual((counted["success"]["count"], counted["fail"]["count"]), (0, 1))


class FullDisk(unittest.TestCase):
    def test_nothing_changes(self):
        start_on_small_disk(self, "1m")
        put_two(self.daemon)
        body, headers = call(INPUTS, parameters=TRAIN)
        self.assertEqual(self.daemon.curl("POST", PATH, body, headers).status, 200)
        ballast = os.path.join(self.disk, "ballast")
        with open(ballast, "wb") as f, self.assertRaises(OSError):
            while True:
                os.write(f.fileno(), b"x" * 4096)
        stored, codes = 1, []
        while "storage_full" not in codes:
            answer = self.daemon.curl("POST", PATH, body, headers)
            stored += answer.status == 200
            codes += [answer.code] if answer.status == 507 else []
            self.assertEqual(batches(self.daemon), stored)
            self.assertLess(stored, 100)
        os.unlink(ballast)
        self.assertEqual(self.daemon.curl("POST", PATH, body, headers).status, 200)
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(batches(self.daemon), stored + 1)


if __name__ == "__main__":
    unittest.main()
