# SPDX-License-Identifier: MIT
"""The list of sources: its pages, and how far each source is from the pool."""

import math
import os
import threading

import numpy

from normd import at_once
from scores import SCORES, scores
from sources import SourcesTest, totals

RANDOM = numpy.random.default_rng(77)


class Pages(SourcesTest):
    def test_pages_in_the_order_of_names(self):
        self.pooled()
        names = ["B", "Z9", "a", "a-", "a.b", "a0", "a_", "aa", "b", "0"]
        for i, name in enumerate(names):
            self.put_source(name, {"count": i, "mean": [i, 1], "var": [1, 1]})
        for limit in (1, 3, 9, 10, 11, 1000):
            entries = self.pages("bn", limit)
            self.assertEqual([entry["source"] for entry in entries], sorted(names))
            self.assertEqual([entry["count"] for entry in entries], [names.index(name) for name in sorted(names)])
        page = self.ask("GET", self.sources() + "?after=a0x&limit=2")
        self.assertEqual([entry["source"] for entry in page.json["sources"]], ["a_", "aa"])
        self.assertEqual((page.json["next"], page.headers["etag"]), ("aa", f'"{len(names)}"'))
        self.assertEqual(self.ask("GET", self.sources() + "?after=zz").json, {"sources": [], "next": None})
        for entry in self.pages("bn", 5):
            self.assertEqual(set(entry), {"source", "count", "time", "max", "median"})
            self.assertEqual(entry["time"], self.get_source(entry["source"])["time"])

    def test_a_hundred_unless_asked(self):
        self.pooled()
        for i in range(103):
            self.put_source(f"w{i:03}", {"count": 1, "mean": [i], "var": [0]})
        page = self.ask("GET", self.sources()).json
        self.assertEqual((len(page["sources"]), page["next"]), (100, "w099"))
        self.assertEqual(len(self.pages("bn", 100)), 103)

    def test_none(self):
        """Also of a layer that is trained, or has no features yet."""
        self.pooled()
        self.assertEqual(self.pages("bn", 10), [])
        self.train("bn", RANDOM.normal(size=(5, 2)))
        self.assertEqual(self.pages("bn", 10), [])

    def test_pages_of_long_lists_end_early(self):
        self.pooled()
        x = totals(RANDOM.normal(size=(4, 20000)))
        for i in range(12):
            self.put_source(f"w{i:02}", x)
        page = self.ask("GET", self.sources() + "?limit=1000").json
        self.assertTrue(1 <= len(page["sources"]) < 12, len(page["sources"]))
        self.assertEqual([entry["source"] for entry in self.pages("bn", 1000)], [f"w{i:02}" for i in range(12)])

    def test_what_is_refused(self):
        self.pooled()
        for query in ("limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2", "limt=5", "top=3"):
            self.assertRefused("bad_parameter", 400, "GET", self.sources() + "?" + query)
        self.assertRefused("bad_parameter", 400, "GET", self.sources("bn", "a") + "?limit=1")


class WhileOthersWrite(SourcesTest):
    """A page belongs to one state, also while sources come, go and grow between any two."""

    def together(self, writers, readers):
        """Each is called with a client of its own: writers until the readers are done."""
        ended = threading.Semaphore(0)
        done = threading.Event()

        def run(call, writes):
            client = self.daemon.client()
            try:
                while writes and not done.is_set():
                    call(client)
                if not writes:
                    call(client)
            finally:
                client.close()
                if not writes:
                    ended.release()

        def wait():
            for _ in readers:
                ended.acquire()
            done.set()

        at_once([wait] + [lambda call=call: run(call, True) for call in writers] +
                [lambda call=call: run(call, False) for call in readers])

    def test_what_stands_all_the_time_is_listed_once(self):
        self.pooled()
        standing = [f"s{i:02}" for i in range(0, 60, 2)]
        for name in standing:
            self.put_source(name, {"count": 2, "mean": [1], "var": [1]})
        names = [f"s{i:02}" for i in RANDOM.integers(0, 30, 1000) * 2 + 1]

        def come_and_go(client):
            name = names.pop()
            names.insert(0, name)
            client.request("PUT", self.sources("bn", name), {"count": 9, "mean": [len(name)], "var": [2]})
            client.request("DELETE", self.sources("bn", name))

        def walk(client, limit):
            for _ in range(8):
                told, after = [], ""
                while after is not None:
                    answer = client.request("GET", self.sources() + f"?limit={limit}&after={after}")
                    self.assertEqual(answer.status, 200, answer)
                    told += [entry["source"] for entry in answer.json["sources"]]
                    after = answer.json["next"]
                self.assertEqual(told, sorted(set(told)))
                self.assertLessEqual(set(standing), set(told))

        self.together([come_and_go] * 4, [lambda client, limit=limit: walk(client, limit) for limit in (2, 7, 1000)])

    def test_distances_belong_to_the_state_that_is_named(self):
        """The only source is at no distance from the pool, and the revision says which totals they are."""
        self.pooled(unbiased_running_var=True)
        self.put_source("a", {"count": 2, "mean": [1.5], "var": [1]})

        def grow(client):
            revision = int(client.request("GET", self.path("bn")).headers["etag"].strip('"'))
            body = {"count": revision + 2, "mean": [1.5**(revision % 40)], "var": [1 + revision % 7]}
            client.request("PUT", self.sources("bn", "a"), body, {"If-Match": f'"{revision}"'})

        def look(client):
            for _ in range(100):
                answer = client.request("GET", self.sources())
                entry, = answer.json["sources"]
                self.assertEqual(f'"{entry["count"] - 1}"', answer.headers["etag"])
                self.assertNear([entry["max"][score] for score in SCORES], [0, 1, 0, 0, 0], 1e-7)

        self.together([grow] * 3, [look] * 3)


class Distances(SourcesTest):
    def entries(self, layer="bn"):
        return {entry["source"]: entry for entry in self.pages(layer, 1000)}

    def assertScores(self, got, expected):
        self.assertEqual(list(got), list(SCORES))
        for score in SCORES:
            if expected[score] is None:
                self.assertIsNone(got[score])
                continue
            self.assertLessEqual(abs(got[score] - expected[score]), 1e-9 * max(1, abs(expected[score])), (score, got))

    def test_by_the_formulas(self):
        """Of one feature, in which `max` and `median` are the scores themselves."""
        self.pooled()
        shapes = {"same": (0, 1), "shifted": (-0.7, 1), "wide": (0, 2.5), "narrow": (0.1, 0.4), "far": (6, 1.2)}
        for name, (shift, scale) in shapes.items():
            self.put_source(name, totals(RANDOM.normal(50 + shift, scale, (200, 1))))
        pool = self.statistics()
        for name, entry in self.entries().items():
            own = self.get_source(name)
            expected = scores(own["mean"][0], own["var"][0], pool["mean"][0], pool["var"][0])
            self.assertScores(entry["max"], expected)
            self.assertEqual(entry["median"], entry["max"])

    def test_the_farthest_and_the_median_of_several_features(self):
        for features in (4, 5):
            layer = f"bn{features}"
            self.pooled(layer)
            for name in "abc":
                mean, scale = RANDOM.normal(size=features), RANDOM.uniform(0.3, 3, features)
                self.put_source(name, totals(RANDOM.normal(mean, scale, (30, features))), layer)
            pool = self.statistics(layer)
            for name, entry in self.entries(layer).items():
                own = self.get_source(name, layer)
                each = [scores(*moments) for moments in zip(own["mean"], own["var"], pool["mean"], pool["var"])]
                far = {"mean_shift": abs, "variance_ratio": lambda ratio: abs(math.log(ratio))}
                self.assertScores(entry["max"], {score: max((s[score] for s in each), key=far.get(score))
                                                 for score in SCORES})
                self.assertScores(entry["median"], {score: numpy.median([s[score] for s in each]) for score in SCORES})

    def test_the_only_source_is_the_pool(self):
        """Also where the running variance is the unbiased one: both are compared by their biased variances."""
        for layer, unbiased in (("biased", False), ("unbiased", True)):
            self.pooled(layer, unbiased_running_var=unbiased)
            self.put_source("a", totals(RANDOM.normal(3, 2, (7, 3))), layer)
            for summary in ("max", "median"):
                self.assertScores(self.entries(layer)["a"][summary],
                                  dict(zip(SCORES, (0, 1, 0, 0, 0))))

    def test_a_deviation_of_0(self):
        """A pool without deviations has no scores; a source without them, say a sensor that is stuck, is far away."""
        nothing = dict.fromkeys(SCORES)
        self.pooled()
        self.put_source("constant", {"count": 5, "mean": [1, 2], "var": [0, 0]})
        self.put_source("one", {"count": 1, "mean": [1, 2], "var": [0, 0]})
        self.put_source("none", {"count": 0, "mean": [1, 2], "var": [1, 1]})
        for entry in self.entries().values():
            self.assertEqual((entry["max"], entry["median"]), (nothing, nothing))
        self.put_source("b", {"count": 5, "mean": [1, 2], "var": [0, 1]})
        entries = self.entries()
        pool = self.statistics()
        shift = (2 - pool["mean"][1]) / math.sqrt(pool["var"][1])
        self.assertScores(entries["constant"]["max"],
                          dict(zip(SCORES, (shift, 0, 1, None, math.hypot(shift, 1)))))
        self.assertScores(entries["b"]["max"], scores(2, 1, pool["mean"][1], pool["var"][1]))
        self.assertEqual(entries["b"]["median"], entries["b"]["max"])

    def test_what_train_contributed_belongs_to_the_pool(self):
        self.pooled()
        self.train("bn", RANDOM.normal(10, 1, (50, 1)))
        self.put_source("a", totals(RANDOM.normal(0, 1, (50, 1))))
        entry = self.entries()["a"]
        self.assertLess(entry["max"]["mean_shift"], -0.9)
        self.assertGreater(entry["max"]["divergence"], 10)

    def test_more_data_is_no_more_distance(self):
        self.pooled()
        for name, count in (("a", 10), ("b", 10**12)):
            self.put_source(name, {"count": count, "mean": [1 if name == "a" else -1], "var": [1]}, "bn")
        self.put_source("c", {"count": 10**12, "mean": [1], "var": [1]})
        entries = self.entries()
        self.assertClose(list(entries["a"]["max"].values()), list(entries["c"]["max"].values()), 1e-9)

    def test_numbers_beyond_double_are_the_largest(self):
        """JSON has no infinity; a distance is a number."""
        self.pooled()
        self.put_source("a", {"count": 1, "mean": [1e150], "var": [1e-300]})
        self.put_source("b", {"count": 10**15, "mean": [0], "var": [1e-300]})
        entry = self.entries()["a"]["max"]
        self.assertEqual((entry["divergence"], entry["js_distance"]), (1.7976931348623157e308, 1))


class Work(SourcesTest):
    def thread_times(self):
        """The processor time of computing threads, and of event loops, in ns."""
        tasks, times = f"/proc/{self.daemon.process.pid}/task", {True: 0, False: 0}
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/comm") as f:
                name = f.read().strip()
            if name in ("compute", "event loop"):
                with open(f"{tasks}/{task}/schedstat") as f:
                    times[name == "compute"] += int(f.read().split()[0])
        return times

    def test_distances_are_computed_apart(self):
        """A page takes long, so an event loop must not make it. Nearly all of its time is a computing thread's."""
        self.pooled()
        for i in range(100):
            self.put_source(f"w{i:03}", totals(RANDOM.normal(size=(4, 512))))
        before = self.thread_times()
        for _ in range(3):
            self.ask("GET", self.sources())
        after = self.thread_times()
        computing, looping = after[True] - before[True], after[False] - before[False]
        self.assertGreater(computing, 10 * looping, (computing, looping))
