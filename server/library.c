/* SPDX-License-Identifier: MIT */
#include "server/library.h"

#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/log.h"

#define DISCARD_BYTES_MAX ((size_t)1 << 20)

void
library_discard_unread(int fd)
{
	char piece[16 << 10];
	ssize_t n = 1;

	for (size_t sum = 0; sum < DISCARD_BYTES_MAX && n > 0; sum += (size_t)n)
		n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
}

void
library_hide_query(const char *target)
{
	const char *query = strchr(target, '?');

	if (query != NULL && query[1] != '\0')
		*(char *)(uintptr_t)(query + 1) = '\0';
}

/* Immutable. What normd defines for libmicrohttpd to call, and what happens if it does not. */
static const struct {
	const char *name;
	void (*ours)(void);
	const char *otherwise;
} interposed[] = {
	{ "gnutls_bye", (void (*)(void))gnutls_bye, "clients whose handshake failed may wait (server/tls_session.c)" },
	{ "gnutls_handshake", (void (*)(void))gnutls_handshake,
	    "slow handshakes keep the processor busy (server/tls_session.c)" },
	{ "gnutls_record_recv", (void (*)(void))gnutls_record_recv,
	    "no client can connect with TLS (server/tls_session.c)" },
	{ "epoll_ctl", (void (*)(void))epoll_ctl, "some connections stay until they time out (server/epoll.c)" },
	{ "epoll_wait", (void (*)(void))epoll_wait, "some requests are served late (server/epoll.c)" },
	{ "recv", (void (*)(void))recv, "no request is served (server/intake.h)" },
};

bool
library_calls_ours(void)
{
	bool all = true;
	void *found;

	for (size_t i = 0; i < sizeof(interposed) / sizeof(interposed[0]); i++) {
		found = dlsym(RTLD_DEFAULT, interposed[i].name);
		if (memcmp(&found, &interposed[i].ours, sizeof(found)) == 0)
			continue;
		log_printf(LOG_WARN, "libmicrohttpd does not call normd's %s: %s", interposed[i].name,
		    interposed[i].otherwise);
		all = false;
	}
	return all;
}
