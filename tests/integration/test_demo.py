# SPDX-License-Identifier: MIT
"""The worked example of `make run`, run to its end: it checks each answer
itself and fails when one is not what it must be."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from normd import NORMD, PATIENCE, ROOT

DEMO = os.path.join(ROOT, "scripts/demo")


class Demo(unittest.TestCase):
    def run_demo(self, store=None, port="0", **env):
        return subprocess.run([DEMO, NORMD], capture_output=True, text=True, timeout=300 * PATIENCE,
                              stdin=subprocess.DEVNULL,
                              env={**os.environ, "PORT": port, "STORE": store or "", "DEMO_ONCE": "1", **env})

    def test_it_runs_to_its_end(self):
        done = self.run_demo()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for words in ("Adelie", "Gentoo", "kill -KILL", "covariate shift", "I am a student", "curl ",
                      "num_batches_tracked", "worker-2", "/serving -d '{\"version\":\"previous\"}'",
                      "/state.safetensors?version=2"):
            self.assertIn(words, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^   penguins +24 +31 +24$")
        self.assertRegex(done.stdout, r"(?m)^   bill_length_mm +(-?\d\.\d{6}) +(?!\1)-?\d\.\d{6} +\1$", "rolled back")
        self.assertRegex(done.stdout, r"(?m)^     bn1\.running_var +F64 +\[4\]$")

        for verdict, penguins in (("none", 76), ("drift", 123)):
            table = re.search(rf"(?ms)^   {penguins} penguins .*?The layer's verdict: {verdict}\.$", done.stdout)[0]
            for name in ("flipper_length_mm", "body_mass_g"):
                self.assertRegex(table, rf"(?m)^   {name} +-?\d+\.\d+ +\d+\.\d+ +\d+\.\d+   {verdict}$")

    def test_it_runs_twice_on_one_store(self):
        with tempfile.TemporaryDirectory(prefix="normd demo ") as directory:
            store = os.path.join(directory, "demo.db")
            for made in ("version 1 ", "version 3 "):  # the earlier model is gone; its numbers are not used again
                done = self.run_demo(store)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertRegex(done.stdout, f"(?m)^ +{made}")
            self.assertTrue(os.path.exists(store))

    def test_a_taken_port_gets_a_clear_message(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = self.run_demo(port=str(port))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"port {port}", done.stdout + done.stderr)
        self.assertIn("taken", done.stdout + done.stderr)

    def test_it_serves_until_it_is_interrupted(self):
        with tempfile.NamedTemporaryFile("r") as output:
            demo = subprocess.Popen([DEMO, NORMD], stdout=open(output.name, "w"), stderr=subprocess.STDOUT,
                                    start_new_session=True, stdin=subprocess.DEVNULL,
                                    env={**os.environ, "PORT": "0", "STORE": "", "DEMO_ONCE": ""})
            try:
                deadline = time.monotonic() + 120 * PATIENCE
                while "Ctrl-C" not in output.read():
                    self.assertIsNone(demo.poll(), "it ended by itself")
                    self.assertLess(time.monotonic(), deadline)
                    output.seek(0)
                    time.sleep(0.2)
                self.assertIsNone(demo.poll())
                os.killpg(demo.pid, signal.SIGINT)
                self.assertEqual(demo.wait(60 * PATIENCE), 0)
            finally:
                if demo.poll() is None:
                    os.killpg(demo.pid, signal.SIGKILL)
                    demo.wait()


if __name__ == "__main__":
    unittest.main()
