"""examples/: its two modules beside PyTorch's own."""

import importlib.util
import os
import socket
import sys
import threading
import unittest
import unittest.mock

from normd import PATIENCE, ROOT, DaemonTest

HAVE_TORCH = importlib.util.find_spec("torch") is not None
if HAVE_TORCH:
    import torch
    from torch import nn

    sys.path.insert(0, os.path.join(ROOT, "examples"))
    from remote_norm import RemoteBatchNorm2d, RemoteLayerNorm, Shard
    from wire import Layer, Normd, NormdError
needs_torch = unittest.skipUnless(HAVE_TORCH, "python3-torch is not installed")


class Proxy:
    """Passes connections on to a port. Of the first one it takes the request and keeps the answer, as a network that breaks would."""

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
        """Both modules, with the same weight and bias: their outputs, and their gradients of a sum with random weights."""
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
    def pair(self, dtype, **options):
        remote = RemoteBatchNorm2d(3, **options, layer=self.layer())
        return self.with_same_parameters(remote.to(dtype), nn.BatchNorm2d(3, **options).to(dtype))

    def check_training_then_eval(self, dtype, tolerance, **options):
        remote, local = self.pair(dtype, **options)
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
        self.assertEqual(list(RemoteBatchNorm2d(3, track_running_stats=False, layer=self.layer()).state_dict()), ["weight", "bias"])

    def test_gradients_by_central_differences(self):
        remote = RemoteBatchNorm2d(2, layer=self.layer()).double()
        x = torch.randn(3, 2, 2, 1, dtype=torch.float64, requires_grad=True)
        self.assertTrue(torch.autograd.gradcheck(remote, (x,)))
        self.assertTrue(torch.autograd.gradcheck(remote.eval(), (x,)))

    def test_memory_formats(self):
        remote, local = self.pair(torch.float64)
        self.compare(remote, local, torch.randn(5, 3, 4, 2, dtype=torch.float64).to(memory_format=torch.channels_last), 1e-12)
        self.compare(remote, local, torch.randn(4, 3, 2, 5, dtype=torch.float64).permute(3, 1, 0, 2), 1e-12)

    def test_a_state_dict_goes_both_ways(self):
        remote, local = self.pair(torch.float32)
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
        for change, words in (({"0.running_var": None}, 'Missing key.*"0.running_var"'), ({"0.more": torch.ones(1)}, "Unexpected"),
                              ({"0.running_mean": torch.ones(4)}, r"statistics of 0 must be of 3 features.*\(4,\)")):
            state = {name: value for name, value in {**whole, **change}.items() if value is not None}
            with self.assertRaisesRegex(RuntimeError, words):
                net.load_state_dict(state)
        self.assertEqual(str(self.layer().statistics()), str(before))
        net.load_state_dict({"0.weight": torch.full((3,), 2.0)}, strict=False)
        self.assertEqual(net[0].weight.tolist(), [2, 2, 2])

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
        _, local = self.pair(torch.float64)
        whole = x.clone().requires_grad_()
        expected = local(whole)
        expected.backward(gradient)
        workers = [RemoteBatchNorm2d(3, layer=self.layer(), shard=Shard("run", rank, 3)).double() for rank in range(3)]
        parts = [part.clone().requires_grad_() for part in x.split((4, 0, 5))]
        outputs = [None] * 3

        def work(rank):
            workers[rank].load_state_dict({k: v for k, v in local.state_dict().items() if k in ("weight", "bias")}, strict=False)
            outputs[rank] = workers[rank](parts[rank])
            outputs[rank].backward(gradient.split((4, 0, 5))[rank])
            self.normd.close()  # this thread's connection

        threads = [threading.Thread(target=work, args=(rank,)) for rank in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
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
        for i, (shape, options) in enumerate(((4, {}), ((3, 4), {"eps": 0.5}), ([2, 3, 4], {"elementwise_affine": False}))):
            for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
                remote = RemoteLayerNorm(shape, **options, layer=self.layer(f"ln{i}")).to(dtype)
                remote, local = self.with_same_parameters(remote, nn.LayerNorm(shape, **options).to(dtype))
                for mode in (True, False):
                    self.compare(remote.train(mode), local.train(mode), torch.randn(5, 2, 3, 4, dtype=dtype) + 3, tolerance)
                self.assertEqual(list(remote.state_dict()), list(local.state_dict()))

    def test_a_shape_that_does_not_fit(self):
        with self.assertRaises(NormdError) as caught:
            RemoteLayerNorm(4, layer=self.layer())(torch.randn(2, 5))
        self.assertEqual(caught.exception.code, "shape_mismatch")


@needs_torch
class Wire(RemoteTest):
    def test_an_answer_that_is_lost_counts_once(self):
        """And all that follows goes over one connection."""
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


if __name__ == "__main__":
    unittest.main()
