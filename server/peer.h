/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a connection. */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <stddef.h>

/* Room for an address with its scope. */
#define PEER_BYTES (INET6_ADDRSTRLEN + 16)

/* The client's address as text; "" when it is not known. By the connection, or by its socket. */
void peer_address(struct MHD_Connection *connection, char *out, size_t size);
void peer_address_of(int fd, char *out, size_t size);

#endif
