# SPDX-License-Identifier: MIT
"""The build itself: it uses all processors, builds nothing twice, lists its targets; packages are installed one set at a time."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from normd import PATIENCE, ROOT


def make(*arguments, **env):
    """Runs make as a user would, not as a part of the make that runs this test; returns what it printed."""
    clean = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "--no-print-directory", *arguments], cwd=ROOT, text=True, capture_output=True,
                          timeout=300 * PATIENCE, env={**clean, **env})
    if done.returncode != 0:
        raise AssertionError(f"make {arguments}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Jobs(unittest.TestCase):
    def jobs(self, *arguments, **env):
        """How many jobs a makefile with ours in it runs at a time, and how many a make that it starts."""
        with tempfile.NamedTemporaryFile("w", prefix="normd-build-", suffix=".mk") as f:
            print(f"include Makefile\nown:\n\t@echo own $(MAKEFLAGS)\nsub:\n\t@$(MAKE) -f {f.name} own", file=f, flush=True)
            shown = [make("-f", f.name, *arguments, target, **env) for target in ("own", "sub")]
        for each in shown:
            self.assertNotIn("warning", each)
        return [re.search(r"own .*?-j ?(\d*)", each)[1] for each in shown]

    def test_all_processors_unless_told_otherwise(self):
        processors = str(len(os.sched_getaffinity(0)))
        self.assertEqual(self.jobs(), [processors] * 2)
        self.assertEqual(self.jobs("-j7"), ["7"] * 2)
        self.assertEqual(self.jobs("-j1"), ["1"] * 2)
        self.assertEqual(self.jobs(MAKEFLAGS="-j3"), ["3"] * 2)


class NothingTwice(unittest.TestCase):
    def test_one_program_or_object_alone_leaves_the_rest_built(self):
        """Also what is compiled with a flag of its own: the kernels, the benchmarks, what knows the version."""
        with tempfile.TemporaryDirectory(prefix="normd-build-") as directory:
            parts = [os.path.join(directory, name) for name in
                     ("base/clock.o", "bench/commits", "norm/widen.o", "handlers/health.o", "tests/unit/main.o", "libbase.a")]
            for part in parts:
                make(f"B={directory}", part)
            with open(os.path.join(directory, "flags")) as f:
                flags = f.read()
            self.assertNotIn("-O3", flags)
            for part in parts:
                self.assertIn("up to date", make(f"B={directory}", "-n", part), part)

    def test_other_flags_build_it_again(self):
        with tempfile.TemporaryDirectory(prefix="normd-build-") as directory:
            part = os.path.join(directory, "base/clock.o")
            make(f"B={directory}", part)
            self.assertIn("CC    base/clock.c", make(f"B={directory}", "CPPFLAGS=-DIT=\"'s'\"", part))
            self.assertIn("up to date", make(f"B={directory}", "CPPFLAGS=-DIT=\"'s'\"", "-n", part))


class Help(unittest.TestCase):
    def test_it_lists_every_target(self):
        with open(os.path.join(ROOT, "Makefile")) as f:
            text = f.read()
        phony = set(" ".join(re.findall(r"(?m)^\.PHONY: (.*)$", text)).split())
        listed = set(re.findall(r"(?m)^  make ([a-z-]+)", make("help")))
        self.assertEqual(phony - {"FORCE", "test-setup", "fuzz-targets"}, listed)


# Stands for apt-get: it notes each call, takes its time, and installs a program.
APT_GET = """#!/bin/sh
bin=${0%/*}
[ ! -e "$bin/busy" ] || echo overlap >>"$bin/calls"
touch "$bin/busy"
echo "$1" >>"$bin/calls"
sleep 1
[ "$1" != install ] || { echo '#!/bin/sh' >"$bin/valgrind"; chmod +x "$bin/valgrind"; }
rm "$bin/busy"
"""


class Setup(unittest.TestCase):
    def test_two_at_once_install_once(self):
        """As `make -j2 test` does it on a fresh machine: apt-get refuses to run beside another."""
        with tempfile.TemporaryDirectory(prefix="normd-setup-") as bin:
            for name, text in (("apt-get", APT_GET), ("apt-cache", "#!/bin/sh\n"), ("sudo", '#!/bin/sh\nexec "$@"\n')):
                with open(os.path.join(bin, name), "w") as f:
                    f.write(text)
                os.chmod(os.path.join(bin, name), 0o755)
            for name in ("sh", "id", "env", "flock", "sleep", "cat", "touch", "rm", "chmod", "tr"):
                os.symlink(shutil.which(name), os.path.join(bin, name))
            running = [subprocess.Popen([os.path.join(ROOT, "scripts/setup"), "valgrind"], env={"PATH": bin}, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
            said = [process.communicate(timeout=60 * PATIENCE)[0] for process in running]
            self.assertEqual([process.returncode for process in running], [0, 0], said)
            with open(os.path.join(bin, "calls")) as f:
                self.assertEqual(f.read().split(), ["update", "install"])
            self.assertEqual(sorted(map(bool, said)), [False, True], said)


if __name__ == "__main__":
    unittest.main()
