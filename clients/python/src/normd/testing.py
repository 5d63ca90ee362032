# SPDX-License-Identifier: MIT
"""A normd of one's own, for tests and examples: on a port that the system picks, with a store that goes with it.

    with normd.testing.Daemon() as daemon:
        client = normd.Client(daemon.url)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from types import TracebackType
from typing import Optional

from .errors import Error

_START_S = 30
_STOP_S = 60


class Daemon:
    """A running daemon. ``program`` is the path of normd: by default that in the environment variable ``NORMD``, else
    ``normd``, which is looked for in ``PATH``. ``options`` are more arguments, such as ``"--max-body", "1GiB"``.

    After ``kill`` or ``stop``, ``start`` starts it again on the same port, with the same store.
    """

    def __init__(self, *options: str, program: str | None = None) -> None:
        self._program = program or os.environ.get("NORMD") or "normd"
        self._options = options
        self._directory = tempfile.mkdtemp(prefix="normd-python-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The daemon's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> str:
        """The path of the store's file."""
        return os.path.join(self._directory, "normd.db")

    def log(self) -> str:
        """What the daemon has logged."""
        with open(os.path.join(self._directory, "log"), errors="replace") as file:
            return file.read()

    def start(self) -> None:
        """Starts the daemon, and returns when it listens."""
        port_file = os.path.join(self._directory, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        with open(os.path.join(self._directory, "log"), "ab") as log:
            command = [self._program, "--listen", f"127.0.0.1:{self.port}", "--port-file", port_file, "--store",
                       "sqlite:" + self.store, *self._options]
            try:
                self._process = subprocess.Popen(command, stderr=log)
            except OSError as error:
                raise Error(f"{self._program} cannot be started: {error.strerror}. The environment variable NORMD "
                            f"names the program") from error
        deadline = time.monotonic() + _START_S
        while not os.path.exists(port_file):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise Error(f"{self._program} did not start:\n{self.log()[-2000:]}")
            time.sleep(0.005)
        with open(port_file) as file:
            self.port = int(file.read())

    def kill(self) -> None:
        """Ends the daemon at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Lets the daemon finish what it has begun. Fails if it does not end well."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            code = process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Error(f"normd did not stop within {_STOP_S} s:\n{self.log()[-2000:]}") from None
        if code != 0:
            raise Error(f"normd exited with {code}:\n{self.log()[-2000:]}")

    def close(self) -> None:
        """Stops the daemon, and removes its store."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self._directory, ignore_errors=True)
