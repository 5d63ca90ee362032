#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The kernels' speed beside PyTorch, oneDNN and a plain copy of the same tensor, one thread, nanoseconds per element.

    make bench-kernels
    bench/kernels.py build/bench/kernels [-r ROUNDS] [-k PART_OF_A_NAME]

build/bench/kernels (bench/kernels.c) measures normd, oneDNN and memcpy, this process PyTorch; they take turns, round
after round, and a figure is the median of its rounds. normd and oneDNN work in place. PyTorch is asked as a program
asks it, by torch.nn.functional under no_grad, into a new tensor: in place it has no such function. It allocates that
from glibc, which is told to keep the pages of the one before: left to itself it gives large ones back at times, and new
pages cost PyTorch as much as the work.
"""

import argparse
import ctypes
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import torch  # noqa: E402: it reads the variables when it is loaded
import torch.nn.functional as F  # noqa: E402

EPS = 1e-5
GROUPS = 8
ELEMENTS_MIN = 1 << 17  # as in bench/kernels.c


@dataclass(frozen=True)
class Case:
    """A call on a tensor. `form` is how bench/kernels.c names the layout, `targets` the goals:
    contestant and factor."""

    call: str
    shape: tuple
    form: str = "nchw"
    type: str = "float"
    offset: int = 0
    targets: tuple = ()

    @property
    def name(self):
        text = f"{self.call} ({','.join(map(str, self.shape))})"
        notes = (("channels last", self.form == "nhwc"), ("4 bytes off", self.offset),
                 (self.type, self.type != "float"))
        return " ".join([text, *(note for note, said in notes if said)])

    @property
    def view(self):
        """outer, feature, inner"""
        if self.form == "rows":
            return self.shape[0], 1, self.shape[1]
        positions = 1
        for extent in self.shape[2:]:
            positions *= extent
        if self.form == "nhwc":
            return self.shape[0] * positions, self.shape[1], 1
        return self.shape[0], self.shape[1], positions


TRAIN = (("torch", 4), ("dnnl", 1))
INFER = (("torch", 1), ("copy", 1 / 1.3), ("dnnl", 1))
ROWS = (("torch", 1.8), ("dnnl", 1))
BACKWARD = (("torch", 2), ("dnnl", 1))
NONE_SLOWER = (("dnnl", 1),)

IMAGES, SMALL = (32, 64, 56, 56), (64, 128, 14, 14)
ODD, SEVEN, TWO, ONE = (31, 63, 55, 57), (64, 512, 7, 7), (2048, 512, 2), (4096, 512, 1)
TOKENS = (4096, 768)

CASES = [
    Case("train", IMAGES, targets=TRAIN),
    Case("train", SMALL, targets=TRAIN),
    Case("train", ODD, targets=TRAIN),
    Case("train", IMAGES, offset=4, targets=TRAIN),
    Case("train", SEVEN, targets=TRAIN),
    Case("train", TWO, targets=NONE_SLOWER),
    Case("train", ONE, targets=NONE_SLOWER),
    Case("train", IMAGES, form="nhwc", targets=NONE_SLOWER),
    Case("infer", IMAGES, targets=INFER),
    Case("infer", SMALL, targets=INFER),
    Case("infer", ODD, targets=INFER),
    Case("infer", IMAGES, offset=4, targets=INFER),
    Case("infer", SEVEN, targets=INFER),
    Case("infer", TWO, targets=NONE_SLOWER),
    Case("infer", ONE, targets=NONE_SLOWER),
    Case("infer", IMAGES, form="nhwc", targets=INFER),
    Case("layer", TOKENS, form="rows", targets=ROWS),
    Case("layer", TOKENS, form="rows", offset=4, targets=ROWS),
    Case("layer", (4095, 771), form="rows", targets=ROWS),
    Case("layer", (65536, 48), form="rows", targets=NONE_SLOWER),
    Case("rms", TOKENS, form="rows", targets=(("torch", 1.8),)),
    Case("train_backward", IMAGES, targets=BACKWARD),
    Case("train_backward", SMALL, targets=BACKWARD),
    Case("train_backward", ODD, targets=BACKWARD),
    Case("train_backward", IMAGES, offset=4, targets=BACKWARD),
    Case("train_backward", SEVEN, targets=BACKWARD),
    Case("train_backward", TWO, targets=BACKWARD),
    Case("train_backward", ONE, targets=BACKWARD),
    Case("train_backward", IMAGES, form="nhwc", targets=BACKWARD),
    Case("layer_backward", TOKENS, form="rows", targets=BACKWARD),
    Case("layer_backward", TOKENS, form="rows", offset=4, targets=BACKWARD),
    Case("layer_backward", (4095, 771), form="rows", targets=BACKWARD),
    Case("layer_backward", (65536, 48), form="rows", targets=BACKWARD),
    Case("instance", IMAGES),
    Case("group", IMAGES),
    *(Case(call, IMAGES, type=kind) for kind in ("double", "half", "bfloat") for call in ("train", "infer")),
    *(Case("layer", TOKENS, form="rows", type=kind) for kind in ("double", "half", "bfloat")),
]


def torch_call(case):
    """What PyTorch is asked for, as a function of nothing; None where it cannot."""
    if case.type not in ("float", "double"):
        return None
    dtype = {"float": torch.float32, "double": torch.float64}[case.type]
    outer, feature, inner = case.view
    x = torch.randn(outer * feature * inner + 1, dtype=dtype)
    x = x[case.offset // 4:][: outer * feature * inner]
    if case.form == "nhwc":
        x = x.view(case.shape[0], *case.shape[2:], case.shape[1]).permute(0, 3, 1, 2)
    else:
        x = x.view(case.shape)
    parameters = inner if case.form == "rows" else feature
    weight, bias = torch.ones(parameters, dtype=dtype), torch.zeros(parameters, dtype=dtype)
    mean, var = torch.zeros(parameters, dtype=dtype), torch.ones(parameters, dtype=dtype)
    g = torch.randn(0) if not case.call.endswith("backward") else torch.randn_like(x)
    row_mean, row_rstd = torch.zeros(outer, 1), torch.ones(outer, 1)
    return {
        "train": lambda: F.batch_norm(x, mean, var, weight, bias, True, 0.1, EPS),
        "infer": lambda: F.batch_norm(x, mean, var, weight, bias, False, 0.1, EPS),
        "layer": lambda: F.layer_norm(x, (inner,), weight, bias, EPS),
        "rms": lambda: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * weight,
        "train_backward": lambda: torch.ops.aten.native_batch_norm_backward(
            g, x, weight, mean, var, mean, var, True, EPS, [True, True, True]),
        "layer_backward": lambda: torch.ops.aten.native_layer_norm_backward(
            g, x, (inner,), row_mean, row_rstd, weight, bias, [True, True, True]),
        "instance": lambda: F.instance_norm(x, None, None, weight, bias, True, 0.1, EPS),
        "group": lambda: F.group_norm(x, GROUPS, weight, bias, EPS),
    }[case.call]


def measure(call, size):
    times = -(-ELEMENTS_MIN // size)
    before = time.process_time_ns()
    for _ in range(times):
        call()
    return (time.process_time_ns() - before) / (times * size)


class Ours:
    """bench/kernels.c in a process of its own."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer in ("", "what?"):
            sys.exit(f"kernels: {line!r} was not understood")
        return answer

    def tensor(self, case):
        self.ask(" ".join(map(str, ("tensor", case.form, case.type, *case.view, case.offset))))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def keep_pages():
    """glibc's malloc: no memory from mmap, none given back."""
    m_trim_threshold, m_mmap_max = -1, -4
    libc = ctypes.CDLL(None)
    if libc.mallopt(m_mmap_max, 0) != 1 or libc.mallopt(m_trim_threshold, 0x7fffffff) != 1:
        sys.exit("kernels: mallopt failed")


def race(case, ours, rounds):
    """The medians by contestant."""
    ours.tensor(case)
    outer, feature, inner = case.view
    size = outer * feature * inner
    contestants = {"ours": lambda: float(ours.ask(case.call)), "copy": lambda: float(ours.ask("copy"))}
    if case.type == "float" and case.call in ("train", "infer", "layer", "train_backward", "layer_backward"):
        contestants["dnnl"] = lambda: float(ours.ask("dnnl_" + case.call))
    call = torch_call(case)
    if call is not None:
        contestants["torch"] = lambda: measure(call, size)
    took = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, contestant in contestants.items():
            figure = contestant()
            if turn > 0:  # the first warms up
                took[name].append(figure)
    return {name: statistics.median(figures) for name, figures in took.items()}


def verdict(case, figures):
    """Each target and whether it is reached."""
    words = []
    for name, factor in case.targets:
        reached = figures[name] / figures["ours"]
        goal = f"{factor:g} x" if factor >= 1 else f"1/{1 / factor:g} x"
        words.append(f"{goal} {name}: {reached:.2f} {'reached' if reached >= factor else 'not reached'}")
    return "; ".join(words)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("-r", "--rounds", type=int, default=int(os.environ.get("ROUNDS") or 15))
    parser.add_argument("-k", default="", help="only the cases whose names contain this")
    options = parser.parse_args()

    torch.set_num_threads(1)
    keep_pages()
    print(f"PyTorch {torch.__version__}, one thread, medians of {options.rounds} rounds, ns per element; in brackets "
          f"how many times ours\n")
    print("| | ours | copy | PyTorch | oneDNN | target |")
    print("|---|--:|--:|--:|--:|---|")
    ours = Ours(options.program)
    with torch.no_grad():
        for case in CASES:
            if options.k not in case.name:
                continue
            figures = race(case, ours, options.rounds)
            cells = [f"{figures['ours']:.3f}"]
            cells += [f"{figures[c]:.3f} ({figures[c] / figures['ours']:.2f})" if c in figures else ""
                      for c in ("copy", "torch", "dnnl")]
            print(f"| {case.name} | {' | '.join(cells)} | {verdict(case, figures)} |", flush=True)
    ours.close()


if __name__ == "__main__":
    main()
