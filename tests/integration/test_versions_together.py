# SPDX-License-Identifier: MIT
"""Versions that are made, read and deleted while others train, hang up, and kill the daemon."""

import contextlib
import http.client
import json
import socket
import threading
import unittest

from digests import ask_layer, version_digest
from normd import PATIENCE, Daemon, LateStore, wait_for
from test_kill import open_copy
from versions import ROWS, VersionsTest, ask_version


class Running:
    """A function in threads, called again and again until the block ends; its first failure is raised then."""

    def __init__(self, *functions):
        self.stop = threading.Event()
        self.failures = []
        self.threads = [threading.Thread(target=self.run, args=(function,)) for function in functions]

    def run(self, function):
        try:
            while not self.stop.is_set() and not self.failures:
                function()
        except Exception as failure:  # noqa: BLE001
            self.failures.append(failure)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        if self.failures and kind is None:
            raise self.failures[0]


class UnderLoad(VersionsTest):
    daemon_args = ("--threads", "2")
    GROUPS, LAYERS = 4, 8

    def revisions(self, version):
        """{group: revisions of its layers in order}, of a version whose digest is right."""
        groups = [[None] * self.LAYERS for _ in range(self.GROUPS)]
        for layer in ask_version(self.client, self.model, version)["layers"]:
            group, place = layer["name"].split(".")
            groups[int(group)][int(place)] = layer["revision"]
        return groups

    def test_a_version_is_one_moment(self):
        """
        Each of four clients trains its layers in lock step, one after the other, by a batch that is the same for all.
        So in a version, the first layers of a client are one update ahead of its last ones, or none, and which update
        a layer is at says what its statistics are.
        """
        for group in range(self.GROUPS):
            for place in range(self.LAYERS):
                self.put(f"{group}.{place}", {"kind": "batch_norm", "averaging": "pooled", "num_features": 2})
        clients = [self.daemon.client() for _ in range(self.GROUPS)]
        rounds = [0] * self.GROUPS

        def train(group):
            rounds[group] += 1
            for place in range(self.LAYERS):
                answer = clients[group].request("POST", self.path(f"{group}.{place}", "train?output=false"),
                                                {"data": [[rounds[group], -1], [rounds[group], 1]]})
                self.assertEqual(answer.status, 200, answer)

        seen = set()
        with Running(*(lambda group=group: train(group) for group in range(self.GROUPS))) as trainers:
            for number in range(1, 26):
                self.assertEqual(self.make(), number)
                wait_for(lambda before=sum(rounds): sum(rounds) > before or trainers.failures, "a round of training")
        for client in clients:
            client.close()
        for number in range(1, 26):
            for group, revisions in enumerate(self.revisions(number)):
                self.assertIn(revisions[0] - revisions[-1], (0, 1), revisions)
                self.assertEqual(revisions, sorted(revisions, reverse=True))
                seen.add(revisions[0] - revisions[-1])
                if number % 8 == 1:
                    self.check_statistics(number, group, revisions)
        self.assertEqual(seen, {0, 1}, "no version was made in the middle of a round")

    def check_statistics(self, number, group, revisions):
        """Of the layers of a client after so many of its batches; every call agrees on them."""
        for place in (0, self.LAYERS - 1):
            path, updates = self.path(f"{group}.{place}"), revisions[place]
            answer = self.ask("GET", path + f"/statistics?version={number}").json
            self.assertEqual((answer["revision"], answer["num_batches_tracked"], answer["count"]),
                             (updates, updates, 2 * updates))
            if updates > 0:
                mean, var = answer["running_mean"]["data"], answer["running_var"]["data"]
                self.assertClose(mean, [(updates + 1) / 2, 0], atol=1e-12)
                self.assertClose(var, [(updates**2 - 1) / 12, 1], rtol=1e-9, atol=1e-12)

    def test_a_change_of_all_layers_is_wholly_in_it_or_not(self):
        """Layers are frozen and thawed together, by the model."""
        for place in range(self.LAYERS):
            self.put(f"l{place}")
        switcher = self.daemon.client()
        switches = [0]

        def switch():
            switches[0] += 1
            answer = switcher.request("PUT", self.of_model("frozen"), {"frozen": switches[0] % 2 == 1})
            self.assertEqual(answer.status, 200, answer)

        seen = set()
        with Running(switch):
            for _ in range(40):
                number = self.make()
                revisions = {layer["revision"] for layer in ask_version(self.client, self.model, number)["layers"]}
                self.assertEqual(len(revisions), 1, revisions)
                frozen = {self.ask("GET", self.path(f"l{place}") + f"?version={number}").json["frozen"]
                          for place in range(self.LAYERS)}
                self.assertEqual(frozen, {revisions.pop() % 2 == 1})
                seen |= frozen
        switcher.close()
        self.assertEqual(seen, {True, False})

    def test_a_version_that_is_deleted_while_it_is_read(self):
        """Each answer is the version's, or says that there is none; after the deletion, all say so."""
        self.put()
        self.train()
        expected, asked, gone, found = {}, [0], [0], []
        clients = [self.daemon.client() for _ in range(8)]
        body = json.dumps({"data": ROWS})

        def read(client):
            version, gone_before = gone[0] + 1, gone[0]
            answer = client.request("POST", self.path("bn", f"infer?version={version}"), body)
            if answer.status == 404:
                self.assertEqual(answer.code, "no_such_version")
                self.assertLessEqual(version, asked[0])
            else:
                self.assertGreater(version, gone_before)
                self.assertEqual((answer.raw, answer.headers["normd-version"]), (expected[version], str(version)))
                found.append(version)

        for number in range(1, 42):
            self.assertEqual(self.make(), number)
            expected[number] = self.infer(f"?version={number}").raw
            self.train()
        with Running(*(lambda client=client: read(client) for client in clients)) as readers:
            for number in range(1, 41):
                wait_for(lambda: number in found or readers.failures, "the version is read")
                asked[0] = number
                self.ask("DELETE", self.of_model("versions", number), status=204)
                gone[0] = number
                self.not_found("no_such_version", "POST", self.path("bn", f"infer?version={number}"), {"data": ROWS})
        for client in clients:
            client.close()
        self.assertEqual(self.numbers(), [41])
        self.assertEqual(self.infer("?version=41").raw, expected[41])


def pins(daemon):
    """How many snapshots are kept that are not versions yet."""
    with open_copy(daemon.store[len("sqlite:"):]) as db:
        return db.execute("SELECT count(*) FROM version WHERE number IS NULL AND gone = 0").fetchone()[0]


class Held(unittest.TestCase):
    """While the making of a version is held up at one of its steps."""

    def hold(self, at):
        """A daemon with a model of two trained layers, whose versions wait at that step."""
        self.daemon = LateStore("--threads", "4", at=at)
        self.addCleanup(self.daemon.close)
        for layer in "ab":
            self.ask("PUT", f"layers/{layer}", {"kind": "batch_norm", "num_features": 2})
            self.train(layer)

    def ask(self, method, path, body=None, headers=None):
        answer = self.daemon.curl(method, "/v1/models/m/" + path, body, headers)
        self.assertLess(answer.status, 300, answer)
        return answer.json if answer.raw else None

    def train(self, layer):
        self.ask("POST", f"layers/{layer}/train?output=false", {"data": [[1, 20], [3, 40]]})

    def digest(self):
        """Of a version that would be made now."""
        client = self.daemon.client()
        with contextlib.closing(client):
            layers = client.request("GET", "/v1/models/m").json["layers"]
            return version_digest({layer["name"]: ask_layer(client, f"/v1/models/m/layers/{layer['name']}")
                                   for layer in layers})

    def begin(self, headers=None):
        """Asks for a version; what waits for the answer, once the step is reached."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            self.daemon.curl("POST", "/v1/models/m/versions", {"note": "held"}, headers)))
        thread.start()
        self.daemon.wait_until_asked()

        def end():
            self.daemon.go()
            thread.join()
            return answers[0]

        return end

    def assert_no_pins(self):
        wait_for(lambda: pins(self.daemon) == 0, "no pin is left")

    def test_layers_move_on_after_the_pin(self):
        """The version is what was pinned, whatever has become of it when it is made."""
        for at in ("states", "version"):
            self.hold(at)
            before = self.digest()
            end = self.begin()
            self.assertEqual(pins(self.daemon), 1)
            self.train("a")
            self.ask("PUT", "layers/c", {"kind": "layer_norm", "normalized_shape": [3]})
            self.ask("PUT", "frozen", {"frozen": True})
            self.ask("PUT", "frozen", {"frozen": False})
            self.ask("DELETE", "layers/b")
            answer = end()
            self.assertEqual((answer.status, answer.json["version"], answer.json["digest"]), (201, 1, before))
            self.assertEqual([(layer["name"], layer["revision"]) for layer in self.ask("GET", "versions/1")["layers"]],
                             [("a", 1), ("b", 1)])
            self.assert_no_pins()

    def test_layers_move_on_before_the_pin(self):
        self.hold("pin")
        end = self.begin()
        self.train("a")
        after = self.digest()
        self.assertEqual(end().json["digest"], after)

    def test_the_model_is_deleted_meanwhile(self):
        """Also if there is a new one of its name."""
        for at in ("states", "version"):
            for again in (False, True):
                self.hold(at)
                end = self.begin()
                self.ask("DELETE", "")
                if again:
                    self.ask("PUT", "layers/a", {"kind": "batch_norm"})
                answer = end()
                self.assertEqual(answer.status, 404, answer)
                self.assert_no_pins()
                self.ask("PUT", "layers/b", {"kind": "batch_norm"})
                self.assertEqual(self.ask("GET", "versions")["versions"], [])
                self.assertEqual(self.ask("POST", "versions")["version"], 1)

    def test_a_key_is_in_flight(self):
        for at in ("pin", "states", "version"):
            self.hold(at)
            key = {"Idempotency-Key": "k"}
            end = self.begin(key)
            for body in ({"note": "held"}, {"note": "other"}):
                answer = self.daemon.curl("POST", "/v1/models/m/versions", body, key)
                self.assertEqual((answer.status, answer.code), (409, "idempotency_in_flight"))
                self.assertEqual(answer.headers["retry-after"], "1")
            first = end()
            self.assertEqual(first.status, 201)
            self.assertEqual(self.daemon.curl("POST", "/v1/models/m/versions", {"note": "held"}, key).raw, first.raw)
            self.assertEqual(self.daemon.curl("POST", "/v1/models/m/versions", {"note": "other"}, key).status, 422)
            self.assertEqual(len(self.ask("GET", "versions")["versions"]), 1)

    def test_the_client_hangs_up(self):
        """A version is made or nothing is; no pin is left."""
        for at in ("pin", "states", "version"):
            self.hold(at)
            before = self.digest()
            s = socket.create_connection(("127.0.0.1", self.daemon.port), timeout=30 * PATIENCE)
            s.sendall(b"POST /v1/models/m/versions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            self.daemon.wait_until_asked()
            s.close()
            self.daemon.go()
            wait_for(lambda: any(line.get("target") == "/v1/models/m/versions" for line in self.daemon.log_lines()),
                     "the call has ended")
            versions = self.ask("GET", "versions")["versions"]
            self.assertEqual([(version["version"], version["digest"]) for version in versions],
                             [(1, before)][:len(versions)])
            self.assert_no_pins()
            self.assertEqual(self.ask("POST", "versions")["version"], len(versions) + 1)

    def test_it_is_killed(self):
        """Nothing is left of a version that was not made, and no number is used up."""
        for at in ("pin", "states", "version"):
            self.hold(at)
            thread = threading.Thread(target=lambda: self.assertRaises(
                AssertionError, self.daemon.curl, "POST", "/v1/models/m/versions"))
            thread.start()
            self.daemon.wait_until_asked()
            self.daemon.kill()
            thread.join()
            self.daemon.go()
            self.daemon.start()
            self.assertEqual(self.ask("GET", "versions")["versions"], [])
            self.assert_no_pins()
            self.train("a")
            self.assertEqual(self.ask("POST", "versions")["version"], 1)


class Kills(unittest.TestCase):
    ROUNDS = 5
    MAKERS = 3

    def setUp(self):
        self.daemon = Daemon("--log-level", "warn", "--threads", "2")
        self.addCleanup(self.daemon.close)
        client = self.daemon.client()
        for layer in range(6):
            client.request("PUT", f"/v1/models/m/layers/l{layer}", {"kind": "batch_norm", "num_features": 2})
        client.close()
        self.made = {}  # what was answered, by key
        self.pending = {}  # keys without an answer, by maker
        self.next = [0] * self.MAKERS
        self.failures = []

    def make_until_killed(self, maker):
        """Versions, one after the other, each under a key; a key that got no answer is sent again."""
        client = self.daemon.client()
        try:
            while True:
                key = self.pending.setdefault(maker, f"{maker}-{self.next[maker]}")
                answer = client.request("POST", "/v1/models/m/versions", {"note": key}, {"Idempotency-Key": key})
                if answer.status != 201:
                    raise AssertionError(answer)
                self.made[key] = answer.json
                del self.pending[maker]
                self.next[maker] += 1
        except (OSError, http.client.HTTPException):
            pass
        except AssertionError as failure:
            self.failures.append(failure)
        finally:
            client.close()

    def train_until_killed(self):
        client, layer = self.daemon.client(), 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                layer = (layer + 1) % 6
                client.request("POST", f"/v1/models/m/layers/l{layer}/train?output=false", {"data": [[1, 2], [3, 5]]})
        client.close()

    def test_kill_while_versions_are_made(self):
        """What was answered is there, unchanged; the others are there once or not at all."""
        for _ in range(self.ROUNDS):
            threads = [threading.Thread(target=self.make_until_killed, args=(maker,)) for maker in range(self.MAKERS)]
            threads.append(threading.Thread(target=self.train_until_killed))
            before = len(self.made)
            for thread in threads:
                thread.start()
            wait_for(lambda: len(self.made) > before + 10 or self.failures, "versions are made")
            self.daemon.kill()
            for thread in threads:
                thread.join()
            self.assertEqual(self.failures, [])
            with open_copy(self.daemon.store[len("sqlite:"):]):
                pass  # the file is sound
            self.daemon.start()
            self.check()

    def check(self):
        client = self.daemon.client()
        self.addCleanup(client.close)
        listed = client.request("GET", "/v1/models/m/versions?limit=1000").json["versions"]
        by_note = {version["note"]: version for version in listed}
        self.assertEqual(len(by_note), len(listed), "a version was made twice")
        self.assertEqual({key: by_note.get(key) for key in self.made}, self.made)
        self.assertLessEqual(set(by_note) - set(self.made), set(self.pending.values()))
        numbers = [version["version"] for version in listed]
        self.assertEqual(numbers, list(range(1, len(listed) + 1)))
        for number in numbers[-12:]:
            ask_version(client, "m", number)
        wait_for(lambda: pins(self.daemon) == 0, "no pin is left")


if __name__ == "__main__":
    unittest.main()
