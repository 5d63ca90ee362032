# SPDX-License-Identifier: MIT
"""What tests of both clients share: numbers, the asyncio client in the shape of the other, a server of nonsense."""

import asyncio
import http.server
import inspect
import os
import subprocess
import textwrap
import threading
import time
import unittest

import numpy
from numpy.testing import assert_allclose, assert_array_equal

import normd
import normd.aio
import normd.testing

X = numpy.array([[1, 20, 300], [3, 40, 500], [8, 90, 100], [2, 10, 700]], dtype=numpy.float32)
EPS = 1e-5


def normal(x, mean=None, var=None):
    """As batch norm has it, by the batch's own moments or by others."""
    x = x.astype(numpy.float64)
    mean, var = (x.mean(0), x.var(0)) if mean is None else (mean, var)
    return (x - mean) / numpy.sqrt(var + EPS)


def close(actual, expected):
    assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def same(actual, expected):
    """The same numbers of float32, which JSON has as shorter decimals."""
    assert_array_equal(numpy.float32(actual), expected)


class Blocking:
    """An AsyncClient, AsyncModel or AsyncLayer whose coroutines are run, and whose lists are read, at once."""

    def __init__(self, of, loop):
        self.of = of
        self.loop = loop

    def __getattr__(self, name):
        found = getattr(self.of, name)
        return self._calling(found) if callable(found) else found

    def _calling(self, method):
        def call(*args, **options):
            answer = method(*args, **options)
            if inspect.iscoroutine(answer):
                return self.loop.run_until_complete(answer)
            if inspect.isasyncgen(answer):
                return iter(self.loop.run_until_complete(_read(answer)))
            return Blocking(answer, self.loop) if type(answer).__name__.startswith("Async") else answer
        return call


async def _read(answers):
    return [answer async for answer in answers]


class Sync:
    """A mix-in for tests of the synchronous client: ``self.make(url)`` gives one."""

    def make(self, *args, **options):
        client = normd.Client(*args, **options)
        self.addCleanup(client.close)
        return client


class Asyncio:
    """The same for the asyncio client."""

    def make(self, *args, **options):
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        self.addCleanup(lambda: loop.run_until_complete(asyncio.sleep(0)))  # connections end in the loop
        client = Blocking(normd.aio.AsyncClient(*args, **options), loop)
        self.addCleanup(client.close)
        return client


def twice(tests):
    """Decorates a mix-in with tests, which are run with either client."""
    module = inspect.getmodule(tests)
    for kind in (Sync, Asyncio):
        name = f"{tests.__name__}{kind.__name__}"
        setattr(module, name, type(name, (tests, kind, unittest.TestCase), {"__module__": module.__name__}))
    return tests


class WithDaemon:
    """A mix-in for tests that share a daemon: ``self.client``, and for each test ``self.model`` and ``self.layer``."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.daemon = normd.testing.Daemon(*cls.options)
        cls.addClassCleanup(cls.daemon.close)

    def setUp(self):
        self.client = self.make(self.daemon.url)
        self.model = self.client.model(self.id().rpartition(".")[2])
        self.layer = self.model.layer("obs")


def run_example(test, module, **names):
    """Runs the example in a module's docstring by the test's daemon. ``names`` are what it takes for granted."""
    lines = [line for line in module.__doc__.splitlines() if line.startswith("    ")]
    exec(textwrap.dedent("\n".join(lines)).replace("http://127.0.0.1:8080", test.daemon.url), names)
    test.addCleanup(names["client"].close)
    return names


def token(path, *options):
    """A new token, which the file of tokens has from now on."""
    program = os.environ.get("NORMD") or "normd"
    return subprocess.run([program, "token", "--tokens", path, *options], check=True, capture_output=True,
                          text=True).stdout.strip()


class Server:
    """An HTTP server that gives one answer to everything: a status, headers and a body.

    ``requests`` has what was asked. Each answer takes ``delay_s``; ``cut`` closes the connection before its last byte.
    """

    def __init__(self, test, status=200, body=b"", content_type="text/html", cut=False, delay_s=0, **headers):
        self.requests = requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # head and body leave together

            def answer(self):
                requests.append(f"{self.command} {self.path}")
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                time.sleep(delay_s)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body[:-1] if cut else body)
                self.close_connection = cut or self.close_connection

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        test.addCleanup(thread.join)
        test.addCleanup(self._server.server_close)
        test.addCleanup(self._server.shutdown)
