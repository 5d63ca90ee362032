# SPDX-License-Identifier: MIT
"""
PyTorch modules whose normalization is normd's: RemoteBatchNorm2d and
RemoteLayerNorm stand where nn.BatchNorm2d and nn.LayerNorm do.

normd normalizes, forward and backward, and keeps the running statistics. weight and bias stay here, applied to what
comes back: they are the optimizer's, which moves them after every step, and each worker has its own copy. So normd's
layers are without them, nothing is sent twice, and autograd does the rest.
"""

import dataclasses

import torch
from torch import nn
from torch.autograd.function import once_differentiable

WIRE_TYPES = (torch.float16, torch.float32, torch.float64)
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclasses.dataclass(frozen=True)
class Shard:
    """
    Which part of every batch this process has: batch normalization is then by the whole batch, of all processes.

    `run` names the training run, the same in all of its processes and in no other run on this layer. All processes must
    call the layer equally often: the n-th calls of all belong together. One that does not come within timeout_ms fails
    the step for all.
    """

    run: str
    rank: int
    world_size: int
    timeout_ms: int = 10000

    def step(self, call):
        return {"step": f"{self.run}-{call}", "rank": self.rank, "world_size": self.world_size,
                "timeout_ms": self.timeout_ms}


def to_array(tensor):
    if tensor.dtype not in WIRE_TYPES:
        raise TypeError(f"normd's .npy wire takes float16, float32 and float64 tensors, and this one is {tensor.dtype}")
    return tensor.detach().cpu().contiguous().numpy()


class Normalize(torch.autograd.Function):
    """normd's train or infer forward, its backward backward."""

    @staticmethod
    def forward(ctx, x, layer, mode, sync):
        array = to_array(x)
        y, ctx.revision = layer.train(array, sync) if mode == "train" else layer.infer(array)
        ctx.layer, ctx.mode, ctx.sync = layer, mode, sync
        ctx.save_for_backward(x)
        return torch.from_numpy(y).to(x.device)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        (grad_input,), revision = ctx.layer.backward(to_array(x), to_array(grad_output), ctx.mode, ctx.sync)
        # By a batch's own moments the gradient is the same whenever it is asked for;
        # by running statistics it is of those that stand now.
        if ctx.mode == "infer" and revision != ctx.revision:
            raise RuntimeError(
                "the running statistics have changed between the forward and the backward pass in eval mode")
        return torch.from_numpy(grad_input).to(x.device), None, None, None


class RemoteBatchNorm2d(nn.Module):
    """
    nn.BatchNorm2d, whose running statistics are in normd's `layer` (a wire.Layer, created here when it is not there).
    Its state_dict is that of nn.BatchNorm2d, both ways. With `shard` it is nn.SyncBatchNorm.

    One thing differs: in eval mode a layer that never saw a batch nor a state_dict is an error,
    where PyTorch takes 0 and 1.
    """

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, *, layer,
                 shard=None):
        super().__init__()
        self.num_features = num_features
        self.track_running_stats = track_running_stats
        self.layer = layer
        self.shard = shard
        self.calls = 0
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
        layer.define({"kind": "batch_norm", "num_features": num_features, "eps": eps, "momentum": momentum,
                      "affine": False, "track_running_stats": track_running_stats})

    def forward(self, x):
        if x.dim() != 4:
            raise ValueError(f"expected 4D input (got {x.dim()}D input)")
        sync = None
        if self.training and self.shard is not None:
            self.calls += 1
            sync = self.shard.step(self.calls)
        y = Normalize.apply(x, self.layer, "train" if self.training else "infer", sync)
        if self.weight is None:
            return y
        return y * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)

    def reset_running_stats(self):
        if self.track_running_stats:
            self.layer.reset_statistics()

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.track_running_stats:
            for name, value in self.layer.statistics().items():
                destination[prefix + name] = torch.as_tensor(value)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                              error_msgs):
        # nn.Module knows of weight and bias alone; what it does not know it would call unexpected.
        names = [prefix + name for name in STATISTICS] if self.track_running_stats else []
        others = {key: value for key, value in state_dict.items() if key not in names}
        super()._load_from_state_dict(others, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        missing = [name for name in names if name not in state_dict]
        missing_keys.extend(missing)
        if not names or missing:
            return
        mean, var, count = (state_dict[name].detach().cpu() for name in names)
        if mean.shape != (self.num_features,) or var.shape != (self.num_features,):
            error_msgs.append(
                f"the statistics of {prefix[:-1]} must be of {self.num_features} features, not of the shapes "
                f"{tuple(mean.shape)} and {tuple(var.shape)}")
        else:
            self.layer.put_statistics(mean, var, count)


class RemoteLayerNorm(nn.Module):
    """nn.LayerNorm, computed by normd's `layer` (a wire.Layer, created here when it is not there)."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, *, layer):
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.layer = layer
        self.weight = nn.Parameter(torch.ones(shape)) if elementwise_affine else None
        self.bias = nn.Parameter(torch.zeros(shape)) if elementwise_affine else None
        layer.define({"kind": "layer_norm", "normalized_shape": list(shape), "eps": eps, "elementwise_affine": False})

    def forward(self, x):
        # Each sample by its own moments, in training as well: there is nothing to train,
        # and infer promises to change nothing.
        y = Normalize.apply(x, self.layer, "infer", None)
        return y if self.weight is None else y * self.weight + self.bias
