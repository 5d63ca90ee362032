# SPDX-License-Identifier: MIT
"""normd.sklearn.StandardScaler beside scikit-learn's own. Skipped where scikit-learn is not installed."""

import subprocess
import sys
import unittest
import warnings

import numpy

import normd
import normd.sklearn
from normd.errors import LayerDiffers, NonFiniteInput
from support import Sync, WithDaemon, run_example

try:
    import sklearn.base
    import sklearn.linear_model
    import sklearn.pipeline
    import sklearn.preprocessing
except ImportError:
    sklearn = None

EPSILON = numpy.finfo(numpy.float64).eps


def kinds_of_data(random):
    yield "random", random.normal([0, 5, -1e3, 1e6], [1, 1e-3, 20, 5], (50, 4))
    yield "wide", random.normal(0, 1, (9, 4)) * [1e-12, 1e-3, 1e10, 1e20]
    yield "constant", numpy.full((1000, 4), [0.1, 0, 1e9 + 0.1, -7.7])
    yield "single row", random.normal(3, 1, (1, 4))
    yield "one constant", numpy.hstack([random.normal(0, 1, (20, 3)), numpy.full((20, 1), 0.3)])
    yield "float32", random.normal(10, 2, (40, 4)).astype(numpy.float32)
    yield "whole numbers", random.integers(-5, 5, (30, 4))
    yield "list", random.normal(0, 1, (6, 4)).tolist()


def near(found, expected, relative, absolute):
    if expected is None:
        assert found is None, found
    else:
        gap = numpy.abs(found - expected)
        assert (gap <= relative * numpy.abs(expected) + absolute).all(), (found, expected)


class Scalers(WithDaemon, Sync):
    def setUp(self):
        super().setUp()
        self.random = numpy.random.default_rng(11)
        self.made = 0

    def scaler(self, **options):
        self.made += 1
        return normd.sklearn.StandardScaler(self.model.layer(f"scaler{self.made}"), **options)


@unittest.skipIf(sklearn is None, "scikit-learn is not installed")
class LikeScikitLearnTest(Scalers, unittest.TestCase):
    def assert_alike(self, ours, theirs, x):
        self.assertEqual(ours.n_samples_seen_, theirs.n_samples_seen_)
        self.assertEqual(ours.n_features_in_, theirs.n_features_in_)
        scale = 1.0 if theirs.scale_ is None else theirs.scale_
        # What scikit-learn itself rounds: its means, by which normd's are exact for constants, and float32.
        mean = 0.0 if theirs.mean_ is None else 100 * EPSILON * numpy.abs(theirs.mean_)
        single = 1e-6 if getattr(x, "dtype", None) == numpy.float32 else 0.0
        near(ours.mean_, theirs.mean_, 1e-12, mean)
        near(ours.var_, theirs.var_, 1e-11, mean**2)
        near(ours.scale_, theirs.scale_, 1e-11, mean)
        scaled = theirs.transform(x)
        self.assertEqual(ours.transform(x).dtype, scaled.dtype)
        near(ours.transform(x), scaled, 1e-11 + single, (mean + single * numpy.abs(x).max()) / scale + 1e-11)
        near(ours.inverse_transform(scaled), theirs.inverse_transform(scaled), 1e-11 + single, mean + 1e-11 * scale)

    def test_fit_and_partial_fit(self):
        for name, x in kinds_of_data(self.random):
            for options in ({}, {"with_mean": False}, {"with_std": False}, {"with_mean": False, "with_std": False}):
                with self.subTest(name, **options):
                    ours, theirs = self.scaler(**options), sklearn.preprocessing.StandardScaler(**options)
                    self.assert_alike(ours.fit(x), theirs.fit(x), x)
                    more = numpy.concatenate([x, x])[:7]
                    self.assert_alike(ours.partial_fit(more), theirs.partial_fit(more), x)
                    self.assert_alike(ours.fit(x), theirs.fit(x), x)

    def test_one_row_at_a_time(self):
        x = self.random.normal(1e4, 3, (25, 2))
        ours, theirs = self.scaler(), sklearn.preprocessing.StandardScaler()
        for row in x:
            ours.partial_fit([row])
            theirs.partial_fit([row])
        self.assert_alike(ours, theirs, x)

    def test_in_a_pipeline(self):
        x, y = self.random.normal([0, 1e3], [1, 50], (60, 2)), self.random.integers(0, 2, 60)
        classifier = sklearn.linear_model.LogisticRegression()
        pipes = [sklearn.pipeline.make_pipeline(scaler, sklearn.base.clone(classifier))
                 for scaler in (self.scaler(), sklearn.preprocessing.StandardScaler())]
        ours, theirs = (pipe.fit(x, y).decision_function(x) for pipe in pipes)
        numpy.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
        pipes[0].set_params(standardscaler__with_mean=False)
        self.assertFalse(pipes[0].named_steps["standardscaler"].with_mean)

    def test_a_clone_has_the_parameters_and_the_layer(self):
        scaler = self.scaler(with_mean=False).fit([[1.0], [3.0]])
        clone = sklearn.base.clone(scaler)
        self.assertIs(clone.layer._client, self.client)
        self.assertEqual((clone.with_mean, clone.with_std, clone.copy), (False, True, True))
        self.assertEqual(clone.n_samples_seen_, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sklearn.pipeline.make_pipeline(clone, sklearn.base.clone(scaler)).fit([[1.0], [5.0]])


class ScalerTest(Scalers, unittest.TestCase):
    def test_processes_share_it_and_it_outlives_them(self):
        x = self.random.normal(0, 1, (10, 2))
        first = self.scaler().partial_fit(x[:4])
        second = normd.sklearn.StandardScaler(first.layer).partial_fit(x[4:])
        for scaler in (first, second):
            self.assertEqual(scaler.n_samples_seen_, 10)
            numpy.testing.assert_allclose(scaler.mean_, x.mean(axis=0), rtol=1e-12)
            numpy.testing.assert_allclose(scaler.var_, x.var(axis=0), rtol=1e-12)

    def test_not_fitted(self):
        scaler = self.scaler()
        self.assertFalse(hasattr(scaler, "mean_") or hasattr(scaler, "n_samples_seen_"))
        with self.assertRaisesRegex(ValueError, "has seen no data: call fit"):
            scaler.scale_
        scaler.fit([[1.0]]).layer.reset_statistics()
        self.assertRaises(AttributeError, lambda: scaler.var_)
        for unfitted in (scaler, self.scaler()):
            for call in (unfitted.transform, unfitted.inverse_transform):
                self.assertRaises(normd.sklearn.NotFitted, call, [[1.0]])

    def test_bad_input_changes_nothing(self):
        scaler = self.scaler().fit([[1.0, 2.0], [3.0, 5.0]])
        before = scaler.layer.statistics()
        for x, words in (([[1.0, numpy.nan]], "NaN or an infinity.*feature 1"), ([1.0, 2.0], "2 dimensions"),
                         ([[numpy.inf, 0.0]], "feature 0"), (numpy.zeros((0, 2)), "no samples"),
                         ([[1j, 2.0]], "real numbers, and got an array of complex128")):
            for call in (scaler.fit, scaler.partial_fit):
                with self.subTest(words, call=call.__name__), self.assertRaisesRegex(ValueError, words):
                    call(x)
        with self.assertRaisesRegex(ValueError, "real numbers"):
            scaler.transform([[1j, 2.0]])
        with self.assertRaisesRegex(ValueError, "sample weights"):
            scaler.fit([[1.0, 2.0]], sample_weight=[1.0])
        self.assertRaises(LayerDiffers, scaler.partial_fit, [[1.0]])
        self.assertRaises(LayerDiffers, normd.sklearn.StandardScaler(scaler.layer, with_std=False).fit, [[1.0, 2.0]])
        self.assertRaises(NonFiniteInput, scaler.transform, [[numpy.nan, 1.0]])
        self.assertEqual(scaler.layer.statistics().digest, before.digest)
        with self.assertRaisesRegex(ValueError, "no parameter 'mean'"):
            scaler.set_params(mean=1)

    def test_without_copy_it_writes_into_the_array(self):
        x = numpy.array([[1.0], [3.0]])
        scaler = self.scaler(copy=False).fit(x)
        self.assertIs(scaler.transform(x), x)
        numpy.testing.assert_array_equal(x, [[-1], [1]])
        kept = scaler.inverse_transform(x, copy=True)
        numpy.testing.assert_array_equal(x, [[-1], [1]])
        numpy.testing.assert_array_equal(kept, [[1], [3]])

    def test_scikit_learn_is_not_imported(self):
        subprocess.run([sys.executable, "-c", "import sys, normd.sklearn; assert 'sklearn' not in sys.modules"],
                       check=True)

    def test_the_example(self):
        scaler = run_example(self, normd.sklearn)["scaler"]
        numpy.testing.assert_array_equal(scaler.transform([[1.0, 4.0]]), [[0, 1]])


if __name__ == "__main__":
    unittest.main()
