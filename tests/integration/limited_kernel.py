#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""limited_kernel CALL=ERRNO... -- COMMAND...: runs a command for which these system calls fail, as on a kernel that
does not have them. A filter by libseccomp does it, which the command inherits."""

import ctypes
import errno
import os
import sys

ALLOW = 0x7fff0000
ERRNO = 0x00050000


def main():
    split = sys.argv.index("--")
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
    filters = ctypes.c_void_p(seccomp.seccomp_init(ALLOW))
    for rule in sys.argv[1:split]:
        name, _, code = rule.partition("=")
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number < 0 or seccomp.seccomp_rule_add(filters, ctypes.c_uint32(ERRNO | getattr(errno, code)), number, 0):
            sys.exit(f"limited_kernel: no rule for {rule}")
    if seccomp.seccomp_load(filters):
        sys.exit("limited_kernel: the filter cannot be loaded")
    os.execvp(sys.argv[split + 1], sys.argv[split + 1:])


main()
