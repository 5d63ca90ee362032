# SPDX-License-Identifier: MIT
"""How a tensor may be written in JSON: its members in any order, a bare list, the datatype that its layer says."""

import itertools
import json
import unittest

from kinds import KindTest

# In FP32 the two are one number; exact in FP64.
TIMES = [[1700000001], [1700000003]]


def ordered(names, members):
    return "{" + ",".join(f'"{name}":{json.dumps(members[name])}' for name in names) + "}"


class Forms(KindTest):
    def setUp(self):
        super().setUp()
        for datatype in ("FP32", "FP64", "FP16"):
            self.put(datatype, {"kind": "batch_norm", "affine": False, "datatype": datatype})
        self.put("none", {"kind": "batch_norm", "affine": False})
        for layer in ("FP32", "FP64", "FP16", "none"):
            self.ask("PUT", self.path(layer, "statistics"), {"running_mean": [0.1, 3], "running_var": [0.7, 11]})

    def test_every_order_of_the_members(self):
        """As serializers write them, with sorted keys or not:
        the same answer, in every call that takes tensors."""
        for datatype, data, shape in itertools.product(
            ("FP32", "FP64", "FP16"), ([[0.1, 1e-7], [2049, -3.3]], [0.1, 1e-7, 2049, -3.3]), (None, [2, 2])):
            if shape is None and not isinstance(data[0], list):
                continue
            members = {"data": data, "datatype": datatype, **({"shape": shape} if shape else {})}
            answers = {call: set() for call in ("infer", "backward", "normalize", "train")}
            for names in itertools.permutations(members):
                text = ordered(names, members)
                answers["infer"].add(self.ask("POST", self.path("none", "infer"), text).raw)
                answers["train"].add(json.dumps(self.ask("POST", self.path("FP64", "train"), text).json["data"]))
                answers["backward"].add(self.ask("POST", self.path("none", "backward"),
                                                 f'{{"input":{text},"grad_output":{text},"mode":"infer"}}').raw)
                answers["normalize"].add(self.ask("POST", "/v1/normalize",
                                                  f'{{"definition":{{"kind":"batch_norm"}},"tensor":{text}}}').raw)
                answers["normalize"].add(self.ask("POST", "/v1/normalize", text[:-1] + ',"kind":"batch_norm"}').raw)
                answers["normalize"].add(self.ask("POST", "/v1/normalize", '{"kind":"batch_norm",' + text[1:]).raw)
            self.assertEqual({call: len(found) for call, found in answers.items()}, dict.fromkeys(answers, 1), members)

    def test_parameters_and_statistics_in_any_order(self):
        for datatype, want in (("FP32", 0.10000000149011612), ("FP64", 0.1), ("FP16", 0.0999755859375)):
            for names in itertools.permutations(("data", "datatype", "shape")):
                tensor = ordered(names, {"data": [0.1, 2], "datatype": datatype, "shape": [2]})
                put = self.ask("PUT", self.path("none", "statistics"),
                               f'{{"running_mean":{tensor},"running_var":{tensor}}}').json
                self.assertEqual((put["running_mean"]["data"], put["running_var"]["data"]), ([want, 2], [want, 2]))

    def test_the_body_sorted_as_a_whole(self):
        """`data` comes first, options after it."""
        body = {"data": [[[1, 2, 9]], [[3, 9, 9]]], "datatype": "FP64", "lengths": [2, 1], "output": True,
                "shape": [2, 1, 3]}
        for layer in ("a", "b"):
            self.put(layer, {"kind": "batch_norm"})
        first = self.ask("POST", self.path("a", "train"), json.dumps(body, sort_keys=True)).raw
        self.assertEqual(self.ask("POST", self.path("b", "train"), ordered(sorted(body, reverse=True), body)).raw,
                         first)

    def test_a_value_that_does_not_fit_is_named_where_it_stands(self):
        for text, layer, number in (
            ('{"data":[[1,1e39]],"datatype":"FP32"}', "FP64", "1e39"),
            ('{"data":[[1, 1e39]]}', "FP32", "1e39"),
            ('{"data":[[1, 1e39]]}', "none", "1e39"),
            ('{"data":[[65519.9,65520]]}', "FP16", "65520"),
            ('{"shape":[1,2],"data":[65520,1e39],"datatype":"FP16"}', "FP64", "65520"),
            ("[[1,-70000]]", "FP16", "-70000"),
        ):
            told = self.refused("bad_tensor", 400, layer, "infer", text)
            self.assertTrue(text[told["offset"]:].startswith(number), told)
            self.assertIn(number, told["detail"])
        for text, layer in (('{"data":[[1,1e39]]}', "FP64"), ('{"data":[[1,1e39]],"datatype":"FP64"}', "none"),
                            ("[[1,1e39]]", "FP64")):
            self.assertEqual(self.ask("POST", self.path(layer, "infer"), text).json["datatype"], "FP64")

    def test_bare_lists(self):
        for layer in ("none", "FP64"):
            for text in ("[[1,2],[3,4]]", " [ [ 0.1 , -2e3 ] ] "):
                wrapped = '{"data":' + text + "}"
                for call in ("infer", "train?output=true"):
                    bare = self.ask("POST", self.path(layer, call), text,
                                    status=200 if "train" not in call or text[0] == "[" else 422)
                    if bare.status == 200:
                        self.assertEqual(bare.json["data"],
                                         self.ask("POST", self.path(layer, call), wrapped).json["data"])
        text = '[[1,2,3,4]]'
        definition = "?definition=" + '%7B"kind":"layer_norm","normalized_shape":4%7D'
        self.assertEqual(self.ask("POST", "/v1/normalize" + definition, text).raw,
                         self.ask("POST", "/v1/normalize" + definition, f'{{"data":{text}}}').raw)
        self.assertIn("?definition=", self.ask("POST", "/v1/normalize", text, status=400).json["detail"])
        self.assertEqual(self.ask("POST", self.path("none", "train?mask=1,0,1,0"), "[[[1,2]],[[3,4]]]",
                                  status=422).code, "shape_mismatch")
        self.assertEqual(self.ask("POST", self.path("none", "infer"), "[]", status=422).code, "shape_mismatch")
        for call in ("backward", "statistics/merge"):
            self.assertEqual(self.ask("POST", self.path("none", call), "[[1,2]]", status=400).code, "bad_parameter")
        for text in ('["a"]', "[[1],[2,3]]", '[{"data":[1]}]'):
            self.refused("bad_tensor", 400, "none", "infer", text)

    def test_typed_arrays_get_a_hint(self):
        for body in ({"data": {"0": 1, "1": 2}}, {"data": [{"0": 1, "1": 2}]}, {"0": 1, "1": 2},
                     {"data": [[1, 2]], "mask": {"0": 1}},
                     {"data": [[[1, 2], [3, 4]]], "lengths": {"0": 1}}):
            answer = self.ask("POST", self.path("none", "infer"), body, status=400)
            self.assertIn("Array.from", answer.json["detail"])
        answer = self.ask("PUT", self.path("ln"), {"kind": "layer_norm", "normalized_shape": {"0": 3}}, status=400)
        self.assertIn("Array.from", answer.json["detail"])
        answer = self.ask("PUT", self.path("none", "parameters"), {"weight": {"0": 1, "1": 2}}, status=400)
        self.assertIn("Array.from", answer.json["detail"])

    def test_the_layer_says_the_datatype(self):
        self.put("time", {"kind": "batch_norm", "averaging": "pooled", "datatype": "FP64"})
        self.put("time32", {"kind": "batch_norm", "averaging": "pooled"})
        for layer, datatype, mean in (("time", "FP64", 1700000002), ("time32", "FP32", 1700000000)):
            trained = self.ask("POST", self.path(layer, "train"), {"data": TIMES}).json
            self.assertEqual(trained["datatype"], datatype)
            self.assertEqual(self.ask("GET", self.path(layer, "statistics")).json["running_mean"]["data"], [mean])
            self.assertEqual(self.ask("POST", self.path(layer, "infer"), {"data": TIMES}).json["datatype"], datatype)
            back = self.ask("POST", self.path(layer, "backward"), {"input": TIMES, "grad_output": [[1], [2]]}).json
            self.assertEqual(back["grad_input"]["datatype"], datatype)
            # What the body names wins.
            other = "FP32" if datatype == "FP64" else "FP64"
            named = self.ask("POST", self.path(layer, "infer"), {"data": TIMES, "datatype": other}).json
            self.assertEqual(named["datatype"], other)
            alone = self.ask("POST", self.path(layer, "train"),
                             {"data": TIMES, "sync": {"step": 1, "rank": 0, "world_size": 1}}).json
            self.assertEqual(alone["datatype"], datatype)
        self.assertEqual(self.ask("GET", self.path("time")).json["datatype"], "FP64")
        self.ask("PUT", self.path("time"), {"kind": "batch_norm", "averaging": "pooled"}, status=409)
        self.ask("PUT", self.path("time32"), {"kind": "batch_norm", "averaging": "pooled", "datatype": "FP32"})

    def test_the_layer_says_the_datatype_after_a_restart(self):
        """The definition is not in the cache when the body comes."""
        self.client.close()
        self.daemon.kill()
        self.daemon.start()
        self.client = self.daemon.client()
        self.assertEqual(self.ask("POST", self.path("FP64", "infer"), {"data": [[1, 2]]}).json["datatype"], "FP64")

    def test_normalize_says_the_datatype(self):
        for body in ({"kind": "batch_norm", "datatype": "FP64", "data": TIMES},
                     {"kind": "batch_norm", "data": TIMES, "datatype": "FP64"},
                     {"data": TIMES, "definition": {"kind": "batch_norm", "datatype": "FP64"}},
                     {"definition": {"kind": "batch_norm", "datatype": "FP64"}, "tensor": TIMES},
                     {"kind": "batch_norm", "datatype": "FP64", "input": {"shape": [2, 1], "data": TIMES}}):
            answer = self.ask("POST", "/v1/normalize", body).json
            self.assertEqual((answer["datatype"], [round(row[0], 3) for row in answer["data"]]), ("FP64", [-1, 1]))
        body = {"definition": {"kind": "batch_norm", "datatype": "FP64"}, "tensor": {"data": TIMES, "datatype": "FP32"}}
        self.assertEqual(self.ask("POST", "/v1/normalize", body).json["datatype"], "FP32")


if __name__ == "__main__":
    unittest.main()
