/* SPDX-License-Identifier: MIT */
/* The epoll functions that libmicrohttpd's event loops call instead of libc's. */
#ifndef SERVER_EPOLL_H
#define SERVER_EPOLL_H

#include <stdbool.h>

/* Whether libmicrohttpd calls the functions of epoll.c. */
bool epoll_is_ours(void);

#endif
