# SPDX-License-Identifier: MIT
"""A throw-away cluster of PostgreSQL, made by Debian's pg_virtualenv."""

import glob
import os
import shutil
import subprocess
import tempfile

MISSING = "no PostgreSQL server is installed: 'scripts/setup test-postgresql' does it"


def is_installed():
    return bool(shutil.which("pg_virtualenv") and glob.glob("/usr/lib/postgresql/*/bin/postgres"))


class Cluster:
    """It lasts until it is closed, or this process ends. `env` is what libpq and the cluster's own commands need. It
    writes to the disk as a server does that is meant to last, unless `durable` is false."""

    def __init__(self, durable=True):
        self.said = tempfile.TemporaryFile()
        fsync = "fsync=on" if durable else "fsync=off"
        self.process = subprocess.Popen(
            ["pg_virtualenv", "-t", "-o", fsync, "sh", "-c", "printf '\\0'; env -0; printf '\\0'; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said)
        self.env = self.read_env()

    def read_env(self):
        text = b""
        while not text.endswith(b"\0\0"):
            byte = self.process.stdout.read(1)
            if not byte:
                self.said.seek(0)
                raise AssertionError(f"pg_virtualenv: {text.decode()}{self.said.read().decode()}")
            text += byte
        pairs = (pair.partition("=") for pair in text.decode().split("\0"))
        return {name: value for name, _, value in pairs if name.startswith("PG")}

    def close(self):
        self.process.communicate()
        self.said.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
