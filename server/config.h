/* SPDX-License-Identifier: MIT */
/*
 * The daemon's configuration: one table, from which the options, the environment variables and the help text come. An
 * option wins over its environment variable (--listen over NORMD_LISTEN). For main's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "server/memory_plan.h"
#include "server/origins.h"
#include "server/pace.h"

#define CONFIG_THREADS_MAX 256
#define CONFIG_TEXT(number) CONFIG_TEXT_OF(number)
#define CONFIG_TEXT_OF(number) #number

/* X(member, flag, environment variable, what it takes, default, help) */
#define CONFIG_TABLE(X) \
	X(listen, "--listen", "NORMD_LISTEN", "ADDR:PORT", "127.0.0.1:8080", \
	    "address to listen on; port 0 picks a free port") \
	X(port_file, "--port-file", "NORMD_PORT_FILE", "FILE", "", "file that gets the port once normd listens") \
	X(store, "--store", "NORMD_STORE", "URL", "sqlite:normd.db", "database of models and layers: sqlite:PATH") \
	X(threads, "--threads", "NORMD_THREADS", "N", "0", \
	    "event loop threads, 1 to " CONFIG_TEXT(CONFIG_THREADS_MAX) "; 0: one per core") \
	X(max_body, "--max-body", "NORMD_MAX_BODY", "SIZE", "64MiB", "largest request body, and largest tensor in it") \
	X(max_import, "--max-import", "NORMD_MAX_IMPORT", "SIZE", "16GiB", \
	    "largest safetensors file; the tensors that are kept of it are limited by --max-body") \
	X(max_memory, "--max-memory", "NORMD_MAX_MEMORY", "SIZE", "0", \
	    "memory limit of the process; requests beyond it get 503 overloaded; 0: half of the memory") \
	X(client_timeout, "--client-timeout", "NORMD_CLIENT_TIMEOUT", "TIME", "20", \
	    "time for a request's head, and for lagging behind " CONFIG_TEXT(PACE_BYTES_PER_S) " bytes/s after it") \
	X(sync_timeout_max, "--sync-timeout-max", "NORMD_SYNC_TIMEOUT_MAX", "TIME", "10m", \
	    "longest wait of a synchronized call for other ranks, whatever its timeout_ms") \
	X(drain_timeout, "--drain-timeout", "NORMD_DRAIN_TIMEOUT", "TIME", "30", \
	    "how long SIGTERM waits for running requests") \
	X(key_lifetime, "--key-lifetime", "NORMD_KEY_LIFETIME", "TIME", "24h", \
	    "how long an Idempotency-Key is remembered") \
	X(max_keys, "--max-keys", "NORMD_MAX_KEYS", "N", "16000000", \
	    "how many keys are remembered, at 100 bytes on disk; the oldest are forgotten first") \
	X(history_interval, "--history-interval", "NORMD_HISTORY_INTERVAL", "TIME", "60", \
	    "a layer's history has an entry per interval at most") \
	X(cors_origin, "--cors-origin", "NORMD_CORS_ORIGIN", "ORIGINS", "", \
	    "origins whose web pages may call, separated by commas, such as https://app.example; *: all") \
	X(log_level, "--log-level", "NORMD_LOG_LEVEL", "LEVEL", "info", "debug, info, warn or error") \
	X(log_format, "--log-format", "NORMD_LOG_FORMAT", "FORMAT", "json", "json or text")

enum config_option {
#define CONFIG_OPTION(member, flag, env, takes, fallback, help) CONFIG_##member,
	CONFIG_TABLE(CONFIG_OPTION)
#undef CONFIG_OPTION
	    CONFIG_OPTION_COUNT
};

struct config {
	/* As given, one for each row; the texts are the command line's or the environment's. */
	union {
		const char *texts[CONFIG_OPTION_COUNT];
		struct {
#define CONFIG_MEMBER(member, flag, env, takes, fallback, help) const char *member;
			CONFIG_TABLE(CONFIG_MEMBER)
#undef CONFIG_MEMBER
		};
	};

	/* What they say. */
	char host[256];
	char port[8];
	unsigned thread_count;
	size_t max_body_bytes;
	size_t max_import_bytes;
	struct memory_plan memory;
	unsigned client_timeout_s;
	unsigned drain_timeout_s;
	unsigned key_lifetime_s;
	unsigned keys_max;
	unsigned history_interval_s;
	unsigned sync_timeout_max_s;
	struct origins origins;
	enum log_level level;
	enum log_format format;

	bool help;
	bool version;
};

/* Reads arguments and environment. -1 with `e` (bad_parameter), whose detail names the option. */
int config_read(struct config *c, int argc, char *const *argv, struct err *e) MUST_CHECK;

/* The help text. */
void config_help(FILE *out);
