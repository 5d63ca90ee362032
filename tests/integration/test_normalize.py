# SPDX-License-Identifier: MIT
"""POST /v1/normalize: where the definition and the tensor may be, and what is refused."""

import json
import unittest
import urllib.parse

import numpy

import npy
from kinds import KindTest

LAYER = {"kind": "layer_norm", "normalized_shape": [3]}
X = [[1, 2, 4], [0, 3, 9]]


class Normalize(KindTest):
    def once(self, body, query="", headers=None, status=200):
        return self.ask("POST", "/v1/normalize" + query, body, headers, status)

    def wrong(self, code, status, body, query="", headers=None):
        answer = self.once(body, query, headers, status)
        self.assertEqual(answer.code, code, answer)
        return answer.json

    def test_where_the_definition_stands(self):
        query = "?definition=" + urllib.parse.quote(json.dumps(LAYER))
        told = self.once({**LAYER, "data": X}).json
        self.assertEqual(self.once({"definition": LAYER, "data": X}).json, told)
        self.assertEqual(self.once({"data": X}, query).json, told)
        self.assertEqual(self.once({"input": {"data": X}}, query).json, told)
        self.wrong("bad_parameter", 400, {"definition": LAYER, "data": X}, query)
        self.wrong("bad_parameter", 400, {**LAYER, "data": X}, query)
        self.wrong("bad_parameter", 400, {"data": X})
        for bad in ("{", "[]", "5", "{}", '{"kind":"layer_norm"}'):
            answer = self.wrong("bad_parameter", 400, {"data": X}, "?definition=" + urllib.parse.quote(bad))
            self.assertNotIn("offset", answer)
        self.wrong("bad_parameter", 400, npy.save(numpy.float32(X)), headers={"Content-Type": npy.TYPE})

    def test_a_definition_that_is_given_twice(self):
        """The message says so, and names a member that is one too many; what is no field is said to be unknown."""
        query = "?definition=" + urllib.parse.quote(json.dumps(LAYER))
        for body, where, member in (
            ({**LAYER, "data": X}, query, "kind"),
            ({"data": X, "eps": 1}, query, "eps"),
            ({"definition": LAYER, **LAYER, "data": X}, "", "kind"),
            ({"definition": LAYER, "tensor": {"data": X}, "normalized_shape": 3}, "", "normalized_shape"),
        ):
            detail = self.wrong("bad_parameter", 400, body, where)["detail"]
            self.assertIn("the definition is given twice: " + ("in the query" if where else 'as "definition"'), detail)
            self.assertIn(f'by members of the body such as "{member}"', detail)
        detail = self.wrong("bad_parameter", 400, {"data": X, "wieght": [1, 2, 3]}, query)["detail"]
        self.assertIn('"wieght" is not a member of the body', detail)
        told = self.once({"data": X, "datatype": "FP64", "bias": [1, 2, 3], "weight": [1, 1, 1]}, query).json
        self.assertEqual(told["datatype"], "FP64")

    def test_nouns_agree_with_their_numbers(self):
        for n, values in ((1, [1, 2]), (2, [1])):
            layer = {"kind": "layer_norm", "normalized_shape": [n], "data": [[3] * n]}
            detail = self.wrong("shape_mismatch", 422, {**layer, "weight": values})["detail"]
            self.assertIn(f'"weight" must have {n} value{"s" * (n > 1)}; it has {len(values)}', detail)
            channels = {"kind": "batch_norm", "num_features": n, "data": [values, values]}
            self.assertEqual(self.wrong("shape_mismatch", 422, channels)["expected"],
                             f'{n} channel{"s" * (n > 1)} in dimension 1')

    def test_one_tensor(self):
        self.wrong("bad_tensor", 400, LAYER)
        for more in ({"tensor": {"data": X}}, {"input": {"data": X}}):
            self.wrong("bad_tensor", 400, {**LAYER, "data": X, **more})
        self.wrong("bad_tensor", 400, {**LAYER, "tensor": {"data": X}, "input": {"data": X}})
        self.wrong("shape_mismatch", 422, {**LAYER, "data": [[1, 2]]})

    def test_parameters(self):
        told = self.once({**LAYER, "data": X, "weight": [1, 2, 3], "bias": [0, 0, 1]}).json["data"]
        self.assertNotEqual(told, self.once({**LAYER, "data": X}).json["data"])
        for name in ("weight", "bias"):
            for values in ([1, 2], [1, 2, 3, 4], []):
                answer = self.wrong("shape_mismatch", 422, {**LAYER, "data": X, name: values})
                self.assertEqual((answer["expected"], answer["actual"]), ("[3]", f"[{len(values)}]"))
            self.wrong("bad_parameter", 400, {**LAYER, "elementwise_affine": False, "data": X, name: [1, 2, 3]})
        self.wrong("bad_parameter", 400, {"kind": "rms_norm", "normalized_shape": 3, "data": X, "bias": [1, 2, 3]})
        self.wrong("bad_parameter", 400, {**LAYER, "data": X, "weights": [1, 2, 3]})


if __name__ == "__main__":
    unittest.main()
