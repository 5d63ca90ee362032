/* SPDX-License-Identifier: MIT */
#include "server/request_log.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/log.h"
#include "handlers/request.h"
#include "server/peer.h"
#include "server/phases.h"

#define FIELDS_MAX (15 + METRIC_PHASE_COUNT)

struct line {
	struct log_field fields[FIELDS_MAX];
	size_t count;
};

/* NULL and "" are left out. */
static void
add_text(struct line *l, const char *name, const char *text)
{
	if (text != NULL && *text != '\0')
		l->fields[l->count++] = (struct log_field){ .name = name, .text = text };
}

static void
add_number(struct line *l, const char *name, double number)
{
	l->fields[l->count++] = (struct log_field){ .name = name, .number = number };
}

/*
 * Errors that may quote what a body holds: a number that does not fit, a text that is not one of the expected. The log
 * must not have it. The client is told, and the line has the code and where in the body it is.
 */
static bool
may_quote_body(const struct request_line *r)
{
	static const bool quoting[ERR_COUNT] = {
		[ERR_BAD_JSON] = true,
		[ERR_BAD_TENSOR] = true,
		[ERR_BAD_NPY] = true,
		[ERR_BAD_SAFETENSORS] = true,
		[ERR_BAD_PARAMETER] = true,
		[ERR_BAD_NAME] = true,
	};

	return r->bytes_in > 0 && quoting[r->error];
}

/* They add up to the duration. */
static void
add_phases(struct line *l, const struct phases *p)
{
#define PHASE_FIELD(name, text) text "_ms",
	static const char *const names[] = { METRICS_PHASES(PHASE_FIELD) };
#undef PHASE_FIELD

	for (size_t i = 0; i < METRIC_PHASE_COUNT; i++)
		add_number(l, names[i], (double)p->us[i] / 1000);
}

/* The state that the answer shows, as its headers Normd-Version and Normd-Revision do. `version` is room for it. */
static void
add_state(struct line *l, const struct reply *reply, char version[BUF_UINT_BYTES + 1])
{
	if (reply->has_version && reply->version == 0)
		add_text(l, "version", "live");
	if (reply->has_version && reply->version != 0) {
		version[buf_format_uint(version, reply->version)] = '\0';
		add_text(l, "version", version);
	}
	if (reply->has_revision)
		add_number(l, "revision", (double)reply->revision);
}

void
request_log(const struct request_line *r)
{
	struct line l = { .count = 0 };
	char client[PEER_BYTES], version[BUF_UINT_BYTES + 1];
	const uint64_t now_us = clock_monotonic_us(), duration_us = now_us - r->started_us;

	if (r->phases != NULL)
		phases_end(r->phases, now_us);
	request_count(r, duration_us);
	if (!log_enabled(LOG_INFO))
		return;
	if (r->connection != NULL)
		peer_address(r->connection, client, sizeof(client));
	else
		peer_address_of(r->fd, client, sizeof(client));
	add_text(&l, "method", r->method);
	add_text(&l, "target", r->target);
	add_number(&l, "status", r->status);
	if (r->error != ERR_NONE)
		add_text(&l, "code", err_row(r->error)->code);
	if (!may_quote_body(r))
		add_text(&l, "detail", r->detail);
	if (r->offset != NULL)
		add_number(&l, "offset", (double)*r->offset);
	add_number(&l, "duration_ms", (double)duration_us / 1000);
	if (r->phases != NULL)
		add_phases(&l, r->phases);
	add_number(&l, "bytes_in", (double)r->bytes_in);
	add_number(&l, "bytes_out", (double)r->bytes_out);
	if (r->reply != NULL)
		add_state(&l, r->reply, version);
	add_text(&l, "client", client);
	add_text(&l, "token", r->token);
	add_text(&l, "request_id", r->request_id);
	add_text(&l, "traceparent", r->traceparent);
	add_text(&l, "aborted", r->aborted);
	log_event(LOG_INFO, "request", l.fields, l.count);
}
