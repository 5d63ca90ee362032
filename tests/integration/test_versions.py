# SPDX-License-Identifier: MIT
"""Versions: what they hold, what they are called, and that they never change."""

import re
import unittest

from digests import ask_layer, version_digest
from kinds import KINDS, RANDOM, TRACKING, tensor
from normd import at_once
from versions import ROWS, VersionsTest, ask_version

TIME = re.compile(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


class Versions(VersionsTest):
    def put_kinds(self):
        """A layer of each kind, trained where it can be; the tensors that they take."""
        tensors = {}
        for kind, (definition, shape) in KINDS.items():
            self.put(kind, definition)
            tensors[kind] = tensor(RANDOM.normal(size=shape))
            if kind in TRACKING:
                self.ask("POST", self.path(kind, "train"), tensors[kind])
        return tensors

    def everything(self, tensors, version):
        """All that can be read of these layers at a version."""
        return {(kind, call): (answer.status, answer.raw, answer.headers["normd-version"],
                               answer.headers["normd-revision"])
                for kind, x in tensors.items()
                for call, method, body in (("infer", "POST", x), ("", "GET", None), ("parameters", "GET", None),
                                           *((("statistics", "GET", None), ("affine", "GET", None))
                                             if kind in TRACKING else ()))
                for answer in [self.ask(method, self.path(kind, call).rstrip("/") + f"?version={version}", body)]}

    def test_a_version_is_what_was_live(self):
        tensors = self.put_kinds()
        live = self.everything(tensors, "live")
        digests = {kind: ask_layer(self.client, self.path(kind)) for kind in tensors}
        made = self.ask("POST", self.of_model("versions"), {"note": "n"}, status=201)
        self.assertEqual(made.headers["location"], self.of_model("versions/1"))
        self.assertRegex(made.json["created"], TIME)
        self.assertEqual(made.json, {"version": 1, "created": made.json["created"], "note": "n",
                                     "digest": version_digest(digests)})
        self.assertEqual(self.ask("GET", self.of_model("versions")).json, {"versions": [made.json], "next": None})
        shown = self.ask("GET", made.headers["location"]).json
        self.assertEqual(shown, {**made.json, "next": None, "layers": [
            {"name": kind, "revision": 1 if kind in TRACKING else 0, "digest": digests[kind]}
            for kind in sorted(tensors)]})
        pinned = self.everything(tensors, 1)
        self.assertEqual({said[2] for said in pinned.values()}, {"1"})
        self.assertEqual({what: (said[:2], said[3]) for what, said in pinned.items()},
                         {what: (said[:2], said[3]) for what, said in live.items()})

    def test_it_never_changes(self):
        """Whatever becomes of its layers, of other versions and of the daemon."""
        tensors = self.put_kinds()
        for i in range(3):
            self.make()
            for kind in TRACKING:
                self.ask("POST", self.path(kind, "train"), tensors[kind])
        self.serve(2)
        shown = self.ask("GET", self.of_model("versions/2")).raw
        before = self.everything(tensors, 2)

        def train():
            for kind in TRACKING:
                self.ask("POST", self.path(kind, "train"), tensors[kind])

        def put_parameters():
            for kind in tensors:
                count = 24 if "normalized_shape" in KINDS[kind][0] else 6
                self.ask("PUT", self.path(kind, "parameters"), {"weight": [2] * count})

        def delete_layers():
            for kind in tensors:
                self.ask("DELETE", self.path(kind), status=204)

        def put_others():
            for kind in tensors:
                self.put(kind, {"kind": "batch_norm", "num_features": 3})
                self.train(kind, [[1, 2, 3], [4, 5, 7]])

        steps = (train, put_parameters, self.make, train,
                 lambda: self.ask("PUT", self.path("batch_norm", "statistics"),
                                  {"running_mean": [0] * 6, "running_var": [1] * 6}),
                 lambda: self.ask("PUT", self.of_model("frozen"), {"frozen": True}),
                 lambda: self.ask("PUT", self.path("batch_norm", "frozen"), {"frozen": False}),
                 lambda: self.ask("DELETE", self.path("batch_norm", "statistics")),
                 lambda: self.ask("DELETE", self.of_model("versions/1"), status=204),
                 lambda: self.ask("DELETE", self.of_model("versions/3"), status=204),
                 self.restart, delete_layers, lambda: self.restart(kill=True), put_others, self.make)
        for step in steps:
            step()
            self.assertEqual(self.everything(tensors, 2), before, step)
            self.assertEqual(self.ask("GET", self.of_model("versions/2")).raw, shown)
        self.assertEqual(self.numbers(), [2, 4, 5])
        for number in self.numbers():
            ask_version(self.client, self.model, number)

    def test_versions_without_a_change_between_them(self):
        self.put()
        self.train()
        first, second = (self.ask("POST", self.of_model("versions"), status=201).json for _ in range(2))
        self.assertEqual((first["version"], second["version"], first["digest"]), (1, 2, second["digest"]))
        self.ask("DELETE", self.of_model("versions/1"), status=204)
        self.train()
        self.assertEqual(ask_version(self.client, self.model, 2)["layers"][0]["revision"], 1)

    def test_numbers_never_come_back(self):
        self.put()
        self.assertEqual([self.make() for _ in range(4)], [1, 2, 3, 4])
        for number in (4, 2):
            self.ask("DELETE", self.of_model("versions", number), status=204)
            self.not_found("no_such_version", "DELETE", self.of_model("versions", number))
            self.not_found("no_such_version", "GET", self.of_model("versions", number))
            self.not_found("no_such_version", "POST", self.path("bn", f"infer?version={number}"), {"data": ROWS})
        self.assertEqual(self.make(), 5)
        self.restart()
        self.ask("DELETE", self.of_model("versions/5"), status=204)
        self.restart(kill=True)
        self.assertEqual((self.make(), self.numbers()), (6, [1, 3, 6]))
        self.ask("DELETE", self.of_model(), status=204)
        self.not_found("no_such_model", "GET", self.of_model("versions"))
        self.put()
        self.assertEqual((self.numbers(), self.make(), self.numbers()), ([], 7, [7]))
        for number in (1, 3, 6):
            self.not_found("no_such_version", "GET", self.path() + f"?version={number}")
        self.ask("PUT", "/v1/models/other-of-versions/layers/bn", {"kind": "batch_norm"}, status=201)
        self.assertEqual(self.ask("POST", "/v1/models/other-of-versions/versions", status=201).json["version"], 1)

    def test_notes(self):
        self.put()
        notes = ["", "x", "😀" * 250, "x" * 1000, "\x01\x1f\"\\/" * 200, "\u2028é\n\t", "null"]
        for note in notes:
            self.assertEqual(self.ask("POST", self.of_model("versions"), {"note": note}, status=201).json["note"], note)
        for body in (None, {}, {"note": None}):
            self.assertEqual(self.ask("POST", self.of_model("versions"), body, status=201).json["note"], "")
        self.restart()
        self.assertEqual([version["note"] for version in self.pages(self.of_model("versions"), "versions", 2)],
                         notes + [""] * 3)
        path = self.of_model("versions")
        for note in (1, True, [], {}, ["x"], 0):
            self.assertIn('"note" must be a text', self.wrong("bad_parameter", "POST", path, {"note": note}))
        for note in ("x" * 1001, "😀" * 250 + "x"):
            self.assertIn("1001 bytes", self.wrong("bad_parameter", "POST", path, {"note": note}))
        for body in ([], "[1]", '"x"', "1", {"not": "x"}, {"version": 9}):
            self.wrong("bad_parameter", "POST", path, body)
        for body in ("{", '{"note":"\\ud800"}', b'{"note":"\xff"}', '{"note":"x","note":"y"}'):
            self.wrong("bad_json", "POST", path, body)
        self.wrong("bad_parameter", "POST", path + "?note=x", {})
        self.assertEqual(self.make(), len(notes) + 4)

    def test_pages(self):
        self.put()
        for layer in range(12):
            self.put(f"l{layer}")
        made = [self.ask("POST", self.of_model("versions"), {"note": str(i)}, status=201).json for i in range(11)]
        self.ask("DELETE", self.of_model("versions/4"), status=204)
        del made[3]
        for limit in (1, 3, 9, 10, 100):
            self.assertEqual(self.pages(self.of_model("versions"), "versions", limit), made)
        names = sorted(["bn", *(f"l{i}" for i in range(12))])
        for limit in (1, 5, 12, 13, 1000):
            self.assertEqual([layer["name"] for layer in self.pages(self.of_model("versions/7"), "layers", limit)],
                             names)
        self.assertEqual(self.ask("GET", self.of_model("versions?after=11")).json, {"versions": [], "next": None})
        page = self.ask("GET", self.of_model("versions/7?after=zzz")).json
        self.assertEqual((page["layers"], page["next"]), ([], None))
        for query in ("limit=0", "limit=1001", "limit=x", "after=x", "after=-1", "after=0", "version=1"):
            self.wrong("bad_parameter", "GET", self.of_model("versions?" + query))

    def test_what_does_not_exist(self):
        path = "/v1/models/none-of-these/versions"
        for method, of in (("POST", ""), ("GET", ""), ("GET", "/1"), ("DELETE", "/1"), ("GET", "/a")):
            self.not_found("no_such_model", method, path + of)
        self.put()
        self.make()
        for name in ("2", "0", "017", "9223372036854775807", "9223372036854775808", "9" * 60, "live"):
            for method in ("GET", "DELETE"):
                self.assertIn(f"has no version {name}",
                              self.not_found("no_such_version", method, self.of_model("versions", name)))
            if name != "live":
                for path in (self.path() + "?version=", self.of_model("state.safetensors?version=")):
                    self.assertIn(f"has no version {name}", self.not_found("no_such_version", "GET", path + name))
        for name in ("none", "previous", "1a"):
            for method in ("GET", "DELETE"):
                self.not_found("no_such_alias", method, self.of_model("versions", name))
        for name in ("-1", "%20", "x" * 129, "1%2F"):
            self.wrong("bad_name", "GET", self.of_model("versions", name))
        self.assertEqual(self.ask("OPTIONS", self.of_model("versions"), status=204).headers["allow"],
                         "POST, GET, HEAD, OPTIONS")
        self.wrong("method_not_allowed", "PUT", self.of_model("versions/1"), {}, status=405)
        head = self.ask("HEAD", self.of_model("versions/1"))
        self.assertEqual((head.raw, head.headers["content-type"]), (b"", "application/json"))

    def test_a_layer_that_is_not_in_it(self):
        self.put()
        self.make()
        self.put("late")
        self.train("late")
        self.make()
        self.ask("DELETE", self.path("bn"), status=204)
        self.make()
        for version, layer in ((1, "late"), (3, "bn"), (2, "none")):
            for method, call, body in (("POST", "infer", {"data": ROWS}), ("GET", "affine", None),
                                       ("GET", "statistics", None), ("GET", "parameters", None)):
                self.assertIn(f"version {version}", self.not_found(
                    "no_such_layer", method, self.path(layer, call) + f"?version={version}", body))
        self.infer("?version=2", "late")
        self.assertEqual([[layer["name"] for layer in ask_version(self.client, self.model, number)["layers"]]
                          for number in (1, 2, 3)], [["bn"], ["bn", "late"], ["late"]])

    def test_a_model_without_layers(self):
        self.put()
        self.make()
        self.ask("DELETE", self.path("bn"), status=204)
        self.assertIn("has no layers", self.not_found("no_such_layer", "POST", self.of_model("versions")))
        self.assertEqual(self.numbers(), [1])
        self.put("another")
        self.assertEqual(self.make(), 2)

    def test_an_untrained_layer(self):
        """An open number of features stays open in it."""
        self.put("bn", {"kind": "batch_norm"})
        self.make()
        self.train(data=[[1, 2, 3], [4, 5, 7]])
        self.assertIn("when version 1 was made", self.wrong(
            "not_trained", "POST", self.path("bn", "infer?version=1"), {"data": [[1, 2, 3]]}, status=409))
        self.assertNotIn("num_features", [key for key, value in self.ask("GET", self.path() + "?version=1").json.items()
                                          if value is not None])
        self.assertEqual(self.ask("GET", self.path()).json["num_features"], 3)

    def test_expect(self):
        """The digest of a version is that of the layer's state in it; no other version's is."""
        self.put()
        digests = []
        for _ in range(2):
            self.train()
            digests.append(self.ask("POST", self.of_model("versions"), status=201).json["digest"])
        for version, digest in ((1, digests[0]), (2, digests[1])):
            self.assertEqual(self.infer(f"?version={version}&expect={digest}").headers["normd-version"], str(version))
        self.serve(1)
        self.infer(f"?expect={digests[0]}")
        for query in (f"?expect={digests[1]}", f"?version=live&expect={digests[1]}"):
            self.wrong("state_mismatch", "POST", self.path("bn", "infer") + query, {"data": ROWS}, status=412)


class Keys(VersionsTest):
    KEY = {"Idempotency-Key": "k"}

    def test_a_repeat_gets_the_same_version(self):
        self.put()
        path, body = self.of_model("versions"), {"note": "once"}
        first = self.ask("POST", path, body, self.KEY, status=201)
        self.train()
        for restart in (lambda: None, self.restart, lambda: self.restart(kill=True)):
            restart()
            again = self.ask("POST", path, body, self.KEY, status=201)
            self.assertEqual((again.raw, again.headers["location"]), (first.raw, first.headers["location"]))
        self.assertEqual(self.numbers(), [1])
        self.assertEqual(self.make(body), 2)
        self.assertEqual(self.make(body, {"Idempotency-Key": "other"}), 3)
        self.ask("DELETE", self.of_model("versions/1"), status=204)
        self.assertEqual(self.ask("POST", path, body, self.KEY, status=201).raw, first.raw)
        self.assertEqual(self.numbers(), [2, 3])

    def test_another_body_is_a_mismatch(self):
        self.put()
        self.make({"note": "a"}, self.KEY)
        for body in ({"note": "b"}, {}, '{"note":"a" }'):
            self.assertEqual(self.make(body, self.KEY, status=422).code, "idempotency_mismatch")
        self.assertEqual(self.numbers(), [1])

    def test_a_key_belongs_to_its_model(self):
        """Layers have keys of their own."""
        other = "/v1/models/other-of-keys"
        self.put()
        self.ask("PUT", other + "/layers/bn", {"kind": "batch_norm", "num_features": 2}, status=201)
        self.make({"note": "a"}, self.KEY)
        self.train(headers=self.KEY)
        answer = self.ask("POST", other + "/versions", {"note": "b"}, self.KEY, status=201)
        self.assertEqual((answer.json["version"], answer.json["note"]), (1, "b"))
        self.ask("DELETE", self.of_model(), status=204)
        self.put()
        self.assertEqual(self.make({"note": "c"}, self.KEY), 2)

    def test_a_refused_call_uses_up_no_key(self):
        self.put()
        self.ask("DELETE", self.path("bn"), status=204)
        self.assertEqual(self.make({"note": "a"}, self.KEY, status=404).code, "no_such_layer")
        self.assertEqual(self.make({"note": 1}, self.KEY, status=400).code, "bad_parameter")
        self.assertEqual(self.make({"note": "a"}, {"Idempotency-Key": ""}, status=400).code, "bad_parameter")
        self.put()
        self.assertEqual(self.make({"note": "b"}, self.KEY), 1)

    def test_repeats_at_once_make_one_version(self):
        self.put()
        clients = [self.daemon.client() for _ in range(12)]
        for client in clients:
            self.addCleanup(client.close)
        answers = at_once([lambda c=client: c.request("POST", self.of_model("versions"), {"note": "a"}, self.KEY)
                           for client in clients])
        made = {answer.raw for answer in answers if answer.status == 201}
        self.assertEqual(len(made), 1)
        self.assertEqual({answer.code for answer in answers if answer.status != 201} - {"idempotency_in_flight"}, set())
        self.assertEqual(self.numbers(), [1])


if __name__ == "__main__":
    unittest.main()
