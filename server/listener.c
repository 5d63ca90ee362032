/* SPDX-License-Identifier: MIT */
#include "server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "server/authority.h"

#define BACKLOG 4096
#define TCP_FLAGS_OFFSET 13

/* A listening socket on one address, or -1 with errno. */
static int
listen_on(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, error;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six; /* whose port lies where that of `four` does */
};

static bool
read_address(int listener, union address *address)
{
	socklen_t len = sizeof(*address);

	return getsockname(listener, &address->any, &len) == 0;
}

static bool
is_loopback(const union address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohl(address->four.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return address->any.sa_family == AF_INET6 && authority_is_loopback_six(&address->six.sin6_addr);
}

bool
listener_is_loopback(int listener)
{
	union address address = { .six = { 0 } };

	return read_address(listener, &address) && is_loopback(&address);
}

/* NULL with `e`. */
static struct addrinfo *
find_addresses(const char *host, const char *port, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found = NULL;
	int rc = getaddrinfo(host, port, &hints, &found);

	if (rc != 0)
		err_set(e, rc == EAI_AGAIN ? ERR_OVERLOADED : ERR_BAD_PARAMETER, "cannot listen on %s: %s", host,
		    gai_strerror(rc));
	return rc == 0 ? found : NULL;
}

int
listener_names_loopback(const char *host, struct err *e)
{
	struct addrinfo *found = find_addresses(host, "0", e);
	union address address = { .six = { 0 } };
	bool all = true;

	if (found == NULL)
		return -1;
	for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
		memcpy(&address, a->ai_addr, a->ai_addrlen < sizeof(address) ? a->ai_addrlen : sizeof(address));
		all = all && is_loopback(&address);
	}
	freeaddrinfo(found);
	return all;
}

unsigned
listener_bound(int listener, char host[LISTENER_HOST_BYTES])
{
	union address address = { .six = { 0 } };

	host[0] = '\0';
	if (!read_address(listener, &address) ||
	    getnameinfo(&address.any, sizeof(address), host, LISTENER_HOST_BYTES, NULL, 0, NI_NUMERICHOST) != 0)
		return 0;
	return ntohs(address.four.sin_port);
}

/* Without what does not belong to the address, such as a scope. */
static bool
same_address(const union address *a, const struct sockaddr *b)
{
	if (a->any.sa_family != b->sa_family)
		return false;
	if (b->sa_family == AF_INET)
		return a->four.sin_addr.s_addr == ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
	return memcmp(&a->six.sin6_addr, &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
		   sizeof(a->six.sin6_addr)) == 0;
}

bool
listener_is_at(int listener, const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found = NULL;
	union address address = { .six = { 0 } };
	bool same = false;

	if (!read_address(listener, &address) || getaddrinfo(host, port, &hints, &found) != 0)
		return false;
	for (const struct addrinfo *a = found; a != NULL && !same; a = a->ai_next)
		same = same_address(&address, a->ai_addr);
	freeaddrinfo(found);
	return same && (strcmp(port, "0") == 0 || strtoul(port, NULL, 10) == ntohs(address.four.sin_port));
}

int
listener_open(const char *host, const char *port, struct err *e)
{
	struct addrinfo *found = find_addresses(host, port, e);
	int fd = -1;

	if (found == NULL)
		return -1;
	for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next)
		fd = listen_on(a);
	freeaddrinfo(found);
	if (fd < 0 && errno == EADDRINUSE)
		return err_fail(e, ERR_OVERLOADED,
		    "port %s of %s is taken: is another normd running? Choose another with --listen", port, host);
	if (fd < 0)
		return err_fail(e, errno == EACCES ? ERR_BAD_PARAMETER : ERR_OVERLOADED, "cannot listen on %s:%s: %s",
		    host, port, strerror(errno));
	return fd;
}

void
listener_freeze(int listener)
{
	/* A packet begins with its TCP header here. A connection's first has SYN; the one that completes it has not. */
	struct sock_filter drop_syn[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = sizeof(drop_syn) / sizeof(*drop_syn), .filter = drop_syn };

	(void)setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

bool
listener_has_waiting(int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0;
}

#define PORT_TEXT_MAX (sizeof("65535\n") - 1)

static int
refuse_contents(const char *path, struct err *e)
{
	return err_fail(e, ERR_BAD_PARAMETER,
	    "cannot write %s: it has other contents than a port, which would be lost; name another file", path);
}

/* Checks what can be checked in the sandbox, where the port file can be replaced, but not read. */
static int
check_place(const char *path, struct err *e)
{
	struct stat st;

	if (!path_folder_is_writable(path))
		return err_fail(e, ERR_BAD_PARAMETER, "%s cannot be made, for its folder: %s", path, strerror(errno));
	if (stat(path, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return err_fail(e, ERR_BAD_PARAMETER, "cannot write %s: it is a folder", path);
	if (!S_ISREG(st.st_mode))
		return err_fail(e, ERR_BAD_PARAMETER, "cannot write %s: it is not a regular file", path);
	if (st.st_size <= (off_t)PORT_TEXT_MAX)
		return 0;
	return refuse_contents(path, e);
}

int
listener_check_port_file(const char *path, struct err *e)
{
	char text[PORT_TEXT_MAX + 1] = { 0 };
	ssize_t n = 0;
	int fd;

	/* Larger files are not opened: closing the store's would drop its locks. */
	if (check_place(path, e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0) {
		n = read(fd, text, PORT_TEXT_MAX);
		close(fd);
	}
	if (n <= 0 || strspn(text, "0123456789\n") == (size_t)n)
		return 0;
	return refuse_contents(path, e);
}

int
listener_write_port(const char *path, unsigned port, struct err *e)
{
	char temporary[4096];
	FILE *file;
	bool written;

	if (check_place(path, e) < 0)
		return -1;
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid()) >= sizeof(temporary))
		return err_fail(e, ERR_BAD_PARAMETER, "the path of --port-file is too long");
	file = fopen(temporary, "w");
	if (file == NULL)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "cannot write %s: %s", temporary, strerror(errno));
	written = fprintf(file, "%u\n", port) > 0;
	written = fclose(file) == 0 && written;
	if (written && rename(temporary, path) == 0)
		return 0;
	err_set(e, ERR_STORAGE_UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
	unlink(temporary);
	return -1;
}
