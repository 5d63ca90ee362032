# SPDX-License-Identifier: MIT
"""What competes in the benchmarks over HTTP: normd, the peer, the echo.
Each is a process group of its own on a free port."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
THREADS = 2  # event loops of normd and of the echo, workers of the peer
START_S = 60
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """The benchmark cannot go on; the text says why."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Contestant:
    name = ""

    def __init__(self, directory):
        self.directory = os.path.join(directory, self.name)
        os.mkdir(self.directory)
        self.process = None
        self.port = 0

    def spawn(self, command, **options):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stderr=log, start_new_session=True, **options)

    @property
    def log_path(self):
        return os.path.join(self.directory, "log")

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()[-4000:]

    def wait_for(self, ready):
        deadline = time.monotonic() + START_S
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"{self.name} did not start:\n{self.log()}")
            time.sleep(0.02)

    def request(self, method, path, body=None, content_type="application/json"):
        """(status, body) of one request on a connection of its own."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def head(self, path):
        """The headers of a GET's answer."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("HEAD", path)
            return connection.getresponse().headers

    def processor_s(self):
        """The processor time that the group's processes have used: workers are their own processes."""
        ticks = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    fields = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self.process.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks * TICK_S

    def settle(self):
        """Waits until no processor time is used any more:
        requests that wrk left behind would run into the next one's turn."""
        deadline = time.monotonic() + START_S
        used, quiet = -1, 0
        while quiet < 2 and time.monotonic() < deadline:
            time.sleep(5 * TICK_S)
            before, used = used, self.processor_s()
            quiet = quiet + 1 if used == before else 0

    def stop(self):
        """SIGTERM, and SIGKILL for what is still there: nothing of the group survives."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


class Normd(Contestant):
    name = "normd"
    log_level = "warn"
    options = ()

    @property
    def store_path(self):
        return os.path.join(self.directory, "store.db")

    def start(self, build):
        port_file = os.path.join(self.directory, "port")
        self.spawn([os.path.join(build, "normd"), "--listen", "127.0.0.1:0", "--port-file", port_file, "--threads",
                    str(THREADS), "--store", "sqlite:" + self.store_path, "--log-level", self.log_level,
                    *self.options])
        self.wait_for(lambda: os.path.exists(port_file))
        with open(port_file) as f:
            self.port = int(f.read())


class Peer(Contestant):
    name = "peer"

    def start(self, build):
        del build
        self.port = free_port()
        environment = {**os.environ, "PEER_STORE": os.path.join(self.directory, "store.db"),
                       "PYTHONDONTWRITEBYTECODE": "1"}
        self.spawn(["/usr/bin/python3", "-m", "uvicorn", "service:app", "--host", "127.0.0.1", "--port", str(self.port),
                    "--workers", str(THREADS), "--loop", "uvloop", "--http", "httptools", "--no-access-log"],
                   cwd=os.path.join(HERE, "peer"), env=environment)
        self.wait_for(lambda: self.log().count("Application startup complete") == THREADS)


class Echo(Contestant):
    name = "echo"

    def start(self, build):
        self.spawn([os.path.join(build, "bench", "echo"), str(THREADS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"echo did not start:\n{self.log()}")
        self.port = int(line)
