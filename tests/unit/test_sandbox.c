/* SPDX-License-Identifier: MIT */
/* The sandbox, entered by a child of the test: what works in it, what does not, and what is said where it lacks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/sandbox.h"
#include "tests/unit/unit.h"

enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_TCP = 4, ABI_SCOPES = 6 };

/* In a scratch directory: store/s.db, run/port, secret/tokens -> data/tokens, outside/file. It is the working one. */
static char directory[64], abstract_name[64];
static int tcp_listener, unix_listener, tcp_client;
static struct sockaddr_in tcp_address = { .sin_family = AF_INET };

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static struct sockaddr_un
unix_address(const char *name, bool abstract)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path + abstract, sizeof(address.sun_path) - 1, "%s", name);
	return address;
}

static void
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

static void
make_world(void)
{
	static const char *const folders[] = { "store", "run", "secret", "secret/data", "outside" };

	snprintf(directory, sizeof(directory), "/tmp/normd-sandbox-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	unsetenv("SQLITE_TMPDIR");
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		ck_assert_int_eq(mkdir(folders[i], 0700), 0);
	write_file("store/s.db", "");
	write_file("outside/file", "text");
	write_file("secret/data/tokens", "old");
	ck_assert_int_eq(symlink("data/tokens", "secret/tokens"), 0);
	listen_outside();
}

static void
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
static int
enter_with(struct sandbox_places *places, enum config_sandbox mode, struct sandbox_state *state, struct err *e)
{
	if (places->list[0].access == SANDBOX_ALL)
		places->list[0] = places->list[--places->count];
	return sandbox_enter(mode, places, state, e);
}

/* Enters the sandbox of a daemon with these files. */
static int
enter(enum config_sandbox mode, struct sandbox_state *state, struct err *e)
{
	static struct sandbox_places places;
	const struct config config = { .store = "sqlite:store/s.db",
		.port_file = "run/port",
		.tokens = "secret/tokens",
		.tls_cert = "",
		.tls_key = "" };

	sandbox_places_find(&places, &config);
	return enter_with(&places, mode, state, e);
}

/* Runs `inside` in a child, which must exit with 0. */
static void
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
static void
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
static int
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

/* What a process that was taken over might try. Each returns a result as system calls do. */

static long
try_read(void)
{
	return open("outside/file", O_RDONLY);
}

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
try_write_secret(void)
{
	return open("secret/tokens", O_WRONLY);
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
try_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
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

static void *
do_nothing(void *arg)
{
	return arg;
}

static void
must_open(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	must(fd >= 0, "%s: %s", path, strerror(errno));
	close(fd);
}

static void
must_open_what_a_link_leads_to(void)
{
	char text[8] = "";
	int fd = open("secret/tokens", O_RDONLY);

	must(fd >= 0 && read(fd, text, 3) == 3 && strcmp(text, "new") == 0, "the file that was replaced: %s, %s", text,
	    strerror(errno));
	close(fd);
}

static void
use_what_is_needed(void)
{
	struct sockaddr_un abstract = unix_address(abstract_name, true);
	pthread_t thread;
	int fd, wake[2];

	must(setenv("NOTIFY_SOCKET", "@somewhere", 1) == 0, "setenv");
	must(pipe(wake) == 0, "pipe");
	if (fork() == 0) { /* outside: waits until its parent is inside, and replaces a file */
		must(read(wake[0], &(char){ 0 }, 1) == 1, "read");
		must(mkdir("secret/other", 0700) == 0, "mkdir");
		write_file("secret/other/tokens", "new");
		must(symlink("other/tokens", "secret/tokens.new") == 0, "symlink");
		must(rename("secret/tokens.new", "secret/tokens") == 0, "rename");
		_exit(0);
	}
	(void)enter_or_skip();
	must(strcmp(getenv("SQLITE_TMPDIR"), "store") == 0, "SQLITE_TMPDIR is %s", getenv("SQLITE_TMPDIR"));
	must_open("store/s.db", O_RDWR);
	must_open("store/new", O_RDWR | O_CREAT | O_TRUNC);
	must_open("store", O_RDONLY | O_DIRECTORY);
	must_open("store", O_TMPFILE | O_RDWR);
	must(truncate("store/new", 0) == 0, "truncate");
	must(rename("store/new", "store/newer") == 0 && unlink("store/newer") == 0, "replacing");
	must_open("run/port.1", O_WRONLY | O_CREAT | O_TRUNC);
	must(rename("run/port.1", "run/port") == 0, "replacing the port file");
	must_open("/dev/urandom", O_RDONLY);
	must_open("/proc/self/statm", O_RDONLY);
	must_open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	must(fd >= 0 && sendto(fd, "x", 1, 0, (struct sockaddr *)&abstract, sizeof(abstract)) == 1, "sendto: %s",
	    strerror(errno));
	must(pthread_create(&thread, NULL, do_nothing, NULL) == 0 && pthread_join(thread, NULL) == 0, "a thread");
	must(write(wake[1], "", 1) == 1 && wait(NULL) > 0, "the child");
	must_open_what_a_link_leads_to();
}

START_TEST(what_normd_needs_works)
{
	make_world();
	run_apart(use_what_is_needed);
	remove_world();
}
END_TEST

static void
use_what_a_restore_needs(void)
{
	static struct sandbox_places places;
	struct sandbox_state state;
	struct err e = { 0 };

	sandbox_places_of_command(&places, "secret/tokens", "sqlite:store/new.db");
	must(enter_with(&places, CONFIG_SANDBOX_TRY, &state, &e) == 0, "try failed: %s", e.detail);
	must_open("secret/tokens", O_RDONLY);
	must_open("store/new.db", O_RDWR | O_CREAT);
	must(!state.complete || (try_write_secret() == -1 && errno == EACCES), "writing the backup");
	must(!state.complete || (try_read() == -1 && errno == EACCES), "reading another file");
	must(!state.complete || (open("/tmp", O_TMPFILE | O_RDWR, 0600) == -1 && errno == EACCES), "writing to /tmp");
}

/* SQLite's temporary files need a place. */
static void
use_what_a_check_of_files_that_are_not_ours_needs(void)
{
	static struct sandbox_places places;
	struct sandbox_state state;
	struct err e = { 0 };

	must(chdir("/") == 0 && unsetenv("TMPDIR") == 0, "chdir");
	sandbox_places_of_command(&places, "", "sqlite:/none/s.db");
	must(enter_with(&places, CONFIG_SANDBOX_TRY, &state, &e) == 0, "try failed: %s", e.detail);
	must_open("/tmp", O_TMPFILE | O_RDWR);
}

START_TEST(what_commands_need_works)
{
	make_world();
	run_apart(use_what_a_restore_needs);
	run_apart(use_what_a_check_of_files_that_are_not_ours_needs);
	remove_world();
}
END_TEST

/* Root without its capabilities is denied what the mode denies. */
static void
enter_with_a_place_out_of_reach(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { { 0 } };
	struct sandbox_state state;
	struct err e = { 0 };

	must(syscall(SYS_capset, &header, none) == 0, "capset: %s", strerror(errno));
	must(setenv("SQLITE_TMPDIR", "outside/closed/folder", 1) == 0, "setenv");
	must(open("outside/closed/folder", O_PATH) == -1 && errno == EACCES, "the folder is not closed");
	must(enter(CONFIG_SANDBOX_TRY, &state, &e) == 0, "try failed: %s", e.detail);
	must(strstr(state.landlock, "outside") == NULL, "landlock is %s", state.landlock);
	must_open("store/s.db", O_RDWR);
	must(!state.complete || (try_read() == -1 && errno == EACCES), "reading outside: %s", strerror(errno));
}

START_TEST(a_place_out_of_reach_turns_nothing_off)
{
	make_world();
	ck_assert_int_eq(mkdir("outside/closed", 0), 0);
	run_apart(enter_with_a_place_out_of_reach);
	remove_world();
}
END_TEST

/* A system call that fails, as on a kernel that does not have it; if there is a condition, where that holds. */
struct lost {
	const char *name;
	int error;
	unsigned conditions;
	struct scmp_arg_cmp condition;
};

/* In one filter: no other could be loaded after it. */
static void
lose(const struct lost *calls, size_t count)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool made = filter != NULL;

	for (size_t i = 0; i < count && made; i++)
		made = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)calls[i].error),
			   seccomp_syscall_resolve_name(calls[i].name), calls[i].conditions, &calls[i].condition) == 0;
	must(made && seccomp_load(filter) == 0, "no filter");
	seccomp_release(filter);
}

static void
enter_incomplete(const char *missing)
{
	struct sandbox_state state;
	struct err e = { 0 };

	must(enter(CONFIG_SANDBOX_REQUIRE, &state, &e) == -1, "require was content");
	must(strstr(e.detail, missing) != NULL, "\"%s\" does not have \"%s\"", e.detail, missing);
	must(strstr(e.detail, "--sandbox try") != NULL, "\"%s\" does not help", e.detail);
	must(enter(CONFIG_SANDBOX_TRY, &state, &e) == 0 && !state.complete, "try was not content");
}

static void
enter_without_landlock(void)
{
	lose(&(const struct lost){ .name = "landlock_create_ruleset", .error = ENOSYS }, 1);
	enter_incomplete("landlock is off: landlock_create_ruleset: the kernel has no Landlock");
}

static void
enter_with_landlock_disabled(void)
{
	lose(&(const struct lost){ .name = "landlock_create_ruleset", .error = EOPNOTSUPP }, 1);
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 0) == -1 && errno == EOPNOTSUPP) /* but under valgrind */
		enter_incomplete("the kernel's Landlock is disabled");
}

static void
enter_without_seccomp(void)
{
	const struct lost both[] = { { .name = "seccomp", .error = ENOSYS },
		{ "prctl", EINVAL, 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0) } };

	lose(both, 2);
	enter_incomplete("seccomp is off: the filter cannot be loaded");
}

static void
stay_out(void)
{
	struct sandbox_state state;
	struct err e = { 0 };

	must(enter(CONFIG_SANDBOX_OFF, &state, &e) == 0 && state.complete, "off is not content");
	must(strcmp(state.landlock, "off") == 0 && strcmp(state.seccomp, "off") == 0 &&
		strcmp(state.no_new_privs, "off") == 0,
	    "states");
	must(try_read() >= 0 && try_socket() >= 0, "something is denied");
}

START_TEST(what_is_missing_is_said)
{
	make_world();
	run_apart(enter_without_landlock);
	run_apart(enter_with_landlock_disabled);
	run_apart(enter_without_seccomp);
	run_apart(stay_out);
	remove_world();
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *t = tcase_create("enter");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_normd_does_not_need_is_denied);
	tcase_add_test(t, what_normd_needs_works);
	tcase_add_test(t, what_commands_need_works);
	tcase_add_test(t, a_place_out_of_reach_turns_nothing_off);
	tcase_add_test(t, what_is_missing_is_said);
	suite_add_tcase(suite, t);
	return suite;
}
