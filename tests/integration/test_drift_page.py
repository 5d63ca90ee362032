# SPDX-License-Identifier: MIT
"""docs/DRIFT.md: its table and its numbers, by the daemon and by the definitions."""

import math
import re

import numpy

from normd import ClientTest
from scores import SCORES, scores
from tables import read

COLUMNS = ("js_distance", "divergence", "wasserstein")


def rows():
    """The table of shifts: (mean, deviation, scores as they are written, verdict)."""
    found = re.findall(r"^\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| `(\w+)` \|$",
                       read("docs/DRIFT.md"), re.M)
    return [(float(mean), float(deviation), told, verdict) for mean, deviation, *told, verdict in found]


class Page(ClientTest):
    def test_the_table_of_shifts(self):
        """Three digits of each score. The daemon is told of values that have just these moments."""
        self.assertEqual(len(rows()), 12)
        self.put_layer("bn", {"kind": "batch_norm", "datatype": "FP64"})
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [0], "running_var": [1]})
        for mean, deviation, told, verdict in rows():
            body = {"data": [[mean - deviation], [mean + deviation]] * 50}
            found = self.ask("POST", self.path("bn", "report"), body).json["features"][0]
            exact = scores(mean, deviation**2, 0, 1)
            for score in SCORES:
                self.assertAlmostEqual(found[score], exact[score], delta=1e-7, msg=(mean, deviation, score))
            self.assertEqual([f"{found[score]:.3g}" if found[score] > 1e-7 else "0" for score in COLUMNS], told)
            self.assertEqual(found["verdict"], verdict, (mean, deviation))

    def test_thresholds_are_a_third_and_half_a_deviation(self):
        self.assertAlmostEqual(math.sqrt(0.1), 1 / 3, delta=0.02)
        self.assertEqual(scores(0.5, 1, 0, 1)["mean_shift"], math.sqrt(0.25))

    def test_what_chance_does(self):
        """1 % of features at 100 values, 0.01 % at 200."""
        generator = numpy.random.default_rng(5)
        for n, expected, features in ((100, 1e-2, 20000), (200, 1e-4, 200000)):
            above = 0
            for _ in range(features // 5000):
                x = generator.standard_normal((n, 5000), "<f4").astype("<f8")
                mean, var = x.mean(0), x.var(0)
                above += (((1 - var)**2 / var + mean**2 * (1 + 1 / var)) / 2 >= 0.1).sum()
            self.assertLess(abs(math.log(above / features / expected)), math.log(1.6), (n, above / features))

    def test_p_values(self):
        """The page's two: by the distance of the mean in deviations of a mean of n values."""
        page = read("docs/DRIFT.md")
        for n, shift, p, said in ((10**6, 0.01, 1.5e-23, "10⁻²³"), (10, 1 / 3, 0.29, "a third of a deviation has 0.3")):
            self.assertAlmostEqual(math.erfc(shift * math.sqrt(n) / math.sqrt(2)), p, delta=0.05 * p)
            self.assertIn(said, " ".join(page.split()))
