# SPDX-License-Identifier: MIT
"""normd token: makes tokens, and adds their hashes to a file that stays whole."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from access import Tokens, bearer, line, run
from normd import NORMD, Daemon, at_once

TOKEN = r"normd_[A-Za-z0-9_-]{43}\n"


class Token(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="normd-token-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.tokens = Tokens(self.directory)

    def read(self):
        with open(self.tokens.path, newline="") as f:
            return f.read()

    def test_a_new_file(self):
        """Only its owner can read it, whatever the umask; the token is printed alone, and in no file."""
        for umask in (0, 0o077):
            done = run("--role", "train", "--models", "a-,b", "--tokens", self.tokens.path, umask=umask)
            self.assertEqual(done.returncode, 0, done)
            self.assertRegex(done.stdout, rf"\A{TOKEN}\Z")
            self.assertNotIn(done.stdout.strip(), done.stderr)
            self.assertIn("SIGHUP", done.stderr)
            self.assertEqual(self.read(), line(done.stdout.strip(), "train", "a-,b"))
            self.assertEqual(os.stat(self.tokens.path).st_mode & 0o777, 0o600)
            os.unlink(self.tokens.path)

    def test_a_file_that_has_tokens(self):
        """Also one whose last line has no end, and one with the line ends of Windows."""
        before = "# mine\r\n" + line("normd_a", "infer").strip() + " # x"
        self.tokens.write(before, mode=0o640)
        token = self.tokens.make("admin")
        self.assertEqual(self.read(), before + "\n" + line(token, "admin"))
        self.assertEqual(os.stat(self.tokens.path).st_mode & 0o777, 0o640)
        daemon = Daemon("--tokens", self.tokens.path)
        self.addCleanup(daemon.close)
        for each in ("normd_a", token):
            self.assertEqual(daemon.curl("GET", "/v1/models", headers=bearer(each)).status, 200)

    def test_without_a_file(self):
        done = run("--role", "infer", env={**os.environ, "NORMD_TOKENS": ""})
        token, rest = done.stdout.split("\n", 1)
        self.assertRegex(token + "\n", rf"\A{TOKEN}\Z")
        self.assertEqual(rest, line(token, "infer"))

    def test_the_file_of_the_environment(self):
        done = run("--role", "infer", env={**os.environ, "NORMD_TOKENS": self.tokens.path})
        self.assertEqual(self.read(), line(done.stdout.strip(), "infer"))

    def test_many_at_once(self):
        made = at_once([lambda: self.tokens.make("infer")] * 16)
        self.assertEqual(len(set(made)), 16)
        self.assertEqual(sorted(self.read().splitlines(True)), sorted(line(token, "infer") for token in made))

    def test_what_is_refused_changes_nothing(self):
        good = line("normd_a", "infer")
        for text, mode, words in ((good, 0o622, "mode 0622"), (good * 2, 0o600, ":2: this token is in line 1"),
                                  ("nonsense\n", 0o600, ":1: "), ("#" * (1 << 20), 0o600, "1:"),
                                  ("#\n" * (1 << 19), 0o600, "is full")):
            self.tokens.write(text, mode=mode)
            done = run("--role", "infer", "--tokens", self.tokens.path)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done)
            self.assertIn(words, done.stderr)
            self.assertEqual(self.read(), text)
        done = run("--role", "infer", "--tokens", self.directory + "/none/tokens")
        self.assertEqual((done.returncode, done.stdout), (2, ""), done)

    def test_arguments(self):
        for args, words in (((), "--role"), (("--role", "trian"), 'did you mean "train"?'),
                            (("--role", "infer", "--models", "a*"), "without *"),
                            (("--role", "infer", "--models", ""), "empty"),
                            (("--role", "infer", "--models", "a b"), "no model's name"),
                            (("--role", "infer", "--models", ",".join(["a" * 100] * 41)), "too long")):
            done = run(*args, "--tokens", self.tokens.path)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done)
            self.assertIn(words, done.stderr)
            self.assertFalse(os.path.exists(self.tokens.path), args)

    def test_a_token_that_cannot_be_printed_is_not_added(self):
        self.tokens.write(line("normd_a", "infer"))
        with open("/dev/full", "w") as full:
            done = subprocess.run([NORMD, "token", "--role", "infer", "--tokens", self.tokens.path], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("cannot be printed", done.stderr)
        self.assertEqual(self.read(), line("normd_a", "infer"))
        os.unlink(self.tokens.path)
        with open("/dev/full", "w") as full:
            subprocess.run([NORMD, "token", "--role", "infer", "--tokens", self.tokens.path], stdout=full,
                           stderr=subprocess.PIPE)
        self.assertFalse(os.path.exists(self.tokens.path))

    def test_a_reader_that_is_gone_gets_no_token(self):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as gone:
            done = subprocess.run([NORMD, "token", "--role", "infer", "--tokens", self.tokens.path], stdout=gone,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("nothing was added", done.stderr)
        self.assertFalse(os.path.exists(self.tokens.path))

    def test_a_link_to_no_file_is_not_left_with_a_token_that_was_not_printed(self):
        link, target = self.directory + "/link", self.directory + "/target"
        os.symlink(target, link)
        with open("/dev/full", "w") as full:
            done = subprocess.run([NORMD, "token", "--role", "infer", "--tokens", link], stdout=full,
                                  stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(os.path.getsize(target), 0)

    def test_a_closed_standard_output_is_not_the_file_of_tokens(self):
        """The file must not get the number of the closed descriptor, and with it the token."""
        for closed in (">&-", "<&- >&-", "<&- >&- 2>&-"):
            done = subprocess.run(["sh", "-c", f'exec "$0" token --role admin --tokens "$1" {closed}', NORMD,
                                   self.tokens.path], stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 1, closed)
            self.assertFalse(os.path.exists(self.tokens.path), closed)

    def test_tokens_differ_in_every_character(self):
        made = [re.sub("^normd_", "", run("--role", "infer").stdout.split()[0]) for _ in range(12)]
        for i in range(43):
            self.assertGreater(len({token[i] for token in made}), 1, i)


if __name__ == "__main__":
    unittest.main()
