# SPDX-License-Identifier: MIT
"""Files to and from PyTorch, where python3-torch is installed: a model whose layers normd has normalizes alike."""

import importlib.util
import math
import struct
import unittest

import safetensors
from normd import ClientTest

DTYPES = {"F64": "float64", "F32": "float32", "I64": "int64"}


def place(value):
    """The place of a number, rounded to float32, among all float32 numbers in their order."""
    bits, = struct.unpack("<i", struct.pack("<f", value))
    return bits if bits >= 0 else -(bits & 0x7fffffff)


@unittest.skipUnless(importlib.util.find_spec("torch"), "python3-torch is not installed")
class Torch(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        global torch
        import torch
        torch.manual_seed(1)

    @property
    def file_path(self):
        return f"/v1/models/{self.model}/state.safetensors"

    def network(self):
        """Layers of several kinds, and two that are none of normd's."""
        nn = torch.nn
        return nn.ModuleDict({
            "stem": nn.ModuleDict({"conv": nn.Conv2d(3, 4, 3), "bn": nn.BatchNorm2d(4)}),
            "flat": nn.BatchNorm1d(5, affine=False), "fc": nn.Linear(5, 2), "ln": nn.LayerNorm([2, 3]),
            "gn": nn.GroupNorm(2, 4),
            "inorm": nn.InstanceNorm1d(3, affine=True, track_running_stats=True)})

    SHAPES = {"stem.bn": [6, 4, 2, 3], "flat": [7, 5], "ln": [4, 2, 3], "gn": [3, 4, 5], "inorm": [2, 3, 6]}

    def trained(self):
        """The network after some batches, with random parameters."""
        network = self.network()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.randn(parameter.shape) + 0.5)
            for _ in range(3):
                for name, shape in self.SHAPES.items():
                    network.get_submodule(name)(torch.randn(shape) * 3 + 5)
        return network

    def save(self, network):
        """Its state_dict as a file."""
        return safetensors.save({
            name: ({"torch.float32": "F32", "torch.float64": "F64", "torch.int64": "I64"}[str(t.dtype)],
                   list(t.shape), safetensors.pack("I64" if t.dtype == torch.int64 else
                                                   "F32" if t.dtype == torch.float32 else "F64",
                                                   t.flatten().tolist()))
            for name, t in network.state_dict().items()}, {"format": "pt"})

    def state_dict(self, raw):
        """The tensors of a file, as PyTorch's loader gives them."""
        tensors, metadata = safetensors.load(raw)
        self.assertEqual(metadata["format"], "pt")
        return {name: torch.tensor(safetensors.unpack(dtype, data), dtype=getattr(torch, DTYPES[dtype])).reshape(shape)
                for name, (dtype, shape, data) in tensors.items()}

    def create_others(self):
        """The layers that a file does not tell from linear ones, and one of another kind."""
        for layer, definition in (("ln", {"kind": "layer_norm", "normalized_shape": [2, 3]}),
                                  ("gn", {"kind": "group_norm", "num_groups": 2, "num_channels": 4}),
                                  ("inorm", {"kind": "instance_norm", "num_features": 3, "affine": True,
                                             "track_running_stats": True})):
            self.ask("PUT", self.path(layer), definition, status=201)

    def check_eval(self, network):
        """infer gives what the network's evaluation mode does: its formula, rounded to float32 once, within 1 ulp.
        (Its own float32 is off by the rounding of x * scale + shift; that is allowed for.)"""
        exact = self.network().double().eval()
        exact.load_state_dict(network.state_dict())
        network.eval()
        for name, shape in self.SHAPES.items():
            x = torch.randn(shape) * 2 + 3
            body = {"shape": shape, "data": x.flatten().tolist()}
            normalized = self.ask("POST", self.path(name, "infer"), body).json["data"]
            with torch.no_grad():
                double = exact.get_submodule(name)(x.double()).flatten().tolist()
                single = network.get_submodule(name)(x).flatten().tolist()
            for got, wanted, theirs in zip(normalized, double, single):
                self.assertLessEqual(abs(place(got) - place(wanted)), 1, name)
                self.assertAlmostEqual(got, theirs, delta=1e-5)

    def test_from_pytorch(self):
        self.create_others()
        network = self.trained()
        answer = self.ask("PUT", self.file_path, self.save(network)).json
        self.assertEqual({layer["name"]: layer["created"] for layer in answer["layers"]},
                         {"flat": True, "gn": False, "inorm": False, "ln": False, "stem.bn": True})
        self.assertEqual(answer["left_out"], ["fc.bias", "fc.weight", "stem.conv.bias", "stem.conv.weight"])
        self.assertEqual(self.ask("GET", self.path("flat", "statistics")).json["num_batches_tracked"], 3)
        self.check_eval(network)

    def test_to_pytorch_and_back(self):
        """A model trained in normd, in the same architecture: no key is missing, none unexpected."""
        self.create_others()
        for layer, definition in (("stem.bn", {"kind": "batch_norm"}),
                                  ("flat", {"kind": "batch_norm", "affine": False})):
            self.ask("PUT", self.path(layer), definition, status=201)
        for name in ("stem.bn", "flat", "inorm"):
            shape = self.SHAPES[name]
            for _ in range(2):
                self.ask("POST", self.path(name, "train"), {
                    "shape": shape, "data": (torch.randn(shape) + 1).flatten().tolist()})
        self.ask("PUT", self.path("gn", "parameters"), {"weight": [1, 2, 3, 4], "bias": [0.1, 0.2, 0.3, 0.4]})
        for query in ("?datatype=FP32", ""):
            raw = self.ask("GET", self.file_path + query).raw
            network = self.network()
            for name in ("stem.conv", "fc"):
                network.get_submodule(name.rpartition(".")[0])._modules.pop(name.rpartition(".")[2])
            network.load_state_dict(self.state_dict(raw), strict=True)
            self.assertEqual(network.get_submodule("flat").num_batches_tracked.item(), 2)
            whole = self.network()
            whole.load_state_dict({**whole.state_dict(), **network.state_dict()})
            # In FP32 the state itself is rounded; the file that PyTorch saves of it is what normd is then asked by.
            if query:
                self.ask("PUT", self.file_path, self.save(network))
            self.check_eval(whole)

    def test_a_network_of_doubles(self):
        network = torch.nn.ModuleDict({"bn": torch.nn.BatchNorm1d(3)}).double()
        with torch.no_grad():
            for _ in range(2):
                network["bn"](torch.randn(8, 3, dtype=torch.float64) * math.pi)
        self.ask("PUT", self.file_path, self.save(network))
        state = self.state_dict(self.ask("GET", self.file_path).raw)
        for name, tensor in network.state_dict().items():
            self.assertTrue(torch.equal(state[name], tensor), name)


if __name__ == "__main__":
    unittest.main()
