#!/usr/bin/python3
"""Make the golden vectors: make_vectors.py FOLDER. Their format and their meaning: tests/vectors/README.md.

Needs PyTorch (Debian: python3-torch). Seeded, so that the same PyTorch writes the same files.
"""

import json
import os
import sys

import numpy
import torch
from torch import nn

MODULES = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}


def shortest(x):
    """The number whose shortest decimal is also the shortest that reads back to this float32; json prints that decimal."""
    number = float(str(numpy.float32(x)))
    assert numpy.float32(number) == numpy.float32(x)
    return number


def tensor32(x):
    return {"shape": list(x.shape), "data": [shortest(v) for v in x.flatten().tolist()]}


def tensor64(x):
    return {"shape": list(x.shape), "data": x.detach().flatten().tolist()}


def random_input(shape, mean, deviation):
    return (torch.randn(shape, dtype=torch.float64) * deviation + mean).float()


def random_parameter(shape):
    """Multiples of 1/64: exact in float32, so the float32 and the float64 layer have the same."""
    return torch.randint(-128, 129, shape).double() / 64


def parameter_list(parameter):
    return None if parameter is None else parameter.detach().flatten().tolist()


def layer_of(definition, dtype, weight, bias, rank):
    """PyTorch's module for a definition in the service's words."""
    if definition["kind"] == "layer_norm":
        module = nn.LayerNorm(definition["normalized_shape"], eps=definition["eps"],
                              elementwise_affine=weight is not None)
    else:
        module = MODULES[rank](definition["num_features"], eps=definition["eps"], momentum=definition["momentum"],
                               affine=definition["affine"])
    module = module.to(dtype)
    with torch.no_grad():
        if weight is not None:
            module.weight.copy_(weight)
        if weight is not None and bias is not None:
            module.bias.copy_(bias)
    return module


def train_step(module, single, x):
    """One training batch through the float64 layer and, where given, PyTorch's own float32 layer."""
    step = {
        "train": tensor32(x),
        "output": tensor64(module(x.double())),
        "running_mean": module.running_mean.tolist(),
        "running_var": module.running_var.tolist(),
        "num_batches_tracked": int(module.num_batches_tracked),
    }
    if single is not None:
        step["pytorch_float32_output"] = tensor32(single(x).detach())
    return step


def batch_norm(name, shapes, momentum=0.1, eps=1e-5, affine=True, mean=0.5, deviation=2.0, compare=False):
    """Train on one batch of each shape but the last, then infer the last."""
    features = shapes[0][1]
    definition = {"kind": "batch_norm", "num_features": features, "eps": eps, "momentum": momentum, "affine": affine}
    weight = random_parameter((features,)) if affine else None
    bias = random_parameter((features,)) if affine else None
    module = layer_of(definition, torch.float64, weight, bias, len(shapes[0]))
    single = layer_of(definition, torch.float32, weight, bias, len(shapes[0])) if compare else None
    steps = [train_step(module, single, random_input(shape, mean, deviation)) for shape in shapes[:-1]]
    x = random_input(shapes[-1], mean, deviation)
    infer = {"input": tensor32(x), "output": tensor64(module.eval()(x.double()))}
    return {"name": name, "definition": definition, "weight": parameter_list(weight), "bias": parameter_list(bias),
            "steps": steps, "infer": infer}


def layer_norm(name, shape, rank, eps=1e-5, affine=True, has_bias=True, mean=0.5, deviation=2.0, compare=False):
    """Normalize over the last `rank` axes."""
    normalized = list(shape[len(shape) - rank:])
    definition = {"kind": "layer_norm", "normalized_shape": normalized, "eps": eps, "elementwise_affine": affine,
                  "bias": has_bias}
    weight = random_parameter(normalized) if affine else None
    bias = random_parameter(normalized) if affine and has_bias else None
    x = random_input(shape, mean, deviation)
    infer = {"input": tensor32(x),
             "output": tensor64(layer_of(definition, torch.float64, weight, bias, None)(x.double()))}
    if compare:
        single = layer_of(definition, torch.float32, weight, bias, None)
        infer["pytorch_float32_output"] = tensor32(single(x).detach())
    return {"name": name, "definition": definition, "weight": parameter_list(weight), "bias": parameter_list(bias),
            "steps": [], "infer": infer}


def batch_norm_cases():
    yield batch_norm("n_c", [(8, 5), (3, 5), (16, 5), (4, 5)])
    yield batch_norm("n_c_momentum_0.3", [(6, 4), (6, 4), (9, 4), (2, 4)], momentum=0.3, eps=1e-3)
    yield batch_norm("n_c_cumulative", [(6, 4), (12, 4), (2, 4), (7, 4), (2, 4)], momentum=None)
    yield batch_norm("n_c_wide", [(3, 300), (2, 300)], affine=False)
    yield batch_norm("n_c_l", [(4, 3, 7), (2, 3, 7), (4, 3, 20), (1, 3, 5)])
    yield batch_norm("n_c_l_no_affine", [(4, 3, 6), (4, 3, 6), (2, 3, 6)], momentum=0.3, affine=False)
    yield batch_norm("n_c_l_one_sample", [(1, 2, 33), (1, 2, 17), (1, 2, 1)], eps=1e-2)
    yield batch_norm("n_c_h_w", [(4, 3, 5, 4), (2, 3, 5, 4), (4, 3, 3, 3), (1, 3, 4, 4)])
    yield batch_norm("n_c_h_w_cumulative", [(2, 3, 6, 6), (3, 3, 4, 4), (2, 3, 2, 2), (1, 3, 3, 3)], momentum=None, eps=1e-3)
    yield batch_norm("n_c_h_w_momentum_0.3", [(2, 4, 5, 5), (2, 4, 5, 5), (1, 4, 2, 2)], momentum=0.3)
    yield batch_norm("n_c_d_h_w", [(2, 3, 3, 4, 3), (2, 3, 2, 2, 2), (3, 3, 3, 2, 3), (1, 3, 2, 2, 2)])
    yield batch_norm("n_c_d_h_w_cumulative", [(2, 2, 2, 3, 4), (1, 2, 3, 3, 3), (1, 2, 2, 2, 2)], momentum=None, affine=False)
    yield batch_norm("small_numbers", [(4, 3, 6), (4, 3, 6), (2, 3, 6)], mean=0.0, deviation=1e-20, eps=1e-5)
    yield batch_norm("large_numbers", [(4, 3, 6), (4, 3, 6), (2, 3, 6)], mean=0.0, deviation=1e15, eps=1e-5)


def layer_norm_cases():
    yield layer_norm("rank_1", (6, 8), 1)
    yield layer_norm("rank_1_sequence", (2, 5, 12), 1, eps=1e-6)
    yield layer_norm("rank_1_no_bias", (3, 4, 10), 1, has_bias=False)
    yield layer_norm("rank_1_no_affine", (5, 33), 1, affine=False)
    yield layer_norm("rank_1_wide", (2, 300), 1, eps=1e-3)
    yield layer_norm("rank_2", (3, 4, 5), 2)
    yield layer_norm("rank_2_no_affine", (2, 2, 6, 3), 2, affine=False)
    yield layer_norm("rank_3", (2, 3, 4, 5), 3)
    yield layer_norm("rank_3_no_bias", (2, 2, 3, 3, 3), 3, has_bias=False)


def large_mean_cases():
    yield batch_norm("batch_norm_n_c", [(64, 4), (2, 4)], mean=1e5, deviation=1.0, compare=True)
    yield batch_norm("batch_norm_n_c_h_w", [(4, 3, 6, 6), (1, 3, 2, 2)], mean=1e5, deviation=1.0, compare=True)
    yield layer_norm("layer_norm", (6, 64), 1, mean=1e5, deviation=1.0, compare=True)


def write(folder, name, cases):
    """One case a line: compact, and a difference between two runs shows which case it is in."""
    with open(os.path.join(folder, name), "w", encoding="ascii") as file:
        lines = [json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases]
        file.write("[\n" + ",\n".join(lines) + "\n]\n")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_vectors.py FOLDER")
    torch.manual_seed(20160721)
    torch.set_num_threads(1)
    write(sys.argv[1], "batch_norm.json", batch_norm_cases())
    write(sys.argv[1], "layer_norm.json", layer_norm_cases())
    write(sys.argv[1], "large_mean.json", large_mean_cases())


if __name__ == "__main__":
    main()
