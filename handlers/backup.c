/* SPDX-License-Identifier: MIT */
/* A copy of all that the store holds, as a file. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "handlers/handlers.h"

int
backup(struct request *rq, struct err *e)
{
	(void)e;
	request_store(rq, STORE_BACKUP);
	return 0;
}

int
backup_finish(struct request *rq, struct err *e)
{
	time_t now = time(NULL);
	struct tm utc;

	(void)e;
	gmtime_r(&now, &utc);
	rq->reply.file = rq->op.copy;
	strftime(rq->reply.file_name, sizeof(rq->reply.file_name), "normd-%Y%m%dT%H%M%SZ.db", &utc);
	return 0;
}
