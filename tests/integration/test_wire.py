# SPDX-License-Identifier: MIT
"""HTTP: methods, media types, sizes, framing, identification, and clients that misbehave."""

import json
import re
import socket
import time
import unittest

from normd import PATIENCE, Client, DaemonTest, Daemon


class Wire(DaemonTest):
    daemon_args = ("--max-body", "300kB")

    def raw(self, data, timeout=10):
        """The server's answer to these bytes, until it closes the connection or is silent for a second."""
        with self.daemon.connect(timeout=timeout * PATIENCE) as s:
            s.sendall(data)
            s.settimeout(1.0 * PATIENCE)
            answer = b""
            try:
                while piece := s.recv(65536):
                    answer += piece
            except socket.timeout:
                pass
            return answer

    def test_routes_and_methods(self):
        self.refused("no_such_route", 404, "GET", "/v1/nothing")
        root = self.call("GET", "/", headers={"Accept": "application/json"}).json
        self.assertEqual((root["name"],
                          [self.call("GET", root["links"][name]).status for name in ("models", "live", "ready")]),
                         ("normd", [200] * 3))
        self.assertIn('"/v1/no%22thing/x"',
                      self.refused("no_such_route", 404, "GET", "/v1/no%22thing/x?a=b").json["detail"])
        self.refused("no_such_route", 404, "GET", "/a/b/c/d/e/f/g/h/i/j/k")
        answer = self.refused("method_not_allowed", 405, "POST", "/v1/models")
        self.assertEqual(answer.headers["allow"], "GET, HEAD, OPTIONS")
        self.assertEqual(self.call("GET", "/v1/models/").json["next"], None)

    def test_names(self):
        for name in (".dot", "-dash", "sp%20ace", "a%2Fb", "%C3%A9", "x" * 129):
            self.refused("bad_name", 400, "PUT", f"/v1/models/{name}/layers/bn", {"kind": "batch_norm"})
        for bad in ("/v1/models/%00", "/v1/models/a%0", "/v1/models/%zz"):
            self.refused("bad_parameter", 400, "GET", bad)

    def test_query_parameters(self):
        self.put_layer()
        self.refused("bad_parameter", 400, "POST", self.path("bn", "train?ouput=false"), {"data": [[1], [2]]})
        self.refused("no_such_version", 404, "POST", self.path("bn", "infer?version=1"), {"data": [[1], [2]]})
        self.assertEqual(self.call("GET", "/v2/health/live?probe=1").json, {"live": True})
        self.assertEqual(self.call("GET", "/v2/health/ready/").json, {"live": True, "ready": True})

    def test_true_and_false_as_other_languages_write_them(self):
        self.put_layer()
        for text, output in (("false", False), ("False", False), ("FALSE", False), ("0", False), ("true", True),
                             ("True", True), ("1", True), ("", True)):
            answer = self.call("POST", self.path("bn", f"train?output={text}"), {"data": [[1], [3]]})
            self.assertEqual("data" in answer.json, output, text)
            answer = self.call("POST", self.path("bn", f"infer?inverse={text}"), {"data": [[1]]})
            self.assertEqual(answer.status, 200)
        for text in ("no", "f", "2", "null", "None", "truee"):
            self.refused("bad_parameter", 400, "POST", self.path("bn", f"train?output={text}"), {"data": [[1], [3]]})
        masked = [self.call("POST", "/v1/normalize",
                            {"kind": "batch_norm", "data": [[[1, 3, 9]]], "mask": [[True, True, False]]}).json]
        for text in ("true,true,false", "True,True,False", "1,1,0"):
            masked.append(self.call("POST", f"/v1/normalize?mask={text}",
                                    {"kind": "batch_norm", "data": [[[1, 3, 9]]]}).json)
        self.assertEqual(masked, masked[:1] * 4)

    def test_null_counts_as_absent(self):
        """What a typed client writes of members that were not set."""
        self.put_layer()
        data = {"data": [[1, 20], [3, 40]]}
        null = dict.fromkeys(("lengths", "mask", "sync", "seed", "output", "shape", "datatype"))
        train = self.path("bn", "train")
        self.assertEqual(self.call("POST", train, {**null, **data}).json["data"],
                         self.call("POST", train, data).json["data"])
        self.assertEqual(self.call("POST", self.path("bn", "infer"),
                                   {"shape": None, "datatype": None, **data, "lengths": None, "mask": None}).body,
                         self.call("POST", self.path("bn", "infer"), data).body)
        both = {"input": [[1, 20], [3, 40]], "grad_output": [[1, 2], [3, 5]]}
        null = dict.fromkeys(("mode", "seed", "lengths", "mask", "sync"))
        self.assertEqual(self.call("POST", self.path("bn", "backward"), {**null, **both}).body,
                         self.call("POST", self.path("bn", "backward"), both).body)
        tensor = {"shape": None, "datatype": None, "data": [1, 2]}
        put = self.call("PUT", self.path("bn", "statistics"),
                        {"running_mean": tensor, "running_var": tensor, "num_batches_tracked": None,
                         "count": None, "revision": None}).json
        self.assertEqual((put["running_mean"]["data"], put["num_batches_tracked"]), ([1, 2], 0))
        self.assertEqual(self.call("PUT", self.path("bn", "parameters"), {"weight": None, "bias": [1, 2]}).json,
                         {"weight": [1, 1], "bias": [1, 2]})
        sync = {"step": 1, "rank": 0, "world_size": 1}
        self.call("POST", train, {**data, "sync": {**sync, "timeout_ms": None}})
        self.refused("bad_parameter", 400, "POST", train, {**data, "sync": {**sync, "rank": None}})
        once = {"kind": "layer_norm", "normalized_shape": 2, **data}
        null = dict.fromkeys(("definition", "tensor", "input", "weight", "bias", "lengths", "mask", "shape", "datatype",
                              "num_features", "momentum"))
        self.assertEqual(self.call("POST", "/v1/normalize", {**null, **once}).body,
                         self.call("POST", "/v1/normalize", once).body)
        null = dict.fromkeys(("data", "shape", "datatype", "input"))
        once = {"kind": "layer_norm", "normalized_shape": 2, "tensor": data["data"]}
        self.assertEqual(self.call("POST", "/v1/normalize", {**null, **once}).body,
                         self.call("POST", "/v1/normalize", once).body)
        for path, body in ((train, {"data": None}), (self.path("bn", "backward"), {"input": None, "grad_output": [1]})):
            self.refused("bad_tensor", 400, "POST", path, body)
        self.refused("bad_parameter", 400, "POST", self.path("bn", "statistics/merge"),
                     {"count": 2, "mean": None, "var": [1, 2]})

    def test_suggestions(self):
        self.put_layer()
        data = {"data": [[1], [3]]}
        for path, body, meant in (
            ("train?ouput=false", data, "output"),
            ("train?length=1", data, "lengths"),
            ("train", {**data, "lenghts": [1, 1]}, "lengths"),
            ("train", {"input": [[1], [3]]}, "data"),
            ("train", {**data, "dtype": "FP64"}, "datatype"),
            ("train", {**data, "sync": {"step": 1, "rank": 0, "worldsize": 1}}, "world_size"),
            ("backward", {"input": [[1], [3]], "grad_output": [[1], [3]], "mode": "eval"}, "infer"),
            ("backward", {"input": [[1], [3]], "grad": [[1], [3]]}, "grad_output"),
            ("statistics/merge", {"n": 2, "mean": [1], "var": [1]}, "count"),
            ("statistics/merge", {"count": 2, "running_mean": [1], "running_var": [1]}, "mean"),
        ):
            self.assertIn(f'did you mean "{meant}"?',
                          self.refused("bad_parameter", 400, "POST", self.path("bn", path), body).json["detail"])
        self.assertIn('did you mean "limit"?',
                      self.refused("bad_parameter", 400, "GET", "/v1/models?limt=1").json["detail"])
        answer = self.refused("bad_tensor", 400, "POST", self.path("bn", "train"), {"datatype": "float64", **data})
        self.assertIn('did you mean "FP64"?', answer.json["detail"])

    def test_words_of_other_languages(self):
        """The message says what JSON has instead, in a tensor and beside it."""
        self.put_layer()
        for word, code, hint in (
            ("None", "bad_json", "null for None"),
            ("NaN", "bad_json", "no NaN"),
            ("nan", "bad_tensor", "no NaN"),
            ("null", "bad_tensor", "not null"),
            ("Infinity", "bad_json", "no infinity"),
            ("inf", "bad_json", "no infinity"),
            ("True", "bad_json", "writes true"),
            ("undefined", "bad_json", "null for undefined"),
            ("'1'", "bad_json", "double quotes"),
            ('"1"', "bad_tensor", "not a string"),
            (".5", "bad_json", "digit before the point"),
            ("+1", "bad_json", "no +"),
        ):
            told = self.refused(code, 400, "POST", self.path("bn", "train"), '{"data":[[1],[%s]]}' % word)
            self.assertIn(hint, told.json["detail"])
            if code == "bad_json":
                self.assertIn(hint,
                              self.refused(code, 400, "POST", self.path("bn", "train"),
                                           '{"output":%s}' % word).json["detail"])

    def test_masks_and_shapes_that_are_none(self):
        self.put_layer()
        for members, said in (
            ('"mask":["true"]', "expected true, false, 1 or 0, or a list, not a string"),
            ('"mask":[True]', "expected true, false, 1 or 0, or a list, not 'T' (JSON writes true)"),
            ('"mask":{"datatype":"BOOL","data":[true,true]}', "a mask has none; leave it out"),
            ('"shape":{"0":2,"1":1}', "Array.from(array)"),
        ):
            told = self.call("POST", self.path("bn", "train"), '{"data":[[1],[2]],%s}' % members,
                             status=400).json["detail"]
            self.assertIn(said, told)

    def test_what_was_found(self):
        """The message shows the value that is wrong."""
        self.put_layer()
        data = {"data": [[[1, 2]], [[3, 4]]]}
        for call, body, shown in (
            ("train", {**data, "output": "no"}, 'it is "no"'),
            ("train", {**data, "lengths": 2}, "it is 2"),
            ("train", {**data, "lengths": [1, -1]}, "it is -1"),
            ("train", {**data, "mask": True}, "it is true"),
            ("train", {**data, "mask": [[1, 2], [0, 1]]}, '"mask" has 2; it must be true or false, 1 or 0 (at byte'),
            ("train", {**data, "sync": {"step": "1", "rank": 2, "world_size": 2}}, "it is 2"),
            ("train", {**data, "sync": {"rank": 0, "world_size": 2}}, '"sync" has no "step", which must be'),
            ("backward", {"input": data, "grad_output": data, "mode": "Train"}, 'it is "Train"'),
            ("statistics/merge", {"mean": [1], "var": [1]}, 'the body has no "count", which must be'),
            ("statistics/merge", {"count": [1], "mean": [1], "var": [1]}, "it is a list"),
        ):
            self.assertIn(shown, self.refused("bad_parameter", 400, "POST", self.path("bn", call), body).json["detail"])

    def test_suggestions_of_routes(self):
        for path, meant in (
            ("/v1/models/m/layers/bn/trian", "train"),
            ("/v1/models/m/layers/bn/predict", "infer"),
            ("/v1/models/m/layers/bn/statistic", "statistics"),
            ("/v1/models/m/layers/bn/statistics/merged", "merge"),
            ("/v1/models/m/layer/bn", "layers"),
            ("/v1/model", "models"),
            ("/V1/models", "v1"),
            ("/v2/health/life", "live"),
            ("/v3", "v2"),
            ("/v2/models/m/steady", "ready"),
        ):
            told = self.refused("no_such_route", 404, "POST", path, "[[1]]").json["detail"]
            self.assertEqual(told, f'there is no route "{path}"; did you mean "{meant}"?')
        for path in ("/v1/models/m/layers/bn/x", "/models", "/v1", "/v1/models/m/ready", "/" + "a" * 300,
                     "/v1/models/m/layers/bn/train/train/train"):
            self.assertNotIn("did you mean", self.refused("no_such_route", 404, "POST", path, "[[1]]").json["detail"])

    def test_media_types(self):
        self.put_layer()
        body, path = '{"data":[[1],[2]]}', self.path("bn", "train")
        for good in ("application/json", "application/json; charset=utf-8", "application/ld+json", "", "text/plain",
                     "text/plain;charset=UTF-8"):
            self.call("POST", path, body, {"Content-Type": good}, status=200)
        for bad in ("text/plain; charset=utf-16", "text/html", "application/octet-stream", "application/x-npyz"):
            self.refused("unsupported_media_type", 415, "POST", path, body, {"Content-Type": bad})
        self.refused("unsupported_media_type", 415, "POST", path, body, {"Content-Encoding": "br"})
        for good in ("*/*", "application/json", "text/html, application/*;q=0.5", "application/json;q=0.1, */*;q=0"):
            self.call("POST", path, body, {"Accept": good}, status=200)
        for bad in ("text/html", "application/json;q=0", "application/x-npyz"):
            self.refused("not_acceptable", 406, "POST", path, body, {"Accept": bad})

    def test_sizes(self):
        self.put_layer()
        path = self.path("bn", "train")
        large = '{"data":[' + ",".join(["[1]"] * 80000) + "]}"
        self.refused("body_too_large", 413, "POST", path, large)
        self.refused("body_too_large", 413, "POST", path, large, {"Transfer-Encoding": "chunked"})
        answer = self.raw(b"POST " + path.encode() +
                          b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400000\r\nExpect: 100-continue\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        answer = self.raw(b"POST " + path.encode() +
                          b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        self.refused("body_too_large", 413, "POST", path, '{"shape":[1000000,1000000],"data":[1]}')
        self.refused("bad_tensor", 400, "POST", path, '{"shape":[4294967296,4294967296,4294967296],"data":[1]}')
        self.refused("bad_tensor", 400, "POST", path, "[" * 200)
        self.refused("bad_json", 400, "POST", path, '{"a":' + "[" * 200)
        self.refused("bad_parameter", 400, "DELETE", self.path(), '{"a":1}')

    def test_pieces(self):
        self.put_layer()
        body = b'{"shape":[2,2],"data":[1.25e0,-2,3.5,4]}'
        head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (
            self.path("bn", "train").encode(), len(body))
        with self.daemon.connect() as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in head + body:
                s.sendall(bytes([byte]))
            answer = s.recv(65536)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        chunked = self.call("POST", self.path("bn", "train"), body, {"Transfer-Encoding": "chunked"}).json
        self.assertEqual(json.loads(answer.partition(b"\r\n\r\n")[2])["data"], chunked["data"])

    def test_a_large_answer_is_streamed_whole(self):
        rows = [[i * 0.37 - 1000, i % 7] for i in range(6000)]
        self.put_layer()
        answer = self.call("POST", self.path("bn", "train"), {"data": rows}).json
        self.assertEqual((len(answer["data"]), answer["num_batches_tracked"]), (6000, 1))
        again = self.call("POST", self.path("bn", "train"), {"shape": [6000, 2], "data": sum(rows, [])}).json
        self.assertEqual(again["data"], sum(answer["data"], []))

    def test_head(self):
        answer = self.call("HEAD", "/v1/models")
        self.assertEqual((answer.body.strip(), answer.headers["content-type"]), ("", "application/json"))

    def test_request_ids_and_the_log(self):
        mine = "trace-1.2:3/4=5+6@7"
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        self.assertEqual(self.call("GET", "/v1/models",
                                   headers={"X-Request-Id": mine,
                                            "traceparent": trace}).headers["x-request-id"], mine)
        made = {self.call("GET", "/v1/models", headers={"X-Request-Id": bad}).headers["x-request-id"]
                for bad in ("sp ace", "x" * 129, '"')}
        self.assertEqual(len(made), 3)
        self.assertTrue(all(re.fullmatch(r"[0-9a-f]{16}", one) for one in made))
        refused = self.refused("no_such_model", 404, "GET", "/v1/models/none")
        self.assertEqual(refused.json["request_id"], refused.headers["x-request-id"])
        time.sleep(0.2 * PATIENCE)
        lines = [line for line in self.daemon.log_lines() if line["message"] == "request"]
        line = next(line for line in lines if line["request_id"] == mine)
        self.assertEqual((line["method"], line["target"], line["status"], line["traceparent"], line["client"]),
                         ("GET", "/v1/models", 200, trace, "127.0.0.1"))
        self.assertGreaterEqual(line["duration_ms"], 0)
        line = next(line for line in lines if line["request_id"] == refused.json["request_id"])
        self.assertEqual((line["status"], line["code"]), (404, "no_such_model"))
        self.assertEqual(sum(line["request_id"] == mine for line in lines), 1)

    def test_hostile_framing(self):
        body = b'{"kind":"layer_norm","normalized_shape":[1],"data":[[1]]}'
        chunk = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
        length = b"Content-Length: %d\r\n" % len(body)
        for headers, payload in (
            (b"Host: localhost\r\n" + length + b"Transfer-Encoding: chunked\r\n", chunk),
            (b"Host: localhost\r\n" + length + b"Content-Length: 5\r\n", body),
            (b"Host: localhost\r\nHost: 127.0.0.1\r\n" + length, body),
            (length, body),
            (b"Host: localhost\r\nContent-Length : %d\r\n" % len(body), body),
            (b"Host: localhost\r\nContent-Length: +57\r\n", body),
            (b"Host: localhost\r\nTransfer-Encoding: gzip, chunked\r\n", chunk),
            (b"Host: localhost\r\nTransfer-Encoding: identity\r\n", body),
            (b"Host: localhost\r\nX-Bad: a\x01b\r\n" + length, body),
        ):
            with self.subTest(headers=headers):
                answer = self.raw(b"POST /v1/normalize HTTP/1.1\r\n" + headers + b"\r\n" + payload)
                self.assertRegex(answer, rb"^HTTP/1\.1 400 |^$")
                self.assertNotIn(b"HTTP/1.1 200", answer)
        answer = self.raw(b"POST /v1/normalize HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
        self.assertNotIn(b" 200 ", answer.split(b"\r\n")[0])
        answer = self.raw(b"POST /v1/normalize HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n" + body)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)

    def test_pipelining_and_keep_alive_over_errors(self):
        one = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
        none = b"GET /v1/none HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = self.raw(one + none + one)
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+) ", answer), [b"200", b"404", b"200"])
        client = self.daemon.client()
        for body, status in (('{"data":', 400), ('{"kind":"layer_norm","normalized_shape":[1],"data":[[1]]}', 200)) * 3:
            self.assertEqual(client.request("POST", "/v1/normalize", body).status, status)
        client.close()

    def test_clients_that_stop_in_the_middle(self):
        self.put_layer()
        head = b"POST " + self.path("bn",
                                    "train").encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        for part in (head[:10], head, head + b'{"data":[[1,2],[3,', head + b"x" * 999):
            with self.daemon.connect() as s:
                s.sendall(part)
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json["num_batches_tracked"], 0)


class Idle(unittest.TestCase):
    def test_idle_connections_do_not_hold_up_the_stop(self):
        daemon = Daemon()
        idle = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(50)]
        began = time.monotonic()
        daemon.stop()
        self.assertLess(time.monotonic() - began, 10 * PATIENCE)
        for s in idle:
            s.close()
        daemon.close()


if __name__ == "__main__":
    unittest.main()
