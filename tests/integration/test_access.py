# SPDX-License-Identifier: MIT
"""Access: who may call which route, by the table of routes itself; refusals before the body; tokens that change."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

import tls
from access import Tokens, bearer, line
from normd import BUILD, NORMD, PATIENCE, ROOT, Client, Daemon, DaemonTest, LateStore, at_once, wait_for
from tables import routes

ROLES = ("infer", "train", "admin")
# Below ADMIN and SERVER in the table.
RANK = {"INFER": 0, "TRAIN": 1, "ADMIN": 2, "SERVER": 2}
TRAIN = {"shape": [2, 1], "data": [1, 3]}


class Column(unittest.TestCase):
    def compiles(self, row):
        text = f'#include "handlers/routes.h"\nextern const struct route row;\nconst struct route row = {row};\n'
        compiler = os.environ.get("CC", "cc").split()
        flags = ["-std=c11", "-D_GNU_SOURCE", "-I.", "-Werror", "-fsyntax-only", "-x", "c", "-"]
        done = subprocess.run([*compiler, *flags], input=text, cwd=ROOT, text=True, capture_output=True)
        return done.returncode == 0

    def test_a_route_without_access_does_not_compile(self):
        self.assertTrue(self.compiles('ROUTE("GET", "/x", OPEN, .any_query = true)'))
        self.assertFalse(self.compiles('ROUTE("GET", "/x", .any_query = true)'))
        self.assertFalse(self.compiles('ROUTE("GET", "/x", EVERYBODY, .any_query = true)'))
        self.assertFalse(self.compiles('ROUTE("GET", "/x")'))
        self.assertFalse(self.compiles('{ "GET", "/x", .any_query = true }'))


class TokensTest(DaemonTest):
    """With a daemon that has a token of each role for all models, for models in-..., and for models out-...."""

    prefixes = {"all": "*", "in": "no-,in-", "out": "out-"}
    more_args = ()

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="normd-access-")
        cls.tokens = Tokens(cls.directory)
        cls.held = {(role, where): f"normd_{role}-{where}" for role in ROLES for where in cls.prefixes}
        cls.tokens.write(*cls.lines())
        cls.daemon_args = ("--tokens", cls.tokens.path, *cls.more_args)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.directory)

    @classmethod
    def lines(cls):
        return [line(token, role, cls.prefixes[where]) for (role, where), token in cls.held.items()]

    def as_(self, role, where="all"):
        return bearer(self.held[role, where])

    def reload(self, *lines, outcome="reloaded", **options):
        """Replaces the tokens, and waits until the daemon has read them."""
        before = self.daemon.log().count(outcome)
        self.tokens.write(*lines, **options)
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.daemon.log().count(outcome) > before, outcome)


class Table(TokensTest):
    """Every route, for every token and for none."""

    STRANGERS = {"none": {}, "unknown": bearer("normd_unknown"), "empty": {"Authorization": "Bearer"},
                 "another scheme": {"Authorization": "Basic bm9ybWRfYWRtaW4tYWxs"},
                 "only a token": {"Authorization": "normd_admin-all"}, "two words": bearer("normd_admin-all x")}

    def setUp(self):
        self.client = self.daemon.client()
        self.addCleanup(self.client.close)

    def status(self, method, path, headers, body):
        return self.client.request(method, path, body, headers).status

    def calls(self):
        for (method, pattern), row in routes().items():
            path = pattern.format(model="in-x", layer="bn", source="s", version="1", alias="a", folder="shared",
                                  file="dom.js")
            yield method, path, row["access"], "{model}" in pattern, "{}" if "body" in row else None

    def test_strangers(self):
        for method, path, access, _, body in self.calls():
            for name, headers in self.STRANGERS.items():
                status = self.status(method, path, headers, body)
                self.assertEqual(status == 401, access != "OPEN", f"{method} {path}, {name}: {status}")
                self.assertNotEqual(status, 403, f"{method} {path}, {name}")

    def test_roles_and_prefixes(self):
        count = 0
        for method, path, access, has_model, body in self.calls():
            for (role, where), token in self.held.items():
                status = self.status(method, path, bearer(token), body)
                refused = access != "OPEN" and (ROLES.index(role) < RANK[access] or (has_model and where == "out") or
                                                (access == "SERVER" and where != "all"))
                said = f"{method} {path} by {role} for {where}: {status}"
                self.assertEqual(status == 403, refused, said)
                self.assertNotEqual(status, 401, said)
                count += 1
        self.assertGreater(count, 500)

    def test_head_and_options(self):
        self.assertEqual(self.status("HEAD", "/v1/models", {}, None), 401)
        self.assertEqual(self.status("HEAD", "/v1/models", self.as_("infer"), None), 200)
        self.assertEqual(self.status("HEAD", "/v1/models/out-x", self.as_("infer", "in"), None), 403)
        self.assertEqual(self.status("OPTIONS", "/v1/models", {}, None), 204)
        self.assertEqual(self.status("OPTIONS", "*", {}, None), 204)

    def test_a_stranger_learns_nothing_of_routes_and_models(self):
        """Not by paths, methods, parameters, headers or names: all answers are the same."""
        seen = set()
        for method, path in (("GET", "/v1/models"), ("GET", "/nothing"), ("POST", "/v1/models"), ("GET", "/v1/mode1s"),
                             ("GET", "/v1/models?limit=0"), ("GET", "/v1/models/-/layers/-"), ("TRACE", "/v1/models"),
                             ("GET", "/v1/models/in-x"), ("OPTIONS", "/nothing"), ("GET", "/" + "a/" * 60)):
            for headers in self.STRANGERS.values():
                answer = self.client.request(method, path, None, {**headers, "Accept": "image/png"})
                self.assertEqual(answer.headers["www-authenticate"], "Bearer")
                self.assertNotIn("allow", answer.headers)
                seen.add((answer.status, *(answer.json[name] for name in ("code", "detail", "title", "type"))))
        self.assertEqual(len(seen), 1, seen)

    def test_a_model_outside_is_the_same_whether_there_is_one(self):
        self.client.request("PUT", "/v1/models/in-there/layers/bn", {"kind": "batch_norm"}, self.as_("admin"))
        details = set()
        for name in ("in-there", "in-nothere"):
            answer = self.client.request("GET", f"/v1/models/{name}", None, self.as_("infer", "out"))
            self.assertEqual((answer.status, answer.code), (403, "forbidden"))
            details.add(answer.json["detail"].replace(name, "NAME"))
        self.assertEqual(len(details), 1, details)

    def test_the_scheme_s_case_and_blanks(self):
        for text in ("bearer normd_infer-all", "BEARER   normd_infer-all ", "Bearer normd_infer-all"):
            self.assertEqual(self.status("GET", "/v1/models", {"Authorization": text}, None), 200, text)

    def test_two_of_them_are_none(self):
        answer = self.daemon.curl("GET", "/v1/models", args=["-H", "Authorization: Bearer normd_infer-all", "-H",
                                                             "Authorization: Bearer normd_admin-all"])
        self.assertEqual((answer.status, answer.code), (401, "unauthenticated"))

    def test_a_connection_serves_each_request_by_its_own_token(self):
        """Whatever it has remembered of the one before."""
        order = [self.as_("infer"), {}, self.as_("infer"), bearer("normd_infer-alx"), self.as_("admin"), {}]
        for headers, read, backup in zip(order, (200, 401, 200, 401, 200, 401), (403, 401, 403, 401, 200, 401)):
            self.assertEqual(self.status("GET", "/v1/models", headers, None), read)
            self.assertEqual(self.status("GET", "/v1/log-level", headers, None), backup)

    def test_the_log_names_tokens_by_their_hash(self):
        self.client.request("GET", "/v1/models?limit=7", None, self.as_("train", "in"))
        wait_for(lambda: "limit=7" in self.daemon.log(), "the request is logged")
        found = next(each for each in self.daemon.log_lines() if each.get("target") == "/v1/models?limit=7")
        self.assertEqual(found["token"], line(self.held["train", "in"], "")[:8])
        for token in self.held.values():
            self.assertNotIn(token, self.daemon.log())


class BeforeTheBody(TokensTest):
    """A refused upload is answered before its body is read."""

    path = "/v1/models/in-x/layers/bn/train"

    def send(self, headers, role=None):
        """A connection on which a head was sent, and the whole answer to that, up to the end of what is sent."""
        if role:
            headers = {**headers, **self.as_(role)}
        s = self.daemon.connect()
        self.addCleanup(s.close)
        head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **headers}.items())
        s.sendall(f"POST {self.path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = b""
        while piece := s.recv(65536):
            answer += piece
        return s, answer

    def check(self, answer, status):
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 %d " % status), answer)
        self.assertIn(b"\r\nConnection: close", head)
        self.assertIn(b"\r\nContent-Length: %d" % len(body), head)

    def test_announced_chunked_and_awaited(self):
        for headers in ({"Content-Length": "1000"}, {"Content-Length": str(1 << 40)}, {"Transfer-Encoding": "chunked"},
                        {"Content-Length": "1000", "Expect": "100-continue"},
                        {"Transfer-Encoding": "chunked", "Expect": "100-continue"},
                        {"Content-Length": "1", "Content-Type": "image/png"}):
            for role, status in ((None, 401), ("infer", 403)):
                _, answer = self.send(headers, role)
                self.check(answer, status)

    def test_a_client_that_sends_all_before_it_reads_gets_its_answer(self):
        """Its body is taken and dropped: no reset loses the answer."""
        body = b"x" * (8 << 20)
        for role, status in ((None, 401), ("infer", 403)):
            for chunked in (False, True):
                client = self.daemon.client()
                client.connection.request("POST", self.path, iter([body]) if chunked else body,
                                          self.as_(role) if role else {}, encode_chunked=chunked)
                response = client.connection.getresponse()
                self.assertEqual(response.status, status)
                self.assertIn(b'"status":%d' % status, response.read())
                client.close()

    def test_what_is_sent_behind_it_is_no_request(self):
        """Neither what stands where the body was announced, nor what follows."""
        request = b"GET /v1/models?limit=9 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer normd_admin-all\r\n\r\n"
        s, answer = self.send({"Content-Length": str(len(request))})
        self.check(answer, 401)
        try:
            s.sendall(request * 3)
            self.assertEqual(s.recv(1), b"")
        except ConnectionError:
            pass
        self.call("GET", "/v1/models?limit=8", headers=self.as_("infer"))
        wait_for(lambda: "limit=8" in self.daemon.log(), "the request is logged")
        self.assertNotIn("limit=9", self.daemon.log())

    def test_a_malformed_body_gets_no_second_answer(self):
        s, answer = self.send({"Transfer-Encoding": "chunked"})
        self.check(answer, 401)
        try:
            s.sendall(b"zz\r\n" * 100)
            self.assertEqual(s.recv(1), b"")
        except ConnectionError:
            pass
        wait_for(lambda: self.daemon.log().count('"status":401') > 0, "it is logged by the answer that was sent")

    def test_without_a_body_the_connection_stays(self):
        client = self.daemon.client()
        self.addCleanup(client.close)
        for _ in range(3):
            self.assertEqual(client.request("GET", "/v1/models").status, 401)
            port = client.connection.sock.getsockname()
        self.assertEqual(client.request("GET", "/v1/models", None, self.as_("infer")).status, 200)
        self.assertEqual(client.connection.sock.getsockname(), port)


class BeforeTheBodyOverTls(BeforeTheBody):
    pair = tls.shared()

    def send(self, *args):
        s, answer = super().send(*args)
        self.assertFalse(s.cut, "the end of the answer is announced")
        return s, answer


class Lists(TokensTest):
    """Lists show what the token may see, in full pages."""

    prefixes = {"all": "*", "in": "b,d-,f.", "out": "zz"}
    models = ("a", "b", "b-1", "b.x", "b2", "bb", "c", "d", "d-", "d-1", "d-2", "d.", "e", "f", "f.1", "f.2", "f_")
    seen = [name for name in models if name.startswith(("b", "d-", "f."))]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in cls.models:
            answer = cls.daemon.curl("PUT", f"/v1/models/{name}/layers/bn", {"kind": "batch_norm", "num_features": 1},
                                     bearer(cls.held["admin", "all"]))
            assert answer.status == 201, answer
            infer = {"inputs": [{"name": "bn", "shape": [2, 1], "datatype": "FP32", "data": [1, 3]}],
                     "parameters": {"mode": "train"}}
            cls.daemon.curl("POST", f"/v2/models/{name}/infer", infer, bearer(cls.held["admin", "all"]))

    def pages(self, limit, where):
        pages, after = [], ""
        while after is not None:
            page = self.call("GET", f"/v1/models?limit={limit}" + (f"&after={after}" if after else ""),
                             headers=self.as_("infer", where)).json
            pages.append(page["models"])
            after = page["next"]
        return pages

    def test_pages(self):
        for where, names in (("all", list(self.models)), ("in", self.seen), ("out", [])):
            for limit in (1, 2, 3, len(names) or 1, 1000):
                pages = self.pages(limit, where)
                self.assertEqual(list(itertools.chain(*pages)), names, (where, limit))
                self.assertTrue(all(len(page) == limit for page in pages[:-1]), pages)
                self.assertTrue(pages[-1] or not names, (where, limit, pages))

    def test_after_any_text(self):
        """Also one of which no name may be, between the prefixes, and longer than any name."""
        for after in ("A", "b", "b-1", "b.", "c", "d", "d-", "d-1zzz", "d.", "e", "f.1", "f.2", "zzz", "~", "b" * 3000,
                      "d-1" + "z" * 300, "%20", "%C3%A9"):
            text = after.replace("%20", " ").replace("%C3%A9", "é")
            found = self.call("GET", f"/v1/models?after={after}", headers=self.as_("infer", "in")).json["models"]
            self.assertEqual(found, [name for name in self.seen if name.encode() > text.encode()], after)

    def test_the_protocol_s_lists(self):
        for where, names in (("all", list(self.models)), ("in", self.seen), ("out", [])):
            index = self.call("POST", "/v2/repository/index", headers=self.as_("infer", where)).json
            self.assertEqual([entry["name"] for entry in index], names)
            stats = self.call("GET", "/v2/models/stats", headers=self.as_("infer", where)).json["model_stats"]
            self.assertEqual([entry["name"] for entry in stats], names)


class Protocol(TokensTest):
    def test_training_by_it_needs_the_role_train(self):
        """Which the body says: nothing is stored, and no key is used."""
        path, model = "/v1/models/in-t/layers/bn", "/v2/models/in-t/infer"
        self.call("PUT", path, {"kind": "batch_norm", "num_features": 1}, self.as_("train", "in"), 201)
        body = {"inputs": [{"name": "bn", "shape": [2, 1], "datatype": "FP32", "data": [1, 3]}],
                "parameters": {"mode": "train"}}
        key = {"Idempotency-Key": '"k"'}
        self.refused("forbidden", 403, "POST", model, body, {**self.as_("infer", "in"), **key})
        self.assertEqual(self.call("GET", path + "/statistics", headers=self.as_("infer")).json["num_batches_tracked"],
                         0)
        answer = self.call("POST", model, body, {**self.as_("train", "in"), **key}).json
        self.assertEqual(answer["outputs"][0]["parameters"]["num_batches_tracked"], 1)
        body["parameters"] = {"mode": "infer"}
        self.call("POST", model, body, self.as_("infer", "in"))


class Reload(TokensTest):
    def tearDown(self):
        self.reload(*self.lines())

    def test_while_requests_run(self):
        """A token that stays is served all the time; one that goes is refused from then on, also on its connection."""
        stop, failed, served = threading.Event(), [], []

        def ask(token):
            client = Client(self.daemon.port)
            while not stop.is_set():
                answer = client.request("GET", "/v1/models", None, bearer(token))
                served.append(1)
                if answer.status != 200:
                    failed.append(answer)
            client.close()

        threads = [threading.Thread(target=ask, args=(self.held["infer", where],)) for where in ("all", "in")]
        gone = self.daemon.client()
        self.addCleanup(gone.close)
        for thread in threads:
            thread.start()
        try:
            for turn in range(6):
                self.assertEqual(gone.request("GET", "/v1/models", None, self.as_("admin")).status, 200)
                before = len(served)
                self.reload(*(each for each in self.lines() if each != line("normd_admin-all", "admin")))
                self.assertEqual(gone.request("GET", "/v1/models", None, self.as_("admin")).status, 401)
                wait_for(lambda: len(served) > before + 20, "requests are served meanwhile")
                self.reload(*self.lines())
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failed, [])

    def test_rights_that_change(self):
        client = self.daemon.client()
        self.addCleanup(client.close)
        for role, models, status in (("infer", "*", 403), ("admin", "*", 200), ("admin", "a", 403)):
            self.reload(line("normd_changing", role, models))
            self.assertEqual(client.request("GET", "/v1/log-level", None, bearer("normd_changing")).status, status)

    def test_a_bad_file_leaves_the_old_tokens(self):
        good = self.lines()
        for lines, mode, reason in ((good, 0o622, "mode 0622"), (good, 0o620, "mode 0620"), ([], 0o600, "no token"),
                                    ([*good, good[0]], 0o600, f"line 1 already"), (["x infer *"], 0o600, "hash")):
            self.reload(*lines, mode=mode, outcome="not reloaded")
            found = [each for each in self.daemon.log_lines() if each["message"].startswith("not reloaded")][-1]
            self.assertEqual((found["level"], found["what"]), ("error", "tokens"))
            self.assertIn(reason, found["reason"])
            self.call("GET", "/v1/models", headers=self.as_("infer"))
        os.unlink(self.tokens.path)
        before = self.daemon.log().count("not reloaded")
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.daemon.log().count("not reloaded") > before, "the missing file is noticed")
        self.call("GET", "/v1/models", headers=self.as_("infer"))
        metrics = self.call("GET", "/metrics", headers=self.as_("infer")).body
        self.assertIn("\nnormd_tokens 9\n", metrics)
        self.assertRegex(metrics, r'\nnormd_reloads_total\{result="failed"\} [1-9]')


class Suspended(unittest.TestCase):
    def test_a_request_keeps_the_rights_that_it_began_with(self):
        """Its token is withdrawn while its update is on the way to the disk."""
        with tempfile.TemporaryDirectory(prefix="normd-access-") as directory:
            tokens = Tokens(directory)
            tokens.write(line("normd_a", "train"), line("normd_b", "infer"))
            daemon = LateStore("--tokens", tokens.path)
            self.addCleanup(daemon.close)
            path = "/v1/models/m/layers/bn"
            self.assertEqual(daemon.curl("PUT", path, {"kind": "batch_norm"}, bearer("normd_a")).status, 201)

            def go():
                daemon.wait_until_asked()
                tokens.write(line("normd_b", "infer"))
                daemon.process.send_signal(signal.SIGHUP)
                wait_for(lambda: '"reloaded"' in daemon.log(), "the tokens are read again")
                daemon.go()

            trained, _ = at_once([lambda: daemon.curl("POST", path + "/train", TRAIN, bearer("normd_a")), go])
            self.assertEqual(trained.status, 200)
            self.assertEqual(daemon.curl("POST", path + "/train", TRAIN, bearer("normd_a")).status, 401)


class Guesses(TokensTest):
    def test_many_unknown_tokens_leave_nothing_behind(self):
        """32 bytes of each, its hash, would be more than the bound."""
        tokens = map("normd_{:043}".format, itertools.count())

        def guess(rounds, at_once=50):
            with self.daemon.connect() as s:
                for _ in range(rounds):
                    s.sendall(b"".join(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"
                                       % next(tokens).encode() for _ in range(at_once)))
                    answers = b""
                    while answers.count(b'{"type"') < at_once or not answers.endswith(b"}"):
                        answers += s.recv(65536) or self.fail("the connection has ended")
                    self.assertEqual(answers.count(b"HTTP/1.1 401 "), at_once)

        def rest():
            """Waits until the daemon has seen that the client is gone: it holds what it held before the first."""
            wait_for(lambda: self.daemon.descriptors() == idle,
                     lambda: f"{idle} descriptors, not {self.daemon.descriptors()}")

        idle = self.daemon.descriptors_at_rest()
        guess(20)
        rest()
        before = self.daemon.memory("VmRSS")
        guess(800)
        rest()
        if not any(name in BUILD for name in ("asan", "tsan", "coverage")):  # they keep what is freed
            self.assertLess(self.daemon.memory("VmRSS"), before + (1 << 20))


class Pages(TokensTest):
    """With tokens, web pages of other origins are strangers without one, and no more."""

    more_args = ("--cors-origin", "https://app.example", "--open-metrics")

    def test_another_origin_gets_answers_that_its_browser_keeps_from_it(self):
        for origin in ("https://other.example", "null"):
            answer = self.call("GET", "/v1/models", headers={"Origin": origin, **self.as_("infer")})
            self.assertNotIn("access-control-allow-origin", answer.headers)
        self.call("GET", "/v1/models", headers={"Host": "normd.example", **self.as_("infer")})

    def test_an_allowed_origin_can_read_refusals(self):
        origin = {"Origin": "https://app.example"}
        for method, body in (("GET", None), ("PUT", "{}")):
            answer = self.daemon.curl(method, "/v1/models/in-x/layers/bn", body, origin)
            self.assertEqual(answer.status, 401)
            self.assertEqual(answer.headers["access-control-allow-origin"], "https://app.example")
        answer = self.call("PUT", "/v1/models/in-x/layers/bn", "{}", {**origin, **self.as_("infer")}, 403)
        self.assertEqual(answer.headers["access-control-allow-origin"], "https://app.example")

    def test_a_preflight_needs_no_token(self):
        answer = self.call("OPTIONS", "/v1/models/in-x/layers/bn/train", headers={
            "Origin": "https://app.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization"}, status=204)
        self.assertEqual(answer.headers["access-control-allow-origin"], "https://app.example")
        self.assertIn("Authorization", answer.headers["access-control-allow-headers"])

    def test_metrics_may_be_open(self):
        for headers in ({}, bearer("normd_unknown"), self.as_("infer", "out")):
            self.call("GET", "/metrics", headers=headers)
        self.call("POST", "/metrics", headers={}, status=401)


class Start(unittest.TestCase):
    """What a daemon refuses to start with, and warns of."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="normd-access-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.tokens = Tokens(self.directory)

    def refused(self, *args, words):
        command = [NORMD, "--listen", "127.0.0.1:0", "--store", f"sqlite:{self.directory}/d.db", *args]
        for more in ((), ("--check-config",)):
            done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=30 * PATIENCE)
            self.assertEqual(done.returncode, 2, done)
            for each in words:
                self.assertIn(each, done.stderr)
        self.assertEqual([name for name in os.listdir(self.directory) if name.startswith("d.db")], [])

    def test_files(self):
        good = line("normd_a", "admin")
        os.mkfifo(self.directory + "/fifo")
        self.refused("--tokens", self.directory + "/fifo", words=["tokens", "not a regular file"])
        self.refused("--tokens", self.directory, words=["not a regular file"])
        self.refused("--tokens", self.directory + "/none", words=["No such file"])
        for mode in (0o602, 0o620, 0o666):
            self.tokens.write(good, mode=mode)
            self.refused("--tokens", self.tokens.path, words=[f"mode 0{mode:o}", "chmod go-w"])
        for lines, words in (([""], "has no token"), (["# nothing\r\n"], "has no token"),
                             ([good, "\n", good], ":3: this token is in line 1"),
                             (["0123 infer *"], ":1: the hash has"),
                             ([good * 20000], "at most")):
            self.tokens.write(*lines)
            self.refused("--tokens", self.tokens.path, words=[words])

    def test_files_that_are_read(self):
        """Line ends of Windows; a link, as secrets are mounted; readable by all."""
        self.tokens.write("# x\r\n", line("normd_a", "infer").replace("\n", "\r\n"), mode=0o444)
        os.symlink(self.tokens.path, self.directory + "/link")
        daemon = Daemon("--tokens", self.directory + "/link")
        self.addCleanup(daemon.close)
        self.assertEqual(daemon.curl("GET", "/v1/models", headers=bearer("normd_a")).status, 200)
        self.tokens.write(line("normd_b", "infer"))
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "reloaded" in daemon.log(), "it is read again")
        self.assertEqual(daemon.curl("GET", "/v1/models", headers=bearer("normd_b")).status, 200)

    def test_beyond_this_machine(self):
        for address in ("0.0.0.0:0", "[::]:0"):
            self.refused("--listen", address, words=["--tokens", "--insecure"])
        self.tokens.write(line("normd_a", "infer"))
        for args, words in ((("--insecure",), "there are no tokens"),
                            (("--tokens", self.tokens.path), "without encryption")):
            daemon = Daemon("--listen", "0.0.0.0:0", *args)
            self.addCleanup(daemon.close)
            warnings = [each["message"] for each in daemon.log_lines() if each["level"] == "warn"]
            self.assertTrue([each for each in warnings if words in each], warnings)
            self.assertEqual(daemon.curl("GET", "/v2/health/live").status, 200)


if __name__ == "__main__":
    unittest.main()
