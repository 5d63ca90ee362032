# SPDX-License-Identifier: MIT
"""docs/PYTHON.md: its blocks run one after the other, and print what is below them. docs/PYTHON_API.md: as the
docstrings have it."""

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest

import normd.testing

HERE = os.path.dirname(os.path.abspath(__file__))
DOCS = os.path.join(HERE, "..", "..", "..", "docs")
FIRST_PAGES = (os.path.join("..", "README.md"), os.path.join("..", "clients", "python", "README.md"))
INDENTED = re.compile(r"^    import normd\n(?:(?: {4}.*)?\n)*", re.M)
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:^```text\n(.*?)^```\n)?", re.M | re.S)


def read(name):
    with open(os.path.join(DOCS, name), encoding="utf-8") as f:
        return f.read()


@unittest.skipUnless(os.path.exists(os.path.join(DOCS, "PYTHON.md")), "the repository's documents are not here")
class Documents(unittest.TestCase):
    @unittest.skipUnless(importlib.util.find_spec("numpy") and importlib.util.find_spec("aiohttp"),
                         "needs NumPy and aiohttp")
    def test_the_tutorial_prints_what_it_says(self):
        text = read("PYTHON.md")
        blocks = BLOCK.findall(text)
        self.assertGreater(len(blocks), 10)
        self.assertEqual(len(blocks), text.count("```python"))
        names = {}
        before = os.getcwd()
        with tempfile.TemporaryDirectory() as directory:
            os.chdir(directory)
            try:
                for code, expected in blocks:
                    out = io.StringIO()
                    with contextlib.redirect_stdout(out):
                        exec(compile(code, "docs/PYTHON.md", "exec"), names)
                    self.assertEqual(out.getvalue(), expected, code)
            finally:
                os.chdir(before)
                if "daemon" in names:
                    names["daemon"].close()

    def test_the_code_of_the_first_pages_runs(self):
        for page in FIRST_PAGES:
            names = {"batch": [[1, 2, 3], [5, 4, 3]], "sample": [[1, 2, 3]]}
            with self.subTest(page), normd.testing.Daemon() as daemon:
                code = textwrap.dedent(INDENTED.search(read(page)).group())
                self.assertIn("http://127.0.0.1:8080", code)
                exec(compile(code.replace("http://127.0.0.1:8080", daemon.url), page, "exec"), names)
                self.assertEqual(names["layer"].statistics().num_batches_tracked, 1)

    def test_the_reference_is_that_of_the_docstrings(self):
        made = subprocess.run([sys.executable, os.path.join(HERE, "..", "make_reference.py")], capture_output=True,
                              text=True, check=True).stdout
        self.assertEqual(read("PYTHON_API.md"), made, "make reference writes it anew")

    def test_all_that_is_public_has_a_docstring(self):
        page = read("PYTHON_API.md")
        self.assertEqual(re.findall(r"^### .*\n\n(?=[-#]|Extends)", page, re.M), [])
        self.assertEqual(re.findall(r"^- `\w+(?:\(.*| → .*)\n(?!  \S)", page, re.M), [])


if __name__ == "__main__":
    unittest.main()
