# SPDX-License-Identifier: MIT
"""Every option over HTTP: it means the same in the query and in the body, and errors have the same words."""

import json
import unittest
import urllib.parse

from normd import ClientTest

BATCH = {"data": [[1.0, 20.0], [3.0, 40.0], [5.0, 60.0], [9.0, 80.0]]}
STEPS = {"data": [[[1.0, 2.0]], [[3.0, 5.0]]]}
GRADIENT = {"input": BATCH, "grad_output": BATCH}
STEP = {"step": "1", "rank": 0, "world_size": 1}

# (layer, call, body, option, its value in the query, in the body, what it must be otherwise)
OPTIONS = (
    ("shuffled", "train", BATCH, "seed", "7", 7, "a whole number from 0 to 2^64 - 1"),
    ("shuffled", "backward", GRADIENT, "seed", "7", 7, "a whole number from 0 to 2^64 - 1"),
    ("bn", "backward", GRADIENT, "mode", "infer", "infer", '"train" or "infer"'),
    ("steps", "train", STEPS, "lengths", "2,1", [2, 1], "a list of whole numbers"),
    ("steps", "infer", STEPS, "lengths", "2,1", [2, 1], "a list of whole numbers"),
    ("steps", "infer", STEPS, "mask", "1,true,1,0", [[True, True], [True, False]], "a list of true and false"),
    ("bn", "train", BATCH, "sync", json.dumps(STEP), STEP, 'an object with "step", "rank" and "world_size"'),
    ("bn", "backward", GRADIENT, "sync", json.dumps(STEP), STEP, 'an object with "step", "rank" and "world_size"'),
    (None, "/v1/normalize", BATCH, "definition", '{"kind":"batch_norm"}', {"kind": "batch_norm"}, None),
)


class Options(ClientTest):
    def setUp(self):
        super().setUp()
        for layer, definition in (("bn", {}), ("steps", {"num_features": 1}),
                                  ("shuffled", {"shuffle": True, "virtual_batch_size": 2})):
            self.put_layer(layer, {"kind": "batch_norm", **definition})
        for layer, body in (("bn", BATCH), ("steps", STEPS), ("shuffled", {**BATCH, "seed": 1})):
            self.call("POST", self.path(layer, "train"), body, status=200)

    def answer(self, layer, call, body, query=""):
        path = self.path(layer, call) if layer else call
        told = self.client.request("POST", path + query, body).json
        return {key: told[key] for key in told if key not in ("revision", "num_batches_tracked", "request_id")}

    def test_the_query_means_what_the_body_means(self):
        for layer, call, body, option, text, value, _ in OPTIONS:
            with self.subTest(call=call, option=option):
                query = f"?{option}={urllib.parse.quote(text)}"
                by_query = self.answer(layer, call, body, query)
                self.assertNotIn("code", by_query)
                self.assertEqual(by_query, self.answer(layer, call, {**body, option: value}))

    def test_given_twice(self):
        for layer, call, body, option, text, value, _ in OPTIONS:
            with self.subTest(call=call, option=option):
                query = f"?{option}={urllib.parse.quote(text)}"
                told = self.answer(layer, call, {**body, option: value}, query)
                self.assertEqual((told["code"], told["detail"]),
                                 ("bad_parameter", f'"{option}" is given both in the query and in the body'))
                told = self.answer(layer, call, body, f"{query}&{query[1:]}")
                self.assertEqual((told["code"], told["detail"]),
                                 ("bad_parameter", f'"{option}" is given twice in the query'))

    def test_wrong_types(self):
        for layer, call, body, option, _, _, wanted in OPTIONS:
            for value, shown in (("no", '"no"'), (1.5, "1.5"), (True, "true")) if wanted else ():
                with self.subTest(call=call, option=option, value=value):
                    told = self.answer(layer, call, {**body, option: value})
                    self.assertEqual(told["code"], "bad_parameter")
                    self.assertIn(f'"{option}" must be {wanted}', told["detail"])
                    self.assertIn(f"; it is {shown}", told["detail"])

    def test_null_is_absent(self):
        for layer, call, body, option, text, *_ in OPTIONS:
            with self.subTest(call=call, option=option):
                told = self.answer(layer, call, {**body, option: None}, f"?{option}={urllib.parse.quote(text)}")
                self.assertNotIn("code", told)

    def test_a_place_that_is_not_the_option_s(self):
        for layer, call, query, body, detail in (
                ("bn", "infer", "", {**BATCH, "inverse": True}, '"inverse" is not a member of the body of this call'),
                ("bn", "infer", "?datatype=FP64", BATCH, '"datatype" is not a query parameter of this call'),
                ("bn", "infer", "?inverts=1", BATCH, '"inverts" is not a query parameter of this call; did you mean'),
                ("bn", "train", "?inverse=1", BATCH, '"inverse" is not a query parameter of this call')):
            with self.subTest(detail):
                told = self.answer(layer, call, body, query)
                self.assertEqual(told["code"], "bad_parameter")
                self.assertIn(detail, told["detail"])

    def test_a_false_output_in_either_place_counts(self):
        for query, member, tensor in (("", None, True), ("?output=false", None, False), ("", False, False),
                                      ("?output=true", False, False), ("?output=0", True, False),
                                      ("?output", True, True)):
            with self.subTest(query=query, member=member):
                self.assertEqual("data" in self.answer("bn", "train", {**BATCH, "output": member}, query), tensor)


if __name__ == "__main__":
    unittest.main()
