# SPDX-License-Identifier: MIT
"""What may be passed as a tensor, and what comes back: against a daemon, through a layer and through its model."""

import io
import json
import subprocess
import sys
import unittest
from unittest import mock

import numpy
from numpy.testing import assert_array_equal

import normd
from normd import _npy, _tensors
from support import X, Sync, WithDaemon, close, normal

try:
    import torch
except ImportError:
    torch = None
needs_torch = unittest.skipIf(torch is None, "torch is not installed")


class Faked:
    """An object of some library that can give a NumPy array."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


class Tensors(WithDaemon, Sync, unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        self.layer.put_statistics(X.mean(0, "f8"), X.var(0, "f8"), 1, count=4)

    def both(self, x):
        """What a layer's call and its model's call make of a tensor."""
        yield self.layer.infer(x).output
        yield self.model.infer({"obs": x}).outputs["obs"]

    def assert_normalized(self, x, expected, tolerance=1e-5):
        for y in self.both(x):
            self.assertIs(type(y), type(expected))
            self.assertEqual((y.dtype, tuple(y.shape)), (expected.dtype, tuple(expected.shape)))
            numpy.testing.assert_allclose(y, expected, tolerance, tolerance)

    def test_floats(self):
        for dtype, tolerance in (("f2", 2e-3), ("f4", 1e-5), ("f8", 1e-12)):
            with self.subTest(dtype):
                x = X.astype(dtype)
                self.assert_normalized(x, normal(x, X.mean(0, "f8"), X.var(0, "f8")).astype(dtype), tolerance)

    def test_layouts(self):
        """Arrays come back in C order and in the machine's byte order."""
        wide = numpy.zeros((8, 9), "f4")
        wide[::2, ::3] = X
        readonly = X.copy()
        readonly.flags.writeable = False
        shifted = numpy.frombuffer(b"\0" + X.tobytes(), numpy.uint8)[1:].view("f4").reshape(X.shape)
        self.assertFalse(shifted.flags.aligned)
        cases = {"Fortran": numpy.asfortranarray(X), "transposed": X.T.copy().T, "strides": wide[::2, ::3],
                 "negative": X[::-1, ::-1].copy()[::-1, ::-1], "read-only": readonly, "unaligned": shifted,
                 "big-endian": X.astype(">f4"), "big-endian Fortran": numpy.asfortranarray(X.astype(">f4")),
                 "__array__": Faked(X), "subclass": X.view(numpy.recarray)}
        for name, x in cases.items():
            with self.subTest(name):
                self.assert_normalized(x, normal(X).astype("f4"))
        assert_array_equal(readonly, X)

    def test_broadcast_and_one_row(self):
        x = numpy.broadcast_to(X[0], (5, 3))
        self.assert_normalized(x, normal(x, X.mean(0, "f8"), X.var(0, "f8")).astype("f4"))
        self.assert_normalized(X[:1], normal(X)[:1].astype("f4"))

    def test_empty(self):
        revision = self.layer.statistics().revision
        for x in (X[:0], numpy.zeros((0, 3, 7), "f8"), numpy.zeros((2, 3, 0), "f2")):
            with self.subTest(x.shape):
                self.assert_normalized(x, x)
                trained = self.layer.train(x)
                self.assertEqual((trained.output.shape, trained.output.dtype, trained.revision),
                                 (x.shape, x.dtype, revision))

    def test_answers_can_be_written(self):
        for copy in (False, True):
            for y in (self.layer.infer(X, copy=copy).output, self.layer.train(X, copy=copy).output,
                      self.model.infer({"obs": X}, copy=copy).outputs["obs"],
                      self.layer.backward(X, X, copy=copy).input,
                      self.client.normalize({"kind": "rms_norm", "normalized_shape": 3}, X, copy=copy)):
                self.assertTrue(y.flags.writeable and y.flags.aligned)
                self.assertEqual(_owner(y) is y, copy)
                y += 1

    def test_not_finite(self):
        x = X.copy()
        x[0] = [numpy.nan, numpy.inf, -numpy.inf]
        expected = normal(X).astype("f4")
        expected[0] = x[0]
        assert_array_equal(self.model.infer({"obs": x}).outputs["obs"][0], x[0])
        close(self.model.infer({"obs": x}).outputs["obs"], expected)
        for train in (self.layer.infer, self.layer.train, lambda x: self.model.train({"obs": x})):
            with self.assertRaises(normd.errors.NonFiniteInput):
                train(x)
        with self.assertRaisesRegex(normd.errors.BadJson, "NaN") as caught:
            self.layer.infer([[1, float("nan"), 2]])
        self.assertIsInstance(caught.exception.offset, int)

    def test_lists(self):
        rows = X.tolist()
        nested = {"tuples": tuple(map(tuple, rows)), "numbers of NumPy": [list(row) for row in X],
                  "arrays": list(X), "whole numbers": [[int(value) for value in row] for row in rows]}
        for name, x in nested.items():
            with self.subTest(name):
                for y in self.both(x):
                    self.assertIsInstance(y, list)
                    close(y, normal(X))

    def test_refused_by_the_daemon(self):
        cases = {"ragged": [[1, 2, 3], [1, 2]], "wrong width": X[:, :2], "0-d": numpy.float32(3),
                 "0-d array": numpy.array(3.0), "number": 3, "empty list": [], "empty row": [[]],
                 "text in a list": [["a", "b", "c"]], "1-d": X[0], "null": [[1, 2, None]], "ints": X.astype(int),
                 "bools": X > 5, "uint8": X.astype("u1")}
        for name, x in cases.items():
            with self.subTest(name):
                for call in (self.layer.infer, self.layer.train, lambda x: self.model.infer({"obs": x}),
                             lambda x: self.model.train({"obs": x})):
                    with self.assertRaises(normd.ApiError) as caught:
                        call(x)
                    self.assertIn(caught.exception.status, (400, 422))
        self.assertEqual(self.layer.statistics().num_batches_tracked, 1)

    def test_shapes_are_refused_in_the_daemons_words(self):
        with self.assertRaises(normd.errors.ShapeMismatch) as caught:
            self.layer.infer(X[:, :2])
        self.assertIn("3", caught.exception.expected)
        self.assertIn("2", caught.exception.actual)
        with self.assertRaisesRegex(normd.errors.BadNpy, "i8"):
            self.layer.infer(X.astype("i8"))

    def test_refused_at_once(self):
        pair = numpy.zeros(2, [("a", "f4"), ("b", "f4")])
        masked = numpy.ma.masked_array(X, X > 100)
        cases = (("bytes", b"123"), ("str", "123"), ("NoneType", None), ("dict", {}), ("complex64", X.astype("c8")),
                 ("object", X.astype(object)), (r"\[\('a'", pair), ("datetime", X.astype("M8[s]")),
                 ("<U", X.astype(str)), ("mask", masked), ("generator", (row for row in X)),
                 ("longdouble|float128", X.astype("g")))
        for word, x in cases:
            with self.subTest(word):
                for call in (self.layer.infer, self.layer.train, lambda x: self.model.infer({"obs": x}),
                             lambda x: self.layer.backward(X, x), self.layer.report):
                    with self.assertRaisesRegex(TypeError, word):
                        call(x)

    def test_bfloat16_of_ml_dtypes(self):
        """Debian has no ml_dtypes, so its arrays are faked: they go by the two bytes of each value, and come back."""
        halves = (X.view("u4") >> 16).astype("u2")
        array, answer = mock.Mock(), mock.Mock()
        array.dtype.kind, array.dtype.name = "V", "bfloat16"
        array.view = {"uint16": halves}.get
        values = _tensors._of_array(array)
        head, memory = _npy.encode(values)
        self.assertIn(b"'descr': '|V2'", head)
        self.assertEqual(bytes(memory), halves.tobytes())
        values.restore(answer)
        answer.view.assert_called_once_with(array.dtype)

    @needs_torch
    def test_torch(self):
        x = torch.from_numpy(X)
        wide = torch.zeros(8, 9)
        wide[::2, ::3] = x
        cases = {"float32": x, "float64": x.double(), "float16": x.half(), "bfloat16": x.bfloat16(),
                 "transposed": x.T.contiguous().T, "strides": wide[::2, ::3], "leaf": x.clone().requires_grad_(),
                 "in a graph": x.clone().requires_grad_() * 1, "bfloat16 strides": wide.bfloat16()[::2, ::3],
                 "parameter": torch.nn.Parameter(x.clone()), "negated": torch.view_as_complex(
                     torch.stack([x, -x], -1)).conj().imag, "empty": x[:0], "empty bfloat16": x[:0].bfloat16()}
        expected = torch.from_numpy(normal(X))
        for name, x in cases.items():
            with self.subTest(name):
                for y in (*self.both(x), self.layer.train(x).output, self.layer.backward(x, x).input):
                    self.assertIs(type(y), torch.Tensor)
                    self.assertEqual((y.dtype, y.shape, y.device, y.requires_grad), (x.dtype, x.shape, x.device, False))
                coarse = x.dtype in (torch.float16, torch.bfloat16)
                torch.testing.assert_close(self.layer.infer(x).output.double(), expected[:len(x)],
                                           rtol=0.02 if coarse else 1e-5, atol=0.02 if coarse else 1e-5)
        for x in (torch.from_numpy(X).to(torch.complex64), torch.from_numpy(X).to_sparse()):
            with self.assertRaises(TypeError):
                self.layer.infer(x)
        with self.assertRaises(normd.ApiError):
            self.layer.infer(torch.arange(3)[None])

    @needs_torch
    def test_torch_statistics(self):
        self.layer.put_statistics(torch.ones(3), torch.ones(3), torch.tensor(5), count=torch.tensor(7.0))
        self.layer.put_parameters(weight=torch.nn.Parameter(torch.ones(3)))
        self.layer.merge(torch.tensor(3), torch.zeros(3), [torch.tensor(1.0)] * 3)
        self.assertEqual(self.layer.statistics().num_batches_tracked, 6)
        with self.assertRaisesRegex(TypeError, "bfloat16"):
            self.layer.put_parameters(weight=torch.ones(3).bfloat16())
        mask = torch.tensor([[True, True], [True, False]])
        self.layer.train(torch.arange(12.0).reshape(2, 3, 2), mask=mask)

    @needs_torch
    def test_long_masks_have_no_bfloat16(self):
        x = torch.ones(1, 3, 7000)
        with self.assertRaisesRegex(ValueError, "float32"):
            self.layer.infer(x.bfloat16(), mask=torch.ones(1, 7000))

    def test_numbers_as_statistics(self):
        one = self.model.layer("one")
        one.create("batch_norm", num_features=1)
        for value in (2, 2.0, [2], (2,), numpy.float32(2), numpy.array(2.0), numpy.array([2]), Faked(numpy.array([2]))):
            with self.subTest(repr(value)):
                self.assertEqual(one.put_statistics(value, value, numpy.int64(1)).running_mean.tolist(), [2])
        for wrong in ("2", b"2", None, [None], numpy.array(["x"]), [1, 2], float("nan"), -numpy.inf):
            with self.subTest(repr(wrong)), self.assertRaises((TypeError, normd.ApiError)):
                one.put_statistics(wrong, 1)

    def test_an_npy_file_is_as_numpy_reads_it(self):
        for x in (X, numpy.asfortranarray(X), X.astype(">f8"), X[:0], X[0], numpy.float16(3), X[::2, ::-1]):
            x = numpy.asarray(x)
            with self.subTest(x.dtype.str, shape=x.shape):
                read = numpy.load(io.BytesIO(b"".join(bytes(part) for part in _npy.encode(_tensors.values(x)))))
                self.assertEqual((read.dtype, read.shape), (x.dtype, x.shape))
                assert_array_equal(read, x)
                self.assertEqual(len(_npy.encode(_tensors.values(x))[0]) % 64, 0)

    def test_contiguous_arrays_are_sent_from_their_own_memory(self):
        for x in (X, numpy.asfortranarray(X), X.astype(">f4")):
            self.assertTrue(numpy.shares_memory(numpy.frombuffer(_npy.encode(_tensors.values(x))[1], "u1"), x))


class WithoutNumPy(WithDaemon, Sync, unittest.TestCase):
    def test_json(self):
        """Neither NumPy nor torch is imported, and numbers come as lists."""
        found = json.loads(subprocess.check_output([sys.executable, "-c", WITHOUT_NUMPY, self.daemon.url], timeout=60))
        close(found["output"], [[-1], [1]])
        self.assertEqual(found["mean"], [3])
        self.assertEqual(found["weight"], [1])
        self.assertEqual(found["gradients"], [[0], [2]])
        self.assertEqual(found["sources"], [2])
        self.assertIn("numpy", found["refused"])


WITHOUT_NUMPY = """
import json, sys
sys.modules.update(numpy=None, torch=None)  # as if they were not installed
import normd
model = normd.Client(sys.argv[1]).model("plain")
layer = model.layer("obs")
layer.create("batch_norm", num_features=1, averaging="pooled")
x = [[2.0], [4.0]]
output = layer.train(x).output
model.infer({"obs": x})
gradients = layer.backward(x, [[1.0], [1.0]])
layer.put_source("s", 2, [3.0], [1.0])
class Faked:
    def __array__(self):
        raise SystemExit("there is no NumPy")
try:
    layer.infer(Faked())
except ImportError as error:
    refused = str(error)
try:
    model.state()
except ImportError as error:
    pass
assert type(layer.affine().scale) is list
print(json.dumps({"output": output, "mean": layer.statistics().running_mean, "weight": layer.parameters().weight,
                  "gradients": [gradients.weight, gradients.bias], "sources": layer.source("s").mean and [2],
                  "refused": refused}))
"""


def _owner(array):
    while isinstance(array.base, numpy.ndarray):
        array = array.base
    return array if array.base is None else None


if __name__ == "__main__":
    unittest.main()
