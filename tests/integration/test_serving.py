# SPDX-License-Identifier: MIT
"""What serves: publishing, rolling back, the history of that, and switches under load."""

import contextlib
import http.client
import itertools
import os
import re
import tempfile
import threading
import unittest

from normd import PATIENCE, Daemon, wait_for
from versions import ROWS, VersionsTest

TIME = re.compile(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


class ServingTest(VersionsTest):
    def make_versions(self, count):
        """Versions that answer differently; what they and the live state answer, by number and "live"."""
        self.put()
        answers = {}
        for number in range(1, count + 1):
            self.train()
            self.assertEqual(self.make(), number)
            answers[number] = self.infer(f"?version={number}").raw
        self.train()
        answers["live"] = self.infer("?version=live").raw
        self.assertEqual(len(set(answers.values())), count + 1)
        return answers

    def served(self, query=""):
        """The version that inference says it used, and its answer."""
        answer = self.infer(query)
        said = answer.headers["normd-version"]
        return said if said == "live" else int(said), answer.raw

    def history(self, limit=100):
        return [(row["from"], row["to"], row["note"])
                for row in self.pages(self.of_model("serving/history"), "history", limit)]


class Serving(ServingTest):
    def test_publish_and_roll_back(self):
        answers = self.make_versions(2)
        self.assertEqual(self.ask("GET", self.of_model("serving")).json, {"time": None, "version": "live", "note": ""})
        self.assertEqual(self.served(), ("live", answers["live"]))
        expected = []
        for asked, now in ((1, 1), ("2", 2), ("previous", 1), ("previous", 2), ("live", "live"), ("previous", 2),
                           (1.0, 1)):
            note = f"to {asked}"
            expected.insert(0, (expected[0][1] if expected else "live", now, note))
            answer = self.serve(asked, note).json
            self.assertRegex(answer.pop("time"), TIME)
            self.assertEqual(answer, {"version": now, "note": note})
            self.assertEqual({**self.ask("GET", self.of_model("serving")).json, "time": ""}, {**answer, "time": ""})
            self.assertEqual(self.served(), (now, answers[now]))
            self.assertEqual(self.served("?version=live"), ("live", answers["live"]))
        self.assertEqual(self.history(), expected)
        for limit in (1, 2, 3, 7, 8):
            self.assertEqual(self.history(limit), expected)

    def test_inference_alone_reads_what_serves(self):
        self.make_versions(1)
        self.serve(1)
        for path, version, revision in (("/affine", "1", "1"), ("", "live", "2"), ("/statistics", "live", "2"),
                                        ("/parameters", "live", "2")):
            answer = self.ask("GET", self.path() + path)
            self.assertEqual((answer.headers["normd-version"], answer.headers["normd-revision"]), (version, revision))
            other = self.ask("GET", self.path() + path + "?version=1")
            self.assertEqual((other.headers["normd-version"], other.headers["normd-revision"]), ("1", "1"))
        self.assertEqual(self.ask("GET", self.path("bn", "affine")).raw,
                         self.ask("GET", self.path("bn", "affine?version=1")).raw)
        trained = self.train().json
        self.assertEqual((trained["revision"], trained["num_batches_tracked"]), (3, 3))
        gradients = self.ask("POST", self.path("bn", "backward"),
                             {"input": [[1, 2]], "grad_output": [[1, 1]], "mode": "infer"})
        self.assertNotIn("normd-version", gradients.headers)
        self.assertEqual(self.served()[0], 1)
        for call in ("train", "backward"):
            self.wrong("bad_parameter", "POST", self.path("bn", call + "?version=1"), {"data": [[1, 2], [2, 3]]})

    def test_what_serves_already_changes_nothing(self):
        self.make_versions(2)
        self.alias("a", 1, status=201)
        self.assertEqual(self.serve("live", "never").json, {"time": None, "version": "live", "note": ""})
        first = self.serve(1, "first").json
        for again in (1, "1", "a"):
            self.assertEqual(self.serve(again, "again").json, first)
        self.assertEqual(self.history(), [("live", 1, "first")])
        self.assertEqual(self.ask("PUT", self.of_model("serving"), self.ask("GET", self.of_model("serving")).json).json,
                         first)
        self.assertEqual(self.serve("previous").json["version"], "live")

    def test_an_alias_is_resolved_once(self):
        answers = self.make_versions(2)
        self.alias("champion", 1, status=201)
        self.assertEqual(self.serve("champion").json["version"], 1)
        self.alias("champion", 2)
        self.assertEqual(self.served(), (1, answers[1]))
        self.assertEqual(self.serve("champion").json["version"], 2)
        self.ask("DELETE", self.of_model("aliases/champion"), status=204)
        self.assertEqual(self.served(), (2, answers[2]))

    def test_the_previous_one(self):
        """There is none, or it was deleted: nothing changes."""
        self.make_versions(3)
        self.assertIn("nothing but live", self.not_found("no_such_version", "PUT", self.of_model("serving"),
                                                         {"version": "previous"}))
        self.serve(1)
        self.serve(2)
        self.assertIn("is what inference is served from",
                      self.wrong("version_in_use", "DELETE", self.of_model("versions/2"), status=409))
        self.ask("DELETE", self.of_model("versions/1"), status=204)
        self.assertIn("version 1 of model",
                      self.not_found("no_such_version", "PUT", self.of_model("serving"), {"version": "previous"}))
        self.assertEqual(self.history(), [(1, 2, ""), ("live", 1, "")])
        self.serve(3)
        self.assertEqual(self.serve("previous").json["version"], 2)

    def test_what_does_not_exist(self):
        self.make_versions(1)
        self.serve(1)
        for version in (2, "2", 0, "0", "00", 2**63 - 1, 2**63, "9" * 40):
            self.not_found("no_such_version", "PUT", self.of_model("serving"), {"version": version})
        for version in ("none", "1a", "Live"):
            self.not_found("no_such_alias", "PUT", self.of_model("serving"), {"version": version})
        self.not_found("no_such_version", "POST", self.path("bn", "infer?version=2"), {"data": [[1, 2]]})
        self.not_found("no_such_alias", "POST", self.path("bn", "infer?version=previous"), {"data": [[1, 2]]})
        for query in ("", "%20", "-1", "a%20b", "%C3%BC"):
            self.wrong("bad_parameter", "POST", self.path("bn", "infer?version=" + query), {"data": [[1, 2]]})
        self.assertIn("version 1", self.not_found("no_such_layer", "POST", self.path("none", "infer"),
                                                  {"data": [[1, 2]]}))
        self.put("late")
        self.assertIn("version 1", self.not_found("no_such_layer", "POST", self.path("late", "infer"),
                                                  {"data": [[1, 2]]}))
        for method, path, body in (("GET", "serving", None), ("PUT", "serving", {"version": "live"}),
                                   ("GET", "serving/history", None)):
            self.not_found("no_such_model", method, "/v1/models/none-of-these/" + path, body)
        self.assertEqual(self.history(), [("live", 1, "")])

    def test_bodies(self):
        self.make_versions(1)
        path = self.of_model("serving")
        for version in ("", "a b", "ü", -1, 1.5, True, [1], {}, "x" * 129):
            self.assertIn('"live" or "previous"', self.wrong("bad_parameter", "PUT", path, {"version": version}))
        for body in ({}, {"version": None}, {"note": "x"}):
            self.assertIn('has no "version"', self.wrong("bad_parameter", "PUT", path, body))
        for note in (1, True, [], {}, ["x"]):
            self.assertIn('"note" must be', self.wrong("bad_parameter", "PUT", path, {"version": 1, "note": note}))
        self.assertIn("1001 bytes", self.wrong("bad_parameter", "PUT", path, {"version": 1, "note": "x" * 1001}))
        self.wrong("bad_parameter", "PUT", path, [1])
        self.wrong("bad_parameter", "PUT", path, {"version": 1, "verison": 1})
        self.wrong("bad_parameter", "PUT", path + "?version=1", {"version": 1})
        self.wrong("bad_json", "PUT", path)
        self.assertEqual(self.history(), [])
        for i, note in enumerate(("😀" * 250, "\x01\x1f\"\\" * 250, "\u2028é\n", "")):
            version = (1, "live")[i % 2]
            self.assertEqual(self.serve(version, note).json["note"], note)
            self.assertEqual(self.history()[0][2], note)
            self.assertEqual(self.serve(version, "another").json["note"], note)

    def test_it_is_its_models(self):
        """It outlives a restart with its history, but not its model; another model's is another."""
        answers = self.make_versions(2)
        for version in (2, 1, "live", 1):
            self.serve(version, f"note {version}")
        before = self.history(), self.ask("GET", self.of_model("serving")).raw
        for kill in (False, True):
            self.restart(kill)
            self.assertEqual(self.served(), (1, answers[1]))
            self.assertEqual((self.history(), self.ask("GET", self.of_model("serving")).raw), before)
        self.assertEqual(self.serve("previous").json["version"], "live")
        self.serve(2)
        self.ask("PUT", "/v1/models/other-of-serving/layers/bn", {"kind": "batch_norm"}, status=201)
        self.assertEqual(self.ask("GET", "/v1/models/other-of-serving/serving").json["version"], "live")
        self.ask("DELETE", self.of_model(), status=204)
        self.put()
        self.train()
        self.assertEqual(self.served()[0], "live")
        self.assertEqual(self.history(), [])
        self.not_found("no_such_version", "PUT", self.of_model("serving"), {"version": "previous"})
        self.not_found("no_such_version", "PUT", self.of_model("serving"), {"version": 2})

    def test_a_backup_has_it(self):
        answers = self.make_versions(2)
        self.serve(1, "kept")
        self.ask("PUT", self.of_model("aliases/a"), {"version": 2}, status=201)
        with tempfile.TemporaryDirectory(prefix="normd-test-") as directory:
            path = os.path.join(directory, "backup.db")
            with open(path, "wb") as f:
                f.write(self.ask("GET", "/v1/backup").raw)
            other = Daemon(store="sqlite:" + path)
            self.addCleanup(other.close)
            for query, version in (("", 1), ("?version=a", 2)):
                answer = other.curl("POST", self.path("bn", "infer") + query, {"data": ROWS})
                self.assertEqual((answer.headers["normd-version"], answer.raw), (str(version), answers[version]))
            for path in (self.of_model("versions/2"), self.of_model("serving/history")):
                self.assertEqual(other.curl("GET", path).raw, self.ask("GET", path).raw)

    def test_pages_of_the_history(self):
        self.make_versions(1)
        for i in range(20):
            self.serve(("live", 1)[(i + 1) % 2], str(i))
        notes = [str(i) for i in reversed(range(20))]
        for limit in (1, 3, 19, 20, 21, 1000):
            self.assertEqual([note for _, _, note in self.history(limit)], notes)
        first = self.ask("GET", self.of_model("serving/history?limit=5")).json
        self.serve(1, "later")
        rest = self.ask("GET", self.of_model(f"serving/history?after={first['next']}")).json
        self.assertEqual([row["note"] for row in first["history"] + rest["history"]], notes)
        for query in ("limit=0", "limit=1001", "after=0", "after=-1", "after=x", "after=9223372036854775808", "x=1"):
            self.wrong("bad_parameter", "GET", self.of_model("serving/history?" + query))


class UnderLoad(ServingTest):
    daemon_args = ("--threads", "2")
    READERS = 64
    VERSIONS = 5

    def setUp(self):
        super().setUp()
        self.targets = []  # of all switches that were begun
        self.answered = 0  # how many of these were answered
        self.wrong_answers = []
        self.counts = [0] * self.READERS

    def read(self, reader, path, answers, stop):
        """
        Asks until told to stop. Each answer is wholly of one version, the one that it names; and that is one which
        served between the question and the answer.
        """
        client = self.daemon.client()
        body = '{"data":[[1.5,-2.25],[0.5,3],[-7,0.125]]}'
        while not stop.is_set() or self.counts[reader] == 0:
            first = max(self.answered - 1, 0)
            answer = client.request("POST", path, body)
            said = answer.headers.get("normd-version", "live")
            version = said if said == "live" else int(said)
            if (answer.status != 200 or answers.get(version) != answer.raw or
                    version not in self.targets[first:len(self.targets)]):
                self.wrong_answers.append((answer, version, self.targets[first:]))
                break
            self.counts[reader] += 1
        client.close()

    def switch_under_readers(self, path, switch, times):
        """Calls `switch` with one version after the other, while all read `path`."""
        answers = self.make_versions(self.VERSIONS)
        del answers["live"]
        stop = threading.Event()
        rotation = itertools.cycle(answers)
        readers = [threading.Thread(target=self.read, args=(i, path, answers, stop)) for i in range(self.READERS)]
        for i in range(times):
            self.targets.append(next(rotation))
            switch(self.targets[-1])
            self.answered += 1
            if i == 0:
                for reader in readers:
                    reader.start()
                wait_for(lambda: all(self.counts), "an answer for each reader", 60 * PATIENCE)
            if self.wrong_answers:
                break
        stop.set()
        for reader in readers:
            reader.join()
        self.assertEqual(self.wrong_answers, [])
        self.assertGreater(sum(self.counts), self.READERS)

    def test_what_serves(self):
        self.switch_under_readers(self.path("bn", "infer"), self.serve, 200)
        self.assertEqual(self.history(1000), [(old, new, "") for old, new in
                                              zip(["live", *self.targets], self.targets)][::-1])

    def test_an_alias(self):
        statuses = itertools.chain([201], itertools.repeat(200))
        self.switch_under_readers(self.path("bn", "infer?version=a"),
                                  lambda version: self.alias("a", version, next(statuses)), 50)

    def test_switches_at_once(self):
        """By eight clients: the history is a chain, and its end is what serves."""
        answers = self.make_versions(8)

        def switch(number):
            client = self.daemon.client()
            for target in [number, "live"] * 10:
                answer = client.request("PUT", self.of_model("serving"), {"version": target, "note": str(number)})
                self.assertEqual(answer.status, 200)
            client.close()

        switchers = [threading.Thread(target=switch, args=(number,)) for number in range(1, 9)]
        for switcher in switchers:
            switcher.start()
        for switcher in switchers:
            switcher.join()
        rows = self.history(1000)[::-1]
        self.assertEqual([old for old, _, _ in rows], ["live", *(new for _, new, _ in rows[:-1])])
        for old, new, _ in rows:
            self.assertNotEqual(old, new)
        self.assertEqual(self.ask("GET", self.of_model("serving")).json["version"], rows[-1][1])
        self.assertEqual(self.served(), (rows[-1][1], answers[rows[-1][1]]))


class Kills(ServingTest):
    ROUNDS = 5

    def switch_until_killed(self, what, switch):
        """Switches to versions 1 and 2 in turn. `begun` and `answered` are the targets of all switches of `what`."""
        client = self.daemon.client()
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                target = len(self.begun[what]) % 2 + 1
                self.begun[what].append(target)
                answer = switch(client, target, str(len(self.begun[what])))
                self.answered[what].append((target, answer.status))
        client.close()

    def serve_by(self, client, version, note):
        return client.request("PUT", self.of_model("serving"), {"version": version, "note": note})

    def alias_by(self, client, version, note):
        return client.request("PUT", self.of_model("aliases/a"), {"version": version})

    def test_kill_while_versions_are_switched(self):
        """What was answered is kept, with its place in the history; the switch under way is made wholly or not."""
        answers = self.make_versions(2)
        switches = {"serving": self.serve_by, "aliases/a": self.alias_by}
        self.begun, self.answered = {what: [] for what in switches}, {what: [] for what in switches}
        for _ in range(self.ROUNDS):
            threads = [threading.Thread(target=self.switch_until_killed, args=each) for each in switches.items()]
            before = {what: len(self.answered[what]) for what in switches}
            for thread in threads:
                thread.start()
            wait_for(lambda: all(len(self.answered[what]) > before[what] + 10 for what in switches), "switches")
            self.restart(kill=True)
            for thread in threads:
                thread.join()
            for what, version_query in (("serving", ""), ("aliases/a", "?version=a")):
                self.check_kept(what)
                self.assertEqual(self.served(version_query), (self.begun[what][-1], answers[self.begun[what][-1]]))
            notes = [(old, new, str(i + 1)) for i, (old, new) in
                     enumerate(zip(["live", *self.begun["serving"]], self.begun["serving"]))]
            self.assertEqual(self.history(1000), notes[::-1])

    def check_kept(self, what):
        """Takes back the switch under way if it was not made."""
        begun, answered = self.begun[what], self.answered[what]
        self.assertLessEqual({status for _, status in answered}, {200, 201})
        if self.ask("GET", self.of_model(what)).json["version"] != begun[-1]:
            self.assertEqual(len(answered), len(begun) - 1)
            begun.pop()
        answered[:] = [(target, 200) for target in begun]


if __name__ == "__main__":
    unittest.main()
