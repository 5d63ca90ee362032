# SPDX-License-Identifier: MIT
"""Which modules of a network normalize, and how normd defines each."""

from __future__ import annotations

from typing import Any, Callable, Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from ._modules import RemoteLayerNorm, _RemoteBatchNorm

Definition = dict[str, Any]


def tracks(module: Any) -> bool:
    """Whether a batch or instance norm has running statistics; those of torch.nn go by their buffers."""
    if isinstance(module, _RemoteBatchNorm):
        return module.track_running_stats
    return module.running_mean is not None


def _by_channel(kind: str) -> Callable[[Any], Definition]:
    return lambda module: {
        "kind": kind, "num_features": module.num_features, "eps": module.eps, "momentum": module.momentum,
        "affine": module.affine, "track_running_stats": tracks(module)}


def _by_group(module: Any) -> Definition:
    return {"kind": "group_norm", "num_groups": module.num_groups, "num_channels": module.num_channels,
            "eps": module.eps, "affine": module.affine}


def _by_sample(module: Any) -> Definition:
    return {"kind": "layer_norm", "normalized_shape": list(module.normalized_shape), "eps": module.eps,
            "elementwise_affine": module.elementwise_affine, "bias": module.bias is not None}


def _by_root_mean_square(module: Any) -> Definition:
    return {"kind": "rms_norm", "normalized_shape": list(module.weight.shape),
            "eps": getattr(module, "variance_epsilon", None) or module.eps}


_KINDS: tuple[tuple[Any, Callable[[Any], Definition]], ...] = (
    ((_BatchNorm, _RemoteBatchNorm), _by_channel("batch_norm")), (_InstanceNorm, _by_channel("instance_norm")),
    (nn.GroupNorm, _by_group), ((nn.LayerNorm, RemoteLayerNorm), _by_sample))


def _is_rms_norm(module: nn.Module) -> bool:
    """
    torch.nn's, which torch has from 2.4 on, or one alike in a library of transformers. Classes such as Gemma's, which
    multiply by 1 + weight, have other names and `eps`.
    """
    name = type(module).__name__
    alike = name == "RMSNorm" and hasattr(module, "eps") or name.endswith("RMSNorm") and hasattr(
        module, "variance_epsilon")
    return alike and isinstance(getattr(module, "weight", None), nn.Parameter)


def definition_of(module: nn.Module) -> Definition | None:
    """None if it does not normalize, or not in a way that is known."""
    for types, define in _KINDS:
        if isinstance(module, types):
            return define(module)
    return _by_root_mean_square(module) if _is_rms_norm(module) else None


def layers_of(network: nn.Module) -> Iterator[tuple[str, nn.Module, Definition]]:
    """
    The modules that normalize, with the names of their layers in normd, which are their paths; one that stands at
    several paths by the first of them.
    """
    for path, module in network.named_modules():
        definition = definition_of(module)
        if definition is None:
            continue
        if not path:
            raise ValueError(f"a {type(module).__name__} alone has no path, and so no layer's name: pass the network "
                             f"that it is part of")
        if isinstance(module, nn.modules.lazy.LazyModuleMixin) and module.has_uninitialized_params():
            raise ValueError(f"{path} does not know its number of features yet: pass a batch through the network first")
        yield path, module, definition
