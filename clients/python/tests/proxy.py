# SPDX-License-Identifier: MIT
"""A proxy that does to each request what a bad network or a bad gateway would, and servers that are worse."""

import contextlib
import random
import socket
import struct
import threading
import time

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def answer(status, body=b"", *headers):
    lines = (f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def read_message(file):
    """(head, body) of a request or an answer; None at the end of the connection."""
    head = b""
    length = 0
    while not head.endswith(b"\r\n\r\n"):
        line = file.readline()
        if not line:
            return None
        head += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = file.read(length)
    return (head, body) if len(body) == length else None


def reset(sock):
    """Closes with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Listener:
    """Serves each connection by ``serve(sock)``, in a thread of its own."""

    def __init__(self, test):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets = set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        test.addCleanup(self.close)

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._sockets.add(sock)
                self._threads.append(threading.Thread(target=self._run, args=(sock,)))
            self._threads[-1].start()

    def _run(self, sock):
        with contextlib.suppress(OSError):
            self.serve(sock)
        with self._lock:
            self._sockets.discard(sock)
            sock.close()

    def close(self):
        with self._lock:
            for sock in (self._listener, *self._sockets):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def serve(self, sock):
        raise NotImplementedError


class Stubborn(Listener):
    """Calls ``script(sock, head, body)`` for each request; what it returns is the answer, unless it is None."""

    def __init__(self, test, script):
        self.requests = []
        self._script = script
        super().__init__(test)

    def serve(self, sock):
        with sock.makefile("rb") as file:
            while message := read_message(file):
                self.requests.append(message[0].split(b"\r\n")[0].decode())
                text = self._script(sock, *message)
                if text is None:
                    return
                sock.sendall(text)


def hang(sock):
    """Until the client has closed the connection."""
    while sock.recv(1 << 16):
        pass


def trickle(sock, text, pause_s):
    for i in range(len(text)):
        sock.sendall(text[i:i + 1])
        time.sleep(pause_s)


class Proxy(Listener):
    """
    Passes requests on to a daemon. What becomes of a request, ``faults`` says: a function of no arguments, or ``play``
    with a seed. ``on_cut`` is called whenever an answer has been cut.
    """

    FAULTS = ("drop", "drop_request", "cut_request", "lose_answer", "cut_head", "cut_answer", "delay", "twice",
              "twice_at_once", "bad_gateway", "bad_gateway_after", "busy")

    def __init__(self, test, port, faults):
        self._port = port
        self._faults = faults
        self._turn = threading.Lock()
        self.met = {}
        self.passed_bytes = 0
        self.on_cut = lambda: None
        super().__init__(test)

    @staticmethod
    def play(seed, faults=FAULTS, share=0.5):
        """Faults in an order that the seed decides, for this share of the requests."""
        chance = random.Random(seed)
        return lambda: chance.choice(faults) if chance.random() < share else "pass"

    def serve(self, sock):
        with sock.makefile("rb") as file:
            while message := read_message(file):
                with self._turn:
                    fault = self._faults()
                    self.met[fault] = self.met.get(fault, 0) + 1
                if not getattr(self, "_" + fault)(sock, message):
                    return

    def _ask(self, *messages):
        """The answers to requests on a connection of their own."""
        with socket.create_connection(("127.0.0.1", self._port)) as server, server.makefile("rb") as file:
            for message in messages:
                server.sendall(b"".join(message))
            texts = [b"".join(read_message(file) or (b"",)) for _ in messages]
        self.passed_bytes += sum(map(len, texts))
        return texts

    # Each does something to a request, and returns whether the connection lives on.

    def _pass(self, sock, message):
        text, = self._ask(message)
        sock.sendall(text)
        return bool(text)

    def _drop(self, sock, message):
        return False

    def _drop_request(self, sock, message):
        reset(sock)
        return False

    def _cut_request(self, sock, message):
        with socket.create_connection(("127.0.0.1", self._port)) as server:
            text = b"".join(message)
            server.sendall(text[:len(text) // 2])
        return False

    def _lose_answer(self, sock, message):
        self._ask(message)
        reset(sock)
        return False

    def _cut_head(self, sock, message):
        sock.sendall(self._ask(message)[0][:20])
        return False

    def _cut_answer(self, sock, message):
        text, = self._ask(message)
        sock.sendall(text[:len(text) * 2 // 3])
        self.on_cut()
        return False

    def _delay(self, sock, message):
        time.sleep(0.02)
        return self._pass(sock, message)

    def _twice(self, sock, message):
        sock.sendall(self._ask(message, message)[0])
        return True

    def _twice_at_once(self, sock, message):
        def ask():
            with contextlib.suppress(OSError):
                self._ask(message)
        other = threading.Thread(target=ask)
        other.start()
        try:
            return self._pass(sock, message)
        finally:
            other.join()

    def _bad_gateway(self, sock, message):
        sock.sendall(answer("502 Bad Gateway", HTML))
        return True

    def _bad_gateway_after(self, sock, message):
        self._ask(message)
        return self._bad_gateway(sock, message)

    def _busy(self, sock, message):
        sock.sendall(answer("503 Service Unavailable", b"", "Retry-After: 0"))
        return True
