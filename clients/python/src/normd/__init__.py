# SPDX-License-Identifier: MIT
"""normd: normalization statistics that many processes share, durably.

    import normd

    client = normd.Client("http://127.0.0.1:8080")
    layer = client.model("robot").layer("obs")
    layer.create("batch_norm", num_features=3, averaging="pooled")
    y = layer.train(batch).output
    z = layer.infer(sample).output

``normd.aio`` has the same for asyncio, ``normd.torch`` modules for PyTorch, ``normd.rl`` and ``normd.sklearn`` what
users of gymnasium, Stable-Baselines3 and scikit-learn know.
"""

from . import errors, types
from ._retries import Retries, new_key
from ._sync.client import Client
from ._sync.layer import Layer
from ._sync.model import Model
from ._version import __version__
from .errors import ApiError, DeadlineExceeded, Error, Incompatible, NoAnswer, UnexpectedAnswer

__all__ = ["ApiError", "Client", "DeadlineExceeded", "Error", "Incompatible", "Layer", "Model", "NoAnswer", "Retries",
           "UnexpectedAnswer", "__version__", "errors", "new_key", "types"]
