# SPDX-License-Identifier: MIT
"""GET and DELETE drift: what inference has read, beside the running statistics."""

import numpy

import npy
from kinds import KINDS, TRACKING, KindTest, tensor
from normd import Daemon, DaemonTest, at_once
from scores import SCORES, scores

RANDOM = numpy.random.default_rng(1500)


class DriftTest(KindTest):
    def put_statistics(self, mean, var, layer="bn", **definition):
        """A layer with these running statistics."""
        self.put(layer, {"kind": "batch_norm", "datatype": "FP64", **definition})
        self.ask("PUT", self.path(layer, "statistics"), {"running_mean": list(mean), "running_var": list(var)})

    def drift(self, query="", layer="bn"):
        return self.ask("GET", self.path(layer, "drift") + query).json

    def reset(self, layer="bn"):
        self.assertEqual(self.ask("DELETE", self.path(layer, "drift"), status=204).raw, b"")

    def infer_npy(self, x, query="", layer="bn"):
        self.post_npy(self.path(layer, "infer") + query, x)

    def assertScores(self, found, expected):
        for score in SCORES:
            self.assertAlmostEqual(found[score], expected[score], delta=1e-7 * max(1, abs(expected[score])), msg=score)

    def assertWindow(self, x, layer="bn", mean=0, var=1):
        """The window has seen just these (n, features) values."""
        found = self.drift("?min_count=2&top=1000", layer)
        self.assertEqual((found["count"], len(found["features"])), x.shape)
        for each in found["features"]:
            part = x[:, each["index"]]
            self.assertScores(each, scores(part.mean(), part.var(), mean, var))
        return found

    def assertEmpty(self, layer="bn"):
        found = self.drift(layer=layer)
        self.assertEqual((found["verdict"], found["count"], found["features"]), ("too_few", 0, []))
        self.assertEqual(set(found["max"].values()) | set(found["median"].values()), {None})
        return found


class Windows(DriftTest):
    def test_what_inference_reads_is_in_the_window(self):
        """Requests of every form add up; each feature's scores are those of all of its values."""
        self.put_statistics([0] * 3, [1] * 3)
        self.assertIsNone(self.assertEmpty()["since"])
        parts = [RANDOM.normal([0.2, 5, -1], [1, 2, 0.1], (n, 3)) for n in (1, 7, 200, 30)]
        self.infer("bn", parts[0])
        self.infer_npy(parts[1])
        parts[2] = parts[2].astype("<f4").astype("<f8")
        self.infer_npy(parts[2].astype("<f4"))
        self.infer("bn", parts[3])
        found = self.assertWindow(numpy.concatenate(parts))
        self.assertEqual(found["verdict"], "drift")
        self.assertRegex(found["since"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(self.drift("?top=1")["features"], found["features"][:1])
        self.assertEqual(self.drift("?min_count=239")["verdict"], "too_few")

    def test_samples_and_positions(self):
        for kind in TRACKING:
            x = RANDOM.normal(3, 2, KINDS[kind][1])
            self.put(kind, KINDS[kind][0])
            self.ask("PUT", self.path(kind, "statistics"), {"running_mean": [3] * 6, "running_var": [4] * 6})
            for part in (x[:2], x[2:]):
                self.ask("POST", self.path(kind, "infer"), tensor(part))
            self.assertWindow(x.transpose(0, 2, 1).reshape(-1, 6), kind, 3, 4)

    def test_channels_last(self):
        self.put_statistics([0] * 2, [1] * 2, channel_axis=-1)
        x = RANDOM.normal(size=(6, 5, 2))
        self.infer_npy(x)
        self.assertWindow(x.reshape(-1, 2))

    def test_padding_is_left_out(self):
        self.put_statistics([0, 0], [1, 1])
        x = RANDOM.normal(size=(9, 2, 4))
        lengths = [0, 4, 1, 2, 3, 4, 0, 1, 2]
        keep = numpy.arange(4) < numpy.array(lengths)[:, None]
        x.transpose(0, 2, 1)[~keep] = numpy.nan
        self.infer_npy(x, "?lengths=" + ",".join(map(str, lengths)))
        self.assertWindow(x.transpose(0, 2, 1)[keep])

    def test_a_large_tensor(self):
        self.put_statistics([0] * 2, [1] * 2)
        x = RANDOM.normal(0.25, 2, (700_000, 2)).astype("<f4")
        self.infer_npy(x)
        self.assertWindow(x.astype("<f8"))

    def test_stuck_at_any_number(self):
        """Numbers whose sums are rounded have no deviation, in one request or in several."""
        stuck = numpy.array([0.1, -3e5 / 7, 1e-30, 16777217.3])
        for count, layer in ((1, "one"), (3, "three")):
            self.put_statistics([0] * 4, [1] * 4, layer)
            for _ in range(count):
                self.infer_npy(numpy.tile(stuck, (1001, 1)), layer=layer)
            found = self.drift(layer=layer)
            self.assertEqual((found["verdict"], found["count"]), ("constant", 1001 * count))
            self.assertEqual([each["verdict"] for each in found["features"]], ["constant"] * 4)
            self.assertEqual({each["variance_ratio"] for each in found["features"]}, {0})

    def test_the_open_inference_protocol(self):
        """Each input counts for its layer; one that holds a NaN does not, and nor does training."""
        self.put_statistics([0] * 2, [1] * 2, "a")
        self.put_statistics([0], [1], "b")
        x, y = RANDOM.normal(size=(30, 2)), RANDOM.normal(size=(30, 1))

        def call(**parameters):
            inputs = [{"name": name, "shape": values.shape, "datatype": "FP64", "data": values.ravel().tolist()}
                      for name, values in (("a", x), ("b", y))]
            self.ask("POST", f"/v2/models/{self.model}/infer", {"inputs": inputs, "parameters": parameters})

        call()
        self.assertWindow(x, "a")
        self.assertWindow(y, "b")
        x[3, 1] = numpy.nan
        call()
        self.assertEqual((self.drift(layer="a")["count"], self.drift(layer="b")["count"]), (30, 60))
        x[3, 1] = 0
        call(mode="train")
        self.assertEqual((self.drift(layer="a")["count"], self.drift(layer="b")["count"]), (30, 60))

    def test_what_does_not_count(self):
        self.put_statistics([0, 0], [1, 1])
        x = RANDOM.normal(size=(40, 2))
        self.infer_npy(x, "?inverse=true")
        self.infer_npy(numpy.zeros((0, 2)))
        self.train("bn", x)
        self.ask("POST", self.path("bn", "report"), x.tolist())
        self.refused("bad_tensor", 400, "bn", "infer", {"data": [[1, 2], [3]]})
        self.refused("non_finite_input", 422, "bn", "infer", npy.save(numpy.array([[1, numpy.nan], [3, 4]])),
                     {"Content-Type": npy.TYPE})
        self.ask("POST", self.path("bn", "infer"), x.tolist(), {"Accept": "image/png"}, status=406)
        self.assertIsNone(self.assertEmpty()["since"])

    def test_clients_at_once(self):
        """Nothing that was answered is missing, also while others ask for the drift."""
        self.put_statistics([0, 0], [1, 1])
        clients = [self.daemon.client() for _ in range(8)]
        parts = [RANDOM.normal(i, 1, (30, 2)) for i in range(8)]

        def infer(client, x):
            for row in x:
                self.assertEqual(client.request("POST", self.path("bn", "infer"), [row.tolist()]).status, 200)
                self.assertEqual(client.request("GET", self.path("bn", "drift")).status, 200)

        at_once([lambda client=client, x=x: infer(client, x) for client, x in zip(clients, parts)])
        for client in clients:
            client.close()
        x = numpy.concatenate(parts).astype("<f4").astype("<f8")
        found = self.drift()
        self.assertEqual(found["count"], 240)
        for each in found["features"]:
            part = x[:, each["index"]]
            self.assertAlmostEqual(each["mean_shift"], part.mean(), delta=1e-6)
            self.assertAlmostEqual(each["variance_ratio"], part.var(), delta=1e-6)

    def test_many_features(self):
        """Only the worst are shown."""
        n = 100_000
        self.put("bn", {"kind": "batch_norm"})
        self.ask("POST", self.path("bn", "train") + "?output=false", npy.save(RANDOM.normal(size=(9, n)).astype("<f4")),
                 {"Content-Type": npy.TYPE}, 204)
        x = RANDOM.normal(size=(9, n)).astype("<f4")
        x[:, 77777] += 1000
        self.infer_npy(x)
        answer = self.ask("GET", self.path("bn", "drift") + "?min_count=2&top=3")
        self.assertLess(len(answer.raw), 2000)
        self.assertEqual((answer.json["count"], len(answer.json["features"])), (9, 3))
        self.assertEqual((answer.json["features"][0]["index"], answer.json["features"][0]["verdict"]), (77777, "drift"))


class New(DriftTest):
    """When a window begins anew."""

    def infer_some(self, mean=0, n=40):
        x = RANDOM.normal(mean, 1, (n, 1))
        self.infer_npy(x)
        return x

    def test_delete(self):
        """The statistics stay as they are, and so does the revision."""
        self.put_statistics([0], [1])
        before = self.state("bn")
        for _ in range(2):
            self.infer_some(9)
            self.reset()
            self.assertIsNotNone(self.assertEmpty()["since"])
        self.assertEqual(self.state("bn"), before)
        self.assertWindow(self.infer_some())

    def test_delete_if_the_revision_is_known(self):
        self.put_statistics([0], [1])
        self.infer_some(n=3)
        for match, status, code, count in (('"0"', 412, "revision_mismatch", 3), ("1", 400, "bad_parameter", 3),
                                           ('"0", "1"', 204, None, 0)):
            answer = self.ask("DELETE", self.path("bn", "drift"), None, {"If-Match": match}, status)
            self.assertEqual((answer.raw and answer.code or None, self.drift()["count"]), (code, count))

    def test_a_switch_of_what_serves(self):
        """Publishing, rolling back; not making a version."""
        self.put_statistics([0], [1])
        x = self.infer_some()
        model = f"/v1/models/{self.model}"
        self.ask("POST", model + "/versions", {}, status=201)
        self.assertWindow(x)
        for version in (1, "previous"):
            self.ask("PUT", model + "/serving", {"version": version})
            self.assertIsNotNone(self.assertEmpty()["since"])
            self.assertWindow(self.infer_some())

    def test_another_layer_of_the_name(self):
        self.put_statistics([0], [1])
        self.infer_some()
        self.ask("DELETE", self.path("bn"), status=204)
        self.put_statistics([0], [1])
        self.assertIsNone(self.assertEmpty()["since"])


class States(DriftTest):
    def test_it_is_compared_with_what_serves_or_is_named(self):
        self.put_statistics([0], [1])
        self.ask("POST", f"/v1/models/{self.model}/versions", {}, status=201)
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [2], "running_var": [1]})
        self.infer("bn", numpy.array([[-1.0], [1.0]] * 50))
        for query, version, shift in (("", "live", -2), ("?version=1", "1", 0), ("?version=live", "live", -2)):
            answer = self.ask("GET", self.path("bn", "drift") + query)
            self.assertEqual((answer.headers["normd-version"], answer.json["max"]["mean_shift"]), (version, shift))
            self.assertEqual(answer.headers["normd-revision"], "1" if version == "1" else "2")
        self.assertEqual(self.drift("?possible=4&drift=4.5")["verdict"], "possible")
        self.ask("PUT", f"/v1/models/{self.model}/serving", {"version": 1})
        self.infer("bn", numpy.array([[-1.0], [1.0]] * 50))
        answer = self.ask("GET", self.path("bn", "drift"))
        self.assertEqual((answer.headers["normd-version"], answer.json["verdict"]), ("1", "none"))

    def test_a_version_whose_layer_was_deleted(self):
        """It serves on, but has no window, also when there is another layer of the name."""
        self.put_statistics([0], [1])
        self.ask("POST", f"/v1/models/{self.model}/versions", {}, status=201)
        self.ask("PUT", f"/v1/models/{self.model}/serving", {"version": 1})
        self.ask("DELETE", self.path(), status=204)
        for again in (False, True):
            if again:
                self.put_statistics([0], [1])
            self.infer("bn", numpy.ones((3, 1)))
            told = self.ask("GET", self.path("bn", "drift"), status=404)
            self.assertEqual(told.code, "no_such_layer")
            self.assertIn("was deleted from model", told.json["detail"])
            self.assertEqual(self.ask("POST", self.path("bn", "report"), [[1]]).json["count"], 1)
        self.assertEqual(self.drift("?version=live")["count"], 0)

    def test_what_is_refused(self):
        self.put_statistics([0], [1])
        self.infer("bn", numpy.array([[-1.0], [1.0]] * 50))
        before = self.drift()
        for query in ("?top=1001", "?min_count=1", "?drift=0", "?possible=0.3", "?drift=inf", "?tops=3", "?top=1&top=2",
                      "?lengths=1"):
            self.assertEqual(self.ask("GET", self.path("bn", "drift") + query, status=400).code, "bad_parameter")
        self.assertEqual(self.ask("DELETE", self.path("bn", "drift") + "?top=1", status=400).code, "bad_parameter")
        self.assertEqual(self.ask("GET", self.path("bn", "drift") + "?version=7", status=404).code, "no_such_version")
        for method in ("GET", "DELETE"):
            self.assertEqual(self.ask(method, self.path("nothing", "drift"), status=404).code, "no_such_layer")
        self.assertEqual(self.ask("POST", self.path("bn", "drift"), {}, status=405).headers["allow"],
                         "GET, HEAD, DELETE, OPTIONS")
        self.assertEqual(self.drift(), before)

    def test_layers_that_have_nothing_to_compare_with(self):
        definitions = {**{kind: definition for kind, (definition, _) in KINDS.items()},
                       "by_batch": {"kind": "batch_norm", "track_running_stats": False}}
        for layer, definition in definitions.items():
            self.put(layer, definition)
            get = self.ask("GET", self.path(layer, "drift"), status=409 if layer in TRACKING else 400)
            self.assertEqual(get.code, "not_trained" if layer in TRACKING else "bad_parameter")
            delete = self.ask("DELETE", self.path(layer, "drift"), status=204 if layer in TRACKING else 400)
            if layer not in TRACKING:
                self.assertIn("keeps no running statistics", get.json["detail"])
                self.assertEqual(delete.json["detail"], get.json["detail"])


class Restarts(DaemonTest):
    def test_a_window_survives_a_stop(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        layer = "/v1/models/m/layers/bn"
        self.assertEqual(daemon.curl("PUT", layer, {"kind": "batch_norm"}).status, 201)
        daemon.curl("PUT", layer + "/statistics", {"running_mean": [0], "running_var": [1]})
        for round_ in range(1, 3):
            daemon.curl("POST", layer + "/infer", {"data": [[-1], [2]] * 60})
            told = daemon.curl("GET", layer + "/drift").json
            self.assertEqual((told["count"], told["max"]["mean_shift"]), (120 * round_, 0.5))
            daemon.stop()
            daemon.start()
            self.assertEqual(daemon.curl("GET", layer + "/drift").json, told)
