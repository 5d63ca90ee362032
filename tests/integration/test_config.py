# SPDX-License-Identifier: MIT
"""Settings from a file, the environment and the command line: which wins, what is refused and where, --check-config."""

import os
import re
import subprocess
import tempfile
import unittest

from normd import NORMD, PATIENCE, Daemon, wait_for
from tables import settings

# A value that is not the default, by setting or by what it takes.
VALUES = {"listen": "127.0.0.1:81", "store": "sqlite:x.db", "sandbox": "off", "web": "off", "log-level": "warn",
          "log-format": "text", "max-memory": "4GiB", "cors-origin": "https://a.example",
          "N": "7", "SIZE": "1GiB", "TIME": "7m", None: "true"}


class Settings(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="normd-test-")
        self.addCleanup(self.directory.cleanup)
        self.path = os.path.join(self.directory.name, "normd.conf")

    def write(self, content):
        with open(self.path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return self.path

    def run_normd(self, *args, env=None, stdin=None):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("NORMD_")}
        return subprocess.run([NORMD, *args], capture_output=True, text=True, timeout=60 * PATIENCE, input=stdin,
                              env={**clean, **(env or {})}, cwd=self.directory.name)

    def check(self, content, *args, env=None):
        """The settings that --check-config shows: {name: (value, where from)}."""
        done = self.run_normd("--check-config", "--config", self.write(content), *args, env=env)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("# the configuration is valid\n"), done.stdout)
        found = re.findall(r"""(?m)^([\w-]+) = (".*?"|'.*?'|\S+) +# (.*)$""", done.stdout)
        self.assertEqual({name for name, *_ in found}, {row.name for row in settings()} - {"config"})
        return {name: (value, source) for name, value, source in found}

    def refuse(self, content, words, *args, env=None):
        """It is refused, without an effect, and what is said begins with the file."""
        done = self.run_normd("--config", self.write(content), *args, env=env)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(os.listdir(self.directory.name), ["normd.conf"])
        return done.stderr


class Precedence(Settings):
    def test_the_command_line_wins_over_the_environment_over_the_file(self):
        content = "# two\nthreads = 2\nmax-keys = 2\nkey-lifetime = 2d\n"
        environment = {"NORMD_THREADS": "3", "NORMD_MAX_KEYS": "3"}
        told = self.check(content, "--threads", "5", "--threads", "4", env=environment)
        self.assertEqual(told["threads"], ("4", "command line"))
        self.assertEqual(told["max-keys"], ("3", "NORMD_MAX_KEYS"))
        self.assertEqual(told["key-lifetime"], ("2d", f"{self.path}:4"))
        self.assertEqual(told["log-level"], ("info", "default"))

    def test_every_setting_from_every_place(self):
        """But those of files and folders, which must be there."""
        values = {row.name: VALUES.get(row.name, VALUES.get(row.takes)) for row in settings()
                  if row.takes not in ("FILE", "DIR")}
        self.assertNotIn(None, values.values())
        variables = {row.name: row.variable for row in settings()}
        of_tokens = values.pop("max-requests-per-second")
        content = "".join(f"{name} = {value}\n" for name, value in values.items())
        self.assertLessEqual({name: (value, f"{self.path}:{line}") for line, (name, value) in
                              enumerate(values.items(), 1)}.items(), self.check(content).items())
        told = self.check("", env={variables[name]: value for name, value in values.items()})
        self.assertLessEqual({name: (value, variables[name]) for name, value in values.items()}.items(), told.items())
        told = self.check("", *(f"--{name}={value}" for name, value in values.items()))
        self.assertLessEqual({name: (value, "command line") for name, value in values.items()}.items(), told.items())
        self.refuse(f"max-requests-per-second = {of_tokens}", "but tokens is not")

    def test_an_empty_variable_is_none(self):
        self.assertEqual(self.check("threads = 2\n", env={"NORMD_THREADS": ""})["threads"][0], "2")

    def test_the_file_may_be_named_by_the_environment_but_not_by_a_file(self):
        self.write("threads = 2\n")
        done = self.run_normd("--check-config", env={"NORMD_CONFIG": "normd.conf"})
        self.assertRegex(done.stdout, r"(?m)^threads = 2 +# normd\.conf:1$")
        self.refuse("config = other.conf\n", ":1: config cannot stand in the file")

    def test_a_flag_needs_no_value_on_the_command_line(self):
        for args, value in ((("--insecure",), "true"), (("--insecure=false",), "false"), (("--insecure=yes",), "yes")):
            self.assertEqual(self.check("", *args)["insecure"], (value, "command line"))
        self.refuse("", 'no option "false"', "--insecure", "false")
        self.refuse("", "--insecure is \"maybe\"; it must be true or false", "--insecure=maybe")

    def test_a_daemon_obeys_the_file(self):
        daemon = Daemon("--config", self.write('log-format = text\r\nmax-body = "1kB" # small\r\n'))
        self.addCleanup(daemon.close)
        self.assertEqual(daemon.curl("POST", "/v1/normalize", b" " * 1001).code, "body_too_large")
        self.assertEqual(daemon.curl("POST", "/v1/normalize", b" " * 1000).code, "bad_json")
        wait_for(lambda: "listening" in daemon.log(), "it says that it listens")
        self.assertRegex(daemon.log(), r"(?m)^20\S+Z info  listening ")


class Refusals(Settings):
    def test_lines(self):
        for content, words in (
                ("\n# x\nthraeds = 2\n", ':3: there is no setting "thraeds"; did you mean "threads"?'),
                ("max_body = 1MiB\n", ':1: there is no setting "max_body"; did you mean "max-body"?'),
                ("--threads = 2\n", ':1: there is no setting "--threads"; did you mean "threads"?'),
                ("colour = blue\n", ':1: there is no setting "colour"\n'),
                ("threads = 2\nlog-level = info\nthreads = 2\n", ':3: threads is set again; line 1 sets it to "2"'),
                ("threads = 300\n", ':1: threads is "300"; it must be a whole number from 0 to 256'),
                ("log-level = warning", ':1: log-level is "warning"; it must be debug, info, warn or error; did you'),
                ("\r\nlisten = 8080\r\n", ':2: listen is "8080"; it must be ADDR:PORT'),
                ("store = mysql://x\n", ":1: store cannot be used: "),
                ("cors-origin = x\n", ':1: cors-origin has "x"; an origin is'),
                ("drain-timeout\n", ':1: "drain-timeout" is not a setting; expected NAME = VALUE'),
                ("drain-timeout =\n", ':1: drain-timeout has no value; an empty one is written as ""'),
                ("insecure = maybe\n", ':1: insecure is "maybe"; it must be true or false'),
                (b"threads = 2\0\n", ":1: there is a NUL byte; the file must be a text in UTF-8"),
                ("threads = 2\n".encode("utf-16"), ":1: this is not UTF-8"),
                (b"# caf\xe9\n", ":1: this is not UTF-8"),
                (os.urandom(1000), ":1: ")):
            with self.subTest(content=content):
                if isinstance(content, bytes) and len(content) == 1000:
                    content = b"\x80" + content
                self.assertTrue(self.refuse(content, words).startswith(f"normd: {self.path}:"))

    def test_contradictions_name_where_the_first_setting_is(self):
        for content, args, env, words in (
                ("\ntls-cert = /x\n", (), {}, ":2: tls-cert is set, but tls-key is not: a certificate needs"),
                ("", ("--tls-key", "x"), {}, "normd: --tls-key is set, but --tls-cert is not: a private key needs"),
                ("", (), {"NORMD_TLS_CERT": "x"}, "normd: NORMD_TLS_CERT is set, but --tls-key is not"),
                ("max-requests-per-second = 5", (), {}, ":1: max-requests-per-second is set, but tokens is not"),
                ("tls-cert = x\ntls-key = y\n", ("--tls-key=",), {}, ":1: tls-cert is set, but tls-key is not")):
            with self.subTest(words):
                self.refuse(content, words, *args, env=env)
                self.refuse(content, words, "--check-config", *args, env=env)
        self.check("open-metrics = true\nmax-requests-per-second = 0\ntls-cert = ''\n")

    def test_files_that_are_none(self):
        with open(self.path, "w") as f:
            f.write("#" * (1 << 20) + "\n")
        for path, words in ((self.path, "is larger than 1048576 bytes"), ("/dev/zero", "is larger than 1048576 bytes"),
                            (self.directory.name, "cannot be read: Is a directory"),
                            ("missing.conf", '"missing.conf" cannot be read: No such file or directory'),
                            ("/proc/self/mem", "cannot be read: Input/output error"),
                            ("x" * 5000, "xxx\" cannot be read: File name too long")):
            with self.subTest(path[:80]):
                done = self.run_normd("--config", path)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(words, done.stderr)

    def test_standard_input_and_pipes_are_read_to_their_end(self):
        done = self.run_normd("--config", "/dev/stdin", "--check-config", stdin="threads = 2\nthreads = 3\n")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/dev/stdin:2: threads is set again", done.stderr)


class CheckConfig(Settings):
    def test_what_it_prints_is_a_file_of_the_same_settings(self):
        odd = "sqlite:a # b"
        first = self.run_normd("--check-config", "--store", odd, "--threads", "0", "--insecure")
        self.assertEqual(first.returncode, 0, first.stderr)
        again = self.check(first.stdout)
        self.assertEqual(again["store"][0], f'"{odd}"')
        self.assertEqual(again["insecure"][0], "true")
        self.assertRegex(again["threads"][1], r"normd\.conf:\d+; here [1-9]\d*$")

    def test_what_the_settings_name_is_looked_at_and_not_touched(self):
        self.check("store = sqlite:new.db\nport-file = port\n")
        self.assertEqual(os.listdir(self.directory.name), ["normd.conf"])
        with open(os.path.join(self.directory.name, "text"), "w") as f:
            f.write("not a database, but a text")
        anywhere = {"NORMD_LISTEN": "127.0.0.1:0"}
        for content, words in (("store = sqlite:no/x.db\n", ":1: store: no/x.db cannot be opened: its folder does not"),
                               ("store = sqlite:/dev/null\n", ":1: store: /dev/null is not a regular file"),
                               ("store = sqlite:text\n", ":1: store: text is not a normd store"),
                               ("store = sqlite:.\n", ":1: store: . cannot be opened: it is a folder"),
                               ("port-file = no/port\n", ":1: port-file: no/port cannot be made, for its folder: No"),
                               ("port-file = /tmp\n", ":1: port-file: cannot write /tmp: it is a folder"),
                               ("port-file = text\n", ":1: port-file: cannot write text: it has other contents than"),
                               ("port-file = /dev/null\n", ":1: port-file: cannot write /dev/null: it is not a"),
                       ("tokens = text\n", ":1: tokens: text:1: "),
                       ("tokens = no/tokens\n", ":1: tokens: no/tokens cannot be opened: No such file"),
                       ("tls-cert = no/cert\ntls-key = no/key\n", ":1: tls-cert: "),
                       ("listen = 0.0.0.0:0\n", ":1: listen: 0.0.0.0 is not a loopback address, and without tokens"),
                       ("listen = [::]:0\n", ":1: listen: :: is not a loopback address"),
                       ("listen = no.host.invalid:0\n", ":1: listen: cannot listen on no.host.invalid: ")):
            with self.subTest(content):
                done = self.run_normd("--check-config", "--config", self.write(content))
                # A store may be in order later, and so may a name that cannot be looked up now.
                codes = (1,) if content.startswith("store") else (1, 2) if "invalid" in content else (2,)
                self.assertIn(done.returncode, codes)
                self.assertEqual(done.stdout, "")
                self.assertIn(f"{self.path}{words}", done.stderr)
                start = self.run_normd("--config", self.path, env=anywhere if "listen" not in content else {})
                self.assertEqual(start.returncode, done.returncode, start.stderr)

    def test_addresses_that_are_allowed(self):
        for content in ("listen = 0.0.0.0:0\ninsecure = true\n", "listen = localhost:0\n", "listen = [::1]:0\n",
                        "listen = 127.1.2.3:0\n"):
            self.check(content)

    def test_settings_that_cannot_be_printed(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([NORMD, "--check-config"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "normd: the settings cannot be printed: No space left on device\n"))

    def test_all_that_is_wrong_is_said(self):
        done = self.run_normd("--check-config", "--store", "sqlite:no/x.db", env={"NORMD_PORT_FILE": "no/port"})
        self.assertEqual(done.returncode, 2)
        self.assertEqual([line.split(": ")[1] for line in done.stderr.splitlines()], ["NORMD_PORT_FILE", "--store"])

    def test_a_store_that_a_daemon_has_open(self):
        daemon = Daemon()
        self.addCleanup(daemon.close)
        self.check(f"store = {daemon.store}\n")
        self.assertEqual(daemon.curl("GET", "/v2/health/ready").status, 200)


class Environment(Settings):
    # What Kubernetes and Docker make for a service of the name normd, and what clients may use.
    OTHERS = {"NORMD_PORT": "tcp://10.0.0.1:8080", "NORMD_SERVICE_HOST": "10.0.0.1", "NORMD_SERVICE_PORT": "8080",
              "NORMD_SERVICE_PORT_HTTP": "8080", "NORMD_PORT_8080_TCP": "tcp://10.0.0.1:8080",
              "NORMD_PORT_8080_TCP_ADDR": "10.0.0.1", "NORMD_PORT_8080_TCP_PROTO": "tcp", "NORMD_NAME": "/a/normd",
              "NORMD_URL": "http://x", "NORMD_BUILD": "build", "NORMD_": "x", "NORMD_" + "X" * 1000: "y"}

    def test_a_variable_that_is_nearly_a_setting_s_is_warned_of(self):
        done = self.run_normd("--check-config", env={**self.OTHERS, "NORMD_THREDS": "2", "NORMD_TOKEN": "x"})
        self.assertEqual(done.returncode, 0)
        self.assertEqual(sorted(done.stderr.splitlines()), [
            "normd: warning: NORMD_THREDS is not a setting; did you mean NORMD_THREADS?",
            "normd: warning: NORMD_TOKEN is not a setting; did you mean NORMD_TOKENS?"])

    def test_the_daemon_warns_in_its_log_and_serves(self):
        daemon = Daemon(env={**self.OTHERS, "NORMD_MAX_BODI": "1"})
        self.addCleanup(daemon.close)
        lines = wait_for(lambda: [line for line in daemon.log_lines() if line["level"] == "warn"], "it warns")
        self.assertEqual([(line["variable"], line["meant"]) for line in lines], [("NORMD_MAX_BODI", "NORMD_MAX_BODY")])


if __name__ == "__main__":
    unittest.main()
