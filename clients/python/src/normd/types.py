# SPDX-License-Identifier: MIT
"""What calls answer.

Answers with tensors are frozen dataclasses. Documents are dictionaries, as the API writes them; their types name the
members. An "array" is a NumPy array of float64, or a list of floats where NumPy is not installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Mapping, Optional, TypedDict, Union

#: Which state to read: a version's number, an alias, or "live".
VersionName = Union[int, str]
Verdict = Literal["none", "possible", "drift", "too_few", "constant"]


@dataclass(frozen=True)
class Trained:
    """``output`` is the normalized batch, of the input's kind, shape and datatype; None with ``output=False``."""

    output: Any
    revision: int
    num_batches_tracked: int
    seed: Optional[int] = None  # of the shuffle, where the layer shuffles


@dataclass(frozen=True)
class Inferred:
    """``output`` is the normalized tensor. ``version`` is the number of the version that was read, or "live"."""

    output: Any
    revision: int
    version: VersionName


@dataclass(frozen=True)
class Gradients:
    """Gradients by the input, and by the weight and bias that the layer has (else None)."""

    input: Any
    weight: Any
    bias: Any
    revision: int


@dataclass(frozen=True)
class Statistics:
    """Running statistics: arrays of one number per feature.

    ``count`` is the number of values per feature of ``pooled`` and ``decayed`` layers, else None. ``digest`` names the
    layer's whole state; it is None in the answers of calls that change statistics.
    """

    running_mean: Any
    running_var: Any
    num_batches_tracked: int
    revision: int
    count: Optional[float] = None
    digest: Optional[str] = None


@dataclass(frozen=True)
class Counts:
    """Where a change has brought a layer."""

    revision: int
    num_batches_tracked: int


@dataclass(frozen=True)
class Parameters:
    """Weight and bias: arrays, or None if the layer has none."""

    weight: Any
    bias: Any


@dataclass(frozen=True)
class Affine:
    """Inference folded to ``y = x * scale + shift``: arrays of one number per feature."""

    scale: Any
    shift: Any


@dataclass(frozen=True)
class ModelTrained:
    """``layers`` has what each input's layer answered, by its name."""

    layers: Mapping[str, Trained]

    @property
    def outputs(self) -> dict[str, Any]:
        """The normalized batches by name."""
        return {name: layer.output for name, layer in self.layers.items()}


@dataclass(frozen=True)
class ModelInferred:
    """The normalized tensors by name, and the version that all of them were read from."""

    outputs: Mapping[str, Any]
    version: VersionName


@dataclass(frozen=True)
class Source:
    """A source's totals: the number of values per feature, their mean and biased variance (arrays)."""

    source: str
    count: int
    mean: Any
    var: Any
    time: str


@dataclass(frozen=True)
class Exported:
    """A file that was written: its length, and what of the model it holds (of backups: None)."""

    path: str
    bytes: int
    version: Optional[VersionName]
    etag: Optional[str]


class Scores(TypedDict):
    """How far two normal distributions are from each other (docs/DRIFT.md)."""

    mean_shift: Optional[float]
    variance_ratio: Optional[float]
    js_distance: Optional[float]
    divergence: Optional[float]
    wasserstein: Optional[float]


class FeatureDrift(Scores):
    """A feature of the layer, by its index, and how far it is from the running statistics."""

    index: int
    verdict: Verdict


class Comparison(TypedDict):
    """Of a layer: the verdict, the number of values per feature, and each score's maximum and median over features."""

    verdict: Verdict
    count: int
    max: Scores
    median: Scores


class Drift(Comparison):
    """What inference has read, compared with the running statistics; features with the largest divergence first."""

    features: list[FeatureDrift]
    since: Optional[str]


class FeatureReport(FeatureDrift):
    """Also how many values are NaN or infinite, and the share of the finite ones beyond 3 deviations."""

    nan: int
    infinite: int
    min: Optional[float]
    max: Optional[float]
    beyond_3: Optional[float]


class Report(Comparison):
    """Data in hand, compared with the running statistics. ``not_finite`` has the first features with a NaN or an
    infinity; ``nan`` and ``infinite`` count them in all features."""

    features: list[FeatureReport]
    not_finite: list[int]
    nan: int
    infinite: int


class Spread(TypedDict):
    """The least, the median and the greatest over the features."""

    min: float
    median: float
    max: float


class HistoryEntry(TypedDict):
    """What the statistics were like at a time, over the features. ``drift`` is the largest divergence of what inference
    had read, or None."""

    time: Optional[str]
    revision: int
    num_batches_tracked: int
    mean: Spread
    var: Spread
    drift: Optional[float]


class Version(TypedDict):
    """A snapshot of a model: its number, when it was made, and the digest of all its layers."""

    version: int
    created: str
    note: str
    digest: str


class VersionLayer(TypedDict):
    """A layer as a version holds it."""

    name: str
    revision: int
    digest: str


class Serving(TypedDict):
    """What inference reads, a version's number or "live", and since when; ``time`` is None if nothing was published."""

    time: Optional[str]
    version: VersionName
    note: str


ServingSwitch = TypedDict("ServingSwitch", {"time": str, "from": VersionName, "to": VersionName, "note": str})


class Alias(TypedDict):
    """An alias, and the number of the version that it names."""

    alias: str
    version: int


class IndexEntry(TypedDict):
    """A model in the index. ``version`` serves; ``state`` is "READY", or "UNAVAILABLE" while it is unloaded."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str


class Duration(TypedDict):
    """How often something was done, and the nanoseconds that all of it took."""

    count: int
    ns: int


class Usage(TypedDict):
    """How often a version was used, and how long that took: ``success``, ``fail``, ``queue``, ``compute_input``,
    ``compute_infer``, ``compute_output``, ``cache_hit`` and ``cache_miss``. ``last_inference`` is in milliseconds."""

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: dict[str, Duration]
    batch_stats: list[Any]


class LayerEntry(TypedDict):
    """A layer in the list of layers; ``definition`` has every default filled in."""

    name: str
    revision: int
    frozen: bool
    definition: dict[str, Any]


class SourceEntry(TypedDict):
    """A source in the list of sources, with its distance from the pool."""

    source: str
    count: int
    time: str
    max: Scores
    median: Scores


class ImportedLayer(TypedDict):
    """A layer that a file was read into, and whether it was created for that."""

    name: str
    created: bool
    revision: int


class Imported(TypedDict):
    """The layers that a file was read into, and the names of its tensors that no layer has."""

    layers: list[ImportedLayer]
    left_out: list[str]


class ModelFrozen(TypedDict):
    """Whether the layers of a model are frozen, and how many there are."""

    frozen: bool
    layers: int


class Sync(TypedDict, total=False):
    """A shard of a synchronized step; all but ``timeout_ms`` (10,000) are needed."""

    step: Union[str, int]
    rank: int
    world_size: int
    timeout_ms: int
