/* SPDX-License-Identifier: MIT */
#include "server/peer.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

static void
format(const struct sockaddr *peer, char *out, size_t size)
{
	const void *address = peer;

	*out = '\0';
	/* For IPv4, inet_ntop is enough: getnameinfo also looks up names of interfaces, for every log line. */
	if (peer->sa_family == AF_INET) {
		if (inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out, (socklen_t)size) == NULL)
			*out = '\0';
	} else if (getnameinfo(peer, sizeof(struct sockaddr_in6), out, (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0) {
		*out = '\0';
	}
}

void
peer_address(struct MHD_Connection *connection, char *out, size_t size)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	*out = '\0';
	if (info != NULL && info->client_addr != NULL)
		format(info->client_addr, out, size);
}

void
peer_address_of(int fd, char *out, size_t size)
{
	union {
		struct sockaddr any;
		struct sockaddr_in6 in6;
	} peer = { .in6 = { 0 } };
	socklen_t len = sizeof(peer);

	*out = '\0';
	if (getpeername(fd, &peer.any, &len) == 0)
		format(&peer.any, out, size);
}
