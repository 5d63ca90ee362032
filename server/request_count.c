/* SPDX-License-Identifier: MIT */
/* The metrics of requests. */
#include "server/request_log.h"

#include "base/metrics.h"
#include "handlers/routes.h"
#include "server/phases.h"

static void
count_phases(const struct phases *p)
{
	for (size_t i = 0; i < METRIC_PHASE_COUNT; i++)
		if (p->us[i] > 0)
			metrics_observe_us(METRIC_PHASE_SECONDS, i, p->us[i]);
}

void
request_count(const struct request_line *r, uint64_t duration_us)
{
	const size_t series = routes_series(r->route, r->method != NULL ? r->method : "");

	metrics_add(METRIC_REQUESTS, metrics_series_status(series, r->status), 1);
	metrics_observe_us(METRIC_REQUEST_SECONDS, series, duration_us);
	if (r->error != ERR_NONE)
		metrics_add(METRIC_ERRORS, r->error, 1);
	if (r->shed != 0)
		metrics_add(METRIC_SHED, r->shed - 1, 1);
	if (r->bytes_in > 0)
		metrics_add(METRIC_BYTES_IN, 0, r->bytes_in);
	if (r->bytes_out > 0)
		metrics_add(METRIC_BYTES_OUT, 0, r->bytes_out);
	if (r->phases != NULL)
		count_phases(r->phases);
}
