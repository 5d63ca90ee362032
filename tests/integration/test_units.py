# SPDX-License-Identifier: MIT
"""The units of systemd in deploy/: that systemd takes them, how exposed they leave the service, and that they agree
with the daemon."""

import configparser
import os
import re
import subprocess
import tempfile
import unittest

from normd import NORMD, ROOT

UNITS = ("normd.service", "normd.socket")
# In tenths, as systemd-analyze has its threshold: 1.5.
EXPOSURE_MAX = 15


class Unit(configparser.ConfigParser):
    """A unit's sections. Of a setting that is repeated it has the last."""

    def __init__(self, name):
        super().__init__(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str
        self.read(os.path.join(ROOT, "deploy", name))


class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Copies that name this build's daemon, and no manual page, which is not installed here."""
        cls.directory = tempfile.TemporaryDirectory(prefix="normd-test-")
        cls.paths = [os.path.join(cls.directory.name, name) for name in UNITS]
        for path in cls.paths:
            with open(os.path.join(ROOT, "deploy", os.path.basename(path))) as unit, open(path, "w") as copy:
                copy.writelines(line.replace("/usr/bin/normd", os.path.abspath(NORMD)) for line in unit
                                if not line.startswith("Documentation="))

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def analyze(self, *args):
        done = subprocess.run(["systemd-analyze", "--no-pager", *args], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def test_systemd_finds_nothing_wrong(self):
        done = self.analyze("verify", *self.paths)
        self.assertEqual(done.stdout + done.stderr, "")

    def test_the_service_is_hardly_exposed(self):
        done = self.analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", self.paths[0])
        level = float(re.search(r"Overall exposure level for normd.service: ([0-9.]+)", done.stdout).group(1))
        self.assertLessEqual(level, EXPOSURE_MAX / 10)

    def test_nobody_else_reads_what_it_writes(self):
        service = Unit("normd.service")["Service"]
        self.assertEqual((service["StateDirectoryMode"], service["UMask"]), ("0700", "0077"))

    def test_they_agree_with_the_daemon(self):
        service = Unit("normd.service")["Service"]
        help_text = subprocess.run([NORMD, "--help"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(service["Type"], "notify")
        self.assertEqual(service["ExecReload"], "/bin/kill -HUP $MAINPID")
        self.assertEqual(service["User"], "normd")
        self.assertEqual(service["WorkingDirectory"], "/var/lib/" + service["StateDirectory"])
        program, *options = service["ExecStart"].split()
        self.assertEqual((program, options), ("/usr/bin/normd", ["--config", "/etc/normd/normd.conf"]))
        self.assertIn("--config FILE", help_text)
        drain_s = int(re.search(r"NORMD_DRAIN_TIMEOUT; default (\d+)", help_text).group(1))
        self.assertGreater(int(service["TimeoutStopSec"]), drain_s)
        self.assertIn(Unit("normd.socket")["Socket"]["ListenStream"], help_text, "the default of --listen")


if __name__ == "__main__":
    unittest.main()
