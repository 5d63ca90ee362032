"""Padding over HTTP: what `lengths` and `mask` name takes no part in statistics, in any kind and any call."""

import json
import unittest
import urllib.parse

import numpy

import npy
from kinds import KINDS, KindTest, parameters, slices, tensor
from reference import moments, normalized

RANDOM = numpy.random.default_rng(23)
LENGTHS = [4, 2, 0, 3, 4]


def keep_of(lengths, positions):
    return numpy.arange(positions) < numpy.array(lengths)[:, None]


def by_unpadded(kind, x, keep, weight, bias, eps=1e-5):
    """Each slice by the exact moments of what counts of it; a slice of padding alone has no deviation to divide by: y is the bias."""
    flat, y = x.ravel().tolist(), [0.0] * x.size
    counts = numpy.broadcast_to(keep[:, None], x.shape).ravel()
    for places in slices(kind, x):
        values = [flat[i] for i in places if counts[i]]
        mean, var = moments(values) if values else (0, 0)
        if kind == "rms_norm":
            mean, var = 0, var + mean * mean
        for i in places:
            y[i] = normalized(flat[i], mean, var, eps, float(weight[i]), float(bias[i])) if values else float(bias[i])
    return numpy.array(y).reshape(x.shape)


class PaddingTest(KindTest):
    def put_with_parameters(self, name, definition, x):
        weight, bias, spread_weight, spread_bias = parameters(name, x)
        self.put(name, definition)
        given = {"weight": weight.tolist()} if name == "rms_norm" else {"weight": weight.tolist(), "bias": bias.tolist()}
        self.ask("PUT", self.path(name, "parameters"), given)
        return given, spread_weight, spread_bias

    def statistics(self, layer):
        told = self.ask("GET", self.path(layer, "statistics")).json
        return [told[name]["data"] for name in ("running_mean", "running_var")]


class Kinds(PaddingTest):
    def check(self, keep, shape_more=(), **members):
        """Every kind in train, infer and normalize against exact arithmetic; RANDOM's padding is as large as the rest."""
        for name, (definition, shape) in KINDS.items():
            with self.subTest(name):
                layer_shape = shape[:2] + shape_more if shape_more else shape
                definition = dict(definition)
                if "normalized_shape" in definition:
                    definition["normalized_shape"] = list(layer_shape[1:])
                x = RANDOM.standard_normal(layer_shape) * 3 + 1
                given, weight, bias = self.put_with_parameters(name, definition, x)
                expected = by_unpadded(name, x, keep, weight, bias)
                got = self.ask("POST", self.path(name, "train"), tensor(x, **members)).json
                self.assertNear(numpy.array(got["data"]).reshape(x.shape), expected)
                if name in ("batch_norm", "tracking_instance_norm"):
                    continue
                got = self.ask("POST", self.path(name, "infer"), tensor(x, **members)).json
                self.assertNear(numpy.array(got["data"]).reshape(x.shape), expected)
                once = self.ask("POST", "/v1/normalize", {"definition": definition, "tensor": tensor(x), **members, **given}).json
                self.assertNear(numpy.array(once["data"]).reshape(x.shape), expected)

    def test_lengths(self):
        self.check(keep_of(LENGTHS, 4), lengths=LENGTHS)

    def test_mask_of_positions(self):
        keep = RANDOM.random((5, 4)) < 0.7
        keep[:, :2] = True
        self.check(keep, mask=keep.tolist())

    def test_mask_of_planes(self):
        keep = RANDOM.random((5, 3, 4)) < 0.6
        keep[:, 0, :2] = True
        self.check(keep, (3, 4), mask=keep.tolist())

    def test_mask_of_samples(self):
        """Of (N, C) a sample counts or not."""
        self.put("bn", {"kind": "batch_norm"})
        x = RANDOM.standard_normal((5, 3))
        padded = self.trained("bn", x, mask=[True, False, True, True, False])
        self.put("alone", {"kind": "batch_norm"})
        alone = self.trained("alone", x[[0, 2, 3]].T[None])
        self.assertEqual(padded[[0, 2, 3]].T[None].tolist(), alone.tolist())
        self.assertEqual(self.statistics("bn"), self.statistics("alone"))

    def test_channels_last(self):
        keep = keep_of(LENGTHS, 4)
        x = RANDOM.standard_normal((5, 6, 4))
        self.put("first", {"kind": "batch_norm"})
        self.put("last", {"kind": "batch_norm", "channel_axis": -1})
        first = self.trained("first", x, mask=keep.tolist())
        last = self.trained("last", x.transpose(0, 2, 1), mask=keep.tolist())
        self.assertNear(last.transpose(0, 2, 1), first, 1e-13)
        self.assertEqual(self.trained("last", x.transpose(0, 2, 1), lengths=LENGTHS).tolist(), last.tolist())

    def test_running_statistics_need_no_padding(self):
        """Inference by them is the same with and without."""
        self.put("bn", {"kind": "batch_norm"})
        x = RANDOM.standard_normal((5, 6, 4))
        self.train("bn", x)
        plain = self.ask("POST", self.path("bn", "infer"), tensor(x)).json
        self.assertEqual(self.ask("POST", self.path("bn", "infer"), tensor(x, lengths=LENGTHS)).json, plain)

    def test_nothing_is_padding(self):
        """The same bits as without."""
        for name, (definition, shape) in KINDS.items():
            with self.subTest(name):
                x = RANDOM.standard_normal(shape)
                for layer in ("with", "without"):
                    self.put(f"{name}.{layer}", definition)
                told = self.trained(f"{name}.with", x, lengths=[shape[2]] * shape[0])
                plain = self.trained(f"{name}.without", x)
                self.assertNear(told, plain, 1e-14)


class Statistics(PaddingTest):
    def test_sequences_of_different_lengths_are_their_values(self):
        """To the last bit: whatever the padding holds, and as the values alone in one row."""
        x = RANDOM.standard_normal((5, 6, 4))
        keep = keep_of(LENGTHS, 4)
        values = numpy.concatenate([x[n, :, : LENGTHS[n]] for n in range(5)], axis=1)
        self.put("alone", {"kind": "batch_norm"})
        self.train("alone", values[None])
        for name, padding in (("zero", 0), ("huge", 1e300), ("same", None)):
            with self.subTest(name):
                padded = x if padding is None else numpy.where(keep[:, None], x, padding)
                self.put(name, {"kind": "batch_norm"})
                y = self.trained(name, padded, lengths=LENGTHS)
                self.assertEqual(self.statistics(name), self.statistics("alone"))
                self.put(name + ".mask", {"kind": "batch_norm"})
                self.assertEqual(self.trained(name + ".mask", padded, mask=keep.tolist()).tolist(), y.tolist())
                self.assertEqual(self.statistics(name + ".mask"), self.statistics("alone"))

    def test_steps_with_channels_last_are_their_values(self):
        x = RANDOM.standard_normal((5, 4, 6))
        keep = keep_of(LENGTHS, 4)
        definition = {"kind": "batch_norm", "channel_axis": -1}
        self.put("alone", definition)
        self.train("alone", x[keep])
        for padding in (0, 1e300):
            self.put("padded", definition)
            self.train("padded", numpy.where(keep[:, :, None], x, padding), lengths=LENGTHS)
            self.assertEqual(self.statistics("padded"), self.statistics("alone"))
            self.ask("DELETE", self.path("padded"), status=204)

    def test_padding_that_is_no_number(self):
        """Nothing that counts: statistics are made; but its output would not be finite, and is refused."""
        x = RANDOM.standard_normal((5, 6, 4)).astype("<f4")
        for n, length in enumerate(LENGTHS):
            x[n, :, length:] = numpy.nan
        self.put("bn", {"kind": "batch_norm"})
        headers, query = {"Content-Type": npy.TYPE}, "?lengths=" + ",".join(map(str, LENGTHS))
        self.refused("non_finite_input", 422, "bn", "train" + query, npy.save(x), headers)
        self.ask("POST", self.path("bn", "train") + query + "&output=false", npy.save(x), headers, 204)
        self.put("alone", {"kind": "batch_norm"})
        values = numpy.concatenate([x[n, :, : LENGTHS[n]] for n in range(5)], axis=1)
        self.post_npy(self.path("alone", "train"), values[None])
        self.assertEqual(self.statistics("bn"), self.statistics("alone"))

    def test_instances_are_averaged_over_samples_that_have_any(self):
        """Each with the divisor that the convention gives its own number of values."""
        x = RANDOM.standard_normal((5, 6, 4))
        samples = [n for n in range(5) if LENGTHS[n] > 0]
        mean = [numpy.mean([x[n, c, : LENGTHS[n]].mean() for n in samples]) for c in range(6)]
        for convention, momentum, ddof in (("pytorch", 1, 1), ("keras", 0, 0)):
            definition = {"kind": "instance_norm", "track_running_stats": True, "convention": convention, "momentum": momentum}
            self.put(convention, definition)
            self.train(convention, x, lengths=LENGTHS)
            var = [numpy.mean([x[n, c, : LENGTHS[n]].var(ddof=ddof) for n in samples]) for c in range(6)]
            self.assertNear(self.statistics(convention), numpy.array([mean, var]), 1e-13)

    def test_pooled_counts_what_counts(self):
        self.put("bn", {"kind": "batch_norm", "averaging": "pooled"})
        x = RANDOM.standard_normal((5, 6, 4))
        self.train("bn", x, lengths=LENGTHS)
        told = self.ask("GET", self.path("bn", "statistics")).json
        self.assertEqual(told["count"], sum(LENGTHS))

    def test_ghost_batches_cut_the_padding_too(self):
        x = RANDOM.standard_normal((6, 3, 4))
        lengths = [4, 2, 3, 4, 1, 3]
        self.put("ghosts", {"kind": "batch_norm", "virtual_batch_size": 2})
        self.put("pieces", {"kind": "batch_norm"})
        whole = self.trained("ghosts", x, lengths=lengths)
        pieces = [self.trained("pieces", x[i : i + 2], lengths=lengths[i : i + 2]) for i in (0, 2, 4)]
        self.assertEqual(whole.tolist(), numpy.concatenate(pieces).tolist())
        self.assertEqual(self.statistics("ghosts"), self.statistics("pieces"))
        once = self.normalize_once({"kind": "batch_norm", "virtual_batch_size": 2}, x, lengths=lengths)
        self.assertEqual(once, whole.tolist())

    def test_a_ghost_batch_of_padding_alone_is_refused(self):
        """As one of a single value is: it has nothing to be normalized by."""
        x = RANDOM.standard_normal((4, 3, 2))
        self.put("ghosts", {"kind": "batch_norm", "virtual_batch_size": 2})
        self.put("sh", {"kind": "batch_norm", "shuffle": True})
        for name, lengths in (("ghosts", [2, 2, 0, 0]), ("ghosts", [2, 2, 0, 1]), ("sh", [2, 0, 0, 0])):
            self.refused("too_few_values", 422, name, "train", tensor(x, lengths=lengths))
            body = {"input": tensor(x), "grad_output": tensor(x), "lengths": lengths}
            self.refused("too_few_values", 422, name, "backward", {**body, "seed": 1} if name == "sh" else body)
        once = tensor(x, kind="batch_norm", virtual_batch_size=2, lengths=[2, 2, 0, 0])
        self.assertEqual(self.ask("POST", "/v1/normalize", once, status=422).code, "too_few_values")
        self.assertEqual(self.ask("GET", self.path("ghosts", "statistics")).json["num_batches_tracked"], 0)

    def test_shuffling_takes_the_padding_along(self):
        x = RANDOM.standard_normal((6, 3, 4))
        lengths = [4, 2, 3, 4, 1, 3]
        padded = numpy.where(keep_of(lengths, 4)[:, None], x, 1e6)
        self.put("sh", {"kind": "batch_norm", "shuffle": True})
        a, b = (self.trained("sh", values, lengths=lengths, seed=3) for values in (x, padded))
        for n, length in enumerate(lengths):
            self.assertEqual(a[n, :, :length].tolist(), b[n, :, :length].tolist())


class Gradients(PaddingTest):
    def test_padding_without_a_gradient_does_not_matter(self):
        """Whatever x it holds, in every kind; and its own gradient is 0."""
        keep = keep_of(LENGTHS, 4)
        for name, (definition, shape) in KINDS.items():
            with self.subTest(name):
                self.put(name, definition)
                x, g = RANDOM.standard_normal(shape), RANDOM.standard_normal(shape) * keep[:, None]
                huge = numpy.where(keep[:, None], x, 1e30)
                backward = lambda x: self.ask("POST", self.path(name, "backward"), {"input": {"datatype": "FP32", "data": x.tolist()},
                                              "grad_output": {"datatype": "FP32", "data": g.tolist()}, "lengths": LENGTHS}).json
                told, of_huge = backward(x), backward(huge)
                self.assertEqual(told, of_huge)
                gradient = numpy.array(told["grad_input"]["data"])
                self.assertTrue((gradient[~numpy.broadcast_to(keep[:, None], shape)] == 0).all())


class Bodies(PaddingTest):
    """The forms that lengths and masks come in, and what is wrong with others."""

    def setUp(self):
        super().setUp()
        self.put("bn", {"kind": "batch_norm"})
        self.x = RANDOM.standard_normal((2, 3, 4))
        self.keep = [[1, 1, 1, 0], [1, 0, 0, 0]]

    def once(self, query="", **members):
        """The answer of a call that changes nothing."""
        return self.ask("POST", "/v1/normalize" + query, {"kind": "batch_norm", **tensor(self.x), **members}).json

    def wrong(self, code, status, x=None, query="", **members):
        return self.refused(code, status, "bn", "train" + query, tensor(self.x if x is None else x, **members))

    def test_forms_of_a_mask(self):
        wanted = self.once(lengths=[3, 1])
        flat = sum(self.keep, [])
        booleans = [[bool(v) for v in row] for row in self.keep]
        for form in (self.keep, flat, booleans, [bool(v) for v in flat], {"data": self.keep}, {"shape": [2, 4], "data": flat},
                     {"data": booleans}, {"data": booleans, "shape": [2, 4]}):
            self.assertEqual(self.once(mask=form), wanted, form)
        self.assertNotEqual(self.once(), wanted)

    def test_lengths_in_the_query(self):
        self.assertEqual(self.once("?lengths=3,1"), self.once(lengths=[3, 1]))
        definition = urllib.parse.quote('{"kind":"batch_norm"}')
        told = self.post_npy(f"/v1/normalize?definition={definition}&lengths=3,1", self.x)
        self.assertEqual(npy.load(told.raw).ravel().tolist(), self.once(lengths=[3, 1])["data"])

    def test_bad_lengths(self):
        for bad in ("3,1", 3, True, {}, [3, -1], [3, 1.5], [3, "1"], [3, None], [3, True], [[3, 1]], [3, 5]):
            self.wrong("bad_parameter", 400, lengths=bad)
        for bad in ("", ",", "3,", ",1", "3,x", "3,-1", "3,1.5", "3;1", "3,+1", "3,5", "3,99999999999999999999999"):
            self.wrong("bad_parameter", 400, query="?lengths=" + urllib.parse.quote(bad))
        for bad in ([], [3], [3, 1, 2]):
            self.wrong("shape_mismatch", 422, lengths=bad)
        self.wrong("shape_mismatch", 422, query="?lengths=3")
        self.wrong("shape_mismatch", 422, query="?lengths=3,1,2")
        self.wrong("shape_mismatch", 422, RANDOM.standard_normal((2, 3)), lengths=[1, 0])
        self.wrong("shape_mismatch", 422, RANDOM.standard_normal((2, 3, 2, 2)), lengths=[3, 1])
        self.wrong("too_few_values", 422, lengths=[0, 0])
        self.wrong("too_few_values", 422, lengths=[1, 0])

    def test_bad_masks(self):
        for bad in (3, True, "1", [[1, 1, 1, 2], [1, 0, 0, 0]], [[1, 1, 1, 0.5], [1, 0, 0, 0]], [[1, 1, 1, -1], [1, 0, 0, 0]]):
            self.wrong("bad_parameter", 400, mask=bad)
        for bad in ({}, {"shape": [2, 4]}, {"datatype": "FP64", "data": self.keep}, [[1, 1], [1]], [[1, "1", 1, 0], [1, 0, 0, 0]],
                    [[True, None, True, False], [True] * 4]):
            self.wrong("bad_tensor", 400, mask=bad)
        for bad in ([], [1, 1, 1], [[1, 1, 1], [1, 1, 1]], [[[1], [1], [1], [1]]] * 2, [[1, 1]] * 4, {"shape": [4, 2], "data": [1] * 8}):
            self.wrong("shape_mismatch", 422, mask=bad)
        self.wrong("too_few_values", 422, mask=[[0] * 4] * 2)
        self.wrong("too_few_values", 422, mask=[[False] * 4, [True, False, False, False]])

    def test_mask_in_the_query(self):
        """The bits of the mask in JSON, in each call that takes one, whatever the form of the body."""
        x, keep = RANDOM.standard_normal((5, 6, 4)), numpy.arange(20).reshape(5, 4) % 3 != 1
        flat = keep.ravel().tolist()
        query = "mask=" + ",".join(("false", "true", "0", "1")[2 * (i % 2) + value] for i, value in enumerate(flat))
        headers = {"Content-Type": npy.TYPE}
        for name, (definition, _) in KINDS.items():
            for how in ("member", "query", "npy"):
                self.put(f"{name}.{how}", definition)
            for call in ("train", "infer"):
                with self.subTest(name, call=call):
                    path = lambda how: self.path(f"{name}.{how}", call) + ("" if how == "member" else "?" + query)
                    wanted = self.ask("POST", path("member"), tensor(x, mask=flat)).json
                    self.assertEqual(self.ask("POST", path("query"), tensor(x)).json, wanted)
                    told = self.ask("POST", path("npy"), npy.save(x), headers)
                    self.assertEqual(npy.load(told.raw).ravel().tolist(), wanted["data"])
            with self.subTest(name, call="normalize"):
                wanted = self.ask("POST", "/v1/normalize", {"definition": definition, **tensor(x, mask=flat)}).json
                self.assertEqual(self.ask("POST", "/v1/normalize?" + query, {"definition": definition, **tensor(x)}).json, wanted)
                defined = "/v1/normalize?definition=" + urllib.parse.quote(json.dumps(definition)) + "&" + query
                self.assertEqual(npy.load(self.post_npy(defined, x).raw).ravel().tolist(), wanted["data"])
            with self.subTest(name, call="backward"):
                g = RANDOM.standard_normal(x.shape)
                path, body = self.path(f"{name}.member", "backward"), {"input": tensor(x), "grad_output": tensor(g)}
                wanted = self.ask("POST", path, {**body, "mask": flat}).json
                self.assertNotEqual(self.ask("POST", path, body).json, wanted)
                self.assertEqual(self.ask("POST", path + "?" + query, body).json, wanted)
                told = self.ask("POST", path + "?" + query, npy.save(x) + npy.save(g), headers)
                self.assertEqual(npy.load(told.raw[: len(npy.save(x))]).ravel().tolist(), wanted["grad_input"]["data"])

    def test_bad_masks_in_the_query(self):
        for bad, at in (("", 0), (",", 0), ("1,1,1,0,1,0,0,", 7), (",1,1,0,1,0,0,0", 0), ("1,1,1,2,1,0,0,0", 3), ("1,1,yes,0,1,0,0,0", 2),
                        ("Truee,1,1,0,1,0,0,0", 0), ("1,1,1,0,1,0,0,falsehood", 7), ("1, 1,1,0,1,0,0,0", 1), ("1,tru,1", 1),
                        ("[[1,1,1,0],[1,0,0,0]]", 0), ("1;1;1;0;1;0;0;0", 0), ("1,1.0,1,0,1,0,0,0", 1), ("1,\u00e9,1", 1)):
            detail = self.wrong("bad_parameter", 400, query="?mask=" + urllib.parse.quote(bad))["detail"]
            self.assertIn(f"at value {at}", detail)
            self.assertIn('"' + bad.split(",")[at] + '"', detail)
        self.assertIn('"' + "x" * 32 + '"', self.wrong("bad_parameter", 400, query="?mask=" + "x" * 33)["detail"])
        self.wrong("bad_parameter", 400, query="?mask=%FF%FE,1")
        for bad in (["1"], ["1"] * 7, ["true"] * 9, ["1"] * 8 + ["2"], ["0"] * 24):
            told = self.wrong("shape_mismatch", 422, query="?mask=" + ",".join(bad))
            self.assertEqual((told["expected"], told["actual"]), ("[8]", f"[{len(bad)}]"))
            self.assertIn("8 values", told["detail"])
        self.wrong("too_few_values", 422, query="?mask=" + ",".join(["0"] * 8))
        self.wrong("too_few_values", 422, query="?mask=" + ",".join(["1"] + ["false"] * 7))

    def test_a_mask_that_fills_the_head(self):
        """Of 7,500 values; of more it goes in JSON."""
        x, keep = RANDOM.standard_normal((15, 2, 500)), RANDOM.integers(0, 2, 7500)
        wanted = self.ask("POST", self.path("bn", "train"), tensor(x, mask=keep.tolist())).json["data"]
        told = self.post_npy(self.path("bn", "train") + "?mask=" + ",".join(map(str, keep)), x)
        self.assertEqual(npy.load(told.raw).ravel().tolist(), wanted)

    def test_only_one_of_them(self):
        query = "?mask=1,1,1,0,1,0,0,0"
        self.wrong("bad_parameter", 400, query=query, mask=self.keep)
        self.wrong("bad_parameter", 400, query=query, lengths=[3, 1])
        self.wrong("bad_parameter", 400, query=query + "&lengths=3,1")
        self.wrong("bad_parameter", 400, query=query + "&mask=1,1,1,0,1,0,0,0")
        self.wrong("bad_parameter", 400, lengths=[3, 1], mask=self.keep)
        self.wrong("bad_parameter", 400, query="?lengths=3,1", mask=self.keep)
        self.wrong("bad_parameter", 400, query="?lengths=3,1", lengths=[3, 1])

    def test_booleans_are_for_masks(self):
        self.refused("bad_tensor", 400, "bn", "train", {"data": [[True, 1], [2, 3]]})

    def test_other_lengths_under_a_key_are_another_request(self):
        self.put("plain", {"kind": "batch_norm"})
        x, headers = npy.save(RANDOM.standard_normal((2, 3, 4))), {"Content-Type": npy.TYPE, "Idempotency-Key": "k"}
        first = self.ask("POST", self.path("plain", "train") + "?lengths=4,2", x, headers)
        self.assertEqual(self.ask("POST", self.path("plain", "train") + "?lengths=4,2", x, headers).raw, first.raw)
        for query in ("?lengths=4,3", ""):
            self.refused("idempotency_mismatch", 422, "plain", "train" + query, x, headers)

    def test_channels_in_front(self):
        self.put("front", {"kind": "batch_norm", "channel_axis": 0})
        self.refused("shape_mismatch", 422, "front", "train", tensor(self.x, lengths=[3, 1]))

    def test_an_instance_of_one_value(self):
        """Its variance needs two; an instance of padding alone has none to need."""
        self.put("in", {"kind": "instance_norm"})
        self.refused("too_few_values", 422, "in", "train", tensor(self.x, lengths=[3, 1]))
        self.ask("POST", self.path("in", "train"), tensor(self.x, lengths=[3, 0]))

    def test_a_mask_makes_no_more_of_one_value(self):
        """Where a batch is too small without a mask it is with one, in each call."""
        x = RANDOM.standard_normal((1, 2))
        self.put("gn", {"kind": "group_norm", "num_groups": 2, "num_channels": 2})
        for members in ({}, {"mask": [True]}):
            for call in ("train", "infer"):
                self.refused("too_few_values", 422, "gn", call, tensor(x, **members))
            self.refused("too_few_values", 422, "gn", "backward", {"input": tensor(x), "grad_output": tensor(x), **members})

    def test_a_slice_of_one_value(self):
        """Of the other kinds it deviates from its mean by nothing; RMS has no mean."""
        x = self.x[1, 0, 0]
        for name, definition, expected in (("gn", {"kind": "group_norm", "num_groups": 3, "num_channels": 3}, 0),
                                           ("ln", {"kind": "layer_norm", "normalized_shape": 4}, 0),
                                           ("rms", {"kind": "rms_norm", "normalized_shape": 4}, x / numpy.sqrt(x * x + 1e-5))):
            self.put(name, definition)
            self.assertNear(self.trained(name, self.x, lengths=[3, 1])[1, 0, 0], expected)

    def test_an_empty_batch(self):
        for query, members in (("", {"lengths": []}), ("", {"mask": []}), ("?mask=", {})):
            told = self.ask("POST", self.path("bn", "train") + query, {"shape": [0, 3, 4], "data": [], **members}).json
            self.assertEqual(told["num_batches_tracked"], 0)

    def test_a_padded_update_is_made_once_under_its_key(self):
        key = {"Idempotency-Key": '"k"'}
        body = tensor(self.x, lengths=[3, 1])
        first = self.ask("POST", self.path("bn", "train"), body, key)
        self.assertEqual(self.ask("POST", self.path("bn", "train"), body, key).raw, first.raw)
        self.assertEqual(self.ask("POST", self.path("bn", "train"), tensor(self.x, lengths=[3, 2]), key, 422).code,
                         "idempotency_mismatch")

    def test_a_mask_in_the_query_is_part_of_what_a_key_guards(self):
        key = {"Idempotency-Key": '"k"'}
        train = lambda mask, **more: self.ask("POST", self.path("bn", "train") + "?mask=" + mask, tensor(self.x), key, **more)
        first = train("1,1,1,0,1,0,0,0")
        self.assertEqual(train("1,1,1,0,1,0,0,0").raw, first.raw)
        self.assertEqual(train("1,1,1,0,1,1,0,0", status=422).code, "idempotency_mismatch")
        self.assertEqual(self.ask("POST", self.path("bn", "train"), tensor(self.x), key, 422).code, "idempotency_mismatch")


if __name__ == "__main__":
    unittest.main()
