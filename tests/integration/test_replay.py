# SPDX-License-Identifier: MIT
"""Many daemons, one hot layer, and whatever may happen to daemons, connections and the database: the state is that of
the acknowledged updates, applied one after the other in the order of their revisions, bit for bit.

NORMD_REPLAY_UPDATES and NORMD_REPLAY_CLIENTS set the size; `make torture-replay` runs 100,000 by 96."""

import http.client
import os
import random
import socket
import threading
import time

import numpy

from normd import PATIENCE, Daemon
from test_postgresql import FAILING, LAYER, ClusterTest

UPDATES = int(os.environ.get("NORMD_REPLAY_UPDATES", 600))
CLIENTS = int(os.environ.get("NORMD_REPLAY_CLIENTS", 12))
FAULT_S = 0.7 * PATIENCE
# What keeps daemons from overwriting one another, and the same number of bytes without it.
LOCK = (b" FOR UPDATE", b"           ")
GUARD = (b"revision = $4 OR $4 < 0", b"1 = 1 OR $4 < 0 OR TRUE")


def batch(i):
    x = numpy.random.default_rng(i)
    return {"datatype": "FP64", "data": (x.standard_normal((3, 4)) * 10.0 ** x.integers(-6, 7, 4)).tolist()}


class Proxy:
    """Between daemons and the server: it cuts connections, swallows bytes, and changes statements."""

    def __init__(self, port, changes=()):
        self.server = ("127.0.0.1", port)
        self.changes = changes
        self.hole_until = 0.0
        self.cut_after = None  # bytes to the server, after which a connection is cut
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
                server = socket.create_connection(self.server)
            except OSError:
                if self.listener.fileno() < 0:
                    return
                client.close()  # the server is away
                continue
            pair = {client, server}
            self.sockets |= pair
            for source, target, out in ((client, server, True), (server, client, False)):
                threading.Thread(target=self.pass_on, args=(source, target, out, pair), daemon=True).start()

    def pass_on(self, source, target, out, pair):
        try:
            while data := source.recv(1 << 16):
                while time.monotonic() < self.hole_until:
                    time.sleep(0.02)
                for old, new in self.changes if out else ():
                    data = data.replace(old, new)
                if out and self.cut_after is not None:
                    self.cut_after -= len(data)
                    if self.cut_after < 0:
                        target.sendall(data[:self.cut_after])
                        self.cut_after = None
                        break
                target.sendall(data)
        except OSError:
            pass
        self.end(pair)

    def end(self, sockets):
        for each in list(sockets):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        self.sockets -= set(sockets)

    def close(self):
        self.listener.close()
        self.end(self.sockets)


class Replay(ClusterTest):
    count = 0  # daemons, of which each test starts its own

    def begin(self, changes=()):
        """Three daemons behind a proxy, and the layer."""
        self.proxy = Proxy(int(self.cluster.env["PGPORT"]), changes)
        self.addCleanup(self.proxy.close)
        url = self.store.replace(f":{self.cluster.env['PGPORT']}/", f":{self.proxy.port}/") + "?sslmode=disable"
        self.daemons = []
        for _ in range(3):
            daemon = Daemon(store=url)
            self.addCleanup(daemon.close)
            self.daemons.append(daemon)
        self.put_layer(definition={"kind": "batch_norm", "num_features": 4})
        self.told, self.refused = {}, []

    def send(self, i, draw, until):
        """Update i, sent again under its key until it is acknowledged. Returns its revision."""
        while time.monotonic() < until:
            client = None
            try:
                client = draw.choice(self.daemons).client()
                client.connection.timeout = 20 * PATIENCE
                answer = client.request("POST", LAYER + "/train?output=false", batch(i),
                                        {"Idempotency-Key": f"key {i}"})
            except (OSError, http.client.HTTPException) as e:  # the daemon was killed
                answer = e
            finally:
                if client is not None:
                    client.close()
            if getattr(answer, "status", 0) == 200:
                return answer.json["revision"]
            if getattr(answer, "status", 503) not in (409, 429, 503):
                raise AssertionError(answer)
            time.sleep(draw.uniform(0, 0.1))
        raise AssertionError(f"update {i} is not acknowledged: {answer}")

    def work(self, numbers, seed, until):
        draw = random.Random(seed)
        try:
            for i in numbers:
                revision = self.send(i, draw, until)
                if draw.random() < 0.1:  # a client that did not get its answer
                    assert self.send(i, draw, until) == revision
                self.told[i] = revision
        except AssertionError as e:
            self.refused.append(e)

    def run_load(self, updates, clients, faults=()):
        until = time.monotonic() + (120 + updates / 20) * PATIENCE
        workers = [threading.Thread(target=self.work, args=(range(k, updates, clients), k, until))
                   for k in range(clients)]
        for worker in workers:
            worker.start()
        draw = random.Random(3)
        while any(worker.is_alive() for worker in workers):
            time.sleep(FAULT_S)
            if faults and any(worker.is_alive() for worker in workers):
                draw.choice(faults)(draw)
        for worker in workers:
            worker.join()

    def faults(self):
        def kill(draw):
            daemon = draw.choice(self.daemons)
            daemon.kill()
            daemon.start()

        def crash(draw):
            self.cluster.control("stop", "-m", "immediate")
            time.sleep(draw.uniform(0, 0.5))
            self.cluster.control("start")

        def cut(draw):
            self.proxy.cut_after = draw.randrange(4000)

        def cut_all(draw):
            self.proxy.end(self.proxy.sockets)

        def hole(draw):
            self.proxy.hole_until = time.monotonic() + draw.uniform(0.1, 4)

        return (kill, crash, cut, cut, cut_all, hole)

    def found(self, updates):
        """What is wrong: the revisions that were told, and the state beside the replay of what was acknowledged."""
        told = sorted(self.told.values())
        if told != list(range(1, updates + 1)):
            return f"{len(told)} updates of {updates} have {len(set(told))} revisions, up to {told[-1:]}"
        state = self.ask(self.daemons[0], "GET", LAYER + "/statistics", headers={"Normd-Min-Revision": str(updates)})
        alone = Daemon()
        self.addCleanup(alone.close)
        self.ask(alone, "PUT", LAYER, {"kind": "batch_norm", "num_features": 4}, status=201)
        client = alone.client()
        for i in sorted(self.told, key=self.told.get):
            client.request("POST", LAYER + "/train?output=false", batch(i))
        client.close()
        replayed = self.ask(alone, "GET", LAYER + "/statistics")
        return None if state.raw == replayed.raw else f"{state.raw} is not {replayed.raw}"

    def test_the_acknowledged_history_is_the_state(self):
        self.begin()
        self.cluster.sql(FAILING.replace("% 11", "% 60"), self.database)
        self.run_load(UPDATES, CLIENTS, self.faults())
        self.assertEqual(self.refused, [])
        self.assertIsNone(self.found(UPDATES))

    def test_without_the_lock_and_the_guard_it_is_not(self):
        """So the test would notice."""
        self.begin([LOCK, GUARD])
        self.run_load(300, 12)
        self.assertRegex(self.found(300) or "nothing", "300 updates of 300 have [0-9]+ revisions")
