# SPDX-License-Identifier: MIT
"""Stores as earlier versions of normd made them, by the schemas of that time."""

import sqlite3
import struct

APPLICATION_ID = 0x6E726D64

# What each version added, as it was released.
SCHEMAS = (
    "CREATE TABLE model("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL UNIQUE"
    ") STRICT;"
    "CREATE TABLE layer("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  model_id INTEGER NOT NULL REFERENCES model(id) ON DELETE CASCADE,"
    "  name TEXT NOT NULL,"
    "  definition TEXT NOT NULL,"
    "  UNIQUE(model_id, name)"
    ") STRICT;"
    "CREATE TABLE state("
    "  layer_id INTEGER PRIMARY KEY REFERENCES layer(id) ON DELETE CASCADE,"
    "  revision INTEGER NOT NULL,"
    "  features INTEGER NOT NULL,"
    "  num_batches_tracked INTEGER NOT NULL,"
    "  count INTEGER NOT NULL,"
    "  running_mean BLOB,"
    "  running_var BLOB"
    ") STRICT;"
    "CREATE TABLE parameters("
    "  layer_id INTEGER PRIMARY KEY REFERENCES layer(id) ON DELETE CASCADE,"
    "  weight BLOB,"
    "  bias BLOB"
    ") STRICT;",
    "CREATE TABLE idempotency("
    "  id INTEGER PRIMARY KEY,"
    "  layer_id INTEGER NOT NULL,"
    "  key TEXT NOT NULL,"
    "  digest BLOB NOT NULL,"
    "  revision INTEGER NOT NULL,"
    "  num_batches_tracked INTEGER NOT NULL,"
    "  created_s INTEGER NOT NULL,"
    "  UNIQUE(layer_id, key)"
    ") STRICT;",
    "ALTER TABLE state ADD COLUMN decayed_count REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN sources INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE source("
    "  id INTEGER PRIMARY KEY,"
    "  layer_id INTEGER NOT NULL REFERENCES layer(id) ON DELETE CASCADE,"
    "  name TEXT NOT NULL,"
    "  time_s INTEGER NOT NULL,"
    "  count INTEGER NOT NULL,"
    "  mean BLOB NOT NULL,"
    "  var BLOB NOT NULL,"
    "  UNIQUE(layer_id, name)"
    ") STRICT;",
    "ALTER TABLE state ADD COLUMN since INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN changed_s INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE numbers("
    "  model TEXT PRIMARY KEY,"
    "  mark INTEGER NOT NULL,"
    "  number INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE version("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  model_id INTEGER NOT NULL,"
    "  mark INTEGER NOT NULL,"
    "  number INTEGER,"
    "  created_s INTEGER NOT NULL,"
    "  note TEXT,"
    "  digest BLOB,"
    "  key TEXT,"
    "  key_digest BLOB,"
    "  gone INTEGER NOT NULL DEFAULT 0,"
    "  UNIQUE(model_id, mark),"
    "  UNIQUE(model_id, number)"
    ") STRICT;"
    "CREATE INDEX version_in_use ON version(model_id, mark) WHERE gone = 0;"
    "CREATE INDEX version_gone ON version(model_id, mark) WHERE gone = 1;"
    "CREATE INDEX version_remembered ON version(created_s) WHERE gone = 2;"
    "CREATE INDEX version_pins ON version(id) WHERE number IS NULL;"
    "CREATE INDEX version_by_key ON version(model_id, key) WHERE key IS NOT NULL;"
    "CREATE TABLE kept("
    "  id INTEGER PRIMARY KEY,"
    "  model_id INTEGER NOT NULL,"
    "  layer_id INTEGER NOT NULL,"
    "  name TEXT NOT NULL,"
    "  first INTEGER NOT NULL,"
    "  last INTEGER NOT NULL,"
    "  definition TEXT NOT NULL,"
    "  revision INTEGER NOT NULL,"
    "  features INTEGER NOT NULL,"
    "  num_batches_tracked INTEGER NOT NULL,"
    "  count INTEGER NOT NULL,"
    "  decayed_count REAL NOT NULL,"
    "  frozen INTEGER NOT NULL,"
    "  sources INTEGER NOT NULL,"
    "  changed_s INTEGER NOT NULL,"
    "  running_mean BLOB,"
    "  running_var BLOB,"
    "  weight BLOB,"
    "  bias BLOB"
    ") STRICT;"
    "CREATE INDEX kept_by_name ON kept(model_id, name, last);"
    "CREATE INDEX kept_by_last ON kept(model_id, last, first);"
    "CREATE TABLE model_gone("
    "  model_id INTEGER PRIMARY KEY"
    ") STRICT;"
    "CREATE TABLE alias("
    "  model_id INTEGER NOT NULL REFERENCES model(id) ON DELETE CASCADE,"
    "  name TEXT NOT NULL,"
    "  number INTEGER NOT NULL,"
    "  PRIMARY KEY(model_id, name)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX alias_by_number ON alias(model_id, number);"
    "CREATE TABLE serving("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  model_id INTEGER NOT NULL REFERENCES model(id) ON DELETE CASCADE,"
    "  time_s INTEGER NOT NULL,"
    "  from_number INTEGER NOT NULL,"
    "  to_number INTEGER NOT NULL,"
    "  note TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX serving_by_model ON serving(model_id, id);"
    "CREATE TABLE history("
    "  layer_id INTEGER NOT NULL,"
    "  number INTEGER NOT NULL,"
    "  time_s INTEGER NOT NULL,"
    "  revision INTEGER NOT NULL,"
    "  num_batches_tracked INTEGER NOT NULL,"
    "  mean_min REAL NOT NULL,"
    "  mean_median REAL NOT NULL,"
    "  mean_max REAL NOT NULL,"
    "  var_min REAL NOT NULL,"
    "  var_median REAL NOT NULL,"
    "  var_max REAL NOT NULL,"
    "  PRIMARY KEY(layer_id, number)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE history_gone("
    "  layer_id INTEGER PRIMARY KEY"
    ") STRICT;",
)
VERSIONS = range(1, len(SCHEMAS) + 1)


def blob(values):
    return None if values is None else struct.pack(f"<{len(values)}d", *values)


def make(path, version, layers):
    """A store of model "m". `layers`: {name: (definition's text, revision, num_batches_tracked, count, mean, var)};
    the means and variances of one that was never trained are None."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.executescript("".join(SCHEMAS[:version]))
    with db:
        db.execute("INSERT INTO model(id, name) VALUES(1, 'm')")
        for i, (name, (definition, revision, batches, count, mean, var)) in enumerate(layers.items(), 1):
            db.execute("INSERT INTO layer VALUES(?, 1, ?, ?)", (i, name, definition))
            db.execute("INSERT INTO state(layer_id, revision, features, num_batches_tracked, count, running_mean,"
                       " running_var) VALUES(?, ?, ?, ?, ?, ?, ?)",
                       (i, revision, len(mean or ()), batches, count, blob(mean), blob(var)))
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={version}")
    db.close()
