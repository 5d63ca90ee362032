# SPDX-License-Identifier: MIT
"""normd.testing.Daemon."""

import os
import unittest

import normd
from normd.testing import Daemon


class Daemons(unittest.TestCase):
    def test_it_comes_and_goes(self):
        with Daemon() as daemon, normd.Client(daemon.url) as client:
            self.assertTrue(client.ready())
            port, store = daemon.port, daemon.store
            self.assertTrue(os.path.exists(store))
            for end in (daemon.kill, daemon.stop):
                end()
                self.assertFalse(client.ready())
                daemon.start()
                self.assertTrue(client.ready())
                self.assertEqual(daemon.port, port)
        self.assertFalse(os.path.exists(store))

    def test_one_that_does_not_start(self):
        with self.assertRaisesRegex(normd.Error, "^/nonexistent/normd cannot be started: No such file.* NORMD names"):
            Daemon(program="/nonexistent/normd")
        with self.assertRaisesRegex(normd.Error, "^/bin/false did not start"):
            Daemon(program="/bin/false")
        with self.assertRaisesRegex(normd.Error, "(?s)did not start:.*--nonsense"):
            Daemon("--nonsense")


if __name__ == "__main__":
    unittest.main()
