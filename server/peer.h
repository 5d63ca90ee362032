/* SPDX-License-Identifier: MIT */
/* The client's address. */
#pragma once

#include <microhttpd.h>
#include <netinet/in.h>
#include <stddef.h>

/* Room for an address with its scope. */
#define PEER_BYTES (INET6_ADDRSTRLEN + 16)

/* As text, from the connection or its socket; "" when it is not known. */
void peer_address(struct MHD_Connection *connection, char *out, size_t size);
void peer_address_of(int fd, char *out, size_t size);
