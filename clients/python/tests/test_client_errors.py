# SPDX-License-Identifier: MIT
"""Refusals, each of its own class, and answers that are not normd's."""

import json
import os
import pickle
import re
import time
import unittest

import numpy

import normd
import normd.errors
from proxy import Stubborn
from support import X, Server, Sync, WithDaemon, twice

ROOT = json.dumps({"name": "normd", "version": "0.1.0", "links": {"models": "/v1/models"}}).encode()


class Table(WithDaemon, Sync, unittest.TestCase):
    def test_classes_are_those_of_the_document(self):
        document = self.client.openapi()
        codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
        kinds = {kind.code: kind for kind in normd.ApiError.__subclasses__()}
        self.assertEqual(set(kinds), set(codes))
        self.assertEqual(normd.ApiError._by_code, kinds)
        rows = re.findall(r"\| `(\w+)` \| (\d+) \| (.+?) \|", document["info"]["description"])
        self.assertEqual({row[0] for row in rows}, set(codes))
        for code, status, _ in rows:
            kind = kinds[code]
            self.assertEqual(kind.__name__, "".join(map(str.capitalize, code.split("_"))))
            self.assertIn(f"status {status}", kind.__doc__)
            self.assertIs(getattr(normd.errors, kind.__name__), kind)

    def test_a_code_of_a_later_normd(self):
        error = normd.errors.api_error("GET /", 418, {"code": "teapot", "detail": "short and stout"}, "r", None)
        self.assertEqual((type(error), error.code, error.status, error.detail), (normd.ApiError, "teapot", 418,
                                                                                 "short and stout"))
        self.assertEqual(normd.ApiError.code, "")

    def test_exceptions_of_other_processes(self):
        problem = {"code": "bad_json", "detail": "d", "offset": 7}
        for error in (normd.errors.api_error("GET /", 400, problem, "r", 2.0), normd.NoAnswer("text", True),
                      normd.errors.api_error("GET /", 418, {"code": "teapot"}, "r", None),
                      normd.DeadlineExceeded("text"), normd.Incompatible("text"),
                      normd.UnexpectedAnswer("GET /", 200, "text/html", "<html>")):
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(again), str(again), vars(again)), (type(error), str(error), vars(error)))

    def test_a_class_of_the_callers_own(self):
        class Mine(normd.errors.BadJson):
            pass

        self.assertIs(type(normd.errors.api_error("GET /", 400, {"code": "bad_json"}, "r", None)), normd.errors.BadJson)
        self.assertTrue(issubclass(Mine, normd.ApiError))


@twice
class Refusals(WithDaemon):
    options = ("--max-body", "100KiB")

    def refusals(self):
        """(class, members besides status, detail and request_id, what raises it)"""
        layer, model, e = self.layer, self.model, normd.errors
        alone = {"step": 1, "rank": 0, "world_size": 2, "timeout_ms": 1}
        yield e.NoSuchModel, {}, lambda: layer.definition()
        layer.create("batch_norm", num_features=3, averaging="pooled")
        yield e.NoSuchLayer, {}, lambda: model.layer("other").train(X)
        yield e.LayerDiffers, {}, lambda: layer.create("batch_norm", num_features=4)
        yield e.NotTrained, {}, lambda: layer.infer(X)
        yield e.BadParameter, {}, lambda: layer.drift(top=-1)
        yield e.BadName, {}, lambda: model.layer("no spaces, no \u00fcmlauts/slashes").train(X)
        yield e.BadTensor, {}, lambda: layer.train([[1, 2, 3], [1, 2]])
        yield e.BadJson, {"offset": int}, lambda: layer.train([[float("nan"), 2, 3]])
        yield e.BadNpy, {"offset": int}, lambda: layer.train(X.astype("u4"))
        yield e.BadSafetensors, {}, lambda: model.import_file(__file__)
        yield e.ShapeMismatch, {"expected": str, "actual": str}, lambda: layer.train(X[:, :2])
        yield e.TooFewValues, {}, lambda: layer.train(X[:1])
        yield e.NonFiniteInput, {}, lambda: layer.train(X * numpy.float32("inf"))
        yield e.BodyTooLarge, {}, lambda: layer.train(numpy.zeros((10000, 3)))
        yield e.SyncIncomplete, {}, lambda: layer.train(X, sync=alone)
        layer.train(X, key="k")
        yield e.IdempotencyMismatch, {}, lambda: layer.train(X + 1, key="k")
        yield e.StateMismatch, {}, lambda: layer.infer(X, expect="sha256:" + 64 * "0")
        yield e.RevisionMismatch, {}, lambda: layer.reset_statistics(if_match=99)
        yield e.NoSuchVersion, {}, lambda: layer.infer(X, version=9)
        yield e.NoSuchAlias, {}, lambda: model.alias("champion")
        yield e.NoSuchSource, {}, lambda: layer.source("s")
        layer.put_source("s", 5, [0] * 3, [1] * 3)
        yield e.SourceWentBack, {}, lambda: layer.put_source("s", 4, [0] * 3, [1] * 3)
        model.make_version()
        model.publish(1)
        yield e.VersionInUse, {}, lambda: model.delete_version(1)
        layer.freeze()
        yield e.Frozen, {}, lambda: layer.merge(2, [0] * 3, [1] * 3)

    def test_each(self):
        ids = []
        for kind, members, call in self.refusals():
            with self.subTest(kind.__name__):
                begin = time.monotonic()
                with self.assertRaises(kind) as caught:
                    call()
                error = caught.exception
                self.assertLess(time.monotonic() - begin, 5)  # refusals are not tried again
                self.assertIn(f"status {error.status}", kind.__doc__)
                self.assertIsInstance(error, normd.Error)
                self.assertTrue(error.detail)
                self.assertIn(error.detail, str(error))
                self.assertIn(f"({kind.code}, status {error.status})", str(error))
                ids.append(error.request_id)
                for name in ("offset", "expected", "actual"):
                    if name in members:
                        self.assertIsInstance(getattr(error, name), members[name])
        self.assert_logged(ids)

    def assert_logged(self, ids):
        """Lines are written soon after the answer."""
        deadline = time.monotonic() + 10
        while missing := [request_id for request_id in ids if request_id not in self.daemon.log()]:
            self.assertLess(time.monotonic(), deadline, missing)
            time.sleep(0.01)

    def test_names_that_would_be_other_paths(self):
        for name in ("", ".", "..", None, 5):
            for call in (lambda: self.client.model(name).delete(), lambda: self.model.layer(name).train(X),
                         lambda: self.layer.source(name), lambda: self.model.alias(name)):
                with self.subTest(name), self.assertRaisesRegex(ValueError, "not a valid .* name"):
                    call()
        self.layer.create("batch_norm", num_features=3)
        for name in ("a/b", "../x", "%2e%2e", "a b", "a?b", "a#b", "\u00e4", "-x", "x" * 129, "a\nb"):
            with self.subTest(name), self.assertRaises(normd.errors.BadName):
                self.client.model(name).layer("obs").create("batch_norm", num_features=3)
        for name in ("layer1.0.bn1", "A-z_0", "x" * 128):
            self.model.layer(name).create("batch_norm", num_features=3)
            self.assertEqual(self.model.layer(name).definition()["num_features"], 3)


@twice
class Strangers:
    """The classes tell apart who answered: a proxy, another server, a normd of another time."""

    def client(self, *answer, **options):
        server = Server(self, *answer, **options)
        return self.make(server.url, timeout_s=20), server

    def greeted(self, *answer, **options):
        """A client that has seen a normd, whose place something else has taken since."""
        client, server = self.client(*answer, **options)
        getattr(client, "of", client)._greeted[0] = True
        return client, server

    def test_pages_of_a_proxy(self):
        page = b"<html><head><title>Bad Gateway</title></head>\n<body>\x1b[31mnginx</body></html>"
        for status in (200, 301, 403, 404, 500):
            client, server = self.greeted(status, page)
            layer = client.model("m").layer("l")
            for call in (layer.statistics, lambda: layer.train(X), lambda: layer.infer(X.tolist()), layer.frozen,
                         lambda: client.model("m").infer({"l": X}), lambda: next(client.models()), client.live,
                         client.model("m").state, layer.affine, client.index):
                with self.subTest(status=status), self.assertRaises(normd.UnexpectedAnswer) as caught:
                    call()
                self.assert_says(caught.exception, status, "text/html", "<title>Bad Gateway</title>")
            self.assertEqual(len(server.requests), 10)  # not tried again

    def assert_says(self, error, status, content_type, text):
        self.assertEqual((error.status, error.content_type), (status, content_type))
        self.assertIn(text, error.text)
        for words in ("not one of normd's", f"status {status}", content_type, text):
            self.assertIn(words, str(error))
        self.assertNotIn("\x1b", str(error))
        self.assertNotIn("\n", str(error))

    def test_a_gateway_whose_server_is_away_is_asked_again(self):
        client, server = self.greeted(502, b"<html>Bad Gateway")
        client = client.with_options(retries=normd.Retries(attempts=3))
        with self.assertRaises(normd.UnexpectedAnswer) as caught:
            client.model("m").layer("l").train(X)
        self.assertEqual((caught.exception.status, len(server.requests)), (502, 3))

    def test_answers_that_are_cut(self):
        client, server = self.greeted(200, b'{"live": true}', cut=True)
        client = client.with_options(retries=normd.Retries(attempts=3))
        with self.assertRaisesRegex(normd.NoAnswer, "GET /v2/health/live: .*(ends after|not completed)") as caught:
            client.live()
        self.assertEqual((caught.exception.maybe_done, len(server.requests)), (True, 3))

    def test_json_of_others(self):
        bodies = (b"", b"{", b'{"running_mean"', b"[]", b"null", b"7", b'"text"', b"{}", b"[" * 100000,
                  b'{"statistics": {}}', b"\xff\xfe", b'{"models": 5, "next": null}', b"[[]]")
        for body in bodies:
            client, _ = self.greeted(200, body, content_type="application/json")
            layer = client.model("m").layer("l")
            for call in (layer.statistics, lambda: layer.infer([[1.0]]), layer.frozen, lambda: list(client.models()),
                         lambda: client.model("m").train({"l": [[1.0]]}), client.usage,
                         lambda: layer.backward([[1.0]], [[1.0]]), lambda: client.model("m").version(1)):
                with self.subTest(body[:30]), self.assertRaises(normd.UnexpectedAnswer):
                    call()
            if not body.startswith(b"{") or len(body) == 1:
                with self.subTest(body[:30]), self.assertRaises(normd.UnexpectedAnswer):
                    layer.definition()

    def test_files_of_others(self):
        """Answers that should be tensors and are not, or end early inside."""
        whole = b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".ljust(117)
        for body in (b"", b"\x93NUMPY", whole + b"\n" + bytes(23), whole + b"\n" + bytes(25), b"x" * 200,
                     whole.replace(b"<f4", b"|O8") + b"\n" + bytes(24), bytes(8), b"\xff" * 8):
            client, _ = self.greeted(200, body, content_type="application/x-npy", Normd_Revision="1")
            for call in (lambda: client.model("m").layer("l").infer(X), lambda: client.model("m").infer({"l": X}),
                         lambda: client.model("m").layer("l").backward(X, X), client.model("m").state):
                with self.subTest(body[:9]), self.assertRaises(normd.UnexpectedAnswer):
                    call()

    def test_problems_that_are_none(self):
        for body in (b"", b"<html>", b"[]", b'{"status": 404}', b'{"code": 5}'):
            client, _ = self.greeted(404, body, content_type="application/problem+json")
            with self.subTest(body), self.assertRaises(normd.UnexpectedAnswer):
                client.live()

    def test_headers_of_others(self):
        for name, value in (("Normd_Revision", "many"), ("Inference_Header_Content_Length", "-5"),
                            ("Inference_Header_Content_Length", "x"), ("Retry_After", "soon")):
            client, _ = self.greeted(200, b"x", content_type="application/x-npy", **{name: value})
            with self.subTest(name), self.assertRaises(normd.UnexpectedAnswer):
                client.model("m").train({"l": X})

    def test_heads_of_others(self):
        ok = b"HTTP/1.1 200 OK\r\n%s\r\n\r\nx"
        for answer, words in ((ok % b"Content-Length: 1000000000000000", "has 10{15} bytes, and there is no memory"),
                              (ok % (b"Content-Length: " + b"9" * 30), "no memory|overflow"),
                              (ok % (b"Inference-Header-Content-Length: " + b"9" * 5000), "not one of normd's"),
                              (b"\x1b[2J\x07 : \r\n\r\n", "no answer from")):
            server = Stubborn(self, lambda sock, *_: sock.sendall(answer))
            client = self.make(server.url, retries=normd.Retries(attempts=1))
            getattr(client, "of", client)._greeted[0] = True
            with self.subTest(answer[:60]), self.assertRaisesRegex(normd.Error, words) as caught:
                client.model("m").layer("l").train(X)
            self.assertTrue(caught.exception.maybe_done)
            self.assertTrue(str(caught.exception).isprintable(), str(caught.exception))

    def test_other_servers(self):
        cases = ((b'{"name": "elasticsearch", "version": {}}', "not a normd: its name is 'elasticsearch'"),
                 (b"{}", "not a normd"),
                 (ROOT.replace(b"/v1/models", b"/v2/models").replace(b"0.1.0", b"7.0.0"),
                  "normd 7.0.0, whose models are at /v2/models, and this package .* speaks the API with /v1/models"))
        for body, words in cases:
            client, server = self.client(200, body, content_type="application/json")
            for _ in range(2):
                with self.assertRaisesRegex(normd.Incompatible, words):
                    client.model("m").layer("l").train(X)
            self.assertEqual(server.requests, ["GET /"] * 2)
        for body in (b"<html>It works!", b'{"name": "normd"}', b"[]"):
            client, _ = self.client(200, body)
            with self.assertRaises(normd.UnexpectedAnswer):
                client.live()

    def test_downloads_of_others(self):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "not-written")
        for status in (200, 404):
            client, _ = self.client(status, b"<html>")
            with self.assertRaises(normd.UnexpectedAnswer):
                client.model("m").export_file(path)
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
