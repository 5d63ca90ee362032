# SPDX-License-Identifier: MIT
"""Sources: workers send totals of their own, which replace what they sent before, and the statistics are the pool."""

import datetime
import itertools
import json
import time
import unittest

import numpy

import npy
from normd import Daemon, at_once, undigested
from sources import RANDOM, SourcesTest, totals, values


class Totals(SourcesTest):
    def test_the_statistics_are_the_pool_of_all(self):
        """Of sources, of train and of merge, with both divisors; after every call."""
        for ddof in (0, 1):
            layer = f"bn{ddof}"
            self.pooled(layer, unbiased_running_var=bool(ddof))
            parts = {"": [], "b": [], "a": [], "c-1": []}
            for step in range(12):
                name, x = list(parts)[step % 4], values(RANDOM.integers(2, 9))
                parts[name] = numpy.concatenate([parts[name], x]) if len(parts[name]) else x
                if name:
                    self.put_source(name, totals(parts[name]), layer)
                elif step % 8:
                    self.train(layer, x)
                else:
                    self.ask("POST", self.path(layer, "statistics", "merge"), totals(x))
                self.assertPool(numpy.concatenate([part for part in parts.values() if len(part)]), layer, ddof)

    def test_a_repeat_is_harmless(self):
        self.pooled()
        self.put_source("a", totals(values(5)))
        x = totals(values(7))
        self.put_source("b", x)
        once = self.statistics()
        for _ in range(3):
            self.put_source("b", x)
            self.assertEqual(self.statistics(), once)
            self.assertEqual(self.get_source("b")["count"], 7)

    def test_what_is_answered(self):
        """As merge answers. Each change raises the revision by one; only batches are counted."""
        self.pooled()
        self.train("bn", values(4))
        for revision, (name, count) in enumerate((("a", 5), ("a", 5), ("b", 0)), 2):
            answer = self.put_source(name, {"count": count, "mean": [1, 2, 3], "var": [1, 1, 1]})
            self.assertEqual(answer.json, {"num_batches_tracked": 1, "revision": revision})
            self.assertEqual((answer.headers["etag"], answer.headers["normd-revision"],
                              answer.headers["normd-num-batches-tracked"]), (f'"{revision}"', str(revision), "1"))
        answer = self.compact(["a"])
        self.assertEqual((answer.json, answer.headers["etag"]), ({"num_batches_tracked": 1, "revision": 5}, '"5"'))
        answer = self.delete_source("b")
        self.assertEqual((answer.raw, answer.headers["etag"]), (b"", '"6"'))

    def test_a_source_is_shown_as_it_was_sent(self):
        self.pooled()
        sent = {"count": 3, "mean": [0.1, -1e300, 5e-324], "var": [1 / 3, 0, 1e-300]}
        before = time.time()
        self.put_source("w.1_a-B", sent)
        answer = self.ask("GET", self.sources("bn", "w.1_a-B"))
        got = answer.json
        came = datetime.datetime.strptime(got.pop("time"), "%Y-%m-%dT%H:%M:%S%z").timestamp()
        self.assertEqual((got, answer.headers["etag"]), ({"source": "w.1_a-B", **sent}, '"1"'))
        self.assertTrue(int(before) <= came <= time.time(), came)
        # What is shown can be sent: source and time are ignored.
        self.put_source("copy", {**self.get_source("w.1_a-B")})
        copy = self.get_source("copy")
        self.assertEqual([copy[member] for member in sent], list(sent.values()))

    def test_totals_as_tensors(self):
        self.pooled()
        self.put_source("a", {"count": 2, "mean": {"datatype": "FP32", "data": [0.1, 2]},
                              "var": {"shape": [2], "datatype": "FP64", "data": [0.1, 2]}})
        self.assertEqual(self.get_source("a")["mean"], [0.10000000149011612, 2])
        self.assertEqual(self.statistics()["var"], [0.1, 2])

    def test_the_first_source_fixes_the_features(self):
        self.pooled()
        self.assertEqual(self.client.request("POST", self.path("bn", "infer"), {"data": [[1, 2]]}).code, "not_trained")
        self.put_source("a", {"count": 4, "mean": [1, 2], "var": [4, 0]})
        self.assertEqual(self.ask("GET", self.path("bn")).json["num_features"], 2)
        self.assertNear(self.infer("bn", numpy.array([[3.0, 2.0]])), [[2 / numpy.sqrt(4 + 1e-5), 0]])
        self.assertRefused("shape_mismatch", 422, "PUT", self.sources("bn", "b"),
                           {"count": 4, "mean": [1, 2, 3], "var": [4, 0, 1]})

    def test_the_same_count_with_other_values_replaces(self):
        self.pooled()
        self.put_source("a", {"count": 4, "mean": [1], "var": [4]})
        self.put_source("a", {"count": 4, "mean": [2], "var": [5]})
        self.assertEqual(self.statistics(), {"mean": [2], "var": [5], "count": 4, "batches": 0})

    def test_a_count_of_0_contributes_nothing(self):
        """Not even a difference of means that would overflow."""
        self.pooled()
        x = totals(values(5))
        self.put_source("b", x)
        before = self.statistics()
        for name in ("a", "c"):
            self.put_source(name, {"count": 0, "mean": [1.7e308, -1.7e308, 1], "var": [1, 1, 1e308]})
        self.assertEqual(self.statistics(), before)
        self.assertEqual((self.names(), self.get_source("a")["count"]), (["a", "b", "c"], 0))
        self.delete_source("b")
        self.assertEqual(self.statistics()["count"], 0)
        self.put_source("a", x)
        self.assertEqual(self.statistics(), before)

    def test_one_value_is_enough(self):
        """Its variance is 0, by both divisors. Inference then scales by 1/sqrt(eps), or by 1 under min_std."""
        for layer, fields, scale in (("a", {}, 1 / numpy.sqrt(1e-5)), ("b", {"min_std": 1e-3}, 1),
                                     ("c", {"unbiased_running_var": True}, 1 / numpy.sqrt(1e-5))):
            self.pooled(layer, **fields)
            self.put_source("w", {"count": 1, "mean": [5], "var": [0]}, layer)
            self.assertEqual(self.statistics(layer), {"mean": [5], "var": [0], "count": 1, "batches": 0})
            self.assertNear(self.infer(layer, numpy.array([[7.0]])), [[2 * scale]], 1e-9)

    def test_the_largest_count(self):
        self.pooled()
        self.put_source("a", {"count": 2**63 - 3, "mean": [1], "var": [1]})
        self.put_source("b", {"count": 2, "mean": [1], "var": [1]})
        self.assertEqual(self.statistics()["count"], 2**63 - 1)
        self.assertRefused("bad_parameter", 400, "PUT", self.sources("bn", "c"), {"count": 1, "mean": [1], "var": [1]})
        self.assertRefused("bad_parameter", 400, "PUT", self.sources("bn", "b"), {"count": 3, "mean": [1], "var": [1]})
        self.assertRefused("bad_parameter", 400, "POST", self.path("bn", "train"), {"data": [[1], [2]]})
        self.delete_source("a")
        self.put_source("c", {"count": 1, "mean": [1], "var": [1]})
        self.assertEqual(self.statistics()["count"], 3)


class Order(SourcesTest):
    """The bits do not depend on how the sources came to what they are."""

    def test_every_order_of_arrival(self):
        sent = {f"w{i}": totals(values(3 + i)) for i in range(5)}
        layers = []
        for i, order in enumerate(itertools.permutations(sent)):
            layers.append(f"bn{i}")
            self.pooled(layers[-1])
            for name in order:
                self.put_source(name, sent[name], layers[-1])
        told = {json.dumps(self.statistics(layer)) for layer in layers}
        self.assertEqual((len(layers), len(told)), (120, 1))

    def test_any_history(self):
        """Earlier totals, deletions, repeats, one at a time or many at once: what counts is what stands."""
        final = {f"w{RANDOM.integers(10**9)}": totals(values(RANDOM.integers(1, 9))) for _ in range(40)}
        part = values(6)
        told = []
        for layer in ("straight", "shuffled", "detours", "at_once"):
            self.pooled(layer)
            names = list(final)
            RANDOM.shuffle(names)
            if layer == "straight":
                self.train(layer, part)
            if layer == "detours":
                for i, name in enumerate(names):
                    self.put_source(name, totals(values(1)), layer)
                    self.put_source(f"gone{i}", totals(values(5)), layer)
                for i in range(len(names)):
                    self.delete_source(f"gone{i}", layer)
                for name in names[::3]:
                    self.delete_source(name, layer)
            if layer == "at_once":
                calls = [lambda name=name: self.daemon.curl("PUT", self.sources("at_once", name), final[name])
                         for name in names]
                self.assertEqual({answer.status for answer in at_once(calls)}, {200})
            for name in names:
                self.put_source(name, final[name], layer)
            if layer != "straight":
                self.train(layer, part)
            told.append(self.statistics(layer))
        self.assertEqual(told, [told[0]] * 4)

    def test_totals_that_only_grow_from_many_clients(self):
        """Each client sends its source's totals again and again; nothing is counted twice or lost."""
        self.pooled()

        def worker(number):
            client, x = self.daemon.client(), []
            try:
                for i in range(20):
                    x += [[float(number), float(i)]]
                    for _ in range(2):
                        answer = client.request("PUT", self.sources("bn", f"w{number}"), totals(x))
                        assert answer.status == 200, answer
            finally:
                client.close()

        at_once([lambda number=number: worker(number) for number in range(8)])
        self.assertPool([[float(n), float(i)] for n in range(8) for i in range(20)])
        self.assertEqual(self.revision(), '"320"')


class Deletion(SourcesTest):
    def test_as_if_it_had_never_been(self):
        """Bit for bit, for each of several sources, with and without a part that has none."""
        sent = {f"w{i}": totals(values(2 + i)) for i in range(6)}
        part = values(5)
        for trained in (False, True):
            self.pooled(f"all{trained}", unbiased_running_var=trained)
            if trained:
                self.train(f"all{trained}", part)
            for name, body in sent.items():
                self.put_source(name, body, f"all{trained}")
            for gone in sent:
                layer = f"{gone}{trained}"
                self.pooled(layer, unbiased_running_var=trained)
                if trained:
                    self.train(layer, part)
                for name, body in sent.items():
                    if name != gone:
                        self.put_source(name, body, layer)
                self.delete_source(gone, f"all{trained}")
                self.assertEqual(self.statistics(f"all{trained}"), self.statistics(layer))
                self.get_source(gone, f"all{trained}", status=404)
                self.put_source(gone, sent[gone], f"all{trained}")

    def test_after_the_last_the_layer_is_what_it_was(self):
        self.pooled()
        self.train("bn", values(5))
        before = self.statistics()
        self.put_source("a", totals(values(5)))
        self.delete_source("a")
        self.assertEqual((self.statistics(), self.names()), (before, []))
        self.train("bn", values(5))
        self.assertEqual(self.statistics()["count"], 10)

    def test_without_any_other_the_layer_is_untrained(self):
        """As after a reset; but batches that were counted stay counted."""
        self.pooled()
        self.train("bn", numpy.array([[1.0], [3.0]]), "?source=a")
        self.delete_source("a")
        self.assertEqual(self.statistics(), {"mean": [0], "var": [1], "count": 0, "batches": 1})
        self.assertEqual(self.ask("POST", self.path("bn", "infer"), [[1]], status=409).code, "not_trained")
        self.put_source("a", {"count": 1, "mean": [4], "var": [0]})
        self.assertEqual(self.statistics(), {"mean": [4], "var": [0], "count": 1, "batches": 1})

    def test_a_name_may_come_back(self):
        """A deleted source has no count any more that a new one could fall below."""
        self.pooled()
        self.put_source("a", totals(values(9)))
        self.delete_source("a")
        self.put_source("a", totals(values(2)))
        self.assertEqual(self.statistics()["count"], 2)

    def test_a_new_layer_has_none(self):
        """Neither of a layer that had its name, nor of another one."""
        self.pooled()
        self.put_source("a", totals(values(5)))
        for path in (self.path("bn"), f"/v1/models/{self.model}"):
            self.ask("DELETE", path, status=204)
            self.pooled()
            self.pooled("other")
            self.assertEqual((self.names(), self.names("other")), ([], []))
            self.put_source("a", totals(values(2)))
            self.assertEqual((self.statistics()["count"], self.statistics("other")["count"]), (2, 0))
            self.ask("DELETE", self.path("other"), status=204)

    def test_statistics_that_are_put_or_reset_forget_the_sources(self):
        self.pooled()
        for method, body in (("PUT", {"running_mean": [1, 2], "running_var": [3, 4], "count": 9}), ("DELETE", None)):
            self.put_source("a", totals(values(5, 2)))
            told = self.ask(method, self.path("bn", "statistics"), body).json
            self.assertEqual(self.names(), [])
            self.assertEqual(undigested(self.ask("GET", self.path("bn", "statistics")).json), told)
            self.get_source("a", status=404)


class Train(SourcesTest):
    def test_the_batch_is_added_to_the_source(self):
        """In the query and in the body, as JSON and as a file: the same bits."""
        x, more = values(5), values(4)
        told = []
        for layer in ("query", "body", "npy", "no_output"):
            self.pooled(layer)
            self.train(layer, values(3) * 0 + 7)
            if layer == "body":
                self.train(layer, x, source="a")
            elif layer == "npy":
                self.post_npy(self.path(layer, "train") + "?source=a", x)
            else:
                self.train(layer, x, "?source=a" + ("&output=false" if layer == "no_output" else ""))
            self.put_source("b", totals(more), layer)
            source = self.get_source("a", layer)
            told.append((self.statistics(layer), source["mean"], source["var"]))
            self.assertPool(numpy.concatenate([numpy.full((3, 3), 7.0), x, more]), layer)
            self.assertEqual((self.statistics(layer)["batches"], self.revision(layer)), (2, '"3"'))
        self.assertEqual(told, [told[0]] * 4)

    def test_totals_and_batches_of_one_source(self):
        self.pooled()
        x, y, z = values(4), values(6), values(3)
        self.put_source("a", totals(x))
        self.train("bn", y, "?source=a")
        self.assertPool(numpy.concatenate([x, y]))
        self.assertEqual(self.get_source("a")["count"], 10)
        self.assertRefused("source_went_back", 409, "PUT", self.sources("bn", "a"), totals(values(9)))
        self.put_source("a", totals(numpy.concatenate([x, y, z])))
        self.assertPool(numpy.concatenate([x, y, z]))
        self.assertEqual(self.statistics()["batches"], 1)

    def test_the_output_is_that_of_the_layer(self):
        """By the batch, or by the running statistics: the pool's, not the source's."""
        x = values(6)
        self.pooled("batch")
        self.pooled("plain")
        self.put_source("a", totals(values(9)), "batch")
        self.assertEqual(self.train("batch", x, "?source=b").json["data"], self.train("plain", x).json["data"])
        self.pooled("running", normalize_by="running")
        self.put_source("a", totals(values(9)), "running")
        answer = self.train("running", x[:1], "?source=b").json
        self.assertEqual(answer["revision"], 2)
        self.assertNear(answer["data"], self.infer("running", x[:1]))

    def test_padding_and_ghost_batches(self):
        x = RANDOM.normal(size=(4, 2, 3))
        self.pooled("padded")
        self.train("padded", x, "?source=a&lengths=3,1,0,2")
        kept = numpy.concatenate([x[i, :, :n].T for i, n in enumerate((3, 1, 0, 2))])
        self.assertPool(kept, "padded")
        self.pooled("ghosts", virtual_batch_size=2)
        self.train("ghosts", x, "?source=a")
        self.assertPool(x.transpose(0, 2, 1).reshape(-1, 2), "ghosts")
        self.assertEqual((self.statistics("ghosts")["batches"], self.revision("ghosts")), (2, '"1"'))

    def test_an_empty_batch_makes_no_source(self):
        self.pooled(num_features=2)
        self.ask("POST", self.path("bn", "train") + "?source=a", {"shape": [0, 2], "data": []})
        self.assertEqual((self.names(), self.revision()), ([], '"0"'))

    def test_under_a_key(self):
        """The source belongs to what was asked, in the query as in the body."""
        self.pooled()
        key = {"Idempotency-Key": "k"}
        body = {"data": [[1.0], [2.0]]}
        first = self.ask("POST", self.path("bn", "train") + "?source=a", body, key)
        again = self.ask("POST", self.path("bn", "train") + "?source=a", body, key)
        self.assertEqual((again.raw, self.get_source("a")["count"]), (first.raw, 2))
        for query, other in (("?source=b", body), ("", body), ("", {**body, "source": "a"})):
            self.assertRefused("idempotency_mismatch", 422, "POST", self.path("bn", "train") + query, other, key)
        self.ask("POST", self.path("bn", "train"), {**body, "source": "b"}, {"Idempotency-Key": "l"})
        self.assertRefused("idempotency_mismatch", 422, "POST", self.path("bn", "train"), {**body, "source": "c"},
                           {"Idempotency-Key": "l"})
        self.assertEqual(self.names(), ["a", "b"])

    def test_what_is_refused(self):
        self.pooled()
        self.put_source("a", totals(values(5, 2)))
        train = self.path("bn", "train")
        sync = {"step": "1", "rank": 0, "world_size": 1}
        body = {"data": [[1, 2], [3, 4]]}
        for code, status, query, members in (
            ("bad_name", 400, "?source=", {}), ("bad_name", 400, "?source=-a", {}),
            ("bad_name", 400, "?source=" + "a" * 129, {}), ("bad_name", 400, "", {"source": ""}),
            ("bad_name", 400, "", {"source": "a/b"}), ("bad_name", 400, "", {"source": "a\0b"}),
            ("bad_parameter", 400, "", {"source": 5}), ("bad_parameter", 400, "", {"source": ["a"]}),
            ("bad_parameter", 400, "?source=a", {"source": "a"}), ("bad_parameter", 400, "?source=a&source=a", {}),
            ("bad_parameter", 400, "?source=a", {"sync": sync}),
            ("bad_parameter", 400, "", {"sync": sync, "source": "a"}),
            ("non_finite_input", 422, "?source=a", {"datatype": "FP64", "data": [[1e308, 2], [-1e308, 4]]}),
            ("shape_mismatch", 422, "?source=a", {"data": [[1, 2, 3], [3, 4, 5]]}),
            ("too_few_values", 422, "?source=a", {"data": [[1, 2]]}),
        ):  # yapf: disable
            with self.subTest(query=query, **members):
                self.assertRefused(code, status, "POST", train + query, {**body, **members})
        told = self.assertRefused("bad_parameter", 400, "POST", train + "?sources=a", body)
        self.assertIn('did you mean "source"?', told["detail"])
        self.train("bn", numpy.array(body["data"]), source=None)
        self.assertEqual(self.names(), ["a"])


class Compaction(SourcesTest):
    def test_values_stay_and_names_are_free(self):
        for ddof in (0, 1):
            layer = f"bn{ddof}"
            self.pooled(layer, unbiased_running_var=bool(ddof))
            parts = {name: values(4) for name in "abcde"}
            for name, x in parts.items():
                self.put_source(name, totals(x), layer)
            self.compact(["d", "b"], layer)
            self.assertEqual(self.names(layer), ["a", "c", "e"])
            self.assertPool(numpy.concatenate(list(parts.values())), layer, ddof)
            self.put_source("b", totals(values(1)), layer)
            self.delete_source("b", layer)
            self.delete_source("a", layer)
            self.assertPool(numpy.concatenate([parts[name] for name in "bcde"]), layer, ddof)
            self.compact(["c", "e"], layer)
            self.assertEqual(self.names(layer), [])
            self.train(layer, parts["a"])
            self.assertPool(numpy.concatenate(list(parts.values())), layer, ddof)

    def test_the_order_of_the_list_does_not_matter(self):
        sent = {name: totals(values(4)) for name in "abcde"}
        for layer, names in (("forth", "abde"), ("back", "edba")):
            self.pooled(layer)
            for name, body in sent.items():
                self.put_source(name, body, layer)
            self.compact(list(names), layer)
        self.assertEqual(self.statistics("forth"), self.statistics("back"))

    def test_no_names_change_nothing(self):
        self.pooled()
        self.put_source("a", totals(values(4)))
        before = self.state("bn")
        self.assertEqual(self.compact([]).json, {"num_batches_tracked": 0, "revision": 1})
        self.assertEqual(self.state("bn"), before)

    def test_a_source_may_be_called_compact(self):
        self.pooled()
        self.put_source("compact", totals(values(4)))
        self.assertEqual(self.get_source("compact")["count"], 4)
        self.put_source("a", totals(values(4)))
        self.compact(["compact"])
        self.assertEqual(self.names(), ["a"])
        self.put_source("compact", totals(values(4)))
        self.delete_source("compact")
        self.assertEqual(self.statistics()["count"], 8)

    def test_under_a_key(self):
        """Without one a repeat is no_such_source, because the names are gone."""
        self.pooled()
        self.put_source("a", totals(values(4)))
        first = self.compact(["a"], headers={"Idempotency-Key": "k"})
        self.put_source("a", totals(values(3)))
        self.assertEqual(self.compact(["a"], headers={"Idempotency-Key": "k"}).raw, first.raw)
        self.assertEqual((self.names(), self.statistics()["count"]), (["a"], 7))
        self.compact(["a"])
        self.compact(["a"], status=404)

    def test_what_is_refused(self):
        self.pooled()
        for name in "ab":
            self.put_source(name, totals(values(4)))
        for code, status, body in (
            ("no_such_source", 404, {"sources": ["a", "c"]}), ("no_such_source", 404, {"sources": ["c", "a"]}),
            ("bad_parameter", 400, {"sources": ["a", "b", "a"]}), ("bad_parameter", 400, {"sources": "a"}),
            ("bad_parameter", 400, {"sources": ["a", 1]}), ("bad_parameter", 400, {"sources": [["a"]]}),
            ("bad_parameter", 400, {"sources": [None]}), ("bad_parameter", 400, {"sources": {"a": 1}}),
            ("bad_parameter", 400, {}), ("bad_parameter", 400, {"sources": None}),
            ("bad_parameter", 400, {"source": ["a"]}), ("bad_parameter", 400, ["a"]), ("bad_parameter", 400, "7"),
            ("bad_parameter", 400, {"sources": [f"w{i}" for i in range(4097)]}), ("bad_json", 400, "{"),
            ("bad_name", 400, {"sources": ["a", ""]}), ("bad_name", 400, {"sources": ["a", "b "]}),
            ("bad_name", 400, {"sources": ["a", "b\0"]}),
        ):  # yapf: disable
            with self.subTest(body=str(body)[:60]):
                self.assertRefused(code, status, "POST", self.sources("bn", "compact"), body)
        told = self.assertRefused("bad_parameter", 400, "POST", self.sources("bn", "compact"), {"sorces": ["a"]})
        self.assertIn('did you mean "sources"?', told["detail"])
        told = self.assertRefused("bad_parameter", 400, "POST", self.sources("bn", "compact"),
                                  {"sources": [f"w{i}" for i in range(4097)]})
        self.assertIn("more than 4096 names", told["detail"])
        told = self.assertRefused("bad_parameter", 400, "POST", self.sources("bn", "compact"), {"sources": ["a", 1]})
        self.assertEqual(told["detail"], 'value 1 of "sources" must be the name of a source, a string; it is 1')


class Durability(unittest.TestCase):
    """Sources survive a restart and a kill, and the pool goes on with the same bits."""

    PATH = "/v1/models/m/layers/bn"

    def ask(self, daemon, method, path, body=None):
        answer = daemon.curl(method, self.PATH + path, body)
        self.assertLess(answer.status, 300, answer)
        return answer

    def run_with(self, again):
        """What is shown after a sequence of changes; `again` is done to the daemon between any two."""
        daemon = Daemon()
        self.addCleanup(daemon.close)
        random = numpy.random.default_rng(3)
        self.ask(daemon, "PUT", "", {"kind": "batch_norm", "averaging": "pooled", "datatype": "FP64"})
        told = []
        for i in range(8):
            self.ask(daemon, "PUT", f"/statistics/sources/w{i * 5 % 7}", totals(random.normal(size=(i + 1, 3))))
            if i == 2:
                self.ask(daemon, "POST", "/train?source=w0", random.normal(size=(4, 3)).tolist())
            if i == 4:
                self.ask(daemon, "POST", "/train", random.normal(size=(4, 3)).tolist())
            if i == 5:
                self.ask(daemon, "DELETE", "/statistics/sources/w3")
            if i == 6:
                self.ask(daemon, "POST", "/statistics/sources/compact", {"sources": ["w1", "w5"]})
            again(daemon)
            listed = self.ask(daemon, "GET", "/statistics/sources").json["sources"]
            told.append([self.ask(daemon, "GET", "/statistics").json,
                         [{member: entry[member] for member in entry if member != "time"} for entry in listed]])
        return told

    def test_restarts_and_kills_change_no_bit(self):
        def restart(daemon):
            daemon.stop()
            daemon.start()

        def kill(daemon):
            daemon.kill()
            daemon.start()

        plain = self.run_with(lambda daemon: None)
        self.assertEqual(self.run_with(restart), plain)
        self.assertEqual(self.run_with(kill), plain)
