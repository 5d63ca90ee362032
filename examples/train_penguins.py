#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Trains one little network on the penguins (data/penguins.csv), and lets it normalize in four ways:

    none          not at all
    local         by PyTorch's nn.BatchNorm2d and nn.LayerNorm
    normd         by a normd, over HTTP
    normd, sync   by a normd, from two worker processes, each with a part of every batch

All start from the same seed and see the same batches. Exits 1 when a network that normalizes in normd knows the species
of fewer penguins than the local one does, by more than MARGIN of them.
"""

import argparse
import contextlib
import csv
import os
import sys
import tempfile
import time
import uuid

import torch
from torch import distributed, multiprocessing, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

import normd
from normd.testing import Daemon
from normd.torch import RemoteLayerNorm, convert_batchnorm

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MEASUREMENTS = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
SPECIES = ("Adelie", "Chinstrap", "Gentoo")
SEED = 2007
TEST = 68  # penguins, a fifth
EPOCHS = 10
BATCH = 25  # odd: the two workers' parts are not of one size
RATE = 0.05
MOMENTUM = 0.9
WIDTH = 16
WORKERS = 2
MARGIN = 2  # penguins


def penguins():
    """(measurements, species) to learn from, and the same to test with.
    Each measurement is a channel of an image of one pixel."""
    with open(os.path.join(ROOT, "data/penguins.csv"), newline="") as f:
        rows = [row for row in csv.DictReader(f) if all(row[name] for name in MEASUREMENTS)]
    x = torch.tensor([[float(row[name]) for name in MEASUREMENTS] for row in rows]).view(-1, len(MEASUREMENTS), 1, 1)
    y = torch.tensor([SPECIES.index(row["species"]) for row in rows])
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(SEED))
    learn, test = order[TEST:], order[:TEST]
    return (x[learn], y[learn]), (x[test], y[test])


class Network(nn.Module):
    """Grams and millimetres come in as they are: to bring them to one scale is the first normalization's work."""

    def __init__(self, batch_norm, layer_norm):
        super().__init__()
        torch.manual_seed(SEED)
        self.bn1 = batch_norm("bn1", len(MEASUREMENTS))
        self.conv = nn.Conv2d(len(MEASUREMENTS), WIDTH, 1, bias=False)  # bn2 would take it away again
        self.bn2 = batch_norm("bn2", WIDTH)
        self.hidden = nn.Linear(WIDTH, WIDTH)
        self.ln = layer_norm("ln", WIDTH)
        self.out = nn.Linear(WIDTH, len(SPECIES))

    def forward(self, x):
        x = torch.relu(self.bn2(self.conv(self.bn1(x)))).flatten(1)
        return self.out(torch.relu(self.ln(self.hidden(x))))


def network_without():
    return Network(lambda name, size: nn.Identity(), lambda name, size: nn.Identity())


def network_local():
    return Network(lambda name, size: nn.BatchNorm2d(size), lambda name, size: nn.LayerNorm(size))


def network_remote(client, model, batch_norm=nn.BatchNorm2d):
    """The local network, whose batch norms are then converted. Other norms are made as what they are."""
    layer = client.model(model).layer
    net = Network(lambda name, size: batch_norm(size), lambda name, size: RemoteLayerNorm(size, layer=layer(name)))
    return convert_batchnorm(net, client, model)


def train(net, x, y, rank=0, world_size=1):
    """With a part of every batch. A batch's loss is the mean over the whole of it, so the parts' gradients are to be
    added up; DistributedDataParallel averages them."""
    optimizer = torch.optim.SGD(net.parameters(), RATE, momentum=MOMENTUM)
    chance = torch.Generator().manual_seed(SEED)
    net.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x), generator=chance).split(BATCH):
            part = batch.tensor_split(world_size)[rank]
            optimizer.zero_grad()
            (cross_entropy(net(x[part]), y[part], reduction="sum") * world_size / len(batch)).backward()
            optimizer.step()


def count_right(net, x, y):
    net.eval()
    with torch.no_grad():
        return int((net(x).argmax(1) == y).sum())


def run_alone(net):
    """(penguins of the test that it knows, state_dict)"""
    learn, test = penguins()
    train(net, *learn)
    return count_right(net, *test), net.state_dict()


def work(rank, url, model, directory):
    """A worker process. The first one leaves the outcome in the directory."""
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", init_method=f"file://{directory}/meeting", rank=rank, world_size=WORKERS)
    learn, test = penguins()
    net = network_remote(normd.Client(url), model, nn.SyncBatchNorm)
    train(DistributedDataParallel(net), *learn, rank, WORKERS)
    if rank == 0:
        torch.save((count_right(net, *test), net.state_dict()), os.path.join(directory, "outcome"))
    distributed.barrier()


def run_workers(url, model):
    with tempfile.TemporaryDirectory(prefix="normd-example-") as directory:
        multiprocessing.spawn(work, (url, model, directory), WORKERS)
        return torch.load(os.path.join(directory, "outcome"))


def largest_difference(state, reference):
    """Of the running statistics: means in standard deviations, variances relative to the reference's."""
    largest = 0.0
    for name in ("bn1.", "bn2."):
        mean, var = reference[name + "running_mean"].double(), reference[name + "running_var"].double()
        largest = max(largest, ((state[name + "running_mean"] - mean).abs() / var.sqrt()).max().item(),
                      ((state[name + "running_var"] - var).abs() / var).max().item())
    return largest


def report(name, run, reference=None):
    """Runs it, prints its line, and returns (right, state)."""
    began = time.monotonic()
    right, state = run()
    line = f"{name:<14}{right:>3} of {TEST} ({right / TEST:6.1%}) in {time.monotonic() - began:4.1f} s"
    print(line + (f"   running statistics differ by {largest_difference(state, reference):.1e}" if reference else ""),
          flush=True)
    return right, state


def compare(url):
    """Whether the networks that normalize in normd are as good as the local one."""
    run = uuid.uuid4().hex[:8]
    models = [f"penguins-{run}", f"penguins-sync-{run}"]
    report("none", lambda: run_alone(network_without()))
    local, reference = report("local", lambda: run_alone(network_local()))
    client = normd.Client(url)
    try:
        alone, _ = report("normd", lambda: run_alone(network_remote(client, models[0])), reference)
        sync, _ = report("normd, sync", lambda: run_workers(url, models[1]), reference)
    finally:
        delete(client, models)
    return min(alone, sync) >= local - MARGIN


def delete(client, models):
    for model in models:
        # What kept it from being there, or from going, is the error to tell of; this is not.
        with contextlib.suppress(normd.Error):
            client.with_options(timeout_s=1).model(model).delete()
    client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--normd", default=os.path.join(ROOT, "build/normd"), help="the program to start (build/normd)")
    parser.add_argument("--url", help="a running normd to use instead")
    args = parser.parse_args()
    torch.set_num_threads(1)
    learn, test = penguins()
    try:
        with contextlib.ExitStack() as stack:
            url = args.url or stack.enter_context(Daemon(program=args.normd)).url
            print(f"{len(learn[0])} penguins to learn from, {len(test[0])} to test with; normd at {url}", flush=True)
            good = compare(url)
    except (normd.Error, ValueError) as e:
        raise SystemExit(f"train_penguins: {e}") from e
    if not good:
        print(f"normd's network knows more than {MARGIN} penguins fewer than the local one", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
