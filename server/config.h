/* SPDX-License-Identifier: MIT */
/*
 * The daemon's configuration: one table, from which the options, the environment variables, the settings of the file
 * and their help come. The command line wins over the environment (--listen over NORMD_LISTEN), the environment over
 * the file that --config names. For main's thread; immutable while the daemon serves.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "server/arguments.h"
#include "server/memory_plan.h"
#include "server/origins.h"
#include "server/pace.h"
#include "server/value.h"

#define CONFIG_THREADS_MAX 256
#define CONFIG_TEXT(number) CONFIG_TEXT_OF(number)
#define CONFIG_TEXT_OF(number) #number

/* X(name, title): what a help text groups the settings by, in its order. */
#define CONFIG_GROUPS(X) \
	X(LISTENING, "Listening") \
	X(ACCESS, "Access") \
	X(STORAGE, "Storage") \
	X(LIMITS, "Limits") \
	X(STOPPING, "Stopping") \
	X(OBSERVING, "Observing") \
	X(CONFIGURATION, "Configuration")

enum config_group {
#define CONFIG_GROUP(name, title) CONFIG_GROUP_##name,
	CONFIG_GROUPS(CONFIG_GROUP)
#undef CONFIG_GROUP
	    CONFIG_GROUP_COUNT
};

/*
 * X(id, group, flag, environment variable, what it takes, default, rule, help), grouped. A flag that takes NULL is on
 * when it is given. The rule names the member of struct config that gets the value, and its bounds; config.c has the
 * rules.
 */
#define CONFIG_TABLE(X) \
	X(listen, LISTENING, "--listen", "NORMD_LISTEN", "ADDR:PORT", "127.0.0.1:8080", ADDRESS(listen), \
	    "address to listen on; port 0 picks a free port") \
	X(port_file, LISTENING, "--port-file", "NORMD_PORT_FILE", "FILE", "", PATH(port_file), \
	    "file that gets the port once normd listens") \
	X(tls_cert, LISTENING, "--tls-cert", "NORMD_TLS_CERT", "FILE", "", PATH(tls_cert), \
	    "certificate and its chain, in PEM: serve HTTPS; SIGHUP rereads it") \
	X(tls_key, LISTENING, "--tls-key", "NORMD_TLS_KEY", "FILE", "", PATH(tls_key), \
	    "private key of the certificate, in PEM") \
	X(tokens, ACCESS, "--tokens", "NORMD_TOKENS", "FILE", "", PATH(tokens), \
	    "only serve requests with a token of this file (see normd token); SIGHUP rereads it") \
	X(insecure, ACCESS, "--insecure", "NORMD_INSECURE", NULL, "false", FLAG(insecure), \
	    "listen beyond this machine even without --tokens: anyone who can connect may read and change all") \
	X(cors_origin, ACCESS, "--cors-origin", "NORMD_CORS_ORIGIN", "ORIGINS", "", ORIGINS(origins), \
	    "origins whose web pages may call, separated by commas, such as https://app.example; *: all") \
	X(sandbox, ACCESS, "--sandbox", "NORMD_SANDBOX", "MODE", "try", CHOICE(sandbox, sandboxes), \
	    "give up rights that normd does not need: off, try (as far as the kernel can) or require") \
	X(web, ACCESS, "--web", "NORMD_WEB", "MODE", "on", CHOICE(web, switches), \
	    "serve the pages at / and /play: on, or off for the API alone") \
	X(web_root, ACCESS, "--web-root", "NORMD_WEB_ROOT", "DIR", "", PATH(web_root), \
	    "folder that the files of the pages are read from at each request, for those who edit them") \
	X(store, STORAGE, "--store", "NORMD_STORE", "URL", "sqlite:normd.db", STORE(store), \
	    "database of models and layers: sqlite:PATH, or postgresql://USER@HOST/DATABASE for many daemons") \
	X(max_staleness, STORAGE, "--max-staleness", "NORMD_MAX_STALENESS", "TIME", "1", \
	    TIME(max_staleness_s, 0, DAY_S), "how late this daemon may show what others write to PostgreSQL") \
	X(key_lifetime, STORAGE, "--key-lifetime", "NORMD_KEY_LIFETIME", "TIME", "24h", \
	    TIME(key_lifetime_s, 1, TEN_YEARS_S), "how long an Idempotency-Key is remembered") \
	X(max_keys, STORAGE, "--max-keys", "NORMD_MAX_KEYS", "N", "16000000", NUMBER(keys_max, 1, KEYS_MAX), \
	    "how many keys are remembered, at 100 bytes on disk; the oldest are forgotten first") \
	X(history_interval, STORAGE, "--history-interval", "NORMD_HISTORY_INTERVAL", "TIME", "60", \
	    TIME(history_interval_s, 1, TEN_YEARS_S), "a layer's history has an entry per interval at most") \
	X(threads, LIMITS, "--threads", "NORMD_THREADS", "N", "0", NUMBER(thread_count, 0, CONFIG_THREADS_MAX), \
	    "event loop threads, 1 to " CONFIG_TEXT(CONFIG_THREADS_MAX) "; 0: one per core") \
	X(max_memory, LIMITS, "--max-memory", "NORMD_MAX_MEMORY", "SIZE", "0", SIZE(max_memory_bytes, 0), \
	    "memory limit of the process; requests beyond it get 503 overloaded; 0: half of the memory") \
	X(max_body, LIMITS, "--max-body", "NORMD_MAX_BODY", "SIZE", "64MiB", SIZE(max_body_bytes, 1), \
	    "largest request body, and largest tensor in it") \
	X(max_import, LIMITS, "--max-import", "NORMD_MAX_IMPORT", "SIZE", "16GiB", SIZE(max_import_bytes, 1), \
	    "largest safetensors file; the tensors that are kept of it are limited by --max-body") \
	X(connections_per_address_max, LIMITS, "--max-connections-per-address", "NORMD_MAX_CONNECTIONS_PER_ADDRESS", \
	    "N", "0", NUMBER(connections_per_address_max, 0, CONNECTIONS_MAX), \
	    "connections that one client address may have; 0: no limit, as behind a proxy") \
	X(requests_per_second_max, LIMITS, "--max-requests-per-second", "NORMD_MAX_REQUESTS_PER_SECOND", "N", "0", \
	    NUMBER(requests_per_second_max, 0, RATE_MAX), \
	    "requests a second that each token may make; more get 429 too_many_requests; 0: no limit") \
	X(client_timeout, LIMITS, "--client-timeout", "NORMD_CLIENT_TIMEOUT", "TIME", "20", \
	    TIME(client_timeout_s, 1, DAY_S), \
	    "time for a request's head, and for lagging behind " CONFIG_TEXT(PACE_BYTES_PER_S) " bytes/s after it") \
	X(sync_timeout_max, LIMITS, "--sync-timeout-max", "NORMD_SYNC_TIMEOUT_MAX", "TIME", "10m", \
	    TIME(sync_timeout_max_s, 1, SYNC_TIMEOUT_MAX_S), \
	    "longest wait of a synchronized call for other ranks, whatever its timeout_ms") \
	X(drain_delay, STOPPING, "--drain-delay", "NORMD_DRAIN_DELAY", "TIME", "0", TIME(drain_delay_s, 0, DAY_S), \
	    "how long normd serves on after SIGTERM while it reports not ready, so that load balancers notice") \
	X(drain_timeout, STOPPING, "--drain-timeout", "NORMD_DRAIN_TIMEOUT", "TIME", "30", \
	    TIME(drain_timeout_s, 0, DAY_S), "how long SIGTERM waits for running requests") \
	X(open_metrics, OBSERVING, "--open-metrics", "NORMD_OPEN_METRICS", NULL, "false", FLAG(open_metrics), \
	    "serve /metrics without a token") \
	X(log_level, OBSERVING, "--log-level", "NORMD_LOG_LEVEL", "LEVEL", "info", CHOICE(level, log_levels), \
	    "least level of the log's lines: debug, info, warn or error") \
	X(log_format, OBSERVING, "--log-format", "NORMD_LOG_FORMAT", "FORMAT", "json", CHOICE(format, log_formats), \
	    "form of the log's lines: json or text") \
	X(config, CONFIGURATION, "--config", "NORMD_CONFIG", "FILE", "", PATH(config_file), \
	    "file of settings: lines NAME = VALUE, named as the options without --")

/* X(member, flag, help): what to do instead of serving. */
#define CONFIG_MODES(X) \
	X(check, "--check-config", "check the settings and the files that they name, and print the settings") \
	X(version, "--version", "print the version") \
	X(help, "--help", "print this")

enum config_option {
#define CONFIG_OPTION(id, group, flag, env, takes, fallback, rule, help) CONFIG_##id,
	CONFIG_TABLE(CONFIG_OPTION)
#undef CONFIG_OPTION
	    CONFIG_OPTION_COUNT
};

/* Where a setting comes from: the later wins. */
enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENVIRONMENT, CONFIG_FROM_COMMAND_LINE };

/* A setting as it was given. */
struct config_text {
	const char *text;
	enum config_source source;
	unsigned line; /* of the file */
};

enum config_sandbox { CONFIG_SANDBOX_OFF, CONFIG_SANDBOX_TRY, CONFIG_SANDBOX_REQUIRE };

enum config_switch { CONFIG_OFF, CONFIG_ON };

struct config {
	/* What the settings say. Names of files are "" where there is none. */
	struct value_address listen;
	const char *port_file;
	const char *tls_cert;
	const char *tls_key;
	const char *tokens;
	bool insecure;
	struct origins origins;
	enum config_sandbox sandbox;
	enum config_switch web;
	const char *web_root;
	const char *store;
	unsigned max_staleness_s;
	unsigned key_lifetime_s;
	unsigned keys_max;
	unsigned history_interval_s;
	unsigned thread_count;
	size_t max_memory_bytes; /* 0: by the machine's; `memory` has the outcome */
	size_t max_body_bytes;
	size_t max_import_bytes;
	unsigned connections_per_address_max; /* 0: no limit */
	unsigned requests_per_second_max;     /* of a token; 0: no limit */
	unsigned client_timeout_s;
	unsigned sync_timeout_max_s;
	unsigned drain_delay_s;
	unsigned drain_timeout_s;
	bool open_metrics;
	enum log_level level;
	enum log_format format;
	const char *config_file;

	/* What follows from them. */
	struct memory_plan memory;

#define CONFIG_MODE_MEMBER(member, flag, help) bool member;
	CONFIG_MODES(CONFIG_MODE_MEMBER)
#undef CONFIG_MODE_MEMBER

	struct config_text texts[CONFIG_OPTION_COUNT];
	char *file_text; /* of the file; the texts point into it */
};

/*
 * Reads arguments, environment and file. -1 with `e` (bad_parameter), whose detail names the option, the variable, or
 * the file and the line. Then and otherwise, release it by config_fini.
 */
int config_read(struct config *c, int argc, char *const *argv, struct err *e) MUST_CHECK;
void config_fini(struct config *c);

/* A setting's name as it was given, and where: "--store", "NORMD_STORE", "normd.conf:3: store". Returns `out`. */
#define CONFIG_PLACE_BYTES 256
const char *config_place(const struct config *c, enum config_option row, char out[CONFIG_PLACE_BYTES]);

/* A setting's option, variable, default and help. */
const struct argument *config_row(enum config_option row);

/* The group of a setting, and its title. */
enum config_group config_group_of(enum config_option row);
const char *config_group_title(enum config_group group);

/*
 * Calls `tell` for each variable of the environment that was probably meant for a setting. Others that begin with
 * NORMD_ are left alone: Kubernetes makes NORMD_PORT and more for a service of the name normd.
 */
void config_find_strays(void (*tell)(void *arg, const char *name, const char *meant), void *arg);

/* The help text. */
void config_help(FILE *out);
