# SPDX-License-Identifier: MIT
"""PUT state.safetensors: what becomes of a file's tensors, all or nothing, and every refusal."""

import gzip
import json
import math
import socket
import struct
import unittest
import zlib

import safetensors
from normd import PATIENCE, ClientTest, Daemon, DaemonTest, at_once, parse_answer, wait_for


def floats(values, dtype="F32", shape=None):
    return dtype, [len(values)] if shape is None else shape, safetensors.pack(dtype, values)


def whole(value, dtype="I64", shape=()):
    return dtype, list(shape), safetensors.pack(dtype, [value])


def batch_norm(layer, mean, var, batches=None, weight=None, bias=None, dtype="F32"):
    """The tensors of a BatchNorm as PyTorch names them."""
    tensors = {f"{layer}.running_mean": floats(mean, dtype), f"{layer}.running_var": floats(var, dtype)}
    if weight is not None:
        tensors[f"{layer}.weight"] = floats(weight, dtype)
        tensors[f"{layer}.bias"] = floats(bias, dtype)
    if batches is not None:
        tensors[f"{layer}.num_batches_tracked"] = whole(batches)
    return tensors


class ImportTest(ClientTest):
    @property
    def file_path(self):
        return f"/v1/models/{self.model}/state.safetensors"

    def put(self, tensors, metadata=None, status=200, headers=None):
        raw = tensors if isinstance(tensors, bytes) else safetensors.save(tensors, metadata)
        return self.ask("PUT", self.file_path, raw, headers, status)

    def refused(self, code, status, tensors, metadata=None, says=""):
        """A file that is refused, and changes nothing."""
        before = self.state()
        answer = self.put(tensors, metadata, status)
        self.assertEqual(answer.code, code, answer)
        self.assertIn(says, answer.json["detail"])
        self.assertEqual(self.state(), before)
        return answer

    def state(self):
        """All of the model: its layers with their revisions, and its values."""
        model = self.client.request("GET", f"/v1/models/{self.model}?limit=1000")
        return model.raw, self.client.request("GET", self.file_path).raw

    def statistics(self, layer):
        shown = self.ask("GET", self.path(layer, "statistics")).json
        return shown["running_mean"]["data"], shown["running_var"]["data"], shown["num_batches_tracked"]

    def parameters(self, layer):
        shown = self.ask("GET", self.path(layer, "parameters")).json
        return shown["weight"], shown["bias"]

    def create(self, layer, definition):
        self.ask("PUT", self.path(layer), definition, status=201)


class Files(ImportTest):
    def test_a_model_is_created(self):
        answer = self.put({
            **batch_norm("layer1.0.bn1", [1, 2], [3, 4], 7, [5, 6], [7, 8]), **batch_norm("bn2", [0.5], [0.25], 1),
            "conv.weight": floats([1] * 8, shape=[2, 1, 2, 2]), "fc.weight": floats([1, 2], shape=[1, 2]),
            "fc.bias": floats([1]), "ln.weight": floats([1, 2]), "ln.bias": floats([1, 2])})
        self.assertEqual(answer.json, {
            "layers": [{"name": "bn2", "created": True, "revision": 1},
                       {"name": "layer1.0.bn1", "created": True, "revision": 1}],
            "left_out": ["conv.weight", "fc.bias", "fc.weight", "ln.bias", "ln.weight"]})
        self.assertEqual(self.statistics("layer1.0.bn1"), ([1, 2], [3, 4], 7))
        self.assertEqual(self.parameters("layer1.0.bn1"), ([5, 6], [7, 8]))
        shown = self.ask("GET", self.path("layer1.0.bn1")).json
        self.assertEqual((shown["kind"], shown["num_features"], shown["affine"]), ("batch_norm", 2, True))
        self.assertEqual(self.statistics("bn2"), ([0.5], [0.25], 1))
        self.assertIs(self.ask("GET", self.path("bn2")).json["affine"], False)

    def test_layers_that_exist_are_filled(self):
        self.create("ln", {"kind": "layer_norm", "normalized_shape": [2, 2]})
        self.create("flat", {"kind": "layer_norm", "normalized_shape": [2, 2], "bias": False})
        self.create("rms", {"kind": "rms_norm", "normalized_shape": [2]})
        self.create("gn", {"kind": "group_norm", "num_groups": 1, "num_channels": 2})
        self.create("inorm", {"kind": "instance_norm", "num_features": 1, "affine": True, "track_running_stats": True})
        self.create("open", {"kind": "batch_norm", "eps": 0.5})
        self.create("other", {"kind": "batch_norm", "num_features": 3})
        answer = self.put({
            "ln.weight": floats([1, 2, 3, 4], shape=[2, 2]), "ln.bias": floats([5, 6, 7, 8], shape=[2, 2]),
            "flat.weight": floats([4, 3, 2, 1]), "rms.weight": floats([7, 8]),
            "gn.weight": floats([1, 2]), "gn.bias": floats([3, 4]), **batch_norm("inorm", [1], [2], 3, [4], [5]),
            **batch_norm("open", [1, 2], [3, 4], weight=[5, 6], bias=[7, 8]), "unknown.weight": floats([1])})
        self.assertEqual([layer["name"] for layer in answer.json["layers"]],
                         ["flat", "gn", "inorm", "ln", "open", "rms"])
        self.assertEqual([layer["created"] for layer in answer.json["layers"]], [False] * 6)
        self.assertEqual(answer.json["left_out"], ["unknown.weight"])
        for layer in answer.json["layers"]:
            shown = self.ask("GET", self.path(layer["name"]))
            self.assertEqual(shown.headers["normd-revision"], str(layer["revision"]))
        self.assertEqual(self.parameters("ln"), ([[1, 2], [3, 4]], [[5, 6], [7, 8]]))
        self.assertEqual(self.parameters("flat"), ([[4, 3], [2, 1]], None))
        self.assertEqual(self.parameters("rms"), ([7, 8], None))
        self.assertEqual(self.parameters("gn"), ([1, 2], [3, 4]))
        self.assertEqual(self.statistics("inorm"), ([1], [2], 3))
        self.assertEqual(self.statistics("open"), ([1, 2], [3, 4], 0))
        self.assertEqual(self.ask("GET", self.path("open")).json["num_features"], 2)
        self.assertEqual(self.ask("GET", self.path("other")).headers["normd-revision"], "0")

    def test_parts_of_a_layer(self):
        """Without its parameters, or without its statistics, a layer keeps those that it has."""
        self.create("bn", {"kind": "batch_norm", "num_features": 1})
        self.put(batch_norm("bn", [1], [2], 3, [4], [5]))
        self.put(batch_norm("bn", [6], [7]))
        self.assertEqual((self.statistics("bn"), self.parameters("bn")), (([6], [7], 0), ([4], [5])))
        self.put({"bn.weight": floats([8]), "bn.bias": floats([9])})
        self.assertEqual((self.statistics("bn"), self.parameters("bn")), (([6], [7], 0), ([8], [9])))

    def test_datatypes(self):
        half = struct.pack("<2e", 1.5, -2)
        bfloat = struct.pack("<f", 1.5)[2:] + struct.pack("<f", 0.1)[2:]
        self.put({"a.running_mean": ("F16", [2], half), "a.running_var": ("BF16", [2], bfloat),
                  "b.running_mean": floats([0.1], "F64"), "b.running_var": floats([1e300], "F64"),
                  "b.num_batches_tracked": whole(2 ** 40, shape=[1])})
        self.assertEqual(self.statistics("a"), ([1.5, -2], [1.5, 0.099609375], 0))
        self.assertEqual(self.statistics("b"), ([0.1], [1e300], 2 ** 40))
        for dtype, value in (("U8", 255), ("I32", 2 ** 31 - 1), ("U64", 2 ** 63 - 1)):
            raw = value.to_bytes(safetensors.DTYPES[dtype] // 8, "little")
            self.put({**batch_norm("b", [1], [1]), "b.num_batches_tracked": (dtype, [], raw)})
            self.assertEqual(self.statistics("b")[2], value)

    def test_names_with_dots_and_prefixes(self):
        self.put({**batch_norm("module.bn1", [1], [2]), **batch_norm("module", [3], [4]),
                  "module.bn1.extra": floats([1]), "bn1.running_means": floats([1]), "weight": floats([1])})
        self.assertEqual(self.statistics("module.bn1")[0], [1])
        self.assertEqual(self.statistics("module")[0], [3])

    def test_left_out_in_the_order_of_the_header(self):
        names = ["z", "a.weight", 'quote"d', "back\\slash", "tab\t", "nul\0", "\x7f", "é", "🙂", "m"]
        header = {name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]}
                  for i, name in enumerate(names)}
        tensors = batch_norm("bn", [1], [2])
        for i, (name, (dtype, shape, raw)) in enumerate(tensors.items()):
            at = 4 * (len(names) + i)
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + 4]}
        raw = safetensors.frame(header, bytes(4 * len(names)) + b"".join(raw for _, _, raw in tensors.values()))
        answer = self.put(raw)
        self.assertEqual(answer.json["left_out"], names)

    def test_nothing_that_fits(self):
        self.create("bn", {"kind": "batch_norm"})
        before = self.state()
        self.assertEqual(self.put({"fc.weight": floats([1])}).json, {"layers": [], "left_out": ["fc.weight"]})
        self.assertEqual(self.put({}).json, {"layers": [], "left_out": []})
        self.assertEqual(self.put(safetensors.frame("{}")).json, {"layers": [], "left_out": []})
        self.assertEqual(self.put({}, {}).json, {"layers": [], "left_out": []})
        self.assertEqual(self.state(), before)

    def test_many_layers_of_the_model(self):
        """More than a page of them, of which the file has some."""
        for i in range(200):
            self.create(f"l{i:03}", {"kind": "layer_norm", "normalized_shape": [1]})
        answer = self.put({f"l{i:03}.{name}": floats([i]) for i in (0, 63, 64, 127, 128, 199)
                           for name in ("weight", "bias")} | {"l200.weight": floats([1])})
        self.assertEqual([layer["name"] for layer in answer.json["layers"]],
                         ["l000", "l063", "l064", "l127", "l128", "l199"])
        self.assertEqual(self.parameters("l199"), ([199], [199]))

    def test_what_a_put_forgets(self):
        """Sources, as PUT statistics."""
        self.create("bn", {"kind": "batch_norm", "num_features": 1, "averaging": "pooled"})
        self.ask("PUT", self.path("bn", "statistics", "sources", "a"), {"count": 4, "mean": [1], "var": [2]})
        self.put(batch_norm("bn", [5], [6], 7), {"normd.count.bn": "8"})
        self.assertEqual(self.ask("GET", self.path("bn", "statistics", "sources")).json["sources"], [])
        self.assertEqual(self.ask("GET", self.path("bn", "statistics")).json["count"], 8)

    def test_content_types_and_codings(self):
        raw = safetensors.save({**batch_norm("bn", [1] * 300, [2] * 300), "x": floats([0] * 200_000)})
        for headers in ({}, {"Content-Type": "application/octet-stream"},
                        {"Content-Type": "application/vnd.safetensors"},
                        {"Content-Type": "application/x-www-form-urlencoded"}):
            self.put(raw, headers=headers)
        for headers in ({"Content-Type": "application/json"}, {"Content-Type": "application/x-npy"},
                        {"Content-Encoding": "br"}):
            self.put(raw, headers=headers, status=415)
        for coding, coded in (("gzip", gzip.compress(raw)), ("deflate", zlib.compress(raw)),
                              ("gzip", gzip.compress(raw[:7]) + gzip.compress(raw[7:]))):
            revision = self.put(coded, headers={"Content-Encoding": coding}).json["layers"][0]["revision"]
            for damaged in (coded[:-9], coded[:100] + b"xx" + coded[102:], coded + b"x"):
                self.assertEqual(self.put(damaged, headers={"Content-Encoding": coding}, status=400).code,
                                 "bad_safetensors")
            self.assertEqual(self.ask("GET", self.path()).headers["normd-revision"], str(revision))

    def test_round_trip_of_an_export(self):
        for layer, definition in (("bn", {"kind": "batch_norm"}),
                                  ("pooled", {"kind": "batch_norm", "averaging": "pooled", "eps": 0.1}),
                                  ("decayed", {"kind": "batch_norm", "averaging": "decayed", "half_life": 3}),
                                  ("ln", {"kind": "layer_norm", "normalized_shape": [2, 3], "bias": False}),
                                  ("inorm", {"kind": "instance_norm", "num_features": 2}),
                                  ("never", {"kind": "batch_norm", "convention": "keras", "num_features": 2}),
                                  ("open", {"kind": "batch_norm", "momentum": 0.25})):
            self.create(layer, definition)
        for layer in ("bn", "pooled", "decayed"):
            for data in ([[1, 2], [3, 5], [1e-3, 7]], [[0, 1], [1, 0.1]]):
                self.ask("POST", self.path(layer, "train"), {"data": data})
        exported = self.ask("GET", self.file_path)
        copy = f"/v1/models/{self.model}.copy/state.safetensors"
        for _ in range(2): # created, then filled
            answer = self.ask("PUT", copy, exported.raw)
            self.assertEqual(len(answer.json["layers"]), 7)
            self.assertEqual(answer.json["left_out"], [])
            again = self.ask("GET", copy)
            self.assertEqual(again.raw, exported.raw)
            self.assertEqual(again.headers["etag"], exported.headers["etag"])


class Refusals(ImportTest):
    def setUp(self):
        super().setUp()
        self.create("bn", {"kind": "batch_norm", "num_features": 2})
        self.create("ln", {"kind": "layer_norm", "normalized_shape": [2, 2]})
        self.put(batch_norm("bn", [1, 2], [3, 4], 5, [6, 7], [8, 9]))

    def test_shapes(self):
        good = {**batch_norm("new", [1], [1]), "ln.weight": floats([1] * 4), "ln.bias": floats([1] * 4)}
        for tensors, expected, actual in (
                (batch_norm("bn", [1], [2, 3]), "[2]", "[1]"), (batch_norm("bn", [1] * 3, [2] * 3), "[2]", "[3]"),
                ({"bn.weight": floats([1, 2], shape=[1, 2]), "bn.bias": floats([1, 2])}, "[2]", "[1,2]"),
                ({"bn.weight": floats([1], shape=[]), "bn.bias": floats([1, 2])}, "[2]", "[]"),
                ({"ln.weight": floats([1] * 4, shape=[4, 1]), "ln.bias": floats([1] * 4)}, "[2,2]", "[4,1]"),
                ({"ln.weight": floats([1] * 2), "ln.bias": floats([1] * 4)}, "[2,2]", "[2]"),
                ({**batch_norm("bn", [1, 2], [3, 4]), "bn.num_batches_tracked": ("I64", [2], bytes(16))}, "[]", "[2]"),
                (batch_norm("new", [1, 2], [3]), "[2]", "[1]"),
                (batch_norm("new", [1, 2], [3, 4], weight=[1], bias=[1, 2]), "[2]", "[1]")):
            answer = self.refused("shape_mismatch", 422, {**good, **tensors})
            self.assertEqual((answer.json["expected"], answer.json["actual"]), (expected, actual))
        self.refused("shape_mismatch", 422, batch_norm("new", [], []), says="is empty")
        self.create("open", {"kind": "batch_norm"})
        self.refused("shape_mismatch", 422, batch_norm("open", [], []), says="one value per feature")

    def test_a_new_layer_that_is_no_batch_norm_is_left_out(self):
        tensors = batch_norm("new", [1, 2], [3, 4])
        tensors["new.weight"] = floats([1] * 4, shape=[2, 2])
        before = self.state()
        self.assertEqual(self.put(tensors).json, {
            "layers": [], "left_out": ["new.running_mean", "new.running_var", "new.weight"]})
        self.assertEqual(self.state(), before)

    def test_tensors_that_are_missing_or_too_many(self):
        for missing, needs in (("new.running_var", "new.running_mean"), ("new.weight", "new.bias"),
                               ("new.bias", "new.weight")):
            tensors = batch_norm("new", [1], [2], 3, [4], [5])
            del tensors[missing]
            self.refused("bad_parameter", 400, tensors, says=f'"{needs}" and no "{missing}"')
        for missing in ("running_mean", "running_var", "weight", "bias"):
            tensors = batch_norm("bn", [1, 2], [3, 4], 3, [4, 5], [5, 6])
            del tensors["bn." + missing]
            self.refused("bad_parameter", 400, tensors, says=f'no "bn.{missing}"')
        self.refused("bad_parameter", 400, {"bn.num_batches_tracked": whole(1)}, says='no "bn.running_mean"')
        self.create("plain", {"kind": "batch_norm", "num_features": 1, "affine": False, "track_running_stats": False})
        self.refused("bad_parameter", 400, batch_norm("plain", [1], [2]), says="has no running_mean")
        self.refused("bad_parameter", 400, {"plain.weight": floats([1]), "plain.bias": floats([1])},
                     says="has no weight")
        self.refused("bad_parameter", 400, batch_norm("ln", [1], [2]), says='(layer_norm) has no running_mean')

    def test_values(self):
        for value in (math.nan, math.inf, -math.inf):
            for i, name in enumerate(("running_mean", "running_var", "weight", "bias")):
                values = [[1, 2], [3, 4], [5, 6], [7, 8]]
                values[i][1] = value
                for layer in ("bn", "new"):
                    for dtype in ("F32", "F64", "F16"):
                        self.refused("non_finite_input", 422,
                                     batch_norm(layer, values[0], values[1], 1, values[2], values[3], dtype),
                                     says=f'value 1 of "{layer}.{name}" is')
        self.refused("bad_parameter", 400, batch_norm("bn", [1, 2], [1, -1e-30]), says="must not be negative")
        for value in (-1, -2 ** 63):
            self.refused("bad_safetensors", 400, batch_norm("bn", [1, 2], [1, 2], value),
                         says=f"at least 0, not {value}")
        self.refused("bad_parameter", 400, {**batch_norm("bn", [1, 2], [1, 2]),
                                            "bn.num_batches_tracked": whole(2 ** 63, "U64")}, says="below 2^63")
        # What is dropped may hold anything.
        self.put({**batch_norm("bn", [1, 2], [1, 2]), "fc.weight": floats([math.nan])})

    def test_dtypes(self):
        for dtype in ("I32", "BOOL", "U8", "F8_E4M3", "C64"):
            raw = bytes(2 * safetensors.DTYPES[dtype] // 8)
            self.refused("bad_safetensors", 400, {"bn.running_mean": (dtype, [2], raw),
                                                  "bn.running_var": floats([1, 2])})
        self.refused("bad_safetensors", 400, {**batch_norm("bn", [1, 2], [3, 4]),
                                              "bn.num_batches_tracked": floats([1], shape=[])})

    def test_names(self):
        for layer, says in (("_orig_mod.bn", '"_orig_mod.bn"'), ("a b", '"a b"'), ("x" * 129, "x" * 128),
                            ("a/b", '"a/b"'), ("é", "é")):
            self.refused("bad_name", 400, {**batch_norm(layer, [1], [2])}, says=says)
        self.refused("bad_name", 400, batch_norm("a\0b", [1], [2]), says="NUL")
        self.refused("bad_name", 400, {"running_mean": floats([1]), "running_var": floats([1])},
                     says="has no layer's name before it")
        self.refused("bad_name", 400, {"running_mean": floats([1])})
        self.refused("bad_name", 400, {}, {"normd.definition./": "{}"})
        self.refused("bad_name", 400, {}, {"normd.definition.": "{}"})

    def test_a_model_that_does_not_exist(self):
        path = f"/v1/models/{self.model}.none/state.safetensors"
        for tensors in ({}, {"fc.weight": floats([1])}, {"bn.running_mean": floats([1], shape=[1, 1])}):
            answer = self.ask("PUT", path, safetensors.save(tensors), status=404)
            self.assertEqual(answer.code, "no_such_model")
            self.assertIn('no tensor "LAYER.running_mean" that is a list', answer.json["detail"])
        self.ask("GET", f"/v1/models/{self.model}.none", status=404)

    def test_a_refused_file_leaves_the_connection(self):
        """The rest of a file is read, and the next request, which came with it, is answered."""
        follows = b"GET /v1/models?limit=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        other = {"x": ("U8", [100_000], bytes(100_000))}
        for raw in (safetensors.frame('{"x":1}', bytes(100_000)), # by its header
                    safetensors.save({**batch_norm("b n", [1], [1]), **other}), # before its data
                    safetensors.save({**batch_norm("bn", [1, 2], [1, math.nan]), **other}), # at its end
                    safetensors.save(other) + bytes(100_000)): # behind it
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (raw[:50_000], raw[50_000:]))
            for header, body in ((f"Content-Length: {len(raw)}", raw),
                                 ("Transfer-Encoding: chunked", chunks + b"0\r\n\r\n")):
                with socket.create_connection(("127.0.0.1", self.daemon.port), 60 * PATIENCE) as wire:
                    wire.sendall(f"PUT {self.file_path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode() +
                                 body + follows)
                    answers = b"".join(iter(lambda: wire.recv(65536), b""))
                self.assertRegex(answers, b"^HTTP/1.1 4[02][0-9] ")
                self.assertEqual(answers.count(b"HTTP/1.1 "), 2)
                self.assertEqual(answers.count(b"HTTP/1.1 200 "), 1)

    def test_definitions(self):
        ours = json.dumps({"kind": "batch_norm", "num_features": 2, "eps": 0.5})
        answer = self.refused("layer_differs", 409, batch_norm("bn", [1, 2], [3, 4]), {"normd.definition.bn": ours})
        self.assertIn('"eps" is 0.00001, not 0.5', answer.json["detail"])
        for text in ("", "{", "[]", "1", '{"kind":"batch"}', '{"kind":"batch_norm","epsi":1}', "{}\0",
                     '{"kind":"batch_norm"}' + " " * 20_000):
            self.refused("bad_parameter", 400, batch_norm("new", [1, 2], [3, 4]), {"normd.definition.new": text})
            self.refused("bad_parameter", 400, {}, {"normd.definition.bn": text})
        self.refused("shape_mismatch", 422, batch_norm("new", [1], [2]), {"normd.definition.new": ours})
        self.refused("bad_parameter", 400, batch_norm("new", [1, 2], [2, 3]), {
            "normd.definition.new": '{"kind":"layer_norm","normalized_shape":2}'}, says="has no running_mean")
        self.put(batch_norm("new", [1, 2], [3, 4], weight=[1, 2], bias=[1, 2]), {"normd.definition.new": ours})
        self.assertEqual(self.ask("GET", self.path("new")).json["eps"], 0.5)

    def test_counts(self):
        for averaging, definition in (("pooled", {}), ("decayed", {"half_life": 5})):
            self.create(averaging, {"kind": "batch_norm", "num_features": 1, "averaging": averaging, **definition})
            tensors = batch_norm(averaging, [1], [2], 3)
            self.refused("bad_parameter", 400, tensors, says=f'"normd.count.{averaging}"')
            for text in ("", "-1", "nan", "x", "[1]", "9223372036854775808", "1e400", "1 2", '"1"', "0", "1\0"):
                self.refused("bad_parameter", 400, tensors, {f"normd.count.{averaging}": text},
                             says=f"normd.count.{averaging}")
            self.put(tensors, {f"normd.count.{averaging}": "12"})
            self.assertEqual(self.ask("GET", self.path(averaging, "statistics")).json["count"], 12)
            self.put(batch_norm(averaging, [0], [1]), {f"normd.count.{averaging}": "0"})
        self.refused("bad_parameter", 400, batch_norm("pooled", [1], [2]), {"normd.count.pooled": "1.5"})
        self.put(batch_norm("decayed", [1], [2]), {"normd.count.decayed": "1.5"})
        self.assertEqual(self.ask("GET", self.path("decayed", "statistics")).json["count"], 1.5)

    def test_frozen_layers(self):
        self.ask("PUT", self.path("bn", "frozen"), {"frozen": True})
        self.refused("frozen", 409, {**batch_norm("new", [1], [2]), **batch_norm("bn", [1, 2], [3, 4])})
        self.put({"bn.weight": floats([1, 2]), "bn.bias": floats([1, 2])})

    def test_cut_at_every_byte(self):
        raw = safetensors.save({**batch_norm("bn", [5, 6], [7, 8], 9, [1, 2], [3, 4]), **batch_norm("new", [1], [2]),
                                "x": floats([1])}, {"format": "pt"})
        before = self.state()
        for end in range(len(raw)):
            self.assertEqual(self.put(raw[:end], status=400).code, "bad_safetensors", end)
        self.assertEqual(self.put(raw + b"\0", status=400).code, "bad_safetensors")
        self.assertEqual(self.state(), before)
        self.put(raw)

    def test_files_of_other_formats(self):
        for raw in (b"", b"\x93NUMPY\x01\x00" + bytes(120), b"PK\x03\x04" + bytes(60), b'{"data":[1]}',
                    struct.pack("<Q", 100_000_001) + b"{}", struct.pack("<Q", 2 ** 64 - 1)):
            self.refused("bad_safetensors", 400, raw)

    def test_the_query(self):
        answer = self.ask("PUT", self.file_path + "?version=live", safetensors.save({}), status=400)
        self.assertEqual(answer.code, "bad_parameter")


class Wire(ImportTest):
    """However the bytes come, while the body waits for the store."""

    daemon_args = ("--threads", "1")

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.daemon.port), 60 * PATIENCE)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(raw.close)
        return raw

    def head(self, *headers):
        return "\r\n".join((f"PUT {self.file_path} HTTP/1.1", "Host: localhost", *headers, "", "")).encode()

    def read(self, raw):
        return parse_answer(b"".join(iter(lambda: raw.recv(65536), b"")))

    def file(self):
        return safetensors.save({**batch_norm("bn", [1, 2], [3, 4], 5), "x": floats([0] * 1000)})

    def check(self, answer):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["left_out"], ["x"])
        self.assertEqual(self.statistics("bn"), ([1, 2], [3, 4], 5))

    def test_head_and_body_at_once_and_cut_anywhere(self):
        body = self.file()
        message = self.head(f"Content-Length: {len(body)}", "Connection: close") + body
        start = len(message) - len(body)
        header_end = start + 8 + struct.unpack_from("<Q", body)[0]
        for cuts in ((), (start,), (start + 8,), (header_end - 1,), (header_end,), (header_end + 1,),
                     (start, header_end), range(start, header_end, 7)):
            raw = self.connect()
            at = 0
            for cut in (*cuts, len(message)):
                raw.sendall(message[at:cut])
                at = cut
            self.check(self.read(raw))

    def test_chunks(self):
        body = self.file()
        for size in (1, 100, 5000):
            raw = self.connect()
            chunks = [body[at:at + size] for at in range(0, len(body), size)]
            raw.sendall(self.head("Transfer-Encoding: chunked", "Connection: close") + b"".join(
                b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n")
            self.check(self.read(raw))

    def test_expect_continue(self):
        body = self.file()
        raw = self.connect()
        raw.sendall(self.head(f"Content-Length: {len(body)}", "Connection: close", "Expect: 100-continue"))
        self.assertTrue(raw.recv(1000).startswith(b"HTTP/1.1 100 "))
        raw.sendall(body)
        self.check(self.read(raw))
        # A file beyond the limit is refused before it is sent.
        raw = self.connect()
        raw.sendall(self.head(f"Content-Length: {16 * 2 ** 30 + 1}", "Connection: close", "Expect: 100-continue"))
        answer = self.read(raw)
        self.assertEqual((answer.status, answer.code), (413, "body_too_large"))
        self.assertIn("--max-import", answer.json["detail"])

    def test_pipelined(self):
        body = self.file()
        one = self.head(f"Content-Length: {len(body)}") + body
        raw = self.connect()
        raw.sendall(one * 20 + b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answers = b"".join(iter(lambda: raw.recv(65536), b""))
        self.assertEqual(answers.count(b"HTTP/1.1 200 "), 21)
        self.assertEqual(answers.count(b'"left_out":["x"]'), 20)
        self.assertEqual(self.ask("GET", self.path()).headers["normd-revision"], "20")

    def test_clients_that_hang_up(self):
        self.create("ln", {"kind": "layer_norm", "normalized_shape": [1]})
        body = self.file()
        header_end = 8 + struct.unpack_from("<Q", body)[0]
        for end in (0, 8, header_end - 1, header_end, header_end + 1, len(body) - 1):
            for _ in range(5):
                raw = self.connect()
                raw.sendall(self.head(f"Content-Length: {len(body)}") + body[:end])
                raw.close()
        wait_for(lambda: self.daemon.log().count('"aborted":"client"') >= 30, self.daemon.log)
        self.ask("GET", self.path(), status=404)
        self.put(body)

    def test_two_at_once(self):
        files = [safetensors.save({key: value for i in range(20)
                                   for key, value in batch_norm(f"bn{i}", [n, n], [n, n], n).items()})
                 for n in range(1, 5)]

        def run(raw):
            client = self.daemon.client()
            try:
                return [client.request("PUT", self.file_path, raw).status for _ in range(10)]
            finally:
                client.close()

        for statuses in at_once([lambda raw=raw: run(raw) for raw in files]):
            self.assertEqual(statuses, [200] * 10)
        _, metadata = safetensors.load(self.ask("GET", self.file_path).raw)
        self.assertEqual(len([key for key in metadata if key.startswith("normd.definition.")]), 20)
        states = {json.dumps(self.statistics(f"bn{i}")) for i in range(20)}
        self.assertEqual(len(states), 1) # all of one file


class Limits(DaemonTest):
    daemon_args = ("--max-body", "64KiB", "--max-import", "1MiB", "--client-timeout", "1")

    def put(self, raw, status, **headers):
        return self.call("PUT", f"/v1/models/{self.model}/state.safetensors", raw, headers, status)

    def test_the_file(self):
        kept = batch_norm("bn", [1], [2])
        fits = safetensors.save({**kept, "x": floats([0] * 250_000)})
        self.assertLess(len(fits), 1 << 20)
        self.put(fits, 200)
        answer = self.put(safetensors.save({**kept, "x": floats([0] * 270_000)}), 413)
        self.assertIn("--max-import", answer.json["detail"])
        # Decompressed, too.
        coded = gzip.compress(safetensors.save({**kept, "x": floats([0] * 270_000)}))
        answer = self.put(coded, 413, **{"Content-Encoding": "gzip"})
        self.assertEqual(answer.code, "body_too_large")

    def test_what_is_kept(self):
        answer = self.put(safetensors.save(batch_norm("bn", [0] * 10_000, [0] * 10_000)), 413)
        self.assertIn("--max-body", answer.json["detail"])
        self.put(safetensors.save(batch_norm("bn", [0] * 8000, [0] * 8000)), 200)
        answer = self.put(safetensors.save({key: value for i in range(9) for key, value in batch_norm(
            f"b{i}", [0] * 1000, [0] * 1000).items()}), 413)
        self.call("GET", self.path("b0"), status=404)

    def test_more_layers_than_the_limit_of_a_body_would_let_expect(self):
        """They take more memory than a body of --max-body does, in and out."""
        layers = {key: value for i in range(2000) for key, value in batch_norm(f"b{i}", [0], [1]).items()}
        answer = self.put(safetensors.save(layers), 200)
        self.assertEqual(len(answer.json["layers"]), 2000)
        file = self.call("GET", f"/v1/models/{self.model}/state.safetensors", status=200).raw
        self.assertEqual(len(safetensors.load(file)[0]), 3 * 2000)

    def test_a_client_that_stops_behind_the_header(self):
        raw = safetensors.save({**batch_norm("bn", [1], [2]), "x": floats([0] * 100)})
        header_end = 8 + struct.unpack_from("<Q", raw)[0]
        with socket.create_connection(("127.0.0.1", self.daemon.port), 60 * PATIENCE) as stopped:
            stopped.sendall(f"PUT /v1/models/{self.model}/state.safetensors HTTP/1.1\r\nHost: localhost\r\n"
                            f"Content-Length: {len(raw)}\r\n\r\n".encode() + raw[:header_end])
            self.assertEqual(stopped.recv(1000), b"")
        wait_for(lambda: '"aborted":"timeout"' in self.daemon.log(), self.daemon.log)
        self.call("GET", self.path(), status=404)


class Kill(unittest.TestCase):
    """A killed daemon has stored all of a file, or nothing."""

    def test_all_or_nothing(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        path = "/v1/models/m/state.safetensors"
        files = [safetensors.save({key: value for i in range(300) for key, value in batch_norm(
            f"bn{i:03}", [n] * 50, [n] * 50, n, [n] * 50, [n] * 50).items()}) for n in (1, 2)]
        outcomes = set()
        for round_number in range(6):
            client = daemon.client()
            self.assertEqual(client.request("PUT", path, files[0]).status, 200)
            revision = client.request("GET", "/v1/models/m/layers/bn000").headers["normd-revision"]
            client.connection.request("PUT", path, files[1])
            if round_number % 2 == 0:
                # Killed while the change may be under way: from when the request was read.
                wait_for(lambda: client.connection.sock is not None, "sent")
            else:
                self.assertEqual(client.connection.getresponse().status, 200)
            daemon.kill()
            client.close()
            daemon.start()
            tensors, _ = safetensors.load(daemon.curl("GET", path).raw)
            batches = {safetensors.unpack("I64", raw)[0] for name, (dtype, _, raw) in tensors.items()
                       if dtype == "I64"}
            self.assertEqual(len(batches), 1, revision)
            outcomes |= batches
            if round_number % 2 == 1:
                self.assertEqual(batches, {2})


if __name__ == "__main__":
    unittest.main()
