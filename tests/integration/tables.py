# SPDX-License-Identifier: MIT
"""The tables of the C sources, as the tests compare documents with them: routes, inputs, fields, errors."""

import collections
import os
import re
import subprocess
import unittest

from normd import ROOT

MODEL = "/v1/models/{model}"
LAYER = MODEL + "/layers/{layer}"
OIP_MODEL = "/v2/models/{model}"
OIP_VERSION = OIP_MODEL + "/versions/{version}"
PREFIXES = {"MODEL": MODEL, "LAYER": LAYER, "OIP_MODEL": OIP_MODEL, "OIP_VERSION": OIP_VERSION, "": ""}


def read(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def tracked():
    """The paths of the repository's files; a test that needs them is skipped outside a git checkout."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True).stdout.split("\n")
    if not any(listed):
        raise unittest.SkipTest("not a git checkout")
    return [path for path in listed if path and os.path.exists(os.path.join(ROOT, path))]


def handlers():
    """The texts of the handlers' files."""
    return [read(path) for path in tracked() if re.fullmatch(r"handlers/\w+\.c", path)]


def routes():
    """What handlers/routes.c says of each route: {(method, path): {column: text}}. `access` is a column too."""
    found = {}
    for row in re.findall(r'^\tROUTE\(("[A-Z]+", .*?)\),\n', read("handlers/routes.c"), re.S | re.M):
        method, prefix, rest, access = re.match(r'"(\w+)",\s+([A-Z_]+\b)? ?(?:"(/[^"]*)")?,\s+([A-Z]+),',
                                                row).groups(default="")
        found[method, PREFIXES[prefix] + rest] = {"access": access, **dict(re.findall(r'\.(\w+) = "?([^",]+)', row))}
    return found


Setting = collections.namedtuple("Setting", "name group variable takes default help")


def settings():
    """The rows of server/config.h: `takes` is None for a flag."""
    table = re.search(r"#define CONFIG_TABLE\(X\)(.*?)\n\n", read("server/config.h"), re.S)[1]
    table = table.replace("\\\n", " ")
    table = re.sub(r'" *CONFIG_TEXT\((\w+)\) *"', lambda m: number(m[1]), table)
    rows = re.findall(r'X\(\w+, (\w+), "--([\w-]+)",\s+"(\w+)",\s+(?:"([^"]*)"|NULL),\s+"([^"]*)",\s+'
                      r'\w+\([^()]*\),\s+"([^"]*)"\)', table)
    assert len(rows) == len(re.findall(r"\bX\(", table)), "a row of server/config.h is not read"
    return [Setting(name, group, variable, takes or None, default, text)
            for group, name, variable, takes, default, text in rows]


def number(macro):
    """The value of a macro of the daemon's headers, as text."""
    for path in tracked():
        if re.fullmatch(r"server/\w+\.h", path) and (found := re.search(rf"(?m)^#define {macro} (\d+)u?$", read(path))):
            return found[1]
    raise AssertionError(f"no header has {macro}")


def tensor_forms():
    """The media type of every form that has nothing beside tensors (codec/form.h)."""
    rows = [read(path) for path in tracked() if re.fullmatch(r"codec/form_\w+\.c", path)]
    return {re.search(r'\.media_type = "([^"]+)"', row)[1] for row in rows if ".document = true" not in row}


def inputs():
    """What each route takes, as declared: {(method, path): ({query parameters}, {members of the body})}."""
    everywhere, lists = {}, {}
    for text in handlers():
        declared = {}
        for shared, symbol, said in re.findall(r"^(static )?const struct input (\w+) =\s*(.*?);\n", text, re.M | re.S):
            name, places = re.search(r'"(\w+)"', said)[1], re.search(r"INPUT_(?:BODY|QUERY|ANYWHERE)\b", said)
            declared[symbol] = name, places[0] if places else "INPUT_BODY"
            if not shared:
                everywhere[symbol] = declared[symbol]
        for symbol, members in re.findall(r"^const struct input \*const (\w+)\[\] = \{(.*?)\}", text, re.M | re.S):
            lists[symbol] = declared, re.findall(r"&(\w+)", members)
    taken = {}
    for route, row in routes().items():
        declared, members = lists[row["inputs"]] if "inputs" in row else ({}, [])
        found = [declared.get(member) or everywhere[member] for member in members]
        taken[route] = ({name for name, places in found if places != "INPUT_BODY"},
                        {name for name, places in found if places != "INPUT_QUERY"})
    return taken


def callers(name):
    """The functions of the handlers that call this one."""
    functions = re.findall(r"^(\w+)\([^;{]*\)\n\{\n(.*?)^\}\n", "".join(handlers()), re.M | re.S)
    return {function for function, body in functions if re.search(rf"\b{name}\(", body)}


def errors():
    """{code: (status, title)} of base/err.h, in its order."""
    return {code: (status, title) for code, status, title in
            re.findall(r'X\(\w+, "(\w+)", (\d+), "([^"]+)"\)', read("base/err.h"))}


def choices():
    """The lists of names in layer/definition_fields.c, by their symbols."""
    lists = re.findall(r"const char \*const (\w+)\[[^\]]*\] = \{(.*?)\};", read("layer/definition_fields.c"), re.S)
    return {symbol: re.findall(r'"(\w+)"', names) for symbol, names in lists}


KINDS = {"batch_norm": "BN", "layer_norm": "LN", "instance_norm": "IN", "group_norm": "GN", "rms_norm": "RMS"}


def definition_fields(kind):
    """The rows of layer/definition_fields.c that a kind has: {field: the row's text after its kinds}."""
    rows = re.findall(r'^\t\{ "(\w+)", ([A-Z| ]+), (.*?) \},$', read("layer/definition_fields.c"), re.M)
    return {name: rest for name, kinds, rest in rows if {"ALL", KINDS[kind]} & set(kinds.split(" | "))}
