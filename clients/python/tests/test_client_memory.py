# SPDX-License-Identifier: MIT
"""A large array goes out from its own memory, and the answer's array is over the memory it was received into."""

import json
import subprocess
import sys
import unittest

import normd.testing

#: Of 100 MB: peak memory of a process that sends an array, besides the array and the answer's.
ALLOWED = 0.1

MEASURE = """
import asyncio, json, sys
import numpy
import normd, normd.aio

def memory():
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return [int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM")]

async def measure(client, run):
    model = client.model("large")
    layer = model.layer("obs")
    await run(layer.create("batch_norm", num_features=100, averaging="pooled"))
    x = numpy.ones((250_000, 100), numpy.float32)
    x[::2] = 0
    await run(layer.train(x[:10]))
    await run(model.train({"obs": x[:10]}))
    calls = {"layer": lambda: layer.train(x), "model": lambda: model.train({"obs": x})}
    found = {}
    for name, call in calls.items():
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak is from now on
        before = memory()[0]
        answer = await run(call())
        output = answer.output if name == "layer" else answer.outputs["obs"]
        found[name] = (memory()[1] - before - output.nbytes) / x.nbytes
        assert output.shape == x.shape and abs(float(output[1, 0]) - 1) < 0.01
        del answer, output
    await run(client.close())
    print(json.dumps(found))

async def as_it_is(answer):
    return answer

async def awaited(answer):
    return await answer

url = sys.argv[1]
asyncio.run(measure(normd.Client(url), as_it_is) if sys.argv[2] == "Client" else
            measure(normd.aio.AsyncClient(url), awaited))
"""


class Memory(unittest.TestCase):
    def test_100_megabytes(self):
        with normd.testing.Daemon("--max-body", "256MiB") as daemon:
            for client in ("Client", "AsyncClient"):
                text = subprocess.run([sys.executable, "-c", MEASURE, daemon.url, client], check=True,
                                      timeout=120, text=True, stdout=subprocess.PIPE).stdout
                for name, more in json.loads(text).items():
                    with self.subTest(client=client, call=name):
                        self.assertLess(more, ALLOWED)


if __name__ == "__main__":
    unittest.main()
