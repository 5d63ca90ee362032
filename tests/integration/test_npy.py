# SPDX-License-Identifier: MIT
"""Tensors as .npy files: numpy.save, curl, numpy.load; every type, order and version; the 16-bit types;
and files that are refused."""

import subprocess
import unittest

import numpy

import npy
from normd import DaemonTest

RANDOM = numpy.random.default_rng(20240229)


class Npy(DaemonTest):
    daemon_args = ("--max-body", "1MiB")

    def post(self, path, array, headers=None, status=200, version=None):
        raw = array if isinstance(array, bytes) else npy.save(array, version)
        return self.call("POST", path, raw, {"Content-Type": npy.TYPE, **(headers or {})}, status)

    def trained(self, shape=(8, 3, 2), layer="bn", definition=None):
        """A layer trained by one batch, and the batch."""
        x = RANDOM.standard_normal(shape) * 3 + 5
        self.put_layer(layer, definition)
        self.call("POST", self.path(layer, "train"), {"shape": shape, "datatype": "FP64", "data": x.ravel().tolist()})
        return x

    def infer64(self, x, what="infer"):
        """The answer in float64 over JSON: what the same kernel computes before it rounds to a narrower type."""
        body = {"shape": x.shape, "datatype": "FP64", "data": x.astype("f8").ravel().tolist()}
        return numpy.array(self.call("POST", self.path("bn", what), body).json["data"]).reshape(x.shape)

    def test_train(self):
        x = (RANDOM.standard_normal((8, 3, 5)) * 2 + 1).astype("<f4")
        self.put_layer("json")
        self.put_layer("npy")
        as_json = self.call("POST", self.path("json", "train"), {"data": x.tolist()})
        self.assertEqual(as_json.headers["normd-num-batches-tracked"], "1")
        expected = as_json.json
        answer = self.post(self.path("npy", "train"), x)
        self.assertEqual(answer.headers["content-type"], npy.TYPE)
        self.assertEqual(answer.headers["normd-num-batches-tracked"], "1")
        self.assertEqual(answer.headers["normd-revision"], str(expected["revision"]))
        y = npy.load(answer.raw)
        self.assertEqual((y.dtype, y.shape), (numpy.dtype("<f4"), x.shape))
        self.assertEqual(y.tobytes(), numpy.array(expected["data"], "<f4").tobytes())
        self.assertEqual(*(self.call("GET", self.path(layer, "statistics")).json for layer in ("json", "npy")))

    def test_curl_from_file_to_file(self):
        """As in the documentation: numpy.save, curl, numpy.load."""
        x = self.trained().astype("<f4")
        name = self.daemon.directory
        numpy.save(f"{name}/in.npy", x)
        subprocess.run(["curl", "-sSf", "-H", f"Content-Type: {npy.TYPE}", "--data-binary", f"@{name}/in.npy", "-o",
                        f"{name}/out.npy", self.daemon.url + self.path("bn", "infer")], check=True)
        expected = self.call("POST", self.path("bn", "infer"), {"data": x.tolist()}).json["data"]
        self.assertEqual(numpy.load(f"{name}/out.npy").tobytes(), numpy.array(expected, "<f4").tobytes())

    def test_every_type_order_and_version(self):
        x = self.trained((4, 3, 5))
        for kind in ("f2", "f4", "f8"):
            expected = None
            for byte_order in "<>":
                for order in "CF":
                    for version in ((1, 0), (2, 0), (3, 0)):
                        array = numpy.asarray(x.astype(byte_order + kind), order=order)
                        y = npy.load(self.post(self.path("bn", "infer"), array, version=version).raw)
                        self.assertEqual((y.dtype, y.shape), (numpy.dtype("<" + kind), x.shape))
                        expected = y.tobytes() if expected is None else expected
                        self.assertEqual(y.tobytes(), expected, (byte_order, order, version))
            self.assertEqual(numpy.frombuffer(expected, "<" + kind).reshape(x.shape).astype("f8").tobytes(),
                             self.infer64(x.astype(kind)).astype(kind).astype("f8").tobytes())

    def test_float16_is_rounded_once(self):
        """Bit for bit what float64 gives, rounded to float16: in training and in inference, over .npy and over JSON."""
        self.trained((64, 3, 7))
        x = (RANDOM.standard_normal((64, 3, 7)) * 3 + 5).astype("<f2")
        for what in ("infer", "train"):
            expected = self.infer64(x, what).astype("<f2")
            self.assertEqual(npy.load(self.post(self.path("bn", what), x).raw).tobytes(), expected.tobytes())
            answer = self.call("POST", self.path("bn", what), {"datatype": "FP16", "data": x.tolist()}).json
            self.assertEqual(answer["datatype"], "FP16")
            self.assertEqual(numpy.array(answer["data"]).astype("<f2").tobytes(), expected.tobytes())

    def test_float16_in_json(self):
        self.put_layer("ln", {"kind": "layer_norm", "normalized_shape": [2], "eps": 0})
        answer = self.call("POST", self.path("ln", "infer"), '{"datatype":"FP16","data":[[0.1,0.3]]}')
        self.assertEqual(answer.body, '{"shape":[1,2],"datatype":"FP16","data":[[-1,1]]}')
        self.call("PUT", self.path("ln", "parameters"), {"weight": [0.1, 0.3333]})
        answer = self.call("POST", self.path("ln", "infer"), '{"datatype":"FP16","data":[[0,1]]}')
        # The shortest decimals that read back to the same float16: not 0.0999755859375.
        self.assertEqual(answer.body, '{"shape":[1,2],"datatype":"FP16","data":[[-0.1,0.3333]]}')
        answer = self.refused("bad_tensor", 400, "POST", self.path("ln", "infer"),
                              '{"datatype":"FP16","data":[[1,65520]]}')
        self.assertEqual(answer.json["offset"], 30)
        self.call("POST", self.path("ln", "infer"), '{"datatype":"FP16","data":[[1,65519.99]]}')
        answer = self.refused("bad_tensor", 400, "POST", self.path("ln", "infer"), '{"datatype":"BF16","data":[[1,2]]}')
        self.assertIn("FP16", answer.json["detail"])

    def test_bfloat16_is_rounded_once(self):
        """bfloat16 is sent as two untyped bytes, as numpy.save writes ml_dtypes.bfloat16."""
        self.trained((64, 3, 7))
        bits = npy.bfloat16_from(RANDOM.standard_normal((64, 3, 7)) * 3 + 5)
        for what in ("infer", "train"):
            expected = npy.bfloat16_from(self.infer64(npy.bfloat16_values(bits), what))
            y = npy.load(self.post(self.path("bn", what), bits.view("V2")).raw)
            self.assertEqual((y.dtype, y.shape), (numpy.dtype("V2"), bits.shape))
            self.assertEqual(y.tobytes(), expected.tobytes())

    def test_bfloat16_has_no_json(self):
        self.trained()
        before = self.call("GET", self.path("bn", "statistics")).json
        bits = npy.bfloat16_from(RANDOM.standard_normal((4, 3, 2)))
        for what in ("train", "infer"):
            raw = npy.save(bits.view("V2"))
            self.refused("not_acceptable", 406, "POST", self.path("bn", what), raw,
                         {"Content-Type": npy.TYPE, "Accept": "application/json"})
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json, before)
        # Without a tensor in the answer there is nothing that JSON cannot say.
        answer = self.post(self.path("bn", "train?output=false"), bits.view("V2"), {"Accept": "application/json"})
        self.assertEqual(answer.json, {"num_batches_tracked": 2, "revision": 2})

    def test_sixteen_bits_that_do_not_fit(self):
        self.put_layer()
        x = numpy.array([[60000], [65504], [numpy.nan]], "<f2")
        self.refused("non_finite_input", 422, "POST", self.path("bn", "train"), npy.save(x), {"Content-Type": npy.TYPE})
        self.post(self.path("bn", "train"), x[:2])
        self.call("PUT", self.path("bn", "parameters"), {"weight": [1e6], "bias": [0]})
        before = self.call("GET", self.path("bn", "statistics")).json
        for what in ("train", "infer"):
            self.refused("non_finite_input", 422, "POST", self.path("bn", what), npy.save(x[:2]),
                         {"Content-Type": npy.TYPE})
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json, before)

    def test_forms_of_question_and_answer(self):
        x = self.trained().astype("<f4")
        path, as_json = self.path("bn", "infer"), {"data": x.tolist()}
        expected = self.call("POST", path, as_json)
        y = numpy.array(expected.json["data"], "<f4")
        for accept, answered in (("*/*", npy.TYPE), (npy.TYPE, npy.TYPE), ("application/json", "application/json"),
                                 ("application/json;q=0.9, application/x-npy;q=0.8", "application/json")):
            answer = self.post(path, x, {"Accept": accept})
            self.assertEqual(answer.headers["content-type"], answered)
            self.assertEqual(answer.raw, expected.raw) if answered != npy.TYPE else \
                self.assertEqual(npy.load(answer.raw).tobytes(), y.tobytes())
        answer = self.call("POST", path, as_json, {"Accept": npy.TYPE})
        self.assertEqual(npy.load(answer.raw).tobytes(), y.tobytes())
        self.refused("not_acceptable", 406, "POST", path, npy.save(x), {"Content-Type": npy.TYPE, "Accept": "text/csv"})
        # An error is a problem document whatever the form.
        self.refused("shape_mismatch", 422, "POST", path, npy.save(x[:, :2]),
                     {"Content-Type": npy.TYPE, "Accept": npy.TYPE})

    def test_output_false(self):
        x = self.trained().astype("<f4")
        answer = self.post(self.path("bn", "train?output=false"), x, status=204)
        self.assertEqual(answer.raw, b"")
        self.assertEqual((answer.headers["normd-num-batches-tracked"], answer.headers["normd-revision"]), ("2", "2"))

    def test_normalize(self):
        x = RANDOM.standard_normal((6, 4)).astype("<f4")
        expected = self.call("POST", "/v1/normalize",
                             {"kind": "layer_norm", "normalized_shape": [4], "data": x.tolist()}).json
        query = "definition=" + '{"kind":"layer_norm","normalized_shape":[4]}'
        answer = self.daemon.curl("POST", "/v1/normalize", npy.save(x), {"Content-Type": npy.TYPE},
                                  ("--url-query", query))
        self.assertEqual(npy.load(answer.raw).tobytes(), numpy.array(expected["data"], "<f4").tobytes())
        answer = self.daemon.curl("POST", "/v1/normalize", {"data": x.tolist()}, None, ("--url-query", query))
        self.assertEqual(answer.json, expected)

        def refused(body, *definitions, headers=None):
            args = [word for d in definitions for word in ("--url-query", "definition=" + d)]
            return self.refused("bad_parameter", 400, "POST", "/v1/normalize", body, headers, args)

        refused(npy.save(x), headers={"Content-Type": npy.TYPE})
        for bad in ("", "x", "[]", "{", '{"kind":"layer_norm"}',
                    '{"kind":"layer_norm","normalized_shape":[4],"data":[1]}'):
            answer = refused(npy.save(x), bad, headers={"Content-Type": npy.TYPE})
            self.assertNotIn("offset", answer.json)
        refused({"definition": {"kind": "batch_norm"}, "data": x.tolist()}, '{"kind":"batch_norm"}')
        refused({"kind": "batch_norm", "data": x.tolist()}, '{"kind":"batch_norm"}')

    def test_empty_batch(self):
        x = self.trained()
        before = self.call("GET", self.path("bn", "statistics")).json
        y = npy.load(self.post(self.path("bn", "train"), x[:0].astype("<f2")).raw)
        self.assertEqual((y.shape, y.dtype), ((0, 3, 2), numpy.dtype("<f2")))
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json, before)

    def test_large_in_order_of_its_own(self):
        """A megabyte in Fortran order, answered without a copy: more than fits a packet, a buffer or a socket."""
        x = (RANDOM.standard_normal((63, 5, 800))).astype("<f4")
        self.trained((8, 5, 2))
        y = npy.load(self.post(self.path("bn", "infer"), numpy.asfortranarray(x)).raw)
        expected = self.call("POST", self.path("bn", "infer"), npy.save(x), {"Content-Type": npy.TYPE})
        self.assertEqual(y.tobytes(), npy.load(expected.raw).tobytes())
        self.assertEqual(int(expected.headers["content-length"]), len(expected.raw))
        self.assertLess(numpy.abs(y - self.infer_by_hand(x)).max(), 1e-6)

    def infer_by_hand(self, x):
        s = self.call("GET", self.path("bn", "statistics")).json
        mean, var = (numpy.array(s[name]["data"]).reshape(1, -1, 1) for name in ("running_mean", "running_var"))
        return (x - mean) / numpy.sqrt(var + 1e-5)

    def test_refused(self):
        """An invalid file is refused with the offset of the fault, and nothing is stored."""
        self.trained((8, 3))
        before = self.call("GET", self.path("bn", "statistics")).json
        good = npy.save(numpy.ones((2, 3), "<f4"))
        objects = b"\x93NUMPY\x01\x00\x46\x00{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }            \n"
        cases = {
            "no file": (b"{\"data\":[[1,2,3]]}", 0),
            "cut in the magic": (good[:4], 4),
            "cut in the header": (good[:50], 50),
            "no values": (good[:128], 128),
            "cut in a value": (good[:-1], len(good) - 1),
            "trailing": (good + b"\0", len(good)),
            "objects": (objects, 20),
            "integers": (npy.save(numpy.ones((2, 3), "<i8")), 20),
            "records": (npy.save(numpy.ones(3, [("x", "<f4")])), 20),
            "version": (good[:6] + b"\x09" + good[7:], 6),
            "header of 64 KiB": (good[:8] + b"\xff\xff" + good[10:], 8),
            "shape overflows": (good.replace(b"(2, 3), }        ", b"(9999999999, 9999999999,)}"[:17]), None),
            "negative": (good.replace(b"(2, 3)", b"(2,-3)"), 63),
            "no extent": (npy.save(numpy.float32(1).reshape(())), 62),
        }
        for name, (raw, offset) in cases.items():
            with self.subTest(name):
                answer = self.refused("bad_npy", 400, "POST", self.path("bn", "train"), raw, {"Content-Type": npy.TYPE})
                if offset is not None:
                    self.assertEqual(answer.json["offset"], offset, answer)
        self.refused("shape_mismatch", 422, "POST", self.path("bn", "train"), npy.save(numpy.ones((2, 4), "<f4")),
                     {"Content-Type": npy.TYPE})
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json, before)

    def test_too_large(self):
        """From its length, or from the shape in its header, before the values are there."""
        self.trained((8, 3))
        raw = npy.save(numpy.ones((100000, 3), "<f4"))
        self.refused("body_too_large", 413, "POST", self.path("bn", "infer"), raw, {"Content-Type": npy.TYPE})
        lies = npy.save(numpy.ones((1, 3), "<f4")).replace(b"(1, 3), }       ", b"(90000000, 3), }")
        answer = self.refused("body_too_large", 413, "POST", self.path("bn", "infer"), lies, {"Content-Type": npy.TYPE})
        self.assertIn("1080000000 bytes", answer.json["detail"])

    def test_only_where_a_tensor_is_all(self):
        self.trained()
        raw = npy.save(numpy.ones(3, "<f8"))
        for method, what in (("PUT", "statistics"), ("PUT", "parameters"), ("POST", "statistics/merge")):
            answer = self.refused("unsupported_media_type", 415, method, self.path("bn", what), raw,
                                  {"Content-Type": npy.TYPE})
            self.assertNotIn("x-npy", answer.json["detail"].split(";")[1])
        self.refused("not_acceptable", 406, "GET", self.path("bn", "statistics"), None, {"Accept": npy.TYPE})


if __name__ == "__main__":
    unittest.main()
