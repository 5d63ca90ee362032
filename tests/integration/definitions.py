# SPDX-License-Identifier: MIT
"""The resolved definition of each kind that was created with only the required fields."""

BATCH_NORM = {
    "kind": "batch_norm",
    "convention": "pytorch",
    "num_features": None,
    "eps": 1e-5,
    "momentum": 0.1,
    "averaging": "exponential",
    "half_life": None,
    "affine": True,
    "track_running_stats": True,
    "channel_axis": 1,
    "unbiased_running_var": True,
    "virtual_batch_size": None,
    "shuffle": False,
    "renorm": None,
    "normalize_by": "batch",
    "with_mean": True,
    "min_std": None,
    "clip": None,
    "datatype": "FP32",
}
LAYER_NORM = {
    "kind": "layer_norm",
    "convention": "pytorch",
    "normalized_shape": [3],
    "eps": 1e-5,
    "elementwise_affine": True,
    "bias": True,
    "clip": None,
    "datatype": "FP32",
}
INSTANCE_NORM = {
    "kind": "instance_norm",
    "convention": "pytorch",
    "num_features": 3,
    "eps": 1e-5,
    "momentum": 0.1,
    "affine": False,
    "track_running_stats": False,
    "clip": None,
    "datatype": "FP32",
}
GROUP_NORM = {
    "kind": "group_norm",
    "convention": "pytorch",
    "num_groups": 2,
    "num_channels": 6,
    "eps": 1e-5,
    "affine": True,
    "clip": None,
    "datatype": "FP32",
}
RMS_NORM = {
    "kind": "rms_norm",
    "convention": "pytorch",
    "normalized_shape": [3],
    "eps": 1e-5,
    "elementwise_affine": True,
    "clip": None,
    "datatype": "FP32",
}
