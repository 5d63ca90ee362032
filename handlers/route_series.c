/* SPDX-License-Identifier: MIT */
/*
 * The series that the metrics of requests have: one for each method of a route, and one for each method of requests
 * that found no route. So their number is bounded, whatever clients ask for.
 */
#include <string.h>

#include "base/metrics.h"
#include "handlers/routes.h"

/* The methods that are told apart where there is no route. The last stands for all others. */
static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other" };
enum { METHOD_COUNT = sizeof(methods) / sizeof(methods[0]) };

/* A route has two series: for its own method, and for HEAD, which only a GET serves. Behind those are OPTIONS and, for
 * each method, no route. */
static size_t
none_series(const char *method)
{
	size_t i = 0;

	while (i < METHOD_COUNT - 1 && strcmp(methods[i], method) != 0)
		i++;
	return 2 * routes_count + 1 + i;
}

size_t
routes_series(const struct route *route, const char *method)
{
	if (route == NULL)
		return none_series(method);
	if (route < routes || route >= routes + routes_count)
		return 2 * routes_count;
	return 2 * (size_t)(route - routes) + (method[0] == 'H');
}

void
routes_name_series(void)
{
	static struct metrics_call calls[METRICS_CALLS_MAX];
	size_t n = 0;

	for (const struct route *route = routes; route < routes + routes_count; route++) {
		calls[n++] = (struct metrics_call){ route->path, route->method };
		calls[n++] = (struct metrics_call){ route->path, "HEAD" };
	}
	calls[n++] = (struct metrics_call){ "*", "OPTIONS" };
	for (size_t i = 0; i < METHOD_COUNT; i++)
		calls[n++] = (struct metrics_call){ "none", methods[i] };
	metrics_name_calls(calls, n);
}
