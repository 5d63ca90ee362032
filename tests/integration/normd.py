# SPDX-License-Identifier: MIT
"""What the integration tests share: a daemon of one's own on a port that the kernel picks, curl,
and a quick client for load."""

import concurrent.futures
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import api_check
import tls

BUILD = os.environ.get("NORMD_BUILD", "build")
NORMD = os.path.join(BUILD, "normd")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Sanitizers and valgrind make everything slower; deadlines allow for it.
PATIENCE = float(os.environ.get("NORMD_PATIENCE", "1"))


def wait_for(condition, what, within_s=30 * PATIENCE, pause_s=0.02):
    """Waits until the condition holds and returns it. `what` is a text, or a function that makes one."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never: {what() if callable(what) else what}")
        time.sleep(pause_s)
    return value


def at_once(calls):
    """Each in a thread of its own, from the same moment; their results in order.
    What one of them raises is raised when all are done."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait()
        return call()

    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


class Answer:
    """A status, headers (names in lower case), and a body: as bytes, as text, parsed where it is JSON."""

    def __init__(self, status, headers, raw):
        self.status = status
        self.headers = headers
        self.raw = raw

    @property
    def body(self):
        return self.raw.decode()

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def code(self):
        return self.json["code"]

    def __repr__(self):
        return f"<{self.status} {self.raw[:300]!r}>"


class Daemon:
    """A running normd. Its store and log are files in a directory of its own, unless `store` says otherwise.
    With `pair` it serves TLS with that certificate (tls.Pair)."""

    program = NORMD

    def __init__(self, *args, store=None, env=None, start=True, pair=None):
        self.directory = tempfile.mkdtemp(prefix="normd-test-")
        self.store = store or "sqlite:" + os.path.join(self.directory, "normd.db")
        self.args = (*args, *pair.options()) if pair else args
        self.pair = pair
        self.env = env
        self.process = None
        self.log_path = os.path.join(self.directory, "log")
        if start:
            self.start()

    def command(self):
        prefix = os.environ.get("NORMD_PREFIX", "").split()
        return [*prefix, self.program, "--listen", "127.0.0.1:0", "--port-file", self.port_file, "--store", self.store,
                *self.args]

    @property
    def port_file(self):
        return os.path.join(self.directory, "port")

    def start(self):
        if os.path.exists(self.port_file):
            os.unlink(self.port_file)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stderr=log, env={**os.environ, **(self.env or {})})
        deadline = time.monotonic() + 30 * PATIENCE
        while not os.path.exists(self.port_file):
            if self.process.poll() is not None:
                raise AssertionError(f"normd exited {self.process.returncode} at its start: {self.log()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"normd did not listen: {self.log()}")
            time.sleep(0.005)
        with open(self.port_file) as f:
            self.port = int(f.read())

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def log_lines(self):
        """The log's lines, parsed; the daemon must log JSON."""
        whole = self.log().rpartition("\n")[0]  # the last line may be cut: it is being written
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def kill(self):
        """As a power cut would: SIGKILL."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self):
        """SIGTERM; the daemon must drain and exit 0 (a sanitizer's or valgrind's finding makes it exit otherwise)."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(60 * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"normd did not stop: {self.log()[-4000:]}")
        if code != 0:
            raise AssertionError(f"normd exited {code}: {self.log()[-8000:]}")

    def close(self):
        try:
            if self.process is not None:
                self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def url(self):
        return f"{'https' if self.pair else 'http'}://127.0.0.1:{self.port}"

    def connect(self, timeout=30 * PATIENCE, **kwargs):
        """A socket, or what is like one over TLS."""
        return tls.connect(("127.0.0.1", self.port), self.pair and self.pair.context(), timeout=timeout, **kwargs)

    def curl(self, method, path, body=None, headers=None, args=()):
        """One request by curl, whose path is sent unchanged. A body that is neither text nor bytes is sent as JSON."""
        command = ["curl", "-sS", "--path-as-is", "-D", "-", "-X", method, self.url + path, "--max-time",
                   str(60 * PATIENCE), *(("--cacert", self.pair.cert) if self.pair else ()), *args]
        data = None
        if body is not None:
            data = body if isinstance(body,
                                      bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
            command += ["--data-binary", "@-"]
        if method == "HEAD":
            command.append("--head")
        for name, value in (headers or {}).items():
            command += ["-H", f"{name}: {value}" if value else f"{name};"]
        done = subprocess.run(command, input=data, capture_output=True)
        if done.returncode != 0:
            raise AssertionError(f"curl: {done.stderr.decode()}")
        answer = parse_answer(done.stdout)
        api_check.check(method, path, answer)
        return answer

    def client(self):
        return Client(self.port, self.pair)

    def memory(self, name):
        """A line of /proc/PID/status, in bytes: VmRSS, VmHWM (the peak)."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(name))

    def descriptors(self):
        """How many files and connections it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def descriptors_at_rest(self):
        """The same, once it has seen that those are gone who have closed their connections."""
        counts = []
        while len(counts) < 5 or len(set(counts[-5:])) > 1:
            counts.append(self.descriptors())
            time.sleep(0.02 * PATIENCE)
        return counts[-1]


class LateStore(Daemon):
    """A daemon whose updates, or operations `at`, wait until `go` was called: what happens while the store is at work.
    """

    program = os.path.join(BUILD, "tests/daemons/late_store")

    def __init__(self, *args, at="update"):
        super().__init__(*args, start=False)
        self.go_path = os.path.join(self.directory, "go")
        self.env = {"LATE_STORE": self.go_path, "LATE_STORE_AT": at}
        self.start()

    def wait_until_asked(self, what="a late operation is asked for"):
        wait_for(lambda: "a late operation was asked for" in self.log(), what)

    def go(self):
        open(self.go_path, "w").close()


def undigested(statistics):
    """Statistics without their digest, which covers the layer's definition too."""
    return {name: value for name, value in statistics.items() if name != "digest"}


def parse_answer(raw):
    """The last answer in what curl -D - printed (a 100 Continue may stand before it)."""
    while True:
        head, _, rest = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        if status != 100:
            break
        raw = rest
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Answer(status, headers, rest)


class Client:
    """A keep-alive connection, for many requests."""

    def __init__(self, port, pair=None):
        where = {"host": "127.0.0.1", "port": port, "timeout": 60 * PATIENCE}
        self.connection = (http.client.HTTPSConnection(**where, context=pair.context()) if pair else
                           http.client.HTTPConnection(**where))

    def request(self, method, path, body=None, headers=None):
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        self.connection.request(method, path, data, headers or {})
        response = self.connection.getresponse()
        answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        api_check.check(method, path, answer)
        return answer

    def close(self):
        self.connection.close()


class DaemonTest(unittest.TestCase):
    """A test class with one daemon for all its tests, each of which uses a model named after itself."""

    daemon_args = ()
    pair = None  # the certificate of a daemon that serves TLS
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(*cls.daemon_args, pair=cls.pair)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    @property
    def model(self):
        return self._testMethodName

    def path(self, layer="bn", *rest):
        return "/".join(("/v1/models", self.model, "layers", layer, *rest))

    def call(self, method, path, body=None, headers=None, status=None, args=()):
        """A request whose status must be `status`, or without one any status that is not an error."""
        answer = self.daemon.curl(method, path, body, headers, args)
        if status is None:
            self.assertLess(answer.status, 400, answer)
        else:
            self.assertEqual(answer.status, status, answer)
        if answer.status >= 400:
            self.assertEqual(answer.headers["content-type"], "application/problem+json")
            self.assertEqual(answer.json["status"], status)
            for member in ("type", "title", "detail", "code"):
                self.assertTrue(answer.json[member])
        return answer

    def refused(self, code, status, method, path, body=None, headers=None, args=()):
        """A request that must be refused with this code."""
        answer = self.call(method, path, body, headers, status, args)
        self.assertEqual(answer.code, code, answer)
        return answer

    def put_layer(self, layer="bn", definition=None, status=201):
        return self.call("PUT", self.path(layer), definition or {"kind": "batch_norm"}, status=status)

    def assertClose(self, actual, expected, rtol=1e-12, atol=0.0):
        self.assertEqual(len(actual), len(expected))
        for i, (a, b) in enumerate(zip(actual, expected)):
            self.assertLessEqual(abs(a - b), atol + rtol * abs(b), f"[{i}]: {a!r} is not {b!r}")


class ClientTest(DaemonTest):
    """With a kept connection."""

    def setUp(self):
        self.client = self.daemon.client()
        self.addCleanup(self.client.close)

    def ask(self, method, path, body=None, headers=None, status=200):
        """As call(), on that connection."""
        answer = self.client.request(method, path, body, headers)
        self.assertEqual(answer.status, status, answer)
        return answer
