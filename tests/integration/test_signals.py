# SPDX-License-Identifier: MIT
"""What signals do to a daemon that serves: SIGHUP reads again, SIGUSR1 and SIGUSR2 change the log's level, like
/v1/log-level; SIGTERM alone stops it."""

import signal
import unittest

from normd import ClientTest, Daemon, wait_for

LEVELS = ["debug", "info", "warn", "error"]


class Levels(ClientTest):
    daemon_args = ("--log-level", "warn")

    def lines(self, message):
        return [line for line in self.daemon.log_lines() if line["message"] == message]

    def targets(self):
        return {line["target"] for line in self.lines("request")}

    def level(self):
        return self.ask("GET", "/v1/log-level").json["level"]

    def put(self, level):
        self.assertEqual(self.ask("PUT", "/v1/log-level", {"level": level}).json, {"level": level})

    def test_each_level_and_back(self):
        for before, level in zip(LEVELS[1:] + LEVELS, LEVELS):
            self.put(before)
            self.put(level)
            self.assertEqual(self.level(), level)
        self.put("warn")

    def test_it_takes_effect_at_once_and_is_logged_at_any_level(self):
        self.put("error")
        self.ask("GET", "/v1/models?limit=11")
        self.put("info")
        self.ask("GET", "/v1/models?limit=12")
        wait_for(lambda: "/v1/models?limit=12" in self.targets(), "it is logged, before the level changes again")
        self.put("warn")
        self.ask("GET", "/v1/models?limit=13")
        self.put("error")
        wait_for(lambda: {("error", "warn"), ("info", "error"), ("warn", "info")} <=
                 {(line["to"], line["from"]) for line in self.lines("log level")}, "each change is logged")
        self.assertIn("PUT /v1/log-level", {line["by"] for line in self.lines("log level")})
        self.assertFalse({"/v1/models?limit=11", "/v1/models?limit=13"} & self.targets())
        self.put("warn")

    def test_bad_levels_change_nothing(self):
        for body, said in (({"level": "verbose"}, '"debug" or "info" or "warn" or "error"'),
                           ({"level": "wran"}, '"warn"?'), ({"level": 1}, '"debug"'), ({}, '"level"'),
                           ({"level": None}, '"level"'), ({"level": "info", "levle": "info"}, '"levle"'),
                           ([], "object"), ("", "")):
            answer = self.ask("PUT", "/v1/log-level", body, status=400)
            self.assertIn(said, answer.json["detail"])
            self.assertEqual(self.level(), "warn")
        self.ask("DELETE", "/v1/log-level", status=405)

    def by_signal(self, number, *levels):
        """Each signal must lead to the next level, with a line."""
        for level in levels:
            count = len(self.lines("log level"))
            self.daemon.process.send_signal(number)
            line = wait_for(lambda: self.lines("log level")[count:], "the signal is logged")[0]
            self.assertEqual((line["to"], line["by"]), (level, signal.Signals(number).name))
            self.assertEqual(self.level(), level)

    def test_by_signals_one_step_each_up_to_the_ends(self):
        self.by_signal(signal.SIGUSR1, "info", "debug", "debug")
        self.by_signal(signal.SIGUSR2, "info", "warn", "error", "error")
        self.by_signal(signal.SIGUSR1, "warn")

    def test_other_signals_leave_requests_alone(self):
        """SIGHUP with nothing to read again, at a level that shows it."""
        self.put("info")
        for count in range(3):
            self.daemon.process.send_signal(signal.SIGHUP)
            wait_for(lambda: len(self.lines("nothing to reload")) == count + 1, "the reload is logged")
            self.ask("GET", "/v2/health/ready")
        self.put("warn")


class WhileItDrains(unittest.TestCase):
    def test_only_signals_to_stop_end_the_drain(self):
        daemon = Daemon("--drain-timeout", "600", "--threads", "1")
        self.addCleanup(daemon.close)
        client = daemon.client()
        client.connection.putrequest("POST", "/v1/normalize")
        client.connection.putheader("Content-Length", "2")
        client.connection.endheaders(b"{")
        daemon.curl("GET", "/v2/health/live")  # by the same loop: it has read that head
        daemon.process.send_signal(signal.SIGTERM)
        wait_for(lambda: '"draining"' in daemon.log(), "it drains")
        for number, line in ((signal.SIGHUP, "nothing to reload"), (signal.SIGUSR1, '"by":"SIGUSR1"'),
                             (signal.SIGUSR2, '"by":"SIGUSR2"')):
            daemon.process.send_signal(number)
            wait_for(lambda: line in daemon.log(), line)
        client.connection.send(b"}")
        self.assertEqual(client.connection.getresponse().status, 400)
        client.close()
        process, daemon.process = daemon.process, None
        self.assertEqual(process.wait(60), 0)
        self.assertEqual(daemon.log_lines()[-1]["requests_cut"], 0)


if __name__ == "__main__":
    unittest.main()
