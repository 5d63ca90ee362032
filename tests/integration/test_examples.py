# SPDX-License-Identifier: MIT
"""examples/: the penguins and the control loop, run to the end; the code that its README shows.

The examples use the Python package, whose name is that of this folder's module: they run in processes of their own.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import unittest

import numpy

from normd import PATIENCE, ROOT, Daemon, DaemonTest

EXAMPLES = os.path.join(ROOT, "examples")
sys.path.insert(0, EXAMPLES)
from formulas import INITIAL_COUNT, BaselinesReturns, Formulas, GymnasiumReturns, RunningMeanStd  # noqa: E402

needs_torch = unittest.skipUnless(importlib.util.find_spec("torch"), "python3-torch is not installed")


def setUpModule():
    """Makes the part of the package that is made of another, as `make` does."""
    subprocess.run([sys.executable, os.path.join(ROOT, "clients/python/hatch_build.py")], check=True)


def run(*command):
    """An example, or code that imports one."""
    path = os.pathsep.join((os.path.join(ROOT, "clients/python/src"), EXAMPLES))
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=120 * PATIENCE,
                          env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"})


def run_example(name, *args):
    return run(os.path.join(EXAMPLES, name), *args)


class LibraryFormulas(unittest.TestCase):
    """By numbers that were computed by hand."""

    def test_running_statistics(self):
        x = numpy.random.default_rng(1).normal(5, 3, (50, 2))
        zero = RunningMeanStd(2, 0)
        for rows in numpy.split(x, (1, 2, 10)):
            zero.update(rows)
        self.assertEqual(zero.count, 50)
        self.assertTrue(numpy.allclose(zero.mean, x.mean(axis=0), 1e-14))
        self.assertTrue(numpy.allclose(zero.var, x.var(axis=0), 1e-14))
        one = RunningMeanStd((), 1)
        one.update(numpy.array([4.0]))
        self.assertEqual((one.mean, one.var, one.count), (2, 4.5, 2))  # of 0, whose variance is 1, and 4

    def test_returns(self):
        rewards = numpy.array([1.0, 10.0])
        nobody, second = numpy.array([False, False]), numpy.array([False, True])
        for kind, expected in ((GymnasiumReturns, [[1, 10], [1.99, 10], [1 + 0.99 * 1.99], [1 + 0.99 * 2.9701, 19.9]]),
                               (BaselinesReturns, [[1, 10], [1.99, 19.9], [1 + 0.99 * 1.99, 10],
                                                   [1 + 0.99 * 2.9701, 19.9]])):
            returns = kind(2)
            for terminated, row in zip((nobody, second, nobody, nobody), expected):
                learned = returns.add(rewards, terminated, nobody)
                self.assertTrue(numpy.allclose(learned, row, 1e-14), (kind, learned, row))

    def test_clipping_and_freezing(self):
        formulas = Formulas(1, 2, INITIAL_COUNT)
        self.assertEqual(formulas.observe(numpy.array([[0.0], [0.0], [0.0], [0.0], [1e6]])).max(), 2)
        formulas.training = False
        before = formulas.observations.count
        formulas.observe(numpy.array([[7.0]]))
        formulas.scale(numpy.array([7.0]), numpy.array([7.0]))
        self.assertEqual((formulas.observations.count, formulas.returns.count), (before, INITIAL_COUNT))


class ControlLoop(DaemonTest):
    """control_loop.py, by this test's daemon."""

    def test_normd_agrees_with_both_libraries(self):
        for carts in ("4", "1"):
            done = run_example("control_loop.py", "--url", self.daemon.url, "--carts", carts)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            for name in ("gymnasium", "stable-baselines3"):
                self.assertRegex(done.stdout, rf"(?m)^{name} +observations +rewards$")
            self.assertEqual(done.stdout.count("the statistics stayed"), 2)
            pairs = re.findall(r"(?m)^  both begin with count \S+ +(\S+) +(\S+)$", done.stdout)
            gaps = [float(gap) for pair in pairs for gap in pair]
            self.assertEqual(len(gaps), 8, done.stdout)
            self.assertLess(max(gaps), 1e-12)
            # The libraries' initial count is no rounding error: it is seen in the third digit and before.
            starts = re.findall(r"(?m)^  formulas, 0 and 1e-4 +(\S+) at step", done.stdout)
            self.assertEqual(len(starts), 2, done.stdout)
            self.assertGreater(min(map(float, starts)), 1e-2)
        self.assertEqual(self.daemon.curl("GET", "/v1/models").json["models"], [])

    def follow(self, spoil="pass"):
        """What a short loop says: whether all is well, and its lines. `spoil` is a statement."""
        done = run("-c", f"import control_loop as loop\nloop.STEPS, loop.EVALUATION_STEPS = 3, 2\n{spoil}\n"
                         f"print(loop.follow({self.daemon.url!r}, {self.model!r}, loop.GymnasiumReturns, 2))")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()[-1] == "True", done.stdout

    def test_differences_are_found(self):
        self.assertIs(self.follow()[0], True)
        self.assertIs(self.follow("loop.TOLERANCE = -1")[0], False)
        self.assertIs(self.follow("initial = loop.RunningMeanStd\n"
                                  "loop.RunningMeanStd = lambda count, *a, **k: initial(2 * count, *a, **k)")[0], False)

    def test_statistics_that_move_are_found(self):
        good, text = self.follow("loop.Remote.freeze = lambda self: None")
        self.assertIs(good, False)
        self.assertIn("the statistics moved", text)

    def test_a_normd_that_cannot_be_started_is_said(self):
        done = run_example("control_loop.py", "--normd", "/nonexistent/normd")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^control_loop: /nonexistent/normd cannot be started: No such file")


@needs_torch
class Penguins(unittest.TestCase):
    """train_penguins.py, as `make example` runs it but for the daemon, which is this test's."""

    def test_it_reaches_the_accuracy_of_local_layers(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        done = run_example("train_penguins.py", "--url", daemon.url)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        right = {name.strip(): int(count)
                 for name, count in re.findall(r"^(\w+(?:, sync)?) +(\d+) of 68 ", done.stdout, re.M)}
        self.assertEqual(list(right), ["none", "local", "normd", "normd, sync"], done.stdout)
        self.assertGreater(right["local"], 60)
        self.assertLess(right["none"], right["local"] - 5)
        self.assertGreaterEqual(min(right["normd"], right["normd, sync"]), right["local"] - 2)
        differences = [float(d) for d in re.findall(r"running statistics differ by (\S+)", done.stdout)]
        self.assertEqual(len(differences), 2)
        self.assertLess(max(differences), 1e-3)
        # Both layers of both runs were trained in normd, by one process and by two; and nothing is left behind.
        targets = [line.get("target", "").split("?")[0] for line in daemon.log_lines()]
        calls = [target for target in targets if target.endswith("/train")]
        steps = 10 * -(-274 // 25)  # epochs, batches
        self.assertEqual(sorted(map(calls.count, set(calls))), [steps, steps, 2 * steps, 2 * steps])
        self.assertEqual(daemon.curl("GET", "/v1/models").json["models"], [])

    def test_worse_by_more_than_the_margin_is_said(self):
        cases = ((58, 60, True), (60, 58, True), (57, 60, False), (60, 57, False), (61, 61, True))
        done = run("-c", f"import json, train_penguins as penguins\n"
                         f"penguins.delete = lambda *_: None\n"
                         f"said = []\n"
                         f"for alone, sync, _ in {cases}:\n"
                         f"    outcomes = iter([(0, {{}}), (60, {{}}), (alone, {{}}), (sync, {{}})])\n"
                         f"    penguins.report = lambda *_: next(outcomes)\n"
                         f"    said.append(penguins.compare('http://127.0.0.1:1'))\n"
                         f"print(json.dumps(said))")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout), [good for _, _, good in cases])


@needs_torch
class Guide(DaemonTest):
    def test_its_code_runs(self):
        with open(os.path.join(EXAMPLES, "README.md")) as f:
            section = f.read().split("## In your own network")[1].split("\n# ")[0]
        code = "\n".join(re.findall(r"^    (.*)$", section, re.M)).replace("http://127.0.0.1:8080", self.daemon.url)
        done = run("-c", f"""
import torch
from torch import nn
network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8))
network(torch.randn(2, 3, 4, 4))
trained = network[1].running_mean
{code}
assert torch.equal(network[1].running_mean.float(), trained)
assert torch.equal(local[1].running_mean, trained)
""")
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
