/* SPDX-License-Identifier: MIT */
/*
 * Health, as the Open Inference Protocol defines it. Live: the server answers. Ready: it can do work; the protocol's
 * text has the member "live" there too, and its clients read "ready". A daemon that is about to stop is not ready,
 * while it still serves (--drain-delay). Then it refuses every request, probes too (server/head.c).
 */
#include "handlers/handlers.h"

int
health_get_live(struct request *rq, struct err *e)
{
	(void)e;
	buf_text(&rq->reply.text, "{\"live\":true}");
	return 0;
}

int
health_get_ready(struct request *rq, struct err *e)
{
	if (rq->leaving) {
		err_set(e, ERR_SHUTTING_DOWN, "the server is about to shut down: send new requests to another");
		e->retry_after_s = 1;
		return -1;
	}
	if (!store_healthy(rq->store))
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the last write to the store failed");
	buf_text(&rq->reply.text, "{\"live\":true,\"ready\":true}");
	return 0;
}
