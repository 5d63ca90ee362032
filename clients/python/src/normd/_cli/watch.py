# SPDX-License-Identifier: MIT
"""A live view of a layer: its statistics, how fast they move, and its drift."""

from __future__ import annotations

import math
import sys
import time
from typing import Any, Optional

from .. import Layer
from ..errors import ApiError, Error, NotTrained
from ..types import Drift, Statistics
from .table import cell, counted, printable_lines, table, values_a_feature

_BARS = "▁▂▃▄▅▆▇█"
_POINTS = 40


def sparkline(values: list[float]) -> str:
    """The last values as bars, from the least to the greatest."""
    shown = [value for value in values[-_POINTS:] if math.isfinite(value)]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[int((value - low) * scale)] for value in shown)


class Watch:
    """What was seen so far, and how it looks."""

    def __init__(self, layer: Layer, top: int) -> None:
        self._layer = layer
        self._top = top
        self._means: list[float] = []
        self._deviations: list[float] = []
        self._before: Optional[tuple[float, int]] = None

    def look(self) -> str:
        """The view of this moment."""
        try:
            statistics, drift = self._layer.statistics(), self._drift()
        except NotTrained:
            return f"{self._layer.name}: not trained yet"
        return "\n".join([self._head(statistics), *self._lines(statistics), *self._drift_lines(drift)])

    def _drift(self) -> Optional[Drift]:
        try:
            return self._layer.drift(top=self._top)
        except NotTrained:
            raise
        except ApiError:
            return None  # a kind without running statistics has no drift

    def _head(self, statistics: Statistics) -> str:
        now = time.monotonic(), statistics.revision
        before, self._before = self._before, now
        rate = max(now[1] - before[1], 0) / (now[0] - before[0]) if before and now[0] > before[0] else 0.0
        count = "" if statistics.count is None else ", " + values_a_feature(statistics.count)
        batches = counted(statistics.num_batches_tracked, "batch", "batches")
        return f"{self._layer.name}: revision {statistics.revision}, {batches}{count}, {rate:.1f} changes a second"

    def _lines(self, statistics: Statistics) -> list[str]:
        means = [float(value) for value in statistics.running_mean]
        deviations = [math.sqrt(max(float(value), 0.0)) for value in statistics.running_var]
        self._means.append(sum(means) / max(len(means), 1))
        self._deviations.append(sum(deviations) / max(len(deviations), 1))
        rows: list[list[Any]] = [
            ["running mean", min(means, default=None), self._means[-1], max(means, default=None),
             sparkline(self._means)],
            ["running deviation", min(deviations, default=None), self._deviations[-1],
             max(deviations, default=None), sparkline(self._deviations)]]
        return ["", table(["over the features", "least", "mean", "greatest", "over time"], rows)]

    def _drift_lines(self, drift: Optional[Drift]) -> list[str]:
        if drift is None:
            return []
        rows = [[f["index"], f["verdict"], f["divergence"], f["mean_shift"], f["variance_ratio"]]
                for f in drift["features"]]
        if drift["since"] is None:
            return ["", "drift: inference has read nothing yet"]
        lines = ["", f"drift: {drift['verdict']} ({values_a_feature(drift['count'])} since {drift['since']})"]
        return lines + ([table(["feature", "verdict", "divergence", "mean shift", "variance ratio"], rows)]
                        if rows else [])


def watch(layer: Layer, interval_s: float, top: int, looks: int) -> None:
    """
    Looks every `interval_s`, `looks` times (0: until interrupted). On a terminal each view replaces the last. What
    fails after the first view is shown instead of it: the daemon may come back.
    """
    view = Watch(layer, top)
    terminal = sys.stdout.isatty()
    made = 0
    while True:
        try:
            text = printable_lines(view.look())
        except Error as error:
            if not made:
                raise
            text = cell(str(error))
        print(f"\x1b[H\x1b[J{text}" if terminal else text + "\n", flush=True)
        made += 1
        if looks and made >= looks:
            return
        time.sleep(interval_s)
