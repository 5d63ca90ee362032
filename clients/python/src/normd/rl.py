# SPDX-License-Identifier: MIT
"""Normalization of observations and rewards as in gymnasium and Stable-Baselines3, with statistics in normd.

The classes have the names, arguments and numbers of those libraries, neither of which is needed. What they do not do
themselves, the wrapped environment does. One argument is added: the layer, or model, that keeps the statistics. All
processes that name the same one share it, and it outlives them.

    import normd, normd.rl

    client = normd.Client("http://127.0.0.1:8080")
    env = normd.rl.NormalizeObservation(env, layer=client.model("robot").layer("obs"))
    env = normd.rl.NormalizeReward(env, layer=client.model("robot").layer("returns"))
    observation, info = env.reset()

    venv = normd.rl.VecNormalize(venv, model=client.model("carts"))  # as in Stable-Baselines3
    venv.save("champion")
    evaluated = normd.rl.VecNormalize.load("champion", venv.venv, model=client.model("carts"))

Statistics are float64. The libraries keep those of float32 observations, and gymnasium also some returns, in float32;
there the numbers agree to float32's precision. A NaN is refused (``errors.NonFiniteInput``), and changes nothing.
"""

from __future__ import annotations

import math
import os
from copy import deepcopy
from typing import Any, Mapping, Optional, Union

import numpy

from ._moments import Moments
from ._sync.layer import Layer
from ._sync.model import Model
from .errors import Error, NoAnswer, RevisionMismatch
from .types import Imported, Statistics, Version, VersionName

#: Nothing is forgotten: 2^(-n / half_life) is 1. Only decayed averaging has counts that need not be whole, as 1e-4.
_NEVER = 1e30
_LIVE = "live"
_OBS, _RETURNS = "obs", "returns"
_MEMBERS = ("mean", "var", "count")


class RunningMeanStd:
    """gymnasium's and Stable-Baselines3's class of this name, with its numbers in a layer of normd.

    It begins with mean 0 and variance 1 as if these had been seen ``epsilon`` times, unless the layer has begun before.
    The layer is created if it does not exist. ``shape`` is that of one value. With a ``version`` ("live", an alias or a
    number) nothing is created, and that is read. ``eps``, ``clip`` and ``with_mean`` say how the layer normalizes.
    """

    def __init__(self, epsilon: float = 1e-4, shape: tuple[int, ...] = (), *, layer: Layer,
                 version: Optional[VersionName] = None, eps: float = 1e-8, clip: float = math.inf,
                 with_mean: bool = True) -> None:
        self.shape = tuple(shape)
        self.layer = layer
        self.version = _LIVE if version is None else version
        if version is None:
            layer.create("batch_norm", num_features=math.prod(self.shape), averaging="decayed", half_life=_NEVER,
                         normalize_by="running", affine=False, eps=eps, clip=clip if math.isfinite(clip) else None,
                         with_mean=with_mean)
            self._begin(epsilon)

    def _begin(self, count: float) -> None:
        """Puts the initial statistics, once, whoever else does so now."""
        features = math.prod(self.shape)
        while count and not (now := self.layer.statistics()).count:
            try:
                self.layer.put_statistics([0.0] * features, [1.0] * features, 0, count=count, if_match=now.revision)
            except RevisionMismatch:
                pass  # another process was first
            except NoAnswer as error:
                if not error.maybe_done:
                    raise

    @property
    def mean(self) -> Any:
        """The mean, an array of ``shape``. Asks normd, as the following do."""
        return self._statistics().running_mean.reshape(self.shape)

    @property
    def var(self) -> Any:
        """The biased variance, an array of ``shape``."""
        return self._statistics().running_var.reshape(self.shape)

    @property
    def count(self) -> float:
        """How many values were seen, and ``epsilon``."""
        return self._statistics().count or 0.0

    def update(self, x: Any) -> None:
        """Adds a batch: an array of shape ``(N, *shape)``."""
        self.layer.train(self.rows(x), output=False)

    def update_from_moments(self, batch_mean: Any, batch_var: Any, batch_count: float) -> None:
        """Adds a batch of which only the moments are known: arrays of ``shape``, the variance biased."""
        mean, var = numpy.reshape(batch_mean, -1), numpy.reshape(batch_var, -1)
        if batch_count == int(batch_count):
            self.layer.merge(int(batch_count), mean, var)
        else:
            self._add(mean, var, batch_count)

    def _add(self, mean: Any, var: Any, count: float) -> None:
        """Merges moments whose count is not whole, which normd has no call for: puts the sum in the place of the
        statistics that it was made of, if they are still there."""
        lost: Optional[NoAnswer] = None  # of an attempt that may have been carried out
        base, total = -1, Moments()
        while True:
            now = self.layer.statistics()
            if lost is not None and now.revision > base:
                if now.revision > base + 1:
                    raise lost  # what came first cannot be told any more
                if _same(now, total):
                    return
                lost = None  # another change came first, so that one is refused
            base, total = now.revision, _moments(now, now.running_mean.shape)
            total.update_from_moments(mean, var, count)
            try:
                self.layer.put_statistics(total.mean, total.var, now.num_batches_tracked + 1, count=total.count,
                                          if_match=base)
                return
            except RevisionMismatch:
                pass  # another process came between
            except NoAnswer as error:
                if not error.maybe_done:
                    raise
                lost = error

    def combine(self, other: Any) -> None:
        """Adds what another object has seen, which has ``mean``, ``var`` and ``count``."""
        self.update_from_moments(other.mean, other.var, other.count)

    def copy(self) -> Moments:
        """The present numbers in memory, with the same methods, independent of normd."""
        return _moments(self._statistics(), self.shape)

    def rows(self, x: Any) -> Any:
        """``x``, an array of ``shape`` or ``(N, *shape)``, as normd takes it: floats of (N, features)."""
        x = numpy.asarray(x)
        if x.shape[x.ndim - len(self.shape):] != self.shape:
            raise ValueError(f"layer {self.layer.name!r} takes values of shape {self.shape}, and got an array of shape "
                             f"{x.shape}")
        return (x if x.dtype.kind == "f" else x.astype(numpy.float64)).reshape(-1, math.prod(self.shape))

    def normalize(self, x: Any, update: bool = False, inverse: bool = False) -> Any:
        """``x`` as an array of its shape, normalized in one call; with ``update``, after it was added."""
        rows = self.rows(x)
        if update:
            output = self.layer.train(rows).output
        else:
            output = self.layer.infer(rows, version=self.version, inverse=inverse).output
        return output.reshape(numpy.shape(x))

    def _statistics(self) -> Statistics:
        return self.layer.statistics(version=self.version)


def _moments(statistics: Statistics, shape: tuple[int, ...]) -> Moments:
    moments = Moments(statistics.count or 0.0)
    moments.mean, moments.var = statistics.running_mean.reshape(shape), statistics.running_var.reshape(shape)
    return moments


def _same(statistics: Statistics, moments: Moments) -> bool:
    return (statistics.count == moments.count and numpy.array_equal(statistics.running_mean, moments.mean)
            and numpy.array_equal(statistics.running_var, moments.var))


class _Wrapper:
    """Hands on whatever it does not have itself to the environment, and passes for one of its class."""

    def __init__(self, env: Any) -> None:
        self.env = env

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "env":
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.env, name)

    # The libraries look whether an environment is one of their class.
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self.env.__class__


def _is_vector(env: Any) -> bool:
    return bool(getattr(env, "is_vector_env", hasattr(env, "num_envs")))


def _autoreset(env: Any) -> str:
    """When a vector environment begins new episodes: ``NextStep``, ``SameStep`` or ``Disabled``."""
    mode = (getattr(env, "metadata", None) or {}).get("autoreset_mode", "NextStep")
    return str(getattr(mode, "value", mode))


def _check_epsilon(epsilon: float) -> None:
    if not epsilon > 0:
        raise ValueError(f"epsilon is added to the variance, and must be above 0, not {epsilon}")


class NormalizeObservation(_Wrapper):
    """gymnasium's wrapper of this name, for single and vector environments, of gymnasium and of the older gym.

    While ``update_running_mean`` is true, each observation is added to the statistics before it is normalized by them,
    in one call. Otherwise nothing moves. Observations become float32.
    """

    def __init__(self, env: Any, epsilon: float = 1e-8, *, layer: Layer) -> None:
        _check_epsilon(epsilon)
        super().__init__(env)
        if _is_vector(env) and _autoreset(env) != "NextStep":
            raise ValueError(f"the environment's autoreset_mode must be NextStep, not {_autoreset(env)}: observations "
                             f"that end an episode would not be normalized")
        space = getattr(env, "single_observation_space", env.observation_space)
        self.obs_rms = RunningMeanStd(shape=space.shape, layer=layer, eps=epsilon)
        self.epsilon = epsilon
        self.update_running_mean = True
        for name in ("observation_space", "single_observation_space"):
            if hasattr(env, name):
                setattr(self, name, _unbounded(getattr(env, name)))

    def reset(self, **options: Any) -> Any:
        """The environment's reset, its observation normalized."""
        mask = (options.get("options") or {}).get("reset_mask")
        if mask is not None and not numpy.all(mask):
            raise ValueError("reset_mask must be all true: the observations of the others would count twice")
        answer = self.env.reset(**options)
        if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict):
            return self.observation(answer[0]), answer[1]
        return self.observation(answer)

    def step(self, action: Any) -> tuple[Any, ...]:
        """The environment's step, its observation normalized."""
        observation, *rest = self.env.step(action)
        return (self.observation(observation), *rest)

    def observation(self, observation: Any) -> Any:
        """The observation, or observations, normalized: float32 of the same shape."""
        return numpy.asarray(self.obs_rms.normalize(observation, self.update_running_mean), dtype=numpy.float32)

    observations = observation


def _unbounded(space: Any) -> Any:
    """A box of the same shape for normalized observations."""
    if not hasattr(space, "low"):
        return space
    return type(space)(low=-math.inf, high=math.inf, shape=space.shape, dtype=numpy.float32)


class NormalizeReward(_Wrapper):
    """gymnasium's wrapper of this name, for single and vector environments, of gymnasium and of the older gym.

    Rewards are divided by the deviation of discounted returns. While ``update_running_mean`` is true, a step's returns
    are added to the statistics first, which takes a call of its own.
    """

    def __init__(self, env: Any, gamma: float = 0.99, epsilon: float = 1e-8, *, layer: Layer) -> None:
        if not 0 <= gamma <= 1:
            raise ValueError(f"gamma must be from 0 to 1, not {gamma}")
        _check_epsilon(epsilon)
        super().__init__(env)
        self.return_rms = RunningMeanStd(layer=layer, eps=epsilon, with_mean=False)
        self.gamma, self.epsilon = gamma, epsilon
        self.update_running_mean = True
        self._vector = _is_vector(env)
        self.accumulated_reward = numpy.zeros(env.num_envs if self._vector else 1)
        self._over = numpy.zeros(len(self.accumulated_reward), dtype=bool)

    @property
    def discounted_reward(self) -> Any:
        """The discounted returns: gymnasium's name in single environments."""
        return self.accumulated_reward

    def reset(self, **options: Any) -> Any:
        """The environment's reset. Returns of vector environments begin anew."""
        if self._vector:
            self.accumulated_reward[:] = 0
            self._over[:] = False
        return self.env.reset(**options)

    def step(self, action: Any) -> tuple[Any, ...]:
        """The environment's step, its reward scaled."""
        observation, reward, *ends, info = self.env.step(action)
        over = [numpy.reshape(end, -1).astype(bool) for end in ends]
        returns, counted, begun_anew = self._returns(numpy.reshape(reward, -1), over)
        if self.update_running_mean and counted.any():
            self.return_rms.update(returns[counted])
        self.accumulated_reward = numpy.where(begun_anew, 0.0, returns)
        self._over = numpy.logical_or.reduce(over)
        scaled = self.return_rms.normalize(numpy.asarray(reward, dtype=numpy.float64))
        return (observation, scaled if self._vector else float(scaled), *ends, info)

    def _returns(self, rewards: Any, over: list[Any]) -> tuple[Any, Any, Any]:
        """The returns with this step's rewards, which of them count, and which begin anew after it."""
        none = numpy.zeros(len(rewards), dtype=bool)
        if len(over) == 1:  # the older gym: (observation, reward, done, info)
            return self.accumulated_reward * self.gamma + rewards, ~none, over[0]
        returns = self.accumulated_reward * self.gamma * ~over[0] + rewards
        if not self._vector:
            return returns, ~none, none
        if _autoreset(self.env) == "SameStep":
            return returns, ~none, over[0] | over[1]
        # A step that only begins an episode counts for nothing.
        return numpy.where(self._over, self.accumulated_reward, returns), ~self._over, none
