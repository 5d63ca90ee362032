# SPDX-License-Identifier: MIT
"""/openapi.json: the page as the build converts it, and as a client gets it."""

import gzip
import json
import os
import subprocess
import tempfile
import unittest

from api_page import PAGE, make_openapi
from normd import ROOT, DaemonTest


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
        self.assertEqual(self.call("GET", "/").json["links"]["openapi"], "/openapi.json")
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
