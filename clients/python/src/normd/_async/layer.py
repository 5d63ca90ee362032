# SPDX-License-Identifier: MIT
"""A layer: what it normalizes, and its statistics, parameters, sources and drift.

A tensor is a NumPy array, a torch tensor, anything that has ``__array__``, or a nested list of numbers. The answer's is
of the same kind, shape and datatype. Arrays are sent from their own memory, and an answer's array is over the memory
that it was read into; with ``copy=True`` it has memory of its own.

Do not change an array before its call returns: the call may have to send it again. Other values are then
IdempotencyMismatch if the first ones were counted, and are counted in their place if they were not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Mapping, Sequence

from .. import _calls
from .._calls import UNSET, Unset, present
from .._request import segment
from .._tensors import flat_list
from ..types import (Affine, Counts, Drift, Gradients, HistoryEntry, Inferred, Parameters, Report, Source, SourceEntry,
                     Statistics, Sync, Trained, VersionName)

if TYPE_CHECKING:
    from .client import AsyncClient


class AsyncLayer:
    """A normalization layer of a model. Made by ``Model.layer``."""

    def __init__(self, client: AsyncClient, model: str, name: str) -> None:
        self._client = client
        self._path = _calls.layer_path(model, name)
        self._model = model
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model!r}, {self.name!r})"

    # ---- the layer itself

    async def create(self, kind: str, *, convention: str | Unset = UNSET, num_features: int | None | Unset = UNSET,
                     normalized_shape: int | Sequence[int] | Unset = UNSET, num_groups: int | Unset = UNSET,
                     num_channels: int | Unset = UNSET, eps: float | None | Unset = UNSET,
                     momentum: float | None | Unset = UNSET, affine: bool | Unset = UNSET,
                     track_running_stats: bool | Unset = UNSET, elementwise_affine: bool | Unset = UNSET,
                     bias: bool | Unset = UNSET, averaging: str | Unset = UNSET, half_life: float | Unset = UNSET,
                     channel_axis: int | Unset = UNSET, unbiased_running_var: bool | Unset = UNSET,
                     virtual_batch_size: int | None | Unset = UNSET, shuffle: bool | Unset = UNSET,
                     renorm: Mapping[str, float] | None | Unset = UNSET, normalize_by: str | Unset = UNSET,
                     with_mean: bool | Unset = UNSET, min_std: float | None | Unset = UNSET,
                     clip: float | None | Unset = UNSET, datatype: str | Unset = UNSET) -> dict[str, Any]:
        """Creates the layer, and the model if this is its first; returns the definition with every default filled in.

        ``kind`` is ``batch_norm``, ``layer_norm``, ``instance_norm``, ``group_norm`` or ``rms_norm``. The other names
        are PyTorch's; ``convention`` ("pytorch", "keras", "flax", "onnx") sets their defaults and what ``momentum``
        weighs. A layer that exists with the same definition is left as it is; with another, it is LayerDiffers.
        """
        members = {name: value for name, value in locals().items()
                   if name != "self" and not isinstance(value, Unset)}
        if isinstance(normalized_shape, Sequence):
            members["normalized_shape"] = list(normalized_shape)
        document: dict[str, Any] = await self._client._send(_calls.put(self._path, members))
        return document

    async def definition(self, *, version: VersionName | None = None) -> dict[str, Any]:
        """The definition with every default filled in, and whether the layer is frozen."""
        document: dict[str, Any] = await self._client._send(_calls.get(self._path, _text(version=version)))
        return document

    async def delete(self, *, if_match: int | None = None) -> None:
        """Deletes the layer, its parameters and statistics; if it has revision ``if_match``, where that is given."""
        await self._client._send(_calls.delete(self._path, if_match))

    # ---- tensors

    async def train(self, x: Any, *, output: bool = True, lengths: Any = None, mask: Any = None,
                    seed: int | None = None, sync: Sync | None = None, source: str | None = None,
                    key: str | int | None = None, copy: bool = False) -> Trained:
        """Normalizes a batch and updates the running statistics, once and durably.

        The call has one Idempotency-Key, however often it must be sent. Pass ``key``, such as a step's number, if the
        caller itself may be started again: the same key with the same batch gets the first answer. ``output=False``
        leaves out the normalized batch. ``lengths`` (one number per sample) or ``mask`` say what is not padding.
        ``source`` adds the batch to that source's totals. ``sync`` makes it one shard of a synchronized batch, which
        is named by its step instead of a key; such a call is not sent again if its answer is lost.
        """
        return await self._client._send(_calls.train(
            self._path, x, output=output, lengths=lengths, mask=mask, seed=seed, sync=sync, source=source, key=key,
            copy=copy))

    async def infer(self, x: Any, *, version: VersionName | None = None, inverse: bool = False, lengths: Any = None,
                    mask: Any = None, expect: str | None = None, copy: bool = False) -> Inferred:
        """Normalizes by the running statistics, of what serves or of ``version``; of kinds that keep none, by the
        sample's own. Changes nothing.

        ``inverse=True`` maps normalized values back. With ``expect``, a digest, any other state is StateMismatch.
        """
        return await self._client._send(_calls.infer(
            self._path, x, version=version, inverse=inverse, lengths=lengths, mask=mask, expect=expect, copy=copy))

    async def backward(self, x: Any, grad_output: Any, *, mode: str = "train", lengths: Any = None, mask: Any = None,
                       seed: int | None = None, sync: Sync | None = None, copy: bool = False) -> Gradients:
        """The gradients by the input, the weight and the bias, of shapes as theirs. ``mode`` is that of the forward
        pass: ``train`` (by the batch's own moments) or ``infer``. Changes nothing."""
        return await self._client._send(_calls.backward(
            self._path, x, grad_output, mode=mode, lengths=lengths, mask=mask, seed=seed, sync=sync, copy=copy))

    # ---- statistics

    async def statistics(self, *, version: VersionName | None = None) -> Statistics:
        """The running statistics, and the digest of the layer's state."""
        return await self._client._send(_calls.statistics(self._path, version))

    async def put_statistics(self, running_mean: Any, running_var: Any, num_batches_tracked: int = 0, *,
                             count: float | None = None, if_match: int | None = None) -> Statistics:
        """Imports running statistics. Layers with ``pooled`` or ``decayed`` averaging need ``count``, the number of
        values per feature behind them."""
        return await self._client._send(_calls.statistics_put(
            self._path, running_mean, running_var, num_batches_tracked, count, if_match))

    async def reset_statistics(self, *, if_match: int | None = None) -> Statistics:
        """Resets the running statistics to 0, 1, 0."""
        return await self._client._send(_calls.statistics_reset(self._path, if_match))

    async def merge(self, count: int, mean: Any, var: Any, *, key: str | int | None = None) -> Counts:
        """Applies moments that the caller computed as one training batch: the number of values per feature, their mean
        and biased variance. ``key`` as for ``train``."""
        return await self._client._send(_calls.counts(_calls.post(
            self._path + "/statistics/merge", _calls.moments(count, mean, var), key=key, keyed=True)))

    async def history(self) -> AsyncIterator[HistoryEntry]:
        """What the statistics were like over time, the latest first."""
        async for entry in self._client._pages(self._path + "/history", "history"):
            yield entry

    async def frozen(self) -> bool:
        """Whether nothing may move the statistics."""
        return bool(await self._client._send(_calls.member(_calls.get(self._path + "/frozen"), "frozen")))

    async def freeze(self, *, if_match: int | None = None) -> int:
        """Nothing moves the statistics from now on; ``train`` normalizes by them. Returns the revision."""
        return await self._set_frozen(True, if_match)

    async def thaw(self, *, if_match: int | None = None) -> int:
        """Ends what ``freeze`` began. Returns the revision."""
        return await self._set_frozen(False, if_match)

    # ---- parameters

    async def parameters(self, *, version: VersionName | None = None) -> Parameters:
        """The learned weight and bias."""
        return await self._client._send(_calls.parameters(
            _calls.get(self._path + "/parameters", _text(version=version))))

    async def put_parameters(self, *, weight: Any = None, bias: Any = None,
                             if_match: int | None = None) -> Parameters:
        """Replaces the weight and the bias. One that is not given gets its default, 1 or 0."""
        given = {name: flat_list(value) for name, value in present(weight=weight, bias=bias).items()}
        return await self._client._send(_calls.parameters(
            _calls.put(self._path + "/parameters", given, if_match)))

    async def affine(self, *, version: VersionName | None = None) -> Affine:
        """Inference folded to ``y = x * scale + shift``, to normalize without normd."""
        return await self._client._send(_calls.affine(self._path, version))

    # ---- sources

    async def put_source(self, source: str, count: int, mean: Any, var: Any, *,
                         if_match: int | None = None) -> Counts:
        """Replaces a source's totals (biased variance): safe to send again, and independent of the order of arrival.

        Fewer values than before are SourceWentBack: a worker that starts from zero takes a new name."""
        return await self._client._send(_calls.counts(_calls.put(
            self._source_path(source), _calls.moments(count, mean, var), if_match)))

    async def source(self, source: str) -> Source:
        """A source's totals."""
        return await self._client._send(_calls.source(self._source_path(source)))

    async def sources(self) -> AsyncIterator[SourceEntry]:
        """All sources, each with its distance from the pool."""
        async for entry in self._client._pages(self._path + "/statistics/sources", "sources"):
            yield entry

    async def delete_source(self, source: str, *, if_match: int | None = None) -> None:
        """Removes exactly what the source has contributed."""
        await self._client._send(_calls.delete(self._source_path(source), if_match))

    async def compact_sources(self, sources: Sequence[str], *, key: str | int | None = None) -> Counts:
        """Folds finished sources into the part of the statistics that has no source."""
        return await self._client._send(_calls.counts(_calls.post(
            self._path + "/statistics/sources/compact", _calls.names(sources), key=key, keyed=True)))

    # ---- drift

    async def drift(self, *, version: VersionName | None = None, top: int | None = None, possible: float | None = None,
                    drift: float | None = None, min_count: int | None = None) -> Drift:
        """Compares what inference has read since the window began with the running statistics.

        ``top`` is the number of features to show (10). ``possible`` and ``drift`` are the divergences from which on
        the verdict is so (0.1, 0.25). With fewer than ``min_count`` values (100) it is ``too_few``.
        """
        found: Drift = await self._client._send(_calls.get(
            self._path + "/drift",
            _text(version=version, top=top, possible=possible, drift=drift, min_count=min_count)))
        return found

    async def reset_drift(self, *, if_match: int | None = None) -> None:
        """Begins a new window."""
        await self._client._send(_calls.delete(self._path + "/drift", if_match))

    async def report(self, x: Any, *, version: VersionName | None = None, top: int | None = None,
                     possible: float | None = None, drift: float | None = None, min_count: int | None = None,
                     lengths: Any = None, mask: Any = None) -> Report:
        """Compares data in hand with the running statistics, before training or serving. NaN and infinity are counted.
        Changes nothing. Options as for ``drift``."""
        found: Report = await self._client._send(_calls.report(
            self._path, x, version=version, top=top, possible=possible, drift=drift, min_count=min_count,
            lengths=lengths, mask=mask))
        return found

    async def _set_frozen(self, frozen: bool, if_match: int | None) -> int:
        return int(await self._client._send(
            _calls.member(_calls.put(self._path + "/frozen", {"frozen": frozen}, if_match), "revision")))

    def _source_path(self, source: str) -> str:
        return f"{self._path}/statistics/sources/{segment(source, 'source')}"


def _text(**query: Any) -> dict[str, str]:
    return {name: str(value) for name, value in present(**query).items()}
