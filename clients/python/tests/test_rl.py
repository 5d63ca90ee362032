# SPDX-License-Identifier: MIT
"""normd.rl beside the formulas of gymnasium, of the older gym and of Stable-Baselines3, which are written out here.

The environments have the libraries' interfaces and give random numbers.
"""

import copy
import os
import pickle
import tempfile
import unittest
from unittest import mock

import numpy
from numpy.testing import assert_allclose, assert_array_equal

import normd
import normd.rl
from normd.errors import LayerDiffers, NonFiniteInput, NoSuchLayer
from support import Sync, WithDaemon, run_example

EPSILON, GAMMA = 1e-8, 0.99


class Formula:
    """RunningMeanStd, which is the same in all three libraries."""

    def __init__(self, shape=()):
        self.mean, self.var, self.count = numpy.zeros(shape), numpy.ones(shape), 1e-4

    def update(self, x):
        self.update_from_moments(numpy.mean(x, axis=0), numpy.var(x, axis=0), len(x))

    def update_from_moments(self, mean, var, count):
        delta, total = mean - self.mean, self.count + count
        m2 = self.var * self.count + var * count + delta**2 * self.count * count / total
        self.mean, self.var, self.count = self.mean + delta * count / total, m2 / total, total

    def normalize(self, x):
        return (x - self.mean) / numpy.sqrt(self.var + EPSILON)

    def scale(self, rewards):
        return rewards / numpy.sqrt(self.var + EPSILON)


class Box:
    def __init__(self, low, high, shape, dtype):
        self.low, self.high, self.shape, self.dtype = low, high, shape, dtype


class Dict:
    def __init__(self, **spaces):
        self.spaces = spaces


def box(*shape):
    return Box(-1, 1, shape, numpy.float64)


class Env:
    """gymnasium's interface, or with ``old`` the older gym's."""

    observation_space = box(3)

    def __init__(self, old=False, seed=1):
        self.old, self.random, self.limit = old, numpy.random.default_rng(seed), 40
        self.closed = False

    def observe(self):
        return self.random.normal([1, -20, 0.1], [2, 30, 1e-3])

    def reset(self, seed=None, options=None):
        observation = self.observe()
        return observation if self.old else (observation, {"seed": seed})

    def step(self, action):
        ends = [bool(self.random.random() < 0.2) for _ in range(1 if self.old else 2)]
        return (self.observe(), float(self.random.normal(1, 3)), *ends, {})

    def close(self):
        self.closed = True


class VectorEnv(Env):
    num_envs = 4
    single_observation_space, observation_space = box(3), box(4, 3)

    def __init__(self, mode=None, **options):
        super().__init__(**options)
        self.metadata = {} if mode is None else {"autoreset_mode": mode}

    def observe(self):
        return self.random.normal([1, -20, 0.1], [2, 30, 1e-3], (4, 3))

    def step(self, action):
        ends = [self.random.random(4) < 0.2 for _ in range(2)]
        return (self.observe(), self.random.normal(1, 3, 4), *ends, {})


class VecEnv:
    """Stable-Baselines3's interface. Episodes that end leave their terminal observation."""

    num_envs = 4

    def __init__(self, space=None, seed=1):
        self.observation_space, self.random = space or box(3), numpy.random.default_rng(seed)

    def observe(self, count=4):
        shapes = getattr(self.observation_space, "spaces", {None: self.observation_space})
        drawn = {key: self.random.normal(5, 2, (count, *space.shape)) for key, space in shapes.items()}
        return drawn if None not in drawn else drawn[None]

    def first(self, obs):
        return {key: x[0] for key, x in obs.items()} if isinstance(obs, dict) else obs[0]

    def reset(self):
        return self.observe()

    def step_async(self, actions):
        self.actions = actions

    def step_wait(self):
        dones = self.random.random(4) < 0.3
        infos = [{"terminal_observation": self.first(self.observe(1))} if done else {} for done in dones]
        return self.observe(), self.random.normal(1, 3, 4), dones, infos


class OnLayers(WithDaemon, Sync):
    def setUp(self):
        super().setUp()
        self.random = numpy.random.default_rng(3)

    def digest(self):
        return [self.model.layer(entry["name"]).statistics().digest for entry in self.model.layers()]

    def assert_state(self, rms, formula):
        assert_allclose(rms.mean, formula.mean, rtol=1e-12, atol=1e-12)
        assert_allclose(rms.var, formula.var, rtol=1e-11)
        self.assertAlmostEqual(rms.count, formula.count, delta=1e-12 * formula.count)


class RunningMeanStdTest(OnLayers, unittest.TestCase):
    def test_update_and_update_from_moments(self):
        for shape in ((), (3,), (2, 2)):
            with self.subTest(shape=shape):
                rms = normd.rl.RunningMeanStd(shape=shape, layer=self.model.layer(f"l{len(shape)}"))
                formula = Formula(shape)
                self.assert_state(rms, formula)
                for count in (1, 5, 2):
                    x = self.random.normal(100, 7, (count, *shape))
                    rms.update(x)
                    formula.update(x)
                    self.assertEqual(rms.mean.shape, shape)
                    self.assert_state(rms, formula)
                moments = self.random.normal(3, 1, shape), self.random.random(shape) + 1
                for count in (7, 2.5):
                    rms.update_from_moments(*moments, count)
                    formula.update_from_moments(*moments, count)
                    self.assert_state(rms, formula)

    def test_combine_and_copy(self):
        first, second = (normd.rl.RunningMeanStd(shape=(3,), layer=self.model.layer(name)) for name in "ab")
        formulas = [Formula((3,)), Formula((3,))]
        for rms, formula in zip((first, second), formulas):
            x = self.random.normal(0, 1, (6, 3))
            rms.update(x)
            formula.update(x)
        kept = first.copy()
        first.combine(second)
        self.assert_state(kept, formulas[0])
        formulas[0].update_from_moments(formulas[1].mean, formulas[1].var, formulas[1].count)
        self.assert_state(first, formulas[0])
        kept.combine(second.copy())
        self.assert_state(kept, formulas[0])

    def test_combine_is_once_when_answers_are_lost_and_others_come_between(self):
        rms = normd.rl.RunningMeanStd(layer=self.layer)
        formula = Formula()
        put, script = self.layer.put_statistics, ["lost after", "lost before", "changed"]

        def failing(*arguments, **options):
            what = script.pop(0) if script else None
            if what == "changed":
                rms.update(numpy.array([5.0]))
                formula.update(numpy.array([5.0]))
                return put(*arguments, **options)  # which is refused
            answer = put(*arguments, **options) if what != "lost before" else None
            if what is not None:
                raise normd.NoAnswer(what, maybe_done=True)
            return answer

        with mock.patch.object(self.layer, "put_statistics", failing):
            for _ in range(3):
                rms.update_from_moments(2.0, 1.0, 1.5)
        self.assertEqual(script, [])
        for _ in range(3):
            formula.update_from_moments(2.0, 1.0, 1.5)
        self.assert_state(rms, formula)

    def test_combine_says_so_if_it_cannot_know_whether_it_counted(self):
        rms = normd.rl.RunningMeanStd(layer=self.layer)

        def lost(*arguments, **options):
            rms.update(numpy.array([5.0]))
            rms.update(numpy.array([5.0]))
            raise normd.NoAnswer("lost", maybe_done=True)

        with mock.patch.object(self.layer, "put_statistics", lost):
            self.assertRaises(normd.NoAnswer, rms.update_from_moments, 2.0, 1.0, 1.5)

    def test_an_answer_that_is_always_lost_ends_at_the_deadline(self):
        layer = self.make(self.daemon.url, timeout_s=0.2).model(self.model.name).layer("obs")
        rms = normd.rl.RunningMeanStd(layer=layer)
        layer.reset_statistics()
        for lost in (normd.NoAnswer("lost", True), normd.UnexpectedAnswer("PUT", 502, "text/html", "")):
            with mock.patch.object(layer, "put_statistics", side_effect=lost) as put:
                for call in (lambda: rms.update_from_moments(2.0, 1.0, 1.5), lambda: rms._begin(1e-4)):
                    self.assertRaises(type(lost), call)
            self.assertTrue(2 <= put.call_count <= 10, put.call_count)

    def test_a_second_process_goes_on_where_the_first_was(self):
        x = self.random.normal(0, 1, (5, 3))
        normd.rl.RunningMeanStd(shape=(3,), layer=self.layer).update(x)
        self.assertAlmostEqual(normd.rl.RunningMeanStd(shape=(3,), layer=self.layer).count, 5.0001)
        self.assertRaises(LayerDiffers, normd.rl.RunningMeanStd, shape=(4,), layer=self.layer)

    def test_two_may_begin_at_once(self):
        read, other, formula = self.layer.statistics, [self.model.layer("obs")], Formula()
        formula.update(numpy.arange(5.0))

        def late(**options):
            found = read(**options)
            if other:  # begins, and goes on, before the first has put what it begins with
                normd.rl.RunningMeanStd(layer=other.pop()).update(numpy.arange(5.0))
            return found

        with mock.patch.object(self.layer, "statistics", late):
            rms = normd.rl.RunningMeanStd(layer=self.layer)
        self.assert_state(rms, formula)

    def test_what_is_refused_changes_nothing(self):
        rms = normd.rl.RunningMeanStd(shape=(2,), layer=self.layer)
        before = self.digest()
        for x in ([[1.0, numpy.nan]], [[numpy.inf, 0.0]]):
            self.assertRaises(NonFiniteInput, rms.update, numpy.array(x))
        with self.assertRaisesRegex(ValueError, r"values of shape \(2,\), and got an array of shape \(4, 3\)"):
            rms.update(numpy.ones((4, 3)))
        for moments in (([0.0], [1.0], 0.5), ([0.0] * 3, [1.0] * 3, 2), ([0.0] * 2, [1.0, -1e-9], 0.5),
                        ([0.0] * 2, [1.0] * 2, -1e-5), ([0.0] * 2, [1.0] * 2, numpy.nan)):
            with self.subTest(moments), self.assertRaisesRegex(ValueError, r"expected moments of shape \(2,\)"):
                rms.update_from_moments(*moments)
        self.assertEqual(self.digest(), before)


class NormalizeObservationTest(OnLayers, unittest.TestCase):
    def follow(self, env, twin, steps=30):
        """Runs the wrapped and a bare environment of the same seed side by side."""
        wrapped, formula = normd.rl.NormalizeObservation(env, layer=self.layer), Formula((3,))

        def check(found, observation):
            formula.update(numpy.reshape(observation, (-1, 3)))
            self.assertEqual((found.dtype, found.shape), (numpy.float32, observation.shape))
            assert_allclose(found, formula.normalize(observation), rtol=2e-7, atol=1e-9)

        (found, *_), (observation, *_) = ((e.reset() if not e.old else (e.reset(),)) for e in (wrapped, twin))
        check(found, observation)
        for _ in range(steps):
            found, expected = wrapped.step(0), twin.step(0)
            self.assertEqual(len(found), len(expected))
            check(found[0], expected[0])
        self.assert_state(wrapped.obs_rms, formula)
        return wrapped, formula

    def test_single_environment(self):
        wrapped, _ = self.follow(Env(), Env())
        self.assertEqual(wrapped.observation_space.dtype, numpy.float32)
        self.assertEqual(wrapped.reset(seed=5)[1], {"seed": 5})

    def test_environment_of_the_older_gym(self):
        self.follow(Env(old=True), Env(old=True))

    def test_vector_environment(self):
        wrapped, _ = self.follow(VectorEnv(), VectorEnv())
        self.assertEqual(wrapped.observation_space.shape, (4, 3))
        with self.assertRaisesRegex(ValueError, "reset_mask"):
            wrapped.reset(options={"reset_mask": numpy.array([True, False, True, True])})
        with self.assertRaisesRegex(ValueError, "NextStep, not SameStep"):
            normd.rl.NormalizeObservation(VectorEnv("SameStep"), layer=self.layer)

    def test_observations_that_are_dictionaries_are_refused(self):
        env = Env()
        env.observation_space = Dict(a=box(3))
        env.observation_space.shape = None
        with self.assertRaisesRegex(ValueError, "must be arrays.*VecNormalize takes dictionaries"):
            normd.rl.NormalizeObservation(env, layer=self.layer)

    def test_evaluation_moves_nothing(self):
        wrapped, formula = self.follow(Env(), Env(), 5)
        before = self.digest()
        wrapped.update_running_mean = False
        assert_allclose(wrapped.observation([1.0, 2, 3]), formula.normalize([1.0, 2, 3]), rtol=2e-7)
        wrapped.step(0)
        self.assertEqual(self.digest(), before)
        self.layer.freeze()
        before = self.digest()
        wrapped.update_running_mean = True  # by mistake
        assert_allclose(wrapped.observation([1.0, 2, 3]), formula.normalize([1.0, 2, 3]), rtol=2e-7)
        self.assertEqual(self.digest(), before)

    def test_it_passes_for_the_environment(self):
        env = Env()
        wrapped = normd.rl.NormalizeReward(normd.rl.NormalizeObservation(env, layer=self.layer),
                                           layer=self.model.layer("returns"))
        self.assertIsInstance(wrapped, Env)
        self.assertIsInstance(wrapped, normd.rl.NormalizeReward)
        self.assertEqual(wrapped.limit, 40)
        wrapped.close()
        self.assertTrue(env.closed)
        with self.assertRaisesRegex(AttributeError, "NormalizeReward has no attribute '_private'"):
            wrapped._private
        self.assertRaises(AttributeError, lambda: wrapped.no_such)
        for other in (copy.copy(wrapped), copy.deepcopy(wrapped), pickle.loads(pickle.dumps(wrapped))):
            self.assertIsInstance(other, normd.rl.NormalizeReward)
            self.assertEqual(len(other.step(0)), 5)
        other.env.obs_rms.layer._client.close()  # unpickled, it has connections of its own
        other.return_rms.layer._client.close()

    def test_attributes_are_set_where_they_are(self):
        inner = mock.Mock(spec=["observation_space", "get_wrapper_attr", "has_wrapper_attr", "set_wrapper_attr"],
                          observation_space=box(3))
        wrapped = normd.rl.NormalizeObservation(inner, layer=self.layer)
        self.assertTrue(wrapped.set_wrapper_attr("update_running_mean", False))
        inner.set_wrapper_attr.assert_not_called()
        self.assertTrue(wrapped.has_wrapper_attr("update_running_mean"))
        self.assertIs(wrapped.get_wrapper_attr("update_running_mean"), False)
        before = self.digest()
        wrapped.observation([1.0, 2, 3])
        self.assertEqual(self.digest(), before)
        wrapped.set_wrapper_attr("limit", 5, force=False)
        inner.set_wrapper_attr.assert_called_with("limit", 5, force=False)
        self.assertIs(wrapped.get_wrapper_attr("limit"), inner.get_wrapper_attr.return_value)

    def test_the_example(self):
        found = run_example(self, normd.rl, env=Env(), venv=VecEnv())
        self.assertEqual(found["env"].step(0)[0].dtype, numpy.float32)
        self.assertFalse(found["evaluated"].training)


class NormalizeRewardTest(OnLayers, unittest.TestCase):
    def follow(self, env, twin, returns_of, steps=60):
        """``returns_of`` yields, for each step that is sent to it, the returns to learn from."""
        wrapped, formula = normd.rl.NormalizeReward(env, layer=self.layer), Formula()
        wrapped.reset()
        twin.reset()
        returns_of.send(None)
        for _ in range(steps):
            found, expected = wrapped.step(0), twin.step(0)
            learned = returns_of.send((expected[1], *expected[2:-1]))
            if len(learned):
                formula.update(learned)
            assert_allclose(found[1], formula.scale(expected[1]), rtol=1e-12)
            assert_array_equal(found[2], expected[2])
        self.assert_state(wrapped.return_rms, formula)
        return wrapped

    def test_single_environment(self):
        def returns_of():
            step, returned = (yield), numpy.zeros(1)
            while True:
                reward, terminated, _ = step
                returned = returned * GAMMA * (1 - terminated) + reward
                step = yield returned

        wrapped = self.follow(Env(), Env(), returns_of())
        self.assertIsInstance(wrapped.step(0)[1], float)

    def test_environment_of_the_older_gym(self):
        def returns_of():
            step, returned = (yield), numpy.zeros(1)
            while True:
                reward, done = step
                returned = returned * GAMMA + reward
                step = yield returned
                returned = returned * (not done)

        self.follow(Env(old=True), Env(old=True), returns_of())

    def test_vector_environment(self):
        def returns_of():
            step, returned, over = (yield), numpy.zeros(4), numpy.zeros(4, dtype=bool)
            while True:
                reward, terminated, truncated = step
                active = ~over
                returned[active] = returned[active] * GAMMA * (1 - terminated[active]) + reward[active]
                over = terminated | truncated
                step = yield returned[active]

        wrapped = self.follow(VectorEnv(), VectorEnv(), returns_of())
        wrapped.reset()
        assert_array_equal(wrapped.accumulated_reward, numpy.zeros(4))

    def test_vector_environment_that_begins_anew_in_the_same_step(self):
        def returns_of():
            step, returned = (yield), numpy.zeros(4)
            while True:
                reward, terminated, truncated = step
                returned = returned * GAMMA * (1 - terminated) + reward
                step = yield returned
                returned = numpy.where(terminated | truncated, 0, returned)

        mode = mock.Mock(value="SameStep")  # a member of an enumeration
        self.follow(VectorEnv(mode), VectorEnv(mode), returns_of())

    def test_evaluation_moves_nothing_and_nan_is_refused(self):
        env = Env()
        wrapped = normd.rl.NormalizeReward(env, layer=self.layer)
        for _ in range(5):
            wrapped.step(0)
        before, returned = self.digest(), wrapped.discounted_reward
        with mock.patch.object(env, "step", lambda action: ([0.0] * 3, numpy.nan, False, False, {})):
            self.assertRaises(NonFiniteInput, wrapped.step, 0)
        assert_array_equal(wrapped.discounted_reward, returned)
        wrapped.update_running_mean = False
        wrapped.step(0)
        self.assertEqual(self.digest(), before)

    def test_arguments(self):
        for options, words in (({"gamma": 1.5}, "gamma must be from 0 to 1"), ({"epsilon": 0}, "epsilon")):
            with self.assertRaisesRegex(ValueError, words):
                normd.rl.NormalizeReward(Env(), layer=self.layer, **options)


class Baselines:
    """VecNormalize's arithmetic."""

    def __init__(self, env, clip=10.0, norm_keys=None):
        self.env, self.clip = env, clip
        self.spaces = getattr(env.observation_space, "spaces", {None: env.observation_space})
        self.obs = {key: Formula(self.spaces[key].shape) for key in norm_keys or self.spaces}
        self.ret, self.returns, self.training = Formula(), numpy.zeros(4), True

    def normalize(self, obs):
        named = obs if isinstance(obs, dict) else {None: obs}
        done = {key: numpy.clip(self.obs[key].normalize(x), -self.clip, self.clip).astype(numpy.float32)
                if key in self.obs else x for key, x in named.items()}
        return done if isinstance(obs, dict) else done[None]

    def learn(self, obs):
        for key, formula in self.obs.items():
            formula.update(obs if key is None else obs[key])

    def reset(self):
        obs = self.env.reset()
        self.returns = numpy.zeros(4)
        if self.training:
            self.learn(obs)
        return self.normalize(obs)

    def step(self):
        obs, rewards, dones, infos = self.env.step_wait()
        if self.training:
            self.learn(obs)
            self.returns = self.returns * GAMMA + rewards
            self.ret.update(self.returns)
        scaled = numpy.clip(self.ret.scale(rewards), -self.clip, self.clip).astype(numpy.float32)
        infos = [{name: self.normalize(x) for name, x in info.items()} for info in infos]
        self.returns[dones] = 0
        return self.normalize(obs), scaled, dones, infos


DICT = {"camera": box(2, 2), "joints": box(3), "mode": box(1)}


class VecNormalizeTest(OnLayers, unittest.TestCase):
    def alike(self, found, expected):
        if isinstance(expected, dict):
            self.assertEqual(set(found), set(expected))
            for key, value in expected.items():
                self.alike(found[key], value)
        elif isinstance(expected, list):
            for one, other in zip(found, expected, strict=True):
                self.alike(one, other)
        else:
            self.assertEqual((found.dtype, found.shape), (expected.dtype, expected.shape))
            assert_allclose(found, expected, rtol=3e-7, atol=1e-9)

    def run_both(self, venv, formulas, steps):
        for step in range(steps):
            if step % 20 == 0:
                self.alike(venv.reset(), formulas.reset())
            for found, expected in zip(venv.step(step), formulas.step(), strict=True):
                self.alike(found, expected)

    def both(self, space=None, clip=10.0, **options):
        venv = normd.rl.VecNormalize(VecEnv(space), clip_obs=clip, clip_reward=clip, model=self.model, **options)
        return venv, Baselines(VecEnv(space), clip, options.get("norm_obs_keys"))

    def test_arrays(self):
        venv, formulas = self.both(clip=1.5)
        self.run_both(venv, formulas, 50)
        self.assert_state(venv.obs_rms, formulas.obs[None])
        self.assert_state(venv.ret_rms, formulas.ret)
        self.assertEqual((venv.num_envs, venv.step_async(7), venv.venv.actions), (4, None, 7))

    def test_dictionaries(self):
        venv, formulas = self.both(Dict(**DICT), norm_obs_keys=["camera", "joints"])
        self.run_both(venv, formulas, 30)
        for key in ("camera", "joints"):
            self.assert_state(venv.obs_rms[key], formulas.obs[key])
        self.assertEqual([layer["name"] for layer in self.model.layers()], ["obs.camera", "obs.joints", "returns"])

    def test_a_step_counts_wholly_or_not_at_all(self):
        venv, _ = self.both(Dict(**DICT))
        venv.reset()
        venv.step(0)
        before = self.digest()
        observed = venv.venv.observe()
        observed["joints"][2, 1] = numpy.nan
        with mock.patch.object(venv.venv, "observe", lambda count=4: observed):
            with self.assertRaisesRegex(NonFiniteInput, "joints"):
                venv.step(0)
            self.assertRaises(NonFiniteInput, venv.reset)
        self.assertEqual(self.digest(), before)
        venv.step(0)
        self.assertAlmostEqual(venv.ret_rms.count, 8.0001)

    def test_returns_begin_anew_even_if_a_terminal_observation_cannot_be_normalized(self):
        venv, _ = self.both()
        venv.reset()
        dones, infos = numpy.array([True, False] * 2), [{"terminal_observation": [1.0]}] * 4
        step = venv.venv.observe(), numpy.ones(4), dones, infos
        with mock.patch.object(venv.venv, "step_wait", lambda: step), self.assertRaisesRegex(ValueError, "shape"):
            venv.step(0)
        assert_array_equal(venv.returns, [0, 1, 0, 1])

    def test_evaluation_moves_nothing(self):
        venv, formulas = self.both()
        self.run_both(venv, formulas, 10)
        venv.set_training(False)
        formulas.training = False
        before = self.digest()
        self.run_both(venv, formulas, 10)
        self.assertEqual(self.digest(), before)
        self.model.freeze()
        venv.training = True  # by mistake
        before = self.digest()
        self.run_both(venv, formulas, 10)
        self.assertEqual(self.digest(), before)

    def test_originals_and_back(self):
        venv, formulas = self.both(Dict(**DICT), norm_obs_keys=["joints"])
        venv.reset()
        normalized, rewards, _, _ = venv.step(0)
        original = venv.get_original_obs()
        self.assertEqual(original["mode"].tolist(), normalized["mode"].tolist())
        back = venv.unnormalize_obs(normalized)
        self.assertEqual(back["joints"].dtype, numpy.float64)
        assert_allclose(back["joints"], original["joints"], rtol=1e-5)
        assert_allclose(venv.unnormalize_reward(rewards), venv.get_original_reward(), rtol=1e-5)
        original["joints"][:] = 0
        self.assertNotEqual(venv.get_original_obs()["joints"][0, 0], 0)

    def test_parts_may_stay_as_they_are(self):
        venv = normd.rl.VecNormalize(VecEnv(), norm_obs=False, norm_reward=False, model=self.model)
        obs, rewards, _, _ = (venv.reset(), venv.step(0))[1]
        assert_array_equal(obs, venv.get_original_obs())
        assert_array_equal(rewards, venv.get_original_reward().astype(numpy.float32))
        assert_array_equal(venv.unnormalize_obs(obs), obs)
        assert_array_equal(venv.unnormalize_reward(rewards), rewards)
        self.assertAlmostEqual(venv.ret_rms.count, 4.0001)  # learned all the same

    def test_what_cannot_be_normalized(self):
        with self.assertRaisesRegex(ValueError, "only boxes are normalized, and 'n' is .*norm_obs_keys"):
            self.both(Dict(n=object(), **DICT))
        with self.assertRaisesRegex(ValueError, "for observations that are dictionaries"):
            self.both(norm_obs_keys=["x"])

    def test_save_and_load_by_a_version(self):
        venv, formulas = self.both(clip=2.0)
        self.run_both(venv, formulas, 10)
        self.assertEqual(venv.save("champion", "ten steps")["note"], "ten steps")
        for _ in range(10):
            venv.step(0)
        loaded = normd.rl.VecNormalize.load("champion", VecEnv(seed=9), model=self.model)
        self.assertEqual((loaded.training, loaded.clip_obs, loaded.clip_reward, loaded.epsilon), (False, 2, 2, 1e-8))
        self.assert_state(loaded.obs_rms, formulas.obs[None])
        before = self.digest()
        formulas.training, formulas.env = False, VecEnv(seed=9)
        self.run_both(loaded, formulas, 10)
        self.assertEqual(self.digest(), before)
        for call in (lambda: loaded.set_training(True), lambda: loaded.obs_rms.update(numpy.ones((1, 3))),
                     lambda: loaded.ret_rms.combine(formulas.ret)):
            with self.assertRaisesRegex(ValueError, "version 'champion' and moves nothing"):
                call()
        self.assertEqual(self.digest(), before)
        self.assertAlmostEqual(normd.rl.VecNormalize.load("live", VecEnv(), model=self.model).ret_rms.count, 80.0001)
        self.assertRaises(normd.ApiError, normd.rl.VecNormalize.load, "nobody", VecEnv(), model=self.model)

    def test_evaluating_what_is_not_there_creates_nothing(self):
        self.layer.create("batch_norm", num_features=1)
        with self.assertRaises(NoSuchLayer):
            normd.rl.VecNormalize.load("live", VecEnv(), model=self.model)
        self.assertEqual(len(list(self.model.layers())), 1)


class SavedTest(OnLayers, unittest.TestCase):
    def statistics(self, *shape):
        found = Formula(shape)
        found.update(self.random.normal(3, 2, (20, *shape)))
        return found

    def saved(self, obs):
        """As Stable-Baselines3's object has them."""
        return mock.Mock(spec=["obs_rms", "ret_rms"], obs_rms=obs, ret_rms=self.statistics())

    def test_from_arrays(self):
        for name, space, obs in (("array", box(3), self.statistics(3)),
                                 ("dictionary", Dict(a=box(2, 2)), {"a": self.statistics(2, 2)})):
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                model, saved = self.client.model(f"saved-{name}"), self.saved(obs)
                path = os.path.join(folder, "statistics.npz")
                numpy.savez(path, **normd.rl.to_arrays(saved))
                normd.rl.from_arrays(path, model, clip_obs=5.0)
                venv = normd.rl.VecNormalize(VecEnv(space), clip_obs=5.0, model=model)
                arrays, expected = normd.rl.to_arrays(venv), normd.rl.to_arrays(saved)
                self.assertEqual(set(arrays), set(expected))
                for member, values in expected.items():
                    assert_array_equal(arrays[member], values, member)
                normd.rl.from_arrays(arrays, model, clip_obs=5.0)

    def test_arrays_that_are_refused_change_nothing(self):
        arrays = normd.rl.to_arrays(self.saved(self.statistics(3)))
        normd.rl.from_arrays(arrays, self.model)
        before = self.digest()
        for change, error, words in (({"obs.var": None}, ValueError, "missing: obs.var"),
                                     ({"other.mean": numpy.ones(3)}, ValueError, "not known: other"),
                                     ({"obs.mean": numpy.full(3, numpy.nan)}, normd.ApiError, "obs"),
                                     ({"returns.var": numpy.array(-1.0)}, normd.ApiError, "returns")):
            changed = {name: value for name, value in {**arrays, **change}.items() if value is not None}
            with self.subTest(words), self.assertRaisesRegex(error, words):
                normd.rl.from_arrays(changed, self.model)
            self.assertEqual(self.digest(), before)
        self.assertRaises(LayerDiffers, normd.rl.from_arrays, arrays, self.model, epsilon=1e-3)
        nothing = self.client.model("nothing")
        self.assertRaises(normd.ApiError, normd.rl.from_arrays, {**arrays, "obs.count": -1}, nothing)
        self.assertRaises(normd.errors.NoSuchModel, list, nothing.layers())

    def test_pickles_are_never_read(self):
        class Trap:
            def __reduce__(self):
                return os._exit, (66,)

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "vec_normalize.pkl")
            with open(path, "wb") as file:
                pickle.dump(Trap(), file)
            array = os.path.join(folder, "object.npz")
            numpy.savez(array, **{"obs.mean": numpy.array([Trap()])})
            for call in (lambda: normd.rl.VecNormalize.load(path, VecEnv(), model=self.model),
                         lambda: normd.rl.VecNormalize.load("vec_normalize.pkl", VecEnv(), model=self.model),
                         lambda: normd.rl.from_arrays(path, self.model)):
                with self.assertRaisesRegex(normd.rl.PickleRefused, "runs any code in it(.|\n)*numpy.savez"):
                    call()
            with self.assertRaisesRegex(ValueError, "allow_pickle=False"):
                normd.rl.from_arrays(array, self.model)


if __name__ == "__main__":
    unittest.main()
