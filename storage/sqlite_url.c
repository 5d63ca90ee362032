/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_url.h"

#include <linux/magic.h>
#include <string.h>
#include <strings.h>
#include <sys/statfs.h>

#include "base/log.h"
#include "storage/pg_url.h"

static const char scheme[] = "sqlite:";

const char *
sqlite_url_path(const char *url, struct err *e)
{
	const char *path = url + sizeof(scheme) - 1;

	if (pg_url_is(url)) /* it may have a password */
		err_set(e, ERR_BAD_PARAMETER,
		    "this works on a store in a file, sqlite:PATH, not on one in PostgreSQL: use the server's own "
		    "tools");
	else if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		err_set(e, ERR_BAD_PARAMETER,
		    "the store is \"%s\"; it must be sqlite:PATH, such as sqlite:normd.db, or "
		    "postgresql://USER@HOST:PORT/DATABASE",
		    url);
	else if (*path == '\0')
		err_set(e, ERR_BAD_PARAMETER, "the store is \"%s\", without a path; it must be sqlite:PATH", url);
	else if (strcasecmp(path, ":memory:") == 0)
		err_set(e, ERR_BAD_PARAMETER,
		    "the store is \"%s\", which would be lost when normd stops; name a file, for a trial in a "
		    "temporary folder",
		    url);
	else if (strncasecmp(path, "file:", 5) == 0)
		err_set(e, ERR_BAD_PARAMETER,
		    "the store is \"%s\"; after sqlite: there must be a plain path, not a URI: \"./%s\" is a file of "
		    "that name",
		    url, path);
	else
		return path;
	return NULL;
}

void
sqlite_url_warn_volatile(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC))
		log_printf(LOG_WARN, "%s is in memory (tmpfs) and is lost when the machine restarts", path);
}
