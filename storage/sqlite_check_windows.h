/* SPDX-License-Identifier: MIT */
/* Whether the rows of windows are possible. */
#pragma once

#include <sqlite3.h>

/* All rows of layers that there are; the first columns are the names of model and layer. */
extern const char windows_check_sql[];

/* What is wrong with a row, as the end of a sentence about it; NULL: nothing. */
const char *windows_check_row(sqlite3_stmt *row);
