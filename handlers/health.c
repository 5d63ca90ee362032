/* SPDX-License-Identifier: MIT */
/* Health, as the Open Inference Protocol asks for it: alive is that we answer; ready is that work can be done. */
#include "handlers/handlers.h"

int
health_live(struct request *rq, struct err *e)
{
	(void)e;
	buf_text(&rq->reply.head, "{\"live\":true}");
	return 0;
}

int
health_ready(struct request *rq, struct err *e)
{
	if (rq->draining)
		return err_fail(e, ERR_SHUTTING_DOWN, "the server is finishing its last requests");
	if (!store_healthy(rq->store))
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the last write to the storage failed");
	buf_text(&rq->reply.head, "{\"ready\":true}");
	return 0;
}
