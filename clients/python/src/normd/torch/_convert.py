# SPDX-License-Identifier: MIT
"""A network whose batch norms become normd's."""

from __future__ import annotations

from typing import Any, TypeVar

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from normd import Client, Layer, Model
from normd.errors import RevisionMismatch

from ._definitions import Definition, layers_of, tracks
from ._modules import (RemoteBatchNorm1d, RemoteBatchNorm2d, RemoteBatchNorm3d, RemoteSyncBatchNorm, _RemoteBatchNorm)

_TWINS = ((nn.SyncBatchNorm, RemoteSyncBatchNorm), (nn.BatchNorm1d, RemoteBatchNorm1d),
          (nn.BatchNorm2d, RemoteBatchNorm2d), (nn.BatchNorm3d, RemoteBatchNorm3d))

Network = TypeVar("Network", bound=nn.Module)


def convert_batchnorm(module: Network, client: Client, model_name: str) -> Network:
    """Lets the batch norms of a network normalize in normd, and returns the network, which is changed in place.

    ``module`` is a network that contains nn.BatchNorm1d, 2d, 3d or nn.SyncBatchNorm, at any depth. The layer of each
    in the model ``model_name`` has its path as its name, such as ``layer1.0.bn1``. Weight and bias are the same
    parameters as before, so an optimizer may already have them. Options, training mode, device and dtype stay, and
    the running statistics go to normd.

    A layer that exists keeps the statistics that it has, so all processes of a run may convert, and so may a run that
    goes on. One that exists with another definition is ``normd.errors.LayerDiffers``. If normd refuses anything, no
    layer is created. After any error the network is as it was, and the call may be repeated.
    """
    found = {path: (norm, {**definition, "affine": False})
             for path, norm, definition in layers_of(module) if isinstance(norm, _BatchNorm)}
    model = client.model(model_name)
    remotes = {}
    if found:
        _create(model, found)
        remotes = {id(norm): _twin(norm, definition, model.layer(path)) for path, (norm, definition) in found.items()}
    for parent in list(module.modules()):
        for name, child in parent._modules.items():
            if id(child) in remotes:
                parent._modules[name] = remotes[id(child)]
    return module


def _create(model: Model, found: dict[str, tuple[Any, Definition]]) -> None:
    """All layers or none. The statistics of those that nobody has changed yet become the modules'."""
    for path, (norm, _) in found.items():
        _check(path, norm)
    created = model.put_state({}, definitions={path: definition for path, (_, definition) in found.items()})
    for entry in created["layers"]:
        norm = found[entry["name"]][0]
        if entry["revision"] == 0 and tracks(norm):
            _put_statistics(model.layer(entry["name"]), norm)


def _check(path: str, norm: Any) -> None:
    if not isinstance(norm, tuple(kind for kind, _ in _TWINS)):
        raise TypeError(f"{path} is a {type(norm).__name__}, which says nothing of its input's dimensions: make it an "
                        f"nn.BatchNorm1d, 2d or 3d, or an nn.SyncBatchNorm")
    if not tracks(norm):
        return
    mean, var = norm.running_mean, norm.running_var
    if not (mean.isfinite() & var.isfinite() & (var >= 0)).all():
        raise ValueError(f"the running statistics of {path} have a NaN, an infinity or a negative variance")


def _put_statistics(layer: Layer, norm: Any) -> None:
    try:
        layer.put_statistics(norm.running_mean.double(), norm.running_var.double(), int(norm.num_batches_tracked or 0),
                             if_match=0)
    except RevisionMismatch:  # another process of the run has put its own, which are the same
        pass


def _twin(norm: Any, definition: Definition, layer: Layer) -> _RemoteBatchNorm:
    kind: Any = next(remote for local, remote in _TWINS if isinstance(norm, local))
    options = {name: value for name, value in definition.items() if name not in ("kind", "affine")}
    if kind is RemoteSyncBatchNorm:
        options["process_group"] = norm.process_group
    remote: _RemoteBatchNorm = kind(**options, affine=False, layer=layer)
    remote.affine, remote.weight, remote.bias = norm.affine, norm.weight, norm.bias
    remote.train(norm.training)
    return remote
