# SPDX-License-Identifier: MIT
"""Socket activation: the test plays systemd. It holds the listening socket, starts normd again and again, and no client
notices."""

import http.client
import os
import signal
import socket
import tempfile
import threading
import unittest

import tls
from load import Load
from normd import PATIENCE, Client, parse_answer, wait_for
from systemd import Activated, listening

READY = b"GET /v2/health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Looper(threading.Thread):
    """A client in a loop, one connection per request. `bad` is what it got other than a 200."""

    def __init__(self, port, context=None):
        super().__init__()
        self.context = context
        self.port, self.answered, self.bad, self.ended = port, 0, [], False
        self.start()

    def run(self):
        while not self.ended and not self.bad:
            try:
                client = Client(self.port)
                if self.context is not None:
                    client.connection = http.client.HTTPSConnection("localhost", self.port, context=self.context,
                                                                    timeout=60 * PATIENCE)
                answer = client.request("GET", "/v2/health/ready")
                client.close()
                if answer.status == 200:
                    self.answered += 1
                else:
                    self.bad.append(answer)
            except Exception as problem:  # pylint: disable=broad-except
                self.bad.append(problem)

    def end(self):
        self.ended = True
        self.join()


class Activation(unittest.TestCase):
    def make_socket(self, *args, **options):
        s = listening(*args, **options)
        self.addCleanup(s.close)
        return s

    def make(self, *args, sockets, **options):
        self.daemon = Activated(*args, sockets=sockets, **options)
        self.addCleanup(self.daemon.close)
        return self.daemon

    def test_it_serves_on_the_socket(self):
        """Whose address it logs, whose port it writes to the port file, and whose rules about hosts hold."""
        s = self.make_socket()
        daemon = self.make(sockets=[s])
        self.assertEqual(daemon.port, s.getsockname()[1])
        line = wait_for(lambda: [line for line in daemon.log_lines() if line["message"] == "listening"], "a line")[0]
        self.assertEqual((line["address"], line["port"]), ("127.0.0.1", daemon.port))
        self.assertEqual(daemon.curl("GET", "/v2/health/ready").status, 200)
        self.assertEqual(daemon.curl("GET", "/v1/models", headers={"Host": "example.org"}).status, 403)

    def restart(self, rounds, looper):
        for _ in range(rounds):
            enough = looper.answered + 20
            wait_for(lambda: looper.answered >= enough or looper.bad, "the client is answered")
            self.daemon.stop()
            self.daemon.start()
        looper.end()
        self.assertEqual(looper.bad, [])

    def test_nor_under_tls(self):
        pair = tls.shared()
        daemon = self.make(*pair.options(), sockets=[self.make_socket()])
        looper = Looper(daemon.port, pair.context())
        self.addCleanup(looper.end)
        self.restart(2, looper)

    def test_restarts_refuse_no_connection_and_no_request(self):
        roles = {"plain": 16, "pieces": 8, "brief": 8, "keyed": 8, "infer": 8, "brief-infer": 4}
        s = self.make_socket()
        daemon = self.make("--log-level", "warn", "--threads", "2", sockets=[s], abstract=True)
        Load.make_layers(daemon, roles)
        load = Load(daemon, roles, bound_s=30)
        self.addCleanup(load.close)
        looper = Looper(daemon.port)
        self.addCleanup(looper.end)
        self.restart(5, looper)
        counts = load.finish()
        for role in roles:
            for bad in ("shutting_down", "unexpected", "dropped", "dropped_first", "cut", "refused_connections",
                        "stalled"):
                self.assertEqual(counts[role][bad], 0, f"{bad} of {role}: {counts[role]}")
            if not role.endswith("infer"):
                for layer in counts[role]["layers"]:
                    path = f"/v1/models/load/layers/{layer['layer']}/statistics"
                    self.assertEqual(daemon.curl("GET", path).json["num_batches_tracked"], layer["acknowledged"])

    def ask(self, s, request):
        s.sendall(request)
        answer = b""
        while piece := s.recv(65536):
            answer += piece
        return parse_answer(answer)

    def connect(self, port):
        s = socket.create_connection(("127.0.0.1", port), timeout=30 * PATIENCE)
        self.addCleanup(s.close)
        return s

    def test_clients_wait_while_nobody_serves(self):
        """Also after a stop without a drain, and after a start that failed."""
        s = self.make_socket()
        daemon = self.make(sockets=[s])
        late = []
        for stop in (daemon.stop, daemon.kill, self.fail_to_start):
            stop()
            late.append(self.connect(daemon.port))
            late[-1].sendall(READY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            daemon.start()
            self.assertEqual(self.ask(late[-1], b"").status, 200)

    def fail_to_start(self):
        self.daemon.stop()
        args, self.daemon.args = self.daemon.args, ("--port-file", "/nonexistent/port")
        self.daemon.spawn()
        self.assertEqual(self.daemon.process.wait(30 * PATIENCE), 2)
        self.daemon.process, self.daemon.args = None, args

    def test_a_request_that_has_begun_is_served(self):
        """And so is the next on its connection, which ends then."""
        s = self.make_socket()
        daemon = self.make("--drain-timeout", "600", "--threads", "1", sockets=[s])
        body = b'{"kind":"batch_norm","data":[[1],[2]]}'
        begun, kept = self.connect(daemon.port), self.connect(daemon.port)
        begun.sendall(b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body))
        kept.sendall(READY)
        self.assertTrue(kept.recv(65536).startswith(b"HTTP/1.1 200 "))  # by the same loop, which has read that head
        daemon.process.send_signal(signal.SIGTERM)
        wait_for(lambda: '"draining"' in daemon.log(), "it drains")
        answer = self.ask(begun, body)
        self.assertEqual((answer.status, answer.headers["connection"].lower()), (200, "close"))
        process, daemon.process = daemon.process, None
        self.assertEqual(process.wait(60 * PATIENCE), 0)
        self.assertEqual(daemon.log_lines()[-1]["requests_cut"], 0)

    def refused(self, message, *, sockets, args=(), **options):
        daemon = self.make(*args, sockets=sockets, start=False, **options)
        daemon.spawn()
        process, daemon.process = daemon.process, None
        self.assertEqual(process.wait(30 * PATIENCE), 2)
        self.assertRegex(daemon.log(), message)
        self.assertFalse(os.path.exists(daemon.store[len("sqlite:"):]), "it made no store")

    def test_wrong_sockets_are_refused(self):
        s, other = self.make_socket(), self.make_socket()
        self.refused(r"passed 2 sockets \(normd.socket:normd.socket\), but normd serves one", sockets=[s, other])
        self.refused("not ListenDatagram=", sockets=[self.make_socket(kind=socket.SOCK_DGRAM)])
        quiet = socket.socket()
        self.addCleanup(quiet.close)
        self.refused(r"\(normd.socket\) that normd cannot serve: it does not listen", sockets=[quiet])
        with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as local:
            local.bind(os.path.join(directory, "s"))
            local.listen()
            self.refused("not a socket of TCP", sockets=[local])
        self.refused(r"0\.0\.0\.0 is not a loopback address", sockets=[self.make_socket("0.0.0.0")])
        with open("/dev/null", "rb") as file:
            self.refused("it is not a socket", sockets=[file])
        self.refused('LISTEN_FDS is "many"', sockets=[s], variables={"LISTEN_FDS": "many"})

    def test_an_address_that_contradicts_the_socket_is_refused(self):
        s = self.make_socket()
        port = s.getsockname()[1]
        for listen in ("0.0.0.0:0", f"127.0.0.1:{port - 1}", f"[::1]:{port}"):
            self.refused(rf"--listen is .*, but systemd passed a socket that listens on 127.0.0.1:{port}", sockets=[s],
                         listen=listen)
        for listen in (f"127.0.0.1:{port}", f"localhost:{port}", "127.0.0.1:0"):
            self.make(sockets=[s], listen=listen).close()

    def test_what_is_for_another_process_is_not_taken(self):
        s = self.make_socket()
        for variables in ({"LISTEN_PID": "1"}, {"LISTEN_PID": "x"}, {"LISTEN_FDS": "0"}):
            daemon = self.make(sockets=[s], listen="127.0.0.1:0", variables=variables)
            self.assertNotEqual(daemon.port, s.getsockname()[1])
            daemon.close()

    @unittest.skipUnless(socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"), "this machine has no IPv6")
    def test_ipv6(self):
        s = self.make_socket("::1", socket.AF_INET6)
        daemon = self.make(sockets=[s], listen=f"[::1]:{s.getsockname()[1]}")
        with socket.create_connection(("::1", daemon.port), timeout=30 * PATIENCE) as client:
            client.sendall(READY)
            self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 200 "))


if __name__ == "__main__":
    unittest.main()
