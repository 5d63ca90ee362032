#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the files of web/ inside a C source, which the build compiles into the daemon (handlers/web.h):
make_pages.py FOLDER >SOURCE

Each file is stored plain and compressed. Scripts and styles of our own lose comments, and the spaces that nothing
needs. They keep their lines, so that a browser names the line of the source. The same files and the same zlib make the
same source. Files lie in the folder itself, or one folder below. A file of a type that is not in TYPES is an error.
What NOT_SERVED names, and what begins with a dot, such as an editor's, is left out.
"""

import hashlib
import os
import re
import sys
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
# Of a script: texts, comments, regular expressions, names and numbers, spaces, all else.
PART = re.compile(rb"""
    (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<comment>//[^\n]*|/\*.*?\*/)|
    (?P<regex>/(?:[^/\\\[\n]|\\.|\[(?:[^]\\\n]|\\.)*])+/[a-z]*)|(?P<word>[\w$\x80-\xff]+)|(?P<space>[ \t]+)|.
    """, re.DOTALL | re.VERBOSE)
TEMPLATE = re.compile(rb"(?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{)", re.DOTALL)  # up to its end or to an expression
VALUE = re.compile(rb"[\w$)\]}\"'`]$")  # behind it, / divides: no script of ours has "if (x) /y/.test(z)"
BEFORE_VALUE = {b"return", b"typeof", b"case", b"of", b"in"}  # words behind which it does not
STYLE = re.compile(rb"""("[^"\n]*")|/\*.*?\*/|^[ \t]+|(?<=[:,;{])[ ]+|[ ]+(?={)""", re.DOTALL | re.MULTILINE)


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


def script_parts(data):
    """(kind, bytes) of each part of a script; the kind of a template's texts is "text" too."""
    at, last, nested = 0, b"", []  # `nested`: open braces of each expression in a template that is open
    while at < len(data):
        closes = nested and nested[-1] == 0 and data[at:at + 1] == b"}"
        if closes or data[at:at + 1] == b"`":
            found = TEMPLATE.match(data, at + 1)
            if found is None:
                raise ValueError("a text between ` has no end")
            part, kind = data[at:found.end()], "text"
            if closes:
                nested.pop()
            if part.endswith(b"${"):
                nested.append(0)
        else:
            found = PART.match(data, at)
            part, kind = found[0], found.lastgroup
            if kind == "regex" and VALUE.search(last) and last not in BEFORE_VALUE:
                part, kind = b"/", None
            if nested:
                nested[-1] += (part == b"{") - (part == b"}")
        if kind not in ("space", "comment") and part != b"\n":
            last = part
        yield kind, part
        at += len(part)


def squeezed_script(data):
    """A script without comments, and without spaces that part nothing. Its lines stay."""
    out = bytearray()
    is_apart = False
    for kind, part in script_parts(data):
        if kind in ("space", "comment"):
            out += b"\n" * part.count(b"\n")
            is_apart = True
            continue
        pair = out[-1:] + part[:1]
        if is_apart and (re.fullmatch(rb"[\w$\x80-\xff]{2}", pair) or pair in (b"++", b"--") or b"/" in pair):
            out += b" "
        out += part
        is_apart = False
    return bytes(out)


def squeezed_style(data):
    return STYLE.sub(lambda found: found[1] or b"\n" * found[0].count(b"\n"), data)


def served(folder, path):
    """The bytes that are served for a file."""
    with open(os.path.join(folder, path), "rb") as f:
        data = f.read()
    squeeze = {".js": squeezed_script, ".css": squeezed_style}.get(os.path.splitext(path)[1])
    try:
        return data if path.startswith(OTHERS) or squeeze is None else squeeze(data)
    except ValueError as e:
        raise ValueError(f"{path}: {e}") from None


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
    for path in names(folder):
        plain = served(folder, path)
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
