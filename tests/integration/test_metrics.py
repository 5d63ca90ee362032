# SPDX-License-Identifier: MIT
"""GET /metrics: what Prometheus accepts, and numbers that agree with what was asked."""

import gzip
import json
import re
import subprocess
import time
import unittest

from normd import PATIENCE, ClientTest

ACCEPT = ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
          "text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
TYPE = "text/plain; version=0.0.4; charset=utf-8"
ROUTE = "/v1/models/{model}/layers/{layer}/"


def parse(text):
    """{'name{labels}': value}"""
    return {series: float(value) for series, value in
            (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}


class MetricsTest(ClientTest):
    """Tests that use one connection alone: its requests are counted before the next one begins."""

    def make_layer(self):
        self.ask("PUT", self.path(), {"kind": "batch_norm"}, status=201)

    def scrape(self):
        return parse(self.ask("GET", "/metrics").body)

    def grown(self, before):
        return {series: value - before.get(series, 0) for series, value in self.scrape().items()
                if value != before.get(series, 0)}


class Metrics(MetricsTest):
    def test_promtool_accepts_them(self):
        self.make_layer()
        self.ask("POST", self.path("bn", "train"), [[1, 2], [3, 5]])
        text = self.ask("GET", "/metrics").raw
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, b""))
        self.assertEqual(text[-1:], b"\n")

    def test_type_and_methods(self):
        for headers, status in (({}, 200), ({"Accept": ACCEPT}, 200), ({"Accept": "text/*"}, 200),
                                ({"Accept": "application/json"}, 406), ({"Accept": "text/plain;q=0"}, 406)):
            answer = self.client.request("GET", "/metrics?any=query", headers=headers)
            self.assertEqual(answer.status, status, headers)
            if status == 200:
                self.assertEqual(answer.headers["content-type"], TYPE)
        head = self.client.request("HEAD", "/metrics")
        self.assertEqual((head.status, head.headers["content-type"], head.raw), (200, TYPE, b""))
        self.assertGreater(int(head.headers["content-length"]), 1000)
        self.assertEqual(self.client.request("OPTIONS", "/metrics").headers["allow"], "GET, HEAD, OPTIONS")
        self.assertEqual(self.client.request("POST", "/metrics").status, 405)

    def test_gzip(self):
        answer = self.client.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        self.assertIn(b"# TYPE normd_http_requests_total counter\n", gzip.decompress(answer.raw))

    def test_requests_by_route_and_status(self):
        before = self.scrape()
        self.make_layer()
        for _ in range(3):
            self.ask("POST", self.path("bn", "train"), [[1, 2], [3, 5]])
        self.ask("POST", self.path("bn", "train"), [[1, 2, 3]], status=422)
        for path in ("/no/such/route", "/nor/this"):
            self.ask("GET", path, status=404)
        self.client.request("BREW", "/no/such/route")
        self.client.request("HEAD", self.path())
        grown = self.grown(before)
        counts = {series: value for series, value in grown.items() if series.startswith("normd_http_requests_total")}
        self.assertEqual(counts, {f'normd_http_requests_total{{route="{route}",method="{method}",status="{status}"}}': n
                                  for route, method, status, n in (
                                      (ROUTE + "train", "POST", 200, 3), (ROUTE + "train", "POST", 422, 1),
                                      (ROUTE[:-1], "PUT", 201, 1), (ROUTE[:-1], "HEAD", 200, 1),
                                      ("none", "GET", 404, 2), ("none", "other", 404, 1),
                                      ("/metrics", "GET", 200, 1))})
        self.assertEqual(grown['normd_http_errors_total{code="no_such_route"}'], 3)
        self.assertEqual(grown['normd_http_errors_total{code="shape_mismatch"}'], 1)

    def test_durations_and_phases(self):
        self.make_layer()
        before = self.scrape()
        body = json.dumps([[1, 2], [3, 5]])
        self.ask("POST", self.path("bn", "train"), body)
        grown = self.grown(before)
        name, labels = "normd_http_request_duration_seconds", f'route="{ROUTE}train",method="POST"'
        self.assertEqual(grown[f"{name}_count{{{labels}}}"], 1)
        self.assertEqual(grown[f'{name}_bucket{{{labels},le="+Inf"}}'], 1)
        for phase in ("commit", "compute"):
            self.assertGreaterEqual(grown[f'normd_http_request_phase_seconds_count{{phase="{phase}"}}'], 1)
        phases = sum(value for series, value in grown.items()
                     if series.startswith("normd_http_request_phase_seconds_sum"))
        whole = sum(value for series, value in grown.items() if series.startswith(name + "_sum"))
        self.assertAlmostEqual(phases, whole, places=9)
        self.assertEqual(grown["normd_http_received_bytes_total"], len(body))
        self.assertGreater(grown["normd_http_sent_bytes_total"], 1000)

    def test_values_changes_keys_and_the_cache(self):
        self.make_layer()
        before = self.scrape()
        for _ in range(2):
            self.ask("POST", self.path("bn", "train"), [[1, 2], [3, 5]], {"Idempotency-Key": '"k"'})
        self.ask("POST", self.path("bn", "infer"), [[1, 2], [3, 5], [7, 9]])
        self.ask("PUT", self.path("bn", "parameters"), {"weight": [1, 1]}, {"If-Match": '"99"'}, status=412)
        grown = self.grown(before)
        for series, value in (('normd_tensor_values_total{operation="train",kind="batch_norm"}', 8),
                              ('normd_tensor_values_total{operation="infer",kind="batch_norm"}', 6),
                              ('normd_store_changes_total{result="ok"}', 2),
                              ('normd_store_changes_total{result="failed"}', 1),
                              ("normd_idempotency_keys_stored_total", 1), ("normd_idempotency_repeats_total", 1)):
            self.assertEqual(grown.get(series), value, series)
        self.assertGreaterEqual(grown["normd_store_commits_total"], 3)
        self.assertEqual(grown["normd_store_commit_duration_seconds_count"], grown["normd_store_commits_total"])
        self.assertGreaterEqual(grown["normd_cache_hits_total"], 1)

    def test_backups(self):
        before = self.scrape()
        self.assertEqual(self.client.request("GET", "/v1/backup").status, 200)
        grown = self.grown(before)
        self.assertEqual(grown['normd_backups_total{result="ok"}'], 1)
        now = self.scrape()
        started = now["process_start_time_seconds"]
        self.assertGreaterEqual(now["normd_backup_last_success_timestamp_seconds"], started - 2)

    def test_figures_of_the_daemon_and_the_process(self):
        now = self.scrape()
        self.assertEqual(now["normd_http_requests_in_flight"], 1)
        self.assertGreaterEqual(now["normd_connections"], 1)
        self.assertEqual(now["normd_store_healthy"], 1)
        self.assertAlmostEqual(now["process_open_fds"], self.daemon.descriptors(), delta=4)  # others are being closed
        self.assertAlmostEqual(now["process_resident_memory_bytes"], self.daemon.memory("VmRSS"), delta=16 << 20)
        self.assertGreater(now["process_cpu_seconds_total"], 0)
        self.assertGreaterEqual(now["process_max_fds"], now["normd_connections_limit"])
        self.assertEqual(now["process_start_time_seconds"], self.scrape()["process_start_time_seconds"])
        self.assertLess(abs(time.time() - now["process_start_time_seconds"]), 600 * PATIENCE)
        for name in ("file_bytes", "filesystem_size_bytes", "filesystem_available_bytes", "queue_limit"):
            self.assertGreater(now["normd_store_" + name], 0, name)
        version = self.ask("GET", "/", headers={"Accept": "application/json"}).json["version"]
        self.assertEqual([series for series in now if series.startswith("normd_build_info{version=")],
                         ['normd_build_info{version="' + version + '"}'])

    def test_what_clients_choose_makes_no_series(self):
        self.ask("GET", "/metrics")
        before = set(self.scrape())
        for i in range(20):
            self.ask("GET", f"/v1/models/m{i}/layers/l{i}/statistics", status=404)
            self.client.request(f"M{i}", f"/r{i}")
        added = {re.sub(r"_bucket|_sum|_count|,?le=\"[^\"]*\"", "", series) for series in set(self.scrape()) - before}
        self.assertLessEqual(len(added), 6, added)


if __name__ == "__main__":
    unittest.main()
