# SPDX-License-Identifier: MIT
"""Normalization statistics in federated averaging.

Federated averaging takes the mean of what the sites send. That is wrong for variances: how far the sites' means lie
apart belongs to the variance of the whole. Here each site's statistics are a source of a layer in normd, which pools
them exactly, and from which a site can be taken out again, as if it had never been there.

    import normd, normd.federated

    client = normd.Client("http://127.0.0.1:8080")
    statistics = normd.federated.FederatedStatistics(client.model("federation"))
    for site, (state, examples) in round_results.items():    # state_dicts, arrays by name
        statistics.contribute(site, state, examples)
    averaged = statistics.pull(averaged)                     # running_mean and running_var are the pool's now
    statistics.remove("clinic-3")                            # this site withdraws

With Flower: ``PooledStrategy(FedAvg(), statistics, names=list(network.state_dict()))``.

FedBN leaves normalization to each site: then do not pull, or give each site a model of its own in normd.
"""

from __future__ import annotations

import copy
import io
from typing import Any, Iterable, Iterator, Mapping, Sequence, Union

import numpy

from . import _tensors
from ._moments import numbers
from ._sync.model import Model
from .errors import NoSuchLayer, NoSuchModel, NoSuchSource, SourceWentBack

_MEAN, _VAR = ".running_mean", ".running_var"
Counts = Union[int, Mapping[str, int]]


class FederatedStatistics:
    """The pooled running statistics of all sites, in the layers of a model.

    Layers have the names that precede ``.running_mean`` in a ``state_dict``. ``eps`` is that of layers that must be
    created. Variances go in and come back as they are; PyTorch's are unbiased, others not.
    """

    def __init__(self, model: Model, *, eps: float = 1e-5) -> None:
        self.model = model
        self.eps = eps

    def contribute(self, site: str, state: Mapping[str, Any], count: Counts) -> None:
        """Puts a site's statistics in the place of those that it contributed before.

        ``state`` has arrays or tensors by name; what is no running statistic is passed over. ``count`` is the weight of
        the site: how many values per feature are behind its statistics, or how many examples; by layer if they
        differ. Harmless to repeat after any failure. A NaN or a negative variance is a ValueError, before
        anything is sent.
        """
        found = list(_layers(state))
        if not found:
            raise ValueError(f'site {site!r}: no name ends in "{_MEAN}", so there is nothing to contribute')
        weights = {layer: count[layer] if isinstance(count, Mapping) else count for layer, _, _ in found}
        for layer, mean, var in found:
            if mean.shape != var.shape or not (numpy.isfinite(mean).all() and numpy.isfinite(var).all()):
                raise ValueError(f"site {site!r}: the statistics of {layer!r} must be finite, and as many means as "
                                 f"variances: {len(mean)} and {len(var)}")
            if (var < 0).any():
                raise ValueError(f"site {site!r}: a variance of {layer!r} is negative")
        for layer, mean, var in found:
            self._put(layer, site, weights[layer], mean, var)

    def _put(self, name: str, site: str, count: int, mean: Any, var: Any) -> None:
        layer = self.model.layer(name)
        try:
            layer.put_source(site, count, mean, var)
        except (NoSuchLayer, NoSuchModel):
            layer.create("batch_norm", num_features=len(mean), averaging="pooled", affine=False, eps=self.eps)
            layer.put_source(site, count, mean, var)
        except SourceWentBack:  # a round with fewer examples than the one before
            layer.delete_source(site)
            layer.put_source(site, count, mean, var)

    def remove(self, site: str) -> None:
        """Takes out all that a site has contributed: the pool is then that of the others. Harmless to repeat."""
        for name in self._names():
            try:
                self.model.layer(name).delete_source(site)
            except NoSuchSource:
                pass

    def sites(self) -> list[str]:
        """The names of all sites that are in the pool."""
        return sorted({entry["source"] for name in self._names() for entry in self.model.layer(name).sources()})

    def pull(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """``state`` with the pool's statistics in place of its own, as arrays or tensors of the same kind, shape and
        type. What no site has contributed stays as it is."""
        pulled = dict(state)
        for layer, _, _ in _layers(state):
            try:
                pool = self.model.layer(layer).statistics(version="live")
            except (NoSuchLayer, NoSuchModel):
                continue
            if pool.count:
                pulled[layer + _MEAN] = _like(state[layer + _MEAN], pool.running_mean)
                pulled[layer + _VAR] = _like(state[layer + _VAR], pool.running_var)
        return pulled

    def _names(self) -> list[str]:
        try:
            return [layer["name"] for layer in self.model.layers() if layer["definition"].get("averaging") == "pooled"]
        except NoSuchModel:
            return []


def _layers(state: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The layers with running statistics: name, mean and variance in float64."""
    for name in state:
        layer = name[:-len(_MEAN)]
        if name.endswith(_MEAN) and layer + _VAR in state:
            mean, var = (numbers(state[layer + member]).astype(numpy.float64) for member in (_MEAN, _VAR))
            yield layer, mean.reshape(-1), var.reshape(-1)


def _like(old: Any, values: Any) -> Any:
    found = _tensors.values(old)
    if found is None:
        return values.tolist()
    return found.restore(values.astype(found.array.dtype).reshape(found.array.shape))


class PooledStrategy:
    """A strategy of Flower that averages as another, such as FedAvg, and pools the running statistics.

    Sites are named by their client's ``cid``, or by the node's number in strategies of messages; their weights are the
    numbers of examples. ``names`` are those of the parameters in their order, which ``aggregate_fit`` does not say. All
    else is the other strategy's.
    """

    def __init__(self, strategy: Any, statistics: FederatedStatistics, names: Sequence[str] = ()) -> None:
        self.strategy, self.statistics, self.names = strategy, statistics, list(names)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "strategy":
            raise AttributeError(name)
        return getattr(self.strategy, name)

    def start(self, *arguments: Any, **options: Any) -> Any:
        """The other strategy's rounds, with this one's aggregation."""
        return type(self.strategy).start(self, *arguments, **options)

    def aggregate_fit(self, server_round: int, results: list[tuple[Any, Any]],
                      failures: list[Any]) -> tuple[Any, dict[str, Any]]:
        """Contributes each result's statistics, and returns the average with the pool's."""
        parameters, metrics = self.strategy.aggregate_fit(server_round, results, failures)
        if parameters is None:  # the round is discarded
            return None, metrics
        for client, result in results:
            self.statistics.contribute(client.cid, self._decoded(result.parameters), result.num_examples)
        pooled = self.statistics.pull(self._decoded(parameters))
        aggregated = copy.copy(parameters)
        aggregated.tensors = [_encode(pooled[name]) if name in pooled else tensor
                              for name, tensor in zip(self.names, parameters.tensors)]
        return aggregated, metrics

    def aggregate_train(self, server_round: int, replies: Iterable[Any]) -> tuple[Any, Any]:
        """The same for strategies of messages, whose arrays have names."""
        replies = list(replies)
        arrays, metrics = self.strategy.aggregate_train(server_round, replies)
        if arrays is None:
            return None, metrics
        for reply in replies:
            if not reply.has_error():
                record, = reply.content.array_records.values()
                weights, = reply.content.metric_records.values()
                self.statistics.contribute(str(reply.metadata.src_node_id), _arrays(record),
                                           int(weights[self.strategy.weighted_by_key]))
        pooled = self.statistics.pull(_arrays(arrays))
        return type(arrays)({name: type(array)(pooled[name]) if name in pooled else array
                             for name, array in arrays.items()}), metrics

    def _decoded(self, parameters: Any) -> dict[str, Any]:
        """The running statistics among the parameters, which are .npy files."""
        if len(parameters.tensors) != len(self.names):
            raise ValueError(f"there are {len(parameters.tensors)} parameters and {len(self.names)} names: names must "
                             f"be those of the state_dict, in its order")
        return {name: numpy.load(io.BytesIO(tensor), allow_pickle=False)
                for name, tensor in zip(self.names, parameters.tensors) if name.endswith((_MEAN, _VAR))}


def _encode(array: Any) -> bytes:
    file = io.BytesIO()
    numpy.save(file, array, allow_pickle=False)
    return file.getvalue()


def _arrays(record: Any) -> dict[str, Any]:
    return {name: array.numpy() for name, array in record.items() if name.endswith((_MEAN, _VAR))}
