# SPDX-License-Identifier: MIT
"""The pages as the daemon serves them: bytes, codings, headers and refusals; built in, from a folder, and not at all.
tests/pages has tests of what they show."""

import contextlib
import gzip
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

from access import Tokens, bearer, line
from api_page import make_pages
from normd import NORMD, PATIENCE, ROOT, ClientTest, Daemon

WEB = os.path.join(ROOT, "web")
NAMES = make_pages.names(WEB)
BUILT = make_pages.served(WEB)
JSON = {"Accept": "application/json"}
GZIP = {"Accept-Encoding": "gzip"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
           "Accept-Encoding": "gzip, deflate, br, zstd"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
          "base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
HEADERS = {"content-security-policy": POLICY, "referrer-policy": "no-referrer",
           "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin",
           "x-content-type-options": "nosniff", "cache-control": "no-cache"}
# No path of these leads to a file, whatever lies beside the pages.
NOWHERE = ("/web", "/web/", "/web/none.js", "/web/none/dom.js", "/web/a/b/c", "/web//style.css", "/web/shared//dom.js",
           "/web/..", "/web/../Makefile", "/web/..%2fMakefile", "/web/%2e%2e/Makefile", "/web/shared/..%2fstyle.css",
           "/web/shared%2fdom.js", "/web/.", "/web/./style.css", "/web/.git", "/web/-", "/web/style.css%20",
           "/web/style.css%0a", "/web/STYLE.CSS", "/web/README.md", "/web/vendor/LICENSE", "/web/shared",
           "/web/index.html", "/web/play.html", "/web/shared/index.html", "/play/x", "/web/" + "a" * 129, "/index.html",
           "/style.css")


def read(name, folder=WEB):
    with open(os.path.join(folder, name), "rb") as f:
        return f.read()


def path_of(name):
    return {"index.html": "/", "play.html": "/play"}.get(name, "/web/" + name)


class BuiltIn(ClientTest):
    def test_every_file_is_served(self):
        self.assertLessEqual({"index.html", "play.html", "play/main.css", "play/main.js"}, set(BUILT))
        for name, plain in BUILT.items():
            for headers, etag in (({}, '"%s"'), (GZIP, '"%s-gzip"')):
                answer = self.ask("GET", path_of(name), headers=headers)
                self.assertEqual(gzip.decompress(answer.raw) if headers else answer.raw, plain, name)
                self.assertEqual(answer.headers["etag"], etag % hashlib.sha256(plain).hexdigest()[:32])
                self.assertEqual(answer.headers.get("content-encoding"), headers.get("Accept-Encoding"))
                self.assertEqual(answer.headers["content-type"], make_pages.TYPES[os.path.splitext(name)[1]])
                self.assertEqual(answer.headers["content-length"], str(len(answer.raw)))
                self.assertEqual(answer.headers["vary"], "Accept, Accept-Encoding" if name == "index.html" else
                                 "Accept-Encoding")
                self.assertEqual({header: answer.headers.get(header) for header in HEADERS}, HEADERS)
                self.assertNotIn("accept-ranges", answer.headers)

    def test_all_files_fit(self):
        total = sum(len(self.ask("GET", path_of(name), headers=GZIP).raw) for name in BUILT)
        print(f"the pages have {total} bytes compressed", file=sys.stderr)
        self.assertLessEqual(total, 120_000)

    def test_a_client_that_has_it_gets_304(self):
        for path in ("/", "/play", "/web/play/main.css"):
            plain, coded = (self.ask("GET", path, headers=headers).headers["etag"] for headers in ({}, GZIP))
            for headers, etag in (({}, plain), (GZIP, coded)):
                for text in (etag, f'"x", W/{etag}', "*"):
                    answer = self.ask("GET", path, headers={**headers, "If-None-Match": text}, status=304)
                    self.assertEqual((answer.raw, answer.headers["etag"]), (b"", etag))
                    for name in ("content-type", "content-encoding"):
                        self.assertNotIn(name, answer.headers)
                    self.assertEqual(answer.headers["cache-control"], "no-cache")
                    self.assertIn("Accept-Encoding", answer.headers["vary"])
            # The other coding's bytes are others.
            self.ask("GET", path, headers={"If-None-Match": coded})
            self.ask("GET", path, headers={**GZIP, "If-None-Match": plain})

    def test_head_and_ranges(self):
        for path in ("/", "/play", "/web/play/main.js"):
            for headers in ({}, GZIP):
                got, head = self.ask("GET", path, headers=headers), self.ask("HEAD", path, headers=headers)
                for answer in (got, head):
                    del answer.headers["x-request-id"], answer.headers["date"]
                self.assertEqual((head.headers, head.raw), (got.headers, b""))
                self.assertEqual(self.ask("GET", path, headers={**headers, "Range": "bytes=0-9"}).raw, got.raw)

    def test_codings(self):
        for text, coded in (("gzip", True), ("br, gzip;q=0.1", True), ("gzip;q=0.5, identity", False), ("*", True),
                            ("gzip, identity;q=0", True), ("deflate", False), ("gzip;q=0", False), ("x-gzip", True),
                            ("br", False)):
            answer = self.ask("GET", "/web/play/main.css", headers={"Accept-Encoding": text})
            self.assertEqual("content-encoding" in answer.headers, coded, text)
        for text in ("identity;q=0", "deflate, identity;q=0", "*;q=0"):
            answer = self.ask("GET", "/web/play/main.css", headers={"Accept-Encoding": text}, status=406)
            self.assertEqual(answer.code, "not_acceptable")

    def test_what_is_nowhere(self):
        for path in NOWHERE:
            answer = self.ask("GET", path, headers=BROWSER, status=404)
            self.assertEqual((answer.code, answer.headers.get("etag")), ("no_such_route", None), path)
            self.ask("HEAD", path, status=404)
        self.refused("bad_parameter", 400, "GET", "/web/%00")
        self.refused("bad_parameter", 400, "GET", "/web/style.css%00.js")
        self.assertEqual(self.refused("method_not_allowed", 405, "POST", "/web/play/main.css").headers["allow"],
                         "GET, HEAD, OPTIONS")
        self.refused("method_not_allowed", 405, "PUT", "/play", {})

    def test_a_query_changes_nothing(self):
        for path in ("/play", "/web/play/main.css"):
            self.assertEqual(self.ask("GET", path + "?v=1&%zz").raw, self.ask("GET", path).raw)

    def test_many_clients_that_leave(self):
        largest = max(BUILT, key=lambda name: len(BUILT[name]))
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", self.daemon.port), 30 * PATIENCE) as raw:
                raw.sendall(f"GET {path_of(largest)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                raw.recv(100)
        self.assertEqual(self.ask("GET", path_of(largest)).raw, BUILT[largest])

    def test_the_log_and_the_metrics_name_them(self):
        self.call("GET", "/web/play/main.js")
        series = 'normd_http_requests_total{route="/web/{folder}/{file}",method="GET",status="200"} '
        self.assertIn("\n" + series, self.ask("GET", "/metrics").body)
        self.assertIn("/web/play/main.js", [each.get("target") for each in self.daemon.log_lines()])


class Root(ClientTest):
    """GET / is a page or JSON, as the client prefers."""

    def test_who_gets_the_page(self):
        for accept in (None, "*/*", "text/html", "text/*", BROWSER["Accept"], "application/json, */*",
                       "application/json;q=0.5, text/html", "text/html, application/json", "*/*;q=0.1"):
            answer = self.ask("GET", "/", headers={} if accept is None else {"Accept": accept})
            self.assertEqual(answer.raw, BUILT["index.html"], accept)
            self.assertEqual(answer.headers["vary"], "Accept, Accept-Encoding")

    def test_who_gets_json(self):
        for accept in ("application/json", "application/*", "application/json, text/html;q=0.9", "application/x+json",
                       "application/json, */*;q=0.8", "text/html;q=0, */*"):
            answer = self.ask("GET", "/", headers={"Accept": accept})
            self.assertEqual(answer.json["name"], "normd", accept)
            self.assertEqual(answer.headers["vary"], "Accept, Accept-Encoding")
            self.assertNotIn("etag", answer.headers)
            self.assertNotIn("content-security-policy", answer.headers)
        for accept in ("image/png", "text/plain", "text/html;q=0"):
            self.assertEqual(self.ask("GET", "/", headers={"Accept": accept}, status=406).code, "not_acceptable")

    def test_scripts_and_styles_are_what_they_are(self):
        """Whatever Accept says: a browser asks for text/css."""
        for accept in ("text/css,*/*;q=0.1", "image/png", "application/json"):
            self.assertEqual(self.ask("GET", "/web/play/main.css", headers={"Accept": accept}).raw,
                             BUILT["play/main.css"])


class Heads(unittest.TestCase):
    def test_the_longest_head_has_the_room_that_is_kept_for_it(self):
        """Else libmicrohttpd would close a connection whose request's head is as large as it may be."""
        origin = "https://" + "a" * 253 + ".example:65535"
        daemon = Daemon("--cors-origin", origin)
        self.addCleanup(daemon.close)
        head = daemon.curl("GET", "/", headers={**BROWSER, "Origin": origin, "X-Request-Id": "r" * 128,
                                                "Connection": "close"}, args=("--raw",)).headers
        self.assertEqual(head["access-control-allow-origin"], origin)
        size = len("HTTP/1.1 200 OK\r\n\r\n") + sum(len(name) + len(text) + 4 for name, text in head.items())
        self.assertLess(size, 1300 + 300)  # ANSWER_HEAD_BYTES_MAX of server/limits.h


class Open(unittest.TestCase):
    """The pages have no secrets, and no powers of their own: what they show needs the token."""

    def test_a_token_does_not_matter(self):
        with tempfile.TemporaryDirectory(prefix="normd-pages-") as directory:
            tokens = Tokens(directory)
            tokens.write(line("normd_infer", "infer", "m"))
            daemon = Daemon("--tokens", tokens.path, "--max-requests-per-second", "1")
            self.addCleanup(daemon.close)
            for headers in ({}, bearer("normd_infer"), bearer("normd_wrong"), {"Authorization": "Basic eA=="}):
                for name in ("index.html", "play.html", "play/main.js"):
                    self.assertEqual(daemon.curl("GET", path_of(name), headers=headers).raw, BUILT[name])
                self.assertEqual(daemon.curl("GET", "/web/none.js", headers=headers).status, 404)
            self.assertEqual(daemon.curl("GET", "/v1/models").status, 401)


class Off(ClientTest):
    daemon_args = ("--web", "off")

    def test_there_is_json_alone(self):
        for headers in ({}, JSON, BROWSER, {"Accept": "text/html, application/json;q=0.1"}):
            answer = self.ask("GET", "/", headers={**headers, "Accept-Encoding": "identity"})
            self.assertEqual(answer.json["name"], "normd")
            self.assertNotIn("vary", answer.headers)
        self.assertEqual(self.ask("GET", "/", headers={"Accept": "text/html"}, status=406).code, "not_acceptable")

    def test_there_are_no_pages(self):
        for path in ("/play", "/web/play/main.css", "/web/play/main.js"):
            self.refused("no_such_route", 404, "GET", path, headers=BROWSER)


class FromDisk(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="normd-pages-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.root = os.path.join(self.directory, "web")
        shutil.copytree(WEB, self.root)
        with open(os.path.join(self.directory, "secret.js"), "w") as f:
            f.write("secret")

    def start(self, *args, **options):
        daemon = Daemon("--web-root", self.root, *args, **options)
        self.addCleanup(daemon.close)
        return daemon

    def start_client(self):
        client = self.start().client()
        self.addCleanup(client.close)
        return client

    def write(self, name, data):
        with open(os.path.join(self.root, name), "wb") as f:
            f.write(data)

    def test_the_files_are_those_of_the_folder(self):
        client = self.start_client()
        for name in NAMES:
            for headers in ({}, GZIP):
                answer = client.request("GET", path_of(name), headers=headers)
                self.assertEqual(answer.raw, read(name), name)
                self.assertEqual({header: answer.headers.get(header) for header in HEADERS},
                                 {**HEADERS, "cache-control": "no-store"})
                self.assertEqual(answer.headers["content-type"], make_pages.TYPES[os.path.splitext(name)[1]])
                for header in ("etag", "content-encoding"):
                    self.assertNotIn(header, answer.headers)

    def test_a_change_is_seen_at_once(self):
        daemon = self.start()
        for data in (b"/* one */", b"", b"x" * (4 << 20), b"/* two */"):
            self.write("style.css", data)
            self.assertEqual(daemon.curl("GET", "/web/style.css", headers={"If-None-Match": "*"}).raw, data)
        self.write("shared/new.js", b"new")
        self.assertEqual(daemon.curl("GET", "/web/shared/new.js").raw, b"new")
        os.unlink(os.path.join(self.root, "shared/new.js"))
        self.assertEqual(daemon.curl("GET", "/web/shared/new.js").code, "no_such_route")
        self.write("index.html", b"<!doctype html>")
        self.assertEqual(daemon.curl("GET", "/").raw, b"<!doctype html>")
        self.assertEqual(daemon.curl("GET", "/", headers=JSON).json["name"], "normd")
        self.assertEqual(daemon.curl("HEAD", "/web/style.css").headers["content-length"], "9")

    def test_what_is_no_file_of_the_folder_is_refused(self):
        """At once, also what would keep a reader waiting."""
        os.mkfifo(os.path.join(self.root, "pipe.js"))
        os.mkdir(os.path.join(self.root, "folder.js"))
        os.symlink("../secret.js", os.path.join(self.root, "out.js"))
        os.symlink(os.path.join(self.directory, "secret.js"), os.path.join(self.root, "absolute.js"))
        os.symlink("..", os.path.join(self.root, "up"))
        os.symlink("/dev/zero", os.path.join(self.root, "zero.js"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(self.root, "socket.js"))
        self.write("large.js", b"x" * ((4 << 20) + 1))
        self.write("note.txt", b"a type that is not served")
        self.write("locked.js", b"locked")
        os.chmod(os.path.join(self.root, "locked.js"), 0)
        os.mkdir(os.path.join(self.root, "shared/deep"))
        self.write("shared/deep/deep.js", b"deep")
        client = self.start_client()
        for path, why in (("/web/pipe.js", "not a regular file"), ("/web/folder.js", "not a regular file"),
                          ("/web/out.js", "symbolic links"), ("/web/absolute.js", "symbolic links"),
                          ("/web/up/secret.js", ""), ("/web/zero.js", "symbolic links"), ("/web/socket.js", ""),
                          ("/web/large.js", "larger than 4 MiB"), ("/web/note.txt", "type"),
                          ("/web/shared/deep/deep.js", ""), *((path, "") for path in NOWHERE)):
            answer = client.request("GET", path)
            self.assertEqual((answer.status, answer.code), (404, "no_such_route"), path)
            self.assertIn(why, answer.json["detail"], path)
            self.assertNotIn("secret\"", answer.body)
        if os.geteuid() != 0:
            self.assertEqual(client.request("GET", "/web/locked.js").code, "no_such_route")

    def test_the_folder_may_be_replaced_and_missing(self):
        daemon = self.start("--sandbox", "off")
        descriptors = daemon.descriptors()
        os.rename(self.root, self.root + ".old")
        for _ in range(20):
            self.assertEqual(daemon.curl("GET", "/web/style.css").code, "no_such_route")
            self.assertEqual(daemon.curl("GET", "/").code, "no_such_route")
        os.mkdir(self.root)
        self.write("style.css", b"new")
        for _ in range(20):
            self.assertEqual(daemon.curl("GET", "/web/style.css").raw, b"new")
        self.assertLessEqual(daemon.descriptors(), descriptors + 2)  # connections of curl may be ending

    def test_a_file_that_is_written_while_it_is_read(self):
        """An answer has one length, and the daemon goes on."""
        client = self.start_client()
        for size in (10, 100_000, 1, 3_000_000, 0) * 4:
            self.write("style.css", b"y" * size)
            answer = client.request("GET", "/web/style.css")
            self.assertEqual((answer.status, len(answer.raw)), (200, size))


class Settings(unittest.TestCase):
    def refused(self, words, *args):
        for mode in ((), ("--check-config",)):
            done = subprocess.run([NORMD, "--listen", "127.0.0.1:0", "--store", "sqlite:/nowhere/x.db", *args, *mode],
                                  capture_output=True, text=True, timeout=60 * PATIENCE)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertIn(words, done.stderr)

    def test_what_makes_no_sense(self):
        self.refused("--web is \"of\"; it must be off or on", "--web", "of")
        self.refused("--web-root is set, but --web is off", "--web", "off", "--web-root", WEB)
        self.refused("/nowhere cannot be opened", "--web-root", "/nowhere")
        self.refused("cannot be opened", "--web-root", os.path.join(WEB, "index.html"))

    def test_on_is_the_default(self):
        with contextlib.closing(Daemon("--web", "on")) as daemon:
            self.assertEqual(daemon.curl("GET", "/play").status, 200)
        with contextlib.closing(Daemon(env={"NORMD_WEB": "off"})) as daemon:
            self.assertEqual(daemon.curl("GET", "/play").status, 404)
        with contextlib.closing(Daemon(env={"NORMD_WEB_ROOT": WEB})) as daemon:
            self.assertEqual(daemon.curl("GET", "/play").headers["cache-control"], "no-store")


class Source(unittest.TestCase):
    """What scripts/make_pages.py makes of a folder."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="normd-pages-")
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, data):
        os.makedirs(os.path.dirname(os.path.join(self.folder, name)), exist_ok=True)
        with open(os.path.join(self.folder, name), "wb") as f:
            f.write(data)

    def run_script(self):
        return subprocess.run([os.path.join(ROOT, "scripts/make_pages.py"), self.folder], capture_output=True)

    def test_the_same_files_make_the_same_source(self):
        shutil.copytree(WEB, self.folder, dirs_exist_ok=True)
        first = self.run_script()
        for name in NAMES:
            os.utime(os.path.join(self.folder, name), (0, 0))
        self.assertEqual((self.run_script().stdout, first.returncode), (first.stdout, 0))
        self.assertRegex(first.stderr.decode(), r"[0-9]+ bytes compressed, of 120000")

    def test_what_is_left_out(self):
        for name in ("README.md", "vendor/LICENSE", ".style.css.swp", ".hidden/a.js"):
            self.write(name, b"x")
        self.assertEqual(make_pages.names(self.folder), [])

    def test_what_is_refused(self):
        for name, words in (("a.txt", "a.txt: the type"), ("a/b/c.js", "at most one folder"), ("a b.js", "A-Z a-z 0-9"),
                            ("style.css~", "A-Z a-z 0-9"), ("LICENSE.md", "LICENSE.md: the type")):
            self.write(name, b"x")
            done = self.run_script()
            self.assertEqual((done.returncode, done.stdout), (1, b""), name)
            self.assertIn(words, done.stderr.decode())
            os.unlink(os.path.join(self.folder, name))

    def test_a_page_has_one_script_and_one_style(self):
        data = {"a.html": b'<link rel="stylesheet" href="web/a.css">\n'
                          b'<script type="module" src="web/b/main.js"></script>\n',
                "a.css": b'/* one */\n@import "b/c.css";\n.a :b, c { d: 1px; }\n', "b/c.css": b"e { f: 2px }\n",
                "b/main.js": b"import { x } from \"../two.js\";\n// one\nx(new URL(\"work.js\", import.meta.url));\n",
                "two.js": b"export const x = url => new Worker(url, `\xc3\xa9 ${ url }`); // two\n",
                "b/work.js": b"import \"../two.js\";\npostMessage( 3 );\n", "vendor/e.js": b"  // x\n"}
        for name, each in data.items():
            self.write(name, each)
        left = make_pages.served(self.folder)
        self.assertEqual(set(left), {"a.html", "a.css", "b/main.js", "b/work.js", "vendor/e.js"})
        self.assertEqual(left["a.css"], b"e{f:2px}.a :b,c{d:1px}\n")
        self.assertRegex(left["b/main.js"].decode(), r"^var (\w)=(\w)=>new Worker\(\2,`é \$\{\2\}`\);"
                                                     r"\1\(new URL\(\"work.js\",import\.meta\.url\)\);\n$")
        self.assertEqual(left["b/work.js"], b"postMessage(3);\n")
        self.assertEqual({name: left[name] for name in ("a.html", "vendor/e.js")},
                         {name: data[name] for name in ("a.html", "vendor/e.js")})

    def test_a_script_with_a_fault_is_refused(self):
        self.write("a.html", b'<script type="module" src="web/a.js"></script>\n')
        for text, words in ((b"let = ;\n", "a.js:1:"), (b'import "./none.js";\n', "none.js"),
                            (b"new URL(\"none.js\", import.meta.url);\n", "none.js"), (None, "a.js")):
            if text is None:
                os.unlink(os.path.join(self.folder, "a.js"))
            else:
                self.write("a.js", text)
            done = self.run_script()
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(words, done.stderr.decode())
        self.write("a.js", b"")
        self.write("b/c.css", b"")
        self.assertIn(b"b/c.css: nothing imports this", self.run_script().stderr)

    def test_too_much_is_refused(self):
        self.write("a.png", os.urandom(120_000))
        done = self.run_script()
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn("120000 are the most", done.stderr.decode())

    def test_the_source_says_what_the_files_say(self):
        """Also where C has rules of its own: quotes, trigraphs, digits behind an escape, NUL, nothing."""
        data = {"vendor/a.js": bytes(range(256)) * 3, "vendor/c.css": b'??=\\"%d\x000\x017\n' * 50, "d.svg": b""}
        for name, each in data.items():
            self.write(name, each)
        program = os.path.join(self.folder, ".program")
        with open(program + ".c", "wb") as f:
            f.write(self.run_script().stdout + b"""
#include <stdio.h>
int main(void)
{
	for (const struct web_file *f = web_files; f->path != NULL; f++) {
		printf("%s %zu %zu\\n", f->path, f->plain.len, f->gzip.len);
		fwrite(f->plain.bytes, 1, f->plain.len, stdout);
		fwrite(f->gzip.bytes, 1, f->gzip.len, stdout);
	}
	return 0;
}
""")
        subprocess.run([*os.environ.get("CC", "cc").split(), "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-I",
                        ROOT, "-o", program, program + ".c"], check=True)
        said = subprocess.run([program], capture_output=True).stdout
        for name, each in sorted(data.items()):
            head, _, said = said.partition(b"\n")
            path, plain, coded = head.decode().split()
            self.assertEqual((path, said[:int(plain)]), (name, each))
            self.assertEqual(gzip.decompress(said[int(plain):int(plain) + int(coded)]), each)
            said = said[int(plain) + int(coded):]
        self.assertEqual(said, b"")


if __name__ == "__main__":
    unittest.main()
