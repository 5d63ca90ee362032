# SPDX-License-Identifier: MIT
"""The environment of control_loop.py: carts that balance poles, and their controller."""

import math

import numpy


class Carts:
    """
    Carts with a pole each (Barto, Sutton and Anderson 1983). An episode is terminated when the cart or the pole leaves
    its range, and truncated after LIMIT steps. `same_step` says when a new episode begins: at the end of the same step,
    as in Stable-Baselines3, or by the next step, which ignores the action, as in gymnasium.
    """

    SECONDS, GRAVITY, CART_KG, POLE_KG, HALF_POLE_M, FORCE_N = 0.02, 9.8, 1.0, 0.1, 0.5, 10.0
    RANGE = numpy.array([2.4, math.inf, math.radians(12), math.inf])  # position, speed, angle, angular speed
    LIMIT = 60

    def __init__(self, count, seed, same_step):
        self.random = numpy.random.default_rng(seed)
        self.same_step = same_step
        self.state = numpy.empty((count, 4))
        self.age = numpy.zeros(count, dtype=int)
        self.over = numpy.ones(count, dtype=bool)
        self.begin(self.over)

    def begin(self, which):
        self.state[which] = self.random.uniform(-0.05, 0.05, (numpy.count_nonzero(which), 4))
        self.age[which] = 0
        self.over = self.over & ~which

    def move(self, force):
        _, speed, angle, spin = self.state.T
        kg = self.CART_KG + self.POLE_KG
        push = (force + self.POLE_KG * self.HALF_POLE_M * spin**2 * numpy.sin(angle)) / kg
        twist = (self.GRAVITY * numpy.sin(angle) - numpy.cos(angle) * push) / (
            self.HALF_POLE_M * (4 / 3 - self.POLE_KG * numpy.cos(angle) ** 2 / kg))
        gain = push - self.POLE_KG * self.HALF_POLE_M * twist * numpy.cos(angle) / kg
        self.state = self.state + self.SECONDS * numpy.stack([speed, gain, spin, twist], axis=1)
        self.age += 1

    def step(self, action):
        """(observations, rewards, terminated, truncated) for actions of -1 to 1"""
        fresh = self.over
        self.move(self.FORCE_N * action)
        self.begin(fresh)
        terminated = (abs(self.state) > self.RANGE).any(axis=1)
        truncated = (self.age >= self.LIMIT) & ~terminated
        self.over = terminated | truncated
        rewards = numpy.where(fresh, 0.0, 1 - (self.state[:, [0, 2]] / self.RANGE[[0, 2]]) ** 2 @ [0.2, 0.8])
        if self.same_step:
            self.begin(self.over)
        return self.state.copy(), rewards, terminated, truncated


def control(observations, random):
    """Actions, from normalized observations; with some noise, so that poles also fall."""
    return numpy.tanh(observations @ [0.1, 0.3, 1.0, 0.8] + random.normal(0, 3, len(observations)))
