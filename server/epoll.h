/* SPDX-License-Identifier: MIT */
/* The calls of epoll that libmicrohttpd's event loops make: they come here instead of to libc. */
#ifndef SERVER_EPOLL_H
#define SERVER_EPOLL_H

#include <stdbool.h>

/* Whether they do, as where the dynamic linker looks into the program first. */
bool epoll_is_ours(void);

#endif
