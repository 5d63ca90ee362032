/* SPDX-License-Identifier: MIT */
#include "server/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/suggest.h"
#include "server/arguments.h"
#include "sync/sync.h"
#include "storage/store.h"

#define SYNC_TIMEOUT_MAX_S (SYNC_TIMEOUT_MS_MAX / 1000)

/* Ten years, and 400 GB of them: beyond that it is a mistake. */
#define KEY_LIFETIME_MAX_S 315360000u
#define KEYS_MAX 4000000000u
#define HISTORY_INTERVAL_MAX_S 315360000u

static const struct argument options[] = {
#define CONFIG_ROW(member, flag, env, takes, fallback, help) { flag, takes, env, fallback, help },
	CONFIG_TABLE(CONFIG_ROW)
#undef CONFIG_ROW
};

static const struct arguments arguments = { .program = "normd", .table = options, .count = CONFIG_OPTION_COUNT };

/* "64MiB", "10MB", "4k", "123" as bytes. -1 when it is none such, or 0, or above 2^46. */
static int
parse_size(const char *text, size_t *bytes)
{
	static const struct {
		const char *suffix;
		uint64_t factor;
	} units[] = { { "", 1 }, { "B", 1 }, { "k", 1000 }, { "kB", 1000 }, { "KiB", 1 << 10 }, { "M", 1000000 },
		{ "MB", 1000000 }, { "MiB", 1 << 20 }, { "G", 1000000000 }, { "GB", 1000000000 }, { "GiB", 1 << 30 } };
	char *end;
	unsigned long long n;

	if (*text < '0' || *text > '9')
		return -1;
	n = strtoull(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcasecmp(end, units[i].suffix) == 0 && n > 0 && n <= ((uint64_t)1 << 46) / units[i].factor) {
			*bytes = (size_t)(n * units[i].factor);
			return 0;
		}
	return -1;
}

static int
parse_unsigned(const char *flag, const char *text, unsigned min, unsigned max, unsigned *out, struct err *e)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < min || n > max)
		return err_fail(e, ERR_BAD_PARAMETER, "%s is \"%s\"; it must be a whole number from %u to %u", flag,
		    text, min, max);
	*out = (unsigned)n;
	return 0;
}

/* Seconds, or a whole number with the unit s, m, h or d. */
static int
parse_time(const char *flag, const char *text, unsigned min_s, unsigned max_s, unsigned *out_s, struct err *e)
{
	static const struct {
		const char *suffix;
		unsigned long seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	for (size_t i = 0; *text >= '0' && *text <= '9' && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].suffix) == 0 && n <= max_s / units[i].seconds &&
		    n * units[i].seconds >= min_s) {
			*out_s = (unsigned)(n * units[i].seconds);
			return 0;
		}
	return err_fail(e, ERR_BAD_PARAMETER,
	    "%s is \"%s\"; it must be a whole number of seconds from %u to %u, or a time such as 90s, 15m, 24h or 7d",
	    flag, text, min_s, max_s);
}

static int
parse_choice(const char *flag, const char *text, const char *const *names, unsigned count, unsigned *out, struct err *e)
{
	char near[SUGGEST_BYTES];
	struct suggest s;

	suggest_begin(&s, text);
	for (*out = 0; *out < count; ++*out) {
		if (strcmp(names[*out], text) == 0)
			return 0;
		suggest_try(&s, names[*out]);
	}
	return err_fail(e, ERR_BAD_PARAMETER, "%s is \"%.64s\" (see normd --help for its values)%s", flag, text,
	    suggest_text(&s, near));
}

/* ADDR:PORT, where an IPv6 address stands in brackets. */
static int
parse_listen(struct config *c, struct err *e)
{
	const char *colon = strrchr(c->listen, ':'), *host = c->listen;
	size_t len = colon == NULL ? 0 : (size_t)(colon - host);
	unsigned port;

	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(c->host) || colon[1] == '\0')
		return err_fail(e, ERR_BAD_PARAMETER,
		    "--listen is \"%s\"; it must be ADDR:PORT, such as 127.0.0.1:8080 or [::1]:8080", c->listen);
	memcpy(c->host, host, len);
	c->host[len] = '\0';
	if (parse_unsigned("the port in --listen", colon + 1, 0, 65535, &port, e) < 0)
		return -1;
	snprintf(c->port, sizeof(c->port), "%u", port);
	return 0;
}

/* Shares out the memory; what there is may ask for smaller bodies. */
static int
plan_memory(struct config *c, size_t max_memory_bytes, struct err *e)
{
	const struct memory_wishes wishes = {
		.total = max_memory_bytes,
		.available = memory_limit_bytes(),
		.body_max = c->max_body_bytes,
		.body_fixed = c->max_body != options[CONFIG_max_body].fallback,
		.threads = c->thread_count,
	};

	if (memory_plan_make(&wishes, &c->memory, e) < 0)
		return -1;
	c->max_body_bytes = c->memory.body_max;
	return 0;
}

static int
parse_values(struct config *c, struct err *e)
{
	static const char *const levels[] = { "debug", "info", "warn", "error" }, *const formats[] = { "json", "text" };
	unsigned level, format;
	size_t max_memory_bytes = 0;
	long cores;

	if (parse_listen(c, e) < 0 || store_check_url(c->store, e) < 0 ||
	    parse_unsigned("--threads", c->threads, 0, CONFIG_THREADS_MAX, &c->thread_count, e) < 0 ||
	    parse_time("--client-timeout", c->client_timeout, 1, 86400, &c->client_timeout_s, e) < 0 ||
	    parse_time("--sync-timeout-max", c->sync_timeout_max, 1, SYNC_TIMEOUT_MAX_S, &c->sync_timeout_max_s, e) <
		0 ||
	    parse_time("--drain-timeout", c->drain_timeout, 0, 86400, &c->drain_timeout_s, e) < 0 ||
	    parse_time("--key-lifetime", c->key_lifetime, 1, KEY_LIFETIME_MAX_S, &c->key_lifetime_s, e) < 0 ||
	    parse_unsigned("--max-keys", c->max_keys, 1, KEYS_MAX, &c->keys_max, e) < 0 ||
	    parse_time(
		"--history-interval", c->history_interval, 1, HISTORY_INTERVAL_MAX_S, &c->history_interval_s, e) < 0 ||
	    parse_choice("--log-level", c->log_level, levels, 4, &level, e) < 0 ||
	    parse_choice("--log-format", c->log_format, formats, 2, &format, e) < 0 ||
	    origins_parse(c->cors_origin, &c->origins, e) < 0)
		return -1;
	if (parse_size(c->max_body, &c->max_body_bytes) < 0)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "--max-body is \"%s\"; it must be a size such as 64MiB", c->max_body);
	if (parse_size(c->max_import, &c->max_import_bytes) < 0)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "--max-import is \"%s\"; it must be a size such as 16GiB", c->max_import);
	if (strcmp(c->max_memory, "0") != 0 && parse_size(c->max_memory, &max_memory_bytes) < 0)
		return err_fail(e, ERR_BAD_PARAMETER, "--max-memory is \"%s\"; it must be a size such as 2GiB, or 0",
		    c->max_memory);
	c->level = (enum log_level)level;
	c->format = (enum log_format)format;
	if (c->thread_count == 0) {
		cores = sysconf(_SC_NPROCESSORS_ONLN);
		c->thread_count = cores < 1 ? 1 : cores > CONFIG_THREADS_MAX ? CONFIG_THREADS_MAX : (unsigned)cores;
	}
	return plan_memory(c, max_memory_bytes, e);
}

int
config_read(struct config *c, int argc, char *const *argv, struct err *e)
{
	bool origins_given = false;
	int row;

	memset(c, 0, sizeof(*c));
	arguments_set_defaults(&arguments, c->texts);
	for (int i = 1; i < argc; i++) {
		if (arguments_ask_help(argv[i])) {
			c->help = true;
		} else if (strcmp(argv[i], "--version") == 0) {
			c->version = true;
		} else {
			row = arguments_take(&arguments, argc, argv, &i, c->texts, e);
			/* Of other options the last one counts; of these, one alone would be half of what was meant. */
			if (row == CONFIG_cors_origin && origins_given)
				return err_fail(e, ERR_BAD_PARAMETER,
				    "%s is given twice: list all origins in one value, separated by commas",
				    options[row].flag);
			if (row < 0)
				return -1;
			origins_given = origins_given || row == CONFIG_cors_origin;
		}
	}
	return c->help || c->version ? 0 : parse_values(c, e);
}

void
config_help(FILE *out)
{
	fputs(
	    "normd: batch, layer, instance, group and RMS normalization over HTTP, with durable running statistics\n\n"
	    "usage: normd [OPTION VALUE]...\n"
	    "       normd COMMAND [OPTION VALUE]...\n\n",
	    out);
	arguments_print(&arguments, out);
	fputs("  --version                 print the version\n"
	      "  --help                    print this\n\n"
	      "An option wins over its environment variable.\n"
	      "SIGTERM and SIGINT finish the running requests, then normd exits with 0.\n",
	    out);
}
