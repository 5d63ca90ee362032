/* SPDX-License-Identifier: MIT */
/*
 * All rights of the kernel's version are denied, and then given to the places. Version 7 added only how denials are
 * audited; by default the kernel's audit has those of this program.
 */
#include "server/sandbox_landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the headers of Debian 12 lack. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

/* struct landlock_ruleset_attr, which is shorter in old headers. Old kernels accept the rest if it is 0. */
struct rights {
	uint64_t files;
	uint64_t network;
	uint64_t scopes;
};

#define FILES_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILES_REPLACE \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_REG | \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* Up to LANDLOCK_ACCESS_FS_MAKE_SYM. */
#define FILES_OF_VERSION_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
/* What a rule for a single file may give. */
#define FILES_NOT_DIRECTORIES \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | \
	    LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* What each version can deny beyond those before it. */
static const struct {
	int abi;
	struct rights rights;
} versions[] = {
	{ 1, { .files = FILES_OF_VERSION_1 } },
	{ 2, { .files = LANDLOCK_ACCESS_FS_REFER } },
	{ 3, { .files = LANDLOCK_ACCESS_FS_TRUNCATE } },
	{ 4, { .network = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP } },
	{ 5, { .files = LANDLOCK_ACCESS_FS_IOCTL_DEV } },
	{ 6, { .scopes = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL } },
};

static const uint64_t given[] = {
	[SANDBOX_READ] = FILES_READ,
	[SANDBOX_REPLACE] = FILES_REPLACE,
	[SANDBOX_CHANGE] = FILES_READ | FILES_REPLACE,
	[SANDBOX_ALL] = UINT64_MAX,
};

static int
failed(const char *step, struct err *e)
{
	return err_fail(e, ERR_OVERLOADED, "%s: %s", step,
	    errno == ENOSYS         ? "the kernel has no Landlock" :
		errno == EOPNOTSUPP ? "the kernel's Landlock is disabled" :
				      strerror(errno));
}

static struct rights
denied_by(int abi, const struct sandbox_landlock *wanted)
{
	struct rights denied = { 0 };

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]) && versions[i].abi <= abi; i++) {
		denied.files |= versions[i].rights.files;
		denied.network |= versions[i].rights.network;
		denied.scopes |= versions[i].rights.scopes;
	}
	if (wanted->abstract_sockets)
		denied.scopes &= ~LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET;
	if (wanted->connects)
		denied.network &= ~LANDLOCK_ACCESS_NET_CONNECT_TCP;
	return denied;
}

/* What an error of open(2) means: nobody gets to the place. */
static bool
is_unreachable(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP || error == ENAMETOOLONG;
}

/* Gives a place its rights. One that normd cannot get to needs none; the others are still denied what they lack. */
static int
add_place(int ruleset, const struct sandbox_place *place, uint64_t denied, struct err *e)
{
	struct landlock_path_beneath_attr rule = { .parent_fd = open(place->path, O_PATH | O_CLOEXEC) };
	struct stat st;
	long rc = -1;

	if (rule.parent_fd < 0 && is_unreachable(errno))
		return 0;
	if (rule.parent_fd < 0)
		return err_fail(e, ERR_OVERLOADED, "%s cannot be opened: %s", place->path, strerror(errno));
	if (fstat(rule.parent_fd, &st) == 0) {
		rule.allowed_access =
		    given[place->access] & denied & (S_ISDIR(st.st_mode) ? UINT64_MAX : FILES_NOT_DIRECTORIES);
		rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	if (rc < 0)
		(void)failed(place->path, e);
	close(rule.parent_fd);
	return rc < 0 ? -1 : 0;
}

static int
restrict_to(int ruleset, const struct sandbox_landlock *wanted, const struct rights *denied, struct err *e)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (add_place(ruleset, &wanted->places[i], denied->files, e) < 0)
			return -1;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? 0 : failed("landlock_restrict_self", e);
}

int
sandbox_landlock_enter(const struct sandbox_landlock *wanted, int *abi, struct err *e)
{
	struct rights denied;
	int ruleset, rc;

	*abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (*abi < 1)
		return failed("landlock_create_ruleset", e);
	denied = denied_by(*abi, wanted);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &denied, sizeof(denied), 0);
	if (ruleset < 0)
		return failed("landlock_create_ruleset", e);
	rc = restrict_to(ruleset, wanted, &denied, e);
	close(ruleset);
	return rc;
}
