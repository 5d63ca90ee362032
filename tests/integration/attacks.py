# SPDX-License-Identifier: MIT
"""Attacks on the daemon's memory: a table of them, a row each, and what runs one.

A row opens many connections, sends what it has as fast as the daemon takes it, reads little or nothing of the answers,
and holds all that. Meanwhile a bystander asks small questions. The run ends when nothing moves any more; then the
daemon's peak of resident memory must be within --max-memory. A new attack is a row of one of the tables below, or a
function with @attack above it if its requests differ from one another.
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

import numpy

import oip
import safetensors
from normd import PATIENCE, Client, Daemon

LAYER = "/v1/models/m/layers/"
STATE = "/v1/models/m/state.safetensors"
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
    """`run` makes what is there before, and gives what each connection sends. `spared`: the bystander must get a 200
    while the attack lasts. Else the attack may take all there is, and 503 is an answer too."""

    def __init__(self, name, run, spared=False):
        self.name = name
        self.run = run
        self.spared = spared


def attack(run):
    ATTACKS.append(Attack(run.__name__, run))
    return run


def table(*rows):
    """Attacks whose connections all send the same: (name, how many connections for each of the scale's clients, what
    is there before (of the daemon and the scale; or None), what is sent (of the scale)), and True if it is spared."""

    def run_of(count, before, payload):
        def run(daemon, scale):
            if before is not None:
                before(daemon, scale)
            return [payload(scale)] * (count * scale.clients)

        return run

    for name, count, before, payload, *spared in rows:
        ATTACKS.append(Attack(name, run_of(count, before, payload), *spared))


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


NPY = ["Content-Type: application/x-npy"]


def pairs(rows, *positions):
    """A file of `rows` samples of two different values."""
    return npy((rows, *positions, 2), struct.pack("<2f", 1, 2) * rows)


def zeros(count):
    """A JSON list of `count` numbers."""
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
    """Another client, with small requests; `seen` counts the statuses of its answers."""

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


def lists(count, first, second, more=b""):
    """Two lists of zeros as the members of an object, and more members."""
    return b'{"%s":' % first + zeros(count) + b',"%s":' % second + zeros(count) + more + b"}"


# What is there before.


def layer(name, **fields):
    return lambda daemon, scale: put(daemon, name, {"kind": "batch_norm", **fields})


def wide(daemon, scale):
    put(daemon, "wide", {"kind": "batch_norm", "num_features": scale.features})


def shaped(daemon, scale):
    put(daemon, "shaped", {"kind": "layer_norm", "normalized_shape": [scale.features // 10, 10]})


def trained_features(scale):
    return scale.max_body // 50


def trained(daemon, scale, layer="trained"):
    """A layer with wide statistics."""
    put(daemon, layer, {"kind": "batch_norm"})
    ask(daemon, "PUT", f"{LAYER}{layer}/statistics",
        lists(trained_features(scale), b"running_mean", b"running_var", b',"num_batches_tracked":1'))


def layers(daemon, name, count=4, **fields):
    for i in range(count):
        put(daemon, f"{name}{i}", {"kind": "batch_norm", **fields})


def many_names(path):
    def make(daemon, scale):
        client = Client(daemon.port)
        for i in range(400):
            assert client.request("PUT", path % ("x" * 120 + str(i)), {"kind": "batch_norm"}).status == 201
        client.close()

    return make


# Readers that are slow.


def get(path, headers=()):
    return lambda scale: request("GET", path, headers=headers)


def packed_answer(coding):
    r = random.Random(1)
    rows = {"kind": "layer_norm", "normalized_shape": [10],
            "data": [[round(r.gauss(0, 1), 6) for _ in range(10)] for _ in range(4000)]}
    return request("POST", "/v1/normalize", rows, [f"Accept-Encoding: {coding}"])


def normalized_values(scale):
    rows = json.dumps({"kind": "layer_norm", "normalized_shape": [10],
                       "data": [[i + j / 7 for j in range(10)] for i in range(1500)]})
    return request("POST", "/v1/normalize", rows.encode())


def mixed_call(mode):
    """Two tensors in the bytes of one body, of which one comes back as text, all of which is written at once."""

    def make(scale):
        n = scale.max_body // 16 // 1000
        body, headers = oip.call({name: numpy.full((n, 1000), 1.2345678, numpy.float32) for name in ("text", "bytes")},
                                 outputs=["text", {"name": "bytes", "parameters": {"binary_data": True}}],
                                 parameters={"mode": mode})
        return request("POST", "/v2/models/m/infer", body, [f"{name}: {value}" for name, value in headers.items()])

    return make


def text_and_bytes(daemon, scale):
    for name in ("text", "bytes"):
        put(daemon, name, {"kind": "batch_norm"})
        ask(daemon, "POST", f"{LAYER}{name}/train?output=false", {"data": [[1] * 1000, [3] * 1000]})


def imported(scale):
    """A file with a batch norm of many features, and as large a tensor that is dropped."""
    n = scale.max_body // 32
    return safetensors.save({name: ("F32", [n], bytes(4 * n)) for name in ("bn.running_mean", "bn.running_var", "x.y")})


def import_of_layers(scale):
    """A file of very many batch norms, all of which are new."""
    return safetensors.save({f"l{i}.{name}": ("F32", [1], b"\0\0\0\x3f") for i in range(scale.max_body // 1000)
                             for name in ("running_mean", "running_var")})


def import_of_names(scale):
    """A header of many small tensors, and no byte of their data."""
    return safetensors.header_of({f"layers.{i}.weight": ("F32", [1], bytes(4))
                                  for i in range(scale.max_body // 400)})[0]


def freezing(path):
    return lambda scale: (request("PUT", path, b'{"frozen":true}') + request("PUT", path, b'{"frozen":false}')) * 10


table(
    ("readers_of_parameters_that_were_put", 20, wide, lambda scale: request("PUT", LAYER + "wide/parameters", {})),
    ("readers_of_parameters", 20, wide, get(LAYER + "wide/parameters")),
    ("readers_of_parameters_by_shape", 20, shaped, get(LAYER + "shaped/parameters")),
    ("readers_of_statistics", 30, trained, get(LAYER + "trained/statistics")),
    ("readers_of_affine", 30, trained, get(LAYER + "trained/affine")),
    ("readers_of_drift", 30, trained, get(LAYER + "trained/drift?top=1000")),
    ("readers_of_statistics_that_were_reset", 20, wide, lambda scale: request("DELETE", LAYER + "wide/statistics")),
    ("readers_of_lists_of_layers", 250, many_names(LAYER + "%s"), get("/v1/models/m?limit=1000")),
    ("readers_of_lists_of_models", 250, many_names("/v1/models/%s/layers/a"), get("/v1/models?limit=1000")),
    ("readers_of_metadata", 250, many_names(LAYER + "%s"), get("/v2/models/m")),
    ("readers_of_indexes", 250, many_names("/v1/models/%s/layers/a"),
     lambda scale: request("POST", "/v2/repository/index")),
    ("readers_of_backups", 20, trained, get("/v1/backup"), True),
    ("readers_of_exports", 30, trained, get(STATE)),
    ("readers_of_normalized_values", 250, None, normalized_values),
    ("readers_of_calls_of_several_layers", 50, text_and_bytes, mixed_call("infer")),
    ("readers_of_calls_that_train_several_layers", 50, text_and_bytes, mixed_call("train")),
    ("readers_of_gzip", 150, None, lambda scale: packed_answer("gzip")),
    ("readers_of_deflate_who_take_nothing_else", 150, None, lambda scale: packed_answer("deflate, identity;q=0")),
    ("readers_of_gzip_of_parameters", 100, layer("middling", num_features=100_000),
     get(LAYER + "middling/parameters", ["Accept-Encoding: gzip"])),
    ("freezing_and_thawing_of_a_wide_layer", 250, trained, freezing(LAYER + "trained/frozen")),
    ("freezing_and_thawing_of_a_model_of_a_wide_layer", 250, trained, freezing("/v1/models/m/frozen")),
    ("pipelined_requests", 250, layer("middling", num_features=20_000),
     lambda scale: request("GET", LAYER + "middling/parameters") * 20),
    ("imports_without_their_last_byte", 20, None,
     lambda scale: request("PUT", STATE, imported(scale)[:-1], announced=len(imported(scale)))),
    ("imports_that_are_refused_at_their_end", 20, None,
     lambda scale: request("PUT", STATE, imported(scale) + b"x")),
    ("imports_of_many_layers", 20, None, lambda scale: request("PUT", STATE, import_of_layers(scale))),
    ("imports_of_names_alone", 100, None,
     lambda scale: request("PUT", STATE, import_of_names(scale), announced=1 << 30)),
)


@attack
def readers_of_statistics_of_many_layers(daemon, scale):
    for i in range(6):
        trained(daemon, scale, f"trained{i}")
    return [request("GET", f"{LAYER}trained{i % 6}/statistics") for i in range(30 * scale.clients)]


# Bodies that are not sent to their end.


def half_sent(body, announced, headers=()):
    return request("POST", LAYER + "bystander/infer", body, headers, announced)


def half_sent_array(scale, sent_of_row, fortran=False):
    rows = (scale.max_body - 128) // 8
    return half_sent(npy((rows, 2), bytes(sent_of_row(rows)), fortran=fortran), rows * 8 + 128, NPY)


def announced_array(scale):
    head = npy((scale.max_body // 8, 2))
    return half_sent(head[:128] + bytes(8192), min(len(head) + scale.max_body // 8 * 8, scale.max_body), NPY)


def half_sent_packed(packed, coding):
    return half_sent(packed[:-12], len(packed), [f"Content-Encoding: {coding}"])


def packed_spaces(scale):
    body = b'{"data":[[1,2],[3,4]]' + b" " * (scale.max_body - 100) + b"}"
    return half_sent_packed(gzip.compress(body), "gzip")


def packed_zeros(scale):
    body = b'{"data":[' + b"0," * (scale.max_body // 2 - 100) + b"0]}"
    return half_sent_packed(zlib.compress(body), "deflate")


table(
    ("arrays_that_are_announced", 20, None, announced_array, True),
    ("arrays_in_the_other_order_that_are_announced", 20, None,
     lambda scale: half_sent_array(scale, lambda rows: 65536, fortran=True), True),
    ("shapes_that_are_announced", 40, None,
     lambda scale: half_sent(b'{"shape":[%d,2],"data":[1,2,3,4,' % (scale.max_body // 8), scale.max_body), True),
    ("arrays_that_are_half_sent", 30, None, lambda scale: half_sent_array(scale, lambda rows: rows * 6)),
    ("arrays_in_the_other_order_that_are_half_sent", 30, None,
     lambda scale: half_sent_array(scale, lambda rows: rows * 6, fortran=True)),
    ("numbers_that_are_half_sent", 30, None,
     lambda scale: half_sent(b'{"data":[' + b"0," * (scale.max_body // 4), scale.max_body)),
    ("strings_that_are_half_sent", 250, None, lambda scale: half_sent(b'{"x":"' + b"y" * 250_000, 1 << 20)),
    ("keys_that_are_half_sent", 300, None,
     lambda scale: half_sent(b"{" + b"".join(b'"%d":0,' % i for i in range(4090)), 1 << 20)),
    ("lists_that_are_half_sent", 250, None, lambda scale: half_sent(b'{"lengths":[' + b"1," * 50_000, 1 << 20)),
    ("gzip_that_is_half_sent", 40, None, packed_spaces),
    ("deflate_that_is_half_sent", 30, None, packed_zeros),
    ("bodies_behind_long_targets", 300, layer("keyed"),
     lambda scale: request("POST", LAYER + "keyed/train?mask=" + "%31," * 2500, b'{"data":[', announced=1 << 20)),
    ("heads_that_are_half_sent", 300, None,
     lambda scale: request("GET", "/v1/models", headers=[f"X-{i}: {'y' * 100}" for i in range(120)])[:-2]),
)


@attack
def keyed_requests_that_are_half_sent(daemon, scale):
    put(daemon, "keyed", {"kind": "batch_norm"})
    return [request("POST", LAYER + "keyed/train", b'{"data":[', [f'Idempotency-Key: "{"k" * 200}{i}"'],
                    announced=1 << 20)
            for i in range(300 * scale.clients)]


# Envelopes.


def synchronized(daemon, count, features, members, world_size):
    """`count` steps of which another rank is missing."""
    put(daemon, "synchronized", {"kind": "batch_norm", "num_features": features})
    body = b"{" + members + b',"sync":{"step":"%d","rank":0,"world_size":%d}}'
    return [request("POST", LAYER + "synchronized/train", body % (i, world_size)) for i in range(count)]


@attack
def synchronized_calls_with_lengths(daemon, scale):
    members = b'"shape":[50000,1,1],"data":' + zeros(50_000) + b',"lengths":' + zeros(50_000)
    return synchronized(daemon, 250 * scale.clients, 1, members, 2)


@attack
def synchronized_calls_of_many_ranks(daemon, scale):
    return synchronized(daemon, 300 * scale.clients, 1, b'"data":[[1],[2]]', 4096)


@attack
def synchronized_calls_of_many_features(daemon, scale):
    members = b'"shape":[1,100000],"data":' + zeros(100_000)
    return synchronized(daemon, 100 * scale.clients, 100_000, members, 2)


def envelope(member):
    return lambda scale: request("POST", LAYER + "bystander/infer", b'{"data":[[1,2]],"other":' + member + b"}") * 2


table(
    ("envelopes_of_lists", 30, None, envelope(b"[" + b",".join([b"[]"] * 80_000) + b"]")),
    ("envelopes_of_numbers", 30, None, envelope(b"[" + b",".join([b"1"] * 50_000) + b"]")),
    ("envelopes_of_keys", 30, None,
     envelope(b"{" + b",".join(b'"%d":[1,2,3,4,5,6,7,8]' % i for i in range(4000)) + b"}")),
    ("envelopes_that_are_deep", 30, None, envelope(b"[" + b",".join([b"[" * 90 + b"]" * 90] * 900) + b"]")),
    ("envelopes_of_a_string", 30, None, envelope(b'"' + b"\\u0001" * 40_000 + b'"')),
)


# Whole bodies, many at once.


def train(layer, query="", positions=()):
    return lambda scale: request("POST", f"{LAYER}{layer}/train{query}",
                                 pairs((scale.max_body - 128) // 8, *positions), NPY)


def two_gradients(scale):
    one = pairs((scale.max_body // 2 - 1024) // 8)
    return request("POST", LAYER + "clipped/backward?mode=train", one + one, NPY)


def masked_gradients(scale):
    n = scale.max_body // 16
    tensor = b'{"shape":[%d,2],"data":' % (n // 2) + zeros(n) + b"}"
    body = (b'{"mode":"train","input":' + tensor + b',"grad_output":' + tensor + b',"mask":' + b"[" +
            b",".join([b"1"] * (n // 2)) + b"]}")
    return request("POST", LAYER + "masked/backward", body)


def wide_array(call):
    """A batch of as many features as there are wide statistics."""
    return lambda scale: request("POST", LAYER + "trained/" + call,
                                 npy((2, trained_features(scale)), bytes(8 * trained_features(scale)))[:scale.max_body],
                                 NPY)


def normalized_by_parameters(scale):
    n = scale.max_body // 21
    body = (b'{"kind":"layer_norm","normalized_shape":[%d],"weight":' % n + zeros(n) + b',"bias":' + zeros(n) +
            b',"shape":[1,%d],"data":' % n + zeros(n) + b"}")
    return request("POST", "/v1/normalize", body)


def without_a_shape(scale):
    body = b'{"kind":"layer_norm","normalized_shape":2,"data":[' + b",".join([b"[0,1]"] * (scale.max_body // 16))
    return request("POST", "/v1/normalize", body + b"]}")


def instances(daemon, scale):
    put(daemon, "instances", {"kind": "instance_norm", "track_running_stats": True})


table(
    ("arrays_to_train_by", 24, layer("trained"), train("trained")),
    ("arrays_of_samples_to_shuffle", 24, layer("shuffled", shuffle=True, virtual_batch_size=64),
     train("shuffled", "?output=false")),
    ("instances_to_train_by", 24, instances, train("instances", positions=(1,))),
    ("gradients", 24, layer("clipped", clip=5.0), two_gradients),
    ("gradients_with_a_mask", 24, layer("masked", clip=5.0), masked_gradients),
    ("inverses_of_wide_arrays", 24, trained, wide_array("infer?inverse=true")),
    ("reports_on_wide_arrays", 24, trained, wide_array("report?top=1000")),
    ("parameters_to_normalize_by", 24, None, normalized_by_parameters),
    ("numbers_without_a_shape", 24, None, without_a_shape),
)


def to_each_of_four(daemon, scale, method, call, body, headers=()):
    layers(daemon, "each")
    return [request(method, f"{LAYER}each{i % 4}/{call}", body, headers) for i in range(24 * scale.clients)]


@attack
def moments_of_many_features(daemon, scale):
    body = lists(scale.max_body // 17, b"mean", b"var", b',"count":10')
    return to_each_of_four(daemon, scale, "POST", "statistics/merge", body)


@attack
def statistics_of_many_features(daemon, scale):
    body = lists(scale.max_body // 17, b"running_mean", b"running_var", b',"num_batches_tracked":1')
    return to_each_of_four(daemon, scale, "PUT", "statistics", body)


@attack
def parameters_of_many_features(daemon, scale):
    return to_each_of_four(daemon, scale, "PUT", "parameters", lists(scale.max_body // 17, b"weight", b"bias"))


@attack
def wide_arrays_to_train_by(daemon, scale):
    features = (scale.max_body - 128) // 8
    body = npy((2, features), struct.pack("<2f", 1, 2) * features)
    return to_each_of_four(daemon, scale, "POST", "train?output=false", body, NPY)


@attack
def wide_rows_to_train_by_running_statistics(daemon, scale):
    """The state of each is copied while its answer waits for it."""
    layers(daemon, "running", averaging="pooled", normalize_by="running")
    body = npy((1, scale.max_body // 80), bytes(scale.max_body // 80 * 4))
    return [request("POST", f"{LAYER}running{i % 4}/train", body, NPY) for i in range(24 * scale.clients)]


# Blocks that the allocator keeps apart: what is taken by some threads now and by others later,
# all just small enough not to be mapped alone.


def middling(daemon, scale):
    """Ten layers whose statistics are lists of such a size; their features."""
    features = scale.max_memory // 640
    layers(daemon, "middling", 10, num_features=features, averaging="pooled")
    return features


@attack
def trainings_of_middling_layers(daemon, scale):
    features = middling(daemon, scale)
    body = npy((2, features), struct.pack("<2f", 1, 2) * features)
    return [request("POST", f"{LAYER}middling{i % 10}/train?output=false", body, NPY) * 10
            for i in range(150 + 10 * scale.clients)]


@attack
def moments_of_middling_layers(daemon, scale):
    body = lists(middling(daemon, scale), b"mean", b"var", b',"count":10')
    return [request("POST", f"{LAYER}middling{i % 10}/statistics/merge", body) * 10 for i in range(60 * scale.clients)]


# Sources.


def totals(features):
    return lists(features, b"mean", b"var", b',"count":10')


def sources(daemon, count, features, layer="sourced"):
    """A layer with `count` sources."""
    put(daemon, layer, {"kind": "batch_norm", "averaging": "pooled"})
    for i in range(count):
        ask(daemon, "PUT", f"{LAYER}{layer}/statistics/sources/w{i}", totals(features))


@attack
def sources_of_many_features(daemon, scale):
    """Each call brings a new name, of four layers in turn."""
    layers(daemon, "each", averaging="pooled")
    body = totals(scale.max_body // 100)
    return [request("PUT", f"{LAYER}each{i % 4}/statistics/sources/w{i}", body) for i in range(24 * scale.clients)]


@attack
def sources_of_middling_layers(daemon, scale):
    """More trees than fit, so that they are loaded and dropped all the time."""
    body = totals(middling(daemon, scale))
    return [b"".join(request("PUT", f"{LAYER}middling{i % 10}/statistics/sources/w{i}-{k}", body) for k in range(10))
            for i in range(60 * scale.clients)]


@attack
def batches_of_sources(daemon, scale):
    features = middling(daemon, scale)
    body = npy((2, features), struct.pack("<2f", 1, 2) * features)
    return [request("POST", f"{LAYER}middling{i % 10}/train?output=false&source=w{i}", body, NPY) * 10
            for i in range(60 * scale.clients)]


@attack
def readers_of_lists_of_sources(daemon, scale):
    sources(daemon, 20, scale.max_memory // 4800)
    return [request("GET", LAYER + "sourced/statistics/sources?limit=1000")] * (60 * scale.clients)


@attack
def readers_of_histories(daemon, scale):
    put(daemon, "past", {"kind": "batch_norm"})
    ask(daemon, "PUT", LAYER + "past/statistics",
        lists(scale.max_memory // 2400, b"running_mean", b"running_var", b',"num_batches_tracked":1'))
    return [request("GET", LAYER + "past/history?limit=1000")] * (120 * scale.clients)


@attack
def readers_of_sources(daemon, scale):
    sources(daemon, 1, scale.max_memory // 1200)
    return [request("GET", LAYER + "sourced/statistics/sources/w0")] * (30 * scale.clients)


@attack
def compactions_of_many_names(daemon, scale):
    put(daemon, "sourced", {"kind": "batch_norm", "averaging": "pooled"})
    body = b'{"sources":[' + b",".join(b'"%s%d"' % (b"x" * 40, i) for i in range(4000)) + b"]}"
    return [request("POST", LAYER + "sourced/statistics/sources/compact", body)] * (250 * scale.clients)


@attack
def synchronized_calls_of_old_states(daemon, scale):
    """Each call waits with its own snapshot of the layer, and all the snapshots differ."""
    features = scale.max_body // 600
    put(daemon, "old", {"kind": "batch_norm", "num_features": features, "averaging": "pooled"})
    merge = request("POST", LAYER + "old/statistics/merge", lists(features, b"mean", b"var", b',"count":10'))
    body = (b'{"shape":[1,%d],"data":' % features + zeros(features) +
            b',"sync":{"step":"%d","rank":0,"world_size":2,"timeout_ms":3600000}}')
    return [merge + request("POST", LAYER + "old/train?output=false", body % i) for i in range(120 * scale.clients)]
