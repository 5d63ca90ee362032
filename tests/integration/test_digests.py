# SPDX-License-Identifier: MIT
"""
Digests: normd's are those that a client computes as docs/DIGESTS.md says, by its bytes and by its program, for every
kind, option and value; and `expect` lets infer normalize by no state but the one expected.
"""

import itertools
import json
import math
import os
import re
import threading
import unittest

import digests
from kinds import KINDS, TRACKING
from normd import ROOT, ClientTest, Daemon, at_once

OTHER = "sha256:" + "0" * 64
# Values whose bits are easily lost.
ODD = [-0.0, 0.0, 5e-324, -2.2250738585072014e-308, 1.7976931348623157e308, 0.1 + 0.2, 1 / 3, 16777217, -1e-300]
# Definitions that differ from the defaults; all of them take (N, 6) or (N, 6, 4) and fit six channels.
OPTIONS = [
    {"kind": "batch_norm", "num_features": 6},
    {"kind": "batch_norm", "affine": False},
    {"kind": "batch_norm", "track_running_stats": False},
    {"kind": "batch_norm", "track_running_stats": False, "averaging": "pooled"},
    {"kind": "batch_norm", "averaging": "cumulative"},
    {"kind": "batch_norm", "momentum": None},
    {"kind": "batch_norm", "averaging": "pooled"},
    {"kind": "batch_norm", "averaging": "pooled", "unbiased_running_var": True, "min_std": 1e-3},
    {"kind": "batch_norm", "averaging": "decayed", "half_life": 33.5},
    {"kind": "batch_norm", "averaging": "pooled", "normalize_by": "running", "with_mean": False},
    {"kind": "batch_norm", "renorm": {}},
    {"kind": "batch_norm", "renorm": {"d_max": 0.1, "r_max": 1.1}},
    {"kind": "batch_norm", "virtual_batch_size": 2, "shuffle": True},
    {"kind": "batch_norm", "momentum": 1 / 3, "eps": 0, "clip": 2.5},
    {"kind": "batch_norm", "eps": -0.0},
    {"kind": "instance_norm", "momentum": None, "track_running_stats": True},
    {"kind": "instance_norm", "num_features": 6},
    {"kind": "layer_norm", "normalized_shape": [6, 4], "elementwise_affine": False},
    {"kind": "layer_norm", "normalized_shape": [6, 4], "bias": False},
    {"kind": "layer_norm", "normalized_shape": 4},
    {"kind": "rms_norm", "normalized_shape": [4], "eps": None},
    {"kind": "group_norm", "num_groups": 1, "num_channels": 6, "affine": False},
]


def page():
    with open(os.path.join(ROOT, "docs/DIGESTS.md")) as f:
        return f.read()


def block(text, heading):
    """The code under a heading."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.sub(r"(?m)^    ", "", "\n".join(re.findall(r"(?m)^    .*|^$", section)))


# The program of the page.
PROGRAM = {}
exec(block(page(), "In Python"), PROGRAM)


class DigestTest(ClientTest):
    def raw(self, layer, *call):
        answer = self.client.request("GET", self.path(layer, *call))
        return answer.raw if answer.status == 200 else None

    def actual(self, layer):
        """The digest by which normd refuses another."""
        answer = self.ask("POST", self.path(layer, "infer") + f"?expect={OTHER}", {"data": [1]}, status=412).json
        self.assertEqual((answer["code"], answer["expected"]), ("state_mismatch", OTHER))
        return answer["actual"]

    def check(self, layer):
        """All ways to learn the digest give the same, which is returned."""
        found = digests.ask_layer(self.client, self.path(layer))
        shown = [self.raw(layer, *call) for call in ((), ("parameters",), ("statistics",))]
        state = [PROGRAM["load"](text) for text in shown if text is not None]
        self.assertEqual(PROGRAM["digest"](*state), found)
        self.assertEqual(self.actual(layer), found, state)
        if len(state) == 3:
            self.assertEqual(state[2]["digest"], found)
            self.assertLess(list(state[2]).index("digest"), list(state[2]).index("revision"))
        return found

    def train(self, layer, shape, seed=1):
        values = [((i * 7919 + seed * 104729) % 1009) / 64 - 7 for i in range(math.prod(shape))]
        return self.ask("POST", self.path(layer, "train") + "?output=false",
                        {"shape": shape, "datatype": "FP64", "data": values})


class Forms(DigestTest):
    def test_the_kinds_in_each_convention_and_datatype(self):
        seen = set()
        for kind, convention, datatype in itertools.product(KINDS, ("pytorch", "keras", "flax", "onnx"),
                                                            ("FP32", "FP64", "FP16")):
            definition, shape = KINDS[kind]
            layer = f"{kind}.{convention}.{datatype}"
            with self.subTest(layer):
                definition = {**definition, "convention": convention, "datatype": datatype}
                self.ask("PUT", self.path(layer), definition, status=201)
                fresh = self.check(layer)
                seen.add(fresh)
                if kind in TRACKING:
                    self.train(layer, list(shape))
                    seen.add(self.check(layer))
                    self.assertNotEqual(self.check(layer), fresh)
        self.assertEqual(len(seen), 4 * 3 * (len(KINDS) + len(TRACKING)))

    def test_the_options(self):
        seen = {}
        for i, definition in enumerate(OPTIONS):
            with self.subTest(definition):
                layer = f"option{i}"
                told = self.ask("PUT", self.path(layer), definition, status=201).json
                self.check(layer)
                if told.get("track_running_stats"):
                    self.train(layer, [5, 6, 4])
                    self.train(layer, [5, 6, 4], seed=2)
                seen.setdefault(self.check(layer), []).append(definition)
        # Two ways to say the same.
        same = [each for each in seen.values() if len(each) > 1]
        self.assertEqual(same, [[{"kind": "batch_norm", "averaging": "cumulative"},
                                 {"kind": "batch_norm", "momentum": None}]])

    def test_values_whose_bits_are_easily_lost(self):
        count = len(ODD)
        positive = [abs(x) for x in ODD]
        for layer, extra, put in (("exponential", {}, {"num_batches_tracked": 2**53 + 1}),
                                  ("pooled", {"averaging": "pooled"}, {"count": 2**63 - 1}),
                                  ("decayed", {"averaging": "decayed", "half_life": 3}, {"count": 0.1 + 0.7}),
                                  ("whole", {"averaging": "decayed", "half_life": 3}, {"count": 2**60})):
            with self.subTest(layer):
                self.ask("PUT", self.path(layer), {"kind": "batch_norm", **extra}, status=201)
                self.ask("PUT", self.path(layer, "statistics"),
                         {"running_mean": ODD, "running_var": positive, **put})
                self.ask("PUT", self.path(layer, "parameters"), {"weight": ODD[::-1], "bias": ODD})
                before = self.check(layer)
                # What GET shows can be put back, and is the same state.
                answer = self.client.request("PUT", self.path(layer, "statistics"), self.raw(layer, "statistics"))
                self.assertEqual(answer.status, 200, answer)
                self.assertEqual(self.check(layer), before)
        for at in range(count):
            self.ask("PUT", self.path("exponential", "parameters"),
                     {"weight": [1.0] * at + [-1.0] + [1.0] * (count - at - 1)})
            self.assertNotEqual(self.check("exponential"), before)

    def test_lists_of_equal_numbers(self):
        definition = {"kind": "layer_norm", "normalized_shape": [3, 2]}
        self.ask("PUT", self.path("ln"), definition, status=201)
        fresh = self.check("ln")
        self.ask("PUT", self.path("ln", "parameters"), {"weight": [1] * 6, "bias": [[0, 0]] * 3})
        self.assertEqual(self.check("ln"), fresh)
        for bias in ([[0, 0], [0, 0], [0, -0.0]], [[-0.0, -0.0]] * 3, [[2, 2]] * 3, [[2, 2], [2, 2], [2, 3]]):
            self.ask("PUT", self.path("ln", "parameters"), {"bias": bias})
            self.assertNotEqual(self.check("ln"), fresh)
        self.ask("PUT", self.path("one"), {"kind": "rms_norm", "normalized_shape": [1]}, status=201)
        self.check("one")

    def test_a_trillion_weights_take_no_time(self):
        shape = [2**20, 2**20]
        self.ask("PUT", self.path("huge"), {"kind": "layer_norm", "normalized_shape": shape}, status=201)
        definition = digests.loads(self.raw("huge"))
        definition.pop("frozen")
        ones, zeros = (b"r" + digests.u64(2**40) + digests.number(x) for x in (1, 0))
        form = b"normd layer 1" + digests.value(definition) + ones + zeros + b"nnnn"
        self.assertEqual(self.actual("huge"), digests.digest(form))

    def test_a_layer_of_many_features(self):
        """Which is hashed on a computing thread."""
        self.ask("PUT", self.path("wide"), {"kind": "batch_norm"}, status=201)
        self.train("wide", [2, 5000])
        self.ask("PUT", self.path("wide", "parameters"), {"weight": [i / 7 for i in range(5000)]})
        self.check("wide")
        self.ask("PUT", self.path("biased"), {"kind": "layer_norm", "normalized_shape": 5000}, status=201)
        self.ask("PUT", self.path("biased", "parameters"), {"bias": [i / 7 for i in range(5000)]})
        self.check("biased")


class Sameness(DigestTest):
    def test_an_open_number_of_features_is_fixed_later(self):
        self.ask("PUT", self.path("given"), {"kind": "batch_norm", "num_features": 2}, status=201)
        given = self.check("given")
        ways = {"statistics": {"running_mean": [0, 0], "running_var": [1, 1]}, "parameters": {"weight": [1, 1]}}
        for call, body in ways.items():
            with self.subTest(call):
                self.ask("PUT", self.path(call), {"kind": "batch_norm"}, status=201)
                self.assertNotEqual(self.check(call), given)
                self.ask("PUT", self.path(call, call), body)
                self.assertEqual(self.check(call), given)
        self.ask("PUT", self.path("trained"), {"kind": "batch_norm"}, status=201)
        self.train("trained", [3, 2])
        trained = self.check("trained")
        self.train("given", [3, 2])
        self.assertEqual(self.check("given"), trained)
        self.ask("DELETE", self.path("trained", "statistics"))
        self.assertEqual(self.check("trained"), given)

    def test_names_revisions_and_frozen_make_no_difference(self):
        paths = self.path("a"), "/v1/models/another/layers/b"
        for path in paths:
            self.ask("PUT", path, {"kind": "batch_norm"}, status=201)
            self.ask("PUT", path + "/statistics", {"running_mean": [1, 2], "running_var": [3, 4]})
        self.ask("PUT", paths[0] + "/parameters", {"weight": [1, 1]})
        self.ask("PUT", paths[0] + "/frozen", {"frozen": True})
        told = [self.ask("GET", path + "/statistics").json for path in paths]
        self.assertEqual(told[0]["digest"], told[1]["digest"])
        self.assertEqual([each["revision"] for each in told], [3, 1])

    def test_sources_make_none_beyond_their_pool(self):
        totals = {"count": 4, "mean": [1.5], "var": [2.5]}
        for layer in ("merged", "with_source"):
            self.ask("PUT", self.path(layer), {"kind": "batch_norm", "averaging": "pooled"}, status=201)
        self.ask("POST", self.path("merged", "statistics", "merge"), totals)
        self.ask("PUT", self.path("with_source", "statistics", "sources", "s"), totals)
        merged, with_source = (self.ask("GET", self.path(layer, "statistics")).json
                               for layer in ("merged", "with_source"))
        self.check("with_source")
        self.assertEqual((merged["running_mean"], merged["count"]), (with_source["running_mean"], with_source["count"]))
        self.ask("PUT", self.path("with_source", "statistics"), json.dumps(merged))
        self.assertEqual(self.check("with_source"), merged["digest"])


class Restart(unittest.TestCase):
    def test_a_digest_outlives_the_daemon(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        path = "/v1/models/m/layers/bn"
        client = daemon.client()
        client.request("PUT", path, {"kind": "batch_norm", "averaging": "decayed", "half_life": 7})
        client.request("POST", path + "/train", {"data": [[0.1, -3], [2.5, 40], [1e-30, 7]]})
        before = client.request("GET", path + "/statistics").json
        for end in (daemon.kill, daemon.stop):
            end()
            daemon.start()
            client = daemon.client()
            self.assertEqual(client.request("GET", path + "/statistics").json, before)
            self.assertEqual(digests.ask_layer(client, path), before["digest"])


class Expect(DigestTest):
    BODY = {"datatype": "FP64", "data": [[1.5, -2], [0.25, 30]]}

    def setUp(self):
        super().setUp()
        self.ask("PUT", self.path("bn"), {"kind": "batch_norm", "clip": 100}, status=201)
        self.train("bn", [4, 2])

    def infer(self, query, status=200, layer="bn"):
        return self.ask("POST", self.path(layer, "infer") + query, self.BODY, status=status)

    def test_the_expected_state_answers_as_ever(self):
        digest = self.check("bn")
        for query in ("", "&inverse=true"):
            expecting = self.infer(f"?expect={digest}{query}")
            plain = self.infer(query.replace("&", "?"))
            self.assertEqual(expecting.raw, plain.raw)
            self.assertEqual(expecting.headers["normd-revision"], plain.headers["normd-revision"])
        self.infer("?expect=" + digest.replace(":", "%3A"))

    def test_every_change_is_refused(self):
        paths = {"train": ("POST", self.BODY), "parameters": ("PUT", {"weight": [2, 3]}),
                 "statistics": ("PUT", {"running_mean": [0, 0], "running_var": [1, 2]})}
        for call, (method, body) in paths.items():
            with self.subTest(call):
                digest = self.check("bn")
                self.ask(method, self.path("bn", call), body)
                refused = self.infer(f"?expect={digest}", 412)
                self.assertEqual(refused.headers["content-type"], "application/problem+json")
                told = refused.json
                self.assertEqual((told["code"], told["expected"], told["actual"]),
                                 ("state_mismatch", digest, self.check("bn")))
                self.infer("?expect=" + told["actual"])

    def test_any_kind_of_layer(self):
        for kind, (definition, shape) in KINDS.items():
            with self.subTest(kind):
                self.ask("PUT", self.path(kind), definition, status=201)
                if kind in TRACKING:
                    self.train(kind, list(shape))
                body = {"shape": list(shape), "data": [i % 11 for i in range(5 * 6 * 4)]}
                path = self.path(kind, "infer")
                answers = [self.ask("POST", path + query, body).raw for query in ("", f"?expect={self.check(kind)}")]
                self.assertEqual(*answers)

    def test_a_layer_that_was_never_trained(self):
        """Its state is the expected one, but it has nothing to normalize by."""
        self.ask("PUT", self.path("new"), {"kind": "batch_norm", "num_features": 2}, status=201)
        self.assertEqual(self.infer(f"?expect={self.check('new')}", 409, "new").code, "not_trained")
        self.assertEqual(self.infer(f"?expect={OTHER}", 412, "new").code, "state_mismatch")

    def test_what_is_no_digest(self):
        digest = self.check("bn")
        wrong = ["", "sha256", "sha256:", digest[7:], digest[:-1], digest + "0", digest.upper(), "SHA256" + digest[6:],
                 digest[:-1] + "g", digest[:-1] + "%00", digest + "%20", "%20" + digest, "sha512" + digest[6:], "3"]
        for text in wrong:
            with self.subTest(text):
                told = self.infer(f"?expect={text}", 400).json
                self.assertEqual(told["code"], "bad_parameter")
        self.assertIn('"expect" must be "sha256:" and 64 digits from 0 to 9 and a to f (lower case); it is '
                      f'"sha512{digest[6:]}"', self.infer(f"?expect=sha512{digest[6:]}", 400).json["detail"])
        self.assertEqual(self.infer(f"?expect={digest}&expect={digest}", 400).code, "bad_parameter")

    def test_under_training_only_the_expected_revision_answers(self):
        path = self.path("bn", "infer")
        latest = [self.ask("GET", self.path("bn", "statistics")).json]
        done = threading.Event()

        def trains():
            try:
                client = self.daemon.client()
                for step in range(40):
                    client.request("POST", self.path("bn", "train"), {"data": [[step, 1], [2, -step], [5, 6]]})
                    latest.append(client.request("GET", self.path("bn", "statistics")).json)
            finally:
                done.set()

        def reads():
            client, found = self.daemon.client(), []
            while True:
                last, known = done.is_set(), latest[-1]
                answer = client.request("POST", path + "?expect=" + known["digest"], self.BODY)
                if answer.status == 200:
                    found.append((known["revision"], int(answer.headers["normd-revision"])))
                elif answer.status != 412 or answer.json["actual"] == known["digest"]:
                    raise AssertionError(answer)
                if last:
                    return found

        found = sum(at_once([trains, reads, reads, reads])[1:], [])
        self.assertGreaterEqual(len(found), 3)
        self.assertEqual([each for each in found if each[0] != each[1]], [])
        self.assertEqual(len({each["digest"] for each in latest}), 41)


class Page(DigestTest):
    def test_the_example(self):
        text = page().split("\n## An example\n")[1].split("\n## ")[0]
        calls = re.findall(r"(?m)^    PUT (\S+)\n        (\{.*\})$", text)
        self.assertEqual(len(calls), 3)
        for path, body in calls:
            self.ask("PUT", path, body, status=201 if path.endswith("/in") else 200)
        rows = re.findall(r"(?m)^\| `([0-9a-f ]+)` \| (.*) \|$", text)
        form = bytes.fromhex(" ".join(row[0] for row in rows))
        self.assertEqual(len(form), int(re.search(r"has (\d+) bytes", text)[1]))
        layer, version = re.findall(r"(?m)^    (sha256:[0-9a-f]{64})$", text)
        self.assertEqual(layer, digests.digest(form))
        self.assertEqual(layer, self.ask("GET", calls[0][0] + "/statistics").json["digest"])
        self.assertEqual(layer, digests.ask_layer(self.client, calls[0][0]))
        self.assertEqual(version, digests.version_digest({"in": layer}))
        self.assertIn(f"expect={layer}", page())
        # A row's text or number is what its bytes say.
        for code, meaning in rows:
            said = re.fullmatch(r"`(\w+)`", meaning)
            if said:
                self.assertTrue(bytes.fromhex(code).endswith(digests.text(said[1])), meaning)
            elif re.fullmatch(r"-?[0-9.]+", meaning):
                self.assertEqual(bytes.fromhex(code), digests.number(float(meaning)))

    def test_the_example_of_the_api_document(self):
        """The digests of the layer `bn` there are those of the state that it shows."""
        with open(os.path.join(ROOT, "docs/openapi.yaml")) as f:
            document = f.read()
        shown = re.search(r'value: (\{"running_mean": [^\n]*\n[^\n]*\n[^}]*"num_batches_tracked": 2,[^}]*\})', document)
        told = json.loads(shown[1])
        self.ask("PUT", self.path("bn"), {"kind": "batch_norm"}, status=201)
        self.ask("PUT", self.path("bn", "statistics"), json.dumps(told))
        self.assertEqual(self.check("bn"), told["digest"])
        self.assertIn(told["digest"], re.findall(r"(?m)^ +actual: (sha256:\w+)$", document))
