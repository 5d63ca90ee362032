# SPDX-License-Identifier: MIT
"""normd.federated: sites' statistics, pooled exactly, and rounds of a strategy with Flower's interfaces."""

import io
import unittest
from dataclasses import dataclass
from types import SimpleNamespace
from unittest import mock

import numpy
from numpy.testing import assert_allclose, assert_array_equal

import normd
import normd.federated
from support import Sync, WithDaemon, run_example

LAYERS = {"bn1": 3, "body.bn2": 2}
NAMES = [name for layer in LAYERS for name in (f"{layer}.weight", f"{layer}.running_mean", f"{layer}.running_var",
                                                f"{layer}.num_batches_tracked")]


class Site:
    """Data of its own, and the state_dict of a network that has seen it."""

    def __init__(self, name, number, examples):
        self.name, self.examples = name, examples
        random = numpy.random.default_rng(number)
        self.data = {layer: random.normal(5 * number, number + 1, (examples, features))
                     for layer, features in LAYERS.items()}

    def state(self, dtype=numpy.float64):
        state = {}
        for layer, x in self.data.items():
            state[f"{layer}.weight"] = numpy.full(x.shape[1], len(self.name), dtype=dtype)
            state[f"{layer}.running_mean"] = x.mean(axis=0).astype(dtype)
            state[f"{layer}.running_var"] = x.var(axis=0).astype(dtype)
            state[f"{layer}.num_batches_tracked"] = numpy.array(7)
        return state


def average(states, weights):
    """What federated averaging does with all parameters."""
    return {name: sum(state[name] * weight for state, weight in zip(states, weights)) / sum(weights)
            for name in states[0]}


class Federated(WithDaemon, Sync):
    def setUp(self):
        super().setUp()
        self.statistics = normd.federated.FederatedStatistics(self.model)
        self.sites = [Site("a", 0, 40), Site("b", 1, 10), Site("clinic-3", 2, 25)]

    def contribute(self, *sites):
        for site in sites:
            self.statistics.contribute(site.name, site.state(), site.examples)

    def assert_pool(self, pulled, sites):
        for layer in LAYERS:
            data = numpy.concatenate([site.data[layer] for site in sites])
            assert_allclose(pulled[f"{layer}.running_mean"], data.mean(axis=0), rtol=1e-12)
            assert_allclose(pulled[f"{layer}.running_var"], data.var(axis=0), rtol=1e-12)


class FederatedStatisticsTest(Federated, unittest.TestCase):
    def test_the_pool_is_that_of_all_data(self):
        self.contribute(*self.sites)
        self.contribute(*reversed(self.sites))  # harmless
        averaged = average([site.state() for site in self.sites], [site.examples for site in self.sites])
        pulled = self.statistics.pull(averaged)
        self.assert_pool(pulled, self.sites)
        self.assertGreater(pulled["bn1.running_var"][0], 1.5 * averaged["bn1.running_var"][0])
        self.assertEqual(set(pulled), set(averaged))
        for name in ("bn1.weight", "bn1.num_batches_tracked"):
            self.assertIs(pulled[name], averaged[name])
        self.assertEqual(self.statistics.sites(), ["a", "b", "clinic-3"])

    def test_a_site_is_taken_out_as_if_it_had_never_been_there(self):
        self.contribute(*self.sites[:2])
        before = self.statistics.pull(self.sites[0].state())
        self.contribute(self.sites[2])
        self.statistics.remove("clinic-3")
        self.statistics.remove("clinic-3")
        after = self.statistics.pull(self.sites[0].state())
        for name, values in before.items():
            assert_array_equal(after[name], values)  # to the bit
        self.assertEqual(self.statistics.sites(), ["a", "b"])
        self.statistics.remove("a")
        self.statistics.remove("b")
        state = self.sites[0].state()
        self.assertEqual(self.statistics.pull(state).keys(), state.keys())
        assert_array_equal(self.statistics.pull(state)["bn1.running_mean"], state["bn1.running_mean"])

    def test_a_later_round_replaces_an_earlier_one_also_with_fewer_examples(self):
        self.contribute(*self.sites)
        later = Site("a", 7, 12)
        self.contribute(later)
        self.assert_pool(self.statistics.pull(later.state()), [later, *self.sites[1:]])

    def test_a_failure_in_between_is_repaired_by_repeating(self):
        self.contribute(*self.sites[:2])
        put, calls = type(self.layer).put_source, []

        def failing(layer, *arguments, **options):
            put(layer, *arguments, **options)
            calls.append(layer.name)
            if len(calls) == 1:
                raise normd.NoAnswer("lost", maybe_done=True)

        with mock.patch.object(type(self.layer), "put_source", failing):
            self.assertRaises(normd.NoAnswer, self.contribute, self.sites[2])
            self.contribute(self.sites[2])
        self.assertEqual(calls, ["bn1", "bn1", "body.bn2"])
        self.assert_pool(self.statistics.pull(self.sites[0].state()), self.sites)

    def test_counts_by_layer(self):
        site = self.sites[0]
        self.statistics.contribute("a", site.state(), {"bn1": 4, "body.bn2": 9})
        self.assertEqual([self.model.layer(layer).statistics().count for layer in LAYERS], [4, 9])

    def test_types_and_shapes_are_kept(self):
        self.contribute(*self.sites)
        state = self.sites[0].state(numpy.float32)
        state["bn1.running_mean"] = state["bn1.running_mean"].reshape(1, 3)
        pulled = self.statistics.pull(state)
        self.assertEqual((pulled["bn1.running_mean"].dtype, pulled["bn1.running_mean"].shape), (numpy.float32, (1, 3)))

    def test_bad_statistics_are_refused_before_anything_is_sent(self):
        self.contribute(*self.sites)
        state = self.sites[0].state()
        state["body.bn2.running_var"][1] = numpy.nan
        with self.assertRaisesRegex(ValueError, "site 'a': the statistics of 'body.bn2' must be finite"):
            self.statistics.contribute("a", state, 50)
        state["body.bn2.running_var"][1] = -1
        with self.assertRaisesRegex(ValueError, "site 'a': a variance of 'body.bn2' is negative"):
            self.statistics.contribute("a", state, 50)
        with self.assertRaisesRegex(ValueError, 'no name ends in ".running_mean"'):
            self.statistics.contribute("a", {"fc.weight": numpy.ones(2)}, 50)
        self.assertRaises(KeyError, self.statistics.contribute, "a", self.sites[0].state(), {"bn1": 3})
        self.assert_pool(self.statistics.pull(self.sites[0].state()), self.sites)

    def test_nothing_contributed(self):
        state = self.sites[0].state()
        self.assertEqual(self.statistics.pull(state).keys(), state.keys())
        self.assertEqual(self.statistics.sites(), [])
        self.statistics.remove("a")

    def test_the_example(self):
        states = {site.name: (site.state(), site.examples) for site in self.sites}
        run_example(self, normd.federated, round_results=states, averaged=self.sites[0].state())
        federation = normd.federated.FederatedStatistics(self.client.model("federation"))
        self.assertEqual(federation.sites(), ["a", "b"])


@dataclass
class Parameters:
    tensors: list
    tensor_type: str


def encoded(state):
    tensors = []
    for name in NAMES:
        file = io.BytesIO()
        numpy.save(file, state[name])
        tensors.append(file.getvalue())
    return Parameters(tensors, "numpy.ndarray")


def decoded(parameters):
    return {name: numpy.load(io.BytesIO(tensor)) for name, tensor in zip(NAMES, parameters.tensors)}


class Array:
    def __init__(self, values):
        self.values = values

    def numpy(self):
        return self.values


class ArrayRecord(dict):
    pass


class FedAvg:
    """Flower's strategy of this name, in both of its forms."""

    weighted_by_key = "num-examples"
    fraction_fit = 0.5

    def aggregate_fit(self, server_round, results, failures):
        if failures:
            return None, {}
        states, weights = zip(*((decoded(result.parameters), result.num_examples) for _, result in results))
        return encoded(average(states, weights)), {"round": server_round}

    def aggregate_train(self, server_round, replies):
        states, weights = [], []
        for reply in replies:
            if not reply.has_error():
                states.append({name: array.numpy() for name, array in reply.content.array_records["arrays"].items()})
                weights.append(reply.content.metric_records["metrics"][self.weighted_by_key])
        if not states:
            return None, None
        return ArrayRecord({name: Array(x) for name, x in average(states, weights).items()}), {"round": server_round}

    def start(self, rounds):
        return [self.aggregate_train(number, replies) for number, replies in rounds]


def reply(number, site, failed=False):
    content = SimpleNamespace(array_records={"arrays": {name: Array(x) for name, x in site.state().items()}},
                              metric_records={"metrics": {"num-examples": site.examples, "loss": 0.5}})
    return SimpleNamespace(content=None if failed else content, has_error=lambda: failed,
                           metadata=SimpleNamespace(src_node_id=number))


class PooledStrategyTest(Federated, unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.strategy = normd.federated.PooledStrategy(FedAvg(), self.statistics, NAMES)
        self.results = [(SimpleNamespace(cid=site.name),
                         SimpleNamespace(parameters=encoded(site.state()), num_examples=site.examples))
                        for site in self.sites]

    def test_aggregate_fit(self):
        plain, _ = FedAvg().aggregate_fit(1, self.results, [])
        for _ in range(2):
            parameters, metrics = self.strategy.aggregate_fit(1, self.results, [])
        self.assert_pool(decoded(parameters), self.sites)
        for name, other, tensor in zip(NAMES, plain.tensors, parameters.tensors):
            if "running" not in name:
                self.assertEqual(other, tensor, name)
        self.assertEqual((metrics, parameters.tensor_type), ({"round": 1}, "numpy.ndarray"))
        self.assertEqual((self.strategy.fraction_fit, self.statistics.sites()), (0.5, ["a", "b", "clinic-3"]))

    def test_a_round_that_is_discarded_contributes_nothing(self):
        self.assertEqual(self.strategy.aggregate_fit(1, self.results, [OSError()]), (None, {}))
        self.assertEqual(self.strategy.aggregate_train(1, [reply(4, self.sites[0], failed=True)]), (None, None))
        self.assertEqual(self.statistics.sites(), [])

    def test_names_that_do_not_fit(self):
        self.strategy.names.pop()
        with self.assertRaisesRegex(ValueError, "8 parameters and 7 names"):
            self.strategy.aggregate_fit(1, self.results, [])
        self.assertEqual(self.statistics.sites(), [])

    def test_messages(self):
        replies = [reply(4, self.sites[0]), reply(5, self.sites[2], failed=True), reply(6, self.sites[1])]
        (arrays, metrics), = self.strategy.start([(3, iter(replies))])
        self.assertIsInstance(arrays, ArrayRecord)
        self.assertEqual((list(arrays), metrics), (NAMES, {"round": 3}))
        self.assert_pool({name: array.numpy() for name, array in arrays.items()}, self.sites[:2])
        self.assertEqual(self.statistics.sites(), ["4", "6"])


if __name__ == "__main__":
    unittest.main()
