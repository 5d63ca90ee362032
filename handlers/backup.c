/* SPDX-License-Identifier: MIT */
/* A copy of all that the store holds, as a file. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "handlers/handlers.h"

int
backup_get(struct request *rq, struct err *e)
{
	(void)e;
	request_store(rq, STORE_BACKUP);
	return 0;
}

static ssize_t
read_copy(const void *arg, uint64_t offset, char *out, size_t room)
{
	const struct store_copy *copy = arg;

	return pread(copy->descriptor, out, room, (off_t)offset);
}

int
backup_get_finish(struct request *rq, struct err *e)
{
	struct reply_source *source = &rq->reply.source;
	time_t now = time(NULL);
	struct tm utc;

	(void)e;
	gmtime_r(&now, &utc);
	*source = (struct reply_source){ .read = read_copy, .arg = rq->op.copy, .bytes = rq->op.copy->bytes };
	strftime(source->file_name, sizeof(source->file_name), "normd-%Y%m%dT%H%M%SZ.db", &utc);
	return 0;
}
