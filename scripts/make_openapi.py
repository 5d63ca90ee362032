#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes docs/openapi.yaml as JSON inside a C source, which the build compiles into the daemon (handlers/openapi.h):
make_openapi.py PAGE >SOURCE

The page is read as YAML 1.2 reads it. YAML 1.1 makes a date of 2026-11-30, a truth of `yes`, a text of 1e-5 and an
integer of 1:30. Here a value is a number only where JSON has one, and otherwise a text. A key that is there twice, and
one that is not a text, such as 200 without quotes, are errors.
"""

import json
import re
import sys

import yaml

NUMBER_START = list("-0123456789")


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        mapping = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in mapping:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} " + ("is there twice" if key in mapping else "is not a text"),
                    key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping


def construct_int(loader, node):
    return int(loader.construct_scalar(node))


def construct_float(loader, node):
    return float(loader.construct_scalar(node))


def construct_map(loader, node):
    return loader.construct_mapping(node)


for tag, pattern, first in (("null", r"null|~|", ["n", "~", ""]), ("bool", r"true|false", ["t", "f"]),
                            ("int", r"-?(?:0|[1-9][0-9]*)", NUMBER_START),
                            ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", NUMBER_START)):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z"), first)
Loader.add_constructor("tag:yaml.org,2002:int", construct_int)
Loader.add_constructor("tag:yaml.org,2002:float", construct_float)
Loader.add_constructor("tag:yaml.org,2002:map", construct_map)


def to_json(page):
    """The page's text as JSON in ASCII, with its members in the page's order."""
    return json.dumps(yaml.load(page, Loader), allow_nan=False, separators=(",", ":"))


def to_c(document):
    """A text in ASCII as the source of a constant. `?` is escaped because ??= would be a trigraph."""
    escaped = re.sub(r'(["\\?])', r"\\\1", document)
    lines = "".join(f'\n\t"{line}"' for line in re.findall(r"(?:\\.|[^\\]){1,100}", escaped))
    return ("/* SPDX-License-Identifier: MIT */\n"
            "/* docs/openapi.yaml as JSON, written by scripts/make_openapi.py. */\n"
            '#include "handlers/openapi.h"\n\n'
            f"const char openapi_document[] ={lines};\n\n"
            "const size_t openapi_document_bytes = sizeof(openapi_document) - 1;\n")


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        page = f.read()
    try:
        document = to_json(page)
    except (yaml.YAMLError, ValueError) as e:
        sys.exit(f"{sys.argv[1]}: {e}")
    sys.stdout.write(to_c(document))


if __name__ == "__main__":
    main()
