# SPDX-License-Identifier: MIT
"""The scores of drift and of sources, by their definitions: integrals over two normal densities, summed finely."""

import math

import numpy

SCORES = ("mean_shift", "variance_ratio", "js_distance", "divergence", "wasserstein")


def log_density(x, mean, var):
    return -(x - mean)**2 / (2 * var) - math.log(2 * math.pi * var) / 2


def grid(mean_w, var_w, mean_t, var_t):
    """Points 12 deviations around both means, for variances of similar size; and their distance."""
    reach = 12 * math.sqrt(max(var_w, var_t))
    x = numpy.linspace(min(mean_w, mean_t) - reach, max(mean_w, mean_t) + reach, 40001)
    return x, x[1] - x[0]


def js_distance(mean_w, var_w, mean_t, var_t):
    x, step = grid(mean_w, var_w, mean_t, var_t)
    log_p, log_q = log_density(x, mean_w, var_w), log_density(x, mean_t, var_t)
    log_m = numpy.logaddexp(log_p, log_q) - math.log(2)
    integrand = (numpy.exp(log_p) * (log_p - log_m) + numpy.exp(log_q) * (log_q - log_m)) / 2
    return math.sqrt(max(0, integrand.sum() * step / math.log(2)))


def divergence(mean_w, var_w, mean_t, var_t):
    """∫ (p - q) ln(p/q)"""
    x, step = grid(mean_w, var_w, mean_t, var_t)
    log_p, log_q = log_density(x, mean_w, var_w), log_density(x, mean_t, var_t)
    return ((numpy.exp(log_p) - numpy.exp(log_q)) * (log_p - log_q)).sum() * step


def wasserstein(mean_w, var_w, mean_t, var_t):
    """√∫ (F⁻¹ - G⁻¹)², over the quantiles: u = Φ(z), and du is the standard density of z."""
    z = numpy.linspace(-12, 12, 40001)
    gap = mean_w - mean_t + z * (math.sqrt(var_w) - math.sqrt(var_t))
    return math.sqrt((gap**2 * numpy.exp(log_density(z, 0, 1))).sum() * (z[1] - z[0]) / var_t)


def scores(mean_w, var_w, mean_t, var_t):
    moments = mean_w, var_w, mean_t, var_t
    shift, ratio = (mean_w - mean_t) / math.sqrt(var_t), var_w / var_t
    return dict(zip(SCORES, (shift, ratio, js_distance(*moments), divergence(*moments), wasserstein(*moments))))
