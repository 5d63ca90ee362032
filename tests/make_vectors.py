#!/usr/bin/python3
# SPDX-License-Identifier: MIT
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
    """The number whose shortest decimal is also the shortest that reads back to this float32;
    json prints that decimal."""
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
    yield batch_norm("n_c_h_w_cumulative", [(2, 3, 6, 6), (3, 3, 4, 4), (2, 3, 2, 2), (1, 3, 3, 3)], momentum=None,
                     eps=1e-3)
    yield batch_norm("n_c_h_w_momentum_0.3", [(2, 4, 5, 5), (2, 4, 5, 5), (1, 4, 2, 2)], momentum=0.3)
    yield batch_norm("n_c_d_h_w", [(2, 3, 3, 4, 3), (2, 3, 2, 2, 2), (3, 3, 3, 2, 3), (1, 3, 2, 2, 2)])
    yield batch_norm("n_c_d_h_w_cumulative", [(2, 2, 2, 3, 4), (1, 2, 3, 3, 3), (1, 2, 2, 2, 2)], momentum=None,
                     affine=False)
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


INSTANCE_MODULES = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}


def case_of(name, definition, weight, bias, steps, x, output):
    return {"name": name, "definition": definition, "weight": parameter_list(weight), "bias": parameter_list(bias),
            "steps": steps, "infer": {"input": tensor32(x), "output": tensor64(output)}}


def step_of(x, output, mean, var, tracked):
    return {"train": tensor32(x), "output": tensor64(output), "running_mean": mean.tolist(),
            "running_var": var.tolist(), "num_batches_tracked": tracked}


def set_parameters(module, weight, bias):
    with torch.no_grad():
        if weight is not None:
            module.weight.copy_(weight)
            module.bias.copy_(bias)
    return module


def instance_norm(name, shapes, affine=False, track=False, momentum=0.1, eps=1e-5, mean=0.5, deviation=2.0):
    """Train on one batch of each shape but the last, then infer the last. PyTorch does not count the batches."""
    features = shapes[0][1]
    definition = {"kind": "instance_norm", "num_features": features, "eps": eps, "momentum": momentum, "affine": affine,
                  "track_running_stats": track}
    weight, bias = (random_parameter((features,)), random_parameter((features,))) if affine else (None, None)
    module = INSTANCE_MODULES[len(shapes[0])](features, eps=eps, momentum=momentum, affine=affine,
                                              track_running_stats=track)
    set_parameters(module.double(), weight, bias)
    steps = []
    for shape in shapes[:-1]:
        x = random_input(shape, mean, deviation)
        y = module(x.double())
        steps.append(step_of(x, y, module.running_mean, module.running_var, len(steps) + 1))
    x = random_input(shapes[-1], mean, deviation)
    return case_of(name, definition, weight, bias, steps, x, module.eval()(x.double()))


def group_norm(name, shape, groups, affine=True, eps=1e-5, clip=None, mean=0.5, deviation=2.0):
    channels = shape[1]
    definition = {"kind": "group_norm", "num_groups": groups, "num_channels": channels, "eps": eps, "affine": affine,
                  "clip": clip}
    weight, bias = (random_parameter((channels,)), random_parameter((channels,))) if affine else (None, None)
    module = set_parameters(nn.GroupNorm(groups, channels, eps=eps, affine=affine).double(), weight, bias)
    x = random_input(shape, mean, deviation)
    y = module(x.double())
    return case_of(name, definition, weight, bias, [], x, y if clip is None else y.clamp(-clip, clip))


def rms_norm(name, shape, rank, affine=True, eps=1e-5, mean=0.5, deviation=2.0):
    """PyTorch 1.13 has no RMSNorm: later ones' formula. Their eps None
    is the machine epsilon of the input's datatype."""
    normalized = list(shape[len(shape) - rank:])
    definition = {"kind": "rms_norm", "normalized_shape": normalized, "eps": eps, "elementwise_affine": affine}
    weight = random_parameter(normalized) if affine else None
    x = random_input(shape, mean, deviation)
    square = x.double().pow(2).mean(dim=list(range(-rank, 0)), keepdim=True)
    y = x.double() * torch.rsqrt(square + (torch.finfo(torch.float32).eps if eps is None else eps))
    return case_of(name, definition, weight, None, [], x, y if weight is None else y * weight)


def permutation(seed, n):
    """norm/shuffle.h: Fisher and Yates' shuffle by SplitMix64, numbers that would be biased drawn again."""
    mask, order = 2**64 - 1, list(range(n))

    def draw():
        nonlocal seed
        seed = z = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        return z ^ z >> 31

    for i in range(n, 1, -1):
        r = draw()
        while r < 2**64 % i:
            r = draw()
        order[i - 1], order[r % i] = order[r % i], order[i - 1]
    return order


def ghost_batches(name, shapes, size, shuffle=False, momentum=0.1, affine=True, eps=1e-5, mean=0.5, deviation=2.0):
    """Each batch through torch.chunk and a batch norm layer, chunk by chunk;
    shuffled before, and put back into order after."""
    features = shapes[0][1]
    definition = {"kind": "batch_norm", "num_features": features, "eps": eps, "momentum": momentum, "affine": affine,
                  "virtual_batch_size": size, "shuffle": shuffle}
    weight, bias = (random_parameter((features,)), random_parameter((features,))) if affine else (None, None)
    module = layer_of(definition, torch.float64, weight, bias, len(shapes[0]))
    steps = []
    for shape in shapes[:-1]:
        x = random_input(shape, mean, deviation)
        seed = 1000 + len(steps)
        order = torch.tensor(permutation(seed, len(x)) if shuffle else range(len(x)))
        chunks = max(1 if size is None else -(-len(x) // size), 2 if shuffle else 1)
        y = torch.empty_like(x.double())
        y[order] = torch.cat([module(piece) for piece in x.double()[order].chunk(chunks)]).detach()
        steps.append(step_of(x, y, module.running_mean, module.running_var, int(module.num_batches_tracked)))
        if shuffle:
            steps[-1]["seed"] = seed
    x = random_input(shapes[-1], mean, deviation)
    return case_of(name, definition, weight, bias, steps, x, module.eval()(x.double()))


def renorm(name, shapes, r_max, d_max, momentum=0.1, affine=True, eps=1e-5, mean=0.5, deviation=2.0):
    """Batch Renormalization (Ioffe 2017, algorithm 1) in torch;
    the running statistics are an ordinary batch norm layer's."""
    features = shapes[0][1]
    definition = {"kind": "batch_norm", "num_features": features, "eps": eps, "momentum": momentum, "affine": affine,
                  "renorm": {"r_max": r_max, "d_max": d_max}}
    weight, bias = (random_parameter((features,)), random_parameter((features,))) if affine else (None, None)
    module = layer_of(definition, torch.float64, weight, bias, len(shapes[0]))
    column = lambda v: v.reshape([1, -1] + [1] * (len(shapes[0]) - 2))
    steps = []
    for shape in shapes[:-1]:
        x = random_input(shape, mean, deviation)
        axes = [0, *range(2, x.dim())]
        batch_mean, deviation_of_batch = x.double().mean(axes), (x.double().var(axes, unbiased=False) + eps).sqrt()
        running_deviation = (module.running_var + eps).sqrt()
        r = (deviation_of_batch / running_deviation).clamp(1 / r_max, r_max)
        d = ((batch_mean - module.running_mean) / running_deviation).clamp(-d_max, d_max)
        y = (x.double() - column(batch_mean)) / column(deviation_of_batch) * column(r) + column(d)
        if affine:
            y = y * column(weight) + column(bias)
        module(x.double())
        steps.append(step_of(x, y, module.running_mean, module.running_var, int(module.num_batches_tracked)))
    x = random_input(shapes[-1], mean, deviation)
    return case_of(name, definition, weight, bias, steps, x, module.eval()(x.double()))


def instance_norm_cases():
    yield instance_norm("n_c_l", [(3, 4, 9)])
    yield instance_norm("n_c_l_affine", [(2, 3, 33)], affine=True, eps=1e-3)
    yield instance_norm("n_c_h_w", [(2, 3, 5, 4)])
    yield instance_norm("n_c_d_h_w_affine", [(2, 2, 3, 2, 4)], affine=True)
    yield instance_norm("n_c_l_two_positions", [(4, 5, 2)])
    yield instance_norm("n_c_l_large_mean", [(3, 4, 40)], mean=1e5, deviation=1.0)
    yield instance_norm("n_c_l_tracking", [(3, 4, 9), (1, 4, 5), (5, 4, 2), (2, 4, 1)], track=True)
    yield instance_norm("n_c_h_w_tracking_affine", [(2, 3, 4, 4), (4, 3, 3, 2), (1, 3, 2, 2)], affine=True, track=True,
                        momentum=0.3)
    yield instance_norm("n_c_d_h_w_tracking", [(2, 2, 2, 3, 2), (2, 2, 3, 3, 3), (2, 2, 1, 2, 2)], track=True, eps=1e-3)


def group_norm_cases():
    yield group_norm("n_c", (5, 6), 2)
    yield group_norm("n_c_l", (3, 6, 7), 3)
    yield group_norm("n_c_l_one_group", (3, 4, 5), 1)
    yield group_norm("n_c_l_each_channel", (3, 4, 5), 4, affine=False)
    yield group_norm("n_c_h_w", (2, 8, 4, 5), 4, eps=1e-3)
    yield group_norm("n_c_h_w_no_affine", (2, 6, 3, 3), 2, affine=False)
    yield group_norm("n_c_d_h_w", (2, 4, 2, 3, 2), 2)
    yield group_norm("six_dimensions", (2, 4, 2, 2, 1, 3), 2)
    yield group_norm("n_c_wide", (2, 300), 10)
    yield group_norm("n_c_l_clip", (3, 6, 7), 3, clip=0.75)
    yield group_norm("n_c_l_large_mean", (3, 6, 20), 3, mean=1e5, deviation=1.0)


def rms_norm_cases():
    yield rms_norm("rank_1", (6, 8), 1)
    yield rms_norm("rank_1_sequence", (2, 5, 12), 1, eps=1e-6)
    yield rms_norm("rank_1_no_affine", (5, 33), 1, affine=False)
    yield rms_norm("rank_2", (3, 4, 5), 2)
    yield rms_norm("rank_3", (2, 3, 4, 5), 3, eps=1e-3)
    yield rms_norm("rank_1_eps_of_float32", (4, 16), 1, eps=None, mean=0.0, deviation=1e-3)
    yield rms_norm("rank_1_large_mean", (3, 64), 1, mean=1e5, deviation=1.0)


def ghost_batch_cases():
    yield ghost_batches("even", [(8, 3), (8, 3), (4, 3)], 4)
    yield ghost_batches("last_is_smaller", [(7, 4), (11, 4), (2, 4)], 4)
    yield ghost_batches("n_c_l", [(5, 3, 6), (4, 3, 2), (1, 3, 4)], 2, momentum=0.3)
    yield ghost_batches("n_c_h_w_one_sample_each", [(3, 2, 3, 3), (2, 2, 4, 1), (1, 2, 2, 2)], 1)
    yield ghost_batches("cumulative", [(6, 3), (9, 3), (2, 3)], 3, momentum=None, affine=False)
    yield ghost_batches("larger_than_the_batch", [(6, 3), (5, 3), (2, 3)], 100)
    yield ghost_batches("shuffled_in_two", [(9, 3), (4, 3), (2, 3)], None, shuffle=True)
    yield ghost_batches("shuffled", [(14, 4), (8, 4), (2, 4)], 4, shuffle=True)
    yield ghost_batches("shuffled_n_c_h_w", [(5, 2, 3, 2), (6, 2, 2, 2), (1, 2, 2, 2)], 2, shuffle=True, momentum=0.3)


def renorm_cases():
    yield renorm("n_c", [(8, 3), (6, 3), (9, 3), (4, 3)], 3.0, 5.0)
    yield renorm("n_c_held_by_its_limits", [(8, 3), (6, 3), (9, 3), (4, 3)], 1.5, 0.25, deviation=5.0)
    yield renorm("n_c_nothing_corrected", [(8, 3), (6, 3), (4, 3)], 1.0, 0.0)
    yield renorm("n_c_h_w", [(3, 2, 4, 4), (2, 2, 3, 5), (1, 2, 2, 2)], 3.0, 5.0, momentum=0.5, eps=1e-3)
    yield renorm("n_c_l_no_affine", [(3, 4, 8), (3, 4, 8), (3, 4, 8), (2, 4, 3)], 2.0, 1.0, affine=False)


def raises(module, shape):
    """Whether PyTorch refuses a tensor because a mean would be of one value."""
    try:
        module(torch.zeros(shape, dtype=torch.float64))
    except ValueError as error:
        assert "Expected more than 1" in str(error), error
        return True
    return False


def too_few_values_cases():
    """Small shapes through every kind, in training and in evaluation."""
    shapes = [(n, 4, *rest) for n in (1, 2) for rest in ((), (1,), (2,), (1, 1), (1, 2), (1, 1, 1), (2, 1, 1))]
    for shape in shapes:
        rank = len(shape)
        kinds = [({"kind": "batch_norm", "track_running_stats": track},
                  MODULES[rank](4, track_running_stats=track)) for track in (True, False)]
        kinds += [({"kind": "group_norm", "num_groups": groups, "num_channels": 4}, nn.GroupNorm(groups, 4))
                  for groups in (1, 2, 4)]
        kinds.append(({"kind": "layer_norm", "normalized_shape": list(shape[-1:])}, nn.LayerNorm(shape[-1:])))
        if rank > 2:
            kinds += [({"kind": "instance_norm", "track_running_stats": track},
                       INSTANCE_MODULES[rank](4, track_running_stats=track)) for track in (True, False)]
        for definition, module in kinds:
            module.double()
            yield {"definition": definition, "shape": shape, "train": raises(module.train(), shape),
                   "infer": raises(module.eval(), shape)}


def padded_moments(x, keep, axes, centered=True):
    """Mean and biased variance over `axes` of what `keep` says, for autograd; 0 and 0 of an all-padding slice."""
    keep = torch.ones_like(x) if keep is None else keep.unsqueeze(1).expand_as(x)
    n = keep.sum(axes, keepdim=True).clamp(min=1)
    mean = (x * keep).sum(axes, keepdim=True) / n if centered else torch.zeros_like(n)
    return mean, (((x - mean) * keep) ** 2).sum(axes, keepdim=True) / n


def forward_of(definition, x, weight, bias, mode, statistics, keep, seed):
    """The layer in torch, for autograd: PyTorch's own functions where it has them and nothing is padding."""
    kind, eps, rank = definition["kind"], definition["eps"], x.dim()
    column = lambda v: v.reshape([1, -1] + [1] * (rank - 2))
    if mode == "infer" and statistics is not None:
        return nn.functional.batch_norm(x, *statistics, weight, bias, False, 0.0, eps)
    if "virtual_batch_size" in definition or "shuffle" in definition:
        order = torch.tensor(permutation(seed, len(x)) if definition.get("shuffle") else range(len(x)))
        size = definition.get("virtual_batch_size") or len(x)
        chunks = max(-(-len(x) // size), 2 if definition.get("shuffle") else 1)
        pieces = zip(x[order].chunk(chunks), [None] * chunks if keep is None else keep[order].chunk(chunks))
        plain = {key: value for key, value in definition.items() if key not in ("virtual_batch_size", "shuffle")}
        y = torch.cat([forward_of(plain, piece, weight, bias, mode, statistics, kept, seed) for piece, kept in pieces])
        return y[torch.argsort(order)]
    if keep is None and "renorm" not in definition:
        if kind == "batch_norm":
            return nn.functional.batch_norm(x, None, None, weight, bias, True, 0.0, eps)
        if kind == "instance_norm":
            return nn.functional.instance_norm(x, weight=weight, bias=bias, eps=eps)
        if kind == "group_norm":
            return nn.functional.group_norm(x, definition["num_groups"], weight, bias, eps)
        if kind == "layer_norm":
            return nn.functional.layer_norm(x, definition["normalized_shape"], weight, bias, eps)
    if "normalized_shape" in definition:
        axes = list(range(rank - len(definition["normalized_shape"]), rank))
        mean, var = padded_moments(x, keep, axes, kind == "layer_norm")
        y = (x - mean) / (var + eps).sqrt()
        return y * weight + (bias if bias is not None else 0) if weight is not None else y
    if kind == "group_norm":
        cut = (len(x), definition["num_groups"], -1, *x.shape[2:])
        kept = None if keep is None else keep.unsqueeze(1).expand_as(x).reshape(cut)
        grouped = x.reshape(cut)
        keep = torch.ones_like(grouped) if kept is None else kept
        axes = list(range(2, grouped.dim()))
        n = keep.sum(axes, keepdim=True).clamp(min=1)
        mean = (grouped * keep).sum(axes, keepdim=True) / n
        var = (((grouped - mean) * keep) ** 2).sum(axes, keepdim=True) / n
        y = ((grouped - mean) / (var + eps).sqrt()).reshape(x.shape)
    else:
        axes = [0] * (kind == "batch_norm") + list(range(2, rank))
        mean, var = padded_moments(x, keep, axes)
        y = (x - mean) / (var + eps).sqrt()
        if "renorm" in definition:
            running = (column(statistics[1]) + eps).sqrt()
            r_max, d_max = definition["renorm"]["r_max"], definition["renorm"]["d_max"]
            r = ((var + eps).sqrt() / running).clamp(1 / r_max, r_max).detach()
            y = y * r + ((mean - column(statistics[0])) / running).clamp(-d_max, d_max).detach()
    return y * column(weight) + column(bias) if weight is not None else y


def backward(name, definition, shape, mode="train", statistics=False, lengths=None, mask=None, seed=None, mean=0.5,
             deviation=2.0, affine=True):
    """Autograd's gradients of a random input and a random gradient of the output, all multiples of 1/64:
    exact in float32."""
    definition = {"eps": 1e-5, **definition}
    shaped = definition["kind"] in ("layer_norm", "rms_norm")
    parameter_shape = definition["normalized_shape"] if shaped else (shape[1],)
    definition["elementwise_affine" if shaped else "affine"] = affine
    weight = random_parameter(parameter_shape).requires_grad_() if affine else None
    bias = random_parameter(parameter_shape).requires_grad_() if affine and definition["kind"] != "rms_norm" else None
    running = (random_parameter((shape[1],)), random_parameter((shape[1],)).abs() + 0.25) if statistics else None
    x = (torch.round(torch.randn(shape, dtype=torch.float64) * 64 * deviation) / 64 + mean).requires_grad_()
    g = torch.round(torch.randn(shape, dtype=torch.float64) * 64) / 64
    # A mask is of samples by positions; a row that counts is normalized as ever.
    positions = shape[1:len(shape) - len(definition["normalized_shape"])] if shaped else shape[2:]
    keep = None
    if lengths is not None:
        keep = (torch.arange(positions[0]) < torch.tensor(lengths).unsqueeze(1)).double()
    elif mask is not None:
        keep = (torch.rand((shape[0], *positions)) < mask).double()
    y = forward_of(definition, x, weight, bias, mode, running, None if shaped else keep, seed)
    if keep is not None:
        y = y * (keep.reshape(*keep.shape, *(1,) * (len(shape) - keep.dim())) if shaped else keep.unsqueeze(1))
    if "clip" in definition:
        y = y.clamp(-definition["clip"], definition["clip"])
    y.backward(g)
    gradient = lambda parameter: None if parameter is None else tensor64(parameter.grad)
    case = {"name": name, "definition": definition, "weight": parameter_list(weight), "bias": parameter_list(bias),
            "mode": mode, "input": tensor32(x.detach()), "grad_output": tensor32(g), "grad_input": tensor64(x.grad),
            "grad_weight": gradient(weight), "grad_bias": gradient(bias)}
    if statistics:
        case["running_mean"], case["running_var"] = running[0].tolist(), running[1].tolist()
    if lengths is not None:
        case["lengths"] = lengths
    if mask is not None:
        case["mask"] = keep.bool().tolist()
    if seed is not None:
        case["seed"] = seed
    return case


def backward_cases():
    batch, instance = {"kind": "batch_norm"}, {"kind": "instance_norm"}
    tracking = {"kind": "instance_norm", "track_running_stats": True}
    groups = {"kind": "group_norm", "num_groups": 2, "num_channels": 4}
    row, sample = {"kind": "layer_norm", "normalized_shape": [7]}, {"kind": "layer_norm", "normalized_shape": [4, 7]}
    rms = {"kind": "rms_norm", "normalized_shape": [7]}
    yield backward("batch_norm_n_c", batch, (8, 5))
    yield backward("batch_norm_n_c_l_no_affine", batch, (4, 3, 7), affine=False)
    yield backward("batch_norm_n_c_h_w", {**batch, "eps": 1e-3}, (3, 4, 5, 4))
    yield backward("batch_norm_n_c_d_h_w", batch, (2, 3, 3, 2, 2))
    yield backward("batch_norm_large_mean", batch, (6, 3, 5), mean=4096.0, deviation=1.0)
    yield backward("batch_norm_infer", batch, (3, 4, 5), mode="infer", statistics=True)
    yield backward("batch_norm_infer_one_value", batch, (1, 4), mode="infer", statistics=True)
    yield backward("batch_norm_infer_untracked", {**batch, "track_running_stats": False}, (3, 4, 5), mode="infer")
    yield backward("ghost_batches", {**batch, "virtual_batch_size": 3}, (8, 4, 2))
    yield backward("ghost_batches_infer", {**batch, "virtual_batch_size": 3}, (8, 4, 2), mode="infer", statistics=True)
    yield backward("shuffled", {**batch, "shuffle": True}, (7, 3, 2), seed=12)
    yield backward("shuffled_ghost_batches", {**batch, "shuffle": True, "virtual_batch_size": 4}, (11, 3),
                   seed=2**63 + 1)
    yield backward("renorm", {**batch, "renorm": {"r_max": 3.0, "d_max": 5.0}}, (6, 3, 4), statistics=True)
    yield backward("renorm_held_by_its_limits", {**batch, "renorm": {"r_max": 1.25, "d_max": 0.25}}, (6, 3, 4),
                   statistics=True)
    yield backward("instance_norm_n_c_l", instance, (3, 4, 7))
    yield backward("instance_norm_n_c_h_w_no_affine", instance, (2, 3, 4, 5), affine=False)
    yield backward("instance_norm_tracking", tracking, (3, 4, 7), statistics=True)
    yield backward("instance_norm_tracking_infer", tracking, (3, 4, 7), mode="infer", statistics=True)
    yield backward("group_norm_n_c", groups, (5, 4))
    yield backward("group_norm_n_c_h_w", groups, (3, 4, 3, 5))
    yield backward("group_norm_one_group_infer", {**groups, "num_groups": 1}, (3, 4, 7), mode="infer")
    yield backward("group_norm_no_affine", {**groups, "num_groups": 4}, (3, 4, 7), affine=False)
    yield backward("layer_norm_rank_1", row, (5, 7))
    yield backward("layer_norm_rank_2", sample, (3, 4, 7))
    yield backward("layer_norm_no_affine_infer", row, (2, 4, 7), mode="infer", affine=False)
    yield backward("layer_norm_many_rows", row, (130, 7))
    yield backward("rms_norm_rank_1", rms, (5, 7))
    yield backward("rms_norm_rank_2", {**rms, "normalized_shape": [4, 7]}, (3, 4, 7))
    yield backward("rms_norm_no_affine", rms, (2, 4, 7), affine=False)
    for kind, definition in (("batch_norm", batch), ("instance_norm", instance), ("group_norm", groups),
                             ("layer_norm", row), ("rms_norm", rms)):
        yield backward(kind + "_clip", {**definition, "clip": 0.75}, (3, 4, 7))
    yield backward("renorm_clip", {**batch, "renorm": {"r_max": 1.25, "d_max": 0.25}, "clip": 0.75}, (6, 3, 4),
                   statistics=True)
    yield backward("batch_norm_infer_clip", {**batch, "clip": 0.75}, (3, 4, 5), mode="infer", statistics=True)
    for kind, definition in (("batch_norm", batch), ("instance_norm", instance), ("group_norm", groups),
                             ("layer_norm", row), ("rms_norm", rms)):
        lengths = [4, 2, 0, 3] if "normalized_shape" in definition else [7, 2, 0, 4]
        yield backward(kind + "_lengths", definition, (4, 4, 7), lengths=lengths)
        yield backward(kind + "_lengths_clip", {**definition, "clip": 0.75}, (4, 4, 7), lengths=lengths)
    for kind, definition in (("batch_norm", batch), ("group_norm", groups), ("layer_norm", row)):
        yield backward(kind + "_mask", definition, (3, 4, 4, 7), mask=0.6)
    yield backward("layer_norm_mask_of_samples", sample, (4, 4, 7), mask=0.6)
    yield backward("ghost_batches_lengths", {**batch, "virtual_batch_size": 2}, (4, 3, 5), lengths=[5, 1, 0, 3])
    yield backward("shuffled_lengths", {**batch, "shuffle": True}, (6, 3, 5), lengths=[5, 2, 3, 4, 3, 2], seed=7)
    yield backward("renorm_lengths_clip", {**batch, "renorm": {"r_max": 1.25, "d_max": 0.25}, "clip": 0.75}, (4, 3, 5),
                   lengths=[5, 1, 0, 3], statistics=True)
    yield backward("batch_norm_infer_lengths", batch, (3, 4, 5), mode="infer", statistics=True, lengths=[5, 0, 2])


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
    for name, cases in (("instance_norm", instance_norm_cases), ("group_norm", group_norm_cases),
                        ("rms_norm", rms_norm_cases), ("ghost_batches", ghost_batch_cases), ("renorm", renorm_cases)):
        torch.manual_seed(20180613)
        write(sys.argv[1], name + ".json", cases())
    write(sys.argv[1], "too_few_values.json", too_few_values_cases())
    torch.manual_seed(19861009)
    write(sys.argv[1], "backward.json", backward_cases())


if __name__ == "__main__":
    main()
