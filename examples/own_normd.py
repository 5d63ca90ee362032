# SPDX-License-Identifier: MIT
"""A normd of one's own, for as long as an example runs: on a port that the kernel picks,
with a store that goes with it."""

import contextlib
import os
import subprocess
import tempfile
import time

START_S = 30
STOP_S = 30


def wait_for_port(process, port_file, log_file):
    """The port, written once normd listens."""
    deadline = time.monotonic() + START_S
    while not os.path.exists(port_file):
        if process.poll() is not None or time.monotonic() > deadline:
            with open(log_file, errors="replace") as log:
                raise SystemExit(f"normd did not start:\n{log.read()[-2000:]}")
        time.sleep(0.01)
    with open(port_file) as f:
        return int(f.read())


@contextlib.contextmanager
def running(program):
    """Its URL."""
    if not os.access(program, os.X_OK):
        raise SystemExit(f"{program} does not exist: build it with make, or name a running normd with --url")
    with tempfile.TemporaryDirectory(prefix="normd-example-") as directory:
        port_file, log_file = os.path.join(directory, "port"), os.path.join(directory, "log")
        with open(log_file, "wb") as log:
            process = subprocess.Popen([program, "--listen", "127.0.0.1:0", "--port-file", port_file, "--store",
                                        "sqlite:" + os.path.join(directory, "normd.db")], stderr=log)
        try:
            yield f"http://127.0.0.1:{wait_for_port(process, port_file, log_file)}"
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
