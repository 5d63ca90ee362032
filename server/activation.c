/* SPDX-License-Identifier: MIT */
#include "server/activation.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/listener.h"

/* The first descriptor that systemd passes, and the most that are believed. */
#define FIRST 3
#define COUNT_MAX 1024

/* A whole number; -1 if the variable is none, or missing. */
static long
read_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long number;

	if (text == NULL || *text < '0' || *text > '9')
		return -1;
	number = strtol(text, &end, 10);
	return *end == '\0' ? number : -1;
}

/* How many were passed to this process. The variables of another, which it has inherited, count for nothing. */
static int
read_count(unsigned *count, struct err *e)
{
	const bool ours = read_number("LISTEN_PID") == (long)getpid();
	const long number = read_number("LISTEN_FDS");

	*count = 0;
	if (!ours)
		return 0;
	if (number < 0 || number > COUNT_MAX)
		return err_fail(e, ERR_BAD_PARAMETER, "LISTEN_FDS is \"%.32s\"; it must be a number of sockets",
		    getenv("LISTEN_FDS") == NULL ? "" : getenv("LISTEN_FDS"));
	*count = (unsigned)number;
	return 0;
}

static int
read_option(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

/* What is wrong with a descriptor; NULL: nothing. */
static const char *
find_fault(int fd)
{
	struct stat st;
	const int family = read_option(fd, SO_DOMAIN);

	if (fstat(fd, &st) < 0)
		return "it is not open";
	if (!S_ISSOCK(st.st_mode))
		return "it is not a socket: use ListenStream=ADDR:PORT";
	if (family != AF_INET && family != AF_INET6)
		return "it is not a socket of TCP: use ListenStream=ADDR:PORT";
	if (read_option(fd, SO_TYPE) != SOCK_STREAM || read_option(fd, SO_PROTOCOL) != IPPROTO_TCP)
		return "it is not a socket of TCP: use ListenStream=, not ListenDatagram=";
	if (read_option(fd, SO_ACCEPTCONN) != 1)
		return "it does not listen: use Accept=no";
	return NULL;
}

static int
check_socket(int fd, const char *names, const struct value_address *listen, struct err *e)
{
	const char *fault = find_fault(fd);
	char host[LISTENER_HOST_BYTES];
	unsigned port;

	if (fault != NULL)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "systemd passed a socket (%.200s) that normd cannot serve: %s", names, fault);
	if (listen == NULL || listener_is_at(fd, listen->host, listen->port))
		return 0;
	port = listener_bound(fd, host);
	return err_fail(e, ERR_BAD_PARAMETER,
	    "--listen is %s:%s, but systemd passed a socket that listens on %s:%u: leave out --listen, or make "
	    "ListenStream= in the socket's unit the same",
	    listen->host, listen->port, host, port);
}

/* libmicrohttpd's loops must not wait in accept(2), and no other program gets the sockets. */
static int
set_flags(unsigned count)
{
	int flags = fcntl(FIRST, F_GETFL);

	for (unsigned i = 0; i < count; i++)
		(void)fcntl(FIRST + (int)i, F_SETFD, FD_CLOEXEC);
	return flags < 0 ? -1 : fcntl(FIRST, F_SETFL, flags | O_NONBLOCK);
}

static int
take(const struct value_address *listen, int *listener, struct err *e)
{
	const char *names = getenv("LISTEN_FDNAMES");
	unsigned count;

	names = names == NULL ? "without a name" : names;
	if (read_count(&count, e) < 0)
		return -1;
	if (count == 0)
		return 0;
	if (count > 1)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "systemd passed %u sockets (%.200s), but normd serves one: use one ListenStream= in one unit",
		    count, names);
	if (check_socket(FIRST, names, listen, e) < 0)
		return -1;
	if (set_flags(count) < 0)
		return err_fail(e, ERR_BAD_PARAMETER, "the socket that systemd passed cannot be made non-blocking");
	*listener = FIRST;
	return 0;
}

int
activation_take(const struct value_address *listen, int *listener, struct err *e)
{
	int result;

	*listener = -1;
	result = take(listen, listener, e);
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return result;
}
