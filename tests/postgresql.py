# SPDX-License-Identifier: MIT
"""A throw-away cluster of PostgreSQL, made by Debian's pg_virtualenv."""

import glob
import os
import random
import shutil
import socket
import subprocess
import tempfile
import unittest

MISSING = "no PostgreSQL server is installed: 'scripts/setup test-postgresql' does it"


def is_installed():
    return bool(shutil.which("pg_virtualenv") and glob.glob("/usr/lib/postgresql/*/bin/postgres"))


def require():
    """Skips the tests that need a server, where none is installed; but not where all tests are required."""
    if not is_installed() and os.environ.get("CI") != "true":
        raise unittest.SkipTest(MISSING)


def free_port():
    """Of those that the kernel gives to nobody: clusters that begin at once must not choose the same."""
    while True:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", random.randrange(20000, 32000)))
            except OSError:
                continue
            return s.getsockname()[1]


class Cluster:
    """It lasts until it is closed, or this process ends. `env` is what libpq and the cluster's own commands need. It
    writes to the disk as a server does that is meant to last, unless `durable` is false."""

    def __init__(self, durable=True):
        self.said = tempfile.TemporaryFile()
        fsync = "fsync=on" if durable else "fsync=off"
        self.process = subprocess.Popen(
            ["pg_virtualenv", "-t", "-o", fsync, "sh", "-c", "printf '\\0'; env -0; printf '\\0'; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said,
            env={**os.environ, "PGPORT": str(free_port())})
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

    def url(self, database="postgres", user=None, password=None, **parameters):
        """The URL of a database; parameters must not need encoding."""
        user, password = user or self.env["PGUSER"], password or self.env["PGPASSWORD"]
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgresql://{user}:{password}@localhost:{self.env['PGPORT']}/{database}" + ("?" + query) * bool(query)

    def sql(self, text, database="postgres"):
        """Runs statements; what they answer."""
        done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", text],
                              env={**os.environ, **self.env}, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{text}: {done.stderr}")
        return done.stdout.strip()

    def create(self, database):
        """The URL of a new database."""
        self.sql(f"CREATE DATABASE {database}")
        return self.url(database)

    def control(self, action, *options):
        """pg_ctl: stop, start. A server that is stopped by `-m immediate` recovers at its start, as after a crash."""
        version = self.env["PG_CONFIG"].split("/")[-3]
        done = subprocess.run(["pg_ctlcluster", *options, version, "regress", action],
                              env={**os.environ, **self.env}, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"pg_ctlcluster {action}: {done.stderr}")

    def signal(self, number):
        """Sends a signal to all of the server's processes."""
        with open(os.path.join(self.folder, "postmaster.pid")) as f:
            first = int(f.readline())
        with open(f"/proc/{first}/task/{first}/children") as f:
            for process in (first, *map(int, f.read().split())):
                os.kill(process, number)

    @property
    def folder(self):
        """The server's data."""
        return glob.glob(os.path.join(os.path.dirname(self.env["PG_CLUSTER_CONF_ROOT"]), "data/*/regress"))[0]

    def close(self):
        self.process.communicate()
        self.said.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
