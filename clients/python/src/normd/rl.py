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

A layer of returns divides rewards, and these are what its drift window sees: compare only observations by ``drift``.
"""

from __future__ import annotations

import math
import os
import time
from copy import deepcopy
from typing import Any, Mapping

import numpy

from ._moments import Moments, numbers
from ._sync.layer import Layer
from ._sync.model import Model
from .errors import Error, NoAnswer, RevisionMismatch, UnexpectedAnswer
from .types import Imported, Statistics, Version, VersionName

#: Nothing is forgotten: 2^(-n / half_life) is 1. Only decayed averaging has counts that need not be whole, as 1e-4.
_NEVER = 1e30
_PAUSE_S = 0.05
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
                 version: VersionName | None = None, eps: float = 1e-8, clip: float = math.inf,
                 with_mean: bool = True) -> None:
        self.shape = tuple(shape)
        self.layer = layer
        self.version = _LIVE if version is None else version
        self._read_only = version is not None
        if not self._read_only:
            layer.create(**_definition(self.shape, eps, clip, with_mean))
            self._begin(epsilon)

    def _begin(self, count: float) -> None:
        """Puts the initial statistics, once, whoever else does so now."""
        features, deadline = math.prod(self.shape), self._deadline()
        while count and not (now := self.layer.statistics()).count:
            try:
                self.layer.put_statistics([0.0] * features, [1.0] * features, 0, count=count, if_match=now.revision)
            except RevisionMismatch:
                pass  # another process was first
            except (NoAnswer, UnexpectedAnswer) as error:
                _look_again(error, deadline)

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
        self._check_moves()
        self.layer.train(self.rows(x), output=False)

    def update_from_moments(self, batch_mean: Any, batch_var: Any, batch_count: float) -> None:
        """Adds a batch of which only the moments are known: arrays of ``shape``, the variance biased."""
        self._check_moves()
        mean, var = numpy.reshape(batch_mean, -1), numpy.reshape(batch_var, -1)
        if not 0 <= batch_count < math.inf or not len(mean) == len(var) == math.prod(self.shape) or (var < 0).any():
            raise ValueError(f"expected moments of shape {self.shape}, a variance that is not negative, and a count "
                             f"from 0 on; got shapes {numpy.shape(batch_mean)} and {numpy.shape(batch_var)}, and the "
                             f"count {batch_count}")
        if batch_count == int(batch_count):
            self.layer.merge(int(batch_count), mean, var)
        else:
            self._add(mean, var, batch_count)

    def _add(self, mean: Any, var: Any, count: float) -> None:
        """Merges moments whose count is not whole, which normd has no call for: puts the sum in the place of the
        statistics that it was made of, if they are still there."""
        lost: Error | None = None  # of an attempt that may have been carried out
        base, total, deadline = -1, Moments(), self._deadline()
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
            except (NoAnswer, UnexpectedAnswer) as error:
                _look_again(error, deadline)
                lost = error

    def _deadline(self) -> float:
        return self.layer._client._retries.deadline()

    def combine(self, other: Any) -> None:
        """Adds what another object has seen, which has ``mean``, ``var`` and ``count``."""
        self.update_from_moments(other.mean, other.var, other.count)

    def copy(self) -> Moments:
        """The present numbers in memory, with the same methods, independent of normd."""
        return _moments(self._statistics(), self.shape)

    def rows(self, x: Any) -> Any:
        """``x``, an array of ``shape`` or ``(N, *shape)``, as normd takes it: floats of (N, features)."""
        x = numbers(x)
        if x.shape[x.ndim - len(self.shape):] != self.shape:
            raise ValueError(f"layer {self.layer.name!r} takes values of shape {self.shape}, and got an array of shape "
                             f"{x.shape}")
        return (x if x.dtype.kind == "f" else x.astype(numpy.float64)).reshape(-1, math.prod(self.shape))

    def normalize(self, x: Any, update: bool = False, inverse: bool = False) -> Any:
        """``x`` as an array of its shape, normalized in one call; with ``update``, after it was added."""
        rows = self.rows(x)
        if update:
            self._check_moves()
            output = self.layer.train(rows).output
        else:
            output = self.layer.infer(rows, version=self.version, inverse=inverse).output
        return output.reshape(numpy.shape(x))

    def _statistics(self) -> Statistics:
        return self.layer.statistics(version=self.version)

    def _check_moves(self) -> None:
        if self._read_only:
            raise ValueError(f"this reads version {self.version!r} and moves nothing: to train, leave the version out")


def _look_again(error: Error, deadline: float) -> None:
    """A pause after a change that may have been carried out. Raises the error if none may have been, or when it is too
    late."""
    if not error.maybe_done or time.monotonic() + _PAUSE_S > deadline:
        raise error
    time.sleep(_PAUSE_S)


def _definition(shape: tuple[int, ...], eps: float, clip: float, with_mean: bool = True) -> dict[str, Any]:
    return {"kind": "batch_norm", "num_features": math.prod(shape), "averaging": "decayed", "half_life": _NEVER,
            "normalize_by": "running", "affine": False, "eps": eps, "clip": clip if math.isfinite(clip) else None,
            "with_mean": with_mean}


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

    def _has(self, name: str) -> bool:
        return name in self.__dict__ or hasattr(type(self), name)

    def has_wrapper_attr(self, name: str) -> bool:
        """Whether this wrapper or one below has the attribute; as the following two, of gymnasium."""
        return self._has(name) or bool(self.env.has_wrapper_attr(name))

    def get_wrapper_attr(self, name: str) -> Any:
        """The attribute of this wrapper, or of the next one below that has it."""
        return getattr(self, name) if self._has(name) else self.env.get_wrapper_attr(name)

    def set_wrapper_attr(self, name: str, value: Any, **options: Any) -> bool:
        """Sets the attribute where it is: ``update_running_mean`` here."""
        if not self._has(name):
            return bool(self.env.set_wrapper_attr(name, value, **options))
        setattr(self, name, value)
        return True

    def __reduce__(self) -> tuple[Any, ...]:  # by the class that it is, not by that it passes for
        return _restored, (type(self), self.__dict__)

    # The libraries look whether an environment is one of their class.
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self.env.__class__


def _restored(kind: type[_Wrapper], state: dict[str, Any]) -> _Wrapper:
    wrapper = kind.__new__(kind)
    wrapper.__dict__.update(state)
    return wrapper


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
        if space.shape is None:
            raise ValueError(f"observations must be arrays, and the environment's space is {space}: VecNormalize takes "
                             f"dictionaries")
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


class VecNormalize(_Wrapper):
    """Stable-Baselines3's wrapper of this name, with its statistics in the layers of a model.

    Observations go through layer ``obs``, or, if they are dictionaries, ``obs.KEY`` for each key of ``norm_obs_keys``
    (all by default); discounted returns through ``returns``. While ``training`` is true, a step adds observations and
    returns in one call, all or none, which also normalizes the observations; another scales the rewards. With
    ``training`` false nothing moves. ``version`` is what ``load`` reads.
    """

    def __init__(self, venv: Any, training: bool = True, norm_obs: bool = True, norm_reward: bool = True,
                 clip_obs: float = 10.0, clip_reward: float = 10.0, gamma: float = 0.99, epsilon: float = 1e-8,
                 norm_obs_keys: list[str] | None = None, *, model: Model,
                 version: VersionName | None = None) -> None:
        super().__init__(venv)
        self.venv, self.model, self.version = venv, model, version
        self.norm_obs, self.norm_reward, self.norm_obs_keys = norm_obs, norm_reward, norm_obs_keys
        self.clip_obs, self.clip_reward, self.gamma, self.epsilon = clip_obs, clip_reward, gamma, epsilon
        spaces = _boxes(venv.observation_space, norm_obs_keys) if norm_obs else {}
        self._rms = {key: RunningMeanStd(shape=space.shape, layer=model.layer(_obs_layer(key)), version=version,
                                         eps=epsilon, clip=clip_obs) for key, space in spaces.items()}
        self.obs_rms: Any = self._rms[None] if None in self._rms else self._rms
        self.ret_rms = RunningMeanStd(layer=model.layer(_RETURNS), version=version, eps=epsilon, clip=clip_reward,
                                      with_mean=False)
        self.returns = numpy.zeros(venv.num_envs)
        self.old_obs: Any = None
        self.old_reward = numpy.array([])
        self.set_training(training)

    def set_training(self, training: bool) -> None:
        """Whether the statistics move. ``model.freeze()`` stops them for all processes."""
        if training:
            self.ret_rms._check_moves()
        self.training = training

    def reset(self) -> Any:
        """The environments' reset, the observations normalized. Returns begin anew."""
        self.old_obs = self.venv.reset()
        self.returns = numpy.zeros(len(self.returns))
        if self.training and self.norm_obs:
            return self._replaced(self.old_obs, self.model.train(self._tensors(self.old_obs)).outputs)
        return self.normalize_obs(self.old_obs)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any]:
        """(observations, rewards, dones, infos), normalized."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Any) -> None:
        """Begins a step."""
        self.venv.step_async(actions)

    def step_wait(self) -> tuple[Any, Any, Any, Any]:
        """Ends a step: (observations, rewards, dones, infos), normalized, terminal observations too."""
        obs, rewards, dones, infos = self.venv.step_wait()
        self.old_obs, self.old_reward = obs, rewards
        if self.training:
            returns = self.returns * self.gamma + rewards
            outputs = self.model.train({**self._tensors(obs), _RETURNS: returns[:, None]}).outputs
        else:
            returns, outputs = self.returns, None
        self.returns = numpy.where(dones, 0.0, returns)
        normalized = self.normalize_obs(obs) if outputs is None else self._replaced(obs, outputs)
        for done, info in zip(dones, infos):
            if done and "terminal_observation" in info:
                info["terminal_observation"] = self.normalize_obs(info["terminal_observation"])
        return normalized, self.normalize_reward(rewards), dones, infos

    def normalize_obs(self, obs: Any) -> Any:
        """Observations normalized, as float32, by statistics of one moment. Moves nothing."""
        if not self._rms:
            return deepcopy(obs)
        return self._replaced(obs, self.model.infer(self._tensors(obs), version=self.ret_rms.version).outputs)

    def unnormalize_obs(self, obs: Any) -> Any:
        """Normalized observations mapped back, as float64."""
        mapped = {key: rms.normalize(numpy.asarray(_part(obs, key), dtype=numpy.float64), inverse=True)
                  for key, rms in self._rms.items()}
        return _with_parts(obs, mapped)

    def normalize_reward(self, reward: Any) -> Any:
        """Rewards scaled by the deviation of returns and clipped, as float32. Moves nothing."""
        reward = numpy.asarray(reward, dtype=numpy.float64)
        return (self.ret_rms.normalize(reward) if self.norm_reward else reward).astype(numpy.float32)

    def unnormalize_reward(self, reward: Any) -> Any:
        """Scaled rewards mapped back."""
        if not self.norm_reward:
            return reward
        return self.ret_rms.normalize(numpy.asarray(reward, dtype=numpy.float64), inverse=True)

    def get_original_obs(self) -> Any:
        """The observations of the last step or reset as they were."""
        return deepcopy(self.old_obs)

    def get_original_reward(self) -> Any:
        """The rewards of the last step as they were."""
        return numpy.array(self.old_reward)

    def save(self, name: str, note: str = "") -> Version:
        """Makes a version of the model, and lets the alias ``name`` name it. It is kept in normd, not in a file."""
        _refuse_file(name)
        version = self.model.make_version(note)
        self.model.set_alias(name, version["version"])
        return version

    @staticmethod
    def load(name: VersionName, venv: Any, *, model: Model, **settings: Any) -> VecNormalize:
        """Wraps ``venv`` to normalize by a version of the model, with the clips and epsilon of its layers.

        ``name`` is the alias that ``save`` made, a number, or "live". ``training`` is false, and nothing is created. To
        go on with training, wrap the environment without a version. ``settings`` are other arguments of the class.
        """
        _refuse_file(name)
        layers = {"clip_reward": _RETURNS}
        if settings.get("norm_obs", True):
            layers["clip_obs"] = _obs_layer(next(iter(_boxes(venv.observation_space, settings.get("norm_obs_keys")))))
        found = {clip: model.layer(layer).definition(version=name) for clip, layer in layers.items()}
        clips = {clip: math.inf if definition["clip"] is None else definition["clip"]
                 for clip, definition in found.items()}
        return VecNormalize(venv, **{"training": False, "epsilon": found["clip_reward"]["eps"], **clips, **settings},
                            model=model, version=name)

    def _tensors(self, obs: Any) -> dict[str, Any]:
        """The rows of each layer."""
        return {rms.layer.name: rms.rows(_part(obs, key)) for key, rms in self._rms.items()}

    def _replaced(self, obs: Any, outputs: Mapping[str, Any]) -> Any:
        """The observations with what the layers answered in their place."""
        return _with_parts(obs, {
            key: outputs[rms.layer.name].reshape(numpy.shape(_part(obs, key))).astype(numpy.float32)
            for key, rms in self._rms.items()})


# ---- observations that are arrays have the key None


def _obs_layer(key: str | None) -> str:
    return _OBS if key is None else f"{_OBS}.{key}"


def _part(obs: Any, key: str | None) -> Any:
    return obs if key is None else obs[key]


def _with_parts(obs: Any, parts: Mapping[str | None, Any]) -> Any:
    if None in parts:
        return parts[None]
    return {key: parts.get(key, value) for key, value in deepcopy(obs).items()} if parts else deepcopy(obs)


def _boxes(space: Any, keys: list[str] | None) -> dict[str | None, Any]:
    """The spaces to normalize by their keys."""
    if not hasattr(space, "spaces"):
        if keys is not None:
            raise ValueError("norm_obs_keys is for observations that are dictionaries")
        found: dict[str | None, Any] = {None: space}
    else:
        found = {key: space.spaces[key] for key in (space.spaces if keys is None else keys)}
    for key, box in found.items():
        if not hasattr(box, "low"):
            raise ValueError(f"only boxes are normalized, and {'the observation' if key is None else repr(key)} is "
                             f"{box}: name the keys to normalize in norm_obs_keys")
    return found


# ---- saved statistics

_PICKLE = """{0} is not read: the files that VecNormalize saves are pickles, and reading a pickle runs any code in it.
Take the arrays out of it where you trust it, with Stable-Baselines3:
    numpy.savez("statistics.npz", **normd.rl.to_arrays(VecNormalize.load("{0}", venv)))
and import them:
    normd.rl.from_arrays("statistics.npz", model)
to_arrays collects obs_rms.mean, .var and .count as "obs.mean", "obs.var" and "obs.count" (of dictionaries
"obs.KEY.mean" and so on), and those of ret_rms as "returns.mean" and so on. Without normd, do the same by hand."""


class PickleRefused(Error, ValueError):
    """A pickle was given to load. Reading one runs the code that it holds; ``from_arrays`` takes arrays instead."""

    def __init__(self, path: str) -> None:
        super().__init__(_PICKLE.format(path))


def _refuse_file(name: VersionName) -> None:
    """``save`` and ``load`` take a file's name in Stable-Baselines3."""
    text = str(name)
    if text.endswith((".pkl", ".pickle")) or os.sep in text:
        raise PickleRefused(text)


def to_arrays(vec_normalize: Any) -> dict[str, Any]:
    """The statistics of a VecNormalize, of Stable-Baselines3 or of this module, by the names that ``from_arrays``
    knows."""
    observed = getattr(vec_normalize, "obs_rms", {})
    by_key = observed if isinstance(observed, dict) else {None: observed}
    layers = {_RETURNS: vec_normalize.ret_rms, **{_obs_layer(key): rms for key, rms in by_key.items()}}
    return {f"{layer}.{member}": numpy.asarray(getattr(rms, member), dtype=numpy.float64)
            for layer, rms in layers.items() for member in _MEMBERS}


def from_arrays(arrays: Mapping[str, Any] | str | os.PathLike[str], model: Model, *, epsilon: float = 1e-8,
                clip_obs: float = 10.0, clip_reward: float = 10.0) -> Imported:
    """Replaces a model's statistics for ``VecNormalize`` by saved ones, all or none.

    ``arrays`` is the path of an .npz file or a mapping, with the names that ``to_arrays`` gives: ``obs.mean``,
    ``obs.var``, ``obs.count``, ``returns.mean`` and so on. Layers that do not exist are created with ``epsilon`` and
    the clips; those that do must have them. A pickle is refused.
    """
    found = dict(arrays) if isinstance(arrays, Mapping) else _read_npz(os.fspath(arrays))
    layers = sorted({name.rpartition(".")[0] for name in found})
    missing = [name for layer in layers for name in (f"{layer}.{m}" for m in _MEMBERS) if name not in found]
    strange = [layer for layer in layers if layer not in (_OBS, _RETURNS) and not layer.startswith(_OBS + ".")]
    if missing or strange or not layers:
        raise ValueError(f"expected mean, var and count of \"obs\" (or \"obs.KEY\") and \"returns\"; missing: "
                         f"{', '.join(missing) or 'none'}; not known: {', '.join(strange) or 'none'}")
    state = {f"{layer}.running_{member}": numpy.asarray(found[f"{layer}.{member}"], dtype=numpy.float64).reshape(-1)
             for layer in layers for member in ("mean", "var")}
    shapes = {layer: numpy.shape(found[f"{layer}.mean"]) for layer in layers}
    return model.put_state(state, counts={layer: float(found[f"{layer}.count"]) for layer in layers}, definitions={
        layer: _definition(shape, epsilon, clip_reward, False) if layer == _RETURNS else
        _definition(shape, epsilon, clip_obs) for layer, shape in shapes.items()})


def _read_npz(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            raise PickleRefused(path)
    with numpy.load(path, allow_pickle=False) as archive:
        return dict(archive)
