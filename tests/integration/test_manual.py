# SPDX-License-Identifier: MIT
"""The manual page and the example of settings say what the daemon's tables say; the documents name no other setting."""

import os
import re
import subprocess
import unittest

from normd import BUILD, NORMD
from tables import read, settings, tracked
from test_config import Settings

PAGE = os.path.join(BUILD, "normd.8")
EXAMPLE = os.path.join(BUILD, "normd.conf")
MODES = {"check-config", "version", "help"}
# Variables that are not the daemon's: those of tests, of a macro, and those that Kubernetes makes.
OTHER_VARIABLES = {"NORMD_KILL_ROUNDS", "NORMD_PORT", "NORMD_SERVICE_HOST", "NORMD_TEST_STORE", "NORMD_THREDS",
                   "NORMD_VERSION"}


def command_options():
    """What --help says of the commands: {command: {option}}."""
    listed = subprocess.run([NORMD, "--help"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"(?m)^  normd (\w+) ", listed)
    return {name: set(re.findall(r"(?m)^  --([\w-]+)", subprocess.run(
        [NORMD, name, "--help"], capture_output=True, text=True, check=True).stdout)) for name in names}


class Page(unittest.TestCase):
    def test_it_is_well_formed(self):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_it_has_every_setting(self):
        done = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=200", PAGE], capture_output=True, text=True)
        text = re.sub(r".\x08", "", done.stdout)
        for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "SETTINGS", "COMMANDS", "SIGNALS", "ENVIRONMENT", "FILES",
                        "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
            self.assertRegex(text, rf"(?m)^{section}$")
        for row in settings():
            with self.subTest(row.name):
                said = re.search(rf"(?ms)^ +--{row.name}( {row.takes})?\n(.*?)\n\n", text)[2]
                said = re.sub(r"\s+", " ", said)
                self.assertIn(row.help[1:], said)
                self.assertIn(f"The variable is {row.variable}.", said)
                if row.takes and row.default:
                    self.assertIn(f"The default is {row.default}.", said)
        for mode in MODES:
            self.assertRegex(text, rf"(?m)^ +--{mode}\b")

    def test_it_has_every_command_and_its_options(self):
        page = read(PAGE)
        commands = command_options()
        self.assertLessEqual({"check", "restore"}, set(commands))
        for name, options in commands.items():
            said = re.search(rf"(?ms)^\.Ss normd {name}\n(.*?)^\.(Ss|Sh) ", page)[1]
            self.assertEqual(set(re.findall(r"(?m)^\.It Fl -([\w-]+)", said)), options - {"help"}, name)
            self.assertIn(f".Nm\n.Cm {name}\n", page)


class Example(Settings):
    def test_every_setting_is_there_with_its_default(self):
        given = re.findall(r"(?m)^#([a-z][\w-]*) = (.*)$", read(EXAMPLE))
        self.assertEqual(given, [(row.name, row.default or '""') for row in settings() if row.name != "config"])
        said = re.sub(r"\n# ", " ", read(EXAMPLE))
        for row in settings():
            self.assertEqual(row.help in said, row.name != "config", row.name)

    def test_it_is_read_commented_out_and_not(self):
        """As it is it sets nothing; without the marks of comments it sets every default."""
        content = read(EXAMPLE)
        defaults = {name: value for name, (value, _) in self.check("").items()}
        told = self.check(content)
        self.assertEqual({name: value for name, (value, _) in told.items()}, defaults)
        self.assertEqual({source.split(";")[0] for _, source in told.values()}, {"default"})
        told = self.check(re.sub(r"(?m)^#([a-z][\w-]* = )", r"\1", content))
        self.assertEqual({name: value for name, (value, _) in told.items()}, defaults)
        self.assertEqual({source.split(":")[0] for _, source in told.values()}, {self.path})


class Documents(unittest.TestCase):
    """What they name exists."""

    def test_options(self):
        known = {row.name for row in settings()} | MODES | set.union(*command_options().values())
        for path in tracked():
            if re.fullmatch(r"docs/(OPERATIONS|GUARANTEES|ARCHITECTURE|SECURITY)\.md|README\.md", path):
                named = set(re.findall(r"`--([a-z][\w-]*)", read(path)))
                self.assertEqual(named - known, set(), path)

    def test_variables(self):
        variables = {row.variable for row in settings()} | OTHER_VARIABLES
        for path in tracked():
            if re.fullmatch(r"deploy/docker-compose[\w.]*\.yml", path):  # what the compose files ask their user for
                variables |= set(re.findall(r"\$\{(NORMD_\w+)", read(path)))
            elif path.startswith("clients/python/src/"):
                variables |= set(re.findall(r"environ\.get\(\"(NORMD_\w+)", read(path)))
        for path in tracked():
            if re.match(r"docs/.*\.(md|in)$|deploy/|[A-Z]+\.md$", path):
                named = set(re.findall(r"\bNORMD_[A-Z_]*[A-Z]\b", read(path)))
                self.assertEqual(named - variables, set(), path)


if __name__ == "__main__":
    unittest.main()
