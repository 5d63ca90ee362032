# SPDX-License-Identifier: MIT
"""Stores of very many layers."""

import sqlite3
import struct


def fill(daemon, models, features, mean=lambda number: 0.0):
    """
    Adds models, pairs of a name and the names of layers, to the store of a daemon that is stopped. The layers are
    defined as the first one there is, which has `features`; all running means of one are `mean` of its number, counted
    over all models. By SQL into the file: by HTTP it would take a minute.
    """
    db = sqlite3.connect(daemon.store[len("sqlite:"):])
    db.execute("PRAGMA journal_mode=OFF")
    db.execute("PRAGMA synchronous=OFF")
    definition, = db.execute("SELECT definition FROM layer").fetchone()
    var, number = struct.pack(f"<{features}d", *[1.0] * features), 0
    with db:
        for m, (model, layers) in enumerate(models, 10):
            db.execute("INSERT INTO model(id, name) VALUES(?, ?)", (m, model))
            db.executemany("INSERT INTO layer(id, model_id, name, definition) VALUES(?, ?, ?, ?)",
                           ((i, m, name, definition) for i, name in enumerate(layers, 10 + number)))
            db.executemany(
                "INSERT INTO state(layer_id, revision, features, num_batches_tracked, count, running_mean, running_var)"
                " VALUES(?, 1, ?, 1, 0, ?, ?)",
                ((10 + i, features, struct.pack(f"<{features}d", *[mean(i)] * features), var)
                 for i in range(number, number + len(layers))))
            number += len(layers)
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
