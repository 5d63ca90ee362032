# SPDX-License-Identifier: MIT
"""What a bad network, a daemon that dies and a caller that dies do to counts: nothing."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy
from numpy.testing import assert_array_equal

import normd
import normd.aio
import normd.testing
from normd import _retries
from normd.errors import (DeadlineExceeded, Error, IdempotencyMismatch, NoAnswer, Overloaded, TooManyRequests,
                          UnexpectedAnswer)
from proxy import HTML, Listener, Proxy, Stubborn, answer, hang, trickle
from support import X, WithDaemon, token, twice

HASTE = normd.Retries(timeout_s=60, first_pause_s=0.001, longest_pause_s=0.05)
LATE_S = float(os.environ.get("NORMD_PATIENCE") or 1)  # what a busy machine may add to a deadline
HELLO = b'{"name":"normd","version":"0","links":{"models":"/v1/models"}}'


def batch(step):
    return numpy.random.default_rng(step).normal(step, 1, (4, 3))


def create(model):
    for name in ("obs", "other", "pool"):
        model.layer(name).create("batch_norm", num_features=3, averaging="pooled", datatype="FP64")


def settle(change):
    """A change that must not be made twice: it is made once, or its exception says that this is not known."""
    try:
        change()
        return True
    except Error as error:
        assert error.maybe_done, error
        return False


def change_if_match(layer, step):
    """A change of a certain revision, which a caller that has no answer looks for."""
    revision = layer.statistics().revision
    while layer.statistics().revision == revision:
        settle(lambda: layer.put_statistics(batch(step)[0], abs(batch(step)[1]), step, count=10, if_match=revision))


def roll_back(model):
    before = model.serving()["version"]
    while model.serving()["version"] == before:
        settle(model.roll_back)


def everything(model):
    """Calls of every kind. Returns what training said."""
    create(model)
    said = []
    obs, other, pool = map(model.layer, ("obs", "other", "pool"))
    for step in range(6):
        trained = obs.train(batch(step))
        said.append((trained.revision, trained.num_batches_tracked, trained.output.tobytes()))
        said.append(obs.merge(10, batch(step)[0], abs(batch(step)[1])))
        said.append(obs.train(batch(step).tolist()).num_batches_tracked)
        for layer, trained in model.train({"obs": batch(step), "other": batch(step)}).layers.items():
            said.append((layer, trained.num_batches_tracked, trained.output.tobytes()))
        said.append(model.make_version(f"of step {step}")["version"])
        pool.put_source(f"worker{step % 2}", 10 + step, batch(step)[0], abs(batch(step)[1]))
        pool.train(batch(step), source="camera", output=False)
    change_if_match(other, 3)
    pool.compact_sources(["worker1"])
    pool.delete_source("worker0")
    model.publish(2)
    model.publish(3)
    roll_back(model)
    model.set_alias("best", 5)
    model.set_alias("worst", 1)
    model.delete_alias("worst")
    model.delete_version(6)
    model.layer("gone").create("rms_norm", normalized_shape=3)
    model.layer("gone").delete()
    return said


def state(model):
    """All that is stored of a model, without times; and without the revision that repeated totals raise."""
    layers = {}
    for name in ("obs", "other", "pool"):
        s = model.layer(name).statistics()
        layers[name] = (s.running_mean.tobytes(), s.running_var.tobytes(), s.num_batches_tracked, s.count,
                        s.revision if name != "pool" else None)
    return (layers, [entry["name"] for entry in model.layers()],
            [(s["source"], s["count"]) for s in model.layer("pool").sources()],
            [(v["version"], v["note"]) for v in model.versions()], model.serving()["version"],
            [(a["alias"], a["version"]) for a in model.aliases()])


@twice
class Faults(WithDaemon):
    """Through a proxy that drops, cuts, delays and repeats, everything is done once."""

    def through(self, faults, **options):
        self.proxy = Proxy(self, self.daemon.port, faults)
        return self.make(self.proxy.url, retries=HASTE, **options)

    def check_everything(self, seed, faults):
        clean = self.client.model(f"clean{seed}")
        said = everything(clean)
        faulty = self.through(Proxy.play(seed, faults)).model(f"faulty{seed}")
        self.assertEqual(everything(faulty), said)
        self.assertEqual(state(self.client.model(f"faulty{seed}")), state(clean))

    def test_everything(self):
        # A gateway that sends a request twice on its own account would change it back and forth, so not here.
        once = tuple(fault for fault in Proxy.FAULTS if not fault.startswith("twice"))
        met = set()
        for seed in range(3):
            with self.subTest(seed=seed):
                self.check_everything(seed, once)
                met |= set(self.proxy.met)
        self.assertEqual(met, {"pass", *once})

    def test_each_fault(self):
        for fault in Proxy.FAULTS:
            with self.subTest(fault=fault):
                model = self.client.model("alone_" + fault)
                create(model)
                faulty = self.through(iter([fault, "pass"] * 100).__next__).model(model.name)
                for step in range(2):
                    trained = faulty.layer("obs").train(batch(step))
                    self.assertEqual(trained.num_batches_tracked, step + 1)
                    faulty.layer("other").merge(5, [1, 2, 3], [1, 1, 1])
                    self.assertEqual(faulty.make_version()["version"], step + 1)
                s = model.layer("obs").statistics()
                self.assertEqual((s.num_batches_tracked, s.count, s.revision), (2, 8, trained.revision))
                numpy.testing.assert_allclose(s.running_mean, numpy.concatenate([batch(0), batch(1)]).mean(0))
                self.assertEqual(model.layer("other").statistics().count, 10)

    def test_a_conditional_change_and_a_roll_back_are_not_repeated(self):
        create(self.model)
        for n in range(3):
            self.model.make_version()
            self.model.publish(n + 1)
        revision = self.model.layer("obs").statistics().revision
        for change in (lambda model: model.layer("obs").reset_statistics(if_match=revision),
                       lambda model: model.roll_back()):
            # The first request of a client asks who the server is.
            client = self.through(iter(["pass", "lose_answer", "pass"]).__next__)
            with self.assertRaises(NoAnswer) as caught:
                change(client.model(self.model.name))
            self.assertTrue(caught.exception.maybe_done)
            self.assertEqual(sum(self.proxy.met.values()), 2)
        self.assertEqual(self.model.layer("obs").statistics().revision, revision + 1)
        self.assertEqual(self.model.serving()["version"], 2)

    def test_an_array_that_changes_before_it_is_sent_again_is_not_counted_twice(self):
        create(self.model)
        for fault, counted in (("lose_answer", 1), ("drop_request", 2)):
            x, script = batch(0), ["pass", fault, "pass"]

            def faults():
                x[0] += 1  # when the request is out
                return script.pop(0)

            layer = self.through(faults).model(self.model.name).layer("obs")
            if fault == "lose_answer":
                self.assertRaises(IdempotencyMismatch, layer.train, x)
            else:
                layer.train(x)
            self.assertEqual(self.model.layer("obs").statistics().num_batches_tracked, counted)

    def test_what_was_not_sent_is_not_done(self):
        server = Listener(self)
        server.serve = lambda sock: None  # accepts, and closes at once
        client = self.make(server.url, timeout_s=0.2)
        with self.assertRaises(NoAnswer) as caught:
            client.model("m").layer("l").train(X)
        self.assertFalse(caught.exception.maybe_done)  # only the greeting was sent


class ManyCallers(WithDaemon, unittest.TestCase):
    STEPS = 8
    CALLERS = 8

    def setUp(self):
        self.model = normd.Client(self.daemon.url).model(self.id().rpartition(".")[2])
        create(self.model)
        self.model.layer("obs").train(batch(0))

    def check_counts(self):
        s = self.model.layer("obs").statistics()
        steps = 1 + self.STEPS * self.CALLERS
        self.assertEqual((s.num_batches_tracked, s.count), (steps, 4 * steps))
        self.assertEqual(len(list(self.model.versions())), self.CALLERS)

    def train_in_threads(self, client):
        """Starts the callers; returns a function that waits for them and gives the errors that they met."""
        layer = client.model(self.model.name).layer("obs")
        errors = []

        def caller():
            try:
                for step in range(self.STEPS):
                    layer.train(batch(step), output=step % 2 == 0)
                client.model(self.model.name).make_version()
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=caller) for _ in range(self.CALLERS)]
        for thread in threads:
            thread.start()

        def join():
            for thread in threads:
                thread.join()
            return errors
        return join, lambda: any(thread.is_alive() for thread in threads)

    async def train_in_tasks(self, client):
        model = client.model(self.model.name)

        async def caller():
            for step in range(self.STEPS):
                await model.layer("obs").train(batch(step), output=step % 2 == 0)
            await model.make_version()

        async with client:
            await asyncio.gather(*(caller() for _ in range(self.CALLERS)))

    def test_threads_by_a_bad_network(self):
        proxy = Proxy(self, self.daemon.port, Proxy.play(7))
        with normd.Client(proxy.url, retries=HASTE) as client:
            join, _ = self.train_in_threads(client)
            self.assertEqual(join(), [])
        self.check_counts()

    def test_tasks_by_a_bad_network(self):
        proxy = Proxy(self, self.daemon.port, Proxy.play(8))
        asyncio.run(self.train_in_tasks(normd.aio.AsyncClient(proxy.url, retries=HASTE)))
        self.check_counts()


class KilledDaemon(ManyCallers):
    """The daemon is killed and started again while clients train."""

    STEPS = 150
    KILLS = 5

    def kill_while(self, is_busy):
        chance = random.Random(3)
        kills = 0
        while is_busy() and kills < self.KILLS:
            time.sleep(chance.uniform(0.02, 0.1))
            self.daemon.kill()
            self.daemon.start()
            kills += 1
        self.assertGreater(kills, 1)

    def test_threads_by_a_bad_network(self):
        with normd.Client(self.daemon.url, retries=HASTE) as client:
            join, is_busy = self.train_in_threads(client)
            self.kill_while(is_busy)
            self.assertEqual(join(), [])
        self.check_counts()

    def test_tasks_by_a_bad_network(self):
        killer = threading.Thread(target=self.kill_while, args=(lambda: True,))
        killer.start()
        asyncio.run(self.train_in_tasks(normd.aio.AsyncClient(self.daemon.url, retries=HASTE)))
        killer.join()
        self.check_counts()


class KilledCaller(WithDaemon, unittest.TestCase):
    """A caller that is killed and started again with ``key=step`` counts every step once."""

    STEPS = 30
    CALLER = """
import sys
import normd
layer = normd.Client(sys.argv[1]).model("m").layer("obs")
for step in range(int(sys.argv[2])):
    print(step, flush=True)
    layer.train([[step, 2 * step, 3], [1, 2, step]], key=step, output=False)
"""

    def setUp(self):
        self.layer = normd.Client(self.daemon.url).model("m").layer("obs")
        self.layer.create("batch_norm", num_features=3, averaging="pooled")

    def start(self):
        return subprocess.Popen([sys.executable, "-c", self.CALLER, self.daemon.url, str(self.STEPS)],
                                stdout=subprocess.PIPE, text=True)

    def test(self):
        chance = random.Random(4)
        for _ in range(3):
            with self.start() as caller:
                for _ in range(chance.randrange(2, self.STEPS)):
                    caller.stdout.readline()
                time.sleep(chance.uniform(0, 0.002))
                caller.kill()
        with self.start() as caller:
            caller.communicate()
        self.assertEqual(caller.returncode, 0)
        s = self.layer.statistics()
        self.assertEqual((s.num_batches_tracked, s.count), (self.STEPS, 2 * self.STEPS))
        self.assertEqual(s.running_mean[2], numpy.mean([[3, step] for step in range(self.STEPS)]))


class Interrupted(WithDaemon, unittest.TestCase):
    """A call that ends in the middle of an answer leaves nothing for the next one to read."""

    ONCE = normd.Retries(attempts=1)

    def setUp(self):
        self.layer = normd.Client(self.daemon.url).model("m").layer(self.id().rpartition(".")[2])
        self.layer.create("batch_norm", num_features=3)
        self.layer.train(X)
        self.half = threading.Event()
        self.rest = threading.Event()
        self.proxy = Proxy(self, self.daemon.port, iter(["pass", "stall"] + ["pass"] * 9).__next__)
        self.proxy._stall = self.stall
        self.addCleanup(self.rest.set)

    def stall(self, sock, message):
        text, = self.proxy._ask(message)
        sock.sendall(text[:-7])
        self.half.set()
        self.rest.wait()
        sock.sendall(text[-7:])
        return True

    def test_by_control_c(self):
        main = threading.get_ident()
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
        self.addCleanup(signal.signal, signal.SIGINT, before)

        def interrupt():
            self.half.wait()
            time.sleep(0.05)
            signal.pthread_kill(main, signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with normd.Client(self.proxy.url, retries=self.ONCE) as client:
            layer = client.model("m").layer(self.layer.name)
            with self.assertRaises(KeyboardInterrupt):
                layer.infer(X + 1)
            threading.Timer(0.2, self.rest.set).start()  # the rest comes while the next call waits
            for shift in (2, 3):
                assert_array_equal(layer.infer(X + shift).output, self.layer.infer(X + shift).output)

    def test_by_cancellation(self):
        async def main():
            async with normd.aio.AsyncClient(self.proxy.url, retries=self.ONCE) as client:
                layer = client.model("m").layer(self.layer.name)
                task = asyncio.create_task(layer.infer(X + 1))
                while not self.half.is_set():
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.05)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                threading.Timer(0.2, self.rest.set).start()
                for shift in (2, 3):
                    answered = await layer.infer(X + shift)
                    assert_array_equal(answered.output, self.layer.infer(X + shift).output)
        asyncio.run(main())


@twice
class Deadlines(WithDaemon):
    """One deadline holds for all of a call, whatever the server does."""

    TIMEOUT_S = 0.4
    OVERLOADED = answer("503 Service Unavailable", b'{"code":"overloaded","detail":"no room"}',
                        "Retry-After: 0").replace(b"text/html", b"application/problem+json")

    def setUp(self):
        pass

    def call(self, url, timeout_s=TIMEOUT_S):
        """(the error that training met, after how many seconds)"""
        client = self.make(url, timeout_s=timeout_s)
        begin = time.monotonic()
        with self.assertRaises(Error) as caught:
            client.model("m").layer("l").train(X)
        return caught.exception, time.monotonic() - begin

    def served(self, script):
        """A server that says that it is a normd, and does to training what ``script`` says."""
        return Stubborn(self, lambda sock, head, body: answer("200 OK", HELLO) if head.startswith(b"GET / ")
                        else script(sock))

    def check_late(self, url, maybe_done):
        error, took_s = self.call(url)
        self.assertIsInstance(error, DeadlineExceeded, error)
        self.assertEqual(error.maybe_done, maybe_done, error)
        self.assertIn("0.4 s", str(error))
        self.assertLess(took_s, self.TIMEOUT_S + LATE_S)
        return error, took_s

    def test_refused(self):
        server = Listener(self)
        server.close()
        error, _ = self.check_late(server.url, False)
        self.assertIn("onnect", str(error))
        self.assertRegex(str(error), r"[2-9] attempts")

    def test_no_greeting(self):
        _, took_s = self.check_late(Stubborn(self, lambda sock, *_: hang(sock)).url, False)
        self.assertGreater(took_s, self.TIMEOUT_S - 0.01)

    def test_no_answer(self):
        server = self.served(hang)
        _, took_s = self.check_late(server.url, True)
        self.assertGreater(took_s, self.TIMEOUT_S - 0.01)
        self.assertEqual(len(server.requests), 2)

    def test_a_head_byte_by_byte(self):
        self.check_late(self.served(lambda sock: trickle(sock, answer("200 OK"), 0.05)).url, True)

    def test_a_body_byte_by_byte(self):
        for body in (bytes(300), bytes(1 << 20)):
            text = answer("200 OK", body)
            head_bytes = len(text) - len(body)

            def script(sock, text=text, head_bytes=head_bytes):
                sock.sendall(text[:head_bytes])
                trickle(sock, text[head_bytes:head_bytes + 30], 0.05)
            self.check_late(self.served(script).url, True)

    def test_a_body_that_nobody_reads(self):
        is_over = threading.Event()

        class Deaf(Listener):
            def serve(self, sock):
                sock.recv(1000)
                sock.sendall(answer("200 OK", HELLO))
                is_over.wait()
        client = self.make(Deaf(self).url, timeout_s=self.TIMEOUT_S)
        self.addCleanup(is_over.set)
        begin = time.monotonic()
        with self.assertRaises(DeadlineExceeded) as caught:
            client.model("m").layer("l").train(numpy.zeros((1 << 22, 3), numpy.float32))
        self.assertLess(time.monotonic() - begin, self.TIMEOUT_S + LATE_S)
        self.assertFalse(caught.exception.maybe_done)

    def test_endlessly_busy(self):
        server = self.served(lambda sock: self.OVERLOADED)
        error, took_s = self.call(server.url)
        self.assertIsInstance(error, Overloaded)
        self.assertFalse(error.maybe_done)
        self.assertLess(took_s, self.TIMEOUT_S + LATE_S)
        self.assertGreater(len(server.requests), 3)

    def test_what_an_earlier_attempt_may_have_done_is_not_forgotten(self):
        # A refusal says that it changed nothing. The request whose answer was lost may have.
        answers = iter([None, *[self.OVERLOADED] * 1000])
        error, _ = self.call(self.served(lambda sock: next(answers)).url)
        self.assertIsInstance(error, Overloaded)
        self.assertTrue(error.maybe_done)

    def test_a_longer_pause_than_what_is_left(self):
        server = self.served(lambda sock: answer("503 Service Unavailable", HTML, "Retry-After: 100"))
        error, took_s = self.call(server.url, 60)
        self.assertIsInstance(error, UnexpectedAnswer)
        self.assertEqual(error.retry_after, 100)
        self.assertLess(took_s, 2)
        self.assertEqual(len(server.requests), 2)


@twice
class TooFast(WithDaemon):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        tokens = os.path.join(directory.name, "tokens")
        cls.token = token(tokens, "--role", "admin")
        cls.options = ("--tokens", tokens, "--max-requests-per-second", "8")
        super().setUpClass()

    def setUp(self):
        pass

    def test_a_client_that_is_too_fast_waits(self):
        client = self.make(self.daemon.url, token=self.token)
        layer = client.model("m").layer(type(self).__name__)
        layer.create("batch_norm", num_features=3)
        begin = time.monotonic()
        for step in range(12):
            self.assertEqual(layer.train(X, output=False).num_batches_tracked, step + 1)
        self.assertGreater(time.monotonic() - begin, 0.4)

    def test_once(self):
        client = self.make(self.daemon.url, token=self.token, retries=normd.Retries(attempts=1))
        with self.assertRaises(TooManyRequests) as caught:
            for _ in range(40):
                client.log_level()
        self.assertGreater(caught.exception.retry_after, 0)


class Pauses(unittest.TestCase):
    def pauses(self, error, **options):
        attempts = _retries.Attempts(normd.Retries(**options), _retries.Repeat.SAFE, time.monotonic() + 1000)
        return [attempts.pause_after(error) for _ in range(9)]

    def test_they_double_up_to_the_longest_with_jitter(self):
        series = [self.pauses(NoAnswer("refused")) for _ in range(50)]
        for i, pauses in enumerate(zip(*series)):
            full = min(0.05 * 2 ** i, 5)
            self.assertTrue(all(full / 2 <= pause <= full for pause in pauses), (i, pauses))
            self.assertGreater(max(pauses) - min(pauses), full / 4)

    def test_the_first_after_a_lost_connection_is_none(self):
        pauses = self.pauses(NoAnswer("reset", True))
        self.assertEqual(pauses[0], 0)
        self.assertGreater(pauses[1], 0)

    def test_retry_after_is_waited_for(self):
        busy = UnexpectedAnswer("GET /", 503, "", "", 7.0)
        self.assertTrue(all(7 < pause <= 12 for pause in self.pauses(busy)))


@twice
class Files(WithDaemon):
    """A state as a file, by a network that cuts it."""

    FEATURES = 20000

    def setUp(self):
        super().setUp()
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.layer.create("batch_norm", num_features=self.FEATURES)
        self.change()

    def change(self):
        self.layer.train(numpy.random.default_rng(5).normal(size=(2, self.FEATURES)), output=False)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def exported(self, model, name):
        model.export_file(self.path(name))
        with open(self.path(name), "rb") as file:
            return file.read()

    def through(self, *faults):
        self.proxy = Proxy(self, self.daemon.port, iter(["pass", *faults, *["pass"] * 9]).__next__)
        return self.make(self.proxy.url, retries=HASTE).model(self.model.name)

    def test_a_download_goes_on_where_it_was_cut(self):
        model = self.through("cut_answer", "cut_answer", "drop", "cut_head", "busy", "bad_gateway")
        self.assertEqual(self.exported(model, "cut"), self.exported(self.model, "whole"))
        self.assertLess(self.proxy.passed_bytes, 2 * os.path.getsize(self.path("whole")))
        self.assertEqual(sorted(os.listdir(self.directory.name)), ["cut", "whole"])

    def test_a_download_begins_anew_when_the_state_has_changed(self):
        before = self.exported(self.model, "before")
        model = self.through("cut_answer", "cut_answer")
        self.proxy.on_cut = self.change
        after = self.exported(model, "cut")
        self.assertNotEqual(after, before)
        self.assertEqual(after, self.exported(self.model, "whole"))

    def test_an_upload_begins_at_the_beginning(self):
        whole = self.exported(self.model, "whole")
        self.change()
        model = self.through("cut_request", "lose_answer", "drop_request", "bad_gateway_after")
        model.import_file(self.path("whole"))
        self.assertEqual(self.exported(self.model, "again"), whole)


if __name__ == "__main__":
    unittest.main()
