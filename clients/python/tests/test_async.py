# SPDX-License-Identifier: MIT
"""What only the asyncio client has: tasks at once, cancellation, and its likeness to the synchronous client."""

import asyncio
import inspect
import unittest

import normd
import normd.aio
import normd.testing
from support import X


class Tasks(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = normd.testing.Daemon()
        cls.addClassCleanup(cls.daemon.close)

    async def asyncSetUp(self):
        self.client = normd.aio.AsyncClient(self.daemon.url, connections=8)
        self.addAsyncCleanup(self.client.close)
        self.layer = self.client.model(self.id().rpartition(".")[2]).layer("obs")
        await self.layer.create("batch_norm", num_features=3, averaging="pooled")

    async def test_many_tasks(self):
        """64 tasks take turns with 8 connections."""
        async def work():
            for _ in range(5):
                await self.layer.train(X)

        await asyncio.gather(*(work() for _ in range(64)))
        self.assertEqual((await self.layer.statistics()).num_batches_tracked, 320)

    async def test_cancelled_calls_leave_the_client_usable(self):
        sync = {"rank": 0, "world_size": 2, "timeout_ms": 60_000}
        tasks = [asyncio.create_task(self.layer.train(X, sync={**sync, "step": step})) for step in range(8)]
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with self.assertRaises(asyncio.CancelledError):
                await task
        self.assertEqual((await self.layer.train(X)).output.shape, X.shape)

    async def test_a_time_limit_of_the_callers_own(self):
        sync = {"step": 1, "rank": 0, "world_size": 2, "timeout_ms": 60_000}
        with self.assertRaises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(self.layer.train(X, sync=sync), 0.2)
        self.assertNotIsInstance(caught.exception, normd.Error)
        with self.assertRaises(normd.DeadlineExceeded):
            await self.client.with_options(timeout_s=0.2).model(self.layer._model).layer("obs").train(X, sync=sync)

    async def test_a_list_that_is_left_early(self):
        async for name in self.client.models():
            self.assertTrue(name)
            break
        self.assertTrue(await self.client.live())


class Twins(unittest.TestCase):
    def test_the_same_methods(self):
        """But for what makes a call, the signatures and docstrings are the same."""
        for sync, asynchronous in ((normd.Client, normd.aio.AsyncClient), (normd.Model, normd.aio.AsyncModel),
                                   (normd.Layer, normd.aio.AsyncLayer)):
            methods = {name for name in dir(asynchronous) if not name.startswith("_")}
            self.assertEqual({name for name in dir(sync) if not name.startswith("_")}, methods)
            for name in methods:
                a, b = getattr(sync, name), getattr(asynchronous, name)
                if callable(a):
                    self.assertEqual(list(inspect.signature(a).parameters), list(inspect.signature(b).parameters))
                    self.assertTrue(a.__doc__ and a.__doc__.strip(), name)
                    self.assertFalse(inspect.iscoroutinefunction(a) or inspect.isasyncgenfunction(a))
                    self.assertTrue(inspect.iscoroutinefunction(b) or inspect.isasyncgenfunction(b) or
                                    name in ("model", "layer", "with_options"))


if __name__ == "__main__":
    unittest.main()
