/* An epoll_wait of our own, which libmicrohttpd's event loops call instead of libc's. */
#ifndef SERVER_EPOLL_WAIT_H
#define SERVER_EPOLL_WAIT_H

#include <stdbool.h>

/* Whether the calls of the libraries come here, as they do where the dynamic linker looks into the program first. */
bool epoll_wait_is_ours(void);

#endif
