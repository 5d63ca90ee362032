/* SPDX-License-Identifier: MIT */
#include "server/sandbox_seccomp.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* By name: libseccomp does not know all of them, nor does every processor have all. Those are left out. */
static const char *const denied[] = {
#ifndef INSTRUMENTED /* such a build looks into its own process for leaks, from a process that it starts */
	"fork", "ptrace", "vfork",
#endif
	/* Programs and other processes. clone is below. */
	"execve", "execveat", "kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev",
	/* Mounts, namespaces, and ways around paths. */
	"chroot", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
	"name_to_handle_at", "open_by_handle_at", "open_tree", "pivot_root", "setns", "umount", "umount2", "unshare",
	/* Parts of the kernel with much code that normd does not use. */
	"add_key", "bpf", "io_uring_enter", "io_uring_register", "io_uring_setup", "keyctl", "lookup_dcookie",
	"perf_event_open", "request_key", "userfaultfd",
	/* The kernel and the machine. */
	"acct", "adjtimex", "clock_adjtime", "clock_settime", "create_module", "delete_module", "finit_module",
	"get_kernel_syms", "init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load", "modify_ldt", "nfsservctl",
	"personality", "query_module", "quotactl", "quotactl_fd", "reboot", "setdomainname", "sethostname",
	"settimeofday", "stime", "swapoff", "swapon", "sysfs", "_sysctl", "syslog", "uselib", "vhangup",
	/* Who normd is. */
	"capset", "setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid", "setreuid",
	"setuid",
	/* Files that are not files. */
	"mknod", "mknodat"
};

#define NAMESPACES \
	(CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS)

/* Makes a call fail, if there are conditions: when they hold. */
static int
add(scmp_filter_ctx filter, int error, const char *name, unsigned count, const struct scmp_arg_cmp *conditions)
{
	const int number = seccomp_syscall_resolve_name(name);
	int rc = 0;

	if (number != __NR_SCMP_ERROR)
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)error), number, count, conditions);
	return rc == -EDOM || rc == -EOPNOTSUPP ? 0 : rc; /* this processor has no such call */
}

static int
deny_if(scmp_filter_ctx filter, const char *name, struct scmp_arg_cmp condition)
{
	return add(filter, EPERM, name, 1, &condition);
}

/*
 * Threads are the only processes that may be started. The flags of clone3 cannot be looked at; where it seems to be
 * missing, the C library uses clone.
 */
static int
deny_processes(scmp_filter_ctx filter)
{
	int rc = add(filter, ENOSYS, "clone3", 0, NULL);

	for (scmp_datum_t flag = 1; flag <= NAMESPACES && rc == 0; flag <<= 1)
		if (flag & NAMESPACES)
			rc = deny_if(filter, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
#ifndef INSTRUMENTED
	if (rc == 0)
		rc = deny_if(filter, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
#endif
	return rc;
}

/*
 * New sockets are Unix ones, for the service manager. The network is only what the listener accepts, and, with
 * `connects`, a database and the servers that know its address.
 */
static int
deny_sockets(scmp_filter_ctx filter, bool connects)
{
	int rc = 0;

	if (!connects)
		return deny_if(filter, "socket", SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0));
	for (scmp_datum_t family = 0; family < AF_INET6 && rc == 0; family++)
		if (family != AF_UNIX && family != AF_INET)
			rc = deny_if(filter, "socket", SCMP_A0(SCMP_CMP_EQ, family, 0));
	return rc == 0 ? deny_if(filter, "socket", SCMP_A0(SCMP_CMP_GT, AF_INET6, 0)) : rc;
}

static int
make_filter(scmp_filter_ctx filter, bool connects)
{
	int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));

	/* normd runs nobody's code. Old kernels would otherwise slow down all of it (Spectre variant 4). */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]) && rc == 0; i++)
		rc = add(filter, EPERM, denied[i], 0, NULL);
	if (rc == 0)
		rc = deny_processes(filter);
	if (rc == 0)
		rc = deny_sockets(filter, connects);
	/* Typing into the terminal that normd was started from. */
	if (rc == 0)
		rc = deny_if(filter, "ioctl", SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)TIOCSTI));
	return rc;
}

int
sandbox_seccomp_enter(bool connects, struct err *e)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = filter == NULL ? -ENOMEM : make_filter(filter, connects);

	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc == 0 ? 0 : err_fail(e, ERR_OVERLOADED, "the filter cannot be loaded: %s", strerror(-rc));
}
