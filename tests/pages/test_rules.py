# SPDX-License-Identifier: MIT
"""What the sources of the pages must not have (web/README.md). No browser is needed."""

import glob
import os
import re
import unittest

from normd import ROOT

# Where, what, and why not.
FORBIDDEN = (
    ("js", r"\b(innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|srcdoc|setHTMLUnsafe)\b|"
           r"document\.write", "HTML is not parsed"),
    ("js", r"\beval\(|new Function\b|set(Timeout|Interval)\([\"'`]|javascript:", "texts are not run"),
    ("js", r"[\"']style[\"']\s*,|\.cssText\b|\.style\s*=[^=]", "the content security policy forbids style attributes"),
    ("js", r"[\"'`]/(v1|v2|web|play|openapi)\b", "addresses are relative, for prefixes"),
    ("js|css|html|svg", r"https?://(?!www\.w3\.org/2000/svg\b)|[\"'(]//\w", "nothing comes from others"),
    ("css", r"@import (?!\"(\.\./)?\w+\.css\";)|url\((?!data:)", "style sheets load nothing but our own"),
    ("html", r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|(src|href)=\"/", "the policy forbids inline parts"),
)


def faults(text, kind):
    """(line, reason) of what a file of this kind must not have."""
    for number, line in enumerate(text.splitlines(), 1):
        for kinds, pattern, reason in FORBIDDEN:
            if kind in kinds.split("|") and re.search(pattern, line):
                yield number, reason


class Rules(unittest.TestCase):
    def files(self):
        for path in glob.glob(os.path.join(ROOT, "web/**/*.*"), recursive=True):
            if "/vendor/" not in path and not path.endswith(".md"):
                yield path

    def test_sources(self):
        self.assertGreater(len(list(self.files())), 20)
        for path in self.files():
            with open(path) as f, self.subTest(path=os.path.relpath(path, ROOT)):
                self.assertEqual(list(faults(f.read(), path.rpartition(".")[2])), [])

    def test_what_is_found(self):
        for kind, text in (
                ("js", "node.innerHTML = text"), ("js", "document.write(x)"), ("js", "eval(x)"),
                ("js", "new Function(x)"), ("js", "setTimeout('x()', 1)"), ("js", 'node.setAttribute("style", x)'),
                ("js", "node.style = x"), ("js", "node.style.cssText = x"), ("js", 'fetch("/v1/models")'),
                ("js", 'import "https://cdn.example/x.js"'), ("js", 'import "//cdn.example/x.js"'),
                ("css", "@import 'x.css'"), ("css", "background: url(x.png)"), ("html", "<p style='color: red'>"),
                ("html", '<a onclick="x()">'), ("html", "<script>x()</script>"),
                ("html", '<link href="/web/style.css">')):
            self.assertEqual(len(list(faults(text, kind))), 1, text)
