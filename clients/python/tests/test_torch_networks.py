# SPDX-License-Identifier: MIT
"""normd.torch.convert_batchnorm, push and pull: whole networks."""

import copy
import unittest
import unittest.mock
import warnings

from torch_support import Case, needs_torch, nn, torch

import normd
import normd.errors

if torch is not None:
    from normd.torch import (RemoteBatchNorm1d, RemoteBatchNorm2d, RemoteBatchNorm3d, RemoteLayerNorm,
                             RemoteSyncBatchNorm, convert_batchnorm, pull, push)

    class RMSNorm(nn.Module):
        """As torch.nn has it from 2.4 on."""

        def __init__(self, size):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(size))
            self.eps = None

    class VendorRMSNorm(RMSNorm):
        """As libraries of transformers have it."""

        variance_epsilon = 1e-3

    class OtherRMSNorm(RMSNorm):
        """One that multiplies by 1 + weight looks like this."""


@needs_torch
class Convert(Case):
    def network(self):
        return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, eps=0.5, momentum=0.25),
                             nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3, affine=False, momentum=None)),
                             nn.BatchNorm2d(3, track_running_stats=False), nn.LayerNorm(4))

    def trained(self, network=None):
        network = network or self.with_random_parameters(self.network())
        for _ in range(3):
            network(torch.randn(5, 2, 4, 4) * 2 + 1)
        return network

    def test_a_network_goes_on_as_it_was(self):
        local = self.trained().double()
        remote = convert_batchnorm(copy.deepcopy(local), self.client, self.model.name)
        self.assertEqual([type(m).__name__ for m in remote.modules() if "Norm" in type(m).__name__],
                         ["RemoteBatchNorm2d"] * 3 + ["LayerNorm"])
        self.assertEqual([entry["name"] for entry in self.model.layers()], ["1", "2.1", "3"])
        for name, value in local.state_dict().items():
            self.assertTrue(torch.equal(remote.state_dict()[name].to(value), value), name)
        x = torch.randn(5, 2, 4, 4, dtype=torch.float64)
        self.compare(remote.eval(), local.eval(), x, 1e-11)
        self.compare(remote.train(), local.train(), x, 1e-11)
        self.compare(remote.eval(), local.eval(), x, 1e-11)
        self.assertEqual((remote[1].eps, remote[1].momentum, remote[2][1].momentum), (0.5, 0.25, None))

    def test_an_untrained_network(self):
        local = self.network().double()
        remote = convert_batchnorm(copy.deepcopy(local), self.client, self.model.name)
        self.compare(remote.eval(), local.eval(), torch.randn(5, 2, 4, 4, dtype=torch.float64), 1e-11)

    def test_parameters_and_modes_stay(self):
        net = nn.ModuleDict({"a": nn.BatchNorm1d(3).eval(), "b": nn.BatchNorm3d(3, affine=False).double(),
                             "c": nn.SyncBatchNorm(3).half(), "d": nn.BatchNorm2d(3)})
        net["d"].weight.requires_grad_(False)
        parameters = dict(net.named_parameters())
        convert_batchnorm(net, self.client, self.model.name)
        self.assertEqual([type(m) for m in net.values()],
                         [RemoteBatchNorm1d, RemoteBatchNorm3d, RemoteSyncBatchNorm, RemoteBatchNorm2d])
        self.assertEqual([m.training for m in net.values()], [False, True, True, True])
        self.assertEqual([m.affine for m in net.values()], [True, False, True, True])
        for name, parameter in net.named_parameters():
            self.assertIs(parameter, parameters[name])

    def test_a_module_at_two_paths_stays_one(self):
        norm = nn.BatchNorm1d(3)
        net = convert_batchnorm(nn.ModuleDict({"a": norm, "b": nn.Sequential(norm)}), self.client, self.model.name)
        self.assertIs(net["a"], net["b"][0])
        self.assertEqual([entry["name"] for entry in self.model.layers()], ["a"])

    def test_layers_that_exist_keep_their_statistics(self):
        """Another process may have trained them already."""
        first = convert_batchnorm(self.network(), self.client, self.model.name)
        self.trained(first)
        second = convert_batchnorm(self.trained(), self.client, self.model.name)
        for a, b in zip(first.buffers(), second.buffers()):
            self.assertTrue(torch.equal(a, b))
        self.assertEqual(int(second[1].num_batches_tracked), 3)

    def test_a_layer_that_another_process_trains_meanwhile(self):
        put_state = normd.Model.put_state

        def overtaken(model, *args, **options):
            answer = put_state(model, *args, **options)
            model.layer("1").train(torch.randn(2, 3, 4, 4))
            return answer

        with unittest.mock.patch.object(normd.Model, "put_state", overtaken):
            net = convert_batchnorm(self.trained(), self.client, self.model.name)
        self.assertEqual([int(norm.num_batches_tracked) for norm in (net[1], net[2][1])], [1, 3])

    def test_without_batch_norms(self):
        net = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
        self.assertIs(convert_batchnorm(net, self.client, self.model.name), net)
        self.assertNotIn(self.model.name, list(self.client.models()))
        convert_batchnorm(self.network(), self.client, self.model.name)
        again = convert_batchnorm(self.network(), self.client, self.model.name)
        self.assertIs(convert_batchnorm(again, self.client, self.model.name), again)

    def test_what_is_refused_changes_nothing(self):
        class Odd(nn.modules.batchnorm._BatchNorm):
            def _check_input_dim(self, x):
                pass

        def spoilt(value, name="running_var"):
            norm = nn.BatchNorm2d(3)
            getattr(norm, name)[1] = value
            return norm

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says that they are new
            lazy = nn.LazyBatchNorm2d()
        self.model.layer("taken").create("batch_norm", num_features=3, eps=0.125)
        for name, last, error, words in (
                ("taken", nn.BatchNorm2d(3), normd.errors.LayerDiffers, '"taken".*"eps" is 0.125, not 0.00001'),
                ("_bn", nn.BatchNorm2d(3), normd.errors.BadName, '"_bn" is not a valid layer name'),
                ("x", nn.BatchNorm2d(3, momentum=2), normd.errors.BadParameter, "momentum"),
                ("x", lazy, ValueError, "x does not know its number of features yet"),
                ("x", Odd(3), TypeError, "x is a Odd"),
                ("x", spoilt(float("nan")), ValueError, "x have a NaN"),
                ("x", spoilt(float("inf"), "running_mean"), ValueError, "x have a NaN, an infinity"),
                ("x", spoilt(-1), ValueError, "or a negative variance")):
            net = nn.Sequential()
            net.add_module("first", nn.BatchNorm2d(3))
            net.add_module(name, last)
            with self.assertRaisesRegex(error, words):
                convert_batchnorm(net, self.client, self.model.name)
            self.assertEqual([type(m) for m in net], [nn.BatchNorm2d, type(last)])
            self.assertEqual([entry["name"] for entry in self.model.layers()], ["taken"])
        with self.assertRaisesRegex(ValueError, "a BatchNorm2d alone has no path"):
            convert_batchnorm(nn.BatchNorm2d(3), self.client, self.model.name)


@needs_torch
class States(Case):
    def network(self, dtype=None):
        net = nn.ModuleDict({
            "conv": nn.Conv2d(2, 3, 1), "bn": nn.BatchNorm2d(4, eps=0.5, momentum=None), "ln": nn.LayerNorm((3, 4)),
            "gn": nn.GroupNorm(2, 4), "in": nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
            "rms": VendorRMSNorm(4), "rms2": RMSNorm(4), "other": OtherRMSNorm(4),
            "nothing": nn.InstanceNorm1d(4), "plain": nn.BatchNorm1d(4, affine=False),
            "inner": nn.Sequential(nn.ReLU(), nn.LayerNorm(4))})
        self.with_random_parameters(net)
        for name in ("bn", "in"):
            net[name](torch.randn(5, 4, 3, 3))
        return net.to(dtype or torch.float32)

    def test_there_and_back_exactly(self):
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            net = self.network(dtype)
            imported = push(net, self.model)
            self.assertEqual(imported["left_out"], [])
            self.assertEqual([layer["name"] for layer in imported["layers"]],
                             ["bn", "gn", "in", "inner.1", "ln", "plain", "rms", "rms2"])
            other = self.network(dtype)
            others = [other[name].weight.clone() for name in ("conv", "other")]
            self.assertEqual(pull(other, self.model), ([], []))
            for name, weight in zip(("conv", "other"), others):
                self.assertTrue(torch.equal(other[name].weight, weight))
            for name, value in net.state_dict().items():
                if not name.startswith(("conv", "other")):
                    self.assertTrue(torch.equal(other.state_dict()[name], value), name)
            self.assertEqual(self.model.layer("bn").definition()["averaging"], "cumulative")
            self.assertEqual([self.model.layer(name).definition()["eps"] for name in ("rms", "rms2")], [1e-3, None])

    def test_normd_then_normalizes_as_the_network(self):
        net = self.network(torch.float64).eval()
        push(net, self.model)
        for name, shape in (("bn", (5, 4, 2, 2)), ("ln", (5, 3, 4)), ("gn", (5, 4, 2)), ("in", (5, 4, 2, 2)),
                            ("plain", (5, 4))):
            x = torch.randn(shape, dtype=torch.float64)
            self.assertNear(self.model.layer(name).infer(x).output, net[name](x), 1e-12)

    def test_a_version(self):
        net = nn.Sequential(nn.BatchNorm1d(3))
        push(net, self.model)
        self.model.make_version()
        self.model.set_alias("champion", 1)
        before = copy.deepcopy(net.state_dict())
        net(torch.randn(5, 3))
        push(net, self.model)
        for version in (1, "champion"):
            other = nn.Sequential(nn.BatchNorm1d(3))
            pull(other, self.model, version=version)
            for name, value in before.items():
                self.assertTrue(torch.equal(other.state_dict()[name], value), name)
        pull(other, self.model)
        self.assertEqual(int(other[0].num_batches_tracked), 1)

    def test_remote_modules(self):
        """To serve what was trained: weight and bias go along."""
        net = nn.Sequential(RemoteBatchNorm1d(3, layer=self.layer),
                            RemoteLayerNorm(3, layer=self.model.layer("ln"))).double()
        self.with_random_parameters(net)
        x = torch.randn(6, 3, dtype=torch.float64)
        net(x)
        serving = self.client.model(self.model.name + "-serving")
        push(net, serving)
        net.eval()
        self.assertNear(serving.layer("1").infer(serving.layer("0").infer(x).output).output, net(x), 1e-12)
        local = nn.Sequential(nn.BatchNorm1d(3), nn.LayerNorm(3)).double().eval()
        pull(local, serving)
        self.assertNear(local(x), net(x), 1e-12)
        net[0].reset_running_stats()
        pull(net, serving)
        self.assertNear(net(x), local(x), 1e-12)

    def test_statistics_alone(self):
        """Of a network that was trained with modules of normd.torch, whose weight and bias are elsewhere."""
        remote = convert_batchnorm(nn.Sequential(nn.BatchNorm1d(3)), self.client, self.model.name)
        remote(torch.randn(5, 3))
        local = self.with_random_parameters(nn.Sequential(nn.BatchNorm1d(3)))
        weight = local[0].weight.clone()
        with self.assertRaisesRegex(RuntimeError, "in the network alone: 0.weight, 0.bias"):
            pull(local, self.model)
        self.assertEqual(int(local[0].num_batches_tracked), 0)
        self.assertEqual(pull(local, self.model, strict=False), (["0.weight", "0.bias"], []))
        self.assertTrue(torch.equal(local[0].running_mean, remote[0].running_mean.float()))
        self.assertTrue(torch.equal(local[0].weight, weight))

    def test_what_does_not_fit(self):
        net = nn.Sequential(nn.BatchNorm1d(3), nn.LayerNorm(3))
        push(net, self.model)
        before = [layer["revision"] for layer in self.model.layers()]
        for other, error, words in (
                (nn.Sequential(nn.BatchNorm1d(4)), normd.errors.LayerDiffers, '"num_features" is 3, not 4'),
                (nn.Sequential(nn.BatchNorm1d(3), nn.LayerNorm(3, eps=1)), normd.errors.LayerDiffers, '"eps"'),
                (nn.Sequential(nn.Linear(3, 3)), ValueError, "no normalization layer"),
                (nn.LayerNorm(3), ValueError, "a LayerNorm alone has no path")):
            with self.assertRaisesRegex(error, words):
                push(other, self.model)
        self.assertEqual([layer["revision"] for layer in self.model.layers()], before)
        for other, words in (
                (nn.Sequential(nn.BatchNorm1d(3)), "in normd alone: 1.bias, 1.weight"),
                (nn.Sequential(nn.BatchNorm1d(3, affine=False), nn.LayerNorm(3)), "in normd alone: 0.bias"),
                (nn.Sequential(nn.LayerNorm(3), nn.LayerNorm(4)), r"1.weight has the shape \(3,\) in nor"),
                (nn.Sequential(nn.BatchNorm1d(3), nn.LayerNorm(3), nn.LayerNorm(2)),
                 "in the network alone: 2.weight")):
            with torch.no_grad():
                self.with_random_parameters(other)
            state = copy.deepcopy(other.state_dict())
            with self.assertRaisesRegex(RuntimeError, words):
                pull(other, self.model)
            for name, value in state.items():
                self.assertTrue(torch.equal(other.state_dict()[name], value), name)
        with self.assertRaises(normd.errors.NoSuchModel):
            pull(net, self.client.model("nowhere"))


if __name__ == "__main__":
    unittest.main()
