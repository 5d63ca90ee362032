/* SPDX-License-Identifier: MIT */
/*
 * The ceiling of `make bench-http`: libmicrohttpd answering every body with the same bytes, set up as normd sets it up
 * (epoll, as many event loops, the same memory a connection), and doing nothing else. No daemon on this library can be
 * faster than this.
 *
 *   echo THREADS
 *
 * prints its port and serves until its standard input ends, so that it never outlives the process that started it.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/limits.h"

#define ECHO_CONNECTIONS_MAX 1024u

struct exchange {
	char *body; /* size bytes, of which len were received; becomes the response's */
	size_t size, len;
	char type[64];
};

static const char *
header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* The headers are known: room for the whole body at once. A body of unknown length is refused. */
static struct exchange *
begin(struct MHD_Connection *connection)
{
	const char *length = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
	const char *type = header(connection, MHD_HTTP_HEADER_CONTENT_TYPE);
	struct exchange *x = length == NULL ? NULL : calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->size = strtoull(length, NULL, 10);
	x->body = malloc(x->size > 0 ? x->size : 1);
	if (x->body == NULL) {
		free(x);
		return NULL;
	}
	snprintf(x->type, sizeof(x->type), "%s", type == NULL ? "application/json" : type);
	return x;
}

static enum MHD_Result
answer(struct MHD_Connection *connection, struct exchange *x)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(x->len, x->body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	x->body = NULL;
	result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, x->type);
	if (result == MHD_YES)
		result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **context)
{
	struct exchange *x = *context;

	(void)arg, (void)url, (void)method, (void)version;
	if (x == NULL) {
		*context = begin(connection);
		return *context == NULL ? MHD_NO : MHD_YES;
	}
	if (*upload_size == 0)
		return answer(connection, x);
	if (*upload_size > x->size - x->len)
		return MHD_NO;
	memcpy(x->body + x->len, upload, *upload_size);
	x->len += *upload_size;
	*upload_size = 0;
	return MHD_YES;
}

static void
end(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *context;

	(void)arg, (void)connection, (void)how;
	if (x == NULL)
		return;
	free(x->body);
	free(x);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	unsigned threads = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	struct MHD_Daemon *daemon;
	char byte;

	if (threads < 2) {
		fprintf(stderr, "usage: echo THREADS (2 or more)\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, NULL, MHD_OPTION_SOCK_ADDR,
	    &address, MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_CONNECTION_LIMIT, ECHO_CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, MHD_OPTION_NOTIFY_COMPLETED, end, NULL,
	    MHD_OPTION_END);
	if (daemon == NULL) {
		fprintf(stderr, "echo: libmicrohttpd cannot be started\n");
		return 1;
	}
	printf("%u\n", (unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	MHD_stop_daemon(daemon);
	return 0;
}
