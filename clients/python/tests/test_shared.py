# SPDX-License-Identifier: MIT
"""SharedScaler: the exact pool of many workers, whatever fails in between."""

import copy
import os
import pickle
import unittest

import numpy

import normd
import normd.shared
from normd.errors import SourceWentBack
from support import Sync, WithDaemon, run_example


class SharedScalerTest(WithDaemon, Sync, unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.random = numpy.random.default_rng(7)

    def scaler(self, **options):
        return normd.shared.SharedScaler(self.layer, 3, refresh_s=0, **options)

    def data(self, rows):
        return self.random.normal([0, 1e6, -5], [1, 3, 1e-3], (rows, 3))

    def assert_pool_of(self, data):
        found = self.layer.statistics()
        self.assertEqual(found.count, len(data))
        numpy.testing.assert_allclose(found.running_mean, data.mean(axis=0), rtol=1e-13, atol=1e-13)
        numpy.testing.assert_allclose(found.running_var, data.var(axis=0), rtol=1e-9)

    def test_the_pool_is_exact_however_often_workers_push(self):
        workers = [self.scaler(worker=f"w{i}") for i in range(4)]
        seen = []
        for step in range(12):
            batch = self.data(step % 5 + 1)
            seen.append(batch)
            workers[step % 4].partial_fit(batch)
            if step % 3 == 0:
                workers[step % 4].push()
                workers[step % 4].push()
        for worker in workers:
            worker.push()
            self.layer.put_source(worker.source, worker.totals.count, worker.totals.mean, worker.totals.var)
        everything = numpy.concatenate(seen)
        self.assert_pool_of(everything)
        batch = self.data(5)
        scaled = workers[0].transform(batch)
        expected = (batch - everything.mean(axis=0)) / numpy.sqrt(everything.var(axis=0) + 1e-8)
        numpy.testing.assert_allclose(scaled, expected, rtol=1e-6, atol=1e-6)
        numpy.testing.assert_allclose(scaled, self.layer.infer(batch).output, rtol=1e-12, atol=1e-12)
        numpy.testing.assert_allclose(workers[0].inverse_transform(scaled), batch, rtol=1e-12, atol=1e-12)

    def test_what_cannot_be_pooled_does_not_spoil_the_totals(self):
        worker = self.scaler().partial_fit([[1e200, 2, 3]])
        wrong = ([[-1e200, 2, 3]], [[1, 2, numpy.nan]], numpy.ones((2, 3), complex), [["1", "2", "x"]],
                 numpy.array([["2026-01-01"] * 3], "M8[D]"))
        for X in wrong:
            with self.subTest(X=X), self.assertRaises(ValueError):
                worker.partial_fit(X)
        for dtype in (object, numpy.longdouble):
            worker.partial_fit(numpy.array([[1e200, True, 5]], dtype))
        worker.push()
        self.assertEqual(self.layer.source(worker.source).count, 3)

    def test_other_numbers_of_features_are_refused(self):
        worker = self.scaler().partial_fit(self.data(4))
        worker.push()
        for call in (worker.partial_fit, worker.transform, worker.inverse_transform):
            for shape in ((4, 1), (3, 4), ()):
                with self.assertRaisesRegex(ValueError, "features|samples, 3"):
                    call(numpy.ones(shape))

    def test_a_push_whose_answer_is_lost_is_harmless_to_repeat(self):
        worker = self.scaler().partial_fit(self.data(4))
        before = worker._pushed
        worker.push()
        worker._pushed = before  # as after a failure that came after the daemon had carried it out
        worker.push()
        self.assertEqual(self.layer.statistics().count, 4)

    def test_a_worker_goes_on_while_the_daemon_is_away(self):
        worker = self.scaler(worker="robot")
        data = self.data(6)
        worker.partial_fit(data[:2]).push()
        worker.layer = normd.Client("http://127.0.0.1:9", timeout_s=0.2).model("m").layer("obs")
        worker.partial_fit(data[2:4])
        self.assertRaises(normd.NoAnswer, worker.push)
        worker.partial_fit(data[4:])
        worker.layer = self.layer
        worker.push()
        self.assert_pool_of(data)

    def test_a_restarted_worker_takes_a_new_name(self):
        data = self.data(9)
        first = self.scaler(worker="robot").partial_fit(data[:6])
        first.push()
        second = self.scaler(worker="robot").partial_fit(data[6:])
        second.push()
        self.assertTrue(first.source.startswith("robot.") and second.source.startswith("robot."))
        self.assert_pool_of(data)
        with self.assertRaises(SourceWentBack):  # what would happen under the old name
            self.layer.put_source(first.source, 3, data[6:].mean(axis=0), data[6:].var(axis=0))

    def test_copies_and_forks_begin_with_nothing(self):
        worker = self.scaler(worker="robot").partial_fit(self.data(5))
        for other in (pickle.loads(pickle.dumps(worker)), copy.deepcopy(worker)):
            self.assertEqual(other.totals.count, 0)
            self.assertNotEqual(other.source, worker.source)
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if worker.partial_fit(self.data(1)).totals.count == 1 else 1)
            finally:
                os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(worker.totals.count, 5)

    def test_bad_data_is_refused_and_adds_nothing(self):
        worker = self.scaler().partial_fit(self.data(2))
        bad = self.data(3)
        bad[1, 2] = numpy.nan
        with self.assertRaisesRegex(ValueError, "NaN or an infinity.*feature 2"):
            worker.partial_fit(bad)
        with self.assertRaisesRegex(ValueError, r"shape \(samples, 3\)"):
            worker.partial_fit(self.data(3)[:, :2])
        self.assertEqual(worker.partial_fit(self.data(0)).totals.count, 2)

    def test_nothing_pushed_is_an_error_and_the_pool_is_read_at_intervals(self):
        worker = normd.shared.SharedScaler(self.layer, 3, refresh_s=3600)
        with self.assertRaisesRegex(ValueError, "no worker has pushed"):
            worker.transform(self.data(1))
        with worker:
            worker.partial_fit(self.data(4))
        self.assertEqual(self.layer.statistics().count, 4)
        self.assertEqual(worker.pool.count, 0)
        self.assertEqual(worker.refresh().count, 4)
        self.assertEqual(worker.pool.count, 4)

    def test_constant_features_are_not_scaled_with_min_std(self):
        worker = self.scaler(min_std=1e-6).partial_fit(numpy.full((7, 3), 0.1))
        worker.push()
        numpy.testing.assert_array_equal(worker.transform([[0.1, 0.2, 1.1]]), [[0, 0.1, 1.0]])
        numpy.testing.assert_array_equal(self.layer.infer(numpy.array([[0.1, 0.2, 1.1]])).output, [[0, 0.1, 1.0]])

    def test_the_example(self):
        observations = self.random.normal(3, 2, (30, 17))
        found = run_example(self, normd.shared, observations=observations)
        expected = (observations - observations.mean(axis=0)) / numpy.sqrt(observations.var(axis=0) + 1e-8)
        numpy.testing.assert_allclose(found["y"], expected, rtol=1e-9)


if __name__ == "__main__":
    unittest.main()
