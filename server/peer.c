/* SPDX-License-Identifier: MIT */
#include "server/peer.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <sys/socket.h>

/* `peer` may be NULL. */
static void
format(const struct sockaddr *peer, char *out, size_t size)
{
	const void *address = peer;
	bool known = false;

	/* For IPv4, inet_ntop is enough: getnameinfo also looks up names of interfaces, for every log line. */
	if (peer != NULL && peer->sa_family == AF_INET)
		known =
		    inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out, (socklen_t)size) != NULL;
	else if (peer != NULL)
		known =
		    getnameinfo(peer, sizeof(struct sockaddr_in6), out, (socklen_t)size, NULL, 0, NI_NUMERICHOST) == 0;
	if (!known)
		*out = '\0';
}

void
peer_address(struct MHD_Connection *connection, char *out, size_t size)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	format(info == NULL ? NULL : info->client_addr, out, size);
}

void
peer_address_of(int fd, char *out, size_t size)
{
	union {
		struct sockaddr any;
		struct sockaddr_in6 in6;
	} peer = { .in6 = { 0 } };
	socklen_t len = sizeof(peer);

	format(getpeername(fd, &peer.any, &len) == 0 ? &peer.any : NULL, out, size);
}
