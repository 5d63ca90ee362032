/* SPDX-License-Identifier: MIT */
/* Whether the rows of layers' history are possible. */
#pragma once

#include <sqlite3.h>

/*
 * All rows of layers that there are, in a file with this version of the schema; the first columns are the names of
 * model and layer, and the row's number.
 */
const char *history_check_sql(int version);

/* The ids of other layers whose rows no chore will delete. */
extern const char history_check_lost_sql[];

/* What is wrong with a row, as the end of a sentence about it; NULL: nothing. */
const char *history_check_row(sqlite3_stmt *row);
