# SPDX-License-Identifier: MIT
"""The alert rules of deploy/prometheus: what promtool says of them; that they agree with daemon and handbook."""

import os
import re
import subprocess
import unittest

from normd import ROOT
from tables import read

FOLDER = "deploy/prometheus/"
TESTS = ("alerts_test.yml", "alerts_days_test.yml")
RULES = read(FOLDER + "alerts.yml")


class Alerts(unittest.TestCase):
    def promtool(self, *args):
        done = subprocess.run(["promtool", *args], cwd=os.path.join(ROOT, FOLDER), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_rules_are_valid(self):
        self.promtool("check", "rules", "alerts.yml")

    def test_each_alert_rings_and_is_quiet(self):
        self.promtool("test", "rules", *TESTS)
        tested = set(re.findall(r'alertname="(\w+)"', "".join(read(FOLDER + file) for file in TESTS)))
        self.assertEqual(tested, set(re.findall(r"- alert: (\w+)", RULES)))

    def test_every_metric_is_one_of_the_table(self):
        table = set(re.findall(r'"((?:normd|process)_\w+)"', read("base/metrics_table.h")))
        used = {name.removesuffix("_bucket") for name in re.findall(r"\b((?:normd|process)_\w+)", RULES)}
        self.assertEqual(used - table, set())

    def test_every_runbook_is_a_section(self):
        """Of the handbook, with the alert's name; no other alert has one."""
        alerts = re.findall(r"- alert: (\w+)", RULES)
        chapter = re.search(r"(?ms)^## Alerts$(.*?)^## ", read("docs/OPERATIONS.md"))[1]
        self.assertEqual(re.findall(r"(?m)^### (\w+)$", chapter), alerts)
        runbooks = re.findall(r"runbook: (\S+)", RULES)
        self.assertEqual(runbooks, ["docs/OPERATIONS.md#" + alert.lower() for alert in alerts])
        for part in ("summary: >-", "description: >-", "severity: "):
            self.assertEqual(RULES.count(part), len(runbooks), part)


if __name__ == "__main__":
    unittest.main()
