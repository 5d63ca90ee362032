/* SPDX-License-Identifier: MIT */
/* What is denied in the sandbox. */
#include "tests/unit/sandbox_world.h"

#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_TCP = 4, ABI_SCOPES = 6 };

/* What a process that was taken over might try. Each returns a result as system calls do. */

static long
try_read_users(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static long
try_list(void)
{
	return open("outside", O_RDONLY | O_DIRECTORY);
}

static long
try_write(void)
{
	return open("outside/file", O_WRONLY);
}

static long
try_make(void)
{
	return open("outside/new", O_WRONLY | O_CREAT, 0600);
}

static long
try_make_nameless(void)
{
	return open("outside", O_TMPFILE | O_RDWR, 0600);
}

static long
try_read_run(void)
{
	return open("run/port", O_RDONLY | O_CREAT, 0600);
}

static long
try_truncate(void)
{
	return truncate("outside/file", 0);
}

static long
try_remove(void)
{
	return unlink("outside/file");
}

static long
try_move(void)
{
	return rename("store/s.db", "outside/s.db");
}

static long
try_folder(void)
{
	return mkdir("store/folder", 0700);
}

static long
try_symlink(void)
{
	return symlink("/etc/passwd", "store/link");
}

static long
try_unix_server(void)
{
	const struct sockaddr_un address = unix_address("store/socket", false);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

static long
try_other_process(void)
{
	return open("/proc/1/environ", O_RDONLY);
}

static long
try_connect(void)
{
	return connect(tcp_client, (struct sockaddr *)&tcp_address, sizeof(tcp_address));
}

static long
try_bind(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET };

	return bind(tcp_client, (const struct sockaddr *)&any, sizeof(any));
}

static long
try_abstract(void)
{
	const struct sockaddr_un address = unix_address(abstract_name, true);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	return connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

static long
try_signal(void)
{
	return kill(getppid(), 0);
}

static long
try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long
try_program(void)
{
	char *const nothing[] = { NULL };

	return execve("/bin/true", nothing, nothing);
}

#ifndef INSTRUMENTED
static long
try_process(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long
try_trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
#endif

static long
try_process_3(void)
{
	return syscall(SYS_clone3, NULL, 0);
}

static long
try_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static long
try_namespace_of_process(void)
{
	return syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, NULL, NULL, NULL, NULL);
}

static long
try_mount(void)
{
	return mount("none", "store", "tmpfs", 0, NULL);
}

static long
try_chroot(void)
{
	return chroot("store");
}

static long
try_bpf(void)
{
	return syscall(SYS_bpf, BPF_MAP_CREATE, NULL, 0);
}

static long
try_ring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL);
}

static long
try_keys(void)
{
	return syscall(SYS_keyctl, 0, -3, 0); /* the session's keyring, which everybody has */
}

static long
try_counters(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long
try_fault(void)
{
	return syscall(SYS_userfaultfd, 1);
}

static long
try_memory(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static long
try_module(void)
{
	return syscall(SYS_finit_module, -1, "", 0);
}

static long
try_user(void)
{
	return syscall(SYS_setuid, getuid());
}

static long
try_type(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static const struct {
	const char *what;
	long (*attempt)(void);
	int expected;
	int abi; /* of Landlock, from which on it is denied */
} attempts[] = {
	{ "reading a file", try_read, EACCES, 1 },
	{ "reading the users", try_read_users, EACCES, 1 },
	{ "listing files", try_list, EACCES, 1 },
	{ "writing a file", try_write, EACCES, 1 },
	{ "making a file", try_make, EACCES, 1 },
	{ "making a file without a name", try_make_nameless, EACCES, 1 },
	{ "writing where it only reads", try_write_secret, EACCES, 1 },
	{ "reading where it only writes", try_read_run, EACCES, 1 },
	{ "truncating a file", try_truncate, EACCES, ABI_TRUNCATE },
	{ "removing a file", try_remove, EACCES, 1 },
	{ "moving the store away", try_move, EACCES, ABI_REFER },
	{ "making a folder", try_folder, EACCES, 1 },
	{ "making a symbolic link", try_symlink, EACCES, 1 },
	{ "serving on a Unix socket", try_unix_server, EACCES, 1 },
	{ "reading what another process is told", try_other_process, EACCES, 1 },
	{ "connecting", try_connect, EACCES, ABI_TCP },
	{ "binding", try_bind, EACCES, ABI_TCP },
	{ "connecting to an abstract socket", try_abstract, EPERM, ABI_SCOPES },
	{ "signalling its parent", try_signal, EPERM, ABI_SCOPES },
	{ "a socket", try_socket, EPERM, 0 },
	{ "a netlink socket", try_netlink, EPERM, 0 },
	{ "starting a program", try_program, EPERM, 0 },
#ifndef INSTRUMENTED
	{ "starting a process", try_process, EPERM, 0 },
	{ "being traced", try_trace, EPERM, 0 },
#endif
	{ "starting a process by clone3", try_process_3, ENOSYS, 0 },
	{ "a namespace", try_namespace, EPERM, 0 },
	{ "a namespace for a process", try_namespace_of_process, EPERM, 0 },
	{ "mounting", try_mount, EPERM, 0 },
	{ "another root", try_chroot, EPERM, 0 },
	{ "BPF", try_bpf, EPERM, 0 },
	{ "io_uring", try_ring, EPERM, 0 },
	{ "the kernel's keys", try_keys, EPERM, 0 },
	{ "performance counters", try_counters, EPERM, 0 },
	{ "userfaultfd", try_fault, EPERM, 0 },
	{ "another process's memory", try_memory, EPERM, 0 },
	{ "a module", try_module, EPERM, 0 },
	{ "another user", try_user, EPERM, 0 },
	{ "typing into the terminal", try_type, EPERM, 0 },
};

static void
attempt_all(void)
{
	const int abi = enter_or_skip();
	long result;

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]) && abi > 0; i++) {
		errno = 0;
		result = attempts[i].attempt();
		must(attempts[i].abi > abi || (result == -1 && errno == attempts[i].expected), "%s: %ld, %s",
		    attempts[i].what, result, strerror(errno));
	}
}

START_TEST(what_normd_does_not_need_is_denied)
{
	make_world();
	run_apart(attempt_all);
	remove_world();
}
END_TEST

/* But nothing else that the network is good for. */
static void
attempt_with_database(void)
{
	int abi;

	store_url = "postgresql://localhost/normd";
	abi = enter_or_skip();
	if (abi == 0)
		return;
	must(try_socket() >= 0, "a socket: %s", strerror(errno));
	must(try_connect() == 0, "connecting: %s", strerror(errno));
	must(try_read_users() >= 0, "reading /etc, which has the names of servers: %s", strerror(errno));
	must(try_netlink() == -1 && errno == EPERM, "a netlink socket");
	must(abi < ABI_TCP || (try_bind() == -1 && errno == EACCES), "binding");
	must(try_read() == -1 && errno == EACCES, "reading a file");
}

START_TEST(a_store_in_postgresql_may_be_connected_to)
{
	make_world();
	run_apart(attempt_with_database);
	remove_world();
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("sandbox denied");
	TCase *t = tcase_create("enter");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_normd_does_not_need_is_denied);
	tcase_add_test(t, a_store_in_postgresql_may_be_connected_to);
	suite_add_tcase(suite, t);
	return suite;
}
