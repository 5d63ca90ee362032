# SPDX-License-Identifier: MIT
"""A network's normalization state, to normd and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from normd import Model
from normd.types import Imported, VersionName

from ._definitions import layers_of

_TENSORS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


class Keys(NamedTuple):
    """What did not fit: names of tensors, as nn.Module.load_state_dict answers them."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def _tensors(path: str, module: Any) -> dict[str, Any]:
    """The state of one module: no buffers of its subclass, and nothing of modules in it."""
    return {f"{path}.{name}": value for name, value in module.state_dict().items() if name in _TENSORS}


def push(module: nn.Module, model: Model) -> Imported:
    """Copies a network's normalization state into a model, all or nothing, and exactly.

    This is the weight, bias and running statistics of the network's batch, layer, group, instance and RMS norms, of
    torch.nn or of this module; no other tensor is sent. RMS norms of other libraries are those of a class RMSNorm, or
    of one whose name ends so and which has a ``variance_epsilon``; others may multiply by 1 + weight.

    Layers are named by the modules' paths. Those that the model lacks are created; one that exists with another
    definition is ``normd.errors.LayerDiffers``. normd then normalizes as the network does, weight and bias included.
    """
    tensors: dict[str, Any] = {}
    definitions = {}
    for path, norm, definition in layers_of(module):
        state = _tensors(path, norm)
        if state:
            definitions[path] = definition
            tensors.update(state)
    if not tensors:
        raise ValueError("the module has no normalization layer with a weight or running statistics")
    return model.put_state(tensors, definitions=definitions)


def pull(module: nn.Module, model: Model, *, version: VersionName | None = None, strict: bool = True) -> Keys:
    """Copies a model's state into a network's normalization modules, all or nothing: the reverse of ``push``.

    ``version`` is a number or an alias; by default it is the live state. If a tensor of the network's normalization is
    missing in the model, or if the model has one that the network lacks, it is a RuntimeError unless ``strict`` is
    False, as in nn.Module.load_state_dict; tensors of other shapes always are. Then nothing has changed.
    """
    wanted: dict[str, Any] = {}
    for path, norm, _ in layers_of(module):
        wanted.update(_tensors(path, norm))
    found = {name: torch.from_numpy(array) for name, array in model.state(version=version).items()}
    keys = Keys([name for name in wanted if name not in found], [name for name in found if name not in wanted])
    errors = [f"{name} has the shape {tuple(found[name].shape)} in normd and {tuple(value.shape)} in the network"
              for name, value in wanted.items() if name in found and found[name].shape != value.shape]
    if strict:
        errors += [f"in {place} alone: {', '.join(names)}"
                   for place, names in (("the network", keys.missing_keys), ("normd", keys.unexpected_keys)) if names]
    if errors:
        raise RuntimeError(f"{model!r} does not fit the network: {'; '.join(errors)}")
    module.load_state_dict({name: found[name] for name in wanted if name in found}, strict=False)
    return keys
