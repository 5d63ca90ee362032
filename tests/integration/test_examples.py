# SPDX-License-Identifier: MIT
"""examples/: its two modules compared with PyTorch's own; the penguins and the control loop, run to the end."""

import contextlib
import copy
import importlib.util
import io
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
import unittest
import unittest.mock
from functools import partial
from types import SimpleNamespace

import numpy

from normd import NORMD, PATIENCE, ROOT, Daemon, DaemonTest, at_once

sys.path.insert(0, os.path.join(ROOT, "examples"))
import control_loop  # noqa: E402
from formulas import INITIAL_COUNT, BaselinesReturns, Formulas, GymnasiumReturns, RunningMeanStd  # noqa: E402
from wire import Layer, Normd, NormdError, read_state  # noqa: E402

HAVE_TORCH = importlib.util.find_spec("torch") is not None
if HAVE_TORCH:
    import torch
    from torch import nn

    import own_normd
    import train_penguins
    from remote_norm import RemoteBatchNorm2d, RemoteLayerNorm, Shard
needs_torch = unittest.skipUnless(HAVE_TORCH, "python3-torch is not installed")


class Proxy:
    """Passes connections on to a port. Of the first one it takes the request and keeps the answer,
    as a network that breaks would."""

    def __init__(self, port):
        self.port = port
        self.connections = 0
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.port))
            self.sockets += [client, server]
            threading.Thread(target=self.pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, self.connections == 1), daemon=True).start()

    @staticmethod
    def pump(source, sink, keep):
        while data := source.recv(65536):
            if keep:
                break
            sink.sendall(data)
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        for s in (self.listener, *self.sockets):
            s.close()


class RemoteTest(DaemonTest):
    def setUp(self):
        self.normd = Normd(self.daemon.url, timeout_s=60 * PATIENCE)
        self.addCleanup(self.normd.close)
        torch.manual_seed(7)

    def layer(self, name="bn", normd=None):
        return Layer(normd or self.normd, self.model, name)

    def assertNear(self, actual, expected, tolerance):
        self.assertEqual(actual.shape, expected.shape)
        self.assertEqual(actual.dtype, expected.dtype)
        self.assertLessEqual((actual - expected).abs().max().item(), tolerance)

    def compare(self, remote, local, x, tolerance):
        """Both modules, with the same weight and bias: their outputs,
        and their gradients of a sum with random weights."""
        inputs = [x.clone().requires_grad_() for _ in range(2)]
        outputs = [module(i) for module, i in zip((remote, local), inputs)]
        self.assertNear(*outputs, tolerance)
        gradient = torch.randn_like(outputs[0])
        for module, output in zip((remote, local), outputs):
            module.zero_grad()
            output.backward(gradient)
        self.assertNear(inputs[0].grad, inputs[1].grad, tolerance)
        for a, b in zip(remote.parameters(), local.parameters()):
            self.assertNear(a.grad, b.grad, tolerance * x.numel() / a.numel())

    @staticmethod
    def with_same_parameters(remote, local):
        with torch.no_grad():
            for a, b in zip(remote.parameters(), local.parameters(), strict=True):
                a.copy_(b.normal_())
        return remote, local


@needs_torch
class RemoteBatchNorm(RemoteTest):
    def both(self, dtype, **options):
        remote = RemoteBatchNorm2d(3, **options, layer=self.layer())
        return self.with_same_parameters(remote.to(dtype), nn.BatchNorm2d(3, **options).to(dtype))

    def check_training_then_eval(self, dtype, tolerance, **options):
        remote, local = self.both(dtype, **options)
        for i in range(3):
            self.compare(remote, local, torch.randn(5, 3, 4, 2, dtype=dtype) * (i + 1) + 2, tolerance)
        if local.track_running_stats:
            state, expected = remote.state_dict(), local.state_dict()
            self.assertEqual(list(state), list(expected))
            self.assertEqual(state["num_batches_tracked"], 3)
            for name in ("running_mean", "running_var"):
                self.assertNear(state[name].to(dtype), expected[name], tolerance)
        remote.eval()
        local.eval()
        self.compare(remote, local, torch.randn(5, 3, 4, 2, dtype=dtype), tolerance)

    def test_float64(self):
        self.check_training_then_eval(torch.float64, 1e-12)

    def test_float32(self):
        self.check_training_then_eval(torch.float32, 1e-5)

    def test_options(self):
        self.check_training_then_eval(torch.float64, 1e-12, eps=0.25, momentum=0.5, affine=False)

    def test_cumulative(self):
        self.check_training_then_eval(torch.float64, 1e-12, momentum=None)

    def test_without_running_statistics(self):
        self.check_training_then_eval(torch.float64, 1e-12, track_running_stats=False)
        self.assertEqual(list(RemoteBatchNorm2d(3, track_running_stats=False, layer=self.layer()).state_dict()),
                         ["weight", "bias"])

    def test_gradients_by_central_differences(self):
        remote = RemoteBatchNorm2d(2, layer=self.layer()).double()
        x = torch.randn(3, 2, 2, 1, dtype=torch.float64, requires_grad=True)
        self.assertTrue(torch.autograd.gradcheck(remote, (x,)))
        self.assertTrue(torch.autograd.gradcheck(remote.eval(), (x,)))

    def test_memory_formats(self):
        remote, local = self.both(torch.float64)
        self.compare(remote, local, torch.randn(5, 3, 4, 2, dtype=torch.float64).to(memory_format=torch.channels_last),
                     1e-12)
        self.compare(remote, local, torch.randn(4, 3, 2, 5, dtype=torch.float64).permute(3, 1, 0, 2), 1e-12)

    def test_a_state_dict_goes_both_ways(self):
        remote, local = self.both(torch.float32)
        for _ in range(4):
            local(torch.randn(6, 3, 2, 2) * 3 - 1)
        local.eval()
        remote.eval()
        remote.load_state_dict(local.state_dict())
        x = torch.randn(2, 3, 4, 4)
        self.assertNear(remote(x), local(x), 1e-6)
        back = nn.BatchNorm2d(3).eval()
        back.load_state_dict(remote.state_dict())
        self.assertTrue(torch.equal(back(x), local(x)))
        for name, value in local.state_dict().items():
            self.assertTrue(torch.equal(back.state_dict()[name], value), name)

    def test_a_state_dict_that_does_not_fit(self):
        net = nn.Sequential(RemoteBatchNorm2d(3, layer=self.layer()))
        whole = nn.Sequential(nn.BatchNorm2d(3)).state_dict()
        before = self.layer().statistics()
        for change, words in (({"0.running_var": None}, 'Missing key.*"0.running_var"'),
                              ({"0.more": torch.ones(1)}, "Unexpected"),
                              ({"0.running_mean": torch.ones(4)}, r"statistics of 0 must be of 3 features.*\(4,\)")):
            state = {name: value for name, value in {**whole, **change}.items() if value is not None}
            with self.assertRaisesRegex(RuntimeError, words):
                net.load_state_dict(state)
        self.assertEqual(str(self.layer().statistics()), str(before))
        net.load_state_dict({"0.weight": torch.full((3,), 2.0)}, strict=False)
        self.assertEqual(net[0].weight.tolist(), [2, 2, 2])

    def test_a_copy_is_the_same_layer(self):
        """Also after a step, when there is a connection to copy; the copy has its own weight and bias."""
        remote = RemoteBatchNorm2d(3, layer=self.layer())
        remote(torch.randn(5, 3, 4, 2)).sum().backward()
        for made in (copy.deepcopy(remote), copy.copy(remote), pickle.loads(pickle.dumps(remote))):
            made(torch.randn(5, 3, 4, 2))
        self.assertEqual(self.layer().statistics()["num_batches_tracked"], 4)
        made.weight.data.fill_(2)
        self.assertEqual(remote.weight.tolist(), [1, 1, 1])
        network = nn.Sequential(nn.Conv2d(3, 3, 1), remote, nn.ReLU())
        copy.deepcopy(network)(torch.randn(5, 3, 4, 2))
        self.assertEqual(self.layer().statistics()["num_batches_tracked"], 5)

    def test_reset(self):
        remote = RemoteBatchNorm2d(3, layer=self.layer())
        remote(torch.randn(5, 3, 1, 1))
        remote.reset_running_stats()
        self.assertEqual(self.layer().statistics()["num_batches_tracked"], 0)

    def test_no_gradient_is_asked_for_where_none_is_needed(self):
        remote = RemoteBatchNorm2d(3, layer=self.layer())
        with unittest.mock.patch.object(remote.layer, "backward") as backward:
            remote(torch.randn(5, 3, 1, 1)).sum().backward()
        backward.assert_not_called()
        self.assertEqual(remote.bias.grad.tolist(), [5, 5, 5])

    def test_statistics_that_change_before_the_backward_pass(self):
        remote = RemoteBatchNorm2d(3, layer=self.layer())
        x = torch.randn(5, 3, 1, 1, requires_grad=True)
        remote(x)
        y = remote.eval()(x)
        remote.train()(x.detach())
        with self.assertRaisesRegex(RuntimeError, "statistics have changed"):
            y.sum().backward()

    def test_what_is_refused(self):
        remote = RemoteBatchNorm2d(3, layer=self.layer())
        with self.assertRaisesRegex(ValueError, r"4D input \(got 2D"):
            remote(torch.randn(5, 3))
        with self.assertRaisesRegex(TypeError, "bfloat16"):
            remote(torch.randn(5, 3, 1, 1).bfloat16())
        for code, call in (("too_few_values", lambda: remote(torch.randn(1, 3, 1, 1))),
                           ("shape_mismatch", lambda: remote(torch.randn(5, 4, 1, 1))),
                           ("non_finite_input", lambda: remote(torch.full((5, 3, 1, 1), float("nan")))),
                           ("layer_differs", lambda: RemoteBatchNorm2d(3, eps=1, layer=self.layer())),
                           ("bad_name", lambda: RemoteBatchNorm2d(3, layer=self.layer("-"))),
                           ("not_trained", lambda: remote.eval()(torch.randn(5, 3, 1, 1)))):
            with self.assertRaises(NormdError, msg=code) as caught:
                call()
            self.assertEqual(caught.exception.code, code)
            self.assertIn(code, str(caught.exception))
        self.assertEqual(self.layer().statistics()["num_batches_tracked"], 0)

    def test_shards_are_normalized_as_one_batch(self):
        """Three workers, one of which has no sample."""
        x, gradient = torch.randn(2, 9, 3, 2, 2, dtype=torch.float64) * 2 + 1
        _, local = self.both(torch.float64)
        whole = x.clone().requires_grad_()
        expected = local(whole)
        expected.backward(gradient)
        workers = [RemoteBatchNorm2d(3, layer=self.layer(), shard=Shard("run", rank, 3)).double() for rank in range(3)]
        parts = [part.clone().requires_grad_() for part in x.split((4, 0, 5))]

        def work(rank):
            workers[rank].load_state_dict({k: v for k, v in local.state_dict().items() if k in ("weight", "bias")},
                                          strict=False)
            output = workers[rank](parts[rank])
            output.backward(gradient.split((4, 0, 5))[rank])
            self.normd.close()  # this thread's connection
            return output

        outputs = at_once([partial(work, rank) for rank in range(3)])
        self.assertNear(torch.cat(outputs), expected, 1e-12)
        self.assertNear(torch.cat([part.grad for part in parts]), whole.grad, 1e-12)
        for name in ("weight", "bias"):
            self.assertNear(sum(getattr(worker, name).grad for worker in workers), getattr(local, name).grad, 1e-11)
        statistics = self.layer().statistics()
        self.assertEqual(statistics["num_batches_tracked"], 1)
        for name in ("running_mean", "running_var"):
            self.assertNear(torch.from_numpy(statistics[name]), getattr(local, name), 1e-12)

    def test_a_worker_that_does_not_come(self):
        remote = RemoteBatchNorm2d(3, layer=self.layer(), shard=Shard("run", 0, 2, timeout_ms=50))
        with self.assertRaises(NormdError) as caught:
            remote(torch.randn(5, 3, 1, 1))
        self.assertEqual(caught.exception.code, "sync_incomplete")


@needs_torch
class RemoteLayer(RemoteTest):
    def test_as_layer_norm(self):
        cases = ((4, {}), ((3, 4), {"eps": 0.5}), ([2, 3, 4], {"elementwise_affine": False}))
        for i, (shape, options) in enumerate(cases):
            for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
                remote = RemoteLayerNorm(shape, **options, layer=self.layer(f"ln{i}")).to(dtype)
                remote, local = self.with_same_parameters(remote, nn.LayerNorm(shape, **options).to(dtype))
                for mode in (True, False):
                    self.compare(remote.train(mode), local.train(mode), torch.randn(5, 2, 3, 4, dtype=dtype) + 3,
                                 tolerance)
                self.assertEqual(list(remote.state_dict()), list(local.state_dict()))

    def test_a_shape_that_does_not_fit(self):
        with self.assertRaises(NormdError) as caught:
            RemoteLayerNorm(4, layer=self.layer())(torch.randn(2, 5))
        self.assertEqual(caught.exception.code, "shape_mismatch")


@needs_torch
class Wire(RemoteTest):
    def test_an_answer_that_is_lost_counts_once(self):
        """All later requests use one connection."""
        self.layer().define({"kind": "batch_norm", "num_features": 3, "affine": False})
        proxy = Proxy(self.daemon.port)
        self.addCleanup(proxy.close)
        normd = Normd(proxy.url, timeout_s=60 * PATIENCE)
        self.addCleanup(normd.close)
        layer = self.layer(normd=normd)
        layer.train(torch.randn(5, 3).numpy())
        self.assertEqual(self.layer().statistics()["num_batches_tracked"], 1)
        layer.train(torch.randn(5, 3).numpy())
        layer.infer(torch.randn(5, 3).numpy())
        self.assertEqual(self.layer().statistics()["num_batches_tracked"], 2)
        self.assertEqual(proxy.connections, 2)

    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with self.assertRaisesRegex(NormdError, f"PUT .*: no answer from {url}: .*refused"):
            RemoteBatchNorm2d(3, layer=self.layer(normd=Normd(url)))

    def test_an_address_that_is_none(self):
        for url in ("127.0.0.1:8080", "https://127.0.0.1", "http://", "http://127.0.0.1/v1"):
            with self.assertRaisesRegex(ValueError, "not the address of a normd"):
                Normd(url)


@needs_torch
class Guide(DaemonTest):
    def test_its_code_runs(self):
        with open(os.path.join(ROOT, "examples/README.md")) as f:
            section = f.read().split("## In your own network")[1].split("\n# ")[0]
        code = "\n".join(re.findall(r"^    (.*)$", section, re.M)).replace("http://127.0.0.1:8080", self.daemon.url)
        trained = nn.BatchNorm2d(64)
        trained(torch.randn(2, 64, 3, 3))
        known = {"trained": SimpleNamespace(layer1=[SimpleNamespace(bn1=trained)]), "rank": 0}
        exec(code, known)
        self.addCleanup(known["normd"].close)
        self.assertTrue(torch.allclose(known["bn"].state_dict()["running_mean"].float(), trained.running_mean))
        self.assertEqual(known["shard"].world_size, 4)
        network = nn.Sequential()
        network.add_module("layer1", nn.Sequential(nn.Sequential()))
        network.layer1[0].add_module("bn1", nn.BatchNorm2d(64))
        network.load_state_dict(known["state"], strict=False)
        self.assertTrue(torch.allclose(network.layer1[0].bn1.running_var, trained.running_var))


class States(DaemonTest):
    def test_the_state_of_a_version(self):
        """In float32 as PyTorch has it, or in float64; also values without dimensions, and an alias for the version."""
        path = "/v1/models/published"
        normd = Normd(self.daemon.url)
        self.addCleanup(normd.close)
        layer = Layer(normd, "published", "bn")
        layer.define({"kind": "batch_norm", "num_features": 2})
        layer.put_statistics([0.1, 2], [3, 4], 5)
        normd.request("POST", path + "/versions")
        normd.request("PUT", path + "/aliases/champion", '{"version":1}')
        layer.put_statistics([7, 8], [9, 10], 11)
        for datatype, mean in (("FP32", numpy.float32(0.1)), ("FP64", 0.1)):
            state = read_state(normd, "published", "champion", datatype)
            self.assertEqual({name: values.tolist() for name, values in state.items()},
                             {"bn.weight": [1, 1], "bn.bias": [0, 0], "bn.running_mean": [mean, 2],
                              "bn.running_var": [3, 4], "bn.num_batches_tracked": 5})
        self.assertEqual(read_state(normd, "published")["bn.running_mean"].tolist(), [7, 8])
        with self.assertRaisesRegex(NormdError, "no_such_alias"):
            read_state(normd, "published", "none")


class Copies(DaemonTest):
    def setUp(self):
        self.normd = Normd(self.daemon.url, timeout_s=60 * PATIENCE)
        self.addCleanup(self.normd.close)
        self.layer = Layer(self.normd, self.model, "bn")
        self.layer.define({"kind": "batch_norm", "num_features": 2, "affine": False})
        self.layer.train(numpy.float32([[1, 20], [3, 40]]))

    def count(self):
        return self.layer.statistics()["num_batches_tracked"]

    def test_a_copy_has_connections_of_its_own(self):
        for n, made in enumerate((copy.deepcopy(self.layer), copy.copy(self.normd),
                                  pickle.loads(pickle.dumps(self.layer))), 2):
            layer = made if isinstance(made, Layer) else Layer(made, self.model, "bn")
            self.assertIsNot(layer.normd, self.normd)
            layer.train(numpy.float32([[1, 20], [3, 40]]))
            layer.normd.close()
            self.assertEqual(self.count(), n)

    def test_a_forked_process_has_one_of_its_own(self):
        connection = self.normd.local.connection
        child = os.fork()
        if child == 0:
            status = 1
            try:
                self.layer.train(numpy.float32([[1, 20], [3, 40]]))
                status = int(self.normd.local.connection is connection)
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(self.count(), 2)
        self.assertIs(self.normd.local.connection, connection)


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

    def run_example(self, *args):
        return subprocess.run([os.path.join(ROOT, "examples/control_loop.py"), "--url", self.daemon.url, *args],
                              capture_output=True, text=True, timeout=120 * PATIENCE,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})

    def test_normd_agrees_with_both_libraries(self):
        for carts in ("4", "1"):
            done = self.run_example("--carts", carts)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            for name in ("gymnasium", "stable-baselines3"):
                self.assertRegex(done.stdout, rf"(?m)^{name} +observations +rewards$")
            self.assertEqual(done.stdout.count("the statistics stayed"), 2)
            pairs = re.findall(r"(?m)^  both begin with count \S+ +(\S+) +(\S+)$", done.stdout)
            gaps = [float(gap) for pair in pairs for gap in pair]
            self.assertEqual(len(gaps), 8, done.stdout)
            self.assertLess(max(gaps), control_loop.TOLERANCE)
            # The libraries' initial count is no rounding error: it is seen in the third digit and before.
            starts = re.findall(r"(?m)^  formulas, 0 and 1e-4 +(\S+) at step", done.stdout)
            self.assertEqual(len(starts), 2, done.stdout)
            self.assertGreater(min(map(float, starts)), 1e-2)
        self.assertEqual(self.daemon.curl("GET", "/v1/models").json["models"], [])

    def follow(self, **patches):
        with contextlib.redirect_stdout(io.StringIO()) as out, \
                unittest.mock.patch.multiple(control_loop, STEPS=3, EVALUATION_STEPS=2, **patches):
            return control_loop.follow(self.daemon.url, self.model, GymnasiumReturns, 2), out.getvalue()

    def test_differences_are_found(self):
        self.assertIs(self.follow()[0], True)
        self.assertIs(self.follow(TOLERANCE=-1)[0], False)
        begin_with = control_loop.Remote.begin_with
        with unittest.mock.patch.object(control_loop.Remote, "begin_with", lambda r, count: begin_with(r, 2 * count)):
            self.assertIs(self.follow()[0], False)

    def test_statistics_that_move_are_found(self):
        with unittest.mock.patch.object(control_loop.Remote, "freeze"):
            good, text = self.follow()
        self.assertIs(good, False)
        self.assertIn("the statistics moved", text)

    def test_a_normd_that_cannot_be_reached_is_said(self):
        done = self.run_example("--url", "http://127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^control_loop: PUT .*: no answer from http://127.0.0.1:1: .*refused\n$")


@needs_torch
class Penguins(unittest.TestCase):
    """train_penguins.py, as `make example` runs it but for the daemon, which is this test's."""

    def run_example(self, *args):
        return subprocess.run([os.path.join(ROOT, "examples/train_penguins.py"), *args], capture_output=True, text=True,
                              timeout=120 * PATIENCE, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})

    def test_it_reaches_the_accuracy_of_local_layers(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        done = self.run_example("--url", daemon.url)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        right = {name.strip(): int(count)
                 for name, count in re.findall(r"^(\w+(?:, sync)?) +(\d+) of 68 ", done.stdout, re.M)}
        self.assertEqual(list(right), ["none", "local", "normd", "normd, sync"], done.stdout)
        self.assertGreater(right["local"], 60)
        self.assertLess(right["none"], right["local"] - 5)
        self.assertGreaterEqual(min(right["normd"], right["normd, sync"]), right["local"] - train_penguins.MARGIN)
        differences = [float(d) for d in re.findall(r"running statistics differ by (\S+)", done.stdout)]
        self.assertEqual(len(differences), 2)
        self.assertLess(max(differences), 1e-3)
        # Both layers of both runs were trained in normd, by one process and by two; and nothing is left behind.
        targets = [line.get("target", "").split("?")[0] for line in daemon.log_lines()]
        calls = [target for target in targets if target.endswith("/train")]
        steps = train_penguins.EPOCHS * -(-274 // train_penguins.BATCH)
        self.assertEqual(sorted(map(calls.count, set(calls))), [steps, steps, 2 * steps, 2 * steps])
        self.assertEqual(daemon.curl("GET", "/v1/models").json["models"], [])

    def test_worse_by_more_than_the_margin_is_said(self):
        for alone, sync, good in ((58, 60, True), (60, 58, True), (57, 60, False), (60, 57, False), (61, 61, True)):
            outcomes = [(0, {}), (60, {}), (alone, {}), (sync, {})]
            with unittest.mock.patch.multiple(train_penguins, report=unittest.mock.Mock(side_effect=outcomes),
                                              delete=lambda *_: None):
                self.assertIs(train_penguins.compare("http://127.0.0.1:1"), good)

    def test_a_normd_of_its_own_comes_and_goes(self):
        with own_normd.running(NORMD) as url:
            normd = Normd(url)
            self.addCleanup(normd.close)
            normd.request("GET", "/v2/health/ready")
        with self.assertRaisesRegex(NormdError, "no answer"):
            normd.request("GET", "/v2/health/ready")

    def test_without_a_normd_it_says_what_to_do(self):
        done = self.run_example("--normd", "/nonexistent/normd")
        self.assertEqual((done.returncode, done.stderr),
                         (1, "/nonexistent/normd does not exist: build it with make, or name a running normd with "
                             "--url\n"))

    def test_a_normd_that_cannot_be_reached_or_started_is_said(self):
        done = self.run_example("--url", "http://127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^train_penguins: PUT .*: no answer from http://127.0.0.1:1: .*refused\n$")
        with self.assertRaisesRegex(SystemExit, "did not start"):
            with own_normd.running("/bin/false"):
                pass


if __name__ == "__main__":
    unittest.main()
