# SPDX-License-Identifier: MIT
"""Decayed averaging: pooled, but older values lose half of their weight with every `half_life` newer ones."""

import math
import unittest

import numpy

import npy
from normd import DaemonTest, at_once, undigested

RANDOM = numpy.random.default_rng(8)


def weighed(batches, half_life):
    """Count, means and M2 of (n, features) batches, each value by its own weight: 2^(-later / half_life), where
    `later` is how many values came in later batches."""
    later = numpy.cumsum([0] + [len(batch) for batch in batches[:0:-1]])[::-1]
    weights = numpy.concatenate([numpy.full(len(batch), 2.0 ** (-n / half_life)) for batch, n in zip(batches, later)])
    values = numpy.concatenate(batches)
    count = math.fsum(weights)
    mean = numpy.array([math.fsum(column) for column in (values * weights[:, None]).T]) / count
    m2 = numpy.array([math.fsum(column) for column in ((values - mean) ** 2 * weights[:, None]).T])
    return count, mean, m2


class DecayedTest(DaemonTest):
    def put(self, layer="bn", half_life=5, **fields):
        return self.put_layer(layer, {"kind": "batch_norm", "averaging": "decayed", "half_life": half_life,
                                      "datatype": "FP64", **fields})

    def train(self, x, layer="bn", query="", **members):
        return self.call("POST", self.path(layer, "train" + query), {"data": numpy.asarray(x).tolist(), **members})

    def statistics(self, layer="bn"):
        return self.call("GET", self.path(layer, "statistics")).json

    def assertStatistics(self, layer, count, mean, var, rtol=1e-13):
        got = self.statistics(layer)
        self.assertClose([got["count"]], [count], rtol)
        self.assertClose(got["running_mean"]["data"], list(mean), rtol)
        self.assertClose(got["running_var"]["data"], list(var), rtol)


class Train(DecayedTest):
    def test_count_and_m2_are_halved_by_half_life_values(self):
        """In numbers that are exact. n is the number of the new batch's values, not of batches."""
        self.put(half_life=4)
        self.train([[0], [4]])  # mean 2, M2 8
        self.assertStatistics("bn", 2, [2], [4], 0)
        self.train([[6]] * 4)  # of the older: count 1, M2 4; the means differ by 4: M2 is 4 + 16 * 1 * 4 / 5
        self.assertStatistics("bn", 5, [2 + 4 * 4 / 5], [(4 + 16 * 4 / 5) / 5], 1e-15)
        self.train([[5.2]] * 8)  # a quarter is left, around the same mean
        self.assertStatistics("bn", 5 / 4 + 8, [5.2], [16.8 / 4 / (5 / 4 + 8)], 1e-14)

    def test_every_value_by_its_own_weight(self):
        """After each batch; in JSON and as .npy files, which give the same bits."""
        for i, (half_life, ddof) in enumerate(((1, 0), (7.5, 0), (7.5, 1), (40, 1), (1e6, 0))):
            json_layer, npy_layer = f"json{i}", f"npy{i}"
            for layer in (json_layer, npy_layer):
                self.put(layer, half_life, unbiased_running_var=bool(ddof))
            batches = []
            for n in (4, 2, 9, 30, 2, 5):
                batches.append(RANDOM.normal([3, -1e3, 0], [1, 2, 1e-6], (n, 3)))
                self.train(batches[-1], json_layer)
                self.call("POST", self.path(npy_layer, "train"), npy.save(batches[-1]),
                          {"Content-Type": npy.TYPE, "Accept": npy.TYPE})
                count, mean, m2 = weighed(batches, half_life)
                self.assertStatistics(json_layer, count, mean, m2 / (count - ddof), 1e-11)
            self.assertEqual(self.statistics(json_layer), self.statistics(npy_layer))

    def test_the_batch_is_normalized_by_its_own_moments(self):
        self.put("decayed")
        self.put_layer("pooled", {"kind": "batch_norm", "averaging": "pooled", "datatype": "FP64"})
        for _ in range(2):
            x = RANDOM.normal(size=(6, 2))
            self.assertEqual(self.train(x, "decayed").json, self.train(x, "pooled").json)

    def test_inference(self):
        self.put()
        batches = [RANDOM.normal(3, 2, (n, 2)) for n in (4, 6)]
        for batch in batches:
            self.train(batch)
        count, mean, m2 = weighed(batches, 5)
        x = RANDOM.normal(size=(3, 2))
        got = self.call("POST", self.path("bn", "infer"), {"data": x.tolist()}).json["data"]
        expected = (x - mean) / numpy.sqrt(m2 / count + 1e-5)
        self.assertLess(numpy.abs(numpy.array(got) - expected).max(), 1e-12)

    def test_positions_are_values_and_padding_is_none(self):
        self.put("positions", 6)
        self.put("padded", 6)
        self.put("rows", 6)
        for lengths in ([3, 3], [1, 2]):
            x = RANDOM.normal(size=(2, 2, 3))  # samples, channels, positions
            rows = numpy.concatenate([sample[:, :n].T for sample, n in zip(x, lengths)])
            self.train(rows, "rows")
            for sample, n in zip(x, lengths):
                sample[:, n:] = 1e9
            self.train(x, "padded", lengths=lengths)
            if lengths == [3, 3]:
                self.train(x, "positions")
                self.assertStatistics("positions", *[self.statistics("rows")[name] for name in ("count",)],
                                      self.statistics("rows")["running_mean"]["data"],
                                      self.statistics("rows")["running_var"]["data"])
        got, expected = self.statistics("padded"), self.statistics("rows")
        self.assertEqual(got["count"], expected["count"])
        self.assertClose(got["running_var"]["data"], expected["running_var"]["data"], 1e-13)

    def test_ghost_batches_are_updates_of_their_own(self):
        self.put("ghosts", virtual_batch_size=4)
        self.put("alone")
        x = RANDOM.normal(size=(12, 2))
        self.train(x, "ghosts")
        for piece in numpy.split(x, 3):
            self.train(piece, "alone")
        ghosts, alone = self.statistics("ghosts"), self.statistics("alone")
        self.assertEqual((ghosts.pop("revision"), alone.pop("revision")), (1, 3))
        self.assertEqual(undigested(ghosts), undigested(alone))

    def test_a_synchronized_step_is_one_batch(self):
        self.put("together")
        self.put("alone")
        x = RANDOM.normal(size=(10, 2))
        for step in range(2):
            self.train(x + step, "alone")
            at_once([lambda r=rank: self.train(x[r * 4:][:4 + 2 * r] + step, "together",
                                               sync={"step": str(step), "rank": r, "world_size": 2})
                     for rank in range(2)])
        got, expected = self.statistics("together"), self.statistics("alone")
        self.assertEqual((got["count"], got["num_batches_tracked"]), (expected["count"], 2))
        self.assertClose(got["running_mean"]["data"], expected["running_mean"]["data"], 1e-13)
        self.assertClose(got["running_var"]["data"], expected["running_var"]["data"], 1e-13)

    def test_a_batch_that_is_refused_forgets_nothing(self):
        self.put()
        self.train([[1, 2], [3, 4]])
        before = self.statistics()
        path = self.path("bn", "train")
        self.refused("bad_json", 400, "POST", path, '{"data":[[1,NaN],[3,4]]}')
        self.refused("non_finite_input", 422, "POST", path, {"data": [[1e200, 1], [-1e200, 2]]})
        self.refused("shape_mismatch", 422, "POST", path, {"data": [[1], [2]]})
        self.call("POST", path, {"shape": [0, 2], "data": []})
        self.assertEqual(self.statistics(), before)


class Online(DecayedTest):
    """One observation at a time, normalized by the statistics that it has led to."""

    def test_sensors(self):
        for form in ("json", "npy"):
            self.put(form, 6, normalize_by="running", affine=False)
            x = numpy.concatenate([RANDOM.normal(0, 1, (20, 2)), RANDOM.normal([50, -3], 2, (20, 2))])
            for i, row in enumerate(x):
                if form == "json":
                    y = numpy.array(self.train([row], form).json["data"])
                else:
                    y = npy.load(self.call("POST", self.path(form, "train"), npy.save(row[None]),
                                           {"Content-Type": npy.TYPE, "Accept": npy.TYPE}).raw)
                count, mean, m2 = weighed([each[None] for each in x[:i + 1]], 6)
                expected = (row - mean) / numpy.sqrt(m2 / count + 1e-5)
                self.assertLess(numpy.abs(y - expected).max(), 1e-9)
            self.assertStatistics(form, count, mean, m2 / count, 1e-10)
            self.assertLess(abs(mean[0] - 50), 6, "the old level is nearly forgotten")

    def test_update_only_takes_one_value(self):
        self.put()
        for i, x in enumerate(([[3.0]], [[5.0]])):
            self.assertEqual(self.train(x, query="?output=false").json, {"num_batches_tracked": i + 1,
                                                                         "revision": i + 1})
        count, mean, m2 = weighed([numpy.array([[3.0]]), numpy.array([[5.0]])], 5)
        self.assertStatistics("bn", count, mean, m2 / count)
        self.refused("too_few_values", 422, "POST", self.path("bn", "train"), {"data": [[1]]})

    def test_once_without_a_layer(self):
        definition = {"kind": "batch_norm", "averaging": "decayed", "half_life": 5, "normalize_by": "running",
                      "datatype": "FP64", "data": [[1], [2], [6]]}
        self.put(normalize_by="running")
        self.assertEqual(self.call("POST", "/v1/normalize", definition).json["data"],
                         self.train([[1], [2], [6]]).json["data"])

    def test_sources_need_pooled_averaging(self):
        self.put()
        self.train([[1], [2]])
        before = self.statistics()
        totals = {"count": 4, "mean": [1], "var": [2]}
        for call in (("PUT", self.path("bn", "statistics", "sources", "w"), totals),
                     ("POST", self.path("bn", "train") + "?source=w", {"data": [[1], [2]]}),
                     ("POST", self.path("bn", "statistics", "sources", "compact"), {"sources": ["w"]})):
            answer = self.refused("bad_parameter", 400, *call)
            self.assertIn("decayed averaging", answer.json["detail"])
        self.assertEqual(self.statistics(), before)


class HalfLives(DecayedTest):
    def test_what_is_no_half_life(self):
        """Nothing is created, not even the model."""
        for value, code in (("0", "bad_parameter"), ("-0.0", "bad_parameter"), ("-3", "bad_parameter"),
                            ("1e-31", "bad_parameter"), ("1e31", "bad_parameter"), ("1e999", "bad_parameter"),
                            ("1e-999", "bad_parameter"), ('"5"', "bad_parameter"), ("true", "bad_parameter"),
                            ("[5]", "bad_parameter"), ("null", "bad_parameter"), ("NaN", "bad_json"),
                            ("Infinity", "bad_json"), ("-Infinity", "bad_json")):
            body = '{"kind":"batch_norm","averaging":"decayed","half_life":%s}' % value
            answer = self.refused(code, 400, "PUT", self.path(), body)
            if code == "bad_parameter":
                self.assertIn('"half_life"', answer.json["detail"])
            self.refused(code, 400, "POST", "/v1/normalize", body[:-1] + ',"data":[[1],[2]]}')
        self.refused("bad_parameter", 400, "PUT", self.path(), {"kind": "batch_norm", "averaging": "decayed"})
        self.refused("no_such_model", 404, "GET", self.path())

    def test_a_very_long_one_is_pooled(self):
        """Bit for bit."""
        self.put("decayed", 1e30)
        self.put_layer("pooled", {"kind": "batch_norm", "averaging": "pooled", "datatype": "FP64"})
        for n in (3, 2, 17):
            x = RANDOM.normal(5, 3, (n, 2))
            self.train(x, "decayed")
            self.train(x, "pooled")
        self.assertEqual(undigested(self.statistics("decayed")), undigested(self.statistics("pooled")))
        self.assertEqual(self.statistics("decayed")["count"], 22)

    def test_a_very_short_one_leaves_the_last_batch(self):
        for i, half_life in enumerate((1e-30, 1e-3, 0.002, 0.0019)):
            self.put(f"many{i}", half_life, unbiased_running_var=True)
            self.put(f"last{i}", half_life, unbiased_running_var=True)
            for n in (8, 3, 2):
                x = RANDOM.normal(5, 3, (n, 2))
                self.train(x, f"many{i}")
            self.train(x, f"last{i}")
            many, last = self.statistics(f"many{i}"), self.statistics(f"last{i}")
            for name in ("count", "running_mean", "running_var"):
                self.assertEqual(many[name], last[name])

    def test_later_values_may_be_cut_as_they_like(self):
        """What the first batch weighs: its mean is 1, that of all others 0."""
        for i, cut in enumerate(([40], [2] * 20, [3, 30, 7], [38, 2])):
            self.put(f"bn{i}", 10)
            self.train([[1]] * 6, f"bn{i}")
            for n in cut:
                self.train([[0]] * n, f"bn{i}")
            s = self.statistics(f"bn{i}")
            self.assertClose([s["running_mean"]["data"][0] * s["count"]], [6 / 16], 1e-13)


class Merge(DecayedTest):
    def merge(self, layer, count, mean, var, **kwargs):
        return self.call("POST", self.path(layer, "statistics", "merge"), {"count": count, "mean": mean, "var": var},
                         **kwargs)

    def test_moments_are_a_batch(self):
        self.put("merged")
        self.put("trained")
        for n in (4, 7):
            x = RANDOM.integers(-8, 8, (n, 2)).astype(float)
            self.train(x, "trained")
            self.merge("merged", n, x.mean(0).tolist(), x.var(0).tolist())
        got, expected = self.statistics("merged"), self.statistics("trained")
        self.assertEqual((got["count"], got["num_batches_tracked"]), (expected["count"], 2))
        self.assertClose(got["running_mean"]["data"], expected["running_mean"]["data"], 1e-14)
        self.assertClose(got["running_var"]["data"], expected["running_var"]["data"], 1e-13)
        before = self.statistics("merged")
        self.merge("merged", 0, [1, 1], [0, 0])
        self.assertEqual(self.statistics("merged"), before)

    def test_one_value(self):
        for ddof in (0, 1):
            layer = f"ddof{ddof}"
            self.put(layer, 1, unbiased_running_var=bool(ddof))
            batches = []
            for i, x in enumerate(([3.0, 1.0], [5.0, 1.0], [-2.0, 1.0])):
                batches.append(numpy.array([x]))
                self.merge(layer, 1, x, [0, 0])
                count, mean, m2 = weighed(batches, 1)
                self.assertStatistics(layer, count, mean, m2 / (count - ddof) if i else [0, 0], 1e-14)

    def test_the_count_ends_below_2_to_the_63(self):
        self.put()
        self.refused("bad_parameter", 400, "POST", self.path("bn", "statistics", "merge"),
                     {"count": 9223372036854775807, "mean": [1], "var": [1]})
        self.assertEqual(self.statistics()["count"], 0)
        self.merge("bn", 2 ** 63 - 1024, [1], [1])
        self.assertEqual(float(self.statistics()["count"]), 2.0 ** 63 - 1024)
        again = {"running_mean": [1], "running_var": [1], "count": self.statistics()["count"]}
        self.call("PUT", self.path("bn", "statistics"), again)


class Statistics(DecayedTest):
    def import_(self, body, layer="bn", **kwargs):
        return self.call("PUT", self.path(layer, "statistics"), body, **kwargs)

    def test_what_get_shows_can_be_put(self):
        """With the same bits, so that both layers go on alike."""
        for layer in ("from", "to"):
            self.put(layer, 3.3)
        for n in (3, 2, 11):
            self.train(RANDOM.normal(1e3, 0.1, (n, 2)), "from")
        shown = self.call("GET", self.path("from", "statistics"))
        count = shown.json["count"]
        self.assertIsInstance(count, float)
        self.assertNotEqual(count, round(count))
        put = self.import_(shown.body, "to").json
        self.assertEqual({**put, "revision": 0}, {**undigested(shown.json), "revision": 0})
        more = RANDOM.normal(size=(4, 2))
        for layer in ("from", "to"):
            self.train(more, layer)
        self.assertEqual({**self.statistics("to"), "revision": 0}, {**self.statistics("from"), "revision": 0})

    def test_counts(self):
        self.put()
        for count in (3, 2.5, 1e-300, 5e-324, 0.1, 1e18, 2 ** 63 - 1024, 1e0):
            put = self.import_({"running_mean": [7], "running_var": [2], "count": count}).json
            self.assertEqual((float(put["count"]), float(self.statistics()["count"])), (count, count))
        self.import_({"running_mean": [0], "running_var": [1], "count": 0})
        self.import_('{"running_mean":[0],"running_var":[1],"count":-0.0}')
        self.assertIn('"count":0,', self.call("GET", self.path("bn", "statistics")).body)

    def test_an_import_weighs_by_its_count(self):
        self.put(half_life=2)
        self.import_({"running_mean": [10], "running_var": [4], "count": 6.5, "num_batches_tracked": 3})
        self.train([[2], [2]])  # 3.25 are left, M2 13
        self.assertStatistics("bn", 5.25, [2 + 8 * 3.25 / 5.25], [(13 + 64 * 3.25 * 2 / 5.25) / 5.25], 1e-14)

    def test_what_is_no_count(self):
        self.put()
        self.train([[1], [2], [4]])
        before = self.statistics()
        path, body = self.path("bn", "statistics"), '{"running_mean":[7],"running_var":[2],"num_batches_tracked":1%s}'
        answer = self.refused("bad_parameter", 400, "PUT", path, body % "")
        self.assertIn('the statistics of a decayed layer need a "count"', answer.json["detail"])
        self.refused("bad_parameter", 400, "PUT", path, body % ',"count":null')
        for count in ("-1", "-1e-300", "9223372036854775808", "9223372036854775807", "9.3e18", "1e400", '"5"', "true",
                      "[5]", "{}"):
            answer = self.refused("bad_parameter", 400, "PUT", path, body % f',"count":{count}')
            self.assertIn('"count" must be a number that is at least 0 and below 2^63; it is', answer.json["detail"])
        for count in ("0", "0.0", "1e-400"):
            answer = self.refused("bad_parameter", 400, "PUT", path, body % f',"count":{count}')
            self.assertIn('"count" is 0, so the next batch would replace', answer.json["detail"])
        for count in ("NaN", "Infinity", "-Infinity"):
            self.refused("bad_json", 400, "PUT", path, body % f',"count":{count}')
        self.assertEqual(self.statistics(), before)

    def test_counts_of_other_averagings(self):
        """Those of pooled statistics are whole; the others have none, and PUT ignores it."""
        for averaging in ("pooled", "exponential", "cumulative"):
            self.put_layer(averaging, {"kind": "batch_norm", "averaging": averaging})
        body = {"running_mean": [7], "running_var": [2]}
        answer = self.refused("bad_parameter", 400, "PUT", self.path("pooled", "statistics"), {**body, "count": 2.5})
        self.assertIn("whole number", answer.json["detail"])
        self.refused("bad_parameter", 400, "PUT", self.path("pooled", "statistics"), {**body, "count": 2 ** 63})
        self.assertEqual(self.import_({**body, "count": 2 ** 63 - 1}, "pooled").json["count"], 2 ** 63 - 1)
        for averaging in ("exponential", "cumulative"):
            self.assertNotIn("count", self.import_({**body, "count": 2.5}, averaging).json)

    def test_reset(self):
        self.put()
        self.put("new")
        self.train([[1], [2]])
        self.train([[1], [4]])
        self.assertEqual(self.call("DELETE", self.path("bn", "statistics")).json["count"], 0)
        self.assertEqual(self.statistics()["count"], 0)
        for layer in ("bn", "new"):
            self.train([[3], [4], [9]], layer)
        got, expected = self.statistics(), self.statistics("new")
        self.assertEqual({**got, "revision": 1}, expected)

    def test_it_survives_a_kill_and_a_restart(self):
        for layer in ("killed", "not"):
            self.put(layer, 3.3)
        batches = [RANDOM.normal(size=(n, 2)) for n in (3, 2, 11, 4)]
        for i, batch in enumerate(batches):
            for layer in ("killed", "not"):
                self.train(batch, layer)
            before = self.statistics("killed")
            (self.daemon.stop if i == 2 else self.daemon.kill)()
            self.daemon.start()
            self.assertEqual(self.statistics("killed"), before)
        count, mean, m2 = weighed(batches, 3.3)
        self.assertStatistics("killed", count, mean, m2 / count, 1e-12)


if __name__ == "__main__":
    unittest.main()
