# SPDX-License-Identifier: MIT
"""Layers in SQLite, and each process's cache of them. Several workers share the file."""

import dataclasses
import fcntl
import sqlite3

import numpy
import torch

SCHEMA = """
CREATE TABLE IF NOT EXISTS layers (
    name TEXT PRIMARY KEY, revision INTEGER NOT NULL, num_batches_tracked INTEGER NOT NULL,
    eps REAL NOT NULL, momentum REAL NOT NULL,
    mean BLOB NOT NULL, var BLOB NOT NULL, weight BLOB NOT NULL, bias BLOB NOT NULL) WITHOUT ROWID
"""
COLUMNS = "revision, num_batches_tracked, eps, momentum, mean, var, weight, bias"


@dataclasses.dataclass
class Statistics:
    revision: int
    num_batches_tracked: int
    eps: float
    momentum: float
    mean: torch.Tensor
    var: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor

    @staticmethod
    def initial(features, eps, momentum):
        zeros, ones = torch.zeros(features), torch.ones(features)
        return Statistics(0, 0, eps, momentum, zeros, ones, ones, zeros)

    @property
    def features(self):
        return len(self.mean)


def to_blob(t):
    return t.numpy().tobytes()


def from_blob(blob):
    return torch.from_numpy(numpy.frombuffer(blob, dtype=numpy.float32).copy())


def connect(path):
    """A connection by which a commit is on disk when it returns.
    It is made by one thread and may be used by another."""
    db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    return db


def select(db, name):
    row = db.execute(f"SELECT {COLUMNS} FROM layers WHERE name = ?", (name,)).fetchone()
    return None if row is None else Statistics(*row[:4], *map(from_blob, row[4:]))


class Store:
    """get() is the event loop's, create() and update() are the writer thread's: each has a connection of its own."""

    def __init__(self, path):
        self.lock = open(path + ".lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)  # SQLite does not wait while another changes the journal's mode
        self.reader = connect(path)
        self.writer = connect(path)
        self.writer.execute(SCHEMA)
        fcntl.flock(self.lock, fcntl.LOCK_UN)
        self.cache = {}
        self.data_version = None

    def get(self, name):
        """The committed statistics, or None. Whatever any other connection commits moves data_version:
        the cache is void then."""
        version = self.reader.execute("PRAGMA data_version").fetchone()[0]
        if version != self.data_version:
            self.data_version = version
            self.cache.clear()
        found = self.cache.get(name)
        if found is None:
            found = select(self.reader, name)
            if found is not None:
                self.cache[name] = found
        return found

    def create(self, name, s):
        self.writer.execute(
            f"INSERT INTO layers (name, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (name, s.revision, s.num_batches_tracked, s.eps, s.momentum,
             *map(to_blob, (s.mean, s.var, s.weight, s.bias))))

    def update(self, name, mean, var):
        """Moves the running statistics by a batch's moments, durably; returns the count of batches and the revision."""
        # The workers queue here, in the kernel: SQLite's own busy handler
        # sleeps in steps of milliseconds and starves the loser.
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        try:
            self.writer.execute("BEGIN IMMEDIATE")
            try:
                s = select(self.writer, name)
                self.writer.execute(
                    "UPDATE layers SET revision = ?, num_batches_tracked = ?, mean = ?, var = ? WHERE name = ?",
                    (s.revision + 1, s.num_batches_tracked + 1, to_blob(s.mean.lerp_(mean, s.momentum)),
                     to_blob(s.var.lerp_(var, s.momentum)), name))
                self.writer.execute("COMMIT")
            except BaseException:
                if self.writer.in_transaction:
                    self.writer.execute("ROLLBACK")
                raise
        finally:
            fcntl.flock(self.lock, fcntl.LOCK_UN)
        return s.num_batches_tracked + 1, s.revision + 1
