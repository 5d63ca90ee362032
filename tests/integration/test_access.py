# SPDX-License-Identifier: MIT
"""Access: who may call which route, from the table of routes itself."""

import os
import subprocess
import unittest

from normd import ROOT


class Column(unittest.TestCase):
    def compiles(self, row):
        text = f'#include "handlers/routes.h"\nextern const struct route row;\nconst struct route row = {row};\n'
        compiler = os.environ.get("CC", "cc").split()
        flags = ["-std=c11", "-D_GNU_SOURCE", "-I.", "-Werror", "-fsyntax-only", "-x", "c", "-"]
        done = subprocess.run([*compiler, *flags],
                              input=text, cwd=ROOT, text=True, capture_output=True)
        return done.returncode == 0

    def test_a_route_without_access_does_not_compile(self):
        self.assertTrue(self.compiles('ROUTE("GET", "/x", OPEN, .any_query = true)'))
        self.assertFalse(self.compiles('ROUTE("GET", "/x", .any_query = true)'))
        self.assertFalse(self.compiles('ROUTE("GET", "/x", EVERYBODY, .any_query = true)'))
        self.assertFalse(self.compiles('ROUTE("GET", "/x")'))
        self.assertFalse(self.compiles('{ "GET", "/x", .any_query = true }'))


if __name__ == "__main__":
    unittest.main()
