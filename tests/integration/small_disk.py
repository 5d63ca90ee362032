# SPDX-License-Identifier: MIT
"""A daemon whose store is on a small file system of its own, so that a disk can be full."""

import os
import subprocess

from normd import Daemon


def start_on_small_disk(test, size):
    """Starts test.daemon with its store in test.disk, a tmpfs of `size` ("1m");
    skips the test where none can be mounted."""
    test.daemon = Daemon(start=False)
    test.addCleanup(test.daemon.close)
    test.disk = os.path.join(test.daemon.directory, "disk")
    os.mkdir(test.disk)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", test.disk], capture_output=True,
                           text=True)
    if mount.returncode != 0:
        test.skipTest("a small file system cannot be mounted here: " + mount.stderr.strip())
    test.addCleanup(subprocess.run, ["umount", test.disk])
    test.addCleanup(lambda: test.daemon.process and test.daemon.stop())
    test.daemon.store = "sqlite:" + os.path.join(test.disk, "normd.db")
    test.daemon.start()
