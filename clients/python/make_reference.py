#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints docs/PYTHON_API.md: the classes and functions of the package, from its docstrings.

It reads the sources and imports nothing, so that no optional package is needed.
"""

import ast
import os
import re

from hatch_build import PACKAGE, make_sync

#: A page's sections: the module, the files it is read from (the first says what it is), and the title.
SECTIONS = (
    ("normd", "_sync/client.py", "The client"), ("normd", "_sync/model.py", "Models"),
    ("normd", "_sync/layer.py", "Layers"), ("normd", "_retries.py", "Retries"),
    ("normd.types", "types.py", "Answers"), ("normd.errors", "errors.py", "Exceptions"),
    ("normd.torch", "torch/__init__.py torch/_convert.py torch/_states.py torch/_modules.py", "PyTorch"),
    ("normd.rl", "rl.py", "Reinforcement learning"),
    ("normd.sklearn", "sklearn.py", "scikit-learn"), ("normd.shared", "shared.py", "Many workers"),
    ("normd.federated", "federated.py", "Federated learning"), ("normd.testing", "testing.py", "Tests"),
)
INTRODUCTION = """\
# The Python package, by name

Made from the docstrings by `make reference`; [PYTHON.md](PYTHON.md) is the tour. `normd.aio` has `AsyncClient`,
`AsyncModel` and `AsyncLayer`, whose methods are those of `Client`, `Model` and `Layer` as coroutines. Each call may
raise the exceptions of `normd.errors`.
"""


def is_public(node):
    return (isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_")
            and node.name != "extra_repr")  # which PyTorch calls to show a module


def text_of(node):
    # What a module's docstring indents is code, even where all lines but the first are.
    text = (ast.get_docstring(node, clean=not isinstance(node, ast.Module)) or "").strip()
    return text.replace("``", "`") + "\n" if text else ""


def bases_of(node):
    """The classes whose members a class has too. Those of dictionaries and private ones say nothing to a reader."""
    names = [name for name in map(ast.unparse, node.bases) if not name.startswith(("_", "TypedDict", "NamedTuple"))]
    return "Extends " + ", ".join(f"`{name}`" for name in names) + ".\n" if names else ""


def signature(function, name, bound):
    """As a caller writes it."""
    arguments = function.args
    if bound:
        arguments.args = arguments.args[1:]
    result = f" → `{ast.unparse(function.returns)}`" if function.returns and name != "__init__" else ""
    return f"({ast.unparse(arguments)})`{result}"


def is_a(decorator, function):
    return any(isinstance(d, ast.Name) and d.id == decorator for d in function.decorator_list)


def describe_method(function):
    if is_a("property", function):
        return f"- `{function.name}` → `{ast.unparse(function.returns)}`"
    return f"- `{function.name}{signature(function, function.name, not is_a('staticmethod', function))}"


def indented(text):
    return "".join(f"  {line}\n" if line else "\n" for line in text.splitlines())


def describe_class(node):
    init = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
    head = f"### `{node.name}" + (signature(init, "__init__", True) if init is not None else "`")
    lines = [head + "\n", text_of(node), bases_of(node)]
    fields = [f for f in node.body if isinstance(f, ast.AnnAssign) and not f.target.id.startswith("_")]
    lines += [f"- `{f.target.id}`: `{ast.unparse(f.annotation)}`" for f in fields
              if not ast.unparse(f.annotation).startswith("ClassVar")]
    lines += [""]
    for function in filter(is_public, node.body):
        lines += [describe_method(function), indented(text_of(function))]
    return lines


def is_error_of_a_code(node):
    return isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == "ApiError"
                                                  for base in node.bases)


def describe(path, whole=True):
    with open(path, encoding="utf-8") as f:
        tree = ast.parse(f.read())
    lines = [text_of(tree)] if whole and not os.path.basename(os.path.dirname(path)).startswith("_") else []
    codes = []
    for node in filter(is_public, tree.body):
        if is_error_of_a_code(node):
            codes.append(f"| `{node.name}` | {text_of(node).strip()} |")
        elif isinstance(node, ast.ClassDef):
            lines += describe_class(node)
        else:
            lines += [f"### `{node.name}{signature(node, node.name, False)}\n", text_of(node)]
    if codes:
        lines += ["| exception | the daemon says |", "|---|---|", *codes, ""]
    return lines


def main():
    make_sync()
    lines = [INTRODUCTION]
    for module, files, title in SECTIONS:
        lines += [f"## {title}: `{module}`", ""]
        for file in files.split():
            lines += describe(os.path.join(PACKAGE, file), file == files.split()[0])
    print(re.sub("\n{3,}", "\n\n", "\n".join(lines)).rstrip("\n"))


if __name__ == "__main__":
    main()
