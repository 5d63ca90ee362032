# SPDX-License-Identifier: MIT
"""The normalizations written down a second time, in exact rational arithmetic as far as it goes:
what the daemon is held against."""

import itertools
import math
import struct
from decimal import Decimal
from fractions import Fraction


def f32(x):
    """The float32 nearest to a float."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def ulp32(x):
    """The distance of the float32 values around x."""
    exponent = math.frexp(x)[1] if x else -125
    return math.ldexp(1.0, max(exponent, -125) - 24)


def flatten(nested):
    if not isinstance(nested, list):
        return [nested]
    return list(itertools.chain.from_iterable(map(flatten, nested)))


def nest(flat, shape):
    if len(shape) == 1:
        return list(flat)
    step = math.prod(shape[1:])
    return [nest(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def channel_of(i, shape, axis):
    """The coordinate, in dimension `axis`, of the value at place i of the flat row-major data."""
    axis %= len(shape)
    return i // math.prod(shape[axis + 1 :]) % shape[axis]


def moments(values):
    """The exact mean and biased variance, as fractions."""
    exact = [Fraction(x) for x in values]
    mean = sum(exact) / len(exact)
    return mean, sum((x - mean) ** 2 for x in exact) / len(exact)


def channel_moments(data, shape, axis=1):
    """Per channel, the exact (mean, biased variance)."""
    channels = [[] for _ in range(shape[axis])]
    for i, x in enumerate(data):
        channels[channel_of(i, shape, axis)].append(x)
    return [moments(c) for c in channels]


def normalized(x, mean, var, eps, weight=1.0, bias=0.0):
    """(x - mean) / sqrt(var + eps) * weight + bias, exact but for the root and one rounding."""
    root = math.sqrt(Fraction(var) + Fraction(eps))
    return float((Fraction(x) - Fraction(mean)) / Fraction(root) * Fraction(weight) + Fraction(bias))


def batch_norm(data, shape, axis, stats, eps, weight=None, bias=None):
    """Normalized by stats, a list of (mean, var) per channel."""
    out = []
    for i, x in enumerate(data):
        c = channel_of(i, shape, axis)
        out.append(normalized(x, *stats[c], eps, weight[c] if weight else 1.0, bias[c] if bias else 0.0))
    return out


def layer_norm(data, size, eps, weight=None, bias=None):
    out = []
    for start in range(0, len(data), size):
        row = data[start : start + size]
        mean, var = moments(row)
        for j, x in enumerate(row):
            out.append(normalized(x, mean, var, eps, weight[j] if weight else 1.0, bias[j] if bias else 0.0))
    return out


def shortest32(x):
    """The decimal with the fewest digits that reads back to this float32, and of those the nearest."""
    if x == 0:
        return Decimal(0)
    exact = Decimal(x)
    for digits in range(1, 10):
        unit = Decimal(1).scaleb(exact.adjusted() - digits + 1)
        middle = exact.quantize(unit) if exact.adjusted() - digits + 1 > -80 else exact
        near = [c for c in (middle - unit, middle, middle + unit) if f32(float(c)) == x]
        if near:
            return min(near, key=lambda c: abs(c - exact)).normalize()
    raise AssertionError(x)


class Averaging:
    """Running statistics of one layer by the book, in fractions."""

    def __init__(self, features, momentum=0.1, averaging="exponential", ddof=1):
        self.momentum, self.averaging, self.ddof = Fraction(momentum), averaging, ddof
        self.mean, self.var, self.batches = [Fraction(0)] * features, [Fraction(1)] * features, 0
        self.seen = [[] for _ in range(features)]

    def train(self, data, shape, axis=1):
        self.batches += 1
        for c, (mean, var) in enumerate(channel_moments(data, shape, axis)):
            values = [x for i, x in enumerate(data) if channel_of(i, shape, axis) == c]
            self.seen[c] += values
            var = var * len(values) / (len(values) - self.ddof)
            if self.averaging == "pooled":
                n = len(self.seen[c])
                mean, var = moments(self.seen[c])
                self.mean[c], self.var[c] = mean, var * n / (n - self.ddof)
                continue
            weight = self.momentum if self.averaging == "exponential" else Fraction(1, self.batches)
            self.mean[c] += (mean - self.mean[c]) * weight
            self.var[c] += (var - self.var[c]) * weight
