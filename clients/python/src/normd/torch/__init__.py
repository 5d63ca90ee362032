# SPDX-License-Identifier: MIT
"""PyTorch networks whose normalization is normd's. Needs torch and NumPy: ``pip install normd[torch]``.

    net = normd.torch.convert_batchnorm(net, client, "resnet")  # its batch norms normalize in normd from now on
    normd.torch.push(net, client.model("resnet-serving"))       # or: its normalization state goes to normd,
    normd.torch.pull(net, client.model("resnet-serving"))       # and comes back

normd normalizes, forward and backward, and keeps the running statistics. Weight and bias stay in PyTorch, applied to
what comes back: they are the optimizer's, which moves them after every step, and each worker has its own copy. So the
layers of these modules in normd have none, and only ``push`` makes layers that have.

The modules have the constructors of torch.nn's and, by name, ``layer``: a ``normd.Layer``, which is created unless it
is there. Their ``state_dict`` is the same, both ways, and may lack ``num_batches_tracked``. They differ in this:

- Running statistics are float64, also in the ``state_dict``.
- In eval mode, a layer that never saw a batch or a ``state_dict`` is ``normd.errors.NotTrained``, where torch.nn takes
  mean 0 and variance 1. ``convert_batchnorm`` carries these over, too.
- A batch with a NaN or an infinity is ``normd.errors.NonFiniteInput``.
- ``eps`` and ``momentum`` cannot be changed.
- As with torch.nn's, activation checkpointing runs a forward pass twice, which counts its batch twice.
- Eval mode is by the live statistics, whatever version serves. If another worker changes them between the forward and
  the backward pass, that is a RuntimeError.
- A copy (``copy.deepcopy``, pickle) has its own weight and bias, and the same layer in normd. A pickle contains the
  client with its token; a ``state_dict`` does not.
"""

from ._convert import convert_batchnorm
from ._modules import (RemoteBatchNorm1d, RemoteBatchNorm2d, RemoteBatchNorm3d, RemoteLayerNorm, RemoteSyncBatchNorm)
from ._states import pull, push

__all__ = ["RemoteBatchNorm1d", "RemoteBatchNorm2d", "RemoteBatchNorm3d", "RemoteLayerNorm", "RemoteSyncBatchNorm",
           "convert_batchnorm", "pull", "push"]
