/* SPDX-License-Identifier: MIT */
#include "server/reload.h"

#include <stddef.h>

#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "server/access.h"
#include "server/server.h"
#include "server/tls.h"

enum outcome { RELOAD_FAILED = -1, RELOAD_DONE, RELOAD_UNUSED };

/*
 * A row reads its file and puts what it holds into use as a whole, or leaves all as it was and fails with `e`.
 * RELOAD_UNUSED: the configuration names no such file.
 */
struct row {
	const char *name; /* in the log, in the plural */
	enum outcome (*reload)(struct server *s, struct err *e);
};

static enum outcome
reload_certificate(struct server *s, struct err *e)
{
	if (s->tls == NULL)
		return RELOAD_UNUSED;
	return tls_reload(s->tls, e) < 0 ? RELOAD_FAILED : RELOAD_DONE;
}

static enum outcome
reload_tokens(struct server *s, struct err *e)
{
	if (s->access == NULL)
		return RELOAD_UNUSED;
	return access_reload(s->access, e) < 0 ? RELOAD_FAILED : RELOAD_DONE;
}

static const struct row table[] = {
	{ "tokens", reload_tokens }, { "certificates", reload_certificate }, { NULL, NULL }, /* the end */
};

static enum outcome
reload_row(const struct row *row, struct server *s)
{
	struct err e = { 0 };
	const enum outcome outcome = row->reload(s, &e);

	if (outcome == RELOAD_DONE)
		log_event(LOG_INFO, "reloaded", (const struct log_field[]){ { .name = "what", .text = row->name } }, 1);
	else if (outcome == RELOAD_FAILED)
		log_event(LOG_ERROR, "not reloaded: what was read before stays in use",
		    (const struct log_field[]){
			{ .name = "what", .text = row->name }, { .name = "reason", .text = e.detail } },
		    2);
	if (outcome != RELOAD_UNUSED)
		metrics_add(METRIC_RELOADS, outcome == RELOAD_DONE ? METRIC_RESULT_OK : METRIC_RESULT_FAILED, 1);
	return outcome;
}

void
server_reload(struct server *s)
{
	unsigned used = 0;

	for (const struct row *row = table; row->reload != NULL; row++)
		used += reload_row(row, s) != RELOAD_UNUSED;
	if (used == 0)
		log_printf(LOG_INFO, "nothing to reload");
}
