# SPDX-License-Identifier: MIT
"""
What a connection is at, times what its client does then: hang up, reset, end its own side, stop, send a part of the
next request, or all of it. In each case the client has the answers that it is owed, and the connection is gone within
the client timeout.
"""

import http.client
import io
import json
import select
import socket
import struct
import time
import unittest
from functools import partial

from normd import PATIENCE, Daemon, DaemonTest, LateStore, at_once, wait_for
from test_connections import Limited

TIMEOUT_S = 1
# The timeout, two looks of the watching thread (a quarter of it each), and room for a machine that is busy.
GONE_WITHIN_S = 2.5 * PATIENCE
# How many of each case run at once: some then meet what is lost only when two things come together.
CLIENTS = 10
MORE = socket.MSG_MORE  # kept back, to leave in one packet with what follows: more bytes, or the end
SMALL = json.dumps({"kind": "layer_norm", "normalized_shape": [4], "data": [[1, 2, 3, 4]]}).encode()
BATCH = b'{"data":[[1,20],[3,40],[5,60]]}'
PART = b"GET /v2/health/li"


def post(path, body, extra=b""):
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % (path.encode(), len(body))
    return head + extra + b"\r\n" + body


def chunked(path, body):
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" % path.encode()
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


GET = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
NORMALIZE = post("/v1/normalize", SMALL)


def large(count):
    """A body whose answer is some 2.4 bytes a number, as the body is."""
    row = b"[" + b",".join([b"1.25", b"-2.5", b"3.75", b"0.5"] * 25) + b"]"
    return b'{"kind":"layer_norm","normalized_shape":[100],"data":[' + b",".join([row] * (count // 100)) + b"]}"


class Told(io.BytesIO):
    """What a server sent, as the socket that http.client takes its answers from."""

    def makefile(self, mode):
        return self

    def close(self):
        pass


def read_to_end(s, within_s=30 * PATIENCE):
    """All bytes until the server ends the connection or is silent for this long, and whether it ended."""
    told = b""
    s.settimeout(within_s)
    try:
        while piece := s.recv(1 << 20):
            told += piece
    except ConnectionResetError:
        pass
    except TimeoutError:
        return told, False
    return told, True


def statuses(told):
    """The answers' status codes, where each has its whole body; "torn" for one that has not."""
    found, text = [], Told(told)
    while text.tell() < len(told):
        answer = http.client.HTTPResponse(text)
        try:
            answer.begin()
            answer.read()
        except (http.client.HTTPException, ValueError):
            return [*found, "torn"]
        found.append(answer.status)
    return found


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class Watched(DaemonTest):
    daemon_args = ("--client-timeout", str(TIMEOUT_S), "--threads", "2")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.before = cls.daemon.descriptors_at_rest()

    def setUp(self):
        self.put_layer()
        self.train = self.path("bn", "train")
        self.assert_gone()

    def connect(self):
        s = self.daemon.connect()
        self.addCleanup(s.close)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def assert_gone(self, within_s=GONE_WITHIN_S):
        wait_for(lambda: self.daemon.descriptors() <= self.before,
                 lambda: f"the last {self.daemon.descriptors() - self.before} are gone", within_s)

    def assert_answered(self, clients, count):
        """Each has this many whole answers, and then the end."""
        for told, ended in at_once([partial(read_to_end, s) for s in clients]):
            self.assertEqual((len(statuses(told)), ended), (count, True), told[-300:])
            self.assertNotIn("torn", statuses(told))


class HangUps(Watched):
    # What is sent for a connection to be at this, and how many answers that owes.
    def begun(self):
        return {
            "idle": (b"", 0),
            "a part of a head": (b"POST /v1/normalize HTTP/1.1\r\nHost: loc", 0),
            "a head": (NORMALIZE[:-len(SMALL)], 0),
            "a part of a body": (NORMALIZE[:-1], 0),
            "a part of a chunk": (chunked("/v1/normalize", SMALL)[:-20], 0),
            "computed at once": (NORMALIZE, 1),
            "computed at once, in chunks": (chunked("/v1/normalize", SMALL), 1),
            "without a body": (GET, 1),
            "in the store": (post(self.train, BATCH), 1),
            "computed apart": (post("/v1/normalize", large(40_000)), 1),
            "refused": (post("/v1/normalize", b"{}"), 1),
        }

    def each(self, act):
        """`act` on clients at each of these states, on new connections and on such as have had an answer;
        all states at once."""
        def run(name, sent, owed, used):
            clients = [self.connect() for _ in range(CLIENTS)]
            for s in clients:
                if used:
                    s.sendall(NORMALIZE)
                    self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200 "))
            try:
                act(clients, sent, owed)
            except (AssertionError, OSError) as e:
                raise AssertionError(f"{name}, {'used' if used else 'new'}: {e}") from e
            for s in clients:
                s.close()

        at_once([partial(run, name, *begun, used) for name, begun in self.begun().items() for used in (False, True)])
        self.assert_gone()

    def send(self, clients, sent, *more):
        for s in clients:
            pieces = [piece for piece in (sent, *more) if piece]
            for piece in pieces[:-1]:
                s.sendall(piece, MORE)
            if pieces:
                s.sendall(pieces[-1], MORE if len(sent) < 1000 else 0)

    def test_it_hangs_up(self):
        def act(clients, sent, owed):
            self.send(clients, sent)
            for s in clients:
                s.close()

        self.each(act)

    def test_it_hangs_up_in_the_next_head(self):
        def act(clients, sent, owed):
            self.send(clients, sent, PART if owed else b"")
            for s in clients:
                s.close()

        self.each(act)

    def test_it_resets(self):
        def act(clients, sent, owed):
            self.send(clients, sent)
            for s in clients:
                reset(s)

        self.each(act)

    def half_close(self, *more):
        def act(clients, sent, owed):
            self.send(clients, sent, *(more if owed else ()))
            for s in clients:
                s.shutdown(socket.SHUT_WR)
            self.assert_answered(clients, owed + (owed and more == (GET,)))

        self.each(act)

    def test_it_ends_its_side(self):
        self.half_close()

    def test_it_ends_its_side_in_the_next_head(self):
        self.half_close(PART)

    def test_it_ends_its_side_after_the_next_request(self):
        self.half_close(GET)

    def test_it_stops_in_the_next_head(self):
        """A part of the next head came with the request; it can be late like any other head."""
        def act(clients, sent, owed):
            if not owed:
                return
            self.send(clients, sent + PART)
            for s in clients:
                s.sendall(b"v")
            self.assert_answered(clients, 1)

        self.each(act)

    def test_it_stops(self):
        """An unfinished request is cut."""
        def act(clients, sent, owed):
            if owed or not sent:
                return
            self.send(clients, sent[:-1])
            for s in clients:
                s.sendall(sent[-1:])
            for told, ended in at_once([partial(read_to_end, s, GONE_WITHIN_S) for s in clients]):
                self.assertEqual((told, ended), (b"", True))

        self.each(act)

    def test_an_idle_connection_stays(self):
        """Nothing of the next request has come: this is not a late head, whatever the request before was."""
        clients = []
        for name, (sent, owed) in self.begun().items():
            for s in [self.connect() for _ in range(3 if owed and name != "refused" else 0)]:
                s.sendall(sent)
                told = s.recv(65536)
                while statuses(told) == ["torn"]:
                    told += s.recv(1 << 20)
                self.assertEqual(statuses(told), [200])
                clients.append((name, s))
        time.sleep(2.5 * TIMEOUT_S)
        for name, s in clients:
            s.sendall(GET)
            self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200 "), name)
            s.close()
        self.assert_gone()


class Waiting(Watched):
    """Calls that wait for another rank, for much longer than the client timeout."""

    def shard(self, step, rank, timeout_ms=3_600_000):
        sync = {"step": str(step), "rank": rank, "world_size": 2, "timeout_ms": timeout_ms}
        return post(self.train, json.dumps({"data": [[1, 20], [3, 40 + step]], "sync": sync}).encode())

    def waiting(self):
        """Clients that wait, each for a step of its own."""
        clients = [self.connect() for _ in range(CLIENTS)]
        for step, s in enumerate(clients):
            s.sendall(self.shard(step, 0))
        time.sleep(0.3 * PATIENCE)
        self.assertEqual(self.daemon.descriptors(), self.before + CLIENTS)
        return clients

    def second_ranks(self):
        """Sends the other ranks' calls; returns their answers."""
        clients = [self.connect() for _ in range(CLIENTS)]
        for step, s in enumerate(clients):
            s.sendall(self.shard(step, 1))
            s.shutdown(socket.SHUT_WR)
        return [statuses(read_to_end(s)[0]) for s in clients]

    def batches(self):
        return self.daemon.curl("GET", self.path("bn", "statistics")).json["num_batches_tracked"]

    def test_who_resets_is_noticed(self):
        for s in self.waiting():
            reset(s)
        self.assert_gone()
        self.assertEqual(self.second_ranks(), [[409]] * CLIENTS)  # who had come is not counted any more
        self.assertEqual(self.batches(), 0)

    def test_who_hangs_up_is_noticed(self):
        for s in self.waiting():
            s.close()
        self.assert_gone()

    def test_a_rank_that_comes_back_is_served(self):
        for s in self.waiting():
            reset(s)
        self.assert_gone()
        again = self.waiting()
        self.assertEqual(self.second_ranks(), [[200]] * CLIENTS)
        for s in again:
            s.shutdown(socket.SHUT_WR)
        self.assert_answered(again, 1)
        self.assertEqual(self.batches(), CLIENTS)

    def test_who_ends_its_side_has_its_answer(self):
        clients = self.waiting()
        for s in clients:
            s.shutdown(socket.SHUT_WR)
        time.sleep(TIMEOUT_S / 2)
        self.assertEqual(self.second_ranks(), [[200]] * CLIENTS)
        for told, _ in at_once([partial(read_to_end, s) for s in clients]):
            self.assertEqual(statuses(told), [200], told)
        self.assertEqual(self.batches(), CLIENTS)

    def test_who_ends_its_side_does_not_wait_for_ever(self):
        clients = self.waiting()
        for s in clients:
            s.shutdown(socket.SHUT_WR)
        for told, _ in at_once([partial(read_to_end, s) for s in clients]):
            self.assertEqual(statuses(told), [409], told)
            self.assertIn(b"client timeout", told)
        self.assert_gone()

    def test_who_stays_waits_on(self):
        """Also if a part of the next head was sent already."""
        clients = self.waiting()
        for s in clients:
            s.sendall(PART)
        time.sleep(2 * TIMEOUT_S)
        self.assertEqual(self.second_ranks(), [[200]] * CLIENTS)
        self.assert_answered(clients, 1)

    def test_the_last_to_come_resets(self):
        """The other ranks learn what became of the step: it is stored, or nothing is."""
        for step in range(30):
            before = self.batches()
            other, last = self.connect(), self.connect()
            other.sendall(self.shard(step, 0, timeout_ms=300))
            time.sleep(0.02)
            last.sendall(self.shard(step, 1, timeout_ms=300))
            if step % 3:
                time.sleep(0.0005 * (step % 3))
            reset(last)
            other.shutdown(socket.SHUT_WR)
            told = statuses(read_to_end(other)[0])
            self.assertEqual(self.batches() - before, {200: 1, 409: 0}[told[0]])


class MostWait(unittest.TestCase):
    """As many calls as may wait, and more."""

    FILES = 308
    CONNECTIONS = FILES - 64 - 2 * 2
    WAIT = CONNECTIONS // 8 * 5

    def setUp(self):
        self.daemon = Limited(self.FILES, "--threads", "2", "--client-timeout", "1")
        self.addCleanup(self.daemon.close)
        self.daemon.curl("PUT", "/v1/models/m/layers/bn", {"kind": "batch_norm"})

    def start(self, step, rank):
        s = self.daemon.connect()
        self.addCleanup(s.close)
        sync = {"step": str(step), "rank": rank, "world_size": 2, "timeout_ms": 3_600_000}
        s.sendall(post("/v1/models/m/layers/bn/train", json.dumps({"data": [[1, 20], [3, 40]], "sync": sync}).encode()))
        return s

    def test_the_others_are_served(self):
        waiting = [self.start(step, 0) for step in range(self.WAIT)]
        time.sleep(0.5 * PATIENCE)
        for step in range(self.WAIT, self.WAIT + 10):
            told = self.start(step, 0).recv(65536)
            self.assertTrue(told.startswith(b"HTTP/1.1 503 "), told)
            self.assertIn(b'"code":"overloaded"', told)
            self.assertRegex(told, rb"\r\nRetry-After: [1-9]")
        self.assertEqual(self.daemon.curl("POST", "/v1/models/m/layers/bn/train", BATCH).status, 200)
        # The request that completes a step need not wait, so it is let in, and lets another one in.
        self.assertTrue(self.start(0, 1).recv(65536).startswith(b"HTTP/1.1 200 "))
        self.assertTrue(waiting[0].recv(65536).startswith(b"HTTP/1.1 200 "))
        late = self.start(self.WAIT, 0)
        self.assertTrue(self.start(self.WAIT, 1).recv(65536).startswith(b"HTTP/1.1 200 "))
        self.assertTrue(late.recv(65536).startswith(b"HTTP/1.1 200 "))
        for s in waiting:
            s.close()
        wait_for(lambda: self.daemon.descriptors() < 64, "those that hung up are gone", GONE_WITHIN_S)

    def test_the_longest_wait_is_the_operators(self):
        daemon = Daemon("--sync-timeout-max", "1s")
        self.addCleanup(daemon.close)
        daemon.curl("PUT", "/v1/models/m/layers/bn", {"kind": "batch_norm"})
        sync = {"step": "1", "rank": 0, "world_size": 2, "timeout_ms": 3_600_000}
        began = time.monotonic()
        told = daemon.curl("POST", "/v1/models/m/layers/bn/train", {"data": [[1, 20], [3, 40]], "sync": sync})
        self.assertGreaterEqual(time.monotonic() - began, 1)
        self.assertEqual((told.status, told.code), (409, "sync_incomplete"))
        self.assertIn("within 1000 ms: 1 of 2", told.json["detail"])


class WhileTheStoreIsAtWork(unittest.TestCase):

    def setUp(self):
        self.daemon = LateStore()
        self.addCleanup(self.daemon.close)
        self.layer = "/v1/models/m/layers/bn"
        self.daemon.curl("PUT", self.layer, {"kind": "batch_norm", "num_features": 2})

    def send(self, rank):
        s = self.daemon.connect()
        self.addCleanup(s.close)
        body = b'{"data":[[%d,2],[3,4]],"sync":{"step":"1","rank":%d,"world_size":2,"timeout_ms":60000}}' % (rank, rank)
        s.sendall(post(self.layer + "/train", body, b"Connection: close\r\n"))
        return s

    def waiting(self, rank):
        """A connection whose call is known to wait: another call of its
        rank has been told that this one has taken its place."""
        both = [self.send(rank), self.send(rank)]
        replaced = select.select(both, [], [], 30 * PATIENCE)[0]
        self.assertEqual(len(replaced), 1)
        self.assertEqual(statuses(read_to_end(replaced[0])[0]), [409])
        both.remove(replaced[0])
        return both[0]

    def test_the_other_ranks_are_told_what_was_stored_for_a_leader_that_is_gone(self):
        """Whoever comes last leads; its client resets the connection while its update is on its way,
        and the update is stored."""
        other = self.waiting(0)
        leader = self.send(1)
        self.daemon.wait_until_asked("the last rank leads")
        reset(leader)
        self.daemon.go()
        told, ended = read_to_end(other)
        self.assertEqual((statuses(told), ended), ([200], True), told)
        self.assertIn(b'"num_batches_tracked":1', told)
        self.assertEqual(self.daemon.curl("GET", self.layer + "/statistics").json["num_batches_tracked"], 1)


if __name__ == "__main__":
    unittest.main()
