# SPDX-License-Identifier: MIT
"""docs/openapi.yaml as the tests read it: its operations, with every parameter, and what its schemas name."""

import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import make_openapi  # noqa: E402
import make_pages  # noqa: E402, F401

with open(os.path.join(ROOT, "docs/openapi.yaml"), encoding="utf-8") as file:
    PAGE = json.loads(make_openapi.to_json(file.read()))

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def at(reference):
    """What a reference such as #/components/schemas/Name names. KeyError: nothing."""
    node = PAGE
    for key in reference.removeprefix("#/").split("/"):
        node = node[key.replace("~1", "/").replace("~0", "~")]
    return node


def resolved(node):
    """The node, or what it refers to."""
    return at(node["$ref"]) if "$ref" in node else node


class Operation:
    """A method of a path. `parameters` are by (place, name), `responses` by status; references are replaced."""

    def __init__(self, method, path, item):
        self.method, self.path, self.node = method.upper(), path, item[method]
        own = [resolved(each) for each in item.get("parameters", []) + self.node.get("parameters", [])]
        self.parameters = {(each["in"], each["name"]): each for each in own}
        self.responses = {status: resolved(each) for status, each in self.node["responses"].items()}
        self.body = resolved(self.node["requestBody"]) if "requestBody" in self.node else None

    def names(self, place):
        """The names of its parameters in the path, the query or the header."""
        return {name for where, name in self.parameters if where == place}

    def codes(self, status=None):
        """The error codes that its responses name, or those that the response of one status names."""
        chosen = self.responses.values() if status is None else [self.responses[status]]
        return {code for response in chosen for code in error_codes(response)}

    def __repr__(self):
        return f"{self.method} {self.path}"


OPERATIONS = {(method.upper(), path): Operation(method, path, item) for path, item in PAGE["paths"].items()
              for method in METHODS if method in item}

CODES = set(at("#/components/schemas/Problem")["properties"]["code"]["enum"])


def error_codes(response):
    """The error codes that a response's description names."""
    return set(re.findall(r"`(\w+)`", response["description"])) & CODES


def members(schema):
    """The names of the members that an object of this schema may have, and the schema of each."""
    found = {}
    for part in [at(schema["$ref"])] if "$ref" in schema else []:
        found.update(members(part))
    for part in schema.get("allOf", []) + schema.get("anyOf", []) + schema.get("oneOf", []):
        found.update(members(part))
    found.update(schema.get("properties", {}))
    return found


def walk(node, where="#"):
    """Every object of the page below the node, as (its place, it)."""
    if isinstance(node, dict):
        yield where, node
    for key, each in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from walk(each, f"{where}/{str(key).replace('~', '~0').replace('/', '~1')}")
