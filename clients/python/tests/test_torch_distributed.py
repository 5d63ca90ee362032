# SPDX-License-Identifier: MIT
"""normd.torch.RemoteSyncBatchNorm in two processes, compared with batch norm of the whole batch in one."""

import copy
import os
import tempfile
import unittest

from torch_support import Case, needs_torch, nn, torch

import normd
import normd.errors

if torch is not None:
    from torch import distributed, multiprocessing
    from torch.nn.parallel import DistributedDataParallel

    from normd.torch import RemoteSyncBatchNorm, convert_batchnorm

MODEL = "shared"
#: The processes' parts of each batch.
PARTS = ((5, 2), (1, 6), (0, 7))


def network(kind):
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv1d(2, 3, 1), kind(3, momentum=None), nn.Tanh(), nn.Conv1d(3, 3, 1), kind(3)).double()


def train(net, rank=None):
    """With a part of each batch, or all of it. DistributedDataParallel averages gradients: their sum is wanted."""
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    outputs = []
    for step, sizes in enumerate(PARTS):
        torch.manual_seed(step)
        x, weights = torch.randn(7, 2, 4, dtype=torch.float64) + step, torch.randn(7, 3, 4, dtype=torch.float64)
        if rank is not None:
            x, weights = x.split(sizes)[rank], weights.split(sizes)[rank] * len(sizes)
        optimizer.zero_grad()
        outputs.append(net(x))
        (outputs[-1] * weights).sum().backward()
        optimizer.step()
    return [output.detach() for output in outputs]


def raised(call):
    try:
        call()
    except normd.Error as error:
        return type(error).__name__
    return None


def use_module(client, rank):
    """What else a module meets: copies, a group of its own, a process that does not come."""
    layer = client.model(MODEL).layer("alone")
    module = RemoteSyncBatchNorm(3, layer=layer)
    x = torch.randn(4, 3)
    module(x)
    distributed.barrier()
    copied = copy.deepcopy(module)
    copied(x)
    module(x)  # the same batch as its copy's: under the same name it would be a repeat
    copied.layer._client.close()
    distributed.barrier()
    counted = [int(module.num_batches_tracked)]
    distributed.barrier()
    groups = [distributed.new_group([r]) for r in range(2)]
    RemoteSyncBatchNorm(3, process_group=groups[rank], layer=layer)(x)
    module.eval()(x[:1])
    distributed.barrier()
    counted.append(int(module.num_batches_tracked))
    # The other process knows the name of the run, and does not call.
    hasty = RemoteSyncBatchNorm(3, layer=client.with_options(timeout_s=2).model(MODEL).layer("alone"))
    hasty._run = module._run
    return counted, raised(lambda: hasty(x * 2)) if rank == 0 else None


def work(rank, url, directory):
    """One of the processes. Leaves what it found in the directory."""
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", init_method=f"file://{directory}/meeting", rank=rank, world_size=2)
    with normd.Client(url) as client:
        outcome = train_twice(client, rank), use_module(client, rank)
        torch.save(outcome, os.path.join(directory, str(rank)))
        distributed.barrier()


def train_twice(client, rank):
    """As if the run was started again: with new modules, by the same layers."""
    found = []
    for _ in range(2):
        net = convert_batchnorm(network(nn.SyncBatchNorm), client, MODEL)
        outputs = train(DistributedDataParallel(net), rank)
        distributed.barrier()
        found.append((outputs, net.state_dict()))
        distributed.barrier()
    return found


@needs_torch
class TwoProcesses(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with tempfile.TemporaryDirectory(prefix="normd-python-") as directory:
            multiprocessing.spawn(work, (cls.daemon.url, directory), 2)
            cls.runs, cls.modules = zip(*(torch.load(os.path.join(directory, str(rank))) for rank in range(2)))

    def test_as_one_batch(self):
        local = network(nn.BatchNorm1d)
        expected = train(local)
        first, second = (run[0] for run in self.runs)
        for step, output in enumerate(expected):
            self.assertNear(torch.cat([first[0][step], second[0][step]]), output, 1e-11)
        for _, state in (first, second):
            self.assertEqual(list(state), list(local.state_dict()))
            for name, value in local.state_dict().items():  # the parameters have taken a step by each gradient
                self.assertNear(state[name], value, 1e-11)

    def test_a_run_that_is_started_again_counts_again(self):
        first, again = self.runs[0]
        for name in ("1.num_batches_tracked", "4.num_batches_tracked"):
            self.assertEqual((int(first[1][name]), int(again[1][name])), (len(PARTS), 2 * len(PARTS)))
        for a, b in zip(first[0], again[0]):
            self.assertNear(a, b, 1e-12)

    def test_copies_groups_and_processes_that_do_not_come(self):
        for counted, _ in self.modules:
            self.assertEqual(counted, [3, 5])
        self.assertEqual([error for _, error in self.modules], ["SyncIncomplete", None])


if __name__ == "__main__":
    unittest.main()
