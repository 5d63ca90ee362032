# SPDX-License-Identifier: MIT
"""The package as it is installed: its version, its types, what it needs."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

import normd

FOLDER = os.path.dirname(normd.__file__)
SETTINGS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "pyproject.toml")
try:
    INSTALLED = importlib.metadata.distribution("normd")
except importlib.metadata.PackageNotFoundError:
    INSTALLED = None


@unittest.skipIf(INSTALLED is None, "normd is imported from its sources")
class Installed(unittest.TestCase):
    def test_it_is_the_package_that_is_imported(self):
        self.assertEqual(FOLDER, str(INSTALLED.locate_file("normd")))

    def test_its_version_is_the_daemon_s(self):
        said = subprocess.run([os.environ.get("NORMD") or "normd", "--version"], capture_output=True, text=True)
        self.assertEqual(said.stdout, f"normd {normd.__version__}\n")
        self.assertEqual(INSTALLED.version, normd.__version__)

    def test_it_has_types_and_both_clients_and_no_tests(self):
        files = {str(path) for path in INSTALLED.files}
        self.assertLessEqual({"normd/py.typed", "normd/_sync/client.py", "normd/_async/client.py"}, files)
        self.assertEqual([path for path in files if "test_" in path or "hatch" in path], [])
        self.assertTrue(any(path.endswith("LICENSE") for path in files), files)


class Imports(unittest.TestCase):
    def test_it_needs_urllib3_alone(self):
        """Without numpy, aiohttp and torch, the client and its command line can be imported."""
        text = ("import sys; sys.modules.update(numpy=None, aiohttp=None, torch=None, sklearn=None)\n"
                "import normd, normd.testing\n"
                "try: import normd.aio\n"
                "except ImportError as error: print('aiohttp' in str(error))")
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
        self.assertEqual((done.stdout, done.stderr), ("True\n", ""))

    def test_importing_it_loads_none_of_the_others(self):
        text = ("import sys, normd\n"
                "print(sorted({'numpy', 'aiohttp', 'asyncio', 'torch', 'sklearn'} & set(sys.modules)))")
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
        self.assertEqual((done.stdout, done.stderr), ("[]\n", ""))


class Types(unittest.TestCase):
    @unittest.skipIf(importlib.util.find_spec("mypy") is None, "python3-mypy is not installed")
    def test_mypy_strict_finds_nothing(self):
        """In the package itself, and in a program that uses it."""
        with tempfile.TemporaryDirectory(prefix="normd-mypy-") as folder:
            program = os.path.join(folder, "uses_normd.py")
            with open(program, "w") as file:
                file.write("import normd\n\nrevision: str = normd.Client('http://h').model('m').name\n"
                           "wrong: int = normd.Client('http://h').model('m').name\n")
            env = {"MYPYPATH": os.path.dirname(FOLDER)} if INSTALLED is None else {}
            for arguments, expected in ((["-p", "normd"], r"^Success: no issues found"),
                                        ([program], r"py:4: error: (.*\n)+Found 1 error")):
                done = subprocess.run([sys.executable, "-m", "mypy", "--config-file", SETTINGS, *arguments],
                                      capture_output=True, text=True, cwd=folder, env={**os.environ, **env})
                self.assertRegex(done.stdout, expected, done.stderr)


if __name__ == "__main__":
    unittest.main()
