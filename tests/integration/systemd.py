# SPDX-License-Identifier: MIT
"""systemd as a daemon sees it: the socket that it reports to, its watchdog, and listening sockets that it passes."""

import os
import socket
import subprocess
import tempfile
import time

from normd import PATIENCE, Daemon


class Manager:
    """The socket NOTIFY_SOCKET. `messages` are those that were read, each a dict of its lines."""

    def __init__(self, abstract=False):
        self.directory = tempfile.TemporaryDirectory(prefix="normd-test-")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.name = os.path.join(self.directory.name, "notify")
        self.socket.bind("\0" + self.name if abstract else self.name)
        self.env = {"NOTIFY_SOCKET": "@" + self.name if abstract else self.name}
        self.messages = []

    def next(self, within_s=30 * PATIENCE):
        """The next message; None where none comes in time."""
        self.socket.settimeout(within_s)
        try:
            message = self.socket.recv(65536).decode()
        except TimeoutError:
            return None
        self.messages.append(dict(line.split("=", 1) for line in message.splitlines()))
        return self.messages[-1]

    def until(self, name, value):
        """Reads up to a message that has this line, and returns all that were read."""
        read = []
        deadline = time.monotonic() + 30 * PATIENCE
        while not read or value not in read[-1].get(name, ""):
            message = self.next()
            if message is None or time.monotonic() > deadline:
                raise AssertionError(f"{name}={value} was never told: {self.messages[-20:]}")
            read.append(message)
        return read

    def rest(self):
        """What is there and was not read."""
        read = []
        while (message := self.next(0.001)) is not None:
            read.append(message)
        return read

    def close(self):
        self.socket.close()
        self.directory.cleanup()


class Managed(Daemon):
    """A daemon that reports to a manager. `watchdog_s` asks for its proof of life."""

    def __init__(self, *args, watchdog_s=None, env=None, abstract=False, program=None, start=True):
        self.manager = Manager(abstract)
        if program is not None:
            self.program = program
        watchdog = {} if watchdog_s is None else {"WATCHDOG_USEC": str(int(watchdog_s * 1e6))}
        super().__init__(*args, env={**self.manager.env, **watchdog, **(env or {})}, start=start)

    def close(self):
        try:
            super().close()
        finally:
            self.manager.close()


def listening(host="127.0.0.1", family=socket.AF_INET, kind=socket.SOCK_STREAM):
    """A socket as a .socket unit makes it, which blocks; of TCP it listens."""
    s = socket.socket(family, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, 0))
    if kind == socket.SOCK_STREAM:
        s.listen(4096)
    return s


class Activated(Managed):
    """A daemon that is passed sockets, which stay open here when it stops."""

    def __init__(self, *args, sockets=(), listen=None, variables=None, **options):
        self.sockets = sockets
        self.listen = listen
        self.variables = {"LISTEN_PID": "$$", "LISTEN_FDS": str(len(sockets)),
                          "LISTEN_FDNAMES": ":".join(["normd.socket"] * len(sockets)), **(variables or {})}
        super().__init__(*args, **options)

    def command(self):
        """Through a shell that becomes the daemon: only the process itself knows LISTEN_PID."""
        name, _, _, *rest = super().command()
        listen = [] if self.listen is None else ["--listen", self.listen]
        passed = "".join(f" {3 + i}<&{s.fileno()}" for i, s in enumerate(self.sockets))
        variables = " ".join(f"{name}={value}" for name, value in self.variables.items())
        return ["bash", "-c", f'{variables} exec "$@"{passed}', "bash", name, *listen, *rest]

    def spawn(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stderr=log, env={**os.environ, **(self.env or {})},
                                            pass_fds=[s.fileno() for s in self.sockets])

    def start(self):
        """Its port is known before. The port file stays, for clients that look there while it is started again."""
        self.spawn()
        self.manager.until("READY", "1")
        with open(self.port_file) as f:
            self.port = int(f.read())
