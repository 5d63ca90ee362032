# SPDX-License-Identifier: MIT
"""
The build: it uses all processors, builds nothing twice, lists its targets, installs only what it was asked to install.
"""

import filecmp
import glob
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from normd import PATIENCE, ROOT


def run_make(*arguments, **env):
    """Runs make as a user would, not as a part of the make that runs this test."""
    clean = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return subprocess.run(["make", "--no-print-directory", *arguments], cwd=ROOT, text=True, capture_output=True,
                          timeout=300 * PATIENCE, env={**clean, **env})


def make(*arguments, **env):
    """What a make that succeeds prints."""
    done = run_make(*arguments, **env)
    if done.returncode != 0:
        raise AssertionError(f"make {arguments}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Jobs(unittest.TestCase):
    def jobs(self, *arguments, **env):
        """How many jobs run at once in a makefile that includes ours, and in a make that it starts."""
        with tempfile.NamedTemporaryFile("w", prefix="normd-build-", suffix=".mk") as f:
            print(f"include Makefile\nown:\n\t@echo own $(MAKEFLAGS)\nsub:\n\t@$(MAKE) -f {f.name} own", file=f,
                  flush=True)
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
                     ("base/clock.o", "bench/commits", "norm/widen.o", "handlers/health.o", "tests/unit/main.o",
                      "libbase.a")]
            for part in parts:
                make(f"B={directory}", part)
            with open(os.path.join(directory, "flags")) as f:
                flags = f.read()
            self.assertNotIn("-O3", flags)
            for part in parts:
                self.assertIn("up to date", make(f"B={directory}", "-n", part), part)

    def test_the_pages_are_written_again_when_a_file_comes_changes_or_goes(self):
        with tempfile.TemporaryDirectory(prefix="normd-build-") as directory:
            for name in ("Makefile", "web", "scripts", "handlers", "base", "codec", "sync", "storage", "layer", "norm"):
                os.symlink(os.path.join(ROOT, name), os.path.join(directory, name))
            os.unlink(os.path.join(directory, "web"))
            shutil.copytree(os.path.join(ROOT, "web"), os.path.join(directory, "web"))
            written, extra = (os.path.join(directory, name) for name in
                              ("build/handlers/web_files.c", "web/shared/extra.svg"))

            def write():
                """Writes the source; gives it, and what make says when it is called again."""
                make("-C", directory, "build/handlers/web_files.c")
                with open(written) as f:
                    return f.read(), make("-C", directory, "-n", "build/handlers/web_files.c")

            first = write()
            self.assertIn("up to date", first[1])
            for change in (lambda: open(extra, "w").close(), lambda: os.truncate(extra, 9), lambda: os.unlink(extra)):
                before = os.stat(written).st_mtime_ns
                while time.time_ns() < before + 20_000_000:  # a file system's clock may be coarse
                    time.sleep(0.005)
                change()
                last = write()
                self.assertGreater(os.stat(written).st_mtime_ns, before)
                self.assertIn("up to date", last[1])
                self.assertEqual('"shared/extra.svg"' in last[0], os.path.exists(extra))
            self.assertEqual(last[0], first[0])

    def test_the_api_document_is_written_again_when_its_page_changes(self):
        with tempfile.TemporaryDirectory(prefix="normd-build-") as directory:
            part = os.path.join(directory, "handlers/openapi_document.o")
            make(f"B={directory}", part)
            with open(part[:-1] + "c", "rb") as f:
                written = f.read()
            self.assertIn("up to date", make(f"B={directory}", "-n", part))
            for source in ("docs/openapi.yaml", "scripts/make_openapi.py"):
                self.assertIn("scripts/make_openapi.py docs/openapi.yaml",
                              make(f"B={directory}", "-n", "-W", source, part))
            os.unlink(part)
            os.unlink(part[:-1] + "c")
            make(f"B={directory}", part)
            with open(part[:-1] + "c", "rb") as f:
                self.assertEqual(f.read(), written)

    def test_other_flags_build_it_again(self):
        with tempfile.TemporaryDirectory(prefix="normd-build-") as directory:
            part = os.path.join(directory, "base/clock.o")
            make(f"B={directory}", part)
            self.assertIn("CC    base/clock.c", make(f"B={directory}", "CPPFLAGS=-DIT=\"'s'\"", part))
            self.assertIn("up to date", make(f"B={directory}", "CPPFLAGS=-DIT=\"'s'\"", "-n", part))


class Help(unittest.TestCase):
    def test_it_lists_every_command(self):
        """Every target that is a plain word is one, with or without a help text."""
        commands = set()
        for path in ("Makefile", "clients/python/python.mk", "tests/tests.mk", "bench/bench.mk"):
            with open(os.path.join(ROOT, path)) as f:
                for targets in re.findall(r"(?m)^([a-z][a-z -]*):(?!=)", f.read()):
                    commands.update(targets.split())
        listed = re.findall(r"(?m)^  make ([a-z-]+) +\S", make("help"))
        self.assertGreater(len(listed), 30)
        self.assertEqual(sorted(commands), sorted(listed))


# Stands for apt-get: it notes each call, takes its time, and installs a program.
APT_GET = """
bin=${0%/*}
[ ! -e "$bin/busy" ] || echo overlap >>"$bin/calls"
touch "$bin/busy"
echo "$1" >>"$bin/calls"
sleep 1
[ "$1" != install ] || { echo '#!/bin/sh' >"$bin/valgrind"; chmod +x "$bin/valgrind"; }
rm "$bin/busy"
"""


def programs(directory, **texts):
    """Writes programs into a directory; _ in a name stands for -."""
    for name, text in texts.items():
        path = os.path.join(directory, name.replace("_", "-"))
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)


class Packages(unittest.TestCase):
    """On a machine that has a compiler and no headers."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="normd-packages-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.calls = os.path.join(self.directory, "calls")
        programs(self.directory, apt_get=f'echo "$*" >>{self.calls}\n[ "$1" = update ]\n', apt_cache="",
                 sudo='exec "$@"\n')

    def make(self, *arguments):
        """Returns what make printed before it failed, and how apt-get was called."""
        done = run_make(f"B={self.directory}/build", "CC=cc -nostdinc", *arguments, CPPFLAGS="",
                        PATH=f"{self.directory}:{os.environ['PATH']}")
        self.assertEqual(done.returncode, 2, done.stdout)
        if not os.path.exists(self.calls):
            return done.stderr, ""
        with open(self.calls) as f:
            return done.stderr, f.read()

    def test_building_says_what_is_missing(self):
        for arguments in ((), ("all",), ("install", f"DESTDIR={self.directory}/out"),
                          (f"{self.directory}/build/base/arena.o",)):
            with self.subTest(arguments):
                said, called = self.make(*arguments)
                self.assertEqual(called, "")
                for package in ("libc6-dev", "libmicrohttpd-dev", "libsqlite3-dev", "libpq-dev", "libcjson-dev",
                                "zlib1g-dev", "libxxhash-dev", "nettle-dev"):
                    self.assertRegex(said, rf"(?m)^setup: missing: {package} \(")
                self.assertIn("'make setup' installs them", said)
                self.assertNotIn("missing: gcc", said)

    def test_other_commands_install_it(self):
        for command in ("setup", "run", "test", "unit", "lint", "example", "bench-http", "fuzz-targets",
                        "torture-kill"):
            with self.subTest(command):
                _, called = self.make(command)
                self.assertRegex(called, r"(?m)^install .*libsqlite3-dev")
                os.remove(self.calls)


class Install(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="normd-install-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.out = os.path.join(self.directory, "out")
        self.built = os.path.join(self.directory, "build")
        os.mkdir(self.built)
        for name in ("normd", "normd.8", "normd.conf"):
            programs(self.built, **{name: name})

    def make(self, command, prefix="/usr"):
        files = [argument for name in ("normd", "normd.8", "normd.conf") for argument in ("-o", f"{self.built}/{name}")]
        make(f"B={self.built}", *files, f"DESTDIR={self.out}", f"PREFIX={prefix}", command)

    def installed(self):
        return sorted(os.path.relpath(path, self.out) for path in glob.glob(f"{self.out}/**", recursive=True)
                      if os.path.isfile(path))

    def test_uninstall_removes_what_install_installed(self):
        self.make("install")
        self.assertEqual(self.installed(), [
            "etc/normd/normd.conf", "usr/bin/normd", "usr/lib/systemd/system/normd.service",
            "usr/lib/systemd/system/normd.socket", "usr/lib/sysusers.d/normd.conf", "usr/share/doc/normd/LICENSE",
            "usr/share/doc/normd/LICENSE.uPlot",
            "usr/share/doc/normd/normd.conf", "usr/share/man/man8/normd.8"])
        self.assertTrue(os.access(f"{self.out}/usr/bin/normd", os.X_OK))
        self.assertTrue(filecmp.cmp(f"{self.out}/usr/share/doc/normd/LICENSE", os.path.join(ROOT, "LICENSE"),
                                    shallow=False))
        self.make("uninstall")
        self.assertEqual(self.installed(), [])
        self.assertFalse(os.path.exists(f"{self.out}/etc/normd"))
        self.make("uninstall")

    def test_changed_settings_stay(self):
        for prefix, path in (("/usr", "etc/normd/normd.conf"), ("/usr/local", "usr/local/etc/normd/normd.conf")):
            with self.subTest(prefix):
                self.make("install", prefix)
                with open(f"{self.out}{prefix}/lib/systemd/system/normd.service") as f:
                    unit = f.read()
                self.assertIn(f"ExecStart={prefix}/bin/normd ", unit)
                self.assertIn(f" /{path}", unit)
                with open(os.path.join(self.out, path), "a") as f:
                    f.write("threads = 2\n")
                self.make("install", prefix)
                self.make("uninstall", prefix)
                self.assertEqual(self.installed(), [path])
                with open(os.path.join(self.out, path)) as f:
                    self.assertTrue(f.read().endswith("threads = 2\n"))
                os.remove(os.path.join(self.out, path))


class Wheel(unittest.TestCase):
    """The Python package, built from a copy of its sources."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="normd-wheel-")
        self.addCleanup(shutil.rmtree, self.directory)

    def copied(self, name, mode):
        """A checkout of what the package is built from, with files of this mode and of another time."""
        root = os.path.join(self.directory, name)
        for path in ("Makefile", "LICENSE", "scripts/setup", "clients/python"):
            copy = shutil.copytree if os.path.isdir(os.path.join(ROOT, path)) else shutil.copy
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            copy(os.path.join(ROOT, path), os.path.join(root, path))
        for path in glob.glob(f"{root}/clients/**", recursive=True):
            if os.path.isfile(path):
                os.chmod(path, mode)
                os.utime(path, (mode, mode))
        shutil.rmtree(f"{root}/clients/python/src/normd/_sync", ignore_errors=True)
        return root

    def built(self, root):
        made = {}
        for path in glob.glob(f"{root}/build/python/normd-*"):
            with open(path, "rb") as f:
                made[os.path.basename(path)] = f.read()
        return made

    def test_the_same_sources_make_the_same_bytes(self):
        one, other = self.copied("one", 0o644), self.copied("other", 0o600)
        make("-C", one, "B=build", "wheel", SOURCE_DATE_EPOCH="1700000000", TZ="UTC")
        make("-C", other, "B=build", "wheel", SOURCE_DATE_EPOCH="1700000000", TZ="Asia/Kathmandu", LC_ALL="C")
        self.assertEqual(sorted(name.split("-")[-1].split(".")[-1] for name in self.built(one)), ["gz", "whl"])
        self.assertEqual(self.built(one), self.built(other))
        make("-C", one, "-W", "LICENSE", "B=build", "wheel", SOURCE_DATE_EPOCH="1600000000")
        self.assertNotEqual(self.built(one), self.built(other))

    def test_it_has_the_makefile_s_version_or_is_not_built(self):
        root = self.copied("one", 0o644)
        done = run_make("-C", root, "B=build", "wheel", "VERSION=9.9.9")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("clients/python/src/normd/_version.py does not say 9.9.9", done.stderr)


class Runner(unittest.TestCase):
    def test_the_classes_that_begin_first_exist(self):
        with open(os.path.join(ROOT, "tests/run")) as f:
            names = re.findall(r'"(\w+)\.(\w+)"', re.search(r"(?ms)^LONG = \((.*?)\)$", f.read())[1])
        self.assertGreater(len(names), 10)
        for module, name in names:
            found = [path for folder in ("tests/integration", "clients/python/tests")
                     for path in glob.glob(os.path.join(ROOT, folder, f"{module}.py"))]
            self.assertEqual(len(found), 1, module)
            with open(found[0]) as f:
                self.assertIn(f"\nclass {name}(", f.read())


class LongLines(unittest.TestCase):
    def test_it_finds_them_in_text_and_nothing_else(self):
        """In a repository of its own: also a comment, a tab's width, a file that is not added yet."""
        url = "https://example.org/" + "x" * 120
        texts = {"a.c": "\t/* " + "x" * 110 + " */\n", "b.md": "x" * 120 + "\n" + "é" * 121 + "\n",
                 "c.py": f"# {url}\n", "d.md": f"see {url}\n", "e.bin": "\0" + "x" * 200,
                 "codec/decimal/pow10.c": "x" * 200, "tests/vectors/v.json": "x" * 200, "ignored": "x" * 200,
                 ".gitignore": "ignored\n"}
        with tempfile.TemporaryDirectory(prefix="normd-lines-") as directory:
            for path, text in texts.items():
                os.makedirs(os.path.dirname(os.path.join(directory, path)), exist_ok=True)
                with open(os.path.join(directory, path), "w") as f:
                    f.write(text)
            os.mkdir(os.path.join(directory, "scripts"))
            script = shutil.copy(os.path.join(ROOT, "scripts/long_lines"), os.path.join(directory, "scripts"))
            subprocess.run(["git", "init", "-q", directory], check=True)
            done = subprocess.run([script], capture_output=True, text=True)
            self.assertEqual((done.returncode, re.findall(r"(?m)^(\S+:\d+): (\d+) ", done.stdout)),
                             (1, [("a.c:1", "124"), ("b.md:2", "121"), ("d.md:1", "144")]), done.stderr)
            for path in ("a.c", "b.md", "d.md"):
                os.remove(os.path.join(directory, path))
            self.assertEqual(subprocess.run([script]).returncode, 0)


class Setup(unittest.TestCase):
    def test_two_at_once_install_once(self):
        """As `make -j2 test` does it on a fresh machine: apt-get refuses to run beside another."""
        with tempfile.TemporaryDirectory(prefix="normd-setup-") as bin:
            programs(bin, apt_get=APT_GET, apt_cache="", sudo='exec "$@"\n')
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
