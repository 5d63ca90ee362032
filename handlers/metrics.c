/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics: what the daemon counts, as Prometheus reads it. It is answered even if there are too many connections:
 * then the metrics are needed most.
 */
#include "base/metrics.h"

#include "handlers/handlers.h"

/* A scrape asks the kernel for the process's figures and the store for its own: not on an event loop. */
#define SCRAPE_VALUES ((size_t)1 << 16)

int
metrics_get(struct request *rq, struct err *e)
{
	(void)e;
	metrics_write(&rq->reply.text);
	return 0;
}

size_t
metrics_values(const struct request *rq)
{
	(void)rq;
	return SCRAPE_VALUES;
}
