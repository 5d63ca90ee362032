# SPDX-License-Identifier: MIT
"""docs/openapi.yaml: its structure, /openapi.json as the build makes it and a client gets it, the check of answers."""

import gzip
import json
import os
import subprocess
import tempfile
import unittest

import jsonschema

from api_check import CHECKED, NO_OPERATION, Checker, Violation
from api_page import OPERATIONS, PAGE, at, make_openapi, members, walk
from normd import ROOT, Answer, DaemonTest


class Conversion(unittest.TestCase):
    def test_only_what_json_has_is_a_number_or_a_truth(self):
        for text, value in (("1e-5", 1e-5), ("1.0e-150", 1e-150), ("-0.5", -0.5), ("9223372036854775807", 2**63 - 1),
                            ("123456789012345678901234567890", 123456789012345678901234567890), ("true", True),
                            ("null", None), ("~", None), ("", None), ("'5'", "5")):
            self.assertEqual(json.loads(make_openapi.to_json(f"x: {text}\n")), {"x": value}, text)
            self.assertIs(type(json.loads(make_openapi.to_json(f"x: {text}\n"))["x"]), type(value))
        for text in ("2026-11-30", "2026-11-30T12:00:00Z", "yes", "no", "on", "True", "1:30", "0x10", "010", "1_000",
                     ".5", "1.", "+1", ".inf", ".nan", "é€", "=", "<<"):
            self.assertEqual(json.loads(make_openapi.to_json(f"x: {text}\n")), {"x": text})

    def test_what_no_client_would_read_right_is_refused(self):
        for text, words in (("a: 1\na: 2\n", "the key 'a' is there twice"), ("200: x\n", "the key 200 is not a text"),
                            ("a: [1\n", "did not find"), ("a: 1e999\n", "not JSON compliant")):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
                f.write(text)
                f.flush()
                done = subprocess.run([os.path.join(ROOT, "scripts/make_openapi.py"), f.name], capture_output=True,
                                      text=True)
            self.assertEqual((done.returncode, done.stdout), (1, ""), text)
            self.assertIn(words, done.stderr)

    def test_the_source_says_what_the_json_says(self):
        """Also where C has rules of its own: quotes, backslashes, trigraphs, and escapes at the end of a line."""
        text = json.dumps({"a": 'x"\\\n??=%d' * 99, "ü": "\\" * 500})
        with tempfile.TemporaryDirectory(prefix="normd-openapi-") as directory:
            program = os.path.join(directory, "program")
            with open(program + ".c", "w") as f:
                f.write(make_openapi.to_c(text) + "#include <stdio.h>\n"
                        "int main(void) { fwrite(openapi_document, 1, openapi_document_bytes, stdout); return 0; }\n")
            subprocess.run([*os.environ.get("CC", "cc").split(), "-std=c11", "-Wall", "-Werror", "-I", ROOT, "-o",
                            program, program + ".c"], check=True)
            self.assertEqual(subprocess.run([program], capture_output=True).stdout.decode(), text)


def open_objects(schema, where, closed=False):
    """The places in a schema of objects that may have members which it does not name."""
    closed = closed or {"additionalProperties", "unevaluatedProperties"} & set(schema)
    if "$ref" in schema:
        yield from open_objects(at(schema["$ref"]), schema["$ref"], closed)
    for each in schema.get("allOf", []) + schema.get("anyOf", []) + schema.get("oneOf", []):
        yield from open_objects(each, where, closed)
    if not closed and ("properties" in schema or schema.get("type") == "object"):
        yield where
    for name, each in schema.get("properties", {}).items():
        yield from open_objects(each, f"{where}/{name}")
    if schema.get("type") == "array" and "anyOf" not in schema["items"]:
        yield from open_objects(schema["items"], f"{where}[]")


class Structure(unittest.TestCase):
    """What OpenAPI 3.1 asks of the page."""

    def test_every_reference_leads_somewhere_and_everything_is_referred_to(self):
        references = {node["$ref"] for _, node in walk(PAGE) if isinstance(node.get("$ref"), str)}
        self.assertGreater(len(references), 80)
        for reference in references:
            self.assertTrue(reference.startswith("#/components/"), reference)
            self.assertIsInstance(at(reference), dict)
        for part in ("parameters", "headers", "responses", "schemas"):
            for name in at(f"#/components/{part}"):
                used = f"#/components/{part}/{name}" in references
                self.assertTrue(used or at(f"#/components/{part}/{name}") in NO_OPERATION.values(), f"{part}/{name}")

    def test_every_operation_is_described(self):
        named = [operation.node["operationId"] for operation in OPERATIONS.values()]
        self.assertEqual(len(named), len(set(named)))
        tags = {tag["name"] for tag in PAGE["tags"]}
        self.assertEqual({tag for operation in OPERATIONS.values() for tag in operation.node["tags"]}, tags)
        for operation in OPERATIONS.values():
            self.assertTrue(operation.node["summary"], operation)
            self.assertTrue(any(status < "300" for status in operation.responses), operation)
            for status, response in operation.responses.items():
                self.assertRegex(status, "^[2-5][0-9][0-9]$", operation)
                self.assertTrue(response["description"], operation)
                self.assertIn("X-Request-Id", response["headers"], f"{status} of {operation}")
            for (place, name), parameter in operation.parameters.items():
                self.assertTrue("schema" in parameter or "content" in parameter, f"{name} of {operation}")
                self.assertEqual(parameter.get("required", False), place == "path", f"{name} of {operation}")

    def test_every_schema_is_one(self):
        for name, schema in at("#/components/schemas").items():
            jsonschema.Draft202012Validator.check_schema(schema)
            for _, node in walk(schema):
                for member in node["required"] if isinstance(node.get("required"), list) else []:
                    self.assertTrue("properties" not in node or member in members(node), f"{name}: {member}")
                for example in node["examples"] if isinstance(node.get("examples"), list) else []:
                    Checker().valid(example, node, name)

    def test_an_answer_has_only_the_members_that_its_schema_names(self):
        for operation in OPERATIONS.values():
            for status, response in operation.responses.items():
                for media, content in response.get("content", {}).items():
                    if operation.path != "/openapi.json" or status != "200":
                        found = list(open_objects(content["schema"], f"{status} of {operation}"))
                        self.assertEqual(found, [], "these schemas allow other members")

    def test_every_example_is_of_its_schema(self):
        """Those of bodies and answers, of parameters and of headers. Only requests that are refused are not."""
        count = 0
        for where, node in walk(PAGE):
            if "schema" not in node:
                continue
            examples = [node["example"]] if "example" in node else []
            for name, each in node.get("examples", {}).items():
                if not each.get("summary", "").startswith("refused"):
                    examples.append(each["value"])
            for example in examples:
                Checker().valid(example, node["schema"], where)
            count += len(examples)
        self.assertGreater(count, 80)


class Checks(unittest.TestCase):
    """What the tests' clients refuse of the answers that they get."""

    layer = "/v1/models/m/layers/bn"
    headers = {"content-type": "application/json", "x-request-id": "1", "etag": '"3"', "normd-revision": "3",
               "x-content-type-options": "nosniff", "cache-control": "no-store"}
    frozen = {"frozen": True, "revision": 3}

    def check(self, method, path, status, body, **headers):
        headers = {**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        headers = {name: text for name, text in headers.items() if text is not None}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        Checker().check(method, path, Answer(status, headers, raw))

    def test_what_the_page_declares_passes(self):
        for method, path in (("GET", "/frozen"), ("GET", "/frozen/?"), ("PUT", "/%66rozen"), ("GET", "/frozen?a=b")):
            self.check(method, self.layer + path, 200, self.frozen)
            self.check(method, "http://127.0.0.1:80" + self.layer + path, 200, self.frozen)
        self.check("HEAD", self.layer + "/frozen", 200, b"")
        self.check("OPTIONS", "*", 204, b"", content_type=None, etag=None, normd_revision=None, allow="GET")

    def test_what_it_does_not_declare_is_refused(self):
        for words, status, body, headers in (
                ("lacks the header etag", 200, self.frozen, {"etag": None}),
                ("the header etag: '3' does not match", 200, self.frozen, {"etag": "3"}),
                ("the header normd-revision: 'x' is not of type", 200, self.frozen, {"normd_revision": "x"}),
                ("does not declare the header normd-seed", 200, self.frozen, {"normd_seed": "3"}),
                ("has the media type text/html, not application/json", 200, self.frozen, {"content_type": "text/html"}),
                ("lets browsers guess its type", 200, self.frozen, {"x_content_type_options": None}),
                ("has the Cache-Control None", 200, self.frozen, {"cache_control": None}),
                ("does not declare 202 of GET", 202, self.frozen, {}),
                ("is not JSON: NaN", 200, b'{"frozen":true,"revision":NaN}', {}),
                ("is not JSON: Expecting", 200, b'{"frozen":true', {}),
                ("'revision' is a required property", 200, {"frozen": True}, {}),
                (r"\['revision'\]: -1 is less than", 200, {"frozen": True, "revision": -1}, {}),
                (r"\['frozen'\]: None is not of type", 200, {"frozen": None, "revision": 3}, {}),
                ("'more' was unexpected", 200, {**self.frozen, "more": 1}, {})):
            for _ in range(2):
                with self.assertRaisesRegex(Violation, words):
                    self.check("GET", self.layer + "/frozen", status, body, **headers)

    def test_errors_are_those_that_the_response_names(self):
        headers = {"content_type": "application/problem+json", "etag": None, "normd_revision": None}
        problem = {"type": "urn:normd:error:no_such_layer", "title": "t", "status": 404, "detail": "d",
                   "code": "no_such_layer", "request_id": "1"}
        self.check("GET", self.layer + "/frozen", 404, problem, **headers)
        for words, path, change in (("does not name the code no_such_source", "/frozen", {"code": "no_such_source"}),
                                    ("says the status 400", "/frozen", {"status": 400}),
                                    (r"\['code'\]: 'odd' is not one of", "/frozen", {"code": "odd"}),
                                    ("no operation does not name the code no_such_layer", "/nothing", {})):
            with self.assertRaisesRegex(Violation, words):
                self.check("GET", self.layer + path, 404, {**problem, **change}, **headers)

    def test_a_long_list_is_checked_at_its_ends(self):
        for place in (0, -1):
            models = ["m"] * 1000
            models[place] = "-"
            with self.assertRaisesRegex(Violation, "'-' does not match"):
                self.check("GET", "/v1/models", 200, {"models": models, "next": None}, etag=None, normd_revision=None)

    def test_a_failure_is_not_taken_as_checked(self):
        checker = Checker()
        for number in range(100):
            wrong = number % 2 == 1
            answer = Answer(200, self.headers, json.dumps({"frozen": True, "revision": -1 if wrong else 3}).encode())
            try:
                checker.check("GET", self.layer + "/frozen", answer)
                self.assertFalse(wrong and number < CHECKED)
            except Violation:
                self.assertTrue(wrong)


class Served(DaemonTest):
    def test_it_is_the_page(self):
        answer = self.call("GET", "/openapi.json")
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertEqual(answer.headers["content-length"], str(len(answer.raw)))
        self.assertEqual(answer.json, PAGE)

    def test_as_any_other_answer(self):
        whole = self.call("GET", "/openapi.json").raw
        head = self.call("HEAD", "/openapi.json").headers
        self.assertEqual((head["content-type"], head["content-length"]), ("application/json", str(len(whole))))
        coded = self.call("GET", "/openapi.json", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(coded.headers["content-encoding"], "gzip")
        self.assertEqual(gzip.decompress(coded.raw), whole)
        self.assertEqual(self.call("OPTIONS", "/openapi.json").headers["allow"], "GET, HEAD, OPTIONS")
        root = self.call("GET", "/", headers={"Accept": "application/json"}).json
        self.assertEqual(root["links"]["openapi"], "/openapi.json")
        self.refused("method_not_allowed", 405, "POST", "/openapi.json", {})
        self.refused("bad_parameter", 400, "GET", "/openapi.json?pretty=1")
        self.refused("not_acceptable", 406, "GET", "/openapi.json", headers={"Accept": "application/yaml"})

    def test_many_readers_at_once(self):
        """Over a connection each, beside a client that leaves in the middle of the document."""
        whole = self.call("GET", "/openapi.json").raw
        clients = [self.daemon.client() for _ in range(8)]
        for client in clients:
            self.addCleanup(client.close)
            client.connection.request("GET", "/openapi.json")
        clients.pop(0).close()
        for client in clients:
            self.assertEqual(client.connection.getresponse().read(), whole)


if __name__ == "__main__":
    unittest.main()
