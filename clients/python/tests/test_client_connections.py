# SPDX-License-Identifier: MIT
"""Connections: threads, forks, pickles, tokens, TLS, and how servers are named."""

import concurrent.futures
import copy
import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
from unittest import mock

import normd
import normd.aio
import normd.testing
from support import X, Server, Sync, WithDaemon, token, twice

ROOT = json.dumps({"name": "normd", "version": "0.1.0", "links": {"models": "/v1/models"}}).encode()


def opened(client):
    """How many connections the daemon has accepted."""
    return int(re.search(r"^normd_connections_opened_total (\d+)$", client.metrics(), re.M)[1])


def run_python(script, *args):
    """Runs a script in a process of its own, because it forks, and returns its last line."""
    return subprocess.run([sys.executable, "-c", script, *args], check=True, timeout=120, text=True,
                          stdout=subprocess.PIPE).stdout.splitlines()[-1]


class Threads(WithDaemon, Sync, unittest.TestCase):
    def test_threads_share_a_client(self):
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        barrier = threading.Barrier(32)
        errors = []

        def work():
            try:
                barrier.wait()
                for _ in range(20):
                    self.layer.train(X)
                    self.model.infer({"obs": X})
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(32)]
        before = opened(self.client)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        self.assertEqual(self.layer.statistics().num_batches_tracked, 640)
        self.assertLessEqual(opened(self.client) - before, 32)

    def test_a_connection_is_kept(self):
        self.layer.create("batch_norm", num_features=3)
        before = opened(self.client)
        for call in (lambda: self.layer.train(X), lambda: self.layer.infer(X.tolist()),
                     lambda: list(self.client.models()), self.model.state,
                     lambda: self.client.model("no").layer("no").statistics()):
            for _ in range(3):
                try:
                    call()
                except normd.errors.NoSuchModel:
                    pass
        self.assertEqual(opened(self.client), before)


FORK = """
import os, sys, threading
import numpy, normd
client = normd.Client(sys.argv[1])
layer = client.model(sys.argv[2]).layer("obs")
layer.create("batch_norm", num_features=3, averaging="pooled")
x = numpy.arange(30.0).reshape(10, 3)
stop = threading.Event()
def busy():
    while not stop.is_set():
        layer.train(x, source="busy", output=False)
thread = threading.Thread(target=busy, daemon=True)
thread.start()
children = []
for i in range(8):
    layer.train(x, source="parent")
    child = os.fork()
    if child == 0:
        for _ in range(10):
            assert layer.train(x[:i + 2], source=f"child-{i}").output.shape == (i + 2, 3)  # not another's answer
        client.close()
        os._exit(0)
    children.append(child)
    assert layer.train(x, source="parent").output.shape == x.shape
stop.set()
thread.join()
print([os.waitpid(child, 0)[1] for child in children])
"""
FORK_ASYNCIO = """
import asyncio, os, sys
import numpy, normd.aio
client = normd.aio.AsyncClient(sys.argv[1])
x = numpy.arange(30.0).reshape(10, 3)
async def use(source):
    layer = client.model(sys.argv[2]).layer("obs")
    await asyncio.gather(*(layer.train(x, source=source) for _ in range(10)))
async def parent():
    await use("parent")
    child = os.fork()
    if child == 0:
        try:
            asyncio._set_running_loop(None)
            asyncio.run(use("child"))
        except BaseException as error:
            print(error, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    await use("parent")
    code = os.waitpid(child, 0)[1]
    await use("parent")
    await client.close()
    print([code])
asyncio.run(parent())
"""


class Forks(WithDaemon, Sync, unittest.TestCase):
    def counts(self):
        return {source["source"]: source["count"] for source in self.layer.sources()}

    def test_both_processes_go_on(self):
        self.assertEqual(run_python(FORK, self.daemon.url, self.model.name), str([0] * 8))
        counts = self.counts()
        self.assertEqual(counts.pop("busy") % 10, 0)
        self.assertEqual(counts, {"parent": 160, **{f"child-{i}": 10 * (i + 2) for i in range(8)}})

    def test_asyncio(self):
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        self.assertEqual(run_python(FORK_ASYNCIO, self.daemon.url, self.model.name), "[0]")
        self.assertEqual(self.counts(), {"parent": 300, "child": 100})


@twice
class Life(WithDaemon):
    def test_copies(self):
        """A pickle has what the client was made of; its connections are its own."""
        client = getattr(self.client, "of", self.client)
        layer = client.with_options(timeout_s=7).model("m").layer("l")
        again = pickle.loads(pickle.dumps(layer))
        self.assertEqual((again.name, again._client.url, again._client._retries.timeout_s), ("l", client.url, 7))
        self.assertIsNot(again._client._transport, client._transport)
        self.assertIs(copy.deepcopy(layer)._client, layer._client)
        again = pickle.loads(pickle.dumps(client))
        if isinstance(again, normd.Client):
            self.assertTrue(again.live())
            again.close()

    def test_options(self):
        client = getattr(self.client, "of", self.client)
        other = client.with_options(timeout_s=3, retries=normd.Retries(attempts=2))
        self.assertEqual(other._retries, normd.Retries(timeout_s=3, attempts=2))
        self.assertEqual(client._retries, normd.Retries())
        for options in ({"timeout_s": float("inf")}, {"timeout_s": float("nan")}, {"timeout_s": -1}, {"attempts": 0}):
            with self.subTest(**options), self.assertRaisesRegex(ValueError, f"{next(iter(options))} must be"):
                normd.Retries(**options)
        self.assertIs(other._transport, client._transport)
        self.assertEqual(client.with_options(timeout_s=9)._retries.timeout_s, 9)

    def test_a_call_has_one_deadline_with_its_greeting(self):
        """The greeting takes most of the time; what is left is not enough for the call itself."""
        server = Server(self, 200, ROOT, "application/json", delay_s=0.5)
        with self.assertRaises(normd.DeadlineExceeded):
            self.make(server.url, timeout_s=0.8).server()

    def test_a_closed_client_opens_again(self):
        self.assertTrue(self.client.live())
        self.client.close()
        self.client.close()
        self.assertTrue(self.client.live())

    def test_shown(self):
        client = self.make(self.daemon.url, token="secret")
        client = getattr(client, "of", client)
        model = client.model("m")
        self.assertRegex(f"{client} {model} {model.layer('l')}",
                         rf"Client\('{self.daemon.url}'\) \w*Model\('m'\) \w*Layer\('m', 'l'\)")
        self.assertNotIn("secret", repr(client._server))


class ContextManagers(WithDaemon, Sync, unittest.TestCase):
    def test_sync(self):
        with normd.Client(self.daemon.url) as client:
            self.assertTrue(client.live())

    def test_asyncio_from_one_loop_after_another(self):
        import asyncio
        client = normd.aio.AsyncClient(self.daemon.url)

        async def use():
            async with client:
                return await client.live()

        self.assertEqual([asyncio.run(use()), asyncio.run(use())], [True, True])

    def test_asyncio_from_the_loops_of_several_threads(self):
        import asyncio
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        client = normd.aio.AsyncClient(self.daemon.url)
        layer = client.model(self.model.name).layer("obs")

        async def use():
            async with client:
                for _ in range(10):
                    await asyncio.gather(*(layer.train(X, output=False) for _ in range(3)))

        with concurrent.futures.ThreadPoolExecutor(3) as threads, warnings.catch_warnings():
            warnings.simplefilter("error")
            for done in [threads.submit(asyncio.run, use(), debug=True) for _ in range(3)]:
                done.result()
        self.assertEqual(self.layer.statistics().count, 3 * 10 * 3 * len(X))


@twice
class Tokens:
    def test_roles(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "tokens")
            admin, reader = token(path, "--role", "admin"), token(path, "--role", "infer", "--models", "robot")
            with normd.testing.Daemon("--tokens", path) as daemon:
                client = self.make(daemon.url, token=admin)
                layer = client.model("robot").layer("obs")
                layer.create("batch_norm", num_features=3)
                layer.train(X)
                other = self.make(daemon.url, token=reader)
                self.assertEqual(other.model("robot").layer("obs").infer(X).output.shape, X.shape)
                self.assertEqual(list(other.models()), ["robot"])
                with self.assertRaises(normd.errors.Forbidden):
                    other.model("robot").layer("obs").train(X)
                for wrong in (None, "wrong"):
                    with self.assertRaises(normd.errors.Unauthenticated) as caught:
                        next(self.make(daemon.url, token=wrong).models())
                    self.assertEqual(caught.exception.status, 401)
                client.close(), other.close()

    def test_tokens_that_no_header_can_carry(self):
        for wrong in ("secret\n", "", "sec ret", "s\u00e9cret"):
            with self.assertRaisesRegex(ValueError, "token") as caught:
                self.make(token=wrong)
            self.assertNotIn("cret", str(caught.exception))


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class WithTls:
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.files = {}
        for name in ("right", "wrong"):
            cls.files[name] = [os.path.join(directory.name, name + end) for end in (".pem", ".key")]
            cert, key = cls.files[name]
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-days", "2", "-subj", "/CN=normd", "-addext", "subjectAltName=IP:127.0.0.1", "-out", cert,
                            "-keyout", key], check=True, capture_output=True)
        cls.daemon = normd.testing.Daemon("--tls-cert", cls.files["right"][0], "--tls-key", cls.files["right"][1])
        cls.addClassCleanup(cls.daemon.close)
        cls.url = cls.daemon.url.replace("http:", "https:")

    def test_right(self):
        client = self.make(self.url, ca_certs=self.files["right"][0])
        layer = client.model("tls").layer("obs")
        layer.create("batch_norm", num_features=3)
        self.assertEqual(layer.train(X.repeat(50000, 0)).output.shape, (200000, 3))
        before = opened(client)
        layer.infer(X)
        self.assertEqual(opened(client), before)
        client.close()
        self.assertTrue(client.live())

    def assert_fails_at_once(self, words, url, **options):
        begin = time.monotonic()
        with self.assertRaisesRegex(normd.Error, words):
            self.make(url, **options).live()
        self.assertLess(time.monotonic() - begin, 10)

    def test_wrong(self):
        self.assert_fails_at_once("certificate", self.url, ca_certs=self.files["wrong"][0])
        self.assert_fails_at_once("certificate", self.url)
        self.assert_fails_at_once("(?i)certificate|match", self.url.replace("127.0.0.1", "localhost"),
                                  ca_certs=self.files["right"][0])
        with self.assertRaises(FileNotFoundError):
            self.make(self.url, ca_certs="/nothing/there.pem")

    def test_https_to_a_plain_port(self):
        with normd.testing.Daemon() as daemon:
            self.assert_fails_at_once("(?i)ssl|tls", daemon.url.replace("http:", "https:"))


twice(WithTls)


@twice
class Addresses:
    def test_a_path_before_the_api(self):
        for path, sent in (("/gate/normd/", "/gate/normd/"), ("/a%20b", "/a%20b/"), ("/a b\u00fc", "/a%20b%C3%BC/")):
            server = Server(self, 200, ROOT, "application/json")
            client = self.make(server.url + path)
            self.assertEqual(client.server()["name"], "normd")
            self.assertEqual(server.requests, [f"GET {sent}"] * 2)
        self.assertEqual(self.make("http://h/p//").url, "http://h:80/p")

    def test_ipv6(self):
        try:
            daemon = normd.testing.Daemon("--listen", "[::1]:0")
        except normd.Error as error:
            self.skipTest(f"there is no IPv6 here: {error}")
        with daemon:
            client = self.make(f"http://[::1]:{daemon.port}")
            self.assertTrue(client.live())
            self.assertEqual(client.url, f"http://[::1]:{daemon.port}")
            client.close()

    def test_ports(self):
        self.assertEqual(self.make("http://host").url, "http://host:80")
        self.assertEqual(self.make("https://HOST").url, "https://host:443")

    def test_connections(self):
        for wrong in (0, -1):
            with self.assertRaisesRegex(ValueError, "at least 1"):
                self.make(connections=wrong)

    def test_wrong(self):
        for url in ("", "localhost:8080", "127.0.0.1:8080", "ftp://host", "http://", "http://host:99999",
                    "http://host:0", "http://host:port", "http://[::1", "http://host/?query=1", "http://host/#part",
                    None, 8080, b"http://host", "http://a..b", f"http://{'a' * 64}.invalid",
                    "http://user:secret@host", "http:///path", "//host", "unix:/run/normd"):
            with self.subTest(url), self.assertRaisesRegex(ValueError, "address of a normd, such as") as caught:
                self.make(url)
            self.assertNotIn("secret", str(caught.exception))

    def test_hosts_that_do_not_exist(self):
        unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        with mock.patch("socket.getaddrinfo", side_effect=unknown) as asked:
            with self.assertRaisesRegex(normd.Error, "http://no-such-host.invalid:80: .*Name or service"):
                self.make("http://no-such-host.invalid").live()
        self.assertEqual(asked.call_count, 1)


if __name__ == "__main__":
    unittest.main()
