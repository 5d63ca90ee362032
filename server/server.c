#include "server/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "handlers/claims.h"
#include "handlers/definition.h"
#include "server/answer.h"
#include "server/deadline.h"
#include "server/epoll.h"
#include "server/exchange.h"
#include "server/listener.h"

#define CONNECTION_MEMORY_BYTES ((size_t)32 * 1024)
#define CONNECTION_IDLE_S 60u
#define CONNECTIONS_MAX 16384u
#define DESCRIPTORS_SPARE ((rlim_t)64)
#define QUEUE_MAX ((size_t)65536)

void
server_enter(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->active++;
	pthread_mutex_unlock(&s->lock);
}

void
server_leave(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	if (--s->active == 0)
		pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

static void
log_library(void *arg, const char *format, va_list ap)
{
	char message[512];

	(void)arg;
	vsnprintf(message, sizeof(message), format, ap);
	message[strcspn(message, "\n")] = '\0';
	log_printf(LOG_DEBUG, "libmicrohttpd: %s", message);
}

/* As many connections as file descriptors allow: the soft limit is raised to the hard one. */
static unsigned
connection_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 256;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 4 * DESCRIPTORS_SPARE)
		return 128;
	limit.rlim_cur -= DESCRIPTORS_SPARE;
	return limit.rlim_cur < CONNECTIONS_MAX ? (unsigned)limit.rlim_cur : CONNECTIONS_MAX;
}

/* Percent-decoding is url.c's, which sees the target as it was sent: libmicrohttpd would cut it at %00. */
static size_t
leave_encoded(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg, (void)connection;
	return strlen(text);
}

static struct MHD_Daemon *
start_daemon(struct server *s, int listener, unsigned thread_count)
{
	if (!epoll_is_ours())
		log_printf(LOG_WARN, "libmicrohttpd calls libc's epoll: requests may be left lying (server/epoll.c)");
	return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
	    exchange_handle, s, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET, listener,
	    MHD_OPTION_THREAD_POOL_SIZE, thread_count, MHD_OPTION_CONNECTION_LIMIT, connection_limit(),
	    MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES,
	    MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, s, MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, exchange_end, s, MHD_OPTION_NOTIFY_CONNECTION, deadline_notify, s->deadlines,
	    MHD_OPTION_END);
}

/* What the daemon uses, when it uses it no more. */
static void
free_parts(struct server *s)
{
	deadlines_stop(s->deadlines);
	store_close(s->store);
	if (s->exhausted != NULL)
		MHD_destroy_response(s->exhausted);
	claims_free(s->claims);
}

int
server_start(struct server *s, const struct config *config, struct err *e)
{
	struct store_options options = {
		.url = config->store,
		.queue_max = QUEUE_MAX,
		.cache_bytes_max = config->memory.cache,
		.definitions = definition_ops,
	};
	int listener;

	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->idle, NULL);
	s->max_body_bytes = config->max_body_bytes;
	budget_init(&s->memory, config->memory.requests);
	/* The listener first: a port that is taken is found out before a store's file is made. */
	listener = listener_open(config->host, config->port, &s->port, e);
	if (listener < 0)
		return -1;
	s->claims = claims_new();
	s->exhausted = answer_make_exhausted();
	if (s->claims == NULL || s->exhausted == NULL) {
		(void)err_set_memory(e);
		goto fail;
	}
	s->store = store_open(&options, e);
	if (s->store == NULL)
		goto fail;
	s->deadlines = deadlines_start(config->client_timeout_s, e);
	if (s->deadlines == NULL)
		goto fail;
	s->daemon = start_daemon(s, listener, config->thread_count);
	if (s->daemon == NULL) {
		(void)err_set(e, ERR_OVERLOADED, "the event loops cannot be started: %s", strerror(errno));
		goto fail;
	}
	if (*config->port_file == '\0' || listener_write_port(config->port_file, s->port, e) == 0)
		return 0;
fail:
	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon); /* closes the listener too */
	else
		close(listener);
	free_parts(s);
	return -1;
}

/* Waits until no request runs; returns how many still do at the deadline. */
static unsigned long
wait_idle(struct server *s, unsigned timeout_s)
{
	struct timespec deadline;
	unsigned long left;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += timeout_s;
	pthread_mutex_lock(&s->lock);
	while (s->active > 0 && pthread_cond_timedwait(&s->idle, &s->lock, &deadline) != ETIMEDOUT)
		;
	left = s->active;
	pthread_mutex_unlock(&s->lock);
	return left;
}

unsigned long
server_stop(struct server *s, unsigned timeout_s)
{
	unsigned long left;
	int listener;

	atomic_store(&s->draining, true);
	/* New clients are refused at once; the descriptor is in the event loops' hands until they have stopped. */
	listener = MHD_quiesce_daemon(s->daemon);
	if (listener >= 0)
		(void)shutdown(listener, SHUT_RDWR);
	left = wait_idle(s, timeout_s);
	/* libmicrohttpd must have no suspended connection when it stops: the store answers all that it holds first. */
	store_stop(s->store);
	MHD_stop_daemon(s->daemon);
	if (listener >= 0)
		close(listener);
	free_parts(s);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->idle);
	return left;
}
