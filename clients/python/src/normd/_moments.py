# SPDX-License-Identifier: MIT
"""Running moments in memory: what workers keep between two calls of normd."""

from __future__ import annotations

from typing import Any

import numpy

Array = numpy.ndarray[Any, Any]


def numbers(x: Any) -> Array:
    """``x`` as an array of real numbers. Others, such as complex numbers, dates and texts, are a ValueError."""
    array = numpy.asarray(x)
    if array.dtype.kind == "O":
        array = array.astype(numpy.float64)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"expected real numbers, and got an array of {array.dtype}")
    return array


def moments_of(x: Any) -> tuple[Any, Any, int]:
    """The mean, biased variance and count of the rows of ``x``, an array of (count, ...), in float64.

    Values are taken as differences from the first row: so a constant has exactly the variance 0, and values far from 0
    keep their digits. NaN and infinity are a ValueError, since they would stay in the statistics for ever.
    """
    x = numbers(x)
    if x.ndim == 0:
        raise ValueError("expected rows of values, an array of at least 1 dimension, and this is a single number")
    if len(x) == 0:
        return numpy.zeros(x.shape[1:]), numpy.zeros(x.shape[1:]), 0
    with numpy.errstate(invalid="ignore", over="ignore"):  # an error of its own follows
        first = x[0].astype(numpy.float64)
        difference = numpy.subtract(x, first, dtype=numpy.float64)
        mean, var = first + difference.mean(axis=0), difference.var(axis=0)
    if not numpy.isfinite(var).all():
        where = ", ".join(str(int(i)) for i in numpy.flatnonzero(~numpy.isfinite(var))[:10])
        raise ValueError(f"there is a NaN or an infinity, or the variance overflows, in feature {where}: "
                         f"statistics are of finite values, so nothing was added")
    return mean, var, len(x)


class Moments:
    """Mean, biased variance and count of values per feature, begun with mean 0 and variance 1 as if these had been seen
    ``epsilon`` times. Batches are merged exactly (Chan, Golub and LeVeque 1983)."""

    def __init__(self, epsilon: float = 0, shape: tuple[int, ...] = ()) -> None:
        self.mean: Any = numpy.zeros(shape)
        self.var: Any = numpy.ones(shape)
        self.count = epsilon

    def update(self, x: Any) -> None:
        """Adds the rows of ``x``."""
        self.update_from_moments(*moments_of(x))

    def update_from_moments(self, batch_mean: Any, batch_var: Any, batch_count: float) -> None:
        """Adds a batch of which only the moments are known. A sum that is not finite is a ValueError, and adds nothing.
        """
        total = self.count + batch_count
        if batch_count == 0:
            return
        with numpy.errstate(invalid="ignore", over="ignore"):  # an error of its own follows
            delta, share = batch_mean - self.mean, batch_count / total
            m2 = self.var * self.count + batch_var * batch_count + delta * (delta * (self.count * share))
        if not numpy.isfinite(m2).all():
            raise ValueError("the variance with this batch would not be finite, so nothing was added")
        self.mean, self.var, self.count = self.mean + delta * share, m2 / total, total

    def combine(self, other: Any) -> None:
        """Adds what another object has seen, which has ``mean``, ``var`` and ``count``."""
        self.update_from_moments(other.mean, other.var, other.count)

    def copy(self) -> Moments:
        """The same moments, independent of these."""
        other = Moments()
        other.mean, other.var, other.count = numpy.array(self.mean), numpy.array(self.var), self.count
        return other
