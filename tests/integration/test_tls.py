# SPDX-License-Identifier: MIT
"""TLS: which versions and ciphers; certificates that are read again, that expire, and that cannot be used; clients that
do not finish their handshake, or speak plain HTTP."""

import functools
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import zlib

import tls
from access import Tokens, bearer, line
from normd import NORMD, PATIENCE, Daemon, DaemonTest, at_once, wait_for

GET = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
TIMEOUT_S = 1


def read_to_end(s):
    return b"".join(iter(functools.partial(s.recv, 65536), b""))


def statuses(raw):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", raw)]


def chunks(raw):
    """The pieces of a body in chunks."""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        yield raw[:int(size, 16)]
        raw = raw[int(size, 16) + 2:]


def s_client(daemon, *args, **kwargs):
    """What openssl's client says of a connection without a request."""
    done = tls.openssl("s_client", "-connect", f"127.0.0.1:{daemon.port}", "-CAfile", daemon.pair.cert, *args,
                       check=False, **{"input": "", **kwargs})
    return done.stdout + done.stderr


def client_hello():
    """The first bytes of a client."""
    outgoing = ssl.MemoryBIO()
    try:
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Versions(DaemonTest):
    pair = tls.shared()
    daemon_args = ("--log-level", "debug", "--client-timeout", str(TIMEOUT_S))

    def test_two_are_spoken(self):
        for version in ("1.2", "1.3"):
            answer = self.call("GET", "/v2/health/live", args=("--tlsv" + version, "--tls-max", version))
            self.assertEqual(answer.json["live"], True)
            said = s_client(self.daemon, "-tls" + version.replace(".", "_"), "-alpn", "h2,http/1.1")
            self.assertRegex(said, rf"New, TLSv{version}, Cipher is (TLS_AES|ECDHE-ECDSA-AES)\w*[-_]")
            self.assertIn("ALPN protocol: http/1.1", said)
            self.assertIn("Verification: OK", said)

    def test_older_ones_are_refused(self):
        for version in ("-tls1", "-tls1_1"):
            said = s_client(self.daemon, version, "-cipher", "DEFAULT@SECLEVEL=0")
            self.assertRegex(said, "alert protocol version|unsupported protocol")
            self.assertIn("Cipher is (NONE)", said)

    def test_weak_ciphers_are_refused(self):
        for cipher in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "NULL", "aNULL",
                       "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM"):
            said = s_client(self.daemon, "-tls1_2", "-cipher", cipher + "@SECLEVEL=0")
            self.assertIn("Cipher is (NONE)", said, cipher)

    def test_no_renegotiation(self):
        with subprocess.Popen(["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{self.daemon.port}"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
            client.stdin.write(b"R\n")
            client.stdin.flush()
            said = client.communicate(timeout=20 * PATIENCE)[0]
        self.assertIn(b"RENEGOTIATING", said)
        self.assertNotIn(b"verify return:1\nRENEGOTIATING\ndepth", said)
        self.assertEqual(self.call("GET", "/v2/health/live").status, 200)

    def unread(self):
        """How many bytes wait in the daemon's sockets."""
        with open("/proc/net/tcp") as f:
            rows = [line.split() for line in f][1:]
        return sum(int(row[4].split(":")[1], 16) for row in rows
                   if row[1].endswith(f":{self.daemon.port:04X}") and row[3] == "01")

    def is_stopped(self):
        tasks = f"/proc/{self.daemon.process.pid}/task"
        states = []
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/stat") as f:
                states.append(f.read().rpartition(")")[2].split()[0])
        return set(states) == {"T"}

    def test_a_request_right_behind_a_new_key(self):
        """Both are in the socket when the event loop looks. A record without data must not hide the next one."""
        process = self.daemon.process
        with subprocess.Popen(["openssl", "s_client", "-tls1_3", "-connect", f"127.0.0.1:{self.daemon.port}"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              bufsize=0) as client:
            said = b""
            client.stdin.write(GET)
            while b'{"live":true}' not in said:
                said += client.stdout.read(4096)
            process.send_signal(signal.SIGSTOP)
            try:
                wait_for(self.is_stopped, "all threads of the daemon stand still")
                client.stdin.write(b"k\n")
                wait_for(lambda: self.unread() > 20, "the new key is in the socket")
                client.stdin.write(LAST)
                wait_for(lambda: self.unread() > 100, "the request is in the socket")
            finally:
                process.send_signal(signal.SIGCONT)
            # It must not end its side: that would wake the event loop.
            giving_up = threading.Timer(20 * PATIENCE, client.kill)
            giving_up.start()
            said = b"".join(iter(functools.partial(client.stdout.read, 4096), b""))
            giving_up.cancel()
        self.assertEqual(statuses(said), [200])

    def test_plain_http_is_told(self):
        for data in (GET, GET * 1000, b"POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n" + b"a" * 100_000):
            with tls.connect(("127.0.0.1", self.daemon.port), timeout=20 * PATIENCE) as s:
                s.sendall(data)
                raw = read_to_end(s)
            self.assertEqual(statuses(raw), [400])
            self.assertIn(b"HTTPS", raw)
        wait_for(lambda: any(line["message"] == "TLS handshake failed" and "plain HTTP" in line["reason"] and
                             line["client"] == "127.0.0.1" for line in self.daemon.log_lines()), "it is logged")

    def test_what_is_no_handshake_gets_an_alert(self):
        hello = client_hello()
        for data in (b"\x16\x03\x01\x00\x05hello", b"\x80" * 100, b"\x16" * 3000, b"\x15\x03\x01\x00\x02\x02\x28",
                     hello[:9] + b"\xff" * (len(hello) - 9), b"\x17\x03\x03\x00\x05hello"):
            with tls.connect(("127.0.0.1", self.daemon.port), timeout=20 * PATIENCE) as s:
                s.sendall(data)
                raw = read_to_end(s)
            self.assertRegex(raw, rb"^(?s:\x15\x03.\x00\x02..)?$", data)
        self.assertEqual(self.call("GET", "/v2/health/live").status, 200)

    def test_own_origin(self):
        headers = {"Origin": self.daemon.url}
        self.call("GET", "/v1/models", headers=headers)
        self.refused("forbidden", 403, "GET", "/v1/models", headers={"Origin": "http" + self.daemon.url[5:]})


class Records(DaemonTest):
    """Requests and records need not begin and end together."""

    pair = tls.shared()
    BODY = b'{"kind":"layer_norm","normalized_shape":[2],"data":[[1,2]]}'

    def post(self, body=BODY, path=b"/v1/normalize", headers=b""):
        return b"POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s" % (path, headers, len(body),
                                                                                         body)

    def test_many_requests_in_a_record(self):
        for one, count in ((GET, 250), (self.post(), 100)):
            with self.daemon.connect() as s:
                s.sendall(one * count + LAST)
                self.assertEqual(statuses(read_to_end(s)), [200] * (count + 1))

    def test_trains_in_a_record(self):
        """The connection is suspended while GnuTLS holds the next requests."""
        self.put_layer()
        train = self.post(b'{"data":[[1,2],[3,4]]}', self.path("bn", "train").encode())
        with self.daemon.connect() as s:
            s.sendall(train * 80 + LAST)
            self.assertEqual(statuses(read_to_end(s)), [200] * 81)
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json["num_batches_tracked"], 80)

    def test_records_of_any_size(self):
        for size in (1, 3, 100, 4097):
            with self.daemon.connect(record_bytes=size) as s:
                s.sendall(self.post() * 3 + LAST)
                self.assertEqual(statuses(read_to_end(s)), [200] * 4)

    def test_a_record_in_pieces(self):
        """Each of which the event loop may see alone."""
        with self.daemon.connect() as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.object.write(self.post() + LAST)
            for byte in s.outgoing.read():
                s.raw.sendall(bytes([byte]))
            self.assertEqual(statuses(read_to_end(s)), [200] * 2)

    def test_large_tensors_are_the_same(self):
        """16 MB both ways, over many records, by both versions."""
        body = b'{"kind":"layer_norm","normalized_shape":[1000],"data":[%s]}' % b",".join(
            [b"[" + b",".join(b"%d.%d" % (i * 7919 % 1000, i) for i in range(1000)) + b"]"] * 1500)
        found = []
        for version in ("1.2", "1.3"):
            answer = self.call("POST", "/v1/normalize", body, args=("--tlsv" + version, "--tls-max", version))
            found.append(answer.raw)
        self.assertEqual(found[0], found[1])
        self.assertEqual(len(answer.json["data"]), 1500)

    def test_codings(self):
        """A compressed body in small records, and compressed answers, of which one is larger than a record."""
        values = b",".join([b"%d" % (i * i % 7919) for i in range(20000)])
        body = self.BODY.replace(b"[2]", b"[20000]").replace(b"[1,2]", b"[" + values + b"]")
        plain = self.call("POST", "/v1/normalize", body).raw
        for coding, wbits in (("gzip", 31), ("deflate", 15)):
            packer = zlib.compressobj(wbits=wbits)
            packed = packer.compress(body) + packer.flush()
            headers = f"Content-Encoding: {coding}\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n".encode()
            with self.daemon.connect(record_bytes=1000) as s:
                s.sendall(self.post(packed, headers=headers))
                head, _, raw = read_to_end(s).partition(b"\r\n\r\n")
                self.assertFalse(s.cut)
            self.assertIn(b"Content-Encoding: " + coding.encode(), head)
            raw = b"".join(chunks(raw)) if b"chunked" in head else raw
            self.assertGreater(len(raw), 16384)
            self.assertEqual(zlib.decompress(raw, wbits), plain)

    def test_it_ends_its_side(self):
        """A close-notify alone, or with the socket's end, before the answer is there."""
        self.put_layer()
        train = self.post(b'{"data":[[1,2],[3,4]]}', self.path("bn", "train").encode())
        long = self.post(b'{"kind":"layer_norm","normalized_shape":[100],"data":[%s]}' %
                         b",".join([b"[" + b",".join(b"%d" % i for i in range(100)) + b"]"] * 1000))
        for how in (None, socket.SHUT_WR):
            for request in (GET, train, long):
                with self.daemon.connect() as s:
                    s.object.write(request)
                    s.shutdown(how)
                    self.assertEqual(statuses(read_to_end(s)), [200])

    def test_the_end_is_told(self):
        """With a close-notify: without one a client cannot know that nothing was cut off."""
        with self.daemon.connect() as s:
            s.sendall(LAST)
            self.assertEqual(statuses(read_to_end(s)), [200])
            self.assertFalse(s.cut)


class Handshakes(DaemonTest):
    pair = tls.shared()
    daemon_args = ("--client-timeout", str(TIMEOUT_S), "--threads", "2")

    def connect(self):
        s = tls.connect(("127.0.0.1", self.daemon.port), timeout=20 * PATIENCE)
        self.addCleanup(s.close)
        return s

    def cpu_s(self):
        with open(f"/proc/{self.daemon.process.pid}/stat") as f:
            return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def test_half_ones_are_cut_and_cost_nothing(self):
        hello = client_hello()
        starts = [b"", hello[:1], hello[:5], hello[:100], hello] * 20
        clients = [self.connect() for _ in starts]
        for s, start in zip(clients, starts):
            s.sendall(start)
        before = self.cpu_s()
        for s in clients:
            try:
                read_to_end(s)
            except ConnectionResetError:
                pass
        self.assertLess(self.cpu_s() - before, 0.5 * TIMEOUT_S, "no loop spins meanwhile")
        wait_for(lambda: sum(line["message"] == "timeout" and line["phase"] == "handshake"
                             for line in self.daemon.log_lines()) >= len(starts), "they are logged")

    def test_a_dripping_one_is_cut(self):
        s = self.connect()
        began = time.monotonic()
        with self.assertRaises(OSError):
            for byte in client_hello():
                s.sendall(bytes([byte]))
                time.sleep(0.02)
        self.assertGreaterEqual(time.monotonic() - began, TIMEOUT_S)

    def test_a_flood_stops_nobody(self):
        """Half handshakes, whole ones and hang-ups, from many clients, while others ask."""
        stop = threading.Event()
        hello = client_hello()

        def flood():
            while not stop.is_set():
                for act in (lambda s: s.sendall(hello), lambda s: s.sendall(hello[:50]), lambda s: None,
                            lambda s: s.sendall(b"\x16" * 100)):
                    s = tls.connect(("127.0.0.1", self.daemon.port), timeout=20 * PATIENCE)
                    act(s)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.close()
                stop.wait(0.005)

        floods = [threading.Thread(target=flood) for _ in range(4)]
        for thread in floods:
            thread.start()
        try:
            client = self.daemon.client()
            for _ in range(50):
                self.assertEqual(client.request("GET", "/v2/health/live").status, 200)
            client.close()
            for _ in range(5):
                self.call("GET", "/v2/health/live")
        finally:
            stop.set()
            for thread in floods:
                thread.join()


class WithoutOverride(Daemon):
    """The modes of files count, even for root."""

    def command(self):
        prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        return [*prefix, *super().command()]


class WithFiles(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="normd-tls-")
        self.addCleanup(shutil.rmtree, self.directory)

    def pair(self, name, **kwargs):
        return tls.Pair(self.directory, name, **kwargs)

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def daemon(self, pair, *args):
        daemon = Daemon(*args, pair=pair)
        self.addCleanup(daemon.close)
        return daemon

    def bad_pairs(self, good):
        """What is wrong, the files' names, and what normd says of them."""
        other, expired = self.pair("other"), self.pair("expired", days=-1)
        soon = self.write("soon.crt", good.read())
        with open(good.key) as f:
            key = f.read()
        rsa, ec = (self.pair(name.replace(" ", "-"), key=name) for name in ("weak rsa", "weak ec"))
        cut, empty = good.read()[:500], self.write("empty", "")
        locked = self.write("locked.key", tls.openssl("ec", "-aes128", "-passout", "pass:x", "-in", good.key).stdout)
        return [
            ("mismatch", good.cert, other.key, "does not belong to the certificate"),
            ("expired", expired.cert, expired.key, r"expired at 20\d\d-.*: renew it"),
            ("a weak RSA key", rsa.cert, rsa.key, "has a weak key, RSA of 1024 bits: use RSA of at least 2048 bits"),
            ("a weak ECDSA key", ec.cert, ec.key, "has a weak key, EC/ECDSA of 192 bits"),
            ("truncated", self.write("cut.crt", cut), good.key, "is cut off"),
            ("truncated after the first", self.write("cut2.crt", good.read() + cut), good.key, "is cut off"),
            ("truncated key", good.cert, self.write("cut.key", key[:100]), "is not a private key in PEM format"),
            ("no certificate", good.key, good.key, "is not a certificate in PEM format"),
            ("no key", good.cert, soon, "is not a private key in PEM format"),
            ("empty", empty, good.key, "is not a certificate in PEM format"),
            ("empty key", good.cert, empty, "is not a private key in PEM format"),
            ("a password", good.cert, locked, "is encrypted"),
            ("missing", os.path.join(self.directory, "none"), good.key, "cannot be opened: No such file"),
            ("a directory", good.cert, self.directory, "is not a regular file"),
            ("huge", self.write("huge", "a" * 300_000), good.key, "is larger than"),
            ("binary", self.write("binary", "\0" * 1000), good.key, "is not a certificate in PEM format"),
        ]


class Start(WithFiles):
    def test_bad_pairs_are_refused(self):
        good = self.pair("good")
        for what, cert, key, says in self.bad_pairs(good):
            for args in (("--listen", "127.0.0.1:0"), ("--check-config",)):
                with self.subTest(what, args=args):
                    done = subprocess.run([NORMD, "--store", f"sqlite:{self.directory}/normd.db", "--tls-cert", cert,
                                           "--tls-key", key, *args], capture_output=True, text=True,
                                          timeout=60 * PATIENCE)
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertRegex(done.stderr.splitlines()[-1], f"^normd: .*{says}")

    def test_chains_in_any_order(self):
        root = self.pair("root", ca=True, subject="root")
        middle = self.pair("middle", ca=True, subject="middle", issuer=root)
        lower = self.pair("lower", ca=True, subject="lower", issuer=middle)
        leaf = self.pair("leaf", issuer=lower)
        texts = {name: pair.read() for name, pair in (("leaf", leaf), ("lower", lower), ("middle", middle),
                                                      ("root", root))}
        for order in (("leaf", "lower", "middle"), ("middle", "root", "lower", "leaf")):
            with self.subTest(order):
                leaf.cert = self.write("chain.crt", "# a comment\n" + "".join(texts[name] for name in order))
                daemon = self.daemon(leaf)
                daemon.pair.cert = root.cert
                for version in ("-tls1_2", "-tls1_3"):
                    said = s_client(daemon, version, "-verify_return_error", "-showcerts")
                    self.assertIn("Verify return code: 0 (ok)", said)
                self.assertEqual(re.findall(r" s:CN ?= ?(\w+)", said)[:3], ["localhost", "lower", "middle"])
                self.assertEqual(daemon.curl("GET", "/v2/health/live").status, 200)

    def test_another_kind_of_key(self):
        daemon = self.daemon(self.pair("ed25519", key="ed25519"))
        for version in ("-tls1_2", "-tls1_3"):
            self.assertIn("Verification: OK", s_client(daemon, version))

    def test_one_file_for_both(self):
        pair = self.pair("both")
        with open(pair.key) as f:
            pair.cert = pair.key = self.write("both.pem", f.read() + pair.read())
        os.chmod(pair.key, 0o600)
        self.assertEqual(self.daemon(pair).curl("GET", "/v2/health/live").status, 200)

    def test_warnings(self):
        for days, mode, expires, readers in ((13, 0o600, 1, 0), (15, 0o640, 0, 0), (90, 0o644, 0, 1)):
            with self.subTest(days=days, mode=mode):
                pair = self.pair(f"p{days}{mode}", days=days)
                os.chmod(pair.key, mode)
                daemon = self.daemon(pair)
                lines = [line["message"] for line in daemon.log_lines() if line["level"] == "warn"]
                self.assertEqual(sum("expires soon" in line for line in lines), expires)
                self.assertEqual(sum("private key" in line for line in lines), readers)
                end = tls.openssl("x509", "-noout", "-enddate", "-in", pair.cert).stdout.strip().partition("=")[2]
                text = daemon.curl("GET", "/metrics").body
                value = re.search(r"^normd_tls_certificate_expiry_timestamp_seconds (\S+)$", text, re.M)[1]
                self.assertEqual(float(value), ssl.cert_time_to_seconds(end))


class Reload(WithFiles):
    def replace(self, pair, by):
        for mine, theirs in ((pair.cert, by.cert), (pair.key, by.key)):
            shutil.copy(theirs, mine + ".new")
            os.rename(mine + ".new", mine)

    def reload(self, daemon, wanted):
        """Sends SIGHUP and waits for a new line of the log with these members."""
        seen = len(daemon.log_lines())
        daemon.process.send_signal(signal.SIGHUP)
        return wait_for(lambda: next((line for line in daemon.log_lines()[seen:] if wanted.items() <= line.items()),
                                     None), lambda: f"{wanted} is logged: {daemon.log()}")

    def serves(self, daemon, pair):
        """New connections get this certificate."""
        daemon.pair.cert, kept = pair.cert, daemon.pair.cert
        self.assertEqual(daemon.curl("GET", "/v2/health/live").status, 200)
        daemon.pair.cert = kept

    def test_open_connections_go_on(self):
        old, new = self.pair("old"), self.pair("new", key="rsa")
        first = self.pair("first")
        self.replace(old, first)
        daemon = self.daemon(old)
        kept = [daemon.connect() for _ in range(3)]
        shaking = tls.connect(("127.0.0.1", daemon.port), timeout=20 * PATIENCE)
        self.addCleanup(shaking.close)
        shaking.sendall(client_hello()[:20])
        self.replace(old, new)
        self.reload(daemon, {"message": "reloaded", "what": "certificates"})
        for s in kept:
            s.sendall(GET)
            self.assertEqual(statuses(s.recv(65536)), [200])
        self.serves(daemon, new)
        for _ in range(5):
            self.replace(old, first)
            self.reload(daemon, {"message": "reloaded", "what": "certificates"})
        self.serves(daemon, first)
        for s in kept:
            s.sendall(LAST)
            self.assertEqual(statuses(read_to_end(s)), [200])
            s.close()

    def test_what_is_bad_changes_nothing(self):
        used, good = self.pair("used"), self.pair("good")
        self.replace(used, good)
        daemon = self.daemon(used)
        for what, cert, key, says in self.bad_pairs(good):
            with self.subTest(what):
                for mine, theirs in ((used.cert, cert), (used.key, key)):
                    os.unlink(mine)
                    os.symlink(theirs, mine)
                line = self.reload(daemon, {"level": "error", "what": "certificates"})
                self.assertRegex(line["reason"], says)
                self.serves(daemon, good)
        for mine in (used.cert, used.key):
            os.unlink(mine)
        self.replace(used, good)
        self.reload(daemon, {"message": "reloaded", "what": "certificates"})

    def test_what_cannot_be_read_any_more(self):
        """The key, and the tokens."""
        pair, tokens = self.pair("used"), Tokens(self.directory)
        tokens.write(line("normd_a", "infer"))
        daemon = WithoutOverride("--tokens", tokens.path, pair=pair)
        self.addCleanup(daemon.close)
        for path, what in ((pair.key, "certificates"), (tokens.path, "tokens")):
            os.chmod(path, 0)
            failed = self.reload(daemon, {"level": "error", "what": what})
            self.assertEqual(failed["reason"].partition(path)[2], " cannot be opened: Permission denied")
            self.serves(daemon, pair)
            self.assertEqual(daemon.curl("GET", "/v1/models", headers=bearer("normd_a")).status, 200)
            os.chmod(path, 0o600)
            self.reload(daemon, {"message": "reloaded", "what": what})

    def test_under_load(self):
        """Handshakes while the certificate changes again and again get one or the other, whole."""
        used, one, other = self.pair("used"), self.pair("one"), self.pair("two", key="rsa")
        self.replace(used, one)
        daemon = self.daemon(used, "--threads", "2")
        context = ssl.create_default_context(cafile=one.cert)
        context.load_verify_locations(other.cert)
        stop = threading.Event()

        def connect():
            count = 0
            while not stop.is_set():
                with tls.connect(("127.0.0.1", daemon.port), context, timeout=20 * PATIENCE) as s:
                    s.sendall(LAST)
                    assert statuses(read_to_end(s)) == [200]
                count += 1
            return count

        def change():
            try:
                for i in range(20):
                    self.replace(used, (other, one)[i % 2])
                    daemon.process.send_signal(signal.SIGHUP)
                    time.sleep(0.02)
            finally:
                stop.set()
            return 1

        self.assertTrue(all(at_once([change, connect, connect, connect])))


class Drain(unittest.TestCase):
    def test_who_has_begun_a_handshake_is_answered(self):
        """The handshake's packets and the request wait while the process is stopped, or come after SIGTERM."""
        daemon = Daemon("--threads", "2", pair=tls.shared())
        self.addCleanup(daemon.close)
        context = daemon.pair.context()
        for _ in range(2):
            kept = [daemon.connect() for _ in range(20)]
            daemon.process.send_signal(signal.SIGSTOP)
            daemon.process.send_signal(signal.SIGTERM)
            new = [tls.connect(("127.0.0.1", daemon.port), timeout=30 * PATIENCE) for _ in range(20)]
            for s in kept:
                s.sendall(GET)
            process, daemon.process = daemon.process, None

            def ask(raw):
                with tls.TlsSocket(raw, context) as s:
                    s.sendall(GET)
                    return read_to_end(s)

            threading.Timer(0.1, process.send_signal, (signal.SIGCONT,)).start()
            for answer in at_once([functools.partial(ask, raw) for raw in new]) + [read_to_end(s) for s in kept]:
                self.assertIn(statuses(answer), ([200], [503]))
            self.assertEqual(process.wait(60 * PATIENCE), 0)
            for s in kept:
                s.close()
            daemon.start()


if __name__ == "__main__":
    unittest.main()
