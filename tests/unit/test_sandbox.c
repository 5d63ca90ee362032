/* SPDX-License-Identifier: MIT */
/* The sandbox, entered by a child of the test: what works in it, and what is said where it lacks. */
#include "tests/unit/sandbox_world.h"

#include <linux/capability.h>
#include <pthread.h>
#include <seccomp.h>
#include <sys/syscall.h>

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
	must_open("pages/shared/dom.js", O_RDONLY);
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
	tcase_add_test(t, what_normd_needs_works);
	tcase_add_test(t, what_commands_need_works);
	tcase_add_test(t, a_place_out_of_reach_turns_nothing_off);
	tcase_add_test(t, what_is_missing_is_said);
	suite_add_tcase(suite, t);
	return suite;
}
