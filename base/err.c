/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/metrics.h"

static const struct err_row rows[ERR_COUNT] = {
#define ERR_ROW(name, code, status, title) [ERR_##name] = { code, status, title },
	ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

PRINTF_LIKE(3, 0)
static void
err_fill(struct err *e, enum err_code code, const char *format, va_list ap)
{
	memset(e, 0, sizeof(*e));
	e->code = code;
	vsnprintf(e->detail, sizeof(e->detail), format, ap);
}

void
err_set(struct err *e, enum err_code code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	err_fill(e, code, format, ap);
	va_end(ap);
}

void
err_set_at(struct err *e, enum err_code code, uint64_t offset, const char *format, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, format);
	err_fill(e, code, format, ap);
	va_end(ap);
	e->has_offset = true;
	e->offset = offset;
	len = strlen(e->detail);
	snprintf(e->detail + len, sizeof(e->detail) - len, " (at byte %llu)", (unsigned long long)offset);
}

void
err_prepend(struct err *e, const char *format, ...)
{
	char detail[sizeof(e->detail)];
	va_list ap;
	int len;

	memcpy(detail, e->detail, sizeof(detail));
	va_start(ap, format);
	len = vsnprintf(e->detail, sizeof(e->detail), format, ap);
	va_end(ap);
	if (len >= 0 && (size_t)len < sizeof(e->detail))
		snprintf(e->detail + len, sizeof(e->detail) - (size_t)len, "%s", detail);
}

void
err_set_shed(struct err *e, unsigned reason)
{
	e->shed = reason + 1;
	if (e->retry_after_s == 0)
		e->retry_after_s = 1;
}

void
err_set_memory(struct err *e)
{
	err_set(e, ERR_OVERLOADED, "there is not enough memory for this request now; try again later");
	err_set_shed(e, METRIC_SHED_MEMORY);
}

void
err_set_budget(struct err *e)
{
	err_set(e, ERR_OVERLOADED, "other requests use all the memory for requests (--max-memory); try again later");
	err_set_shed(e, METRIC_SHED_MEMORY);
}

void
err_set_shutting_down(struct err *e)
{
	err_set(e, ERR_SHUTTING_DOWN, "the server is shutting down and takes no new requests");
	err_set_shed(e, METRIC_SHED_DRAINING);
}

const struct err_row *
err_row(enum err_code code)
{
	assert(code > ERR_NONE && code < ERR_COUNT);
	return &rows[code];
}
