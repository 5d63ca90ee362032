# SPDX-License-Identifier: MIT
"""
The dashboard of deploy/grafana and the settings of Prometheus: every expression finds what it asks for among the
metrics of a running daemon, and what compose mounts, names and publishes fits together.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

import tls
from access import Tokens, bearer
from normd import ROOT, Daemon
from tables import read

BOARD = json.loads(read("deploy/grafana/dashboards/normd.json"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel, target) for panel in PANELS for target in panel["targets"]]
RULES = [rule for group in yaml.safe_load(read("deploy/prometheus/alerts.yml"))["groups"] for rule in group["rules"]]
SERVICES = yaml.safe_load(read("deploy/docker-compose.yml"))["services"]
MONITORING = {name: service for name, service in SERVICES.items() if "monitoring" in service.get("profiles", ())}

VARIABLES = {"$__rate_interval": "5m", "$quantile": "0.99", "$job": "normd", "$instance": ".*"}
SCRAPED = 'job="normd",instance="here"'  # what Prometheus adds
OF_PROMETHEUS = [f"up{{{SCRAPED}}}",
                 f'ALERTS{{alertname="NormdSheds",alertstate="firing",severity="warning",reason="rate",{SCRAPED}}}']


def filled(expression):
    """An expression as Grafana sends it."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def scrape():
    """What a daemon shows that serves TLS and tokens, after some requests, as series with Prometheus's own labels."""
    directory = tempfile.mkdtemp(prefix="normd-test-")
    try:
        tokens = Tokens(directory)
        token, scraper = tokens.make("admin"), tokens.make("infer", "--models", "no-model-")
        daemon = Daemon("--tokens", tokens.path, pair=tls.shared())
        try:
            client = daemon.client()
            for method, path, body in (("PUT", "/v1/models/m/layers/bn", {"kind": "batch_norm"}),
                                       ("POST", "/v1/models/m/layers/bn/train", [[1, 2], [3, 5]]),
                                       ("GET", "/v1/models/none", None), ("GET", "/v1/backup", None)):
                client.request(method, path, body, bearer(token))
            lines = client.request("GET", "/metrics", headers=bearer(scraper)).body.splitlines()
            client.close()
        finally:
            daemon.close()
    finally:
        shutil.rmtree(directory)
    names = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
    return OF_PROMETHEUS + [name.replace("{", f"{{{SCRAPED},", 1) if "{" in name else f"{name}{{{SCRAPED}}}"
                            for name in names]


def shown_labels(panel, target):
    """The labels that a target's legend or its table names."""
    columns = {name for change in panel.get("transformations", ()) for name in change["options"]["includeByName"]}
    return sorted(columns - {"Value"}) or re.findall(r"{{(\w+)}}", target["legendFormat"])


def promtool(*args):
    return subprocess.run(["promtool", *args], capture_output=True, text=True)


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.series = scrape()
        cls.labels = {}
        for series in cls.series:
            name, labels = series.split("{", 1)
            cls.labels.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))

    def test_every_expression_finds_series_with_the_labels_that_are_shown(self):
        """group() makes one series of all that are found, with the label has_X="yes" where each of them has X."""
        tests = []
        for panel, target in TARGETS:
            expression, labels = filled(target["expr"]), shown_labels(panel, target)
            self.assertNotIn("$", expression, panel["title"])
            for label in labels:
                expression = f'label_replace({expression}, "has_{label}", "yes", "{label}", ".+")'
            tests.append({"expr": f"group by ({','.join('has_' + label for label in labels)}) ({expression})",
                          "eval_time": "20m", "exp_samples": [
                              {"labels": "{%s}" % ",".join(f'has_{label}="yes"' for label in labels), "value": 1}]})
        self.assertGreater(len(tests), 50)
        page = {"evaluation_interval": "1m", "tests": [{
            "interval": "1m", "input_series": [{"series": series, "values": "0+1x20"} for series in self.series],
            "promql_expr_test": tests}]}
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
            json.dump(page, f)
            f.flush()
            done = promtool("test", "rules", f.name)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_selector_names_a_metric_and_labels_that_it_has(self):
        expressions = [target["expr"] for _, target in TARGETS] + [rule["expr"] for rule in RULES]
        found = [(name, re.findall(r"(\w+)\s*(?:!=|=~|!~|=)", labels or "")) for expression in expressions
                 for name, labels in re.findall(r"\b((?:normd|process)_\w+|up|ALERTS)\b(?:{(.*?)})?", expression)]
        self.assertGreater(len(found), 100)
        for name, labels in found:
            self.assertIn(name, self.labels)
            self.assertLessEqual(set(labels), self.labels[name], name)
            self.assertIn("instance" if name == "ALERTS" else "job", labels, name)

    def test_every_metric_has_its_place(self):
        table = set(re.findall(r'"((?:normd|process)_\w+)"', read("base/metrics_table.h")))
        text = " ".join(target["expr"] for _, target in TARGETS)
        shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b(?:normd|process)_\w+", text)}
        self.assertEqual(table - shown, set())


class Board(unittest.TestCase):
    def test_panels_are_whole_and_do_not_overlap(self):
        self.assertEqual(len({panel["id"] for panel in BOARD["panels"]}), len(BOARD["panels"]))
        taken = set()
        for panel in BOARD["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            taken |= cells
        for panel in PANELS:
            self.assertTrue(panel["description"] and panel["title"])
            references = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(set(references)), len(references), panel["title"])

    def test_the_source_and_the_daemons_are_chosen_by_variables(self):
        variables = {variable["name"] for variable in BOARD["templating"]["list"]}
        text = json.dumps(BOARD["panels"])
        used = set(re.findall(r"\$\{?([a-z]\w*)", text))
        self.assertEqual(used, variables)
        for panel, target in TARGETS:
            self.assertEqual([panel["datasource"], target["datasource"]],
                             [{"type": "prometheus", "uid": "${datasource}"}] * 2)
            self.assertIn("$instance", target["expr"])


class Settings(unittest.TestCase):
    """What Prometheus and Grafana read, and what compose mounts for them."""

    def mounts(self, service):
        """{path in the container: (path in the repository or volume's name, options)}"""
        parts = [volume.split(":") for volume in service["volumes"]]
        return {part[1]: (os.path.normpath(os.path.join("deploy", part[0])) if part[0].startswith(".") else part[0],
                          part[2:]) for part in parts}

    def test_they_change_nothing_but_their_volumes_and_are_for_this_machine(self):
        self.assertEqual(set(MONITORING), {"prometheus", "grafana"})
        for service in MONITORING.values():
            self.assertRegex(service["image"], r"^docker\.io/[a-z]+/[a-z]+:v?\d+\.\d+\.\d+$")
            self.assertEqual((service["read_only"], service["cap_drop"]), (True, ["ALL"]))
            self.assertEqual([port.split(":")[0] for port in service["ports"]], ["127.0.0.1"])
            for source, options in self.mounts(service).values():
                if source.startswith("deploy/"):
                    self.assertTrue(os.path.exists(os.path.join(ROOT, source)), source)
                    self.assertEqual(options, ["ro"])

    def test_promtool_accepts_the_settings(self):
        with tempfile.TemporaryDirectory() as directory:
            folder = shutil.copytree(os.path.join(ROOT, "deploy/prometheus"), os.path.join(directory, "etc"))
            path = os.path.join(folder, "prometheus.yml")
            with open(path) as f:
                text = f.read()
            with open(path, "w") as f:
                f.write(text.replace("/run/secrets/metrics_token", os.path.join(folder, "no-token")))
            done = promtool("check", "config", path)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{len(RULES)} rules found", done.stdout)

    def test_prometheus_finds_normd_and_its_token(self):
        job, = yaml.safe_load(read("deploy/prometheus/prometheus.yml"))["scrape_configs"]
        self.assertEqual(job["job_name"], VARIABLES["$job"])
        self.assertEqual(self.mounts(MONITORING["prometheus"])["/etc/prometheus"], ("deploy/prometheus", ["ro"]))
        secret, = MONITORING["prometheus"]["secrets"]
        self.assertEqual(job["authorization"], {"credentials_file": "/run/secrets/" + secret})
        self.assertEqual(read("deploy/prometheus/no-token"), "")
        self.assertIn(secret, yaml.safe_load(read("deploy/docker-compose.tokens.yml"))["secrets"])
        port = SERVICES["normd"]["ports"][0].rsplit(":")[-1]
        overlay = yaml.safe_load(read("deploy/docker-compose.tls.yml"))["services"]["prometheus"]
        mounted = self.mounts(overlay)
        self.assertEqual(mounted, {"/etc/prometheus/target.yml": ("deploy/prometheus/target-tls.yml", ["ro"])})
        self.assertEqual(job["file_sd_configs"], [{"files": ["target.yml"]}])
        plain, = yaml.safe_load(read("deploy/prometheus/target.yml"))
        over_tls, = yaml.safe_load(read("deploy/prometheus/target-tls.yml"))
        self.assertEqual(plain, {"targets": [f"normd:{port}"]})
        self.assertEqual(over_tls, {**plain, "labels": {"__scheme__": "https"}})

    def test_grafana_finds_prometheus_and_the_dashboard(self):
        mounts = self.mounts(MONITORING["grafana"])
        provisioning = "/etc/grafana/provisioning/"
        source, = yaml.safe_load(read(mounts[provisioning + "datasources"][0] + "/prometheus.yml"))["datasources"]
        self.assertEqual((source["type"], source["isDefault"]), ("prometheus", True))
        self.assertEqual(source["url"], "http://prometheus:" + MONITORING["prometheus"]["ports"][0].rsplit(":")[-1])
        every = yaml.safe_load(read("deploy/prometheus/prometheus.yml"))["global"]["scrape_interval"]
        self.assertEqual(source["jsonData"]["timeInterval"], every)
        provider, = yaml.safe_load(read(mounts[provisioning + "dashboards"][0] + "/normd.yml"))["providers"]
        self.assertEqual(mounts[provider["options"]["path"]], ("deploy/grafana/dashboards", ["ro"]))
        environment = MONITORING["grafana"]["environment"]
        self.assertEqual(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"],
                         provider["options"]["path"] + "/normd.json")

    def test_grafana_has_viewers_and_no_account(self):
        environment = MONITORING["grafana"]["environment"]
        self.assertEqual([environment["GF_" + name] for name in (
            "AUTH_ANONYMOUS_ENABLED", "AUTH_ANONYMOUS_ORG_ROLE", "AUTH_BASIC_ENABLED", "AUTH_DISABLE_LOGIN_FORM",
            "SECURITY_DISABLE_INITIAL_ADMIN_CREATION")], ["true", "Viewer", "false", "true", "true"])


if __name__ == "__main__":
    unittest.main()
