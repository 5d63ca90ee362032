# SPDX-License-Identifier: MIT
"""Files of tokens for the tests."""

import hashlib
import os
import subprocess

from normd import NORMD


def line(token, role, models="*"):
    """A token's line in a file."""
    return f"{hashlib.sha256(token.encode()).hexdigest()} {role} {models}\n"


def bearer(token):
    return {} if token is None else {"Authorization": f"Bearer {token}"}


class Tokens:
    """A file of tokens in a directory."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "tokens")

    def write(self, *lines, mode=0o600):
        """Replaces the file."""
        with open(self.path + ".new", "w", newline="") as f:
            f.write("".join(lines))
        os.chmod(self.path + ".new", mode)
        os.rename(self.path + ".new", self.path)

    def make(self, role, *args):
        """Makes a token by the command."""
        return run("--role", role, "--tokens", self.path, *args).stdout.strip()


def run(*args, **options):
    return subprocess.run([NORMD, "token", *args], capture_output=True, text=True, **options)
