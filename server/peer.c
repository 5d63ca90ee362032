#include "server/peer.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

void
peer_address(struct MHD_Connection *connection, char *out, size_t size)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *peer;

	*out = '\0';
	if (info == NULL || info->client_addr == NULL)
		return;
	peer = info->client_addr;
	/* An IPv4 address needs none of getnameinfo's work, a lookup of interfaces' names among it, which every log line would pay for. */
	if (peer->sa_family == AF_INET) {
		if (inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, out, (socklen_t)size) ==
		    NULL)
			*out = '\0';
	} else if (getnameinfo(peer, sizeof(struct sockaddr_in6), out, (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0) {
		*out = '\0';
	}
}
