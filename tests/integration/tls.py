# SPDX-License-Identifier: MIT
"""TLS in tests: certificates made by openssl, and a client that behaves like a socket, also where it half closes."""

import atexit
import functools
import os
import shutil
import socket
import ssl
import subprocess
import tempfile

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
KEYS = {"ec": ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"), "rsa": ("rsa:2048",), "weak rsa": ("rsa:1024",),
        "weak ec": ("ec", "-pkeyopt", "ec_paramgen_curve:prime192v1"), "ed25519": ("ed25519",)}


def openssl(*args, check=True, **kwargs):
    return subprocess.run(["openssl", *args], check=check, capture_output=True, text=True, **kwargs)


class Pair:
    """A certificate and its key, as files; `issuer` is another pair, or this one."""

    def __init__(self, directory, name, key="ec", days=90, issuer=None, subject="localhost", ca=False):
        self.cert, self.key = (os.path.join(directory, name + end) for end in (".crt", ".key"))
        request = os.path.join(directory, name + ".csr")
        openssl("req", "-new", "-newkey", *KEYS[key], "-nodes", "-keyout", self.key, "-subj", f"/CN={subject}",
                "-out", request)
        os.chmod(self.key, 0o600)
        signer = ("-CA", issuer.cert, "-CAkey", issuer.key, "-CAcreateserial") if issuer else ("-key", self.key)
        extensions = "basicConstraints=critical,CA:TRUE" if ca else NAMES
        for valid in self.validity(days):
            made = openssl("x509", "-req", "-in", request, *signer, *valid, "-out", self.cert, "-extfile", "-",
                           check=False, input=extensions)
            if made.returncode == 0:
                return
        raise AssertionError(made.stderr)

    @staticmethod
    def validity(days):
        """The options, of which openssl takes one: before version 3.4 a negative number of days, since then dates."""
        yield "-days", str(days)
        if days < 0:
            yield "-not_before", "20250101000000Z", "-not_after", "20250201000000Z"

    def options(self):
        return "--tls-cert", self.cert, "--tls-key", self.key

    def read(self):
        with open(self.cert) as f:
            return f.read()

    def context(self, **versions):
        """For a client that trusts this certificate."""
        context = ssl.create_default_context(cafile=self.cert)
        for name, value in versions.items():
            setattr(context, name, value)
        return context


@functools.cache
def shared():
    """One for all tests of this process that want any."""
    directory = tempfile.mkdtemp(prefix="normd-tls-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Pair(directory, "shared")


class TlsSocket:
    """
    A socket's methods over TLS. Unlike ssl.SSLSocket it can end its side and still read, and says what comes when: each
    sendall is one record, or several if they are to be smaller.
    """

    def __init__(self, raw, context, record_bytes=16384):
        self.raw, self.record_bytes = raw, record_bytes
        self.cut = False  # the server ended the connection without a close-notify
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.until(self.object.do_handshake)

    def flush(self, flags=0):
        if self.outgoing.pending:
            self.raw.sendall(self.outgoing.read(), flags)

    def until(self, step, *args):
        """The step's result, once enough has come; b"" where the server ended the connection before."""
        while True:
            try:
                result = step(*args)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                if not (piece := self.raw.recv(65536)):
                    self.cut = True
                    return b""
                self.incoming.write(piece)

    def recv(self, size):
        """Of one record at least, and of those that came with it, as a socket does with packets."""
        data = b""
        try:
            data = piece = self.until(self.object.read, size)
            while piece and len(data) < size:
                data += (piece := self.object.read(size - len(data)))
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return data

    def sendall(self, data, flags=0):
        for at in range(0, len(data), self.record_bytes):
            self.object.write(data[at:at + self.record_bytes])
        self.flush(flags)

    def shutdown(self, how):
        """A close-notify, and unless `how` is None the end of the socket's side."""
        try:
            self.object.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()
        if how is not None:
            self.raw.shutdown(how)

    def __getattr__(self, name):
        return getattr(self.raw, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.raw.close()


def connect(address, context=None, receive_buffer=None, timeout=None, **kwargs):
    """A connected socket; over TLS with a context."""
    raw = socket.socket(socket.AF_INET)
    try:
        if receive_buffer is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(timeout)
        raw.connect(address)
        return raw if context is None else TlsSocket(raw, context, **kwargs)
    except BaseException:
        raw.close()
        raise
