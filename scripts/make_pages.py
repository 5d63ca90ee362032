#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the files of web/ inside a C source, which the build compiles into the daemon (handlers/web.h):
make_pages.py FOLDER >SOURCE

Each file is stored plain and compressed. esbuild makes one script and one style of all that a page's own import, so
that a browser asks for little, and once; so it does for what a script names as new URL("…", import.meta.url). What
others wrote (vendor/) is served as they wrote it. The same files, esbuild and zlib make the same source. Files lie in
the folder itself, or one folder below. A file of a type that is not in TYPES, and a script or style that nothing
imports, are errors. What NOT_SERVED names, and what begins with a dot, such as an editor's, is left out.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zlib

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".png": "image/png",
    ".ico": "image/vnd.microsoft.icon",
}
NOT_SERVED = {"README.md", "LICENSE"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
GZIP_BYTES_MAX = 120_000  # of all files together
OTHERS = "vendor/"
BUNDLED = (".js", ".css")
OF_PAGE = re.compile(r'(?:src|href)="web/([^"]+)"')  # what a page names
OF_SCRIPT = re.compile(r'new URL\("([^"]+)", import\.meta\.url\)')  # what a script names by its own address
# Newer than any syntax of the pages: what they say is not said otherwise for older browsers.
ESBUILD = ("esbuild", "--bundle", "--format=esm", "--minify", "--charset=utf8", "--target=esnext",
           "--log-level=error", "--color=false")


def names(folder):
    """The names of the files that are served, as paths below the folder."""
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in files:
            path = os.path.relpath(os.path.join(where, name), folder)
            if name in NOT_SERVED or name.startswith("."):
                continue
            if path.count("/") > 1 or not all(NAME.fullmatch(part) for part in path.split("/")):
                raise ValueError(f"{path}: a file's name has A-Z a-z 0-9 . _ -, and at most one folder before it")
            if os.path.splitext(name)[1] not in TYPES:
                raise ValueError(f"{path}: the type of this file is none of {' '.join(TYPES)}")
            found.append(path)
    return sorted(found)


def entries(files):
    """The scripts and styles that pages and scripts name: each is bundled with what it imports."""
    named = set()
    for path, data in files.items():
        if path.endswith(".html"):
            named.update(OF_PAGE.findall(data.decode()))
        elif path.endswith(".js") and not path.startswith(OTHERS):
            where = os.path.dirname(path)
            named.update(os.path.normpath(os.path.join(where, name)) for name in OF_SCRIPT.findall(data.decode()))
    return sorted(path for path in named if path.endswith(BUNDLED) and not path.startswith(OTHERS))


def bundles(folder, paths):
    """({path: bytes} of the bundles of these scripts and styles, the paths of all files that are in them)."""
    with tempfile.TemporaryDirectory() as out:
        made = os.path.join(out, "made.json")
        try:
            done = subprocess.run([*ESBUILD, f"--outdir={out}", "--outbase=.", f"--metafile={made}", *paths],
                                  cwd=folder, capture_output=True)
        except FileNotFoundError:
            raise ValueError("esbuild is missing: 'make setup' installs it") from None
        if done.returncode != 0:
            raise ValueError(done.stderr.decode(errors="replace").strip())
        inside = json.loads(read(out, "made.json"))["inputs"]
        return {path: read(out, path) for path in paths}, set(inside)


def read(folder, path):
    with open(os.path.join(folder, path), "rb") as f:
        return f.read()


def served(folder):
    """{path: bytes} of all files, as they are served."""
    files = {path: read(folder, path) for path in names(folder)}
    ours = {path for path in files if path.endswith(BUNDLED) and not path.startswith(OTHERS)}
    named = entries(files)
    made, inside = bundles(folder, named) if named else ({}, set())
    if ours - inside:
        raise ValueError(f"{', '.join(sorted(ours - inside))}: nothing imports this")
    return {**{path: data for path, data in files.items() if path not in ours}, **made}


def compressed(data):
    """The bytes as gzip: zlib writes neither a name nor a time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


ESCAPES = [chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in range(256)]


def to_bytes(data):
    """The members of a struct web_bytes."""
    pieces = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
    lines = "".join('\n\t    "' + "".join(map(ESCAPES.__getitem__, piece)) + '"' for piece in pieces)
    return f"{{ {len(data)},{lines} }}"


def to_c(folder):
    """The source, and how many bytes all files have compressed."""
    rows, total = [], 0
    for path, plain in served(folder).items():
        gzip = compressed(plain)
        total += len(gzip)
        digest = hashlib.sha256(plain).hexdigest()[:32]
        rows.append(f'\t{{ "{path}", "{digest}", {to_bytes(plain)},\n\t    {to_bytes(gzip)} }},\n')
    types = "".join(f'\t{{ "{ending}", "{text}" }},\n' for ending, text in TYPES.items())
    return ("/* SPDX-License-Identifier: MIT */\n"
            "/* The files of web/, written by scripts/make_pages.py. */\n"
            '#include "handlers/web.h"\n\n'
            f"const struct web_type web_types[] = {{\n{types}\t{{ NULL, NULL }}\n}};\n\n"
            f"const struct web_file web_files[] = {{\n{''.join(rows)}"
            "\t{ NULL, NULL, { 0, NULL }, { 0, NULL } }\n};\n"), total


def main():
    try:
        source, total = to_c(sys.argv[1])
        if total > GZIP_BYTES_MAX:
            raise ValueError(f"the files have {total} bytes compressed; {GZIP_BYTES_MAX} are the most")
    except (OSError, ValueError) as e:
        sys.exit(f"{sys.argv[1]}: {e}")
    sys.stdout.write(source)
    print(f"  PAGES {total} bytes compressed, of {GZIP_BYTES_MAX}", file=sys.stderr)


if __name__ == "__main__":
    main()
