# SPDX-License-Identifier: MIT
"""Shuffling before the ghost batches are cut: seeds given and told, answers in the order of the question."""

import unittest

import numpy

import npy
from kinds import KINDS, KindTest

RANDOM = numpy.random.default_rng(43)


class Shuffling(KindTest):
    def setUp(self):
        super().setUp()
        self.x = numpy.random.default_rng(9).standard_normal((10, 3))

    def shuffling(self, layer, **options):
        self.put(layer, {"kind": "batch_norm", "shuffle": True, **options})

    def statistics(self, layer):
        return self.ask("GET", self.path(layer, "statistics")).json

    def test_the_same_seed_gives_the_same(self):
        for layer in ("a", "b"):
            self.shuffling(layer, virtual_batch_size=4)
        for seed in (0, 1, 2**53, 2**64 - 1):
            one, other = (self.train(layer, self.x, seed=seed) for layer in ("a", "b"))
            self.assertEqual((one.raw, one.json["seed"]), (other.raw, seed))
            self.assertEqual(one.headers["normd-seed"], str(seed))
            self.assertEqual(self.statistics("a"), self.statistics("b"))
        self.assertEqual(self.train("a", self.x, "?seed=7").json["data"], self.train("b", self.x, seed=7).json["data"])

    def test_seeds_of_its_own_differ_and_are_told(self):
        self.shuffling("bn")
        seeds = []
        for _ in range(5):
            answer = self.train("bn", self.x).json
            seeds.append(answer["seed"])
            self.assertEqual(self.train("bn", self.x, seed=seeds[-1]).json["data"], answer["data"])
            self.assertLess(seeds[-1], 2**53, "a client that reads numbers as doubles gets it back")
        self.assertEqual(len(set(seeds)), 5)
        self.assertIn("seed", self.train("bn", self.x, output=False).json)

    def test_the_answer_is_in_the_order_of_the_question(self):
        """
        Samples of one ghost batch differ in each feature by the same factor, 1 / deviation, before and after: that
        finds the two halves from the answer alone. Each sample's answer is then its own, by the moments of its half.
        """
        self.shuffling("bn")
        found = set()
        for seed in range(20):
            y = self.trained("bn", self.x, seed=seed)
            together = {}
            for i in range(10):
                for k in range(i):
                    factors = tuple(numpy.round((y[i] - y[k]) / (self.x[i] - self.x[k]), 9))
                    together.setdefault(factors, set()).update((i, k))
            halves = [sorted(members) for members in together.values() if len(members) == 5]
            self.assertEqual(sorted(sum(halves, [])), list(range(10)))
            for half in halves:
                part = self.x[half]
                self.assertNear(y[half], (part - part.mean(0)) / numpy.sqrt(part.var(0) + 1e-5), 1e-13)
            found.add(tuple(halves[0]))
        self.assertGreater(len(found), 10, "seeds shuffle differently")

    def test_npy(self):
        self.shuffling("bn", virtual_batch_size=5)
        answer = self.post_npy(self.path("bn", "train") + "?seed=11", self.x)
        self.assertEqual(answer.headers["normd-seed"], "11")
        self.assertEqual(npy.load(answer.raw).tolist(), self.train("bn", self.x, seed=11).json["data"])
        own = self.post_npy(self.path("bn", "train"), self.x)
        again = self.post_npy(self.path("bn", "train") + "?seed=" + own.headers["normd-seed"], self.x)
        self.assertEqual(again.raw, own.raw)

    def test_a_repeat_under_a_key_shuffles_as_the_first_did(self):
        self.shuffling("bn", virtual_batch_size=4)
        key = {"Idempotency-Key": "k"}
        first = self.train("bn", self.x, headers=key)
        self.train("bn", self.x)
        before = self.statistics("bn")
        self.assertEqual(self.train("bn", self.x, headers=key).raw, first.raw)
        raw = self.post_npy(self.path("bn", "train"), self.x, {"Idempotency-Key": "file"})
        self.assertEqual(self.post_npy(self.path("bn", "train"), self.x, {"Idempotency-Key": "file"}).raw, raw.raw)
        self.assertEqual(self.statistics("bn")["revision"], before["revision"] + 1)

    def test_another_seed_under_a_key_is_another_request(self):
        self.shuffling("bn")
        headers = {"Content-Type": npy.TYPE, "Idempotency-Key": "k"}
        first = self.ask("POST", self.path("bn", "train") + "?seed=1", npy.save(self.x), headers)
        self.assertEqual(self.ask("POST", self.path("bn", "train") + "?seed=1", npy.save(self.x), headers).raw,
                         first.raw)
        for query in ("?seed=2", ""):
            self.refused("idempotency_mismatch", 422, "bn", "train" + query, npy.save(self.x), headers)

    def test_one_sample_and_two(self):
        self.shuffling("bn")
        self.assertEqual(self.train("bn", RANDOM.standard_normal((1, 2, 4))).json["num_batches_tracked"], 1)
        self.assertEqual(self.train("bn", RANDOM.standard_normal((2, 2, 4))).json["num_batches_tracked"], 3)
        self.refused("too_few_values", 422, "bn", "train", {"data": [[1, 2], [3, 4]]})

    def test_seeds_that_are_none(self):
        self.shuffling("bn")
        for bad in ("-1", "1.5", "", "x", str(2**64), "0x10", "+1"):
            self.refused("bad_parameter", 400, "bn", "train?seed=" + bad, {"data": [[1], [2], [3], [4]]})
        for bad in (-1, 1.5, "1", True, 2**64, [1]):
            self.refused("bad_parameter", 400, "bn", "train", {"data": [[1], [2], [3], [4]], "seed": bad})
        self.refused("bad_parameter", 400, "bn", "train?seed=1", {"data": [[1], [2], [3], [4]], "seed": 1})
        for name, (definition, shape) in KINDS.items():
            self.put(name, definition)
            for query, member in (("?seed=1", {}), ("", {"seed": 1})):
                answer = self.refused("bad_parameter", 400, name, "train" + query,
                                      {"data": numpy.ones(shape).tolist(), **member})
                self.assertIn('"seed"', answer["detail"])
        self.refused("bad_parameter", 400, "bn", "infer?seed=1", {"data": [[1]]})
        self.put("plain", {"kind": "batch_norm"})
        answer = self.train("plain", self.x)
        self.assertNotIn("normd-seed", answer.headers)
        self.assertNotIn("seed", answer.json)


if __name__ == "__main__":
    unittest.main()
