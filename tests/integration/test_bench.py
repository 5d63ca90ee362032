"""The parts of the end-to-end benchmark that need no wrk and no peer: its bodies are what they should be, its processes go."""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

from normd import BUILD, ROOT

sys.path.insert(0, os.path.join(ROOT, "bench"))
import contestants  # noqa: E402
import tensors  # noqa: E402


class Bodies(unittest.TestCase):
    shape = [3, 4, 5]

    def setUp(self):
        self.values = tensors.normal(self.shape, 1)

    def test_both_forms_hold_the_same_float32_values(self):
        for form in (tensors.JSON, tensors.NPY):
            shape, values = tensors.DECODE[form](tensors.ENCODE[form](self.shape, self.values))
            self.assertEqual(shape, self.shape)
            self.assertEqual(struct.pack("60f", *values), self.values.tobytes())

    def test_decimals_are_the_shortest(self):
        self.assertEqual([tensors.shortest(struct.unpack("f", struct.pack("f", v))[0]) for v in (0.1, 16777216, 0.3333333432674408)],
                         ["0.1", "16777216", "0.33333334"])

    def test_npy_data_is_aligned(self):
        body = tensors.encode_npy(self.shape, self.values)
        self.assertEqual((len(body) - 4 * len(self.values)) % 64, 0)
        self.assertTrue(body.endswith(self.values.tobytes()))

    def test_unlike_answers_are_told_apart(self):
        same = tensors.encode_json([2, 2], [1, 2, 3, 4])
        for other, words in (([1, 2, 3, 4.01], "value 3"), ([1, 2, 3, float("nan")], "value 3"), ([1, 2, 3], "3 values")):
            answer = json.dumps({"shape": [2, 2], "data": other}).encode()
            self.assertIn(words, tensors.difference(tensors.JSON, same, answer))
        self.assertIsNone(tensors.difference(tensors.JSON, same, tensors.encode_json([2, 2], [1, 2, 3, 4.0001])))


class Processes(unittest.TestCase):
    def test_a_contestant_serves_settles_and_goes(self):
        with tempfile.TemporaryDirectory() as directory:
            normd = contestants.Normd(directory)
            try:
                normd.start(os.path.abspath(BUILD))
                status, _ = normd.request("PUT", "/v1/models/m/layers/l", '{"kind":"batch_norm"}')
                self.assertEqual(status, 201)
                normd.settle()
                self.assertGreaterEqual(normd.processor_s(), 0)
            finally:
                normd.stop()
            self.assertIsNotNone(normd.process.poll())
            self.assertRaises(ConnectionRefusedError, normd.request, "GET", "/v1/models")

    def test_one_that_does_not_start_says_why(self):
        with tempfile.TemporaryDirectory() as directory:
            normd = contestants.Normd(directory)
            os.mkdir(os.path.join(directory, "normd", "store.db"))
            with self.assertRaisesRegex(contestants.Failure, "did not start"):
                normd.start(os.path.abspath(BUILD))
            normd.stop()

    def test_a_case_that_there_is_not_is_said(self):
        done = subprocess.run([os.path.join(ROOT, "bench/http"), BUILD, "-k", "no such case"], capture_output=True, text=True,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertEqual((done.returncode, done.stderr), (1, "bench-http: no case's name contains 'no such case'\n"))
