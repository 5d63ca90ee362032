#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A control loop whose observations and rewards are normalized by a normd, one step at a time.

Carts balance poles (carts.py). After each step, the layer `observations` learns from what all carts observe, and then
normalizes it; the controller sees only normalized observations. The layer `returns` learns from the discounted returns,
and divides the rewards by their deviation. Every answer is compared with the formulas of gymnasium and of
Stable-Baselines3 (formulas.py).

Both libraries begin with mean 0 and variance 1 as if seen 1e-4 times; normd begins with nothing. So normd is compared
with the formulas that begin with a count of 0. The example also shows how far 1e-4 leads from that, and that a normd
which begins with the same 1e-4 follows. At the end both layers are frozen, and a second process evaluates by them.

Exits 1 when normd differs from a formula by more than TOLERANCE, or when the evaluation moves the statistics.
"""

import argparse
import contextlib
import math
import multiprocessing
import os
import sys
import uuid
from concurrent.futures import ProcessPoolExecutor

import numpy

import normd
from carts import Carts, control
from formulas import EPS, INITIAL_COUNT, BaselinesReturns, Formulas, GymnasiumReturns
from normd.rl import RunningMeanStd
from normd.testing import Daemon

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SEED = 1983
CARTS = 4
STEPS = 200
EVALUATION_STEPS = 50
FEATURES = 4
TOLERANCE = 1e-12  # relative to the value, or to 1 if the value is smaller


class Remote:
    """Two layers of a model in normd, called as the formulas are. They begin with mean 0 and variance 1, as if these
    had been seen `count` times, unless they have begun."""

    def __init__(self, url, model, clip, count):
        self.client = normd.Client(url)
        self.model = self.client.model(model)
        self.observations = RunningMeanStd(count, (FEATURES,), layer=self.model.layer("observations"), eps=EPS,
                                           clip=clip)
        self.returns = RunningMeanStd(count, (), layer=self.model.layer("returns"), eps=EPS, clip=clip,
                                      with_mean=False)

    def observe(self, observations):
        """One call updates the statistics, and normalizes by the result."""
        return self.observations.normalize(observations, update=True)

    def scale(self, rewards, returns):
        """The deviation is that of returns, but rewards are divided by it: one call learns, another divides."""
        if len(returns):
            self.returns.update(returns)
        return self.returns.normalize(rewards)

    def freeze(self):
        self.model.freeze()

    def state(self):
        """All that could move."""
        return [repr(layer.layer.statistics()) for layer in (self.observations, self.returns)]


def delete(url, models):
    with normd.Client(url, timeout_s=1) as client:
        for model in models:
            # What kept it from being there is the error to report.
            with contextlib.suppress(normd.Error):
                client.model(model).delete()


def run(library, carts, seed, steps, normalizers):
    """
    What carts do under control(), as normalized by each of `normalizers`, which are alike to the caller; the first is
    whom the controller listens to. Yields ([observations], [rewards]), one of each for each normalizer: at the reset,
    which has no rewards, and for each step.
    """
    environment, returns = Carts(carts, seed, library.same_step), library(carts)
    random = numpy.random.default_rng(seed + 1)
    seen = [n.observe(environment.state) for n in normalizers]
    yield seen, None
    for _ in range(steps):
        observations, rewards, terminated, truncated = environment.step(control(seen[0], random))
        learned = returns.add(rewards, terminated, truncated)
        seen = [n.observe(observations) for n in normalizers]
        yield seen, [n.scale(rewards, learned) for n in normalizers]


def difference(a, b):
    """The largest, relative to the value or to 1."""
    gap = float((abs(a - b) / numpy.maximum(1, abs(b))).max())
    return math.inf if math.isnan(gap) else gap


def evaluate(url, model, library, carts, formulas):
    """In the second process. The same calls as in training: what is frozen does not learn. The largest difference."""
    formulas.training = False
    remote = Remote(url, model, library.clip, 0)
    rows = run(library, carts, SEED + 2, EVALUATION_STEPS, (remote, formulas))
    return max(difference(*pair) for row in rows for pair in row if pair)


def compare(rows, a, b):
    """The differences of the normalizers a and b (observations', rewards'), row by row: 0 is the reset."""
    pairs = [(difference(seen[a], seen[b]), difference(scaled[a], scaled[b]) if scaled else 0.0)
             for seen, scaled in rows]
    return [list(column) for column in zip(*pairs)]


def where(gaps, small=1e-3):
    """Where the largest is, and from where on all are small."""
    largest = max(gaps)
    settled = 1 + max((step for step, gap in enumerate(gaps) if gap > small), default=-1)
    end = f", < {small:g} from step {settled}" if 0 < settled < len(gaps) else ""
    return f"{largest:.2g} at step {gaps.index(largest)}{end}"


def print_row(title, *columns):
    print(f"{title:<32}{columns[0]:<40}{' '.join(columns[1:])}".rstrip(), flush=True)


def follow(url, model, library, carts):
    """Runs the loop by normd and by a library's formulas, prints how they compare, and returns whether all is well."""
    models = (model, f"{model}-begun")
    zero, theirs = (Formulas(FEATURES, library.clip, count) for count in (0, INITIAL_COUNT))
    try:
        remote, begun = (Remote(url, name, library.clip, count) for name, count in zip(models, (0, INITIAL_COUNT)))
        rows = list(run(library, carts, SEED, STEPS, (remote, begun, zero, theirs)))
        equal = [compare(rows, 0, 2), compare(rows, 1, 3)]
        remote.freeze()
        before = remote.state()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as second:
            evaluated = second.submit(evaluate, url, model, library, carts, zero).result()
        moved = remote.state() != before
    finally:
        delete(url, models)
    print_row(library.name, "observations", "rewards")
    print_row("  both begin with count 0", *(f"{max(gaps):.1e}" for gaps in equal[0]))
    print_row("  both begin with count 1e-4", *(f"{max(gaps):.1e}" for gaps in equal[1]))
    print_row("  formulas, 0 and 1e-4", *map(where, compare(rows, 2, 3)))
    print_row("  frozen, by a second process", f"{evaluated:.1e}; the statistics {'moved' if moved else 'stayed'}")
    return not moved and max(evaluated, *(max(gaps) for pair in equal for gaps in pair)) <= TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--normd", default=os.path.join(ROOT, "build/normd"), help="the program to start (build/normd)")
    parser.add_argument("--url", help="a running normd to use instead")
    parser.add_argument("--carts", type=int, default=CARTS, help=f"how many environments there are ({CARTS})")
    args = parser.parse_args()
    name = f"carts-{uuid.uuid4().hex[:8]}"
    try:
        with contextlib.ExitStack() as stack:
            url = args.url or stack.enter_context(Daemon(program=args.normd)).url
            print(f"Carts: {args.carts}, steps: {STEPS}, normd at {url}. Largest differences:", flush=True)
            good = [follow(url, f"{name}-{library.name}", library, args.carts)
                    for library in (GymnasiumReturns, BaselinesReturns)]
    except (normd.Error, ValueError) as e:
        raise SystemExit(f"control_loop: {e}") from e
    if not all(good):
        print(f"control_loop: normd differs by more than {TOLERANCE}, or its statistics moved", file=sys.stderr)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
