# SPDX-License-Identifier: MIT
"""Every call of a layer, by either client against a daemon; what it computes is compared with NumPy."""

import numpy
from numpy.testing import assert_allclose, assert_array_equal

import normd
from support import EPS, X, WithDaemon, close, normal, same, twice


@twice
class LayerCalls(WithDaemon):
    def test_definition(self):
        made = self.layer.create("batch_norm", num_features=3, averaging="pooled", clip=10.0)
        self.assertEqual((made["averaging"], made["eps"], made["clip"]), ("pooled", EPS, 10))
        self.assertEqual(made, self.layer.create("batch_norm", num_features=3, averaging="pooled", clip=10.0))
        shown = self.layer.definition()
        self.assertFalse(shown.pop("frozen"))
        self.assertEqual({**shown, **made}, {**made, **shown})
        with self.assertRaises(normd.errors.LayerDiffers):
            self.layer.create("batch_norm", num_features=4)
        self.layer.delete()
        with self.assertRaises(normd.errors.NoSuchLayer):
            self.layer.definition()

    def test_none_is_sent_where_it_has_a_meaning(self):
        self.assertEqual(self.layer.create("batch_norm", num_features=3, momentum=None)["averaging"], "cumulative")
        self.assertIsNone(self.model.layer("rms").create("rms_norm", normalized_shape=4, eps=None)["eps"])

    def test_conventions(self):
        keras = self.layer.create("batch_norm", convention="keras", num_features=3)
        self.assertEqual((keras["channel_axis"], keras["momentum"], keras["eps"]), (-1, 0.99, 0.001))

    def test_every_kind(self):
        rows = X.reshape(2, 6)
        deviation = numpy.sqrt(rows.astype("f8").var(1, keepdims=True) + EPS)
        cases = (("layer_norm", {"normalized_shape": (6,)}, rows, (rows - rows.mean(1, keepdims=True)) / deviation),
                 ("rms_norm", {"normalized_shape": [6], "eps": EPS}, rows,
                  rows / numpy.sqrt((rows.astype("f8") ** 2).mean(1, keepdims=True) + EPS)),
                 ("group_norm", {"num_groups": 1, "num_channels": 3}, X[:, :, None], None),
                 ("instance_norm", {"num_features": 2}, X.reshape(1, 2, 6), None))
        for kind, options, x, expected in cases:
            with self.subTest(kind=kind):
                layer = self.model.layer(kind)
                layer.create(kind, **options)
                axes = (2,) if kind == "instance_norm" else (1, 2)
                if expected is None:
                    mean, var = x.astype("f8").mean(axes, keepdims=True), x.astype("f8").var(axes, keepdims=True)
                    expected = (x - mean) / numpy.sqrt(var + EPS)
                close(layer.train(x).output, expected)
                close(layer.infer(x).output, expected)
                close(self.client.normalize({"kind": kind, **options}, x), expected)

    def test_train_and_infer(self):
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        with self.assertRaises(normd.errors.NotTrained):
            self.layer.infer(X)
        trained = self.layer.train(X)
        close(trained.output, normal(X))
        self.assertEqual((trained.num_batches_tracked, trained.seed), (1, None))
        again = self.layer.train(X + 1, output=False)
        self.assertIsNone(again.output)
        self.assertEqual((again.revision, again.num_batches_tracked), (trained.revision + 1, 2))
        seen = numpy.concatenate([X, X + 1]).astype("f8")
        inferred = self.layer.infer(X)
        close(inferred.output, normal(X, seen.mean(0), seen.var(0)))
        self.assertEqual((inferred.revision, inferred.version), (again.revision, "live"))
        assert_allclose(self.layer.infer(inferred.output, inverse=True).output, X, rtol=1e-4)

    def test_an_array_and_a_list_get_the_same_numbers(self):
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        x = X.tolist()
        same(self.layer.train(x).output, self.layer.train(X).output)
        same(self.layer.infer(x).output, self.layer.infer(X).output)
        gradients = [self.layer.backward(of(X), of(X * 2)) for of in (numpy.asarray, numpy.ndarray.tolist)]
        same(gradients[1].input, gradients[0].input)
        for a, b in zip(*((g.weight, g.bias) for g in gradients)):
            assert_allclose(a, b)

    def test_padding(self):
        self.layer.create("batch_norm", num_features=2, averaging="pooled")
        x = numpy.arange(24, dtype="f4").reshape(3, 2, 4) ** 2
        lengths = numpy.array([4, 2, 1])
        mask = numpy.arange(4) < lengths[:, None]
        real = x.transpose(0, 2, 1)[mask].astype("f8")
        y = self.layer.train(x, lengths=lengths).output
        close(y.transpose(0, 2, 1)[mask], normal(real))
        self.assertFalse(y.transpose(0, 2, 1)[~mask].any())
        for options in ({"mask": mask}, {"mask": mask.tolist()}, {"mask": mask.astype(int)}, {"lengths": [4, 2, 1]},
                        {"lengths": list(lengths)}):
            with self.subTest(options):
                assert_array_equal(self.layer.train(x, **options).output, y)
                same(self.layer.train(x.tolist(), **options).output, y)
                self.assertEqual(self.layer.report(x, **options)["count"], 7)
                self.layer.infer(x, **options)
        assert_array_equal(self.layer.backward(x, x, mask=mask).input,
                           self.layer.backward(x, x, lengths=lengths).input)
        self.assertEqual(self.layer.statistics().count, 7 * 11)

    def test_padding_that_does_not_fit_the_head(self):
        self.layer.create("batch_norm", num_features=2, averaging="pooled")
        x = numpy.random.default_rng(1).normal(size=(8, 2, 1000)).astype("f4")
        mask = numpy.random.default_rng(2).integers(0, 2, (8, 1000))
        y = self.layer.train(x, mask=mask).output
        self.assertEqual((y.dtype, y.shape), (x.dtype, x.shape))
        real = x.transpose(0, 2, 1)[mask.astype(bool)].astype("f8")
        close(y.transpose(0, 2, 1)[mask.astype(bool)], normal(real))
        gradients = self.layer.backward(x, x, mask=mask)
        self.assertEqual((gradients.input.shape, gradients.weight.shape), (x.shape, (2,)))
        y = self.client.normalize({"kind": "batch_norm", "affine": False}, x, mask=mask)
        close(y.transpose(0, 2, 1)[mask.astype(bool)], normal(real))

    def test_padding_is_refused_by_the_daemon(self):
        self.layer.create("batch_norm", num_features=2)
        x = numpy.ones((3, 2, 4), "f4")
        for options in ({"lengths": [1.5, 2, 3]}, {"lengths": 3}, {"lengths": [9, 9, 9]}, {"mask": [[1, 0]]},
                        {"lengths": [1, 2, 3], "mask": numpy.ones((3, 4))}):
            with self.subTest(options), self.assertRaises((normd.errors.BadParameter, normd.errors.ShapeMismatch)):
                self.layer.train(x, **options)

    def test_backward(self):
        self.layer.create("batch_norm", num_features=3)
        trained = self.layer.train(X)
        g = numpy.arange(12, dtype="f4").reshape(4, 3)
        found = self.layer.backward(X, g)
        y = normal(X)
        deviation = numpy.sqrt(X.astype("f8").var(0) + EPS)
        assert_allclose(found.input, (g - g.mean(0) - y * (g * y).mean(0)) / deviation, rtol=1e-4, atol=1e-6)
        close(found.weight, (g * y).sum(0))
        close(found.bias, g.sum(0))
        self.assertEqual(found.revision, trained.revision)
        statistics = self.layer.statistics()
        found = self.layer.backward(X, g, mode="infer")
        close(found.input, g / numpy.sqrt(statistics.running_var + EPS))

    def test_layers_without_a_weight_or_a_bias_have_no_gradient_of_it(self):
        plain, rms = self.model.layer("plain"), self.model.layer("rms")
        plain.create("batch_norm", num_features=3, affine=False)
        rms.create("rms_norm", normalized_shape=3)
        for layer, has_weight in ((plain, False), (rms, True)):
            for x in (X, X.tolist()):
                with self.subTest(layer=layer.name, kind=type(x)):
                    found = layer.backward(x, x)
                    self.assertEqual((found.weight is None, found.bias), (not has_weight, None))

    def test_shuffle_and_seed(self):
        self.layer.create("batch_norm", num_features=3, virtual_batch_size=2, shuffle=True)
        first = self.layer.train(X, seed=7)
        self.assertEqual(first.seed, 7)
        same(self.layer.train(X.tolist(), seed=7).output, first.output)
        self.assertEqual(self.layer.backward(X, X, seed=7).input.shape, X.shape)

    def test_keys(self):
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        first = self.layer.train(X, key="step 1")
        again = self.layer.train(X, key="step 1")
        self.assertEqual((again.revision, again.num_batches_tracked), (first.revision, 1))
        assert_array_equal(again.output, first.output)
        with self.assertRaises(normd.errors.IdempotencyMismatch):
            self.layer.train(X + 1, key="step 1")
        self.assertEqual(self.layer.train(X, key=2).num_batches_tracked, 2)
        self.assertEqual(self.layer.merge(5, [1, 2, 3], [1, 1, 1], key="merge 1").num_batches_tracked, 3)
        self.assertEqual(self.layer.merge(5, [1, 2, 3], [1, 1, 1], key="merge 1").num_batches_tracked, 3)
        for key in ("schlüssel", "two\nlines", "", "x" * 300, 'a "quoted" one', "a\\b"):
            with self.subTest(key=key), self.assertRaisesRegex(ValueError, "not an idempotency key"):
                self.layer.train(X, key=key)
        self.assertEqual(self.layer.statistics().num_batches_tracked, 3)

    def test_sync(self):
        self.layer.create("batch_norm", num_features=3)
        sync = {"step": "1", "rank": 0, "world_size": 1}
        close(self.layer.train(X, sync=sync).output, normal(X))
        self.assertEqual(self.layer.backward(X, X, sync={**sync, "step": 2}).input.shape, X.shape)
        with self.assertRaisesRegex(ValueError, "takes no key"):
            self.layer.train(X, sync=sync, key="k")
        with self.assertRaises(normd.errors.SyncIncomplete):
            self.layer.train(X, sync={"step": "3", "rank": 0, "world_size": 2, "timeout_ms": 1})

    def test_statistics(self):
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        self.layer.train(X)
        found = self.layer.statistics()
        close(found.running_mean, X.mean(0))
        assert_allclose(found.running_var, X.astype("f8").var(0), rtol=1e-12)
        self.assertEqual((found.running_mean.dtype, found.num_batches_tracked, found.count), (numpy.float64, 1, 4))
        self.assertRegex(found.digest, "sha256:[0-9a-f]{64}")
        self.assertEqual(self.layer.infer(X, expect=found.digest).revision, found.revision)
        put = self.layer.put_statistics(X[0], X[1].tolist(), 5, count=7, if_match=found.revision)
        self.assertEqual((put.num_batches_tracked, put.count, put.revision), (5, 7, found.revision + 1))
        assert_array_equal(put.running_mean, X[0])
        assert_array_equal(self.layer.statistics().running_var, X[1])
        with self.assertRaises(normd.errors.StateMismatch):
            self.layer.infer(X, expect=found.digest)
        with self.assertRaises(normd.errors.RevisionMismatch):
            self.layer.reset_statistics(if_match=found.revision)
        reset = self.layer.reset_statistics(if_match=put.revision)
        assert_array_equal([reset.running_mean, reset.running_var], [[0] * 3, [1] * 3])

    def test_merge(self):
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        self.layer.train(X)
        merged = self.layer.merge(len(X), (X + 1).mean(0), X.astype("f8").var(0))
        self.assertEqual(merged.num_batches_tracked, 2)
        seen = numpy.concatenate([X, X + 1]).astype("f8")
        assert_allclose(self.layer.statistics().running_var, seen.var(0), rtol=1e-6)
        with self.assertRaises(normd.errors.ApiError):
            self.layer.merge(2.5, [1, 2, 3], [1, 1, 1])

    def test_frozen(self):
        self.layer.create("batch_norm", num_features=3)
        self.layer.train(X)
        self.assertFalse(self.layer.frozen())
        revision = self.layer.freeze()
        self.assertTrue(self.layer.frozen())
        with self.assertRaises(normd.errors.Frozen):
            self.layer.merge(3, [0, 0, 0], [1, 1, 1])
        self.assertEqual(self.layer.train(X).num_batches_tracked, 1)
        self.assertEqual(self.layer.thaw(if_match=revision), revision + 1)
        self.assertEqual(self.model.freeze(), {"frozen": True, "layers": 1})
        self.assertTrue(self.layer.frozen())
        self.assertEqual(self.model.thaw(), {"frozen": False, "layers": 1})

    def test_parameters(self):
        self.layer.create("batch_norm", num_features=3)
        self.layer.put_statistics([1, 2, 3], [4, 5, 6], 1)
        put = self.layer.put_parameters(weight=numpy.array([2, 3, 4], "f4"), bias=[0.5, 0, -0.5])
        assert_array_equal([put.weight, put.bias], [[2, 3, 4], [0.5, 0, -0.5]])
        self.layer.put_parameters(bias=[1, 1, 1])
        found = self.layer.parameters()
        assert_array_equal([found.weight, found.bias], [[1, 1, 1], [1, 1, 1]])
        folded = self.layer.affine()
        assert_allclose(folded.scale, found.weight / numpy.sqrt(numpy.array([4, 5, 6]) + EPS))
        close(self.layer.infer(X).output, X * folded.scale + folded.shift)
        plain = self.model.layer("plain")
        plain.create("batch_norm", num_features=3, affine=False)
        self.assertEqual(plain.parameters(), normd.types.Parameters(None, None))

    def test_sources(self):
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        for name in ("a", "b"):
            self.layer.train(X, source=name)
        put = self.layer.put_source("robot-7", 10, X[0], [1, 2, 3])
        self.layer.put_source("robot-7", 10, X[0], [1, 2, 3])
        found = self.layer.source("robot-7")
        self.assertEqual((found.source, found.count), ("robot-7", 10))
        assert_array_equal([found.mean, found.var], [X[0], [1, 2, 3]])
        self.assertEqual([(source["source"], source["count"]) for source in self.layer.sources()],
                         [("a", 4), ("b", 4), ("robot-7", 10)])
        with self.assertRaises(normd.errors.SourceWentBack):
            self.layer.put_source("robot-7", 9, X[0], [1, 2, 3])
        self.layer.delete_source("robot-7")
        with self.assertRaises(normd.errors.NoSuchSource):
            self.layer.delete_source("robot-7")
        self.assertGreater(self.layer.compact_sources(["a", "b"], key="fold").revision, put.revision)
        self.assertEqual(list(self.layer.sources()), [])
        self.assertEqual(self.layer.statistics().count, 8)

    def test_drift_and_report(self):
        self.layer.create("batch_norm", num_features=3)
        self.layer.put_statistics(X.mean(0), X.var(0), 1)
        self.layer.infer(X + numpy.float32(1000))
        drift = self.layer.drift(min_count=4, top=2, possible=0.1, drift=0.25)
        self.assertEqual((drift["verdict"], drift["count"], len(drift["features"])), ("drift", 4, 2))
        self.assertEqual(self.layer.drift()["verdict"], "too_few")
        self.layer.reset_drift()
        self.assertEqual(self.layer.drift()["count"], 0)
        report = self.layer.report(numpy.concatenate([X, [[numpy.nan, 1, 1]]]), min_count=2)
        self.assertEqual((report["nan"], report["not_finite"], len(report["features"])), (1, [0], 3))
        self.assertEqual(self.layer.report(X.tolist(), top=1, min_count=2)["verdict"], "none")

    def test_history(self):
        self.layer.create("batch_norm", num_features=3)
        self.layer.train(X)
        self.layer.train(X)
        entries = list(self.layer.history())
        self.assertEqual([entry["num_batches_tracked"] for entry in entries][:1], [2])
        self.assertEqual(set(entries[0]["mean"]), {"min", "median", "max"})
