# SPDX-License-Identifier: MIT
"""
The parts of the benchmarks over HTTP that need no wrk and no peer: bodies are what they should be, processes go,
raw SQLite commits what normd would, targets are judged.
"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unittest

from normd import BUILD, ROOT

sys.path.insert(0, os.path.join(ROOT, "bench"))
import contestants  # noqa: E402
import tensors  # noqa: E402

ALONE = True  # it measures rates

COMMITS = os.path.join(BUILD, "bench", "commits")


def load_program(path):
    """A program of bench/ as a module; their names do not end in .py."""
    loader = importlib.machinery.SourceFileLoader(os.path.basename(path), path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module  # where dataclasses look for it
    loader.exec_module(module)
    return module


class Bodies(unittest.TestCase):
    shape = [3, 4, 5]

    def setUp(self):
        self.values = tensors.normal(self.shape, 1)

    def test_both_forms_hold_the_same_float32_values(self):
        for form in (tensors.JSON, tensors.NPY):
            shape, values = tensors.DECODE[form](tensors.ENCODE[form](self.shape, self.values))
            self.assertEqual(shape, self.shape)
            self.assertEqual(struct.pack("60f", *values), self.values.tobytes())

    def test_decimals_are_the_shortest(self):
        self.assertEqual([tensors.shortest(struct.unpack("f", struct.pack("f", v))[0])
                          for v in (0.1, 16777216, 0.3333333432674408)],
                         ["0.1", "16777216", "0.33333334"])

    def test_npy_data_is_aligned(self):
        body = tensors.encode_npy(self.shape, self.values)
        self.assertEqual((len(body) - 4 * len(self.values)) % 64, 0)
        self.assertTrue(body.endswith(self.values.tobytes()))

    def test_unlike_answers_are_told_apart(self):
        same = tensors.encode_json([2, 2], [1, 2, 3, 4])
        for other, words in (([1, 2, 3, 4.01], "value 3"), ([1, 2, 3, float("nan")], "value 3"),
                             ([1, 2, 3], "3 values")):
            answer = json.dumps({"shape": [2, 2], "data": other}).encode()
            self.assertIn(words, tensors.difference(tensors.JSON, same, answer))
        self.assertIsNone(tensors.difference(tensors.JSON, same, tensors.encode_json([2, 2], [1, 2, 3, 4.0001])))


class Backup(unittest.TestCase):
    @unittest.skipUnless(shutil.which("wrk"), "wrk is not installed")
    def test_the_cost_of_backups_is_measured(self):
        done = subprocess.run([os.path.join(ROOT, "bench/backup"), BUILD], capture_output=True, text=True,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "ROUNDS": "1", "SECONDS": "1",
                                   "STORE_MB": "1"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^\| 64 \| [\d,]+ \| [\d,]+ \| \d\.\d\d \|")
        self.assertRegex(done.stdout, r"A backup costs normd \d+\.\d\d s of processor time\.")


class Processes(unittest.TestCase):
    def test_a_contestant_serves_settles_and_goes(self):
        with tempfile.TemporaryDirectory() as directory:
            normd = contestants.Normd(directory)
            try:
                normd.start(os.path.abspath(BUILD))
                status, _ = normd.request("PUT", "/v1/models/m/layers/l", '{"kind":"batch_norm"}')
                self.assertEqual(status, 201)
                normd.settle()
                self.assertGreaterEqual(normd.processor_s(), 0)
            finally:
                normd.stop()
            self.assertIsNotNone(normd.process.poll())
            self.assertRaises(ConnectionRefusedError, normd.request, "GET", "/v1/models")

    def test_one_that_does_not_start_says_why(self):
        with tempfile.TemporaryDirectory() as directory:
            normd = contestants.Normd(directory)
            os.mkdir(os.path.join(directory, "normd", "store.db"))
            with self.assertRaisesRegex(contestants.Failure, "did not start"):
                normd.start(os.path.abspath(BUILD))
            normd.stop()

    def test_a_case_that_there_is_not_is_said(self):
        done = subprocess.run([os.path.join(ROOT, "bench/http"), BUILD, "-k", "no such case"], capture_output=True,
                              text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertEqual((done.returncode, done.stderr), (1, "bench-http: no case's name contains 'no such case'\n"))


class Online(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sys.dont_write_bytecode = True
        cls.online = load_program(os.path.join(ROOT, "bench", "online"))

    def judged(self, rates):
        """The lines on targets, after a race in which all rates are 5,000 except those of `rates` in most rounds."""
        turn = {"rate": 5000, "p50_us": 100, "p99_us": 200, "processor_us": 10}
        turns = {load.name: [turn] * 3 for load in self.online.LOADS}
        for name, rate in rates.items():
            turns[name] = [{**turn, "rate": r} for r in (1e6, rate, rate)]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self.online.report(turns)
        return [line for line in out.getvalue().splitlines() if line.startswith("- ")]

    def test_targets_are_judged_by_medians(self):
        self.assertTrue(all(line.startswith("- reached: ") for line in self.judged({})))
        missed = {self.online.SINGLES.name: 4499, self.online.TOTALS.name: 4999, self.online.POOL.name: 4749}
        lines = self.judged(missed)
        self.assertEqual([line.partition(":")[0] for line in lines], ["- not reached"] * 3, lines)

    @unittest.skipUnless(shutil.which("wrk"), "wrk is not installed")
    def test_it_measures(self):
        done = subprocess.run([os.path.join(ROOT, "bench/online"), BUILD], capture_output=True, text=True,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "ROUNDS": "1", "SECONDS": "1",
                                   "SOURCES": "5"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for load in ("train 1×16, by running statistics", "PUT totals of 5 sources", "infer 8×256, 5 sources"):
            self.assertRegex(done.stdout, rf"(?m)^\| {load} \| [\d,]+ \|")


class Versions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sys.dont_write_bytecode = True
        cls.versions = load_program(os.path.join(ROOT, "bench", "versions"))

    def judged(self, later_ms, rates):
        """The lines on targets, after a race with these figures in most rounds; without them all rates are 1,000."""
        versions = self.versions
        turn = {"rate": 1000, "p50_us": 100, "p99_us": 5000, "max_us": 9000, "processor_us": 10}
        race = {load.name: [turn] * 3 for load in (versions.TRAIN, *versions.INFERS)}
        for load, rate in rates.items():
            race[load] = [{**turn, "rate": r} for r in (1e6, rate, rate)]
        race[versions.BESIDE.name] = [{**turn, "p99_us": 5000 + 1000 * ms, "versions": 7, "seconds": 0.05}
                                      for ms in (0, later_ms, later_ms)]
        for name in (versions.ALL, versions.ONE, versions.EXPORT, versions.IMPORT, versions.COPY):
            race[name] = [{"seconds": 0.01, "bytes": 10**6}] * 3
        with contextlib.redirect_stdout(io.StringIO()) as out:
            versions.report(race)
        return [line for line in out.getvalue().splitlines() if line.startswith("- ")]

    def test_targets_are_judged_by_medians(self):
        lines = self.judged(20, {})
        self.assertEqual([line.partition(":")[0] for line in lines], ["- reached"] * 4, lines)
        self.assertIn("20 ms later at the 99th percentile: 20.00", lines[0])
        slower = {load.name: 949 for load in (self.versions.PINNED, self.versions.ALIAS, self.versions.SERVING)}
        lines = self.judged(20.1, slower)
        self.assertEqual([line.partition(":")[0] for line in lines], ["- not reached"] * 4, lines)

    @unittest.skipUnless(shutil.which("wrk"), "wrk is not installed")
    def test_it_measures(self):
        done = subprocess.run([os.path.join(ROOT, "bench/versions"), BUILD], capture_output=True, text=True,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "ROUNDS": "1", "SECONDS": "1",
                                   "LAYERS": "3"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^\| while versions are made \| [\d,]+ \| [\d.]+ / [\d.]+ / [\d.]+ \|")
        self.assertRegex(done.stdout, r"(?m)^\| one layer has changed \| [\d.]+ \| [\d,.e+]+ \|")
        for load in ("`?version=1`", "`?version=champion`", "a version that serves", "live, with `expect`"):
            self.assertIn(f"\n| {load} | ", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^\| import \| [\d,.]+ \| [\d.]+ \|")


class Oip(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sys.dont_write_bytecode = True
        cls.oip = load_program(os.path.join(ROOT, "bench", "oip"))

    def test_bodies_are_as_long_as_they_say(self):
        for race in self.oip.make_races():
            for load in (race.rival, race.protocol):
                for option in load.options:
                    document = json.loads(load.body[:int(option.rpartition(":")[2])])
                    sizes = [each["parameters"]["binary_data_size"] for each in document["inputs"]]
                    self.assertEqual(len(load.body) - int(option.rpartition(":")[2]), sum(sizes))
                    self.assertEqual(len(sizes), load.layers)

    def test_targets_are_judged_by_the_ratios_of_tensors(self):
        race = self.oip.make_races()[1]
        race.rival.turns = [{"rate": 1000, "processor_us": 10}] * 3
        for rate, verdict in ((57, "reached"), (56, "not reached")):  # of 16 layers each
            race.protocol.turns = [{"rate": rate, "processor_us": 160}] * 3
            with contextlib.redirect_stdout(io.StringIO()) as out:
                self.oip.report([race])
            self.assertIn(f"\n- {verdict}: 16 layers 8×16, at least 0.9 of the rate by .npy: 0.9", out.getvalue())
            self.assertIn(f"| {16 * rate / 1000:.2f} | 1.00 |", out.getvalue())

    @unittest.skipUnless(shutil.which("wrk"), "wrk is not installed")
    def test_it_measures(self):
        done = subprocess.run([os.path.join(ROOT, "bench/oip"), BUILD, "-k", "binary 8"], capture_output=True,
                              text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "ROUNDS": "1",
                                              "SECONDS": "1"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^\| binary 8×16 \| [\d,]+ \| [\d,]+ \| [\d.]+ \| [\d.]+ \|")


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sys.dont_write_bytecode = True
        cls.train = load_program(os.path.join(ROOT, "bench", "train"))

    @unittest.skipUnless(os.path.exists(COMMITS), "build/bench/commits is not built")
    def test_raw_sqlite_writes_the_row_that_normd_writes(self):
        body = tensors.encode_json([8, 16], tensors.normal([8, 16], 1))
        with tempfile.TemporaryDirectory() as directory:
            path = self.train.make_raw_store(os.path.abspath(BUILD), directory, body)
            result = self.train.run_commits(os.path.abspath(BUILD), path, 0.05)
            self.assertGreater(result["requests"], 0)
            self.assertGreater(result["rate"], 0)
            self.assertLessEqual(result["p50_us"], result["p99_us"])
            with contextlib.closing(sqlite3.connect(path)) as db:
                rows = db.execute(
                    "SELECT revision, num_batches_tracked, length(running_mean), length(running_var) "
                    "FROM state").fetchall()
            self.assertEqual(len(rows), 1)
            revision, batches, *lengths = rows[0]
            self.assertEqual(lengths, [128, 128])
            self.assertEqual(revision, batches)
            self.assertGreater(revision, result["requests"])  # those that were not counted are there too

    @unittest.skipUnless(os.path.exists(COMMITS), "build/bench/commits is not built")
    def test_raw_sqlite_says_what_is_wrong(self):
        with tempfile.TemporaryDirectory() as directory:
            with self.assertRaisesRegex(contestants.Failure, "unable to open"):
                self.train.run_commits(os.path.abspath(BUILD), os.path.join(directory, "none.db"), 0.05)

    def turns(self, rate, latency_us):
        """The result of a race in which all medians except normd's are equal."""
        turn = {"rate": 1000, "p50_us": 100, "p99_us": 200, "processor_us": 10}
        turns = {(load.name, name): [turn] for load in self.train.LOADS for name in ("normd", "peer")}
        ours = {**turn, "rate": rate, "p50_us": latency_us}
        for load in self.train.LOADS:
            turns[load.name, "normd"] = [{**ours, "rate": 0, "p50_us": 1e6}, ours, {**ours, "rate": 1e6, "p50_us": 0}]
        return {**turns, (self.train.RAW, self.train.RAW): [turn]}

    def report(self, rate, latency_us):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self.train.report(self.turns(rate, latency_us))
        return out.getvalue()

    def test_targets_are_judged_by_medians(self):
        lines = [line for line in self.report(20_000, 150).splitlines() if line.startswith("- ")]
        self.assertEqual(len(lines), len(self.train.TARGETS))
        self.assertTrue(all(line.startswith("- reached: ") for line in lines), lines)
        self.assertIn("- reached: one layer, at least 20 times the peer: 20.00", lines)

    def test_targets_that_are_not_reached_are_reported(self):
        lines = [line for line in self.report(2_999, 151).splitlines() if line.startswith("- ")]
        missed = [line for line in lines if line.startswith("- not reached: ")]
        self.assertEqual(len(missed), len(lines) - 1)  # half of the rate on one layer is met still
        self.assertIn("- not reached: a lone client's median latency, at most 1.5 times one SQLite commit: 1.51", lines)

    def test_the_peer_takes_no_part_where_there_are_keys(self):
        self.assertIn("| one layer, 64 connections, with keys | 20,000 |  | 1,000 |", self.report(20_000, 150))
