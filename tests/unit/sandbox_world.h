/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the sandbox share: files, folders and sockets inside and outside of it, and a child that enters it.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/sandbox.h"
#include "tests/unit/unit.h"

/* In a scratch directory: store/s.db, run/port, secret/tokens -> data/tokens, outside/file. It is the working one. */
static char directory[64], abstract_name[64];
static const char *store_url = "sqlite:store/s.db";
static int tcp_listener, unix_listener, tcp_client;
static struct sockaddr_in tcp_address = { .sin_family = AF_INET };

static inline void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static inline struct sockaddr_un
unix_address(const char *name, bool abstract)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path + abstract, sizeof(address.sun_path) - 1, "%s", name);
	return address;
}

static inline void
listen_outside(void)
{
	struct sockaddr_un abstract;
	socklen_t len = sizeof(tcp_address);

	tcp_listener = socket(AF_INET, SOCK_STREAM, 0);
	tcp_client = socket(AF_INET, SOCK_STREAM, 0);
	tcp_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(tcp_listener, (struct sockaddr *)&tcp_address, sizeof(tcp_address)), 0);
	ck_assert_int_eq(listen(tcp_listener, 1), 0);
	ck_assert_int_eq(getsockname(tcp_listener, (struct sockaddr *)&tcp_address, &len), 0);
	snprintf(abstract_name, sizeof(abstract_name), "normd-test-%ld", (long)getpid());
	abstract = unix_address(abstract_name, true);
	unix_listener = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(unix_listener, (struct sockaddr *)&abstract, sizeof(abstract)), 0);
}

static inline void
make_world(void)
{
	static const char *const folders[] = { "store", "run", "secret", "secret/data", "pages", "pages/shared",
		"outside" };

	snprintf(directory, sizeof(directory), "/tmp/normd-sandbox-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	unsetenv("SQLITE_TMPDIR");
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		ck_assert_int_eq(mkdir(folders[i], 0700), 0);
	write_file("store/s.db", "");
	write_file("outside/file", "text");
	write_file("pages/shared/dom.js", "text");
	write_file("secret/data/tokens", "old");
	ck_assert_int_eq(symlink("data/tokens", "secret/tokens"), 0);
	listen_outside();
}

static inline void
remove_world(void)
{
	char command[96];

	close(tcp_listener);
	close(tcp_client);
	close(unix_listener);
	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}

/* Also in a build that may use all files by itself. */
static inline int
enter_with(struct sandbox_places *places, enum config_sandbox mode, struct sandbox_state *state, struct err *e)
{
	if (places->list[0].access == SANDBOX_ALL)
		places->list[0] = places->list[--places->count];
	return sandbox_enter(mode, places, state, e);
}

/* Enters the sandbox of a daemon with these files. */
static inline int
enter(enum config_sandbox mode, struct sandbox_state *state, struct err *e)
{
	static struct sandbox_places places;
	const struct config config = { .store = store_url,
		.port_file = "run/port",
		.tokens = "secret/tokens",
		.tls_cert = "",
		.tls_key = "",
		.web_root = "pages" };

	sandbox_places_find(&places, &config);
	return enter_with(&places, mode, state, e);
}

/* Runs `inside` in a child, which must exit with 0. */
static inline void
run_apart(void (*inside)(void))
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		inside();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child failed: status %x", status);
}

/* In the child: says what is wrong and ends. */
PRINTF_LIKE(2, 3)
static inline void
must(bool condition, const char *format, ...)
{
	va_list ap;

	if (condition)
		return;
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

/* The kernel's version, or 0: the sandbox is not whole here, for instance under valgrind. */
static inline int
enter_or_skip(void)
{
	struct sandbox_state state;
	struct err e = { 0 };
	int abi = 0;

	must(enter(CONFIG_SANDBOX_TRY, &state, &e) == 0, "try failed: %s", e.detail);
	if (!state.complete)
		return 0;
	must(strcmp(state.seccomp, "on") == 0 && strcmp(state.no_new_privs, "on") == 0, "states");
	must(sscanf(state.landlock, "abi %d", &abi) == 1, "landlock is %s", state.landlock);
	must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs is not set");
	return abi;
}

/* Three attempts at what is denied in it. */

static inline long
try_read(void)
{
	return open("outside/file", O_RDONLY);
}

static inline long
try_write_secret(void)
{
	return open("secret/tokens", O_WRONLY);
}

static inline long
try_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}
