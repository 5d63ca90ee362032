# SPDX-License-Identifier: MIT
"""
Padding over HTTP: what `lengths` and `mask` name as padding never matters, in any kind, call, form and datatype.
It comes back as 0, and so does its gradient.
"""

import json
import unittest
import urllib.parse

import numpy

import npy
from kinds import KINDS, KindTest, array, by_own_statistics, tensor

RANDOM = numpy.random.default_rng(23)
LENGTHS = [4, 2, 0, 3, 4]

# A definition of each kind and layout, a shape that it takes, and which dimensions a mask has,
# after that of the samples.
PADDED = {
    "batch_norm": ({"kind": "batch_norm"}, (5, 6, 4), (2,)),
    "batch_norm_last": ({"kind": "batch_norm", "channel_axis": -1}, (5, 4, 6), (1,)),
    "batch_norm_middle": ({"kind": "batch_norm", "channel_axis": 2}, (5, 3, 6, 4), (1, 3)),
    "batch_norm_planes": ({"kind": "batch_norm"}, (5, 6, 3, 4), (2, 3)),
    "batch_norm_samples": ({"kind": "batch_norm"}, (9, 6), ()),
    "batch_norm_untracked": ({"kind": "batch_norm", "track_running_stats": False}, (5, 6, 4), (2,)),
    "pooled": ({"kind": "batch_norm", "averaging": "pooled"}, (5, 6, 20), (2,)),
    "clip": ({"kind": "batch_norm", "clip": 0.5}, (5, 6, 4), (2,)),
    "ghosts": ({"kind": "batch_norm", "virtual_batch_size": 2}, (5, 6, 4), (2,)),
    "ghosts_last": ({"kind": "batch_norm", "virtual_batch_size": 2, "channel_axis": -1}, (5, 4, 6), (1,)),
    "shuffle": ({"kind": "batch_norm", "shuffle": True, "virtual_batch_size": 3}, (6, 3, 5), (2,)),
    "renorm": ({"kind": "batch_norm", "renorm": {"r_max": 2, "d_max": 1}}, (5, 6, 4), (2,)),
    "instance_norm": ({"kind": "instance_norm", "affine": True}, (5, 6, 4), (2,)),
    "instance_norm_planes": ({"kind": "instance_norm"}, (5, 6, 3, 4), (2, 3)),
    "tracking_instance_norm": ({"kind": "instance_norm", "affine": True, "track_running_stats": True}, (5, 6, 4), (2,)),
    "group_norm": ({"kind": "group_norm", "num_groups": 3, "num_channels": 6}, (5, 6, 4), (2,)),
    "group_norm_samples": ({"kind": "group_norm", "num_groups": 3, "num_channels": 6}, (5, 6), ()),
    "layer_norm": ({"kind": "layer_norm", "normalized_shape": [6]}, (5, 4, 6), (1,)),
    "layer_norm_square": ({"kind": "layer_norm", "normalized_shape": [5]}, (5, 5, 5), (1,)),
    "layer_norm_planes": ({"kind": "layer_norm", "normalized_shape": [3, 6]}, (5, 2, 4, 3, 6), (1, 2)),
    "layer_norm_samples": ({"kind": "layer_norm", "normalized_shape": [4, 6]}, (5, 4, 6), ()),
    "rms_norm": ({"kind": "rms_norm", "normalized_shape": [6], "clip": 0.75}, (5, 4, 6), (1,)),
}

def keep_of(lengths, positions):
    return numpy.arange(positions) < numpy.array(lengths)[:, None]


def random_keep(definition, shape, positions):
    """A mask of which every ghost batch and every instance has enough: some samples are padding alone,
    some have none."""
    keep = RANDOM.random((shape[0], *(shape[i] for i in positions))) < 0.6
    flat = keep.reshape(shape[0], -1)
    flat[0] = True
    flat[1, :2] = True
    flat[-1, :2] = True
    if "instance" in definition["kind"]:
        flat[flat.sum(1) == 1] = False
    if "virtual_batch_size" not in definition:
        flat[2] = False
    else:
        flat[2, :2] = True  # of the ghost batch of samples 2 and 3
    if definition.get("shuffle"):
        flat[:, :2] = True
    return keep


def spread(keep, shape, positions):
    """The mask over the tensor."""
    return numpy.broadcast_to(keep.reshape([n if i == 0 or i in positions else 1 for i, n in enumerate(shape)]), shape)


def parameters_of(definition, shape):
    """Weights without zeros, and biases, where the layer has them."""
    if definition["kind"] == "instance_norm" and "affine" not in definition:
        return {}
    count = definition.get("normalized_shape", [shape[definition.get("channel_axis", 1)]])
    given = {"weight": (RANDOM.integers(8, 64, count) / 16).tolist(),
             "bias": (RANDOM.integers(-64, 64, count) / 16).tolist()}
    return {"weight": given["weight"]} if definition["kind"] == "rms_norm" else given


class PaddingTest(KindTest):
    def put_with_parameters(self, name, definition, given):
        self.put(name, definition)
        if given:
            self.ask("PUT", self.path(name, "parameters"), given)

    def statistics(self, layer):
        told = self.ask("GET", self.path(layer, "statistics")).json
        return [told[name]["data"] for name in ("running_mean", "running_var")]


class NeverMatters(PaddingTest):
    """The same bits of outputs, statistics and gradients whatever padding holds, and zeros there."""

    # What padding holds: nothing; what is as the rest; what no call may see.
    CONTENTS = {"zero": 0, "random": None, "nan": numpy.nan, "inf": numpy.inf, "-inf": -numpy.inf,
                "huge": {"<f2": 65504, "<f4": 3e38, "<f8": 1.7e308}}

    def fill(self, x, kept, content, dtype):
        content = content[dtype] if isinstance(content, dict) else content
        if content is None:
            noise = RANDOM.standard_normal(x.shape).astype(dtype)
        else:
            noise = numpy.full(x.shape, content, dtype)
        return numpy.where(kept, x, noise)

    def answers(self, name, definition, x, g, query):
        """The raw answers of every call that takes padding, for a new layer."""
        headers, path = {"Content-Type": npy.TYPE}, lambda call, more="": self.path(name, call) + "?" + query + more
        seed = "&seed=7" if definition.get("shuffle") else ""
        told = {"train": self.ask("POST", path("train", seed), npy.save(x), headers).raw,
                "output=false": self.ask("POST", path("train", seed + "&output=false"), npy.save(x), headers, 204).raw,
                "infer": self.ask("POST", path("infer"), npy.save(x), headers).raw,
                "backward": self.ask("POST", path("backward", seed), npy.save(x) + npy.save(g), headers).raw}
        if definition.get("track_running_stats", definition["kind"] == "batch_norm"):
            told["statistics"] = self.ask("GET", self.path(name, "statistics")).json
            told["inverse"] = self.ask("POST", path("infer", "&inverse=true"), npy.save(x), headers).raw
            told["backward, running"] = self.ask("POST", path("backward", "&mode=infer"), npy.save(x) + npy.save(g),
                                                 headers).raw
        if not definition.get("shuffle") and not definition.get("renorm"):
            once = "/v1/normalize?definition=" + urllib.parse.quote(json.dumps(definition)) + "&" + query
            told["normalize"] = self.ask("POST", once, npy.save(x), headers).raw
        return told

    def check_zeros(self, told, kept, dtype):
        for call in ("train", "infer", "inverse", "normalize", "backward", "backward, running"):
            if call in told:
                y = npy.load(told[call][: len(npy.save(numpy.zeros(kept.shape, dtype)))])
                self.assertTrue((y[~kept] == 0).all() and not numpy.signbit(y[~kept]).any(), call)
                self.assertTrue((y[kept] != 0).any(), call)

    def test_in_every_kind_and_datatype(self):
        for name, (definition, shape, positions) in PADDED.items():
            for dtype in ("<f2", "<f4", "<f8"):
                with self.subTest(name, dtype=dtype):
                    keep = random_keep(definition, shape, positions)
                    kept = spread(keep, shape, positions)
                    query = "mask=" + ",".join(map(str, keep.ravel().astype(int)))
                    x, g = (RANDOM.standard_normal(shape).astype(dtype) for _ in range(2))
                    given, told = parameters_of(definition, shape), {}
                    for content, value in self.CONTENTS.items():
                        layer = f"{name}{dtype[1:]}{content.strip('-')}{content[0] == '-'}"
                        self.put_with_parameters(layer, definition, given)
                        told[content] = self.answers(layer, definition,
                                                     *(self.fill(a, kept, value, dtype) for a in (x, g)), query)
                        self.assertEqual(told[content], told["zero"], content)
                    self.check_zeros(told["zero"], kept, dtype)

    def test_in_json(self):
        """In forms that can express it: JSON has no infinities and no NaN."""
        for name, (definition, shape, positions) in PADDED.items():
            if definition.get("shuffle"):
                continue
            for datatype, huge in (("FP16", 65504), ("FP32", 3e38), ("FP64", 1.7e308)):
                with self.subTest(name, datatype=datatype):
                    keep = random_keep(definition, shape, positions)
                    kept = spread(keep, shape, positions)
                    x, g = RANDOM.standard_normal(shape), RANDOM.standard_normal(shape)
                    answers = []
                    for layer, value in ((f"{name}{datatype}0", 0), (f"{name}{datatype}1", huge),
                                         (f"{name}{datatype}2", -huge)):
                        self.put(layer, definition)
                        filled = [tensor(numpy.where(kept, a, value), datatype) for a in (x, g)]
                        mask = {"mask": keep.tolist()}
                        answers.append([self.ask("POST", self.path(layer, call), {**body, **mask}).json
                                        for call, body in (
                            ("train", filled[0]), ("infer", filled[0]),
                            ("backward", {"input": filled[0], "grad_output": filled[1]}))])
                    self.assertEqual(answers[1], answers[0])
                    self.assertEqual(answers[2], answers[0])
                    self.assertTrue((numpy.array(answers[0][0]["data"]).reshape(shape)[~kept] == 0).all())

    def test_a_value_that_counts_and_is_not_finite(self):
        """A value that counts and is not finite is refused, and its channel is named, also after NaNs in padding."""
        x = RANDOM.standard_normal((5, 6, 4)).astype("<f4")
        x[~spread(keep_of(LENGTHS, 4), x.shape, (2,))] = numpy.nan
        x[3, 4, 1] = numpy.inf
        headers, query = {"Content-Type": npy.TYPE}, "?lengths=" + ",".join(map(str, LENGTHS))
        for name in ("batch_norm", "tracking_instance_norm"):
            self.put(name, KINDS[name][0])
            told = self.refused("non_finite_input", 422, name, "train" + query, npy.save(x), headers)
            self.assertIn("channel 4 ", told["detail"])
        for name in ("instance_norm", "group_norm"):
            self.put(name, KINDS[name][0])
            self.refused("non_finite_input", 422, name, "train" + query, npy.save(x), headers)

    def test_where_only_values_near_the_mean_fit(self):
        """Where not even 0 fits float16, padding is never refused, but a value that counts is."""
        headers, one = {"Content-Type": npy.TYPE}, numpy.array([[[0, 60000, 60000]], [[60000, 0, 0]]], "<f2")
        for axis, x in ((1, one), (-1, one.transpose(0, 2, 1))):
            for content in (0, -65504, numpy.nan):
                name = f"bn{axis}{content}"
                self.put(name, {"kind": "batch_norm", "channel_axis": axis, "num_features": 1, "eps": 1e-9})
                self.ask("PUT", self.path(name, "statistics"),
                         {"running_mean": [60000], "running_var": [0], "num_batches_tracked": 1})
                given = numpy.ascontiguousarray(numpy.where(x == 0, content, x).astype("<f2"))
                told = self.ask("POST", self.path(name, "infer") + "?mask=0,1,1,1,0,0", npy.save(given), headers)
                self.assertFalse(npy.load(told.raw).any())
                bad = self.refused("non_finite_input", 422, name, "infer?mask=1,1,1,1,0,0", npy.save(given), headers)
                self.assertIn("channel 0", bad["detail"])

    def test_a_repeat_under_a_key(self):
        """Puts zeros at padding again."""
        self.put("bn", {"kind": "batch_norm"})
        x = RANDOM.standard_normal((5, 6, 4)).astype("<f4")
        x[~spread(keep_of(LENGTHS, 4), x.shape, (2,))] = numpy.nan
        headers, query = {"Content-Type": npy.TYPE, "Idempotency-Key": "k"}, "?lengths=4,2,0,3,4"
        first, again = (self.ask("POST", self.path("bn", "train") + query, npy.save(x), headers) for _ in range(2))
        self.assertEqual(again.raw, first.raw)
        self.assertEqual(self.ask("GET", self.path("bn", "statistics")).json["num_batches_tracked"], 1)


class AsTheValuesAlone(PaddingTest):
    """Against the reference, which never sees padding."""

    def expected(self, name, x, keep, weight, bias):
        """Exact arithmetic: batch norm over all that counts, the others a sample at a time, or a row."""
        y = numpy.zeros(x.shape)
        if name == "batch_norm":
            values = numpy.concatenate([x[n][:, keep[n]] for n in range(len(x))], axis=1)[None]
            of = by_own_statistics(name, values, *(numpy.repeat(v, values.shape[2]) for v in (weight, bias)))[0]
            for n, end in enumerate(numpy.cumsum(keep.reshape(len(x), -1).sum(1))):
                y[n][:, keep[n]] = of[:, end - keep[n].sum() : end]
            return y
        for n in range(len(x)):
            if name in ("layer_norm", "rms_norm"):
                for t in numpy.flatnonzero(keep[n]):
                    y[n, t] = by_own_statistics(name, x[n, t][None], weight, bias)[0]
            elif keep[n].any():
                values = x[n][:, keep[n]][None]
                y[n][:, keep[n]] = by_own_statistics(name, values,
                                                     *(numpy.repeat(v, values.shape[2]) for v in (weight, bias)))[0]
        return y

    def check(self, keep, shape=(5, 6, 4), **members):
        for name in KINDS:
            with self.subTest(name):
                rows = name in ("layer_norm", "rms_norm")
                definition = {**KINDS[name][0], **({"normalized_shape": [6]} if rows else {})}
                x = RANDOM.standard_normal((*keep.shape, 6) if rows else shape) * 3 + 1
                given = parameters_of(definition, x.shape)
                self.put_with_parameters(name, definition, given)
                weight = numpy.array(given["weight"])
                bias = numpy.array(given.get("bias", [0] * 6))
                expected = self.expected(name, x.reshape(len(x), -1, 6) if rows else x,
                                         keep.reshape(len(x), -1) if rows else keep,
                                         weight, bias).reshape(x.shape)
                got = self.ask("POST", self.path(name, "train"), tensor(x, **members)).json
                self.assertNear(numpy.array(got["data"]).reshape(x.shape), expected)
                once = self.ask("POST", "/v1/normalize",
                                {"definition": definition, "tensor": tensor(x), **members, **given}).json
                self.assertNear(numpy.array(once["data"]).reshape(x.shape), expected)
                if name in ("batch_norm", "tracking_instance_norm"):
                    continue
                got = self.ask("POST", self.path(name, "infer"), tensor(x, **members)).json
                self.assertNear(numpy.array(got["data"]).reshape(x.shape), expected)

    def test_lengths(self):
        self.check(keep_of(LENGTHS, 4), lengths=LENGTHS)

    def test_mask_of_positions(self):
        keep = RANDOM.random((5, 4)) < 0.7
        keep[:, :2] = True
        self.check(keep, mask=keep.tolist())

    def test_mask_of_planes(self):
        keep = RANDOM.random((5, 3, 4)) < 0.6
        keep[:, 0, :2] = True
        self.check(keep, (5, 6, 3, 4), mask=keep.tolist())

    def test_mask_of_samples(self):
        """In (N, C) a whole sample counts or does not."""
        self.put("bn", {"kind": "batch_norm"})
        x = RANDOM.standard_normal((5, 3))
        padded = self.trained("bn", x, mask=[True, False, True, True, False])
        self.put("alone", {"kind": "batch_norm"})
        alone = self.trained("alone", x[[0, 2, 3]])
        self.assertEqual(padded[[0, 2, 3]].tolist(), alone.tolist())
        self.assertEqual(padded[[1, 4]].tolist(), [[0] * 3] * 2)
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

    def test_by_running_statistics(self):
        """Values that count come out as without padding; padding comes out as 0."""
        kept = spread(keep_of(LENGTHS, 4), (5, 6, 4), (2,))
        x = RANDOM.standard_normal((5, 6, 4))
        for name in ("batch_norm", "tracking_instance_norm"):
            self.put(name, KINDS[name][0])
            self.train(name, x)
            plain = self.infer(name, x)
            told = self.ask("POST", self.path(name, "infer"), tensor(x, lengths=LENGTHS)).json
            self.assertEqual(numpy.array(told["data"]).reshape(x.shape).tolist(), numpy.where(kept, plain, 0).tolist())
            back = self.ask("POST", self.path(name, "infer") + "?inverse=true", tensor(plain, lengths=LENGTHS)).json
            self.assertNear(numpy.array(back["data"]).reshape(x.shape), numpy.where(kept, x, 0))

    def test_rows_that_count_have_the_bits_they_have_alone(self):
        x = RANDOM.standard_normal((5, 4, 6))
        for name in ("layer_norm", "rms_norm"):
            self.put(name, {"kind": name, "normalized_shape": 6})
            plain = self.trained(name, x)
            padded = self.trained(name, x, lengths=LENGTHS)
            self.assertEqual(padded.tolist(), numpy.where(keep_of(LENGTHS, 4)[:, :, None], plain, 0).tolist())

    def test_nothing_is_padding(self):
        """The same bits as without the member."""
        for name, (definition, shape, positions) in PADDED.items():
            if name in ("shuffle", "batch_norm_planes"):
                continue
            with self.subTest(name):
                x = RANDOM.standard_normal(shape)
                for layer in ("with", "without"):
                    self.put(f"{name}.{layer}", definition)
                told = self.trained(f"{name}.with", x,
                                    mask=numpy.ones([shape[0], *(shape[i] for i in positions)]).tolist())
                self.assertNear(told, self.trained(f"{name}.without", x), 1e-14)

    def test_all_is_padding(self):
        for name, (definition, shape, positions) in PADDED.items():
            self.put(name, definition)
            none = {"mask": numpy.zeros([shape[0], *(shape[i] for i in positions)]).tolist()}
            x = tensor(RANDOM.standard_normal(shape))
            self.refused("too_few_values", 422, name, "train", {**x, **none})
            body = {"input": x, "grad_output": x, **none, **({"seed": 1} if "shuffle" in definition else {})}
            self.refused("too_few_values", 422, name, "backward", body)


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

    def test_instances_are_averaged_over_samples_that_have_any(self):
        """Each with the divisor that the convention gives its own number of values."""
        x = RANDOM.standard_normal((5, 6, 4))
        samples = [n for n in range(5) if LENGTHS[n] > 0]
        mean = [numpy.mean([x[n, c, : LENGTHS[n]].mean() for n in samples]) for c in range(6)]
        for convention, momentum, ddof in (("pytorch", 1, 1), ("keras", 0, 0)):
            definition = {"kind": "instance_norm", "track_running_stats": True, "convention": convention,
                          "momentum": momentum}
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
        """Like one of a single value: it has no variance to be normalized by."""
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
        kept = keep_of(lengths, 4)[:, None]
        self.put("sh", {"kind": "batch_norm", "shuffle": True})
        a, b = (self.trained("sh", values, lengths=lengths, seed=3) for values in (x, numpy.where(kept, x, 1e6)))
        self.assertEqual(a.tolist(), b.tolist())
        self.assertTrue((a[~numpy.broadcast_to(kept, x.shape)] == 0).all())


class Gradients(PaddingTest):
    def test_are_those_of_the_values_alone(self):
        """Layer norm's rows and batch norm's values, each as a tensor of its own: those by weight and bias add up."""
        x, g = RANDOM.standard_normal((2, 5, 6, 4))
        keep = keep_of(LENGTHS, 4)
        for name, padded, alone in (("batch_norm", lambda a: a, lambda a: a.transpose(0, 2, 1)[keep].T[None]),
                                    ("layer_norm", lambda a: a.transpose(0, 2, 1),
                                     lambda a: a.transpose(0, 2, 1)[keep])):
            self.put(name, {"kind": name, **({"normalized_shape": 6} if name == "layer_norm" else {})})
            ask = lambda shape, **more: self.ask("POST", self.path(name, "backward"), {
                "input": tensor(shape(x)), "grad_output": tensor(shape(g)), **more}).json
            told, wanted = ask(padded, lengths=LENGTHS), ask(alone)
            gradient = array(told["grad_input"])
            self.assertEqual(alone(gradient if name == "batch_norm" else gradient.transpose(0, 2, 1)).tolist(),
                             array(wanted["grad_input"]).tolist())
            self.assertEqual([told["grad_weight"], told["grad_bias"]], [wanted["grad_weight"], wanted["grad_bias"]])

    def test_many_samples_of_one_length_each(self):
        """Each its own piece; the sums over all keep their digits."""
        n, c, most = 300, 3, 40
        lengths = [2 + i * 7 % (most - 2) for i in range(n)]
        x, g = RANDOM.standard_normal((2, n, c, most)) + 1e3
        for definition in ({"kind": "group_norm", "num_groups": 1, "num_channels": c},
                           {"kind": "instance_norm", "affine": True}):
            name = definition["kind"]
            self.put(name, definition)
            told = self.ask("POST", self.path(name, "backward"),
                            {"input": tensor(x), "grad_output": tensor(g), "lengths": lengths}).json
            kept = keep_of(lengths, most)
            self.assertNear(told["grad_bias"]["data"], (g.transpose(1, 0, 2)[:, kept]).sum(1), 1e-7)
            for i in (0, 7, n - 1):
                body = {key: tensor(a[i : i + 1, :, : lengths[i]]) for key, a in (("input", x), ("grad_output", g))}
                one = self.ask("POST", self.path(name, "backward"), body).json["grad_input"]
                gradient = numpy.array(told["grad_input"]["data"]).reshape(x.shape)[i : i + 1, :, : lengths[i]]
                self.assertEqual(gradient.ravel().tolist(), one["data"])


class Bodies(PaddingTest):
    """The forms of lengths and masks, and the errors for others."""

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
        for form in (self.keep, flat, booleans, [bool(v) for v in flat], {"data": self.keep},
                     {"shape": [2, 4], "data": flat}, {"data": booleans}, {"data": booleans, "shape": [2, 4]}):
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
        for bad in (3, True, "1", [[1, 1, 1, 2], [1, 0, 0, 0]], [[1, 1, 1, 0.5], [1, 0, 0, 0]],
                    [[1, 1, 1, -1], [1, 0, 0, 0]]):
            self.wrong("bad_parameter", 400, mask=bad)
        for bad in ({}, {"shape": [2, 4]}, {"datatype": "FP64", "data": self.keep}, [[1, 1], [1]],
                    [[1, "1", 1, 0], [1, 0, 0, 0]], [[True, None, True, False], [True] * 4]):
            self.wrong("bad_tensor", 400, mask=bad)
        for bad in ([], [1, 1, 1], [[1, 1, 1], [1, 1, 1]], [[[1], [1], [1], [1]]] * 2, [[1, 1]] * 4,
                    {"shape": [4, 2], "data": [1] * 8}):
            self.wrong("shape_mismatch", 422, mask=bad)
        self.wrong("too_few_values", 422, mask=[[0] * 4] * 2)
        self.wrong("too_few_values", 422, mask=[[False] * 4, [True, False, False, False]])

    def test_mask_in_the_query(self):
        """The bits of the mask in JSON, in each call that takes one, whatever the form of the body."""
        x, keep = RANDOM.standard_normal((5, 6, 4)), numpy.arange(20).reshape(5, 4) % 3 != 1
        kinds = {**{name: definition for name, (definition, _) in KINDS.items()},
                 "layer_norm": {"kind": "layer_norm", "normalized_shape": 4},
                 "rms_norm": {"kind": "rms_norm", "normalized_shape": 4}}
        headers = {"Content-Type": npy.TYPE}
        for name, definition in kinds.items():
            flat = (RANDOM.random(30) < 0.6 if "normalized_shape" in definition else keep.ravel()).tolist()
            query = "mask=" + ",".join(("false", "true", "0", "1")[2 * (i % 2) + value] for i, value in enumerate(flat))
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
                self.assertEqual(self.ask("POST", "/v1/normalize?" + query,
                                          {"definition": definition, **tensor(x)}).json, wanted)
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
        for bad, at in (("", 0), (",", 0), ("1,1,1,0,1,0,0,", 7), (",1,1,0,1,0,0,0", 0), ("1,1,1,2,1,0,0,0", 3),
                        ("1,1,yes,0,1,0,0,0", 2), ("Truee,1,1,0,1,0,0,0", 0), ("1,1,1,0,1,0,0,falsehood", 7),
                        ("1, 1,1,0,1,0,0,0", 1), ("1,tru,1", 1),
                        ("[[1,1,1,0],[1,0,0,0]]", 0), ("1;1;1;0;1;0;0;0", 0), ("1,1.0,1,0,1,0,0,0", 1),
                        ("1,\u00e9,1", 1)):
            detail = self.wrong("bad_parameter", 400, query="?mask=" + urllib.parse.quote(bad))["detail"]
            self.assertIn(f'value {at} of "mask"', detail)
            self.assertIn('"' + bad.split(",")[at] + '"', detail)
        self.assertIn('"' + "x" * 80 + '..."', self.wrong("bad_parameter", 400, query="?mask=" + "x" * 81)["detail"])
        self.wrong("bad_parameter", 400, query="?mask=%FF%FE,1")
        for bad in (["1"], ["1"] * 7, ["true"] * 9, ["1"] * 8 + ["2"], ["0"] * 24):
            told = self.wrong("shape_mismatch", 422, query="?mask=" + ",".join(bad))
            self.assertEqual((told["expected"], told["actual"]), ("[8]", f"[{len(bad)}]"))
            self.assertIn("8 values", told["detail"])
        self.wrong("too_few_values", 422, query="?mask=" + ",".join(["0"] * 8))
        self.wrong("too_few_values", 422, query="?mask=" + ",".join(["1"] + ["false"] * 7))

    def test_a_mask_that_fills_the_head(self):
        """For 3,800 values; a longer mask is sent in JSON."""
        x, keep = RANDOM.standard_normal((8, 2, 475)), RANDOM.integers(0, 2, 3800)
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
        """A batch that is too small without a mask is too small with one, in each call."""
        x = RANDOM.standard_normal((1, 2))
        self.put("gn", {"kind": "group_norm", "num_groups": 2, "num_channels": 2})
        for members in ({}, {"mask": [True]}):
            for call in ("train", "infer"):
                self.refused("too_few_values", 422, "gn", call, tensor(x, **members))
            self.refused("too_few_values", 422, "gn", "backward",
                         {"input": tensor(x), "grad_output": tensor(x), **members})

    def test_a_slice_of_one_value(self):
        """It deviates from its mean by nothing, which PyTorch allows unless the whole batch has one value a group."""
        self.put("gn", {"kind": "group_norm", "num_groups": 3, "num_channels": 3})
        self.assertEqual(self.trained("gn", self.x, lengths=[3, 1])[1, :, 0].tolist(), [0] * 3)
        self.put("one", {"kind": "group_norm", "num_groups": 3, "num_channels": 3})
        self.refused("too_few_values", 422, "one", "train", tensor(self.x, lengths=[0, 1]))

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
        train = lambda mask, **more: self.ask("POST", self.path("bn", "train") + "?mask=" + mask, tensor(self.x), key,
                                              **more)
        first = train("1,1,1,0,1,0,0,0")
        self.assertEqual(train("1,1,1,0,1,0,0,0").raw, first.raw)
        self.assertEqual(train("1,1,1,0,1,1,0,0", status=422).code, "idempotency_mismatch")
        self.assertEqual(self.ask("POST", self.path("bn", "train"), tensor(self.x), key, 422).code,
                         "idempotency_mismatch")


if __name__ == "__main__":
    unittest.main()
