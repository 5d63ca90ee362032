# SPDX-License-Identifier: MIT
"""Clients that are slow, stop, or never read: each is cut within its time, gives back what it held,
and holds up nobody else."""

import json
import select
import socket
import struct
import threading
import time
import unittest

from normd import PATIENCE, DaemonTest, wait_for

ALONE = True  # it measures when clients are cut off

TIMEOUT_S = 1
# The timeout, two looks of the watching thread (a quarter of it each), and room for a machine that is busy.
CUT_WITHIN_S = 2.5 * PATIENCE
SMALL = json.dumps({"kind": "layer_norm", "normalized_shape": [4], "data": [[1, 2, 3, 4]]})
MB = 1 << 20
# A sanitizer keeps what is freed.
MEMORY_IS_MEASURED = PATIENCE == 1


def head(length=None, extra=b"", path=b"/v1/normalize"):
    framing = b"Transfer-Encoding: chunked\r\n" if length is None else b"Content-Length: %d\r\n" % length
    return b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + framing + extra + b"\r\n"


def numbers(count):
    """A body of `count` numbers, of which the answer is about as large."""
    row = ",".join(["1.25", "-2.5", "3.75", "0.5"] * 25)
    return ('{"kind":"layer_norm","normalized_shape":[100],"data":[' + ",".join(["[" + row + "]"] * (count // 100)) +
            "]}").encode()


def is_closed(s):
    """Whether the server closed the connection; reads what it sent before."""
    readable = select.poll()
    readable.register(s, select.POLLIN)
    try:
        while readable.poll(0):
            if not s.recv(65536):
                return True
    except OSError:
        return True
    return False


def poke(s, piece):
    """Sends `piece`; False when the server has hung up."""
    try:
        s.sendall(piece)
    except OSError:
        return False
    return not is_closed(s)


class Slow(DaemonTest):
    daemon_args = ("--client-timeout", str(TIMEOUT_S), "--threads", "2")

    def connect(self, receive_buffer=None):
        s = self.daemon.connect(receive_buffer=receive_buffer)
        self.addCleanup(s.close)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def drip(self, s, start, piece, interval_s=0.2, for_s=30 * PATIENCE):
        """Sends `start`, then `piece` again and again until the server hangs up; after how many seconds it did,
        or None."""
        began = time.monotonic()
        s.sendall(start)
        while time.monotonic() - began < for_s:
            if not poke(s, piece):
                return time.monotonic() - began
            time.sleep(interval_s)
        return None

    def assert_cut(self, after_s):
        self.assertIsNotNone(after_s, "it was never cut")
        self.assertGreaterEqual(after_s, TIMEOUT_S)
        self.assertLess(after_s, CUT_WITHIN_S)

    def logged(self, wanted, count=1):
        """Waits until `count` lines of the log have what `wanted` has."""
        def lines():
            found = [line for line in self.daemon.log_lines() if wanted.items() <= line.items()]
            return found if len(found) >= count else None

        return wait_for(lines, lambda: f"{count} lines with {wanted} in {self.daemon.log()[-3000:]}", pause_s=0.05)

    def descriptors(self):
        return self.daemon.descriptors()

    def resident(self):
        return self.daemon.memory("VmRSS")

    def settles(self, measure, bound, within_s=10 * PATIENCE):
        """Waits until what is measured is at most `bound`."""
        wait_for(lambda: measure() <= bound, lambda: f"{measure()} is at most {bound}", within_s)


class SlowClients(Slow):
    def test_a_dripping_head_is_cut(self):
        for start in (b"", b"GET /v2/he", b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\nX-A: "):
            with self.subTest(start=start):
                self.assert_cut(self.drip(self.connect(), start, b"a"))
        self.logged({"message": "timeout", "phase": "head", "client": "127.0.0.1"}, 2)
        self.logged({"message": "request", "target": "/v2/health/live", "status": 0, "aborted": "timeout"})

    def test_a_dripping_head_after_a_request_is_cut(self):
        s = self.connect()
        s.sendall(head(len(SMALL)) + SMALL.encode())
        self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200 "))
        time.sleep(TIMEOUT_S)
        self.assert_cut(self.drip(s, b"", b"G"))

    def test_a_dripping_body_is_cut(self):
        marks = {b"length": (head(10 * MB, b"X-Request-Id: slow-length\r\n") + b'{"data":[', b"1"),
                 b"chunked": (head(None, b"X-Request-Id: slow-chunked\r\n"), b"1\r\n \r\n"),
                 b"refused": (head(10 * MB, b"X-Request-Id: slow-refused\r\n", b"/v1/none"), b"1")}
        for name, (start, piece) in marks.items():
            with self.subTest(name):
                self.assert_cut(self.drip(self.connect(), start, piece))
                line = self.logged({"message": "request", "request_id": "slow-" + name.decode()})[0]
                self.assertEqual((line["aborted"], line["status"]), ("timeout", 0))

    def test_a_quick_start_does_not_buy_a_stall(self):
        body = numbers(2_000_000)
        after_s = self.drip(self.connect(), head(2 * len(body)) + body, b" ")
        self.assertIsNotNone(after_s, "it was never cut")
        self.assertLess(after_s, 10 * PATIENCE)

    def test_a_steady_body_is_not_cut(self):
        s = self.connect()
        body = numbers(60_000)
        s.sendall(head(len(body)))
        began = time.monotonic()
        step = 10_000
        for at in range(0, len(body), step):
            s.sendall(body[at:at + step])
            time.sleep(0.1)
        self.assertGreater(time.monotonic() - began, 2 * TIMEOUT_S)
        self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200 "))

    def test_idle_connections_are_not_cut(self):
        silent = self.connect()
        used = self.daemon.client()
        self.assertEqual(used.request("POST", "/v1/normalize", SMALL).status, 200)
        time.sleep(3 * TIMEOUT_S)
        self.assertFalse(is_closed(silent))
        port = used.connection.sock.getsockname()
        self.assertEqual(used.request("POST", "/v1/normalize", SMALL).status, 200)
        self.assertEqual(used.connection.sock.getsockname(), port, "on the same connection")
        silent.sendall(head(len(SMALL)) + SMALL.encode())
        self.assertTrue(silent.recv(65536).startswith(b"HTTP/1.1 200 "))
        used.close()

    def ask(self, body, receive_buffer, extra=b""):
        """A request whose answer was not yet read."""
        s = self.connect(receive_buffer)
        s.sendall(head(len(body), extra) + body)
        return s

    def test_who_never_reads_an_answer_is_cut(self):
        body = numbers(2_000_000)
        sockets = [self.ask(body, 4096, b"X-Request-Id: deaf-%d\r\n" % i) for i in range(3)]
        for i in range(len(sockets)):
            line = self.logged({"message": "request", "request_id": f"deaf-{i}"})[0]
            self.assertEqual((line["status"], line["aborted"]), (200, "timeout"))
        for s in sockets:
            with self.assertRaises(OSError):
                while s.recv(MB):
                    pass

    def test_who_never_reads_answers_that_the_socket_holds_is_cut(self):
        """Each of these answers is complete once the socket has it, although no client reads it."""
        s = self.connect(4096)
        body = numbers(4000)
        one = head(len(body)) + body
        for _ in range(8):
            s.sendall(one)
        self.logged({"message": "timeout", "phase": "answer"})

    def test_who_reads_slowly_gets_the_whole_answer(self):
        s = self.ask(numbers(300_000), 65536)
        answer = b""
        began = time.monotonic()
        while not answer.endswith(b"\r\n0\r\n\r\n"):
            piece = s.recv(20_000)
            self.assertTrue(piece, "it was cut")
            answer += piece
            if time.monotonic() - began < 4 * TIMEOUT_S:
                time.sleep(0.1)
        self.assertGreater(time.monotonic() - began, 3 * TIMEOUT_S)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "))

    def test_many_at_once_are_all_cut(self):
        before = self.descriptors()
        kinds = ((b"", b"a"), (head(MB), b"1"), (head(None), b"1\r\n \r\n"), (b"GET / HTTP/1.1\r\nX: ", b"y"))
        left = []
        for start, piece in kinds * 50:
            left.append((self.connect(), piece))
            left[-1][0].sendall(start)
        began = time.monotonic()
        while left and time.monotonic() - began < 20 * PATIENCE:
            time.sleep(0.2)
            left = [(s, piece) for s, piece in left if poke(s, piece)]
        self.assertEqual(len(left), 0)
        self.assertLess(time.monotonic() - began, CUT_WITHIN_S + PATIENCE)
        self.settles(self.descriptors, before)

    def test_others_are_served_meanwhile(self):
        stop = threading.Event()

        def torment():
            body = numbers(1_000_000)
            while not stop.is_set():
                with self.daemon.connect() as s:
                    s.sendall(head(2 * len(body)) + body[:MB])
                    stop.wait(0.05)

        drippers = [self.connect() for _ in range(50)]
        thread = threading.Thread(target=torment)
        thread.start()
        try:
            client, times = self.daemon.client(), []
            end = time.monotonic() + 2 * TIMEOUT_S
            while time.monotonic() < end:
                for s in drippers[::10]:
                    poke(s, b"a")
                began = time.monotonic()
                self.assertEqual(client.request("POST", "/v1/normalize", SMALL).status, 200)
                times.append(time.monotonic() - began)
                time.sleep(0.005)
        finally:
            stop.set()
            thread.join()
        client.close()
        self.assertLess(sorted(times)[len(times) // 2], 0.05 * PATIENCE)
        self.assertLess(max(times), 1.0 * PATIENCE)

    def test_only_the_late_are_cut(self):
        """Quick clients come and go on the descriptors of those that are cut; none of theirs is ever shut down."""
        stop = threading.Event()
        failures, served = [], []

        def quick():
            while not stop.is_set():
                try:
                    client = self.daemon.client()
                    served.append(client.request("POST", "/v1/normalize", SMALL).status)
                    client.close()
                except OSError as e:
                    failures.append(e)

        threads = [threading.Thread(target=quick) for _ in range(4)]
        for thread in threads:
            thread.start()
        late = 0
        end = time.monotonic() + 4 * TIMEOUT_S * PATIENCE
        drippers = []
        while time.monotonic() < end:
            left = [s for s in drippers if poke(s, b"a")]
            late += len(drippers) - len(left)
            drippers = left + [self.connect() for _ in range(60 - len(left))]
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(served), {200})
        self.assertGreater(late, 60, "each of the first, and more")


class SlowClientsMemory(Slow):
    """What a client made the daemon hold is given back when it goes, or when it is cut."""

    daemon_args = (*Slow.daemon_args, "--max-body", "128MiB")
    ROUNDS, CLIENTS = (3, 6) if MEMORY_IS_MEASURED else (1, 2)
    # Each event loop may keep twice 4 MiB of what was freed, for the next request (server/main.c).
    KEPT = 32 * MB

    def rounds(self, make_client, count, logged):
        """Clients at once, in rounds; after each the daemon must come back to what it was."""
        self.daemon.client().request("POST", "/v1/normalize", SMALL)
        self.settles(self.descriptors, self.descriptors())
        before, descriptors = self.resident(), self.descriptors()
        for done in range(1, self.ROUNDS + 1):
            clients = [threading.Thread(target=make_client) for _ in range(count)]
            for client in clients:
                client.start()
            peak = before
            while any(client.is_alive() for client in clients):
                peak = max(peak, self.resident())
                time.sleep(0.01)
            self.logged(logged, done * count)
            self.settles(self.descriptors, descriptors)
            if MEMORY_IS_MEASURED:
                self.assertGreater(peak, before + 2 * self.KEPT, "it held something meanwhile")
                self.settles(self.resident, before + self.KEPT)

    def test_clients_that_hang_up_in_the_middle(self):
        body = numbers(5_000_000)

        def hang_up():
            with self.daemon.connect() as s:
                s.sendall(head(2 * len(body), b"X-Request-Id: gone\r\n") + body)
                time.sleep(0.5)

        self.rounds(hang_up, self.CLIENTS, {"request_id": "gone", "status": 0})

    def test_clients_that_never_read(self):
        body = numbers(5_000_000)

        def never_read():
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                s.connect(("127.0.0.1", self.daemon.port))
                s.sendall(head(len(body), b"X-Request-Id: deaf\r\n") + body)
                poll = select.poll()
                poll.register(s, 0)
                poll.poll(60_000 * PATIENCE)  # until it is reset

        self.rounds(never_read, self.CLIENTS, {"request_id": "deaf", "status": 200, "aborted": "timeout"})


class SlowClientsTraining(Slow):
    """The store has the request, its connection is suspended, and just then the client goes or is cut."""

    def setUp(self):
        self.put_layer()
        self.body = b'{"data":[[1,20],[3,40],[5,60]]}'
        self.start = head(len(self.body), path=self.path("bn", "train").encode()) + self.body[:-1]

    def updates(self):
        return self.call("GET", self.path("bn", "statistics")).json["num_batches_tracked"]

    def test_cut_while_the_store_works(self):
        """The last byte comes about when the time is up: before, while and after the socket is shut down."""
        count, answered = 300, 0
        clients = [self.connect() for _ in range(count)]
        began = time.monotonic()
        for s in clients:
            s.sendall(self.start)
        for i, s in enumerate(clients):
            time.sleep(max(0.0, began + 0.8 * TIMEOUT_S + i * 0.8 * TIMEOUT_S / count - time.monotonic()))
            try:
                s.sendall(self.body[-1:])
            except OSError:
                pass
        for s in clients:
            try:
                answered += s.recv(65536).startswith(b"HTTP/1.1 200 ")
            except OSError:
                pass
        self.assertGreaterEqual(self.updates(), answered)
        self.assertLessEqual(self.updates(), count)
        self.assertGreater(answered, 0)
        self.assertLess(answered, count)

    def test_gone_while_the_store_works(self):
        before = self.descriptors()
        client, kept = self.daemon.client(), 0
        for i in range(400):
            with self.daemon.connect() as s:
                s.sendall(self.start + self.body[-1:])
                if i % 2 == 0:  # a reset rather than an end
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if i % 10 == 0:
                self.assertEqual(client.request("POST", self.path("bn", "train"), self.body).status, 200)
                kept += 1
        client.close()
        self.settles(self.descriptors, before)
        self.assertGreaterEqual(self.updates(), kept)


if __name__ == "__main__":
    unittest.main()
