# SPDX-License-Identifier: MIT
"""Modules that normalize in normd, with the constructors of those of torch.nn."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Mapping, Optional, Sequence

import torch
from torch import distributed, nn
from torch.autograd.function import once_differentiable

from normd import ApiError, Layer
from normd.types import Sync

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_SYNC_MS_MAX = 3_600_000
#: The answer that a process is missing has to come before the client gives up: so much, or half of its time.
_MARGIN_S = 5.0


class _Normalize(torch.autograd.Function):
    """normd's train or infer forward, its backward backward; on the wire in `dtype`, which is also the result's."""

    @staticmethod
    def forward(ctx: Any, x: Any, layer: Layer, mode: str, sync: Optional[Sync], dtype: Any) -> Any:
        held = x.to(dtype)
        answer: Any = layer.train(held, sync=sync) if mode == "train" else layer.infer(held, version="live")
        ctx.save_for_backward(x)
        ctx.call, ctx.revision = (layer, mode, sync), answer.revision
        return answer.output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Any) -> Any:
        (x,) = ctx.saved_tensors
        layer, mode, sync = ctx.call
        found = layer.backward(x.to(grad_output.dtype), grad_output, mode=mode, sync=sync)
        # By a batch's own moments the gradient is the same whenever it is asked for; by running statistics it is of
        # those that stand now.
        if mode == "infer" and found.revision != ctx.revision:
            raise RuntimeError(f"the running statistics of {layer!r} have changed between the forward and the backward "
                               f"pass in eval mode")
        return found.input.to(x.dtype), None, None, None, None


class _Remote(nn.Module):
    """Weight, bias, and the layer that normalizes."""

    def __init__(self, layer: Layer, kind: str, shape: Sequence[int], weight: bool, bias: bool, definition: Any,
                 **factory: Any) -> None:
        super().__init__()
        self.layer = layer
        self._definition = definition
        self.weight = nn.Parameter(torch.ones(shape, **factory)) if weight else None
        self.bias = nn.Parameter(torch.zeros(shape, **factory)) if bias else None
        layer.create(kind, **definition)

    @property
    def eps(self) -> float:
        """As the layer was created; it cannot be changed."""
        return float(self._definition["eps"])

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _normalize(self, x: torch.Tensor, mode: str, sync: Optional[Sync], shape: Sequence[int]) -> torch.Tensor:
        affine = self.weight is not None and x.is_floating_point()
        # A 16-bit result is rounded once, after weight and bias, as PyTorch's is.
        y = _Normalize.apply(x, self.layer, mode, sync, torch.promote_types(x.dtype, torch.float32) if affine
                             else x.dtype)
        if self.weight is not None:
            y = y * self.weight.view(shape)
        if self.bias is not None:
            y = y + self.bias.view(shape)
        return y.to(x.dtype)


class _RemoteBatchNorm(_Remote):
    """What the batch norms share: running statistics, and a state_dict with them."""

    _version = 2  # of the state_dict, as torch.nn's
    _input_dims: ClassVar[tuple[int, ...]]

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: Optional[float] = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, layer: Layer) -> None:
        super().__init__(layer, "batch_norm", (num_features,), affine, affine, {
            "num_features": num_features, "eps": eps, "momentum": momentum, "affine": False,
            "track_running_stats": track_running_stats}, device=device, dtype=dtype)
        self.num_features = num_features
        self.affine = affine
        self.track_running_stats = track_running_stats

    @property
    def momentum(self) -> Optional[float]:
        """As the layer was created; it cannot be changed."""
        momentum: Optional[float] = self._definition["momentum"]
        return momentum

    @property
    def running_mean(self) -> Optional[torch.Tensor]:
        """As normd has it now, in float64; None with ``track_running_stats=False``."""
        return self._statistics().get("running_mean")

    @property
    def running_var(self) -> Optional[torch.Tensor]:
        """As normd has it now, in float64; None with ``track_running_stats=False``."""
        return self._statistics().get("running_var")

    @property
    def num_batches_tracked(self) -> Optional[torch.Tensor]:
        """As normd has it now; None with ``track_running_stats=False``."""
        return self._statistics().get("num_batches_tracked")

    def _statistics(self) -> dict[str, torch.Tensor]:
        if not self.track_running_stats:
            return {}
        now = self.layer.statistics()
        return {name: torch.as_tensor(getattr(now, name)) for name in _STATISTICS}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` of (N, C) and the kind's further dimensions, normalized: of the same shape, dtype and device.

        In training, the running statistics are updated, once and durably. Raises what ``normd.Layer.train`` and
        ``infer`` raise, such as ``normd.errors.TooFewValues``.
        """
        if x.dim() not in self._input_dims:
            expected = " or ".join(f"{dims}D" for dims in self._input_dims)
            raise ValueError(f"expected {expected} input (got {x.dim()}D input)")
        return self._normalize(x, "train" if self.training else "infer", self._shard(x) if self.training else None,
                               (-1, *[1] * (x.dim() - 2)))

    def _shard(self, x: torch.Tensor) -> Optional[Sync]:
        return None

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batches: in normd, and so for all who use the layer."""
        if self.track_running_stats:
            self.layer.reset_statistics()

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"track_running_stats={self.track_running_stats}, layer={self.layer!r}")

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, value in self._statistics().items():
            destination[prefix + name] = value

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, local_metadata: Any, strict: bool,
                              missing_keys: list[str], unexpected_keys: list[str], error_msgs: list[str]) -> None:
        # nn.Module knows of weight and bias alone; what it does not know it would call unexpected.
        names = [prefix + name for name in _STATISTICS] if self.track_running_stats else []
        others = {key: value for key, value in state_dict.items() if key not in names}
        super()._load_from_state_dict(others, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        # States of PyTorch before 0.4.1 have no num_batches_tracked.
        missing = [name for name in names[:2] if name not in state_dict]
        missing_keys.extend(missing)
        if not names or missing:
            return
        mean, var, batches = (state_dict.get(name, torch.tensor(0)).detach().double() for name in names)
        try:
            self.layer.put_statistics(mean, var, int(batches))
        except ApiError as error:
            error_msgs.append(f"the statistics of {prefix[:-1] or self.layer}: {error}")


class RemoteBatchNorm1d(_RemoteBatchNorm):
    """nn.BatchNorm1d by ``layer``, for input of (N, C) or (N, C, L)."""

    _input_dims = 2, 3


class RemoteBatchNorm2d(_RemoteBatchNorm):
    """nn.BatchNorm2d by ``layer``, for input of (N, C, H, W)."""

    _input_dims = (4,)


class RemoteBatchNorm3d(_RemoteBatchNorm):
    """nn.BatchNorm3d by ``layer``, for input of (N, C, D, H, W)."""

    _input_dims = (5,)


class RemoteSyncBatchNorm(_RemoteBatchNorm):
    """nn.SyncBatchNorm by ``layer``, on any device.

    In training, the processes' parts of a batch are normalized as one batch. The processes are those of
    torch.distributed, or of ``process_group``. Their parts may differ in size. All must call the module equally often:
    their n-th calls belong together. One that has not come 5 s before the end of the client's ``timeout_s`` fails the
    step for all, with ``normd.errors.SyncIncomplete``.

    Steps are named by the run and a number. In the first step, the processes agree on a name of the run that no other
    has, so a run that is started again never meets the steps of the one before. Without torch.distributed, or with
    one process, the module is as RemoteBatchNorm1d to 3d.

    The gradient of the input belongs to the sum of all processes' losses; those of weight and bias are each process's
    own part, which DistributedDataParallel averages.
    """

    _input_dims = 2, 3, 4, 5

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: Optional[float] = 0.1, affine: bool = True,
                 track_running_stats: bool = True, process_group: Any = None, device: Any = None, dtype: Any = None, *,
                 layer: Layer) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, layer=layer)
        self.process_group = process_group
        self._run, self._calls = "", 0

    def __getstate__(self) -> dict[str, Any]:
        """A copy counts its calls separately, so it agrees on a name of its own."""
        return {**self.__dict__, "_run": "", "_calls": 0}

    def _shard(self, x: torch.Tensor) -> Optional[Sync]:
        group = self.process_group
        if not (distributed.is_available() and distributed.is_initialized()):
            return None
        if distributed.get_world_size(group) == 1:
            return None
        self._run = self._run or _agree(group, x.device)
        self._calls += 1
        return {"step": f"{self._run}-{self._calls}", "rank": distributed.get_rank(group),
                "world_size": distributed.get_world_size(group), "timeout_ms": self._timeout_ms()}

    def _timeout_ms(self) -> int:
        timeout_s = self.layer._client._retries.timeout_s
        return min(max(int((timeout_s - min(_MARGIN_S, timeout_s / 2)) * 1000), 1), _SYNC_MS_MAX)


def _agree(group: Any, device: Any) -> str:
    """A name that only this call has, the same in all processes of the group: the first of them says it."""
    name = torch.tensor(list(os.urandom(16)), dtype=torch.uint8, device=device)
    first = 0 if group is None else distributed.get_global_rank(group, 0)
    distributed.broadcast(name, first, group)
    return bytes(name.tolist()).hex()


class RemoteLayerNorm(_Remote):
    """nn.LayerNorm by ``layer``."""

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
                 bias: bool = True, device: Any = None, dtype: Any = None, *, layer: Layer) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        super().__init__(layer, "layer_norm", shape, elementwise_affine, elementwise_affine and bias, {
            "normalized_shape": shape, "eps": eps, "elementwise_affine": False}, device=device, dtype=dtype)
        self.normalized_shape = shape
        self.elementwise_affine = elementwise_affine

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` of (..., *normalized_shape), normalized: of the same shape, dtype and device. Nothing is changed."""
        # By the sample's own moments, in training as well: there is nothing to train.
        return self._normalize(x, "infer", None, self.normalized_shape)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
                f"layer={self.layer!r}")
