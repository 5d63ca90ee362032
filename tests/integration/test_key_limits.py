# SPDX-License-Identifier: MIT
"""--key-lifetime and --max-keys: how long and how many idempotency keys are remembered,
and what is said when that is less than promised."""

import random
import threading
import time
import unittest

from normd import Client, Daemon, wait_for
from test_kill import open_copy

BATCH = {"data": [[1, 20], [3, 40], [5, 60]]}
LAYER = "/v1/models/m/layers/bn"
SHORT = "more idempotency keys than --max-keys"


def keys_of(daemon):
    with open_copy(daemon.store[len("sqlite:"):]) as db:
        return [key for key, in db.execute("SELECT key FROM idempotency ORDER BY id")]


class Limits(unittest.TestCase):
    def start(self, *args):
        self.daemon = Daemon(*args)
        self.addCleanup(self.daemon.close)
        self.daemon.curl("PUT", LAYER, {"kind": "batch_norm"})

    def restart(self, *args):
        self.daemon.stop()
        self.daemon.args = args
        self.daemon.start()

    def train(self, *keys):
        """The number of the update that each of these keys stands for."""
        client = Client(self.daemon.port)
        answers = [client.request("POST", LAYER + "/train", BATCH, {"Idempotency-Key": str(key)}) for key in keys]
        client.close()
        self.assertEqual({answer.status for answer in answers}, {200})
        return [answer.json["num_batches_tracked"] for answer in answers]

    def said(self, message):
        return [line for line in self.daemon.log_lines() if message in line["message"]]

    def test_the_oldest_are_forgotten_first(self):
        self.start("--max-keys", "20")
        self.assertEqual(self.train(*range(50)), list(range(1, 51)))
        self.assertEqual(self.train(*range(30, 50)), list(range(31, 51)), "the last twenty are repeats")
        self.assertEqual(self.train(29), [51], "and the one before them is a new request")
        self.assertEqual(self.train(30), [52], "which has taken the place of the oldest")
        self.daemon.stop()
        self.assertEqual(keys_of(self.daemon), [str(i) for i in [*range(32, 50), 29, 30]])
        self.daemon.start()

    def test_a_key_lives_as_long_as_it_is_told_to(self):
        self.start("--key-lifetime", "1s")
        self.assertEqual(self.train("a", "a"), [1, 1])
        time.sleep(2.1)
        self.assertEqual(self.train("a", "a"), [2, 2])
        self.restart("--key-lifetime=24h")
        self.assertEqual(self.train("a"), [2])
        self.assertEqual(self.said(SHORT), [])

    def test_the_log_says_once_that_the_lifetime_is_shorter_and_how_short(self):
        self.start("--max-keys", "10")
        self.train(*range(10))
        self.assertEqual(self.said(SHORT), [], "so many are promised")
        time.sleep(1.1)
        self.train(*range(10, 100))
        line, = wait_for(lambda: self.said(SHORT), "the log says so")
        self.assertEqual((line["level"], line["key_lifetime_s"], line["max_keys"]), ("warn", 86400, 10))
        self.assertIn(line["remembered_s"], range(1, 30))
        self.train(*range(100, 200))
        self.assertEqual(len(self.said(SHORT)), 1)

    def test_what_is_past_its_time_is_not_forgotten_early(self):
        self.start("--max-keys", "10", "--key-lifetime", "3")
        self.train(*range(20))
        wait_for(lambda: self.said(SHORT), "the log says so")
        self.daemon.stop()
        time.sleep(4.1)
        self.daemon.start()
        self.assertEqual(len(self.said(SHORT)), 1, "what is past its time is not forgotten early")
        self.train(*range(100, 120))
        wait_for(lambda: len(self.said(SHORT)) == 2, "the log says so again")

    def test_fewer_than_are_stored(self):
        self.start()
        self.train(*range(60))
        self.restart("--max-keys", "5")
        wait_for(lambda: self.said(SHORT), "the log says so, also when nobody calls")
        self.assertEqual(self.train(*range(55, 60)), list(range(56, 61)))
        self.assertEqual(self.train(54), [61])

    def test_kills_while_keys_are_forgotten(self):
        """What was acknowledged is there, its key among the last is a repeat,
        and there are never more keys than allowed."""
        self.start("--max-keys", "40", "--log-level", "error")
        acknowledged, lock = {}, threading.Lock()

        def run(name, stop):
            client = Client(self.daemon.port)
            try:
                while not stop.is_set():
                    key = f"{name}-{time.monotonic_ns()}"
                    answer = client.request("POST", LAYER + "/train", BATCH, {"Idempotency-Key": key})
                    with lock:
                        acknowledged[name] = (key, answer.json["num_batches_tracked"])
                        self.made += 1
            except OSError:
                pass
            except Exception as error:  # http.client's, of an answer that was cut
                self.assertEqual(type(error).__module__, "http.client")

        self.made = 0
        for _ in range(5):
            stop = threading.Event()
            threads = [threading.Thread(target=run, args=(name, stop)) for name in "abcd"]
            before = self.made
            for thread in threads:
                thread.start()
            wait_for(lambda: self.made > before + 100, "more than are remembered")
            time.sleep(random.uniform(0, 0.1))
            self.daemon.kill()
            stop.set()
            for thread in threads:
                thread.join()
            self.assertLessEqual(len(keys_of(self.daemon)), 40)
            self.daemon.start()
            tracked = self.daemon.curl("GET", LAYER + "/statistics").json["num_batches_tracked"]
            last = [(key, number) for key, number in acknowledged.values() if tracked - number < 40]
            self.assertNotEqual(last, [])
            for key, number in last:
                self.assertEqual(self.train(key), [number])
            self.assertEqual(self.daemon.curl("GET", LAYER + "/statistics").json["num_batches_tracked"], tracked)
            self.assertGreaterEqual(tracked, self.made)
            self.assertLessEqual(tracked, self.made + 4 * 5, "what was cut may have been made")


if __name__ == "__main__":
    unittest.main()
