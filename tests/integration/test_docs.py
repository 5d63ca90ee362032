# SPDX-License-Identifier: MIT
"""
The documents say what is there: every file has its line in ARCHITECTURE.md, every route its row in the README, every
link leads somewhere, and the README's commands print what it shows.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

from api_page import OPERATIONS, PAGE, at, error_codes, make_pages, members, resolved
from normd import NORMD, PATIENCE, ROOT, Daemon, DaemonTest
from tables import (KINDS, callers, choices, definition_fields, errors, handlers, inputs, read, routes, tensor_forms,
                    tracked)

# The documents that promise something to operators.
PROMISING = ("docs/GUARANTEES.md", "docs/OPERATIONS.md", "docs/SECURITY.md")
FILE_TYPES = {"application/octet-stream", "application/vnd.safetensors"}


def rooms():
    """The folders of sources, as the Makefile has them."""
    return re.search(r"(?m)^ROOMS *:= (.*)$", read("Makefile"))[1].split()


def first_lines(path, count):
    with open(os.path.join(ROOT, path), "rb") as f:
        return b"".join(f.readline(200) for _ in range(count)).decode("latin-1")


class Architecture(unittest.TestCase):
    def test_every_file_has_a_line_and_every_line_a_file(self):
        listed = set(re.findall(r"^\| `([^`]+)` \|", read("docs/ARCHITECTURE.md"), re.M))
        # A module is named by its header where it has one; data and corpora by their folder.
        present = set()
        sources = rooms()
        for path in tracked():
            header = os.path.join(ROOT, path[:-2] + ".h")
            if path.split("/")[0] in sources and path.endswith(".c") and os.path.exists(header):
                continue
            present.add(path)
        folders = {entry for entry in listed if entry.endswith("/")}
        uncovered = {path for path in present - listed if not any(path.startswith(folder) for folder in folders)}
        self.assertEqual(sorted(uncovered), [], "files without a line in docs/ARCHITECTURE.md")
        absent = {entry for entry in listed if not os.path.exists(os.path.join(ROOT, entry))}
        self.assertEqual(sorted(absent), [], "lines in docs/ARCHITECTURE.md without a file")


class Licence(unittest.TestCase):
    def test_every_source_names_its_licence(self):
        """In its first three lines, where a tool looks: also what programs write, and what a #! line precedes."""
        sources = re.compile(r"\.(c|h|cc|py|mk|lua|ya?ml)$|(^|/)(Makefile|Dockerfile)$")
        scripts = [path for path in tracked() if sources.search(path) or first_lines(path, 1).startswith("#!")]
        self.assertGreater(len(scripts), 400)
        without = [path for path in scripts if "SPDX-License-Identifier: MIT" not in first_lines(path, 3)]
        self.assertEqual(without, [])

    def test_the_generated_table_is_what_its_script_writes(self):
        done = subprocess.run([os.path.join(ROOT, "scripts/make_pow10.py")], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, read("codec/decimal/pow10.c"))


class Rooms(unittest.TestCase):
    def test_what_lists_the_rooms_lists_them_all(self):
        """What the image is built from, what is checked, what coverage counts."""
        folders = sorted({room.split("/")[0] for room in rooms()})
        self.assertGreater(len(folders), 7)
        copied = re.findall(r"(?m)^!([a-z]+)$", read(".dockerignore"))
        self.assertEqual(sorted([*folders, "web"]), sorted(copied))
        for path, listed in ((".clang-tidy", r"HeaderFilterRegex: '\(([a-z|]+)\)/"),
                             ("scripts/coverage", r"\(([a-z|]+)\)/"),
                             ("scripts/lint", r"sources=\$\(find ([a-z ]+) -name"),
                             ("tests/layers", r"<\$pattern>\" ([a-z ]+)[|]")):
            self.assertEqual(folders, sorted(re.split("[ |]", re.search(listed, read(path))[1].strip())), path)


class Version(unittest.TestCase):
    def test_everything_says_the_makefile_s_version(self):
        version = re.search(r"(?m)^VERSION *:= (\d+\.\d+\.\d+)$", read("Makefile"))[1]
        daemon = Daemon()
        self.addCleanup(daemon.close)
        said = subprocess.run([NORMD, "--version"], capture_output=True, text=True).stdout
        page = read("docs/openapi.yaml")
        self.assertEqual(said, f"normd {version}\n")
        self.assertEqual(daemon.curl("GET", "/", headers={"Accept": "application/json"}).json["version"],
                         version)
        self.assertEqual(re.findall(r'^__version__ = "(.*)"$', read("clients/python/src/normd/_version.py"), re.M),
                         [version])
        self.assertEqual(re.findall(r"^ARG VERSION=(.*)", read("deploy/Dockerfile"), re.M), [version])
        self.assertEqual(re.search(r"(?m)^info:\n(?:  .*\n)*?  version: (.*)$", page)[1], version)
        self.assertEqual(re.findall(r'"name": ?"normd", ?"version": ?"([^"]*)"', page), [version] * 2)
        self.assertRegex(read("CHANGELOG.md"), rf"(?m)^## \[(Unreleased|{re.escape(version)})\]")


class Api(unittest.TestCase):
    """The page has what the tables of the code have, no more and no less."""

    def test_the_readme_names_every_route(self):
        readme = read("README.md")
        self.assertGreaterEqual(len(routes()), 18)
        for method, path in routes():
            short = path.replace("/v1/models/{model}/layers/{layer}", "…/layers/{layer}")
            self.assertTrue(path in readme or short in readme, f"{method} {path} is not in README.md")

    def test_the_tables_are_read_from_the_source(self):
        """What the tests below know of a few routes and fields is what a client can send."""
        taken, layer = inputs(), "/v1/models/{model}/layers/{layer}"
        self.assertEqual(set(taken), set(routes()))
        self.assertEqual(routes()["DELETE", layer],
                         {"access": "ADMIN", "start": "layer_delete", "finish": "no_content_finish"})
        self.assertEqual(taken["GET", "/v1/models"], ({"limit", "after"}, set()))
        self.assertEqual(taken["POST", layer + "/statistics/merge"], (set(), {"mean", "var", "count"}))
        self.assertLessEqual({"inverse", "lengths", "mask"}, taken["POST", layer + "/infer"][0])
        self.assertIn("layer_delete", callers("precondition_get"))
        self.assertEqual(list(definition_fields("group_norm")),
                         ["kind", "convention", "num_groups", "num_channels", "eps", "affine", "clip", "datatype"])
        self.assertEqual(choices()["kind_names"], list(KINDS))

    def test_routes(self):
        """Methods and paths, with the paths' placeholders; every operation has a name of its own."""
        self.assertEqual(sorted(OPERATIONS), sorted(routes()))
        for (_, path), operation in OPERATIONS.items():
            self.assertEqual(operation.names("path"), set(re.findall(r"{(\w+)}", path)), operation)

    def test_inputs(self):
        """Query parameters, and the members of bodies."""
        fields = {name for kind in KINDS for name in definition_fields(kind)}
        for route, (query, taken) in inputs().items():
            operation, row = OPERATIONS[route], routes()[route]
            self.assertEqual(operation.names("query"), query, operation)
            taken = taken | ({"shape", "datatype"} if "data" in taken else set())
            taken = taken | (fields if row.get("body") == "BODY_DEFINITION" else set())
            taken = taken | ({"frozen"} if row["start"] == "layer_put" else set())  # as GET shows it
            schema = operation.body["content"].get("application/json", {}).get("schema", {}) if operation.body else {}
            self.assertEqual(sorted(members(schema)), sorted(taken), f"the members of the body of {operation}")

    def test_media_types(self):
        """Of bodies and answers: JSON, the forms of tensors where the route has tensors, a stream's or a text's own."""
        self.assertIn("application/x-npy", tensor_forms())
        for route, row in routes().items():
            operation = OPERATIONS[route]
            binary = {"application/octet-stream"} if row.get("body") == "BODY_OIP" else set()
            taken = set() if "body" not in row else FILE_TYPES if row["body"] == "BODY_FILE" else {"application/json"}
            self.assertEqual(set(operation.body["content"]) if operation.body else set(),
                             taken | binary | (tensor_forms() if "tensors_in" in row else set()), operation)
            given = {media for status, response in operation.responses.items() if status < "300"
                     for media in response.get("content", {})}
            other_type = row.get("text_type", row.get("stream_type", "application/json"))
            expected = {other_type} if {"200", "201"} & set(operation.responses) else set()
            page = set(make_pages.TYPES.values()) & given if "web" in row else set()
            self.assertEqual(bool(page), "web" in row, operation)
            expected = page | (set() if row.get("web") == "WEB_ROUTE_PAGE" else expected)
            self.assertEqual(given, expected | binary | (tensor_forms() if "tensors_out" in row else set()),
                             operation)

    def test_headers(self):
        """Idempotency-Key where a key guards the change, If-Match where the handler reads it, Range where a stream
        comes in parts, Normd-Min-Revision where a layer's state is read."""
        streams = {start for text in handlers() if ".has_ranges = true" in text
                   for start in re.findall(r"^(\w+)\(", text, re.M)}
        conditional = callers("precondition_get")
        for route, row in routes().items():
            names = OPERATIONS[route].names("header") - {"X-Request-Id", "traceparent"}
            expected = {"Idempotency-Key"} if "takes_key" in row else set()
            expected |= {"Normd-Min-Revision"} if "needs_layer" in row or row.get("body") == "BODY_OIP" else set()
            expected |= {"Inference-Header-Content-Length"} if row.get("body") == "BODY_OIP" else set()
            expected |= {"Range", "If-Range", "If-None-Match"} if row["start"] in streams else set()
            expected |= {"If-None-Match"} if "web" in row else set()
            self.assertEqual(names, expected | ({"If-Match"} if row["start"] in conditional else set()), route)

    def test_access(self):
        """Who may call each route; a route that is open needs no token."""
        for route, row in routes().items():
            operation = OPERATIONS[route]
            self.assertEqual(operation.node.get("x-role"), row["access"].lower(), operation)
            self.assertEqual(operation.node.get("security"), [] if row["access"] == "OPEN" else None, operation)
            self.assertEqual("401" in operation.responses, row["access"] != "OPEN", operation)
            self.assertEqual(operation.node.get("x-page"), True if row.get("web") == "WEB_ROUTE_PAGE" else None)
        self.assertIn({"token": []}, PAGE["security"])
        self.assertEqual(at("#/components/securitySchemes/token")["scheme"], "bearer")

    def test_errors(self):
        """In the page's table, as base/err.h has them, and as values of `code`; a response names each."""
        self.assertGreaterEqual(len(errors()), 25)
        self.assertEqual(at("#/components/schemas/Problem")["properties"]["code"]["enum"], list(errors()))
        table = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+) \|$", PAGE["info"]["description"], re.M)
        self.assertEqual(table, [(code, *row) for code, row in errors().items()])
        named = {code for operation in OPERATIONS.values() for code in operation.codes()}
        anywhere = {code for response in at("#/components/responses").values() for code in error_codes(response)}
        self.assertEqual(sorted(set(errors()) - named - anywhere), [])

    def test_errors_of_each_route(self):
        """Each response names codes of its own status. What a route's row implies, its operation names."""
        conditional = callers("precondition_get")
        for route, row in routes().items():
            operation = OPERATIONS[route]
            for status, response in operation.responses.items():
                if operation.codes(status) & {"overloaded", "idempotency_in_flight"}:
                    self.assertIn("Retry-After", response["headers"], f"{status} of {operation}")
                statuses = {errors()[code][0] for code in operation.codes(status)}
                self.assertEqual(statuses, {status} if status >= "400" else set(), f"{status} of {operation}")
            implied = {"bad_parameter", "forbidden", "not_acceptable", "overloaded", "storage_unavailable",
                       "shutting_down"}
            for holds, codes in ((row["access"] != "OPEN", {"unauthenticated"}),
                                 ("{model}" in route[1], {"bad_name"}),
                                 ("{model}" in route[1] and row["start"] != "layer_put", {"no_such_model"}),
                                 ("needs_layer" in row, {"no_such_layer"}),
                                 ("{source}" in route[1] and route[0] != "PUT", {"no_such_source"}),
                                 ("version" in operation.names("query"), {"no_such_version", "no_such_alias"}),
                                 ("expect" in operation.names("query"), {"state_mismatch"}),
                                 ("body" in row, {"body_too_large", "unsupported_media_type"}),
                                 ("body" in row, {"bad_safetensors" if row.get("body") == "BODY_FILE" else
                                                  "bad_json"}),
                                 ("tensors_in" in row, {"bad_tensor", "bad_npy", "shape_mismatch"}),
                                 ("takes_key" in row, {"idempotency_in_flight", "idempotency_mismatch"}),
                                 (row["start"] in conditional, {"revision_mismatch"}),
                                 (route[0] in ("PUT", "DELETE") and "finish" in row, {"storage_full"})):
                implied |= codes if holds else set()
            self.assertEqual(sorted(implied - operation.codes()), [], operation)


def schema_of(kind):
    """The members of a kind's definition on the page, and the schema of each."""
    name = "".join(word.title() for word in kind.split("_"))
    return {field: resolved(schema) for field, schema in members(at(f"#/components/schemas/{name}")).items()
            if field != "frozen"}


class Definitions(DaemonTest):
    """The page has the fields of every kind, as the table of fields has them and as the daemon fills them in."""

    needed = {"num_groups": 2, "num_channels": 6, "normalized_shape": [3]}

    def shown(self, kind, **fields):
        """A definition with only the fields that it needs, filled in."""
        needed = {name: value for name, value in self.needed.items() if name in definition_fields(kind)}
        layer = "-".join((kind, *map(str, fields.values())))
        return self.put_layer(layer, {"kind": kind, **needed, **fields}).json

    def test_names(self):
        for kind in KINDS:
            self.assertEqual(sorted(schema_of(kind)), sorted(definition_fields(kind)), kind)
        resolved_definitions = at("#/components/schemas/ResolvedDefinition")["oneOf"]
        self.assertEqual([sorted(each["required"]) for each in resolved_definitions],
                         [sorted(definition_fields(kind)) for kind in KINDS])

    def test_what_a_definition_needs(self):
        for kind in KINDS:
            name = "".join(word.title() for word in kind.split("_"))
            needed = [field for field, row in definition_fields(kind).items() if ".needed = true" in row]
            self.assertEqual(sorted(at(f"#/components/schemas/{name}Fields")["required"]), sorted(needed), kind)

    def test_defaults(self):
        for kind in KINDS:
            shown = self.shown(kind)
            for field, schema in schema_of(kind).items():
                if field not in ("kind", *self.needed):
                    self.assertEqual(default_of(schema), shown[field], f"{kind}: {field}")

    def test_choices_and_ranges(self):
        for kind in KINDS:
            for field, row in definition_fields(kind).items():
                schema = schema_of(kind)[field]
                if choice := re.search(r"CHOICE\(\w+, (\w+)\)", row):
                    expected = [kind] if field == "kind" else choices()[choice[1]]
                    self.assertEqual(schema.get("enum", [schema.get("const")]), expected, f"{kind}: {field}")
                if span := re.search(r"(?:INT|DOUBLE)\(\w+, (\S+), (\S+)\)", row):
                    self.assertEqual((schema["minimum"], schema["maximum"]), tuple(map(float, span.groups())), field)
                if "EXTENT(" in row:
                    self.assertEqual((schema["minimum"], schema["maximum"]), (1, 2**40), field)
                if ".needed" not in row and re.search(r"EXTENT|DOUBLE", row):
                    self.assertIn("null", schema["type"], f"{kind}: {field} can be open")

    def test_conventions(self):
        """The table of their defaults."""
        text = at("#/components/schemas/Convention")["description"]
        rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\w+) \| (\w+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", text,
                          re.M)
        self.assertEqual([row[0] for row in rows], choices()["convention_names"])
        for convention, momentum, _, variance, axis, *eps in rows:
            shown = {kind: self.shown(kind, convention=convention) for kind in KINDS}
            batch = shown["batch_norm"]
            self.assertEqual((batch["momentum"], batch["unbiased_running_var"], batch["channel_axis"]),
                             (float(momentum), variance == "unbiased", int(axis)), convention)
            for kind, expected in zip(KINDS, (eps[0], eps[1], eps[1], eps[1], eps[2])):
                self.assertEqual(shown[kind]["eps"], float(expected), f"{convention}: {kind}")


def default_of(schema):
    """The default of a schema, or of the one that it begins with."""
    return schema["default"] if "default" in schema else default_of(resolved(schema["anyOf"][0]))


def documents():
    """Every Markdown file of the repository."""
    return [path for path in tracked() if path.endswith(".md")]


def prose(document):
    """A document without its code."""
    text = re.sub(r"^```.*?^```", "", read(document), flags=re.M | re.S)
    return re.sub(r"^(?:    |\t).*|`[^`\n]*`", "", text, flags=re.M)


def anchors(document):
    """What a link may name after #: each heading as GitHub writes it."""
    headings = re.findall(r"^#+ (.+)$", read(document), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def makefiles():
    return "".join(read(path) for path in tracked() if path == "Makefile" or path.endswith(".mk"))


class Links(unittest.TestCase):
    def test_links_lead_somewhere(self):
        """Every link between documents names a file that exists and, after #, a heading of it."""
        self.assertGreaterEqual(len(documents()), 9)
        count = 0
        for document in documents():
            for path, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", prose(document)):
                if "://" in path:
                    continue
                count += 1
                target = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
                self.assertTrue(os.path.exists(os.path.join(ROOT, target)), f"{document} links to {target}")
                if anchor:
                    self.assertIn(anchor, anchors(target), f"{document} links to a heading that {target} does not have")
        self.assertGreater(count, 10)

    def test_files_that_are_named_exist(self):
        """Paths in backticks, such as `norm/view.h`."""
        for document in documents():
            for path in re.findall(r"`([a-z]+(?:/[\w.-]+)+\.(?:[ch]|cc|py|md|yaml|yml|csv))`", read(document)):
                if "NAME" in path:
                    continue
                beside = os.path.join(os.path.dirname(document), path)
                self.assertTrue(any(os.path.exists(os.path.join(ROOT, each)) for each in (path, beside)),
                                f"{document} names {path}")

    def test_options_that_are_named_exist(self):
        """Options in backticks, such as `--max-body`, outside the guides that also name other programs'."""
        server = "".join(read(path) for path in tracked() if path.startswith("server/"))
        named = set()
        for document in ("README.md", "docs/SECURITY.md", "docs/OPERATIONS.md", "docs/ARCHITECTURE.md",
                         "docs/openapi.yaml"):
            named |= set(re.findall(r"`--([a-z-]+)", read(document)))
        self.assertGreater(len(named), 10)
        self.assertEqual([name for name in sorted(named) if not re.search(rf"(\"|--){name}\b", server)], [])


class Commands(unittest.TestCase):
    """What a reader types."""

    def shown(self, text):
        """(command, what it prints) of the indented lines of a text."""
        return re.findall(r"^    \$ (.+)\n((?:    (?!\$ ).+\n)*)", re.sub(r" \\\n +", " ", text), re.M)

    def follow(self, text, least):
        """The commands of a text, in order, give what it says that they print."""
        (start, _), *commands = self.shown(text)
        self.assertEqual(start, "build/normd --store sqlite:/tmp/normd.db &")
        self.assertGreaterEqual(len(commands), least)
        daemon = Daemon()
        self.addCleanup(daemon.close)
        with tempfile.TemporaryDirectory(prefix="normd-docs-") as directory:
            files, checkout = os.path.join(directory, "tmp"), os.path.join(directory, "checkout")
            os.mkdir(files)
            os.mkdir(checkout)
            for command, printed in commands:
                with self.subTest(command):
                    here = command.replace("localhost:8080", f"127.0.0.1:{daemon.port}").replace("/tmp/", files + "/")
                    here = re.sub("^python3", sys.executable, here)
                    done = subprocess.run(["sh", "-c", here], cwd=checkout, capture_output=True, text=True,
                                          timeout=60 * PATIENCE)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(done.stdout.splitlines(), [line.strip() for line in printed.splitlines()])
            self.assertEqual(os.listdir(checkout), [], "the commands leave files in the checkout")

    def test_the_tour_gives_what_it_says(self):
        self.follow(read("README.md").split("## A tour")[1].split("\n## ")[0], 8)

    def test_the_page_on_averaging_gives_what_it_says(self):
        self.follow(read("docs/AVERAGING.md"), 20)

    def test_a_restore_by_the_deployment_guide(self):
        """What it lets a shell in the container do: it keeps the old store and restores a 0600 backup."""
        away, restore = re.findall(r"-c '([^']*)'", read("deploy/README.md"))
        daemon = Daemon()
        self.addCleanup(daemon.close)
        self.assertEqual(daemon.curl("PUT", "/v1/models/m/layers/before", {"kind": "batch_norm"}).status, 201)
        with tempfile.TemporaryDirectory(prefix="normd-deploy-") as data:
            backup = os.path.join(daemon.directory, "backup")
            with open(backup, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
                f.write(daemon.curl("GET", "/v1/backup").raw)
            self.assertEqual(daemon.curl("PUT", "/v1/models/m/layers/after", {"kind": "batch_norm"}).status, 201)
            daemon.stop()
            os.rename(daemon.store.removeprefix("sqlite:"), os.path.join(data, "normd.db"))
            path = os.path.dirname(os.path.abspath(NORMD)) + ":" + os.environ["PATH"]
            for command in (away, restore):
                with open(backup) as f:
                    done = subprocess.run(["sh", "-c", command.replace("/data", data)], stdin=f, capture_output=True,
                                          text=True, env={**os.environ, "PATH": path})
                self.assertEqual(done.returncode, 0, done.stderr)
            old = [name for name in os.listdir(data) if name.startswith("old-")]
            self.assertEqual(sorted(os.listdir(data)), sorted(["normd.db", *old]))
            for store, layers in (("normd.db", ["before"]), (old[0] + "/normd.db", ["after", "before"])):
                opened = Daemon(store="sqlite:" + os.path.join(data, store))
                self.addCleanup(opened.close)
                stored = opened.curl("GET", "/v1/models/m").json["layers"]
                self.assertEqual(sorted(layer["name"] for layer in stored), layers)

    def test_curl_fails_where_normd_does(self):
        """Without -f an error looks like an answer, and an error document like a backup."""
        for document in documents():
            for command in re.findall(r"\bcurl (?=-|localhost).*", "\n".join(
                    re.findall(r"^    .*", read(document), re.M))):
                self.assertRegex(command, r"^curl (-f|--fail-with-body)", document)

    def test_there_are_tests_of_the_names_that_are_shown(self):
        shown = re.findall(r"tests/run[^`]*? (integration|python|pages)\s+-k (\w+)`", read("CONTRIBUTING.md"))
        self.assertEqual({group for group, _ in shown}, {"integration", "python", "pages"})
        for group, name in shown:
            folder = "clients/python/tests" if group == "python" else f"tests/{group}"
            files = glob.glob(os.path.join(ROOT, folder, "test_*.py"))
            names = "\n".join(files) + "".join(re.findall(r"(?m)^(?:class| {4}def) .*\n", "".join(map(read, files))))
            self.assertIn(name, names)

    def test_every_target_is_one(self):
        makefile = makefiles()
        for document in documents():
            text = read(document)
            code = "\n".join(re.findall(r"^    .*", text, re.M) + re.findall(r"`make[^`]*`", text))
            for target in re.findall(r"\bmake ([a-z][a-z-]*)", code):
                self.assertTrue(re.search(rf"(?m)^{target}:", makefile), f"{document}: there is no make {target}")


class Names(unittest.TestCase):
    def test_unit_tests_are_named_by_what_they_hold(self):
        """Without a prefix, which the file's name has."""
        for path in tracked():
            if path.startswith("tests/unit/"):
                self.assertNotIn("START_TEST(test_", read(path), path)


class Operations(unittest.TestCase):
    def test_every_promise_names_tests_that_there_are(self):
        """A promise is an item of a list that begins in bold."""
        pages, makefile = [read(path) for path in PROMISING], makefiles()
        promises = [" ".join(each.split()) for page in pages
                    for each in re.findall(r"^- (\*\*.+(?:\n  .+)*)", page, re.M)]
        self.assertGreater(len(promises), 150)
        for promise in promises:
            self.assertRegex(promise, r"\*Tests:\* .*`", "no test is named")
        text = "\n".join(promises)
        named = re.findall(r"`([IU]):(test_\w+\.\w+)`((?:: `[^|]*?`(?:, `[^|]*?`)*)?)", text)
        self.assertGreater(len(named), 30)
        for kind, name, inside in named:
            path = {"I": "tests/integration/", "U": "tests/unit/"}[kind] + name
            self.assertTrue(os.path.exists(os.path.join(ROOT, path)), path)
            for test in re.findall(r"(?::|,) `([\w…]+)`", inside):
                self.assertTrue(test.rstrip("…") in read(path), f"{path} has no {test}")
        for target in re.findall(r"make ([a-z-]+-[a-z]+)", text):
            self.assertTrue(re.search(rf"(?m)^{target}:", makefile), f"there is no make {target}")


    def test_every_line_of_the_log_is_explained(self):
        """By a row of the handbook that begins as the line does."""
        log = read("docs/OPERATIONS.md").split("### The log\n")[1].split("\n### ")[0]
        rows = re.findall(r"(?m)^\| (`.*?) \| [a-z, ]+ \|", log)
        cells = [cell for row in rows for cell in re.findall(r"`(.+?)`", row)]
        self.assertGreater(len(cells), 30)
        messages = {"request"}
        for path in tracked():
            if path.endswith(".c") and path.split("/")[0] in {room.split("/")[0] for room in rooms()}:
                messages |= set(re.findall(r'log_(?:event|printf)\(\s*LOG_[A-Z]+,\s*"((?:[^"\\]|\\.)*)', read(path)))
        self.assertGreater(len(messages), 30)
        for message in messages - {"request"}:
            told = [cell for cell in cells if message.startswith(cell.strip("… ")) or
                    cell.startswith("…") and cell.strip("… ") in message]
            self.assertTrue(told, f"the handbook does not explain the line {message!r}")


class Mathematics(unittest.TestCase):
    def test_every_test_that_holds_a_bound_exists(self):
        text = " ".join(read("docs/MATH.md").split("## What the tests check")[1].split())
        files = [f"tests/unit/{each}" for each in re.findall(r"`(test_\w+\.c)`", text)]
        files += [f"tests/integration/{each}" for each in re.findall(r"`I:(test_\w+\.py)`", text)]
        self.assertGreater(len(files), 15)
        sources = "".join(read(path) for path in set(files))
        for name in re.findall(r"`([a-z]\w*_\w+|[A-Z][a-z]+[A-Z]?[a-z]+)`", text):
            self.assertIn(name, sources, f"MATH.md names the test {name}")

    def test_equations_that_are_cited_exist(self):
        page = read("docs/MATH.md")
        cited = set()
        for path in tracked():
            if path.endswith((".c", ".h")):
                source = re.sub(r"\n\s*\*", "", read(path))
                for numbers in re.findall(r"MATH\.md, equations? (\d+(?: (?:to|and) \d+)?)", source):
                    cited |= set(re.findall(r"\d+", numbers))
                for rule in re.findall(r"MATH\.md, rule (\d)", source):
                    self.assertIn(f"### Rule {rule}:", page, path)
        self.assertGreater(len(cited), 8)
        for number in cited:
            self.assertIn(f"({number}) |", page, f"equation {number} is cited")


if __name__ == "__main__":
    unittest.main()
