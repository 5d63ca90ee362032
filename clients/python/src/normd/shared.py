# SPDX-License-Identifier: MIT
"""A scaler that many workers share, without counting anything twice.

Each worker keeps the totals of what it has seen itself: count, mean and variance. It sends these, not what was added
since the last time, as a named source of the layer. So sending them again, after whatever failure, changes nothing, and
the layer's statistics are the exact pool of all workers.

    import normd, normd.shared

    client = normd.Client("http://127.0.0.1:8080")
    scaler = normd.shared.SharedScaler(client.model("robots").layer("obs"), 17, worker="robot-7")
    scaler.partial_fit(observations)     # in memory
    scaler.push()                        # may fail, and may be called again
    y = scaler.transform(observations)   # by what all workers have pushed
"""

from __future__ import annotations

import math
import os
import time
from typing import Any

import numpy

from ._moments import Moments, moments_of
from ._retries import new_key
from ._sync.layer import Layer
from .types import Statistics


class SharedScaler:
    """One worker's part of a shared scaler, for one thread.

    The source's name is ``worker`` and a random part, so that a worker that is started again, and has lost its totals,
    takes a new name; what it had pushed stays in the pool. A forked or unpickled copy begins with nothing under a name
    of its own, too. The layer is created if it does not exist: ``eps`` is added to the variance, deviations below
    ``min_std`` are not divided by. ``transform`` reads the pool when what it has is older than ``refresh_s`` seconds.
    """

    def __init__(self, layer: Layer, num_features: int, *, worker: str = "worker", refresh_s: float = 1.0,
                 eps: float = 1e-8, min_std: float | None = None) -> None:
        self.layer = layer
        self.worker = worker
        self.num_features = num_features
        self.refresh_s, self.eps, self.min_std = refresh_s, eps, min_std
        self._begin()
        layer.create("batch_norm", num_features=num_features, averaging="pooled", normalize_by="running", affine=False,
                     eps=eps, min_std=min_std)

    def _begin(self) -> None:
        self.source = f"{self.worker}.{new_key()}"
        self._totals, self._pushed = Moments(0, (self.num_features,)), 0.0
        self._pool: Statistics | None = None
        self._read_s = -math.inf
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_") and name != "source"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def __enter__(self) -> SharedScaler:
        return self

    def __exit__(self, *error: object) -> None:
        self.push()

    @property
    def totals(self) -> Moments:
        """What this worker has seen: ``mean``, ``var`` (biased) and ``count``."""
        if self._process != os.getpid():
            self._begin()  # in a forked process; the totals are its parent's to push
        return self._totals

    def partial_fit(self, X: Any) -> SharedScaler:
        """Adds rows of (samples, features) to the worker's totals, in memory. A NaN is a ValueError, and adds nothing.
        """
        X = numpy.asarray(X)
        if X.ndim != 2 or X.shape[1] != self.num_features:
            raise ValueError(f"X must be of shape (samples, {self.num_features}), and its shape is {X.shape}")
        self.totals.update_from_moments(*moments_of(X))
        return self

    def push(self) -> None:
        """Sends the worker's totals, if there are new ones. Harmless to repeat, whatever the failure was."""
        totals = self.totals
        if totals.count > self._pushed:
            self.layer.put_source(self.source, int(totals.count), totals.mean, totals.var)
            self._pushed = totals.count

    def refresh(self) -> Statistics:
        """Reads the pool of all workers now."""
        self._pool = self.layer.statistics(version="live")
        self._read_s = time.monotonic()
        return self._pool

    @property
    def pool(self) -> Statistics:
        """The pool of all workers, at most ``refresh_s`` seconds old: ``running_mean``, ``running_var``, ``count``."""
        if self._pool is None or time.monotonic() - self._read_s > self.refresh_s:
            return self.refresh()
        return self._pool

    def transform(self, X: Any) -> Any:
        """X normalized in memory by the pool of all workers: float64 of the same shape. Nothing is sent."""
        pool = self._seen()
        return (self._features(X) - pool.running_mean) / self._scale(pool)

    def inverse_transform(self, X: Any) -> Any:
        """Normalized values mapped back."""
        pool = self._seen()
        return self._features(X) * self._scale(pool) + pool.running_mean

    def _features(self, X: Any) -> Any:
        """X as an array, if its last dimension is the features: another would be broadcast."""
        x = numpy.asarray(X)
        if x.shape[-1:] != (self.num_features,):
            raise ValueError(f"the last dimension of X must be the {self.num_features} features, and its shape is "
                             f"{x.shape}")
        return x

    def _seen(self) -> Statistics:
        pool = self.pool
        if not pool.count:
            raise ValueError(f"no worker has pushed anything to {self.layer!r} yet")
        return pool

    def _scale(self, pool: Statistics) -> Any:
        narrow = numpy.sqrt(pool.running_var) < (self.min_std or 0.0)
        return numpy.where(narrow, 1.0, numpy.sqrt(pool.running_var + self.eps))
