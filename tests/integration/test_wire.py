"""HTTP itself: methods, media types, sizes, framing, identification, and clients that misbehave."""

import json
import re
import socket
import time
import unittest

from normd import PATIENCE, Client, DaemonTest, Daemon


class Wire(DaemonTest):
    daemon_args = ("--max-body", "300kB")

    def raw(self, data, timeout=10):
        """What the server says to these bytes until it closes the connection, or is quiet for a second."""
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=timeout * PATIENCE) as s:
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
        self.refused("no_such_route", 404, "GET", "/")
        self.refused("no_such_route", 404, "GET", "/a/b/c/d/e/f/g/h/i/j/k")
        answer = self.refused("method_not_allowed", 405, "POST", "/v1/models")
        self.assertEqual(answer.headers["allow"], "GET, HEAD")
        self.assertEqual(self.call("GET", "/v1/models/").json["next"], None)

    def test_names(self):
        for name in (".dot", "-dash", "sp%20ace", "a%2Fb", "%C3%A9", "x" * 129):
            self.refused("bad_name", 400, "PUT", f"/v1/models/{name}/layers/bn", {"kind": "batch_norm"})
        for bad in ("/v1/models/%00", "/v1/models/a%0", "/v1/models/%zz"):
            self.refused("bad_parameter", 400, "GET", bad)

    def test_query_parameters(self):
        self.put_layer()
        self.refused("bad_parameter", 400, "POST", self.path("bn", "train?ouput=false"), {"data": [[1], [2]]})
        self.refused("bad_parameter", 400, "POST", self.path("bn", "infer?version=1"), {"data": [[1], [2]]})
        self.assertEqual(self.call("GET", "/v2/health/live?probe=1").json, {"live": True})
        self.assertEqual(self.call("GET", "/v2/health/ready/").json, {"ready": True})

    def test_media_types(self):
        self.put_layer()
        body, path = '{"data":[[1],[2]]}', self.path("bn", "train")
        for good in ("application/json", "application/json; charset=utf-8", "application/ld+json", ""):
            self.call("POST", path, body, {"Content-Type": good}, status=200)
        for bad in ("text/plain", "application/octet-stream", "application/x-npyz"):
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
        answer = self.raw(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\nExpect: 100-continue\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        answer = self.raw(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        self.refused("body_too_large", 413, "POST", path, '{"shape":[1000000,1000000],"data":[1]}')
        self.refused("bad_tensor", 400, "POST", path, '{"shape":[4294967296,4294967296,4294967296],"data":[1]}')
        self.refused("bad_json", 400, "POST", path, "[" * 200)
        self.refused("bad_parameter", 400, "DELETE", self.path(), '{"a":1}')

    def test_pieces(self):
        self.put_layer()
        body = b'{"shape":[2,2],"data":[1.25e0,-2,3.5,4]}'
        head = b"POST " + self.path("bn", "train").encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=30 * PATIENCE) as s:
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
        self.assertEqual(self.call("GET", "/v1/models", headers={"X-Request-Id": mine, "traceparent": "00-ab-cd-01"}).headers["x-request-id"], mine)
        made = {self.call("GET", "/v1/models", headers={"X-Request-Id": bad}).headers["x-request-id"] for bad in ("sp ace", "x" * 129, '"')}
        self.assertEqual(len(made), 3)
        self.assertTrue(all(re.fullmatch(r"[0-9a-f]{16}", one) for one in made))
        refused = self.refused("no_such_model", 404, "GET", "/v1/models/none")
        self.assertEqual(refused.json["request_id"], refused.headers["x-request-id"])
        time.sleep(0.2 * PATIENCE)
        lines = [line for line in self.daemon.log_lines() if line["message"] == "request"]
        line = next(line for line in lines if line["request_id"] == mine)
        self.assertEqual((line["method"], line["target"], line["status"], line["traceparent"], line["client"]),
                         ("GET", "/v1/models", 200, "00-ab-cd-01", "127.0.0.1"))
        self.assertGreaterEqual(line["duration_ms"], 0)
        line = next(line for line in lines if line["request_id"] == refused.json["request_id"])
        self.assertEqual((line["status"], line["code"]), (404, "no_such_model"))
        self.assertEqual(sum(line["request_id"] == mine for line in lines), 1)

    def test_hostile_framing(self):
        body = b'{"kind":"layer_norm","normalized_shape":[1],"data":[[1]]}'
        chunk = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
        length = b"Content-Length: %d\r\n" % len(body)
        for headers, payload in (
            (b"Host: x\r\n" + length + b"Transfer-Encoding: chunked\r\n", chunk),
            (b"Host: x\r\n" + length + b"Content-Length: 5\r\n", body),
            (b"Host: x\r\nHost: y\r\n" + length, body),
            (length, body),
            (b"Host: x\r\nContent-Length : %d\r\n" % len(body), body),
            (b"Host: x\r\nContent-Length: +57\r\n", body),
            (b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", chunk),
            (b"Host: x\r\nTransfer-Encoding: identity\r\n", body),
            (b"Host: x\r\nX-Bad: a\x01b\r\n" + length, body),
        ):
            with self.subTest(headers=headers):
                answer = self.raw(b"POST /v1/normalize HTTP/1.1\r\n" + headers + b"\r\n" + payload)
                self.assertRegex(answer, rb"^HTTP/1\.1 400 |^$")
                self.assertNotIn(b"HTTP/1.1 200", answer)
        answer = self.raw(b"POST /v1/normalize HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
        self.assertNotIn(b" 200 ", answer.split(b"\r\n")[0])
        answer = self.raw(b"POST /v1/normalize HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n" + body)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)

    def test_pipelining_and_keep_alive_over_errors(self):
        one = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        none = b"GET /v1/none HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = self.raw(one + none + one)
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+) ", answer), [b"200", b"404", b"200"])
        client = Client(self.daemon.port)
        for body, status in (('{"data":', 400), ('{"kind":"layer_norm","normalized_shape":[1],"data":[[1]]}', 200)) * 3:
            self.assertEqual(client.request("POST", "/v1/normalize", body).status, status)
        client.close()

    def test_clients_that_stop_in_the_middle(self):
        self.put_layer()
        head = b"POST " + self.path("bn", "train").encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        for part in (head[:10], head, head + b'{"data":[[1,2],[3,', head + b"x" * 999):
            with socket.create_connection(("127.0.0.1", self.daemon.port)) as s:
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
