# SPDX-License-Identifier: MIT
"""
The documents say what is there: every file has its line in ARCHITECTURE.md, every route its row in the README, every
link leads somewhere, and the README's commands print what it shows.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

from normd import NORMD, PATIENCE, ROOT, Daemon



def read(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def rooms():
    """The folders of sources, as the Makefile has them."""
    return re.search(r"(?m)^ROOMS *:= (.*)$", read("Makefile"))[1].split()


def first_lines(path, count):
    with open(os.path.join(ROOT, path), "rb") as f:
        return b"".join(f.readline(200) for _ in range(count)).decode("latin-1")


def tracked():
    """The paths of the repository's files; a test that needs them is skipped outside a git checkout."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True).stdout.split("\n")
    if not any(listed):
        raise unittest.SkipTest("not a git checkout")
    return [path for path in listed if path and os.path.exists(os.path.join(ROOT, path))]


def routes(text=None):
    """(method, path) of every row of the table in handlers/routes.c, or of one row's text."""
    text = (text or read("handlers/routes.c")).replace('LAYER "/', '"/v1/models/{model}/layers/{layer}/')
    text = re.sub(r"\bLAYER,", '"/v1/models/{model}/layers/{layer}",', text)
    return re.findall(r'\{ "(\w+)", "(/[^"]*)"', text)


def route_rows():
    """The text of every row of that table."""
    return re.findall(r'^\t\{ "[A-Z]+", .*?\},\n', read("handlers/routes.c"), re.S | re.M)


def tensor_forms():
    """The media type of every form that has nothing beside tensors (codec/form.h)."""
    rows = [read(path) for path in tracked() if re.fullmatch(r"codec/form_\w+\.c", path)]
    return [re.search(r'\.media_type = "([^"]+)"', row)[1] for row in rows if ".document = true" not in row]


def indented(heading, depth, text):
    """What stands under a heading of a YAML file, by its indentation."""
    return re.search(rf"^ {{{depth}}}{re.escape(heading)}:\n((?: {{{depth + 1},}}.*\n|\n)+)", text, re.M)[1]


def inputs():
    """What each route takes, as declared: {(method, path): ({query parameters}, {members of the body})}."""
    sources = [read(path) for path in tracked() if re.fullmatch(r"handlers/\w+\.c", path)]
    everywhere, lists = {}, {}
    for text in sources:
        declared = {}
        for shared, symbol, said in re.findall(r"^(static )?const struct input (\w+) =\s*(.*?);\n", text, re.M | re.S):
            name, places = re.search(r'"(\w+)"', said)[1], re.search(r"INPUT_(?:BODY|QUERY|ANYWHERE)\b", said)
            declared[symbol] = name, places[0] if places else "INPUT_BODY"
            if not shared:
                everywhere[symbol] = declared[symbol]
        for symbol, members in re.findall(r"^const struct input \*const (\w+)\[\] = \{(.*?)\}", text, re.M | re.S):
            lists[symbol] = declared, re.findall(r"&(\w+)", members)
    taken = {}
    for row in route_rows():
        (route,), symbol = routes(row), re.search(r"\.inputs = (\w+)", row)
        declared, members = lists[symbol[1]] if symbol else ({}, [])
        found = [declared.get(member) or everywhere[member] for member in members]
        taken[route] = ({name for name, places in found if places != "INPUT_BODY"},
                        {name for name, places in found if places != "INPUT_QUERY"})
    return taken


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
        self.assertEqual(folders, sorted(copied))
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
        self.assertEqual(daemon.curl("GET", "/").json["version"], version)
        self.assertEqual(re.findall(r"^ARG VERSION=(.*)", read("deploy/Dockerfile"), re.M), [version])
        self.assertEqual(re.search(r"(?m)^info:\n(?:  .*\n)*?  version: (.*)$", page)[1], version)
        self.assertEqual(re.findall(r'"name": ?"normd", ?"version": ?"([^"]*)"', page), [version])
        self.assertRegex(read("CHANGELOG.md"), rf"(?m)^## \[(Unreleased|{re.escape(version)})\]")


class Api(unittest.TestCase):
    def test_the_readme_names_every_route(self):
        readme = read("README.md")
        self.assertGreaterEqual(len(routes()), 18)
        for method, path in routes():
            short = path.replace("/v1/models/{model}/layers/{layer}", "…/layers/{layer}")
            self.assertTrue(path in readme or short in readme, f"{method} {path} is not in README.md")

    def test_the_page_has_every_route(self):
        page = read("docs/openapi.yaml")
        for method, path in routes():
            operations = re.search(rf"^  {re.escape(path)}:\n((?:    .*\n|\n)+)", page, re.M)
            self.assertTrue(operations, f"{path} is not in openapi.yaml")
            self.assertRegex(operations[1], rf"(?m)^    {method.lower()}:$", f"{method} {path} is not in openapi.yaml")

    def test_the_page_has_every_input(self):
        """The query parameters that it names are those that the route takes; it names every member of the body."""
        page = read("docs/openapi.yaml")
        blocks = {}
        for part, text in re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", page[page.index("\ncomponents:"):], re.M):
            for name, block in re.findall(r"^    (\w+):(.*\n(?:      .*\n|\n)*)", text, re.M):
                blocks[f"{part}/{name}"] = block
        for (method, path), (query, members) in inputs().items():
            operations = re.search(rf"^  {re.escape(path)}:\n((?:    .*\n|\n)+)", page, re.M)[1]
            text = re.search(rf"^    {method.lower()}:\n((?:      .*\n|\n)+)", operations, re.M)[1]
            seen, request = {}, text.split("      responses:\n")[0]
            while unseen := [name for name in re.findall(r"#/components/(\w+/\w+)", request) if name not in seen]:
                seen.update((name, blocks[name]) for name in unseen)
                request += "".join(blocks[name] for name in set(unseen))
            named = set(re.findall(r"name: (\w+)\n +in: query", request))
            self.assertEqual(named, query, f"query parameters of {method} {path}")
            for member in members:
                self.assertRegex(request, rf"(?m)^ +{member}:|[{{,] ?{member}:", f"a member of {method} {path}")

    def test_the_inputs_are_read_from_the_source(self):
        """What the test above knows of a few routes is what a client can send."""
        taken, layer = inputs(), "/v1/models/{model}/layers/{layer}"
        self.assertEqual(set(taken), set(routes()))
        self.assertEqual(taken["GET", "/v1/models"], ({"limit", "after"}, set()))
        self.assertEqual(taken["POST", layer + "/infer"],
                         ({"inverse", "expect", "lengths", "mask", "version"}, {"data", "lengths", "mask"}))
        self.assertEqual(taken["POST", layer + "/statistics/merge"], (set(), {"mean", "var", "count"}))

    def test_the_page_has_the_forms_of_every_route(self):
        """Where a route takes tensors, or answers with them, the page has each form of tensors; else it has none."""
        page = read("docs/openapi.yaml")
        self.assertIn("application/x-npy", tensor_forms())
        takers = 0
        for row in route_rows():
            ((method, path),) = routes(row)
            operation = indented(method.lower(), 4, indented(path, 2, page))
            taken = indented("requestBody", 6, operation) if "requestBody:" in operation else ""
            given = re.sub(r"^      requestBody:\n(?: {7,}.*\n|\n)+", "", operation, flags=re.M)
            for form in tensor_forms():
                self.assertEqual(form in taken, ".tensors_in = " in row, f"the body of {method} {path}")
                self.assertEqual(form in given, ".tensors_out = " in row, f"the answer of {method} {path}")
            takers += ".tensors_in = " in row
        self.assertGreaterEqual(takers, 4)

    def test_the_page_has_every_error(self):
        """In its table, as base/err.h has it, and as a value of `code`."""
        page = read("docs/openapi.yaml")
        codes = re.search(r"enum: \[(bad_json,[^\]]*)\]", page)[1].replace(",", " ").split()
        errors = re.findall(r'X\(\w+, "(\w+)", (\d+), "([^"]+)"\)', read("base/err.h"))
        self.assertGreaterEqual(len(errors), 25)
        self.assertEqual(codes, [code for code, _, _ in errors])
        self.assertEqual(re.findall(r"^    \| `(\w+)` \| (\d+) \| (.+) \|$", page, re.M), errors)


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
        for document in ("README.md", "SECURITY.md", "docs/OPERATIONS.md", "docs/ARCHITECTURE.md", "docs/openapi.yaml"):
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
        page, makefile = read("docs/OPERATIONS.md"), makefiles()
        promises = [" ".join(each.split()) for each in re.findall(r"^- (.+(?:\n  .+)*)", page, re.M)]
        self.assertGreater(len(promises), 60)
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
