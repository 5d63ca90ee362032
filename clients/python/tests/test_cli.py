# SPDX-License-Identifier: MIT
"""``python3 -m normd``: each command against a daemon, as table and as JSON, and what goes wrong."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import tracemalloc
import unittest
import unittest.mock

import normd.testing
from normd._cli import data, main
from normd._cli.progress import Progress
from normd._cli.table import table
from normd._cli.watch import sparkline
from support import Server, token


class Terminal(io.StringIO):
    def isatty(self):
        return True


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = normd.testing.Daemon()
        cls.addClassCleanup(cls.daemon.close)
        cls.client = normd.Client(cls.daemon.url)
        layer = cls.client.model("penguins").layer("sizes")
        layer.create("batch_norm", num_features=2, averaging="pooled")
        layer.train([[i % 7, 10 + i % 5] for i in range(200)])
        layer.infer([[i % 7, 30 + i % 5] for i in range(200)])

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def run_command(self, *args, url=None, stdout=None):
        """(exit code, standard output, standard error)"""
        out, err = stdout or io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main.main(["--url", url or self.daemon.url, *args])
            except SystemExit as end:
                code = end.code
        return code, out.getvalue(), err.getvalue()

    def document(self, *args):
        code, out, err = self.run_command("--json", *args)
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)

    def file(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def assert_fails(self, words, *args, **options):
        code, out, err = self.run_command(*args, **options)
        self.assertEqual((code, out), (1, ""))
        self.assertIn(words, err)
        self.assertEqual(err.count("\n"), 1, err)

    def test_models(self):
        self.assertIn("penguins", self.run_command("models")[1].splitlines())
        self.assertIn("penguins", self.document("models")["models"])
        self.assertRegex(self.run_command("models", "penguins")[1],
                         r"layer +kind +revision +frozen\nsizes +batch_norm ")
        self.assertEqual(self.document("models", "penguins")["layers"][0]["name"], "sizes")

    def test_statistics(self):
        shown = self.run_command("statistics", "penguins", "sizes", "--top", "1")[1]
        self.assertRegex(shown, r"^revision \d+, 1 batch, 200 values a feature\n")
        self.assertRegex(shown, r"\n +0 +2\.\d+ +\d\.\d+\n\(1 more feature; --top 0 shows all\)\n")
        found = self.document("statistics", "penguins", "sizes")
        self.assertEqual(found["running_mean"][1], 12)
        self.assertEqual(found["count"], 200)

    def test_drift(self):
        shown = self.run_command("drift", "penguins", "sizes")[1]
        self.assertRegex(shown, r"^drift: 200 values a feature\n\nfeature +verdict .*\n +1 +drift ")
        self.assertEqual(self.document("drift", "penguins", "sizes", "--top", "1")["features"][0]["index"], 1)

    def test_a_verdict_can_be_the_exit_code(self):
        self.assertEqual(self.run_command("drift", "penguins", "sizes", "--fail-on", "possible")[0], 3)
        self.assertEqual(self.run_command("drift", "penguins", "sizes", "--fail-on", "drift", "--drift", "1e9")[0], 0)

    def test_report_of_csv(self):
        path = self.file("a.csv", "mass,flipper\n" + "1,12\n" * 200 + ",12\n2,nan\n")
        found = self.document("report", "penguins", "sizes", path)
        self.assertEqual((found["nan"], found["count"]), (2, 202))
        self.assertRegex(self.run_command("report", "penguins", "sizes", path)[1], r"\n(mass|flipper) +")

    def test_report_of_csv_without_names(self):
        found = self.document("report", "penguins", "sizes", self.file("a.csv", "1,12\n2,13\n"))
        self.assertEqual(found["verdict"], "too_few")

    def test_report_of_csv_with_quotes_and_a_byte_order_mark(self):
        path = self.file("a.csv", '\ufeff"mass, g","flipper ""left"""\r\n"1700000001",\r\n\r\n2,3\r\n')
        found, names = data.read(path)
        self.assertEqual((repr(found.tolist()), names), ("[[1700000001.0, nan], [2.0, 3.0]]",
                                                         ["mass, g", 'flipper "left"']))

    def test_csv_without_numpy(self):
        with unittest.mock.patch.dict(sys.modules, numpy=None):
            self.assertEqual(data.read(self.file("a.csv", "a,b\n1,2\n3,4\n"))[0], [[1.0, 2.0], [3.0, 4.0]])

    def test_csv_is_read_as_numbers_of_8_bytes(self):
        rows = 20_000
        path = self.file("a.csv", "1.5,2.5,3.5,4.5\n" * rows)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        found = data.read(path)[0]
        self.assertEqual(found.shape, (rows, 4))
        self.assertLess(tracemalloc.get_traced_memory()[1], 3 * found.nbytes)

    def test_report_of_npy(self):
        numpy = __import__("numpy")
        path = os.path.join(self.directory, "a.npy")
        numpy.save(path, numpy.ones((150, 2), "f4"))
        self.assertEqual(self.document("report", "penguins", "sizes", path)["count"], 150)
        numpy.save(path, numpy.array([{}]), allow_pickle=True)
        self.assert_fails("a.npy", "report", "penguins", "sizes", path)

    def test_files_that_are_wrong(self):
        for text, words in (("1,2\n3,x\n", "line 2, column 2: 'x' is not a number"),
                            ("1,2\n3\n", "line 2: 1 values, where 2 are expected"),
                            ("a,b\n1\n", "line 2: 1 values, where 2 are expected"),
                            ("", "no rows"), ("a,b\n", "no rows"), ("1,2,3\n", "the layer expects 2 channels"),
                            ("a,b\n1,2\n\xff", "expected"), ("a;b\n1;2\n", "expected commas")):
            with self.subTest(text=text):
                self.assert_fails(words, "report", "penguins", "sizes", self.file("b.csv", text))
        with open(self.file("utf16.csv", ""), "wb") as file:
            file.write("a,b\n1,2\n".encode("utf-16"))
        self.assert_fails("line 1: this is not text in UTF-8", "report", "penguins", "sizes", file.name)
        self.assert_fails("must end in .csv or .npy", "report", "penguins", "sizes", self.file("b.txt", "1"))
        self.assert_fails("No such file", "report", "penguins", "sizes", os.path.join(self.directory, "none.csv"))

    def test_export_and_import(self):
        path = os.path.join(self.directory, "state.safetensors")
        self.assertIn("of version live", self.run_command("export", "penguins", path)[1])
        self.assertEqual(self.document("import", "copied", path)["layers"],
                         [{"name": "sizes", "created": True, "revision": 1}])
        self.assertEqual(list(self.client.model("copied").layer("sizes").statistics().running_mean),
                         list(self.client.model("penguins").layer("sizes").statistics().running_mean))

    def test_a_failed_export_leaves_no_file(self):
        self.assert_fails("there is no model", "export", "nobody", os.path.join(self.directory, "x"))
        self.assertEqual(os.listdir(self.directory), [])

    def test_watch(self):
        code, out, _ = self.run_command("watch", "penguins", "sizes", "--interval", "0.01", "--looks", "2")
        self.assertEqual((code, out.count("running mean"), out.count("drift: drift")), (0, 2, 2))
        self.assertNotIn("\x1b", out)

    def test_watch_on_a_terminal_replaces_its_view(self):
        out = self.run_command("watch", "penguins", "sizes", "--looks", "1", stdout=Terminal())[1]
        self.assertTrue(out.startswith("\x1b[H\x1b[J"))

    def test_watch_of_layers_without_statistics(self):
        self.client.model("new").layer("bn").create("batch_norm", num_features=2)
        self.assertIn("not trained yet", self.run_command("watch", "new", "bn", "--looks", "1")[1])
        self.client.model("new").layer("bn").train([[1, 2], [3, 4]])
        self.assertIn("inference has read nothing yet", self.run_command("watch", "new", "bn", "--looks", "1")[1])

    def test_watch_goes_on_while_the_daemon_or_the_layer_is_away(self):
        with normd.testing.Daemon() as daemon:
            layer = normd.Client(daemon.url).model("m").layer("l")
            layer.create("batch_norm", num_features=1)
            layer.train([[1.0], [2.0]])
            after = iter((layer.delete, daemon.kill, daemon.start, lambda: None))
            with unittest.mock.patch("time.sleep", side_effect=lambda seconds: seconds == 9 and next(after)()):
                out = self.run_command("watch", "m", "l", "--interval", "9", "--looks", "4", url=daemon.url)[1]
        self.assertRegex(out, r"(?s)^l: revision 1.*model \"m\" has no layer.*Connection refused.*has no layer")

    def test_progress_only_on_a_terminal(self):
        for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
            with contextlib.redirect_stderr(stream), Progress("file") as progress:
                if progress is not None:
                    progress(5_000_000, 10_000_000)
                    progress(10_000_000, 10_000_000)
            self.assertEqual("100% 10.0 of 10.0 MB" in stream.getvalue(), shown)

    def test_refusals_are_one_line(self):
        self.assert_fails("no_such_layer", "statistics", "penguins", "none")
        self.assert_fails("not a valid model name", "models", "..")
        self.assert_fails("Connection refused", "models", url="http://127.0.0.1:1")
        self.assert_fails("is not the address of a normd", "models", url="ftp://127.0.0.1")

    def test_what_a_server_says_cannot_drive_the_terminal(self):
        server = Server(self, 404, b'{"code":"no_such_model","detail":"a\\u001b[2Jb\\nc"}', "application/problem+json")
        self.assert_fails("a?[2Jb?c", "models", url=server.url)

    def test_usage(self):
        for option in ("--timeout", "inf"), ("--timeout", "nan"), ("statistics", "m", "l", "--top", "-1"):
            self.assertEqual(self.run_command(*option, "models")[0], 2)
        self.assertEqual(self.run_command("frobnicate")[0], 2)
        self.assertEqual(self.run_command("watch", "m", "l", "--interval", "0")[0], 2)
        self.assertEqual(self.run_command("--version")[1].strip(), normd.__version__)

    def test_options_of_all_commands_also_after_the_command(self):
        for args in (["models", "--json"], ["--json", "models"], ["models", "--json", "--timeout", "5"]):
            code, out, err = self.run_command(*args)
            self.assertEqual((code, err), (0, ""))
            self.assertIn("penguins", json.loads(out)["models"])
        self.assert_fails("no answer from http://127.0.0.1:1", "models", "--url", "http://127.0.0.1:1")
        self.assertEqual(self.run_command("models", "--timeout", "0")[0], 2)

    def test_a_token_from_the_environment_or_a_file(self):
        with unittest.mock.patch.dict(os.environ, NORMD_TOKEN="secret"):
            with unittest.mock.patch.object(main, "Client", side_effect=normd.Error("called")) as client:
                self.assert_fails("called", "models")
        self.assertEqual(client.call_args.kwargs["token"], "secret")
        with unittest.mock.patch.object(main, "Client", side_effect=normd.Error("called")) as client:
            self.assert_fails("called", "--token-file", self.file("token", "t0\n"), "models")
        self.assertEqual(client.call_args.kwargs["token"], "t0")

    def test_a_daemon_that_asks_for_tokens(self):
        tokens = os.path.join(self.directory, "tokens")
        readers = token(tokens, "--role", "infer")
        state = os.path.join(self.directory, "state")
        self.run_command("export", "penguins", state)
        with normd.testing.Daemon("--tokens", tokens) as daemon:
            self.assert_fails("; give one in NORMD_TOKEN or with --token-file", "models", url=daemon.url)
            with unittest.mock.patch.dict(os.environ, NORMD_TOKEN=readers):
                self.assertEqual(self.run_command("models", url=daemon.url), (0, "there are no models\n", ""))
                self.assert_fails('needs a token with the role "train"', "import", "penguins", state, url=daemon.url)

    def test_as_a_program(self):
        done = subprocess.run([sys.executable, "-m", "normd", "models"], capture_output=True, text=True,
                              env={**os.environ, "NORMD_URL": self.daemon.url})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("penguins", done.stdout)


class Text(unittest.TestCase):
    def test_tables(self):
        self.assertEqual(table(["name", "n"], [["a", 1.5], ["bcdef", None]]), "name     n\na      1.5\nbcdef    -")
        self.assertEqual(table(["x"], [["a\x1b[2J"]]), "x\na?[2J")
        self.assertEqual(table(["x"], []), "x")

    def test_sparklines(self):
        self.assertEqual(sparkline([0, 1, 2]), "▁▄█")
        self.assertEqual(sparkline([5.0]), "▁")
        self.assertEqual(sparkline([]), "")


if __name__ == "__main__":
    unittest.main()
