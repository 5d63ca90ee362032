/* SPDX-License-Identifier: MIT */
#include "server/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "handlers/claims.h"
#include "handlers/definition_stored.h"
#include "handlers/routes.h"
#include "handlers/usage.h"
#include "sync/meeting.h"
#include "sync/sync.h"
#include "server/access.h"
#include "server/activation.h"
#include "server/answer.h"
#include "server/workers.h"
#include "server/crowd.h"
#include "server/connections.h"
#include "server/exchange.h"
#include "server/guard.h"
#include "server/library.h"
#include "server/limits.h"
#include "server/listener.h"
#include "server/metrics_read.h"
#include "server/notify.h"
#include "server/tls.h"

#define QUIET_US ((uint64_t)100000)
#define BACKLOG_US ((uint64_t)1000000)
#define HANDSHAKE_US ((uint64_t)20000)

/*
 * Longer than load balancers keep connections idle (60 s to 600 s), so that they close first: otherwise they may send a
 * request into a connection that is being closed. An idle connection costs little, and makes room when there are many.
 */
#define CONNECTION_IDLE_S 620u

#define QUEUE_MAX ((size_t)65536)

/*
 * What systemd is asked for while the store opens. At first, because the recovery of a large log shows no progress;
 * then again and again, as long as it gets on.
 */
#define OPENING_US ((uint64_t)120000000)

PRINTF_LIKE(2, 0)
static void
log_library(void *arg, const char *format, va_list ap)
{
	char message[512];

	(void)arg;
	vsnprintf(message, sizeof(message), format, ap);
	message[strcspn(message, "\n")] = '\0';
	log_printf(LOG_DEBUG, "libmicrohttpd: %s", message);
}

/* url.c decodes percent-encoding in the target as it was received: libmicrohttpd would cut it at %00. */
static size_t
leave_encoded(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg, (void)connection;
	return strlen(text);
}

#define LOOP_FLAGS (MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG)

static struct MHD_Daemon *
start_daemon(struct server *s, unsigned thread_count)
{
	struct MHD_OptionItem tls[TLS_OPTION_COUNT + 1] = { { MHD_OPTION_END, 0, NULL } };
	const struct MHD_OptionItem options[] = {
		{ MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_library, NULL }, /* first: it gets what the others say */
		{ MHD_OPTION_LISTEN_SOCKET, s->listener, NULL },
		{ MHD_OPTION_THREAD_POOL_SIZE, thread_count, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, s->connections_max, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_IDLE_S, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, NULL },
		{ MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
		{ MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_begin, s },
		{ MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_encoded, NULL },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_end, s },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)exchange_notify, s },
		{ MHD_OPTION_END, 0, NULL },
	};

	if (s->tls != NULL)
		tls_options(tls);
	(void)library_calls_ours();
	return MHD_start_daemon(LOOP_FLAGS | (s->tls == NULL ? 0 : MHD_USE_TLS), 0, NULL, NULL, exchange_handle, s,
	    MHD_OPTION_ARRAY, options, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

/*
 * libmicrohttpd must have no suspended connection when it stops. So the store, the computing threads and the leaders of
 * synchronized steps finish first.
 */
static void
stop_loops(struct server *s)
{
	sync_stop(s->sync);
	store_stop(s->store);
	workers_stop(s->workers);
	sync_settle(s->sync);
	MHD_stop_daemon(s->daemon);
}

/* After the event loops have ended. */
static void
free_parts(struct server *s)
{
	connections_stop(s->connections);
	workers_free(s->workers);
	store_close(s->store);
	if (s->exhausted != NULL)
		MHD_destroy_response(s->exhausted);
	sync_free(s->sync);
	if (s->meeting != NULL)
		s->meeting->close(s->meeting);
	claims_free(s->claims);
	usage_free(s->usage);
	tls_close(s->tls);
	access_free(s->access);
}

static void
opening_goes_on(void *arg)
{
	(void)arg;
	notify_extend(OPENING_US);
}

/* Whatever a request needs but the event loops. */
static int
start_parts(struct server *s, const struct config *config, struct err *e)
{
	const struct store_options options = {
		.url = config->store,
		.queue_max = QUEUE_MAX,
		.cache_bytes_max = config->memory.cache,
		.sources_bytes_max = config->memory.sources,
		.key_lifetime_s = config->key_lifetime_s,
		.keys_max = config->keys_max,
		.history_interval_s = config->history_interval_s,
		.max_staleness_us = config->max_staleness_s > 0 ? 1000000 * (uint64_t)config->max_staleness_s : 1,
		.definitions = definition_ops,
		.opening = { .progress = opening_goes_on },
	};
	const struct connections_limits limits_of_clients = { config->client_timeout_s, s->connections_max,
		config->connections_per_address_max };
	struct sync_limits limits = { &s->memory, crowd_waiting_max(s->connections_max),
		1000 * config->sync_timeout_max_s, NULL };

	if (*config->tls_cert != '\0' && (s->tls = tls_open(config->tls_cert, config->tls_key, e)) == NULL)
		return -1;
	s->claims = claims_new();
	s->usage = usage_new(USAGE_PLACES);
	s->exhausted = answer_make_exhausted();
	if (s->claims == NULL || s->usage == NULL || s->exhausted == NULL)
		return err_fail_memory(e);
	notify_status("Opening the store");
	notify_extend(OPENING_US);
	if ((s->store = store_open(&options, e)) == NULL || store_meeting_open(config->store, &s->meeting, e) < 0)
		return -1;
	limits.meeting = s->meeting;
	if ((s->sync = sync_start(&limits, e)) == NULL || (s->workers = workers_start(config->thread_count, e)) == NULL)
		return -1;
	s->connections = connections_start(&limits_of_clients, e);
	return s->connections == NULL ? -1 : 0;
}

static int
start_all(struct server *s, const struct config *config, struct err *e)
{
	s->origins = config->origins;
	s->origins.refuse_none = s->access != NULL;
	s->origins.loopback_only = s->access == NULL && listener_is_loopback(s->listener);
	s->origins.https = *config->tls_cert != '\0';
	s->connections_max = crowd_limit(config->thread_count, config->memory.connections / config->memory.connection);
	if (start_parts(s, config, e) < 0)
		return -1;
	s->daemon = start_daemon(s, config->thread_count);
	if (s->daemon == NULL)
		return err_fail(e, ERR_OVERLOADED, "the event loops cannot be started: %s", strerror(errno));
	return *config->port_file == '\0' ? 0 : listener_write_port(config->port_file, s->port, e);
}

/* Reads the tokens, if there is to be a file of them. */
static int
start_access(struct server *s, const struct config *config, struct err *e)
{
	if (*config->tokens == '\0')
		return 0;
	s->access = access_new(&(struct access_options){ config->tokens, config->open_metrics }, e);
	if (s->access == NULL) {
		err_prepend(e, "--tokens: ");
		return -1;
	}
	return 0;
}

static int
check_web(const struct config *config, struct err *e)
{
	if (*config->web_root == '\0' || web_check_root(config->web_root, e) == 0)
		return 0;
	err_prepend(e, "--web-root: ");
	return -1;
}

/* Sets the listener: systemd's, or one of its own; -1 if there is none. */
static int
find_listener(struct server *s, const struct config *config, struct err *e)
{
	const bool named = config->texts[CONFIG_listen].source != CONFIG_FROM_DEFAULT;

	if (activation_take(named ? &config->listen : NULL, &s->listener, e) < 0)
		return -1;
	s->activated = s->listener >= 0;
	if (!s->activated)
		s->listener = listener_open(config->listen.host, config->listen.port, e);
	if (s->listener < 0)
		return -1;
	s->port = listener_bound(s->listener, s->host);
	return 0;
}

int
server_check_exposure(const struct config *config, const char *host, bool loopback, struct err *e)
{
	if (loopback || config->insecure || *config->tokens != '\0')
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER,
	    "%s is not a loopback address, and without tokens everybody who can connect may read, change and delete "
	    "all: set --tokens FILE (see normd token), or --insecure if that is meant",
	    host);
}

static int
check_exposure(const struct server *s, const struct config *config, struct err *e)
{
	const struct log_field address = { .name = "address", .text = s->host };
	const bool loopback = listener_is_loopback(s->listener);

	if (server_check_exposure(config, s->host, loopback, e) < 0)
		return -1;
	if (loopback)
		return 0;
	if (s->access == NULL)
		log_event(LOG_WARN,
		    "--insecure: there are no tokens, so everybody who can connect may read, change and delete all",
		    &address, 1);
	else if (*config->tls_cert == '\0')
		log_event(LOG_WARN,
		    "tokens are sent without encryption: set --tls-cert and --tls-key, unless a proxy in front or the "
		    "network encrypts",
		    &address, 1);
	return 0;
}

int
server_listen(struct server *s, const struct config *config, struct err *e)
{
	memset(s, 0, sizeof(*s));
	s->web.root = config->web == CONFIG_OFF ? NULL : config->web_root;
	s->max_body_bytes = config->max_body_bytes;
	s->max_import_bytes = config->max_import_bytes;
	s->requests_per_second_max = config->requests_per_second_max;
	s->memory_max = config->memory.total;
	budget_init(&s->memory, config->memory.requests);
	routes_name_series();
	if (crowd_check_descriptors(config->thread_count, e) < 0 ||
	    (*config->port_file != '\0' && listener_check_port_file(config->port_file, e) < 0) ||
	    check_web(config, e) < 0 || start_access(s, config, e) < 0)
		return -1;
	/* Before all else: a port that is taken is found out before a store's file is made. */
	if (find_listener(s, config, e) == 0 && check_exposure(s, config, e) == 0)
		return 0;
	if (s->listener >= 0)
		close(s->listener);
	access_free(s->access);
	return -1;
}

void
server_abandon(struct server *s)
{
	close(s->listener);
	access_free(s->access);
	s->access = NULL;
}

/*
 * Takes no more connections, and refuses new ones, unless the listener is systemd's. The descriptor is closed later,
 * when no loop can be accepting: a loop may be at it now, and its connection is known when all have gone on.
 */
static void
close_listener(struct server *s)
{
	(void)MHD_quiesce_daemon(s->daemon);
	pulse_mark();
	if (s->activated)
		s->had_connections = true;
	else
		(void)shutdown(s->listener, SHUT_RDWR);
	s->refusing = true;
}

int
server_start(struct server *s, const struct config *config, struct err *e)
{
	if (start_all(s, config, e) == 0) {
		metrics_of_server(s);
		return 0;
	}
	if (s->daemon != NULL) {
		close_listener(s);
		stop_loops(s);
	}
	server_abandon(s);
	if (s->sync != NULL)
		sync_stop(s->sync);
	free_parts(s);
	return -1;
}

void
server_remind(struct server *s)
{
	if (s->tls != NULL)
		tls_remind(s->tls, clock_realtime_s());
}

void
server_leave(struct server *s)
{
	atomic_store(&s->phase, SERVER_LEAVES);
}

void
server_drain(struct server *s)
{
	if (!s->activated)
		atomic_store(&s->phase, SERVER_DRAINS);
	else if (atomic_load(&s->phase) == SERVER_SERVES)
		atomic_store(&s->phase, SERVER_HANDS_OVER);
	s->drain_us = clock_monotonic_us();
	sync_stop(s->sync); /* no step can fill any more */
	if (s->activated)
		close_listener(s); /* to this process: a filter or a shutdown would be the next one's too */
	else
		listener_freeze(s->listener);
}

/*
 * Handshakes that had begun get the time of a round trip within a data centre. At the limit of connections none is
 * accepted while the others are idle, so the wait is limited.
 */
static bool
backlog_waits(const struct server *s, uint64_t now_us)
{
	uint64_t past_us = now_us - s->drain_us;

	return past_us < HANDSHAKE_US || (past_us < BACKLOG_US && listener_has_waiting(s->listener));
}

/*
 * Nothing shows a request between its first bytes and its first line, or a connection between its accept and its
 * record. So the server must have been quiet for a while, unless there was no connection at all.
 */
bool
server_is_drained(struct server *s)
{
	uint64_t now_us = clock_monotonic_us();

	if (!s->refusing && backlog_waits(s, now_us))
		return false;
	if (!s->refusing)
		close_listener(s);
	if (!pulse_passed() || atomic_load(&s->active) > 0 || connections_unread(s->connections, &s->had_connections)) {
		s->quiet_since_us = 0;
		return false;
	}
	if (s->quiet_since_us == 0)
		s->quiet_since_us = now_us;
	return !s->had_connections || now_us - s->quiet_since_us >= QUIET_US;
}

unsigned long
server_stop(struct server *s)
{
	unsigned long left = atomic_load(&s->active);

	metrics_forget_server();
	if (!s->refusing)
		close_listener(s);
	stop_loops(s);
	close(s->listener);
	free_parts(s);
	return left;
}
