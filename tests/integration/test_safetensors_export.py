# SPDX-License-Identifier: MIT
"""GET state.safetensors: the file, byte for byte as the reference library writes it, and parts of it."""

import json
import socket
import struct
import threading
import unittest

import safetensors
from normd import PATIENCE, ClientTest, at_once

# Features of a layer whose file, 12.8 MB, is more than the socket's buffers hold.
LARGE = 400_000

MERGED = {"count": 4, "mean": [0.1, 2, 3], "var": [1, 2, 3]}


class ExportTest(ClientTest):
    @property
    def file_path(self):
        return f"/v1/models/{self.model}/state.safetensors"

    def put(self, layer, definition, **values):
        """A layer; `parameters`, `statistics` and `merge` are put into it."""
        self.ask("PUT", self.path(layer), definition, status=201)
        for name, value in values.items():
            self.ask(*{"parameters": ("PUT", self.path(layer, "parameters")),
                       "statistics": ("PUT", self.path(layer, "statistics")),
                       "merge": ("POST", self.path(layer, "statistics", "merge"))}[name], value)

    def expected(self, dtype, layers, tensors):
        """The reference's file of these tensors, {name: (dtype or None for that of floats, shape, values)}."""
        metadata = {"format": "pt", "normd.version": "live", "normd.digest": self.digest}
        for layer in layers:
            shown = json.loads(self.ask("GET", self.path(layer)).body)
            text = self.ask("GET", self.path(layer)).body
            metadata["normd.definition." + layer] = text.replace(',"frozen":%s}' % json.dumps(shown["frozen"]), "}")
            if shown.get("averaging") in ("pooled", "decayed"):
                count = self.ask("GET", self.path(layer, "statistics")).json["count"]
                metadata["normd.count." + layer] = json.dumps(count)
        return safetensors.save({name: (kind or dtype, shape, safetensors.pack(kind or dtype, values))
                                 for name, (kind, shape, values) in tensors.items()}, metadata)

    def export(self, query=""):
        answer = self.ask("GET", self.file_path + query)
        self.digest, version, datatype = answer.headers["etag"].strip('"').split("-")
        self.assertEqual((version, datatype), (answer.headers["normd-version"], "FP32" if "FP32" in query else "FP64"))
        return answer


class File(ExportTest):
    def test_every_kind_of_layer(self):
        self.put("bn", {"kind": "batch_norm", "num_features": 3}, merge=MERGED,
                 parameters={"weight": [1, 2, 1 / 3], "bias": [0, -0.5, 1e-300]})
        self.put("layer1.0.bn1", {"kind": "batch_norm", "affine": False, "averaging": "pooled"}, merge=MERGED)
        self.put("decayed", {"kind": "batch_norm", "num_features": 3, "averaging": "decayed", "half_life": 100},
                 merge=MERGED)
        self.put("ln", {"kind": "layer_norm", "normalized_shape": [2, 3]},
                 parameters={"weight": [1, 2, 3, 4, 5, 6], "bias": [6, 5, 4, 3, 2, 1]})
        self.put("ln.no_bias", {"kind": "layer_norm", "normalized_shape": [2], "bias": False})
        self.put("rms", {"kind": "rms_norm", "normalized_shape": [2]})
        self.put("gn", {"kind": "group_norm", "num_groups": 2, "num_channels": 4})
        self.put("plain", {"kind": "instance_norm", "num_features": 3})
        self.put("tracks", {"kind": "instance_norm", "num_features": 2, "affine": True, "track_running_stats": True})
        self.put("open", {"kind": "batch_norm"})
        layers = ["bn", "decayed", "gn", "layer1.0.bn1", "ln", "ln.no_bias", "open", "plain", "rms", "tracks"]
        bn = self.ask("GET", self.path("bn", "statistics")).json
        pooled = self.ask("GET", self.path("layer1.0.bn1", "statistics")).json
        decayed = self.ask("GET", self.path("decayed", "statistics")).json
        tensors = {
            "bn.weight": (None, [3], [1, 2, 1 / 3]), "bn.bias": (None, [3], [0, -0.5, 1e-300]),
            "ln.weight": (None, [2, 3], [1, 2, 3, 4, 5, 6]), "ln.bias": (None, [2, 3], [6, 5, 4, 3, 2, 1]),
            "ln.no_bias.weight": (None, [2], [1, 1]), "rms.weight": (None, [2], [1, 1]),
            "gn.weight": (None, [4], [1] * 4), "gn.bias": (None, [4], [0] * 4),
            "tracks.weight": (None, [2], [1, 1]), "tracks.bias": (None, [2], [0, 0]),
            "tracks.running_mean": (None, [2], [0, 0]), "tracks.running_var": (None, [2], [1, 1]),
            "tracks.num_batches_tracked": ("I64", [], [0]),
            "decayed.weight": (None, [3], [1] * 3), "decayed.bias": (None, [3], [0] * 3),
        }
        for layer, statistics in (("bn", bn), ("layer1.0.bn1", pooled), ("decayed", decayed)):
            tensors[layer + ".running_mean"] = (None, [3], statistics["running_mean"]["data"])
            tensors[layer + ".running_var"] = (None, [3], statistics["running_var"]["data"])
            tensors[layer + ".num_batches_tracked"] = ("I64", [], [statistics["num_batches_tracked"]])
        for query, dtype in (("", "F64"), ("?datatype=FP64", "F64"), ("?datatype=FP32", "F32"),
                             ("?version=live&datatype=FP32", "F32")):
            answer = self.export(query)
            self.assertEqual(answer.raw, self.expected(dtype, layers, tensors), query)
            self.assertEqual(answer.headers["content-type"], "application/octet-stream")
            self.assertEqual(answer.headers["content-disposition"],
                             f'attachment; filename="{self.model}.safetensors"')
            self.assertEqual(answer.headers["normd-version"], "live")

    def test_fp32_is_rounded_to_nearest(self):
        values = [1 + 2 ** -24, 1 + 3 * 2 ** -24, 2 ** -150 * 1.0000001, 2 ** -151, 3.4028235677973362e+38, -0.1]
        self.put("bn", {"kind": "batch_norm", "num_features": 6}, statistics={
            "running_mean": values, "running_var": [1] * 6})
        tensors, _ = safetensors.load(self.export("?datatype=FP32").raw)
        self.assertEqual(safetensors.unpack("F32", tensors["bn.running_mean"][2]),
                         [1, 1 + 2 ** -22, 2 ** -149, 0, 3.4028234663852886e+38, -0.10000000149011612])

    def test_what_fp32_cannot_hold_is_refused(self):
        for value in (3.4028235677973366e+38, -1e300):
            self.put("bn", {"kind": "batch_norm", "num_features": 2})
            self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [0, value], "running_var": [1, 1]})
            self.assertEqual(self.refuse("?datatype=FP32", 406),
                             ("not_acceptable", f'value 1 of "bn.running_mean" is {value:g}, which FP32 cannot hold; '
                              "export datatype=FP64"))
            self.ask("GET", self.file_path)
            self.ask("DELETE", self.path(), status=204)

    def refuse(self, query, status):
        answer = self.ask("GET", self.file_path + query, status=status)
        return answer.code, answer.json["detail"]

    def test_refusals(self):
        self.assertEqual(self.refuse("", 404)[0], "no_such_model")
        self.put("bn", {"kind": "batch_norm"})
        for query, status, code in (("?datatype=FP16", 400, "bad_parameter"), ("?datatype=", 400, "bad_parameter"),
                                    ("?dtype=FP32", 400, "bad_parameter"), ("?version=7", 404, "no_such_version"),
                                    ("?version=nobody", 404, "no_such_alias"),
                                    ("?version=a%20b", 400, "bad_parameter")):
            self.assertEqual(self.refuse(query, status)[0], code, query)
        for accept in ("application/json", "text/*"):
            self.ask("GET", self.file_path, headers={"Accept": accept}, status=406)

    def test_nothing_but_layers_without_values(self):
        self.put("open", {"kind": "batch_norm"})
        self.assertEqual(self.export().raw, self.expected("F64", ["open"], {}))

    def test_many_layers_and_a_slow_reader(self):
        """More pages of states than one, and a file of more blocks than the socket takes at once."""
        for i in range(150):
            self.put(f"l{i:03}", {"kind": "batch_norm", "num_features": 3}, statistics={
                "running_mean": [i, -i, i / 3], "running_var": [1, 2, 3 + i], "num_batches_tracked": i})
        large = [float(k) for k in range(LARGE)]
        self.put("large", {"kind": "batch_norm", "num_features": LARGE}, statistics={
            "running_mean": large, "running_var": large})
        raw = self.export().raw
        tensors, metadata = safetensors.load(raw)
        self.assertEqual(len(tensors), 151 * 5)
        self.assertEqual(metadata["normd.digest"], self.digest)
        self.assertEqual(safetensors.unpack("F64", tensors["large.running_var"][2]), large)
        for i in range(150):
            self.assertEqual(safetensors.unpack("F64", tensors[f"l{i:03}.running_mean"][2]), [i, -i, i / 3])
            self.assertEqual(safetensors.unpack("I64", tensors[f"l{i:03}.num_batches_tracked"][2]), [i])
        # Whatever the layers have become meanwhile, a file that was begun is what it was.
        with socket.create_connection(("127.0.0.1", self.daemon.port), 60 * PATIENCE) as slow:
            slow.sendall(f"GET {self.file_path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = [slow.recv(1000)]
            self.ask("PUT", self.path("large", "statistics"), {"running_mean": [7] * LARGE, "running_var": [7] * LARGE})
            self.ask("DELETE", self.path("l000"), status=204)
            while piece := slow.recv(1 << 20):
                answer.append(piece)
        self.assertEqual(b"".join(answer).partition(b"\r\n\r\n")[2], raw)
        self.assertNotEqual(self.export().raw, raw)


class Versions(ExportTest):
    def make_version(self):
        return self.ask("POST", f"/v1/models/{self.model}/versions", {}, status=201).json

    def test_a_version_is_the_same_file_for_ever(self):
        self.put("bn", {"kind": "batch_norm"})
        self.put("gone", {"kind": "rms_norm", "normalized_shape": [2]})
        self.ask("POST", self.path("bn", "train"), {"data": [[1, 2], [3, 5]]})
        live, metadata = safetensors.load(self.export().raw)
        version = self.make_version()
        self.ask("PUT", f"/v1/models/{self.model}/aliases/champion", {"version": 1}, status=201)
        self.assertEqual(version["digest"], self.digest)
        expected = safetensors.save(live, {**metadata, "normd.version": "1"})
        for _ in range(2):
            for name in ("1", "champion"):
                answer = self.export("?version=" + name)
                self.assertEqual(answer.raw, expected)
                self.assertEqual(answer.headers["normd-version"], "1")
                self.assertEqual(self.digest, version["digest"])
            self.ask("POST", self.path("bn", "train"), {"data": [[7, 2], [3, 5]]})
            self.client.request("DELETE", self.path("gone"))
        self.export()
        self.assertNotEqual(self.digest, version["digest"])
        part = self.ask("GET", self.file_path + "?version=1", headers={"Range": "bytes=-9"}, status=206)
        self.assertEqual(part.raw, expected[-9:])
        # An import of it brings the digest back.
        self.put("gone", {"kind": "rms_norm", "normalized_shape": [2]})
        self.ask("PUT", self.file_path, expected)
        self.export()
        self.assertEqual(self.digest, version["digest"])

    def test_many_layers_by_an_alias(self):
        """More than one page, all of the version that the alias named at first."""
        for i in range(130):
            self.put(f"l{i:03}", {"kind": "rms_norm", "normalized_shape": [1]})
        self.make_version()
        self.ask("PUT", f"/v1/models/{self.model}/aliases/a", {"version": 1}, status=201)
        tensors, metadata = safetensors.load(self.export("?version=a").raw)
        self.assertEqual((len(tensors), metadata["normd.version"]), (130, "1"))

    def test_under_load_a_file_is_of_one_state(self):
        """100 layers, more than a page, that are all changed together, again and again."""
        files = [safetensors.save({f"bn{i:02}.{name}": ("F32", [1], safetensors.pack("F32", [n]))
                                   for i in range(100) for name in ("running_mean", "running_var")})
                 for n in (1, 2)]
        self.ask("PUT", self.file_path, files[0])
        stop = threading.Event()

        def change():
            client = self.daemon.client()
            try:
                changes = 0
                while not stop.is_set():
                    self.assertEqual(client.request("PUT", self.file_path, files[changes % 2]).status, 200)
                    changes += 1
                return changes
            finally:
                client.close()

        def read():
            client = self.daemon.client()
            try:
                seen = set()
                for _ in range(60):
                    tensors, metadata = safetensors.load(client.request("GET", self.file_path).raw)
                    values = {raw for name, (_, _, raw) in tensors.items() if "running" in name}
                    self.assertEqual(len(values), 1)
                    seen.add((values.pop(), metadata["normd.digest"]))
                return seen
            finally:
                stop.set()
                client.close()

        changes, first, second = at_once([change, read, read])
        self.assertGreater(changes, 2)
        self.assertLessEqual(len(first | second), 2) # a state has one digest

    def test_exports_leave_nothing(self):
        """No version, whatever became of their pins."""
        self.put("bn", {"kind": "batch_norm", "num_features": 2})
        self.export()
        for query in ("?datatype=FP32", ""):
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", self.daemon.port), 60 * PATIENCE) as raw:
                    raw.sendall(f"GET {self.file_path}{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.assertEqual(self.make_version()["version"], 1)
        self.assertEqual(len(self.ask("GET", f"/v1/models/{self.model}/versions").json["versions"]), 1)


class Ranges(ExportTest):
    """Range, If-Range, If-None-Match and HEAD, as they are sent."""

    def setUp(self):
        super().setUp()
        self.put("bn", {"kind": "batch_norm", "num_features": 2})
        self.whole = self.export()
        self.etag = self.whole.headers["etag"]

    def get(self, status, method="GET", path=None, **headers):
        return self.ask(method, path or self.file_path, headers={
            name.replace("_", "-"): value for name, value in headers.items()}, status=status)

    def test_parts(self):
        raw, size = self.whole.raw, len(self.whole.raw)
        for text, first, last in (("bytes=0-0", 0, 0), ("bytes=5-9", 5, 9), (f"bytes={size - 1}-", size - 1, size - 1),
                                  ("bytes=-20", size - 20, size - 1), ("bytes=0-", 0, size - 1),
                                  ("Bytes=7-99999999999999999999", 7, size - 1)):
            answer = self.get(206, Range=text)
            self.assertEqual(answer.raw, raw[first:last + 1], text)
            self.assertEqual(answer.headers["content-range"], f"bytes {first}-{last}/{size}")
            self.assertEqual(answer.headers["content-length"], str(last - first + 1))
            self.assertEqual(answer.headers["etag"], self.etag)
            self.assertEqual(answer.headers["accept-ranges"], "bytes")
            self.assertEqual(answer.headers["content-type"], "application/octet-stream")

    def test_every_place_of_the_file(self):
        """Two parts of which the file is made, cut within its header and at every byte of its data."""
        raw = self.whole.raw
        start = 8 + struct.unpack_from("<Q", raw)[0]
        for at in (1, 7, 8, 9, *range(20, start, 37), *range(start - 1, len(raw))):
            parts = self.get(206, Range=f"bytes=0-{at - 1}").raw, self.get(206, Range=f"bytes={at}-").raw
            self.assertEqual(parts, (raw[:at], raw[at:]))

    def test_the_whole_where_a_range_makes_no_sense(self):
        for text in ("bytes=0-1,3-4", "bytes=", "bytes=a-b", "bytes=4-2", "items=0-1", "nonsense", "bytes = 0-1",
                     "bytes=0-1, 2-3"):
            answer = self.get(200, Range=text)
            self.assertEqual(answer.raw, self.whole.raw, text)
            self.assertNotIn("content-range", answer.headers)

    def test_beyond_the_end(self):
        size = len(self.whole.raw)
        for text in (f"bytes={size}-", "bytes=99999999999999999999-", "bytes=-0"):
            answer = self.get(416, Range=text)
            self.assertEqual(answer.code, "range_not_satisfiable")
            self.assertEqual(answer.headers["content-range"], f"bytes */{size}")

    def test_if_range(self):
        part = self.get(206, Range="bytes=1-2", If_Range=self.etag)
        self.assertEqual(part.raw, self.whole.raw[1:3])
        for tag in ('"sha256:00"', "W/" + self.etag, "Mon, 30 Nov 2026 16:00:00 GMT", self.etag.strip('"')):
            self.assertEqual(self.get(200, Range="bytes=1-2", If_Range=tag).raw, self.whole.raw, tag)
            self.get(200, Range="bytes=99999-", If_Range=tag)
        # What has changed meanwhile is sent whole.
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [1, 2], "running_var": [1, 2]})
        changed = self.get(200, Range="bytes=1-2", If_Range=self.etag)
        self.assertNotEqual(changed.headers["etag"], self.etag)
        self.assertEqual(changed.raw, self.export().raw)

    def test_if_range_of_an_alias_that_moved(self):
        """Two versions without a change between them have one digest, but files that differ in the metadata."""
        versions = f"/v1/models/{self.model}/versions"
        alias = f"/v1/models/{self.model}/aliases/a"
        files = []
        for number in (1, 2):
            self.ask("POST", versions, {}, status=201)
            self.ask("PUT", alias, {"version": number}, status=201 if number == 1 else 200)
            files.append(self.export("?version=a"))
        first, second = files
        self.assertNotEqual(first.raw, second.raw)
        headers = {"Range": "bytes=8-", "If-Range": first.headers["etag"]}
        again = self.ask("GET", self.file_path + "?version=a", headers=headers, status=200)
        self.assertEqual(again.raw, second.raw)

    def test_if_none_match(self):
        for tags in (self.etag, "W/" + self.etag, "*", f'"a", {self.etag}'):
            for method in ("GET", "HEAD"):
                answer = self.get(304, method, If_None_Match=tags, Range="bytes=0-1")
                self.assertEqual(answer.raw, b"")
                self.assertEqual(answer.headers["etag"], self.etag)
                self.assertIn(answer.headers.get("content-length"), (None, str(len(self.whole.raw))))
        self.assertEqual(self.get(206, If_None_Match='"a"', Range="bytes=0-1").raw, self.whole.raw[:2])
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [1, 2], "running_var": [1, 2]})
        self.get(200, If_None_Match=self.etag)

    def test_head(self):
        for headers in ({}, {"Range": "bytes=0-1"}, {"Range": "bytes=99999-"}):
            answer = self.get(200, "HEAD", **headers)
            for name in ("etag", "accept-ranges", "content-length", "content-type", "content-disposition"):
                self.assertEqual(answer.headers[name], self.whole.headers[name])
            self.assertEqual(answer.raw, b"")

    def test_headers_that_are_given_twice(self):
        request = (f"GET {self.file_path} HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\n"
                   "Connection: close\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self.daemon.port), 60 * PATIENCE) as raw:
            raw.sendall(request.encode())
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "))
        self.assertTrue(answer.endswith(self.whole.raw))

    def test_other_answers_have_no_parts(self):
        for path in (self.path("bn"), "/v1/models"):
            answer = self.get(200, path=path, Range="bytes=0-1", If_None_Match="*")
            self.assertNotIn("accept-ranges", answer.headers)
            self.assertGreater(len(answer.raw), 2)
        backup = self.get(200, path="/v1/backup", Range="bytes=0-1", If_None_Match="*")
        self.assertNotIn("accept-ranges", backup.headers)
        self.assertGreater(len(backup.raw), 2)


if __name__ == "__main__":
    unittest.main()
