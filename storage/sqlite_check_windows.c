/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_check_windows.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

const char windows_check_sql[] =
    "SELECT m.name, l.name, w.switch, w.since_s, w.count, w.mean, w.var, s.features,"
    " coalesce((SELECT max(id) FROM serving WHERE model_id = m.id), 0) FROM drift_window w"
    " JOIN layer l ON l.id = w.layer_id JOIN model m ON m.id = l.model_id JOIN state s ON s.layer_id = l.id";

enum { MODEL, LAYER, SWITCH, SINCE, COUNT, MEAN, VAR, FEATURES, LATEST };

/* A list of as many finite values as there are features, none below `least`. */
static bool
is_list(sqlite3_stmt *row, int column, double least)
{
	const size_t features = (size_t)sqlite3_column_int64(row, FEATURES);
	const unsigned char *bytes = sqlite3_column_blob(row, column);
	double value;

	if (bytes == NULL || (size_t)sqlite3_column_bytes(row, column) != features * sizeof(double))
		return false;
	for (size_t i = 0; i < features; i++) {
		bytes_get_doubles(&value, bytes + 8 * i, 1);
		if (!isfinite(value) || value < least)
			return false;
	}
	return true;
}

static bool
is_null(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL;
}

const char *
windows_check_row(sqlite3_stmt *row)
{
	const sqlite3_int64 began = sqlite3_column_int64(row, SWITCH), count = sqlite3_column_int64(row, COUNT);

	if (began < 0 || began > sqlite3_column_int64(row, LATEST))
		return "is of a switch that its model has not seen";
	if (sqlite3_column_int64(row, SINCE) <= 0)
		return "has no time";
	if (count < 0)
		return "has a negative count";
	if (count == 0 ? !is_null(row, MEAN) || !is_null(row, VAR) :
			 !is_list(row, MEAN, -INFINITY) || !is_list(row, VAR, 0))
		return "has impossible means or variances";
	return NULL;
}
