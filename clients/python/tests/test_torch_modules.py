# SPDX-License-Identifier: MIT
"""normd.torch's modules compared with PyTorch's own: outputs, gradients, running statistics, state_dicts."""

import copy
import pickle
import unittest
import unittest.mock

from torch_support import Case, needs_torch, nn, torch

import normd
import normd.errors

if torch is not None:
    from normd.torch import (RemoteBatchNorm1d, RemoteBatchNorm2d, RemoteBatchNorm3d, RemoteLayerNorm,
                             RemoteSyncBatchNorm)

SHAPES = {"1d": (7, 3), "1d, with positions": (5, 3, 4), "2d": (5, 3, 4, 2), "3d": (4, 3, 2, 1, 3)}


@needs_torch
class BatchNorms(Case):
    def both(self, dtype=None, kinds=None, **options):
        remote, local = kinds or (RemoteBatchNorm2d, nn.BatchNorm2d)
        return self.with_same_parameters(remote(3, **options, layer=self.layer, dtype=dtype),
                                         local(3, **options, dtype=dtype))

    def check_training_then_eval(self, shape=SHAPES["2d"], dtype=None, tolerance=1e-12, kinds=None, **options):
        remote, local = self.both(dtype or torch.float64, kinds, **options)
        x = torch.randn(shape, dtype=dtype or torch.float64)
        for i in range(3):
            self.compare(remote, local, x * (i + 1) + 2, tolerance)
        self.assertEqual(list(remote.state_dict()), list(local.state_dict()))
        if local.track_running_stats:
            self.assertEqual(int(remote.num_batches_tracked), 3)
            self.assertNear(remote.running_mean.to(x.dtype), local.running_mean, tolerance)
            self.assertNear(remote.running_var.to(x.dtype), local.running_var, tolerance)
        else:
            self.assertIsNone(remote.running_mean)
        self.compare(remote.eval(), local.eval(), x, tolerance)
        self.layer.delete()

    def test_each_number_of_dimensions(self):
        kinds = {"1d": (RemoteBatchNorm1d, nn.BatchNorm1d), "2d": (RemoteBatchNorm2d, nn.BatchNorm2d),
                 "3d": (RemoteBatchNorm3d, nn.BatchNorm3d)}
        self.check_training_then_eval(kinds=(RemoteSyncBatchNorm, nn.BatchNorm2d))
        for name, shape in SHAPES.items():
            for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
                with self.subTest(name, dtype=dtype):
                    self.check_training_then_eval(shape, dtype, tolerance, kinds[name[:2]])
        for dims, module in (("2D or 3D", RemoteBatchNorm1d(3, layer=self.layer)),
                             ("4D", RemoteBatchNorm2d(3, layer=self.layer)),
                             ("5D", RemoteBatchNorm3d(3, layer=self.layer))):
            with self.assertRaisesRegex(ValueError, rf"expected {dims} input \(got 6D"):
                module(torch.randn(5, 3, 1, 1, 1, 1))

    def test_options(self):
        for options in ({"eps": 0.25, "momentum": 0.5, "affine": False}, {"momentum": None}, {"momentum": 0.0},
                        {"track_running_stats": False}):
            with self.subTest(**options):
                self.check_training_then_eval(**options)

    def test_positional_arguments_are_those_of_torch(self):
        remote = RemoteBatchNorm2d(3, 0.5, 0.25, False, False, "cpu", torch.float64, layer=self.layer)
        self.assertEqual((remote.eps, remote.momentum, remote.affine, remote.track_running_stats),
                         (0.5, 0.25, False, False))
        remote = RemoteSyncBatchNorm(3, 0.5, 0.25, True, False, None, "cpu", torch.float64, layer=self.layer)
        self.assertEqual((remote.process_group, remote.weight.dtype), (None, torch.float64))
        remote = RemoteLayerNorm((3, 4), 0.5, True, False, "cpu", torch.float64, layer=self.model.layer("ln"))
        self.assertEqual((remote.weight.shape, remote.bias, remote.weight.dtype), ((3, 4), None, torch.float64))

    def test_bfloat16_and_float32_parameters(self):
        """As autocast has it. Rounded once, as PyTorch's results are: so mostly to the same."""
        remote, local = self.both()
        x = (torch.randn(64, 3, 4, 4) * 3 + 1).bfloat16()
        for train in (True, False):
            remote.train(train)
            local.train(train)
            with torch.autocast("cpu", torch.bfloat16):
                self.compare(remote, local, x, 1 / 64)
                got, expected = remote(x), local(x)
            self.assertEqual(got.dtype, torch.bfloat16)
            self.assertLess((got != expected).float().mean(), 0.01)

    def test_half_precision(self):
        """PyTorch has no such batch norm on a CPU: compared with float64's results, rounded once."""
        for dtype in (torch.float16, torch.bfloat16):
            for affine in (True, False):
                remote = RemoteBatchNorm2d(3, affine=affine, layer=self.layer).to(dtype)
                local = nn.BatchNorm2d(3, affine=affine).double()
                self.with_same_parameters(remote, local.to(dtype))
                local.double()
                x = torch.randn(16, 3, 4, 4).to(dtype).requires_grad_()
                got = remote(x)
                got.sum().backward()
                self.assertEqual((got.dtype, x.grad.dtype), (dtype, dtype))
                self.assertLess((got != local(x.double()).to(dtype)).float().mean(), 0.01)

    def test_memory_formats(self):
        remote, local = self.both(torch.float64)
        x = torch.randn(5, 3, 4, 2, dtype=torch.float64)
        for laid_out in (x.to(memory_format=torch.channels_last), x.permute(3, 1, 0, 2), x[::2, :, 1:],
                         x[:, :, :1].expand(-1, -1, 6, -1)):
            self.compare(remote, local, laid_out, 1e-12)

    def test_gradients_by_central_differences(self):
        remote = RemoteBatchNorm1d(2, layer=self.layer).double()
        x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
        self.assertTrue(torch.autograd.gradcheck(remote, (x,)))
        self.assertTrue(torch.autograd.gradcheck(remote.eval(), (x,)))

    def test_twice_in_one_forward_pass(self):
        remote, local = self.both(torch.float64)
        remote_twice, local_twice = (nn.Sequential(norm, nn.Tanh(), norm) for norm in (remote, local))
        self.compare(remote_twice, local_twice, torch.randn(6, 3, 2, 2, dtype=torch.float64), 1e-11)
        self.assertEqual(int(remote.num_batches_tracked), 2)
        self.assertNear(remote.running_var, local.running_var, 1e-12)
        self.compare(remote_twice.eval(), local_twice.eval(), torch.randn(6, 3, 2, 2, dtype=torch.float64), 1e-11)

    def test_no_gradient_is_asked_for_where_none_is_needed(self):
        remote = RemoteBatchNorm2d(3, layer=self.layer)
        with unittest.mock.patch.object(remote.layer, "backward") as backward:
            remote(torch.randn(5, 3, 1, 1)).sum().backward()
        backward.assert_not_called()
        self.assertEqual(remote.bias.grad.tolist(), [5, 5, 5])

    def test_statistics_that_change_before_the_backward_pass(self):
        remote = RemoteBatchNorm2d(3, layer=self.layer)
        x = torch.randn(5, 3, 1, 1, requires_grad=True)
        remote(x)
        y = remote.eval()(x)
        remote.train()(x.detach())
        with self.assertRaisesRegex(RuntimeError, r"statistics of Layer\('test.*', 'obs'\) have changed"):
            y.sum().backward()

    def test_eval_is_by_the_live_statistics(self):
        """Whatever version serves."""
        remote, local = self.both(torch.float64)
        x = torch.randn(5, 3, 4, 2, dtype=torch.float64)
        self.compare(remote, local, x, 1e-12)
        self.model.publish(self.model.make_version()["version"])
        self.compare(remote, local, x * 2 + 1, 1e-12)
        self.compare(remote.eval(), local.eval(), x, 1e-12)

    def test_a_frozen_layer_is_as_in_eval_mode(self):
        remote, local = self.both(torch.float64)
        x = torch.randn(5, 3, 4, 2, dtype=torch.float64)
        self.compare(remote, local, x, 1e-12)
        self.layer.freeze()
        self.compare(remote, local.eval(), x * 2 + 1, 1e-12)
        self.assertEqual(int(remote.num_batches_tracked), 1)
        self.layer.thaw()
        self.compare(remote, local.train(), x * 2 + 1, 1e-12)

    def test_an_empty_batch(self):
        remote = RemoteBatchNorm2d(3, layer=self.layer)
        x = torch.randn(0, 3, 2, 2, requires_grad=True)
        y = remote(x)
        y.sum().backward()
        self.assertEqual((y.shape, x.grad.shape, int(remote.num_batches_tracked)), (x.shape, x.shape, 0))

    def test_what_is_refused(self):
        remote = RemoteBatchNorm2d(3, layer=self.layer)
        for error, call in (("TooFewValues", lambda: remote(torch.randn(1, 3, 1, 1))),
                            ("ShapeMismatch", lambda: remote(torch.randn(5, 4, 1, 1))),
                            ("NonFiniteInput", lambda: remote(torch.full((5, 3, 1, 1), float("nan")))),
                            ("BadNpy", lambda: remote(torch.ones(5, 3, 1, 1, dtype=torch.int64))),
                            ("LayerDiffers", lambda: RemoteBatchNorm2d(3, eps=1, layer=self.layer)),
                            ("BadName", lambda: RemoteBatchNorm2d(3, layer=self.model.layer("-"))),
                            ("NotTrained", lambda: remote.eval()(torch.randn(5, 3, 1, 1)))):
            with self.assertRaises(getattr(normd.errors, error), msg=error):
                call()
        self.assertEqual(int(remote.num_batches_tracked), 0)

    def test_eps_and_momentum_are_the_layers(self):
        remote = RemoteBatchNorm2d(3, eps=0.5, momentum=None, layer=self.layer)
        self.assertEqual((remote.eps, remote.momentum), (0.5, None))
        for name in ("eps", "momentum"):
            with self.assertRaises(AttributeError):
                setattr(remote, name, 0.1)
        self.assertIn("3, eps=0.5, momentum=None, affine=True, track_running_stats=True, layer=Layer(", repr(remote))

    def test_reset(self):
        remote = RemoteBatchNorm2d(3, layer=self.layer)
        remote(torch.randn(5, 3, 1, 1))
        remote.weight.data.fill_(3)
        remote.reset_running_stats()
        remote.reset_parameters()
        self.assertEqual((int(remote.num_batches_tracked), remote.weight.tolist()), (0, [1, 1, 1]))

    def test_a_copy_is_the_same_layer(self):
        """Also after a step, when there is a connection to copy; the copy has its own weight and bias."""
        for kind in (RemoteBatchNorm2d, RemoteSyncBatchNorm):
            remote = kind(3, layer=self.layer)
            remote.reset_running_stats()
            remote(torch.randn(5, 3, 4, 2)).sum().backward()
            for made in (copy.deepcopy(remote), copy.copy(remote), pickle.loads(pickle.dumps(remote))):
                made(torch.randn(5, 3, 4, 2))
                made.layer._client.close()
            self.assertEqual(int(remote.num_batches_tracked), 4)
            made.weight.data.fill_(2)
            self.assertEqual(remote.weight.tolist(), [1, 1, 1])


@needs_torch
class StateDicts(Case):
    def trained(self):
        local = nn.BatchNorm2d(3)
        for _ in range(4):
            local(torch.randn(6, 3, 2, 2) * 3 - 1)
        return self.with_random_parameters(local).eval()

    def test_both_ways(self):
        local, remote = self.trained(), RemoteBatchNorm2d(3, layer=self.layer).eval()
        remote.load_state_dict(local.state_dict())
        x = torch.randn(2, 3, 4, 4)
        self.assertNear(remote(x), local(x), 1e-6)
        back = nn.BatchNorm2d(3).eval()
        back.load_state_dict(remote.state_dict())
        for name, value in local.state_dict().items():
            self.assertTrue(torch.equal(back.state_dict()[name], value), name)

    def test_states_of_old(self):
        """Before 0.4.1, num_batches_tracked was not there."""
        state = self.trained().state_dict()
        del state["num_batches_tracked"]
        remote = RemoteBatchNorm2d(3, layer=self.layer)
        remote.load_state_dict(state)
        self.assertEqual(int(remote.num_batches_tracked), 0)
        self.assertNear(remote.running_var.float(), state["running_var"], 0)

    def test_one_that_does_not_fit(self):
        net = nn.Sequential(RemoteBatchNorm2d(3, layer=self.layer))
        whole = nn.Sequential(self.trained()).state_dict()
        for change, words in (({"0.running_var": None}, 'Missing key.*"0.running_var"'),
                              ({"0.running_mean": torch.ones(4)}, "statistics of 0: .*shape_mismatch"),
                              ({"0.running_var": -torch.ones(3)}, "statistics of 0: .*bad_parameter"),
                              ({"0.running_mean": torch.full((3,), float("nan"))}, "statistics of 0: "),
                              ({"0.more": torch.ones(1)}, "Unexpected")):
            state = {name: value for name, value in {**whole, **change}.items() if value is not None}
            self.layer.reset_statistics()
            with self.assertRaisesRegex(RuntimeError, words):
                net.load_state_dict(state)
            if "0.more" not in change:
                self.assertEqual(self.layer.statistics().running_var.tolist(), [1, 1, 1])
        net.load_state_dict({"0.weight": torch.full((3,), 2.0)}, strict=False)
        self.assertEqual(net[0].weight.tolist(), [2, 2, 2])

    def test_without_running_statistics(self):
        remote = RemoteBatchNorm2d(3, track_running_stats=False, layer=self.layer)
        self.assertEqual(list(remote.state_dict()), ["weight", "bias"])
        remote.load_state_dict(nn.BatchNorm2d(3, track_running_stats=False).state_dict())
        with self.assertRaisesRegex(RuntimeError, "Unexpected.*running_mean"):
            remote.load_state_dict(self.trained().state_dict())


@needs_torch
class LayerNorms(Case):
    def test_as_layer_norm(self):
        cases = ((4, {}), ((3, 4), {"eps": 0.5}), ([2, 3, 4], {"elementwise_affine": False}))
        for i, (shape, options) in enumerate(cases):
            for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
                remote, local = self.with_same_parameters(
                    RemoteLayerNorm(shape, **options, layer=self.model.layer(f"ln{i}"), dtype=dtype),
                    nn.LayerNorm(shape, **options, dtype=dtype))
                for mode in (True, False):
                    x = torch.randn(5, 2, 3, 4, dtype=dtype) + 3
                    self.compare(remote.train(mode), local.train(mode), x, tolerance)
                self.assertEqual(list(remote.state_dict()), list(local.state_dict()))

    def test_without_a_bias(self):
        remote = RemoteLayerNorm(4, bias=False, layer=self.layer)
        self.assertEqual(list(remote.state_dict()), ["weight"])
        x = torch.randn(5, 4)
        self.assertNear(remote(x), nn.functional.layer_norm(x, (4,)), 1e-6)

    def test_bfloat16_and_float32_parameters(self):
        remote = RemoteLayerNorm(16, layer=self.layer)
        x = torch.randn(64, 16).bfloat16()
        expected = nn.functional.layer_norm(x.double(), (16,)).bfloat16()
        self.assertLess((remote(x) != expected).float().mean(), 0.01)

    def test_a_shape_that_does_not_fit(self):
        with self.assertRaises(normd.errors.ShapeMismatch):
            RemoteLayerNorm(4, layer=self.layer)(torch.randn(2, 5))


if __name__ == "__main__":
    unittest.main()
