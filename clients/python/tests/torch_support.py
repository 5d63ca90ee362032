# SPDX-License-Identifier: MIT
"""What the tests of normd.torch share. Where PyTorch is not installed, `torch` is None."""

import unittest

import support

try:
    import torch
    from torch import nn
except ImportError:
    torch = nn = None

needs_torch = unittest.skipIf(torch is None, "PyTorch is not installed")


class Case(support.WithDaemon, support.Sync, unittest.TestCase):
    def setUp(self):
        super().setUp()
        torch.manual_seed(7)

    def assertNear(self, actual, expected, tolerance):
        torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)

    def compare(self, remote, local, x, tolerance):
        """Both modules, with the same weight and bias: their outputs, and their gradients of a sum with random
        weights."""
        inputs = [x.detach().requires_grad_() for _ in range(2)]
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
    def with_random_parameters(module):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.normal_()
        return module

    def with_same_parameters(self, remote, local):
        with torch.no_grad():
            for a, b in zip(remote.parameters(), self.with_random_parameters(local).parameters(), strict=True):
                a.copy_(b)
        return remote, local
