# SPDX-License-Identifier: MIT
"""The load generator (tests/load) as a test's helper: clients of all sorts, which know what they were acknowledged."""

import json
import os
import subprocess

from normd import BUILD, PATIENCE

LOAD = os.path.join(BUILD, "tests/load/load")
# The generator's clients send rows of two features, the second the first's negative.
FEATURES = 2


class Load:
    """Clients by role, e.g. {"keyed": 16, "infer": 4}; they begin at once,
    and go through the daemon's kills and restarts."""

    def __init__(self, daemon, roles, layers=1, rows=2, bound_s=2.0, bursts=False):
        self.roles, self.layers, self.rows = roles, layers, rows
        command = [LOAD, "--layers", str(layers), "--rows", str(rows), "--bound-ms",
                   str(int(bound_s * 1000 * PATIENCE))]
        command += ["--bursts"] if bursts else []
        command += [daemon.port_file, *(f"{role}={clients}" for role, clients in roles.items())]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def make_layers(daemon, roles, layers=1):
        """The layers that the clients use; those used for inference have statistics."""
        for role in roles:
            for i in range(layers):
                path = f"/v1/models/load/layers/{role}-{i}"
                daemon.curl("PUT", path, {"kind": "batch_norm", "averaging": "pooled", "num_features": FEATURES})
                if role.endswith("infer"):
                    daemon.curl("PUT", path + "/statistics",
                                {"running_mean": [0, 0], "running_var": [1, 1], "num_batches_tracked": 1, "count": 1})

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the load generator ended with {self.process.wait()}")
        return json.loads(line)

    def hold(self):
        """Stops; returns the counts when no request is running any more."""
        self.say("hold")
        return self.answer()

    def go(self):
        self.say("go")

    def finish(self):
        """Begins no new update, sends the pending ones until each is acknowledged, and ends. The counts."""
        self.say("finish")
        counts = self.answer()
        self.close()
        return counts

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
