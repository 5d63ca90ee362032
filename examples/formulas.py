# SPDX-License-Identifier: MIT
"""How two libraries for reinforcement learning normalize observations and rewards, written out in NumPy:

    gymnasium           NormalizeObservation and NormalizeReward of gymnasium.wrappers.vector (1.3)
    stable-baselines3   VecNormalize (2.9)

Rewards are divided by the deviation of discounted returns, one a cart and step. The libraries differ in where a return
ends, and gymnasium does not clip. Both round their answers to float32, and gymnasium also what it keeps. Here all is
float64.
"""

import math

import numpy

EPS = 1e-8  # this and the following are the libraries' defaults
GAMMA = 0.99
INITIAL_COUNT = 1e-4
CLIP = 10.0


class GymnasiumReturns:
    """As in NormalizeReward.step."""

    name, clip, same_step = "gymnasium", math.inf, False

    def __init__(self, count):
        self.returns = numpy.zeros(count)
        self.over = numpy.zeros(count, dtype=bool)

    def add(self, rewards, terminated, truncated):
        """The returns to learn from. A step that only begins an episode counts for nothing."""
        active = ~self.over
        self.returns[active] = self.returns[active] * GAMMA * (1 - terminated[active]) + rewards[active]
        self.over = terminated | truncated
        return self.returns[active]


class BaselinesReturns:
    """As in VecNormalize.step_wait. The end of an episode is also that of its return."""

    name, clip, same_step = "stable-baselines3", CLIP, True

    def __init__(self, count):
        self.returns = numpy.zeros(count)

    def add(self, rewards, terminated, truncated):
        self.returns = self.returns * GAMMA + rewards
        learned = self.returns.copy()
        self.returns[terminated | truncated] = 0
        return learned


class RunningMeanStd:
    """The class of this name, which is the same in both libraries but for its types."""

    def __init__(self, shape, count):
        self.mean, self.var, self.count = numpy.zeros(shape), numpy.ones(shape), count

    def update(self, x):
        mean, var, count = x.mean(axis=0), x.var(axis=0), len(x)
        delta, total = mean - self.mean, self.count + count
        m2 = self.var * self.count + var * count + delta**2 * self.count * count / total
        self.mean, self.var, self.count = self.mean + delta * count / total, m2 / total, total


class Formulas:
    """The libraries' arithmetic."""

    def __init__(self, features, clip, count):
        self.observations, self.returns = RunningMeanStd(features, count), RunningMeanStd((), count)
        self.clip = clip
        self.training = True

    def observe(self, observations):
        if self.training:
            self.observations.update(observations)
        z = (observations - self.observations.mean) / numpy.sqrt(self.observations.var + EPS)
        return z.clip(-self.clip, self.clip)

    def scale(self, rewards, returns):
        if self.training and len(returns):
            self.returns.update(returns)
        return (rewards / numpy.sqrt(self.returns.var + EPS)).clip(-self.clip, self.clip)
