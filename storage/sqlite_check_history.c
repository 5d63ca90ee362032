/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_check_history.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* The first version of the schema whose histories have drift. */
#define DRIFT_SINCE 5

#define HISTORY_SQL(drift) \
	"SELECT m.name, l.name, h.number, h.time_s, h.revision, h.num_batches_tracked, h.mean_min, h.mean_median," \
	" h.mean_max, h.var_min, h.var_median, h.var_max, " drift " FROM history h JOIN layer l ON l.id = h.layer_id" \
	" JOIN model m ON m.id = l.model_id"

const char *
history_check_sql(int version)
{
	return version < DRIFT_SINCE ? HISTORY_SQL("NULL") : HISTORY_SQL("h.drift");
}

const char history_check_lost_sql[] = "SELECT DISTINCT layer_id FROM history WHERE layer_id NOT IN"
				      " (SELECT id FROM layer UNION ALL SELECT layer_id FROM history_gone)";

enum { MODEL, LAYER, NUMBER, TIME, REVISION, BATCHES, MEAN, VAR = MEAN + 3, DRIFT = VAR + 3 };

/* A least value, a median and a greatest one in their order, none below `least`. */
static bool
is_spread(sqlite3_stmt *row, int column, double least)
{
	const double min = sqlite3_column_double(row, column), median = sqlite3_column_double(row, column + 1);
	const double max = sqlite3_column_double(row, column + 2);

	return isfinite(min) && isfinite(max) && least <= min && min <= median && median <= max;
}

static bool
is_drift(sqlite3_stmt *row, int column)
{
	const double drift = sqlite3_column_double(row, column); /* 0 for NULL */

	return isfinite(drift) && drift >= 0;
}

const char *
history_check_row(sqlite3_stmt *row)
{
	if (sqlite3_column_int64(row, NUMBER) <= 0)
		return "has no positive number";
	if (sqlite3_column_int64(row, TIME) <= 0)
		return "has no time";
	if (sqlite3_column_int64(row, REVISION) < 0 || sqlite3_column_int64(row, BATCHES) < 0)
		return "has a negative revision or num_batches_tracked";
	if (!is_spread(row, MEAN, -INFINITY))
		return "has an impossible spread of the running mean";
	if (!is_spread(row, VAR, 0))
		return "has an impossible spread of the running variance";
	if (!is_drift(row, DRIFT))
		return "has an impossible drift";
	return NULL;
}
