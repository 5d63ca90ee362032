#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the files of web/ inside a C source, which the build compiles into the daemon (handlers/web.h):
make_pages.py FOLDER >SOURCE

Each file is stored plain and compressed. Scripts and styles of our own are minified by esbuild, one by one. A page
names all the modules that its scripts import, so that a browser asks for them at once, and not for each when it has
read what imports it. The same files, esbuild and zlib make the same source. Files lie in the folder itself, or one
folder below. A file of a type that is not in TYPES is an error. What NOT_SERVED names, and what begins with a dot, such
as an editor's, is left out.
"""

import hashlib
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
OTHERS = "vendor/"  # what others wrote is served as they wrote it
MINIFIED = (".js", ".css")
MODULE = re.compile(r'(?:src|href)="web/([^"]+\.js)"')  # that a page names
IMPORT = re.compile(r'(?:from|import) "([^"]+)";')  # of a script, as it is written
# Newer than any syntax of the pages: what they say is not said otherwise for older browsers.
ESBUILD = ("esbuild", "--minify", "--charset=utf8", "--target=esnext", "--log-level=error", "--color=false")


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


def minified(folder, paths):
    """{path: bytes} of scripts and styles, as esbuild leaves them."""
    with tempfile.TemporaryDirectory() as out:
        try:
            done = subprocess.run([*ESBUILD, f"--outdir={out}", "--outbase=.", *paths], cwd=folder, capture_output=True)
        except FileNotFoundError:
            raise ValueError("esbuild is missing: 'make setup' installs it") from None
        if done.returncode != 0:
            raise ValueError(done.stderr.decode(errors="replace").strip())
        return {path: read(out, path) for path in paths}


def read(folder, path):
    with open(os.path.join(folder, path), "rb") as f:
        return f.read()


def imported(files, module):
    """The paths of the modules that one imports, and of those that they import."""
    found, left = {}, [module]
    while left:
        path = left.pop()
        if path not in files:
            raise ValueError(f"{path} is not there, and is imported")
        if path not in found:
            found[path] = True
            where = os.path.dirname(path)
            left += [os.path.normpath(os.path.join(where, name)) for name in IMPORT.findall(files[path].decode())]
    return found


def with_modules(files, page):
    """A page that names the modules of its modules too."""
    text = files[page].decode()
    named = dict.fromkeys(MODULE.findall(text))
    more = {path: True for module in named for path in imported(files, module) if path not in named}
    links = "".join(f'<link rel="modulepreload" href="web/{path}">\n' for path in more)
    return text.replace("</head>", links + "</head>").encode()


def served(folder):
    """{path: bytes} of all files, as they are served."""
    files = {path: read(folder, path) for path in names(folder)}
    pages = {path: with_modules(files, path) for path in files if path.endswith(".html")}
    ours = [path for path in files if path.endswith(MINIFIED) and not path.startswith(OTHERS)]
    if ours:
        files.update(minified(folder, ours))
    return {**files, **pages}


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
