# SPDX-License-Identifier: MIT
"""Web pages: foreign pages change nothing and read nothing, unless the operator allows them;
and no name leads one to a loopback daemon."""

import re
import subprocess

from normd import NORMD, DaemonTest

BATCH = '{"data":[[1],[2]]}'
FOREIGN = ("http://attacker.example", "https://attacker.example", "null", "file://", "",
           "http://localhost.attacker.example", "localhost",
           "http://127.0.0.1", "http://127.0.0.1:1", "http://user@127.0.0.1", "chrome-extension://abcdefgh")
READABLE = ("ETag", "Normd-Revision", "Normd-Num-Batches-Tracked", "X-Request-Id", "Location", "Retry-After",
            "Inference-Header-Content-Length")
NEEDED = ("Authorization", "Content-Type", "Content-Encoding", "If-Match", "Idempotency-Key",
          "Inference-Header-Content-Length")


class Pages(DaemonTest):
    """A daemon with a layer that was trained once."""

    def setUp(self):
        self.put_layer()
        self.call("POST", self.path("bn", "train"), BATCH)

    def state(self):
        return self.call("GET", self.path()).json

    def every_call(self):
        """Calls of each kind that a page could make, also without a preflight."""
        for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "application/json", ""):
            yield "POST", self.path("bn", "train"), BATCH, {"Content-Type": kind}
        yield "POST", self.path("bn", "infer"), BATCH, {}
        yield "POST", "/v1/normalize", '{"kind":"layer_norm","normalized_shape":[1],"data":[[1]]}', {}
        yield "PUT", self.path("other"), '{"kind":"batch_norm"}', {}
        yield "DELETE", self.path("bn", "statistics"), None, {}
        yield "DELETE", f"/v1/models/{self.model}", None, {}
        for path in ("/", "/v1/models", "/v1/backup", "/v2/health/live", "/v2/health/ready", "/none"):
            yield "GET", path, None, {}
        yield "OPTIONS", "/v1/models", None, {"Access-Control-Request-Method": "POST"}

    def all_are_forbidden(self, header, value):
        before = self.state()
        for method, path, body, headers in self.every_call():
            with self.subTest((header, value, method, path, headers)):
                answer = self.refused("forbidden", 403, method, path, body, {**headers, header: value})
                self.assertNotIn("access-control-allow-origin", answer.headers)
        self.assertEqual(self.state(), before)


class Loopback(Pages):
    def test_hosts_of_this_machine(self):
        for host in ("localhost", "LOCALHOST:9", "localhost.", "app.localhost", "a.b.localhost:8080", "127.0.0.1",
                     "127.8.9.10:80", "[::1]", "[::1]:8080",
                     "localhost:", "[::ffff:127.0.0.1]", "[::ffff:7f01:203]:80"):
            with self.subTest(host):
                self.call("GET", "/v2/health/live", headers={"Host": host}, status=200)

    def test_other_hosts(self):
        for host in ("attacker.example:8080", "localhost.attacker.example", "127.0.0.1.attacker.example",
                     "notlocalhost", ".example", "128.0.0.1",
                     "10.0.0.1", "0.0.0.0", "127.1", "[::2]", "[::]", "[::ffff:8.8.8.8]", "[::127.0.0.1]",
                     "[::fffe:127.0.0.1]", "xn--localhost"):
            with self.subTest(host):
                self.refused("forbidden", 403, "GET", "/v2/health/live", headers={"Host": host})

    def test_another_host_reaches_nothing(self):
        self.all_are_forbidden("Host", "attacker.example")

    def test_its_page_has_the_same_origin_and_reaches_nothing(self):
        self.refused("forbidden", 403, "DELETE", self.path(),
                     headers={"Host": "attacker.example", "Origin": "http://attacker.example"})

    def test_a_target_names_the_host(self):
        target = ("--request-target", "http://attacker.example/v1/models")
        self.refused("forbidden", 403, "GET", "/", args=target)

    def test_http_1_0_names_no_host(self):
        self.call("GET", "/v2/health/live", headers={}, status=200, args=("--http1.0", "-H", "Host:"))

    def test_images_and_links_of_other_sites(self):
        """They name no origin. What costs little is answered: a browser shows it to nobody else."""
        for path in ("/v1/backup", "/v1/log-level"):
            self.refused("forbidden", 403, "GET", path, headers={"Sec-Fetch-Site": "cross-site"})
            for site in ("same-origin", "same-site", "none"):
                self.call("GET", path, headers={"Sec-Fetch-Site": site}, status=200)
        self.call("GET", "/", headers={"Sec-Fetch-Site": "cross-site"}, status=200)

    def test_foreign_pages(self):
        for origin in FOREIGN:
            self.all_are_forbidden("Origin", origin)

    def test_its_own_pages(self):
        port = self.daemon.port
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
            answer = self.call("POST", self.path("bn", "train"), BATCH, {"Host": host, "Origin": f"http://{host}"},
                               status=200)
            self.assertNotIn("access-control-allow-origin", answer.headers)
        self.call("GET", "/", headers={"Host": "LocalHost", "Origin": "http://localhost:80"}, status=200)
        for origin in (f"https://127.0.0.1:{port}", f"http://localhost:{port}"):
            self.refused("forbidden", 403, "GET", "/", headers={"Origin": origin})


class MappedLoopback(Pages):
    """An IPv4 loopback address written as IPv6 is still this machine's."""

    daemon_args = ("--listen", "[::ffff:127.0.0.1]:0")

    def test_other_hosts(self):
        self.call("GET", "/v2/health/live", headers={"Host": "localhost"}, status=200)
        self.refused("forbidden", 403, "GET", "/v2/health/live", headers={"Host": "attacker.example"})


class AnyAddress(Pages):
    daemon_args = ("--listen", "0.0.0.0:0", "--insecure")

    def test_any_host_is_served(self):
        for host in ("normd.example", "normd:8080", "my_service", "10.1.2.3:8080", "attacker.example"):
            self.call("GET", "/v2/health/live", headers={"Host": host}, status=200)

    def test_foreign_pages(self):
        for origin in ("http://attacker.example", "null"):
            self.all_are_forbidden("Origin", origin)

    def test_its_own_pages(self):
        self.call("GET", "/", headers={"Host": "normd.example:8080", "Origin": "http://normd.example:8080"}, status=200)
        self.refused("forbidden", 403, "GET", "/", headers={"Host": "normd.example", "Origin": "https://normd.example"})


class Allowed(Pages):
    daemon_args = ("--cors-origin", "https://app.example, http://localhost:3000,chrome-extension://abcdefgh")
    allowed = ("https://app.example", "https://app.example:443", "HTTPS://APP.EXAMPLE", "http://localhost:3000",
               "chrome-extension://abcdefgh")

    def test_allowed_pages_get_their_answers(self):
        for origin in self.allowed:
            answer = self.call("POST", self.path("bn", "train"), BATCH, {"Origin": origin}, status=200)
            self.assertEqual(answer.headers["access-control-allow-origin"], origin)
            self.assertIn("Origin", answer.headers["vary"])
            exposed = re.split(", *", answer.headers["access-control-expose-headers"])
            self.assertEqual([name for name in READABLE if name not in exposed], [])
            refused = self.refused("no_such_model", 404, "GET", "/v1/models/none", headers={"Origin": origin})
            self.assertEqual(refused.headers["access-control-allow-origin"], origin)

    def test_what_is_sent_beside_pages_says_that_it_varies(self):
        answer = self.call("GET", "/v1/models")
        self.assertEqual(answer.headers["vary"], "Origin")
        self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_preflights(self):
        asks = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "idempotency-key"}
        answer = self.call("OPTIONS", self.path("bn", "train?output=false"), headers=asks, status=204)
        self.assertEqual(answer.headers["access-control-allow-origin"], "https://app.example")
        self.assertEqual(answer.headers["access-control-allow-methods"], "POST, OPTIONS")
        self.assertEqual([name for name in NEEDED if name not in answer.headers["access-control-allow-headers"]], [])
        self.assertGreater(int(answer.headers["access-control-max-age"]), 0)

    def test_other_pages_are_foreign(self):
        for origin in ("http://app.example", "https://app.example:444", "https://app.example.attacker.example",
                       "https://app.example:" + "0" * 4000 + "443", "http://localhost:3001", "null"):
            self.all_are_forbidden("Origin", origin)


class All(Pages):
    daemon_args = ("--cors-origin", "*")

    def test_images_and_links_of_all_sites(self):
        self.call("GET", "/v1/log-level", headers={"Sec-Fetch-Site": "cross-site"}, status=200)

    def test_all_pages(self):
        for origin in ("http://anybody.example", "null"):
            answer = self.call("POST", self.path("bn", "train"), BATCH, {"Origin": origin}, status=200)
            self.assertEqual(answer.headers["access-control-allow-origin"], "*")
        self.assertEqual(self.call("GET", "/openapi.json").headers["vary"], "Origin")

    def test_hosts_count_all_the_same(self):
        self.refused("forbidden", 403, "GET", "/",
                     headers={"Host": "attacker.example", "Origin": "http://attacker.example"})


class Options(DaemonTest):
    def test_every_route_says_how_it_may_be_called(self):
        for path, methods in (("/", "GET, HEAD, OPTIONS"), ("/v1/models", "GET, HEAD, OPTIONS"),
                              (self.path("bn", "train"), "POST, OPTIONS"),
                              ("/v1/models/m", "GET, HEAD, DELETE, OPTIONS"),
                              (self.path("bn"), "PUT, GET, HEAD, DELETE, OPTIONS"),
                              ("/v2/health/live?probe=1", "GET, HEAD, OPTIONS")):
            answer = self.call("OPTIONS", path, status=204)
            self.assertEqual((answer.headers["allow"], answer.raw), (methods, b""))
            self.assertEqual(self.refused("method_not_allowed", 405, "PATCH", path).headers["allow"], methods)
        self.assertEqual(self.call("OPTIONS", "/", status=204, args=("--request-target", "*")).headers["allow"],
                         "GET, HEAD, POST, PUT, DELETE, OPTIONS")
        self.refused("no_such_route", 404, "OPTIONS", "/v1/nothing")
        self.refused("bad_name", 400, "OPTIONS", "/v1/models/-m")

    def test_origins_that_are_none(self):
        for bad in ("app.example", "https://", "https://app.example/", "https://app.example/path",
                    "https://user@app.example", "https://app.example:70000", "https://" + "a" * 300, "null",
                    "https://app.example,*", "*,https://app.example", "https://*.example", "https://app.example:*"):
            done = subprocess.run([NORMD, "--cors-origin", bad], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (2, ""), bad)
            self.assertIn("--cors-origin", done.stderr)

    def test_origins_that_are_given_twice(self):
        done = subprocess.run([NORMD, "--cors-origin", "https://a.example", "--cors-origin=https://b.example"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--cors-origin is given twice: list all origins in one value", done.stderr)
