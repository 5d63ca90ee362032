# SPDX-License-Identifier: MIT
"""scikit-learn's StandardScaler with its statistics in normd, where other processes may add to them and use them.

    import normd, normd.sklearn

    client = normd.Client("http://127.0.0.1:8080")
    scaler = normd.sklearn.StandardScaler(client.model("prices").layer("scaler"))
    scaler.partial_fit([[0.0, 0.0], [2.0, 4.0]])
    scaler.transform([[1.0, 4.0]])  # array([[0., 1.]])

It works in a Pipeline and with clone; scikit-learn itself is not needed. A clone has the same layer, which ``fit``
empties for all: do not fit clones at the same time (``n_jobs=1``), or give each a layer of its own.

It differs from scikit-learn's in this: NaN is not a missing value, but refused, in ``transform`` too; there are no
sample weights and no sparse matrices; and a feature is constant if its deviation is below 2.2e-15, where scikit-learn
has a bound that grows with the mean and the number of samples.
"""

from __future__ import annotations

from typing import Any

import numpy

from ._moments import moments_of, numbers
from ._sync.layer import Layer
from .errors import NoSuchLayer, NoSuchModel, NotTrained
from .types import Statistics

# A deviation below MIN_STD counts as 0: the scale is 1. Below ALL_STDS is every deviation that data has: no scaling.
MIN_STD = 10 * float(numpy.finfo(numpy.float64).eps)
ALL_STDS = 1e30


class NotFitted(ValueError, AttributeError):
    """The scaler has seen no data: its attributes that end in ``_`` do not exist yet."""


class StandardScaler:
    """Removes the mean and divides by the deviation, per feature: the twin of scikit-learn's class.

    ``layer`` keeps the statistics. It is created with the first data, for its features, ``with_mean`` and ``with_std``;
    to fit with others is LayerDiffers, and takes another layer. Arrays X are of shape (samples, features).
    Attributes that end in ``_`` ask normd, and show what all processes have added. With ``copy=False``, ``transform``
    writes into X if it is an array of floats.
    """

    def __init__(self, layer: Layer, *, copy: bool = True, with_mean: bool = True, with_std: bool = True) -> None:
        self.layer = layer
        self.copy = copy
        self.with_mean = with_mean
        self.with_std = with_std

    def __repr__(self) -> str:
        return f"StandardScaler({', '.join(f'{name}={value!r}' for name, value in self.get_params().items())})"

    # ---- as an estimator

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {name: getattr(self, name) for name in ("layer", "copy", "with_mean", "with_std")}

    def set_params(self, **params: Any) -> StandardScaler:
        """Changes arguments of the constructor."""
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"StandardScaler has no parameter {name!r}, but {', '.join(self.get_params())}")
            setattr(self, name, value)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_samples_seen_")

    def __sklearn_tags__(self) -> Any:  # asked for by scikit-learn 1.6 and later
        import importlib
        base = importlib.import_module("sklearn.base")
        return type("Transformer", (base.TransformerMixin, base.BaseEstimator), {})().__sklearn_tags__()

    # ---- data

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> StandardScaler:
        """Puts the statistics of X in the place of what the layer had, in one change."""
        mean, var, count = self._moments(X, sample_weight)
        self.layer.put_statistics(mean, var, 1, count=count)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> StandardScaler:
        """Adds X to the statistics, once, however often the request must be sent."""
        mean, var, count = self._moments(X, sample_weight)
        self.layer.merge(count, mean, var)
        return self

    def transform(self, X: Any, copy: bool | None = None) -> Any:
        """X scaled: floats of the same shape."""
        return self._mapped(X, copy, inverse=False)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """``fit`` and ``transform``."""
        return self.fit(X, y, **fit_params).transform(X)

    def inverse_transform(self, X: Any, copy: bool | None = None) -> Any:
        """Scaled values mapped back."""
        return self._mapped(X, copy, inverse=True)

    # ---- attributes

    @property
    def n_samples_seen_(self) -> int:
        """The number of samples that all processes have added."""
        return int(self._statistics().count or 0)

    @property
    def n_features_in_(self) -> int:
        """The number of features."""
        return len(self._statistics().running_mean)

    @property
    def mean_(self) -> Any:
        """The mean per feature; None without ``with_mean`` and ``with_std``."""
        mean = self._statistics().running_mean
        return mean if self.with_mean or self.with_std else None

    @property
    def var_(self) -> Any:
        """The biased variance per feature; None without ``with_std``."""
        var = self._statistics().running_var
        return var if self.with_std else None

    @property
    def scale_(self) -> Any:
        """What is divided by: the deviation, or 1 for constant features; None without ``with_std``."""
        if self.var_ is None:
            return None
        deviation = numpy.sqrt(self.var_)
        return numpy.where(deviation < MIN_STD, 1.0, deviation)

    def _statistics(self) -> Statistics:
        try:
            statistics = self.layer.statistics(version="live")
        except (NoSuchLayer, NoSuchModel):
            statistics = None
        if statistics is None or not statistics.count:
            raise self._not_fitted()
        return statistics

    def _not_fitted(self) -> NotFitted:
        return NotFitted(f"the scaler of {self.layer!r} has seen no data: call fit or partial_fit first")

    def _moments(self, X: Any, sample_weight: Any) -> tuple[Any, Any, int]:
        """The moments of X, for which the layer is created, unless there is one of the same definition."""
        if sample_weight is not None:
            raise ValueError("sample weights are not supported: each sample counts once")
        X = _array(X)
        mean, var, count = moments_of(X)
        if count == 0:
            raise ValueError("X has no samples, and at least 1 is needed")
        self.layer.create("batch_norm", num_features=X.shape[1], averaging="pooled", normalize_by="running", eps=0.0,
                          min_std=MIN_STD if self.with_std else ALL_STDS, with_mean=self.with_mean, affine=False)
        return mean, var, count

    def _mapped(self, X: Any, copy: bool | None, inverse: bool) -> Any:
        x = _array(X)
        try:
            output = self.layer.infer(x, version="live", inverse=inverse).output
        except (NoSuchLayer, NoSuchModel, NotTrained) as error:
            raise self._not_fitted() from error
        if (self.copy if copy is None else copy) or not x.flags.writeable:
            return output
        x[...] = output
        return x


def _array(X: Any) -> Any:
    """X as an array of floats of (samples, features)."""
    if hasattr(X, "toarray"):
        raise TypeError("sparse matrices are not supported, since they would be centred: pass X.toarray()")
    x = numbers(X)
    if x.dtype.kind != "f":
        x = x.astype(numpy.float64)
    if x.ndim != 2:
        raise ValueError(f"X must have 2 dimensions, (samples, features), and its shape is {x.shape}")
    return x
