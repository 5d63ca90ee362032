# SPDX-License-Identifier: MIT
"""Builds the package by hatchling, after it has made the synchronous client of the asynchronous one: one source.

It is a backend of its own (PEP 517) and no hook of hatchling's: the hatchling of Ubuntu 24.04 cannot load such hooks.
"""

import os
import re

try:
    from hatchling import build as hatchling
    from hatchling.build import *  # noqa: F403 (all that is not below is hatchling's)
except ImportError:  # called as a program
    hatchling = None

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "src", "normd")
HEAD = "# Made from _async/{} by hatch_build.py. Do not edit.\n"
REPLACED = (("_transport_aio", "_transport"), ("__aenter__", "__enter__"), ("__aexit__", "__exit__"),
            (r"\basync ", ""), (r"\bawait ", ""), (r"\bAsync(?=[A-Z])", ""))


def make_sync(package=PACKAGE):
    """Writes _sync/*.py, files that have changed alone, and removes those without a source."""
    source, target = os.path.join(package, "_async"), os.path.join(package, "_sync")
    os.makedirs(target, exist_ok=True)
    for name in set(os.listdir(target)) - set(os.listdir(source)) - {"__pycache__"}:
        os.unlink(os.path.join(target, name))
    for name in sorted(os.listdir(source)):
        if not name.endswith(".py"):
            continue
        with open(os.path.join(source, name), encoding="utf-8") as f:
            text = f.read()
        for pattern, replacement in REPLACED:
            text = re.sub(pattern, replacement, text)
        text = HEAD.format(name) + text
        path = os.path.join(target, name)
        if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)


def build_sdist(*arguments, **named):
    make_sync()
    return hatchling.build_sdist(*arguments, **named)


def build_wheel(*arguments, **named):
    make_sync()
    return hatchling.build_wheel(*arguments, **named)


def build_editable(*arguments, **named):
    make_sync()
    return hatchling.build_editable(*arguments, **named)


if __name__ == "__main__":
    make_sync()
