/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_schema.h"

#include <stdio.h>

#include "storage/sqlite_errors.h"

/* Migration i brings a file of user_version i to i + 1. Never edit one that was released: append. */
static const char *const migrations[] = {
	"CREATE TABLE model("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  name TEXT NOT NULL UNIQUE"
	") STRICT;"
	/* AUTOINCREMENT: no id comes back, so an update in flight cannot reach a later layer of the same name. */
	"CREATE TABLE layer("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  model_id INTEGER NOT NULL REFERENCES model(id) ON DELETE CASCADE,"
	"  name TEXT NOT NULL,"
	"  definition TEXT NOT NULL,"
	"  UNIQUE(model_id, name)"
	") STRICT;"
	/* What updates rewrite. Blobs: float64, little-endian; NULL: never trained, nothing put. features 0: open. */
	"CREATE TABLE state("
	"  layer_id INTEGER PRIMARY KEY REFERENCES layer(id) ON DELETE CASCADE,"
	"  revision INTEGER NOT NULL,"
	"  features INTEGER NOT NULL,"
	"  num_batches_tracked INTEGER NOT NULL,"
	"  count INTEGER NOT NULL,"
	"  running_mean BLOB,"
	"  running_var BLOB"
	") STRICT;"
	/* Apart from state, so that an update does not rewrite them. NULL: the default (1, 0). */
	"CREATE TABLE parameters("
	"  layer_id INTEGER PRIMARY KEY REFERENCES layer(id) ON DELETE CASCADE,"
	"  weight BLOB,"
	"  bias BLOB"
	") STRICT;",
	/*
	 * What was done under an Idempotency-Key, beside the update itself. The ids are in the order of time, so that
	 * forgetting the oldest takes them from one end. No foreign key: a deleted layer's keys can mean nothing any
	 * more, since its id never comes back, and deleting it must not take as long as it has keys.
	 */
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
	/* The count of decayed averaging is a real number. `sources`: how many named sources the layer has. */
	"ALTER TABLE state ADD COLUMN decayed_count REAL NOT NULL DEFAULT 0;"
	"ALTER TABLE state ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE state ADD COLUMN sources INTEGER NOT NULL DEFAULT 0;"
	/*
	 * The totals that a pooled layer with sources is the pool of; the name '' has what came without a source, with
	 * the layer's own divisor. The layer's state holds the pool.
	 */
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
	/*
	 * Versions copy on write. Each model has a mark, which a version raises by one and takes for its own. `since`:
	 * the first mark whose version would hold the layer as it is. changed_s: when it changed last (0: unknown).
	 */
	"ALTER TABLE state ADD COLUMN since INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE state ADD COLUMN changed_s INTEGER NOT NULL DEFAULT 0;"
	/* By a model's name, not its id, and never deleted: no number comes back, not even with a model's name. */
	"CREATE TABLE numbers("
	"  model TEXT PRIMARY KEY,"
	"  mark INTEGER NOT NULL,"
	"  number INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	/*
	 * number NULL: a pin, which becomes a version or is dropped. gone 1: dropped or deleted; a chore takes the row
	 * when it has taken what only this row needed. gone 2: it has, but the key is still to be remembered. No
	 * foreign key: deleting a model must not take as long as it has versions, so it leaves all their rows, as they
	 * are, in model_gone to the chore.
	 */
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
	/* A layer's state that has moved on, for the versions with a mark from `first` to `last`. */
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
	/* Every switch of what serves; a model's last row says what does. A version's number, or 0: live. */
	"CREATE TABLE serving("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  model_id INTEGER NOT NULL REFERENCES model(id) ON DELETE CASCADE,"
	"  time_s INTEGER NOT NULL,"
	"  from_number INTEGER NOT NULL,"
	"  to_number INTEGER NOT NULL,"
	"  note TEXT NOT NULL"
	") STRICT;"
	"CREATE INDEX serving_by_model ON serving(model_id, id);"
	/*
	 * What a layer's statistics were like, for plots: a row per interval at most. `number` counts them. No foreign
	 * key: deleting a layer must not take as long as it has rows, so it leaves them in history_gone to a chore.
	 */
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
	/*
	 * What inference has read of a layer since its window began. `switch`: the id of the model's row of serving
	 * that was the latest then (0: none); with another one the window is empty. Blobs NULL: no values. var is
	 * biased.
	 */
	"CREATE TABLE drift_window("
	"  layer_id INTEGER PRIMARY KEY REFERENCES layer(id) ON DELETE CASCADE,"
	"  switch INTEGER NOT NULL,"
	"  since_s INTEGER NOT NULL,"
	"  count INTEGER NOT NULL,"
	"  mean BLOB,"
	"  var BLOB"
	") STRICT;"
	/* How far the window was from the statistics; NULL: not known. */
	"ALTER TABLE history ADD COLUMN drift REAL;",
};

#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

int
sqlite_check_owner(sqlite3 *db, const char *path, int *version, struct err *e)
{
	int application, tables;

	if (sqlite_int(db, path, "PRAGMA application_id", &application, e) < 0 ||
	    sqlite_int(db, path, "PRAGMA user_version", version, e) < 0 ||
	    sqlite_int(db, path, "SELECT count(*) FROM sqlite_schema", &tables, e) < 0)
		return -1;
	if (application == SQLITE_MIGRATION_ID)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE,
		    "%s is the unfinished copy of another store: run the same normd migrate again, or remove the file",
		    path);
	if (application != SQLITE_APPLICATION_ID && (application != 0 || tables != 0 || *version != 0))
		return err_fail(e, ERR_STORAGE_UNAVAILABLE,
		    "%s is an SQLite database, but not a normd store: name another file", path);
	if (*version > SCHEMA_VERSION)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE,
		    "%s was made by a newer normd (schema %d; this one knows %d): install that version", path, *version,
		    SCHEMA_VERSION);
	return 0;
}

int
sqlite_check_newest(int version, const char *path, struct err *e)
{
	if (version == SCHEMA_VERSION)
		return 0;
	return err_fail(e, ERR_STORAGE_UNAVAILABLE,
	    "%s was made by an older normd (schema %d; this one makes %d): start normd on it once, and stop it", path,
	    version, SCHEMA_VERSION);
}

int
sqlite_make_schema(sqlite3 *db, int from, int to, struct err *e)
{
	for (int i = from; i < to && i < SCHEMA_VERSION; i++)
		if (sqlite_run(db, migrations[i], e) < 0)
			return -1;
	return 0;
}

int
sqlite_migrate(sqlite3 *db, int version, struct err *e)
{
	char stamp[96];

	if (version == SCHEMA_VERSION)
		return 0;
	snprintf(stamp, sizeof(stamp), "PRAGMA application_id=%d; PRAGMA user_version=%d", SQLITE_APPLICATION_ID,
	    SCHEMA_VERSION);
	if (sqlite_run(db, "BEGIN IMMEDIATE", e) < 0)
		return -1;
	if (sqlite_make_schema(db, version, SCHEMA_VERSION, e) < 0 || sqlite_run(db, stamp, e) < 0)
		return -1;
	return sqlite_run(db, "COMMIT", e);
}
