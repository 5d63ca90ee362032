"""The documents say what is there: every file has its line in ARCHITECTURE.md, every route its row in the README."""

import os
import re
import subprocess
import unittest

from normd import ROOT

ROOMS = ("base", "norm", "codec", "storage", "handlers", "server")


def read(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def routes():
    """(method, path) of every row of the table in handlers/routes.c."""
    text = read("handlers/routes.c").replace('LAYER "/', '"/v1/models/{model}/layers/{layer}/')
    text = re.sub(r"\.path = LAYER\b", '.path = "/v1/models/{model}/layers/{layer}"', text)
    return re.findall(r'\.method = "(\w+)",\s*\.path = "([^"]+)"', text)


class Architecture(unittest.TestCase):
    def test_every_file_has_a_line_and_every_line_a_file(self):
        listed = set(re.findall(r"^\| `([^`]+)` \|", read("docs/ARCHITECTURE.md"), re.M))
        tracked = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True,
                                 text=True).stdout.split("\n")
        if not any(tracked):
            self.skipTest("this is no git checkout")
        # A module is named by its header where it has one; data and corpora by their folder.
        present = set()
        for path in filter(None, tracked):
            if not os.path.exists(os.path.join(ROOT, path)):
                continue
            if path.split("/")[0] in ROOMS and path.endswith(".c") and os.path.exists(os.path.join(ROOT, path[:-2] + ".h")):
                continue
            present.add(path)
        folders = {entry for entry in listed if entry.endswith("/")}
        uncovered = {path for path in present if path not in listed and not any(path.startswith(folder) for folder in folders)}
        self.assertEqual(sorted(uncovered), [], "files without a line in docs/ARCHITECTURE.md")
        absent = {entry for entry in listed if not os.path.exists(os.path.join(ROOT, entry))}
        self.assertEqual(sorted(absent), [], "lines in docs/ARCHITECTURE.md without a file")


class Api(unittest.TestCase):
    def test_the_readme_names_every_route(self):
        readme = read("README.md")
        self.assertGreaterEqual(len(routes()), 18)
        for method, path in routes():
            short = path.replace("/v1/models/{model}/layers/{layer}", "…/layers/{layer}")
            self.assertTrue(path in readme or short in readme, f"{method} {path} is not in README.md")

    def test_the_page_has_every_route(self):
        page = read("docs/openapi.yaml")
        for method, path in routes():
            operations = re.search(rf"^  {re.escape(path)}:\n((?:    .*\n|\n)+)", page, re.M)
            self.assertTrue(operations, f"{path} is not in openapi.yaml")
            self.assertRegex(operations[1], rf"(?m)^    {method.lower()}:$", f"{method} {path} is not in openapi.yaml")

    def test_the_page_has_every_error(self):
        """In its table, as base/err.h has it, and as a value of `code`."""
        page = read("docs/openapi.yaml")
        codes = re.search(r"enum: \[(bad_json,[^\]]*)\]", page)[1].replace(",", " ").split()
        errors = re.findall(r'X\(\w+, "(\w+)", (\d+), "([^"]+)"\)', read("base/err.h"))
        self.assertGreaterEqual(len(errors), 25)
        self.assertEqual(codes, [code for code, _, _ in errors])
        self.assertEqual(re.findall(r"^    \| `(\w+)` \| (\d+) \| (.+) \|$", page, re.M), errors)

    def test_links_lead_somewhere(self):
        for document in ("README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/MATH.md", "docs/PERFORMANCE.md", "docs/OPERATIONS.md",
                         "bench/peer/README.md", "deploy/README.md", "examples/README.md"):
            for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", read(document)):
                if "://" not in link:
                    path = os.path.join(ROOT, os.path.dirname(document), link)
                    self.assertTrue(os.path.exists(path), f"{document} links to {link}")


class Operations(unittest.TestCase):
    def test_every_promise_names_tests_that_there_are(self):
        text, makefile = read("docs/OPERATIONS.md"), read("Makefile")
        named = re.findall(r"`([IU]):(test_\w+\.\w+)`((?:: `[^|]*?`(?:, `[^|]*?`)*)?)", text)
        self.assertGreater(len(named), 30)
        for kind, name, inside in named:
            path = {"I": "tests/integration/", "U": "tests/unit/"}[kind] + name
            self.assertTrue(os.path.exists(os.path.join(ROOT, path)), path)
            for test in re.findall(r"(?::|,) `([\w…]+)`", inside):
                self.assertTrue(test.rstrip("…") in read(path), f"{path} has no {test}")
        for target in re.findall(r"make ([a-z-]+-[a-z]+)", text):
            self.assertTrue(re.search(rf"(?m)^{target}:", makefile), f"there is no make {target}")
        for row in re.findall(r"^\| ([^|]+) \| ([^|]*) \|$", text, re.M):
            self.assertTrue(row[1].strip(), f"nothing holds: {row[0]}")


if __name__ == "__main__":
    unittest.main()
