/* SPDX-License-Identifier: MIT */
/* A store's file, checked while no daemon has it. */
#include <unistd.h>

#include "storage/sqlite_check.h"
#include "storage/sqlite_read.h"
#include "storage/sqlite_url.h"

/* Opens the store; one that may not be written to, a backup on another medium, is held by a descriptor. */
static sqlite3 *
open_store(const char *path, int *held, struct err *e)
{
	if (access(path, F_OK) < 0 || access(path, W_OK) == 0)
		return sqlite_read_open(path, e);
	*held = sqlite_read_hold(path, e);
	return *held < 0 ? NULL : sqlite_read_open_frozen(path, e);
}

int
store_check(const char *url, const struct offline_work *u, struct offline_report *report, struct err *e)
{
	const char *path = sqlite_url_path(url, e);
	int held = -1, result;

	if (path == NULL)
		return -1;
	result = sqlite_check(open_store(path, &held, e), u, report, e);
	if (held >= 0)
		close(held);
	return result;
}
