# SPDX-License-Identifier: MIT
"""Attacks on the daemon's memory: a table of them, a row each, and what runs one.

A row opens many connections, sends what it has as fast as the daemon takes it, reads little or nothing of the answers,
and holds all that. Meanwhile a bystander asks small questions. The run ends when nothing moves any more; then the
daemon's peak of resident memory must be within --max-memory. A new attack is a function with @attack above it.
"""

import gzip
import json
import os
import random
import selectors
import socket
import struct
import threading
import time
import zlib

from normd import PATIENCE, Client, Daemon

LAYER = "/v1/models/m/layers/"
# What a client that does not read takes from the daemon all the same.
RECEIVE_BYTES = 4096


class Scale:
    """How large the attacks are: in `make test`, and in `make torture-memory`."""

    def __init__(self, max_memory_mib, max_body_mib, features, clients, seconds):
        self.max_memory = max_memory_mib << 20
        self.max_body = max_body_mib << 20
        self.features = features
        self.clients = clients
        self.seconds = seconds
        self.args = ("--max-memory", f"{max_memory_mib}MiB", "--max-body", f"{max_body_mib}MiB", "--threads", "2")


QUICK = Scale(96, 8, 2_000_000, 1, 6)
FULL = Scale(300, 64, 20_000_000, 5, 40)

ATTACKS = []


class Attack:
    def __init__(self, run, spared):
        self.name = run.__name__
        self.run = run
        self.spared = spared


def attack(spared):
    """`spared`: the bystander must get a 200 while it lasts. Else the attack may take all there is,
    and 503 is an answer too."""

    def add(run):
        ATTACKS.append(Attack(run, spared))
        return run

    return add


def request(method, path, body=b"", headers=(), announced=None):
    """A request's bytes. `announced`: a Content-Length that is not the body's."""
    if not isinstance(body, bytes):
        body = json.dumps(body, separators=(",", ":")).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body) if announced is None else announced}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def npy(shape, body=b"", descr="<f4", fortran=False):
    head = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {tuple(shape)}, }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + body


def zeros(count):
    """A list of so many numbers as JSON."""
    return b"[" + b",".join([b"0"] * count) + b"]"


class Crowd:
    """Connections that send what they have and then hold on."""

    def __init__(self, port, payloads):
        self.selector = selectors.DefaultSelector()
        self.sockets = []
        self.moved = 0
        for payload in payloads:
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            s.connect(("127.0.0.1", port))
            s.setblocking(False)
            self.sockets.append(s)
            self.selector.register(s, selectors.EVENT_WRITE, [memoryview(payload), 0])

    def send(self, within_s):
        """Sends what the daemon takes for a while; how many bytes that was."""
        before = self.moved
        for key, _ in self.selector.select(within_s):
            payload, at = key.data
            try:
                sent = key.fileobj.send(payload[at:at + (1 << 16)])
            except BlockingIOError:
                continue
            except OSError:  # it was refused and closed
                self.selector.unregister(key.fileobj)
                continue
            key.data[1] += sent
            self.moved += sent
            if key.data[1] == len(payload):
                self.selector.unregister(key.fileobj)
        if not self.selector.get_map():
            time.sleep(within_s)
        return self.moved - before

    def close(self):
        self.selector.close()
        for s in self.sockets:
            s.close()


class Bystander(threading.Thread):
    """Somebody else, who asks little; `seen` has the statuses that it was answered."""

    BODY = json.dumps({"data": [[1.0, 2.0], [3.0, 4.0]]})

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.stopping = threading.Event()
        self.seen = {}
        self.wrong = []
        self.slowest_s = 0.0

    def ask(self):
        client = Client(self.port)
        began = time.monotonic()
        answer = client.request("POST", LAYER + "bystander/infer", self.BODY)
        client.close()
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.seen[answer.status] = self.seen.get(answer.status, 0) + 1
        if answer.status == 503 and not int(answer.headers.get("retry-after", 0)) > 0:
            self.wrong.append("503 without Retry-After")

    def run(self):
        while not self.stopping.wait(0.05):
            try:
                self.ask()
            except OSError as e:
                self.wrong.append(repr(e))

    def stop(self):
        self.stopping.set()
        self.join()


def is_busy(pid):
    """Whether a thread of the daemon runs, or would if it had a processor."""
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/stat") as f:
                if f.read().rpartition(")")[2].split()[0] in "RD":
                    return True
        except OSError:  # it has just ended
            continue
    return False


def hold(daemon, crowd, seconds):
    """Sends until nothing moves, in the connections or in the daemon, or the time is over."""
    until = time.monotonic() + seconds * PATIENCE
    quiet_since = time.monotonic()
    while time.monotonic() < until:
        if crowd.send(0.05) > 0 or is_busy(daemon.process.pid):
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > 0.3:
            return


def run(chosen, scale, args=()):
    """Runs the attack; (its peak, the bystander)."""
    daemon = Daemon(*scale.args, *args)
    try:
        client = Client(daemon.port)
        assert client.request("PUT", LAYER + "bystander", {"kind": "layer_norm", "normalized_shape": [2]}).status == 201
        client.close()
        payloads = chosen.run(daemon, scale)
        bystander = Bystander(daemon.port)
        crowd = Crowd(daemon.port, payloads)
        bystander.start()
        try:
            hold(daemon, crowd, scale.seconds)
            asked = sum(bystander.seen.values())
            while sum(bystander.seen.values()) <= asked and not bystander.wrong:
                time.sleep(0.02)
            peak = daemon.memory("VmHWM")
        finally:
            bystander.stop()
            crowd.close()
        assert '"code":"forbidden"' not in daemon.log(), "the attack was refused for what it does not mean"
        return peak, bystander
    finally:
        daemon.close()


def put(daemon, layer, definition):
    client = Client(daemon.port)
    answer = client.request("PUT", LAYER + layer, definition)
    client.close()
    assert answer.status in (200, 201), answer


def ask(daemon, method, path, body=None):
    client = Client(daemon.port)
    answer = client.request(method, path, body)
    client.close()
    assert answer.status < 400, answer


# Readers that are slow.


def wide(daemon, scale, **fields):
    put(daemon, "wide", {"kind": "batch_norm", "num_features": scale.features, **fields})


def trained(daemon, scale, layer="trained"):
    """A layer with wide statistics; how wide."""
    features = scale.max_body // 50
    put(daemon, layer, {"kind": "batch_norm"})
    ask(daemon, "PUT", f"{LAYER}{layer}/statistics",
        b'{"running_mean":' + zeros(features) + b',"running_var":' + zeros(features) + b',"num_batches_tracked":1}')
    return features


@attack(spared=False)
def readers_of_parameters_that_were_put(daemon, scale):
    wide(daemon, scale)
    return [request("PUT", LAYER + "wide/parameters", {})] * (20 * scale.clients)


@attack(spared=False)
def readers_of_parameters(daemon, scale):
    wide(daemon, scale)
    return [request("GET", LAYER + "wide/parameters")] * (20 * scale.clients)


@attack(spared=False)
def readers_of_parameters_by_shape(daemon, scale):
    put(daemon, "shaped", {"kind": "layer_norm", "normalized_shape": [scale.features // 10, 10]})
    return [request("GET", LAYER + "shaped/parameters")] * (20 * scale.clients)


@attack(spared=False)
def readers_of_statistics(daemon, scale):
    trained(daemon, scale)
    return [request("GET", LAYER + "trained/statistics")] * (30 * scale.clients)


@attack(spared=False)
def readers_of_statistics_of_many_layers(daemon, scale):
    for i in range(6):
        trained(daemon, scale, f"trained{i}")
    return [request("GET", f"{LAYER}trained{i % 6}/statistics") for i in range(30 * scale.clients)]


@attack(spared=False)
def readers_of_affine(daemon, scale):
    trained(daemon, scale)
    return [request("GET", LAYER + "trained/affine")] * (30 * scale.clients)


@attack(spared=False)
def readers_of_statistics_that_were_reset(daemon, scale):
    wide(daemon, scale)
    return [request("DELETE", LAYER + "wide/statistics")] * (20 * scale.clients)


@attack(spared=False)
def readers_of_lists_of_layers(daemon, scale):
    client = Client(daemon.port)
    for i in range(400):
        assert client.request("PUT", f"{LAYER}{'x' * 120}{i}", {"kind": "batch_norm"}).status == 201
    client.close()
    return [request("GET", "/v1/models/m?limit=1000")] * (250 * scale.clients)


@attack(spared=False)
def readers_of_lists_of_models(daemon, scale):
    client = Client(daemon.port)
    for i in range(400):
        assert client.request("PUT", f"/v1/models/{'x' * 120}{i}/layers/a", {"kind": "batch_norm"}).status == 201
    client.close()
    return [request("GET", "/v1/models?limit=1000")] * (250 * scale.clients)


@attack(spared=True)
def readers_of_backups(daemon, scale):
    trained(daemon, scale)
    return [request("GET", "/v1/backup")] * (20 * scale.clients)


@attack(spared=False)
def readers_of_normalized_values(daemon, scale):
    rows = json.dumps({"kind": "layer_norm", "normalized_shape": [10],
                       "data": [[i + j / 7 for j in range(10)] for i in range(1500)]})
    return [request("POST", "/v1/normalize", rows.encode())] * (250 * scale.clients)


def packed_answers(coding, count):
    r = random.Random(1)
    rows = {"kind": "layer_norm", "normalized_shape": [10],
            "data": [[round(r.gauss(0, 1), 6) for _ in range(10)] for _ in range(4000)]}
    return [request("POST", "/v1/normalize", rows, [f"Accept-Encoding: {coding}"])] * count


@attack(spared=False)
def readers_of_gzip(daemon, scale):
    return packed_answers("gzip", 150 * scale.clients)


@attack(spared=False)
def readers_of_deflate_who_take_nothing_else(daemon, scale):
    return packed_answers("deflate, identity;q=0", 150 * scale.clients)


@attack(spared=False)
def readers_of_gzip_of_parameters(daemon, scale):
    put(daemon, "middling", {"kind": "batch_norm", "num_features": 100_000})
    return [request("GET", LAYER + "middling/parameters", headers=["Accept-Encoding: gzip"])] * (100 * scale.clients)


@attack(spared=False)
def pipelined_requests(daemon, scale):
    put(daemon, "middling", {"kind": "batch_norm", "num_features": 20_000})
    return [request("GET", LAYER + "middling/parameters") * 20] * (250 * scale.clients)


# Bodies that are not sent to their end.


@attack(spared=True)
def arrays_that_are_announced(daemon, scale):
    head = npy((scale.max_body // 8, 2))
    announced = len(head) + scale.max_body // 8 * 8
    headers = ["Content-Type: application/x-npy"]
    return [request("POST", LAYER + "bystander/infer", head[:128] + bytes(8192), headers,
                    min(announced, scale.max_body))] * (20 * scale.clients)


@attack(spared=True)
def arrays_in_the_other_order_that_are_announced(daemon, scale):
    rows = (scale.max_body - 128) // 8
    body = npy((rows, 2), bytes(65536), fortran=True)
    return [request("POST", LAYER + "bystander/infer", body, ["Content-Type: application/x-npy"],
                    rows * 8 + 128)] * (20 * scale.clients)


@attack(spared=True)
def shapes_that_are_announced(daemon, scale):
    body = b'{"shape":[%d,2],"data":[1,2,3,4,' % (scale.max_body // 8)
    return [request("POST", LAYER + "bystander/infer", body, announced=scale.max_body)] * (40 * scale.clients)


@attack(spared=False)
def arrays_that_are_half_sent(daemon, scale):
    rows = (scale.max_body - 128) // 8
    body = npy((rows, 2), bytes(rows * 6))
    return [request("POST", LAYER + "bystander/infer", body, ["Content-Type: application/x-npy"],
                    rows * 8 + 128)] * (30 * scale.clients)


@attack(spared=False)
def arrays_in_the_other_order_that_are_half_sent(daemon, scale):
    rows = (scale.max_body - 128) // 8
    body = npy((rows, 2), bytes(rows * 6), fortran=True)
    return [request("POST", LAYER + "bystander/infer", body, ["Content-Type: application/x-npy"],
                    rows * 8 + 128)] * (30 * scale.clients)


@attack(spared=False)
def numbers_that_are_half_sent(daemon, scale):
    body = b'{"data":[' + b"0," * (scale.max_body // 4)
    return [request("POST", LAYER + "bystander/infer", body, announced=scale.max_body)] * (30 * scale.clients)


@attack(spared=False)
def strings_that_are_half_sent(daemon, scale):
    return [request("POST", LAYER + "bystander/infer", b'{"x":"' + b"y" * 250_000,
                    announced=1 << 20)] * (250 * scale.clients)


@attack(spared=False)
def keys_that_are_half_sent(daemon, scale):
    body = b"{" + b"".join(b'"%d":0,' % i for i in range(4090))
    return [request("POST", LAYER + "bystander/infer", body, announced=1 << 20)] * (300 * scale.clients)


@attack(spared=False)
def lists_that_are_half_sent(daemon, scale):
    return [request("POST", LAYER + "bystander/infer", b'{"lengths":[' + b"1," * 50_000,
                    announced=1 << 20)] * (250 * scale.clients)


def packed_bodies(packed, coding, count):
    headers = [f"Content-Encoding: {coding}"]
    return [request("POST", LAYER + "bystander/infer", packed[:-12], headers, len(packed))] * count


@attack(spared=False)
def gzip_that_is_half_sent(daemon, scale):
    body = b'{"data":[[1,2],[3,4]]' + b" " * (scale.max_body - 100) + b"}"
    return packed_bodies(gzip.compress(body), "gzip", 40 * scale.clients)


@attack(spared=False)
def deflate_that_is_half_sent(daemon, scale):
    body = b'{"data":[' + b"0," * (scale.max_body // 2 - 100) + b"0]}"
    return packed_bodies(zlib.compress(body), "deflate", 30 * scale.clients)


@attack(spared=False)
def keyed_requests_that_are_half_sent(daemon, scale):
    put(daemon, "keyed", {"kind": "batch_norm"})
    return [request("POST", LAYER + "keyed/train", b'{"data":[', [f'Idempotency-Key: "{"k" * 200}{i}"'],
                    announced=1 << 20)
            for i in range(300 * scale.clients)]


@attack(spared=False)
def bodies_behind_long_targets(daemon, scale):
    put(daemon, "keyed", {"kind": "batch_norm"})
    target = LAYER + "keyed/train?mask=" + "%31," * 2500
    return [request("POST", target, b'{"data":[', announced=1 << 20)] * (300 * scale.clients)


@attack(spared=False)
def heads_that_are_half_sent(daemon, scale):
    head = request("GET", "/v1/models", headers=[f"X-{i}: {'y' * 100}" for i in range(120)])
    return [head[:-2]] * (300 * scale.clients)


# Envelopes.


@attack(spared=False)
def synchronized_calls_with_lengths(daemon, scale):
    put(daemon, "synchronized", {"kind": "batch_norm", "num_features": 1})
    body = (b'{"shape":[50000,1,1],"data":' + zeros(50_000) + b',"lengths":' + zeros(50_000) +
            b',"sync":{"step":"%d","rank":0,"world_size":2}}')
    return [request("POST", LAYER + "synchronized/train", body % i) for i in range(250 * scale.clients)]


@attack(spared=False)
def synchronized_calls_of_many_ranks(daemon, scale):
    put(daemon, "synchronized", {"kind": "batch_norm", "num_features": 1})
    body = b'{"data":[[1],[2]],"sync":{"step":"%d","rank":0,"world_size":4096}}'
    return [request("POST", LAYER + "synchronized/train", body % i) for i in range(300 * scale.clients)]


@attack(spared=False)
def synchronized_calls_of_many_features(daemon, scale):
    put(daemon, "synchronized", {"kind": "batch_norm", "num_features": 100_000})
    body = b'{"shape":[1,100000],"data":' + zeros(100_000) + b',"sync":{"step":"%d","rank":0,"world_size":2}}'
    return [request("POST", LAYER + "synchronized/train", body % i) for i in range(100 * scale.clients)]


def envelopes(scale, member):
    return [request("POST", LAYER + "bystander/infer",
                    b'{"data":[[1,2]],"other":' + member + b"}") * 2] * (30 * scale.clients)


@attack(spared=False)
def envelopes_of_lists(daemon, scale):
    return envelopes(scale, b"[" + b",".join([b"[]"] * 80_000) + b"]")


@attack(spared=False)
def envelopes_of_numbers(daemon, scale):
    return envelopes(scale, b"[" + b",".join([b"1"] * 50_000) + b"]")


@attack(spared=False)
def envelopes_of_keys(daemon, scale):
    return envelopes(scale, b"{" + b",".join(b'"%d":[1,2,3,4,5,6,7,8]' % i for i in range(4000)) + b"}")


@attack(spared=False)
def envelopes_that_are_deep(daemon, scale):
    return envelopes(scale, b"[" + b",".join([b"[" * 90 + b"]" * 90] * 900) + b"]")


@attack(spared=False)
def envelopes_of_a_string(daemon, scale):
    return envelopes(scale, b'"' + b"\\u0001" * 40_000 + b'"')


# Whole bodies, many at once.


def many(scale, method, path, body, headers=(), count=24):
    return [request(method, path, body, headers)] * (count * scale.clients)


@attack(spared=False)
def moments_of_many_features(daemon, scale):
    features = scale.max_body // 17
    layers = 4
    for i in range(layers):
        put(daemon, f"merged{i}", {"kind": "batch_norm"})
    body = b'{"count":10,"mean":' + zeros(features) + b',"var":' + zeros(features) + b"}"
    return [request("POST", f"{LAYER}merged{i % layers}/statistics/merge", body) for i in range(24 * scale.clients)]


@attack(spared=False)
def statistics_of_many_features(daemon, scale):
    features = scale.max_body // 17
    for i in range(4):
        put(daemon, f"put{i}", {"kind": "batch_norm"})
    body = b'{"running_mean":' + zeros(features) + b',"running_var":' + zeros(features) + b',"num_batches_tracked":1}'
    return [request("PUT", f"{LAYER}put{i % 4}/statistics", body) for i in range(24 * scale.clients)]


@attack(spared=False)
def parameters_of_many_features(daemon, scale):
    features = scale.max_body // 17
    for i in range(4):
        put(daemon, f"put{i}", {"kind": "batch_norm"})
    body = b'{"weight":' + zeros(features) + b',"bias":' + zeros(features) + b"}"
    return [request("PUT", f"{LAYER}put{i % 4}/parameters", body) for i in range(24 * scale.clients)]


@attack(spared=False)
def arrays_to_train_by(daemon, scale):
    put(daemon, "trained", {"kind": "batch_norm"})
    rows = (scale.max_body - 128) // 8
    body = npy((rows, 2), struct.pack("<2f", 1, 2) * rows)
    return many(scale, "POST", LAYER + "trained/train", body, ["Content-Type: application/x-npy"])


@attack(spared=False)
def wide_arrays_to_train_by(daemon, scale):
    features = (scale.max_body - 128) // 8
    for i in range(4):
        put(daemon, f"wide{i}", {"kind": "batch_norm"})
    body = npy((2, features), struct.pack("<2f", 1, 2) * features)
    return [request("POST", f"{LAYER}wide{i % 4}/train?output=false", body, ["Content-Type: application/x-npy"])
            for i in range(24 * scale.clients)]


@attack(spared=False)
def arrays_of_samples_to_shuffle(daemon, scale):
    put(daemon, "shuffled", {"kind": "batch_norm", "shuffle": True, "virtual_batch_size": 64})
    rows = (scale.max_body - 128) // 8
    body = npy((rows, 2), struct.pack("<2f", 1, 2) * rows)
    return many(scale, "POST", LAYER + "shuffled/train?output=false", body, ["Content-Type: application/x-npy"])


@attack(spared=False)
def instances_to_train_by(daemon, scale):
    put(daemon, "instances", {"kind": "instance_norm", "track_running_stats": True})
    samples = (scale.max_body - 128) // 8
    body = npy((samples, 1, 2), struct.pack("<2f", 1, 2) * samples)
    return many(scale, "POST", LAYER + "instances/train", body, ["Content-Type: application/x-npy"])


@attack(spared=False)
def gradients(daemon, scale):
    put(daemon, "clipped", {"kind": "batch_norm", "clip": 5.0})
    rows = (scale.max_body // 2 - 1024) // 8
    one = npy((rows, 2), struct.pack("<2f", 1, 2) * rows)
    return many(scale, "POST", LAYER + "clipped/backward?mode=train", one + one, ["Content-Type: application/x-npy"])


@attack(spared=False)
def gradients_with_a_mask(daemon, scale):
    put(daemon, "masked", {"kind": "batch_norm", "clip": 5.0})
    n = scale.max_body // 16
    tensor = b'{"shape":[%d,2],"data":' % (n // 2) + zeros(n) + b"}"
    body = (b'{"mode":"train","input":' + tensor + b',"grad_output":' + tensor + b',"mask":' + b"[" +
            b",".join([b"1"] * (n // 2)) + b"]}")
    return many(scale, "POST", LAYER + "masked/backward", body)


@attack(spared=False)
def inverses_of_wide_arrays(daemon, scale):
    features = trained(daemon, scale)
    body = npy((2, features), bytes(8 * features))
    return many(scale, "POST", LAYER + "trained/infer?inverse=true", body[:scale.max_body],
                ["Content-Type: application/x-npy"])


@attack(spared=False)
def parameters_to_normalize_by(daemon, scale):
    n = scale.max_body // 21
    body = (b'{"kind":"layer_norm","normalized_shape":[%d],"weight":' % n + zeros(n) + b',"bias":' + zeros(n) +
            b',"shape":[1,%d],"data":' % n)
    body += zeros(n) + b"}"
    return many(scale, "POST", "/v1/normalize", body)


@attack(spared=False)
def numbers_without_a_shape(daemon, scale):
    n = scale.max_body // 4
    body = b'{"kind":"layer_norm","normalized_shape":2,"data":[' + b",".join([b"[0,1]"] * (n // 4)) + b"]}"
    return many(scale, "POST", "/v1/normalize", body)


# Blocks that the allocator keeps apart: what is taken by some threads now and by others later,
# all just small enough not to be mapped alone.


def middling(daemon, scale, layers):
    """Layers whose statistics are lists of such a size; their features."""
    features = scale.max_memory // 640
    for i in range(layers):
        put(daemon, f"middling{i}", {"kind": "batch_norm", "num_features": features, "averaging": "pooled"})
    return features


@attack(spared=False)
def trainings_of_middling_layers(daemon, scale):
    features = middling(daemon, scale, 10)
    body = npy((2, features), struct.pack("<2f", 1, 2) * features)
    return [request("POST", f"{LAYER}middling{i % 10}/train?output=false", body,
                    ["Content-Type: application/x-npy"]) * 10
            for i in range(150 + 10 * scale.clients)]


@attack(spared=False)
def moments_of_middling_layers(daemon, scale):
    features = middling(daemon, scale, 10)
    body = b'{"count":10,"mean":' + zeros(features) + b',"var":' + zeros(features) + b"}"
    return [request("POST", f"{LAYER}middling{i % 10}/statistics/merge", body) * 10 for i in range(60 * scale.clients)]


@attack(spared=False)
def synchronized_calls_of_old_states(daemon, scale):
    """Each waits with the snapshot that it began with, and each of them is another one."""
    features = scale.max_body // 600
    put(daemon, "old", {"kind": "batch_norm", "num_features": features, "averaging": "pooled"})
    merge = request("POST", LAYER + "old/statistics/merge",
                    b'{"count":10,"mean":' + zeros(features) + b',"var":' + zeros(features) + b"}")
    body = (b'{"shape":[1,%d],"data":' % features + zeros(features) +
            b',"sync":{"step":"%d","rank":0,"world_size":2,"timeout_ms":3600000}}')
    return [merge + request("POST", LAYER + "old/train?output=false", body % i) for i in range(120 * scale.clients)]
