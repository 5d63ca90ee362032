/* SPDX-License-Identifier: MIT */
#include "server/value.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "server/origins.h"
#include "storage/store.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An int for a precision of printf: no message repeats more of a value. */
#define SHOWN 80

/* A number's digits, and what follows them. False without digits. */
static bool
take_digits(const char *text, uint64_t *n, const char **rest)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*n = strtoull(text, &end, 10);
	*rest = end;
	return true;
}

int
value_size(const struct value_rule *rule, const char *text, void *out, struct err *e)
{
	static const struct {
		const char *suffix;
		uint64_t factor;
	} units[] = { { "", 1 }, { "B", 1 }, { "k", 1000 }, { "kB", 1000 }, { "KiB", 1 << 10 }, { "M", 1000000 },
		{ "MB", 1000000 }, { "MiB", 1 << 20 }, { "G", 1000000000 }, { "GB", 1000000000 }, { "GiB", 1 << 30 } };
	const char *unit;
	uint64_t n;

	if (take_digits(text, &n, &unit))
		for (size_t i = 0; i < COUNT(units); i++)
			if (strcasecmp(unit, units[i].suffix) == 0 && n >= rule->min &&
			    n <= ((uint64_t)1 << 46) / units[i].factor) {
				*(size_t *)out = (size_t)(n * units[i].factor);
				return 0;
			}
	return err_fail(e, ERR_BAD_PARAMETER, "is \"%.*s\"; it must be a size such as 64MiB or 2GiB%s", SHOWN, text,
	    rule->min == 0 ? ", or 0" : "");
}

int
value_time(const struct value_rule *rule, const char *text, void *out, struct err *e)
{
	static const struct {
		const char *suffix;
		unsigned seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	const char *unit;
	uint64_t n;

	if (take_digits(text, &n, &unit))
		for (size_t i = 0; i < COUNT(units); i++)
			if (strcmp(unit, units[i].suffix) == 0 && n <= rule->max / units[i].seconds &&
			    n * units[i].seconds >= rule->min) {
				*(unsigned *)out = (unsigned)(n * units[i].seconds);
				return 0;
			}
	return err_fail(e, ERR_BAD_PARAMETER,
	    "is \"%.*s\"; it must be a whole number of seconds from %u to %u, or a time such as 90s, 15m, 24h or 7d",
	    SHOWN, text, rule->min, rule->max);
}

int
value_number(const struct value_rule *rule, const char *text, void *out, struct err *e)
{
	const char *rest;
	uint64_t n;

	if (!take_digits(text, &n, &rest) || *rest != '\0' || n < rule->min || n > rule->max)
		return err_fail(e, ERR_BAD_PARAMETER, "is \"%.*s\"; it must be a whole number from %u to %u", SHOWN,
		    text, rule->min, rule->max);
	*(unsigned *)out = (unsigned)n;
	return 0;
}

/* "debug, info, warn or error" */
static void
list_choices(const char *const *names, char *out, size_t size)
{
	const char *joint = "";
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; names[i] != NULL && used < size; i++) {
		used += (size_t)snprintf(out + used, size - used, "%s%s", joint, names[i]);
		joint = names[i + 1] != NULL && names[i + 2] == NULL ? " or " : ", ";
	}
}

int
value_choice(const struct value_rule *rule, const char *text, void *out, struct err *e)
{
	char near[SUGGEST_BYTES], list[128];

	for (unsigned i = 0; rule->choices[i] != NULL; i++)
		if (strcmp(rule->choices[i], text) == 0) {
			*(unsigned *)out = i;
			return 0;
		}
	list_choices(rule->choices, list, sizeof(list));
	return err_fail(e, ERR_BAD_PARAMETER, "is \"%.*s\"; it must be %s%s", SHOWN, text, list,
	    suggest_among(text, rule->choices, near));
}

int
value_flag(const struct value_rule *rule, const char *text, void *out, struct err *e)
{
	static const char *const words[] = { "false", "true", "no", "yes", "0", "1" }; /* by turns no and yes */

	(void)rule;
	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(words[i], text) == 0) {
			*(bool *)out = i % 2 == 1;
			return 0;
		}
	return err_fail(e, ERR_BAD_PARAMETER, "is \"%.*s\"; it must be true or false", SHOWN, text);
}

int
value_address(const struct value_rule *rule, const char *text, void *out, struct err *e)
{
	const struct value_rule port_rule = { .max = 65535 };
	const char *colon = strrchr(text, ':'), *host = text;
	size_t len = colon == NULL ? 0 : (size_t)(colon - host);
	struct value_address *address = out;
	unsigned port;

	(void)rule;
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(address->host) || colon[1] == '\0')
		return err_fail(e, ERR_BAD_PARAMETER,
		    "is \"%.*s\"; it must be ADDR:PORT, such as 127.0.0.1:8080 or [::1]:8080", SHOWN, text);
	memcpy(address->host, host, len);
	address->host[len] = '\0';
	if (value_number(&port_rule, colon + 1, &port, e) < 0) {
		err_prepend(e, "names a port that ");
		return -1;
	}
	snprintf(address->port, sizeof(address->port), "%u", port);
	return 0;
}

int
value_path(const struct value_rule *rule, const char *text, void *out, struct err *e)
{
	(void)rule;
	if (strlen(text) >= PATH_MAX)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "is \"%.*s...\"; a path has at most %d bytes", SHOWN, text, PATH_MAX - 1);
	*(const char **)out = text;
	return 0;
}

int
value_store(const struct value_rule *rule, const char *text, void *out, struct err *e)
{
	(void)rule;
	if (store_check_url(text, e) < 0) {
		err_prepend(e, "cannot be used: ");
		return -1;
	}
	*(const char **)out = text;
	return 0;
}

int
value_origins(const struct value_rule *rule, const char *text, void *out, struct err *e)
{
	(void)rule;
	return origins_parse(text, out, e);
}
