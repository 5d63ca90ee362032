# SPDX-License-Identifier: MIT
"""The files of deploy/ for several daemons on one database: they fit each other, the daemon and their formats."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import jsonschema
import yaml

from tables import read, settings


def seconds(text):
    return int(re.fullmatch(r"(\d+)s?", text)[1])


def some(members, needed=()):
    """A JSON schema: an object with no other members than these."""
    return {"type": "object", "properties": members, "required": list(needed), "additionalProperties": False}


def many(items):
    return {"type": "array", "items": items, "minItems": 1}


TEXT, NUMBER, YES_NO = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
LABELS = {"type": "object", "additionalProperties": TEXT, "minProperties": 1}
NAMES = some({"name": TEXT, "labels": LABELS}, ["name"])
SELECTOR = some({"matchLabels": LABELS}, ["matchLabels"])
PROBE = some({"httpGet": some({"path": TEXT, "port": TEXT, "scheme": {"enum": ["HTTP", "HTTPS"]}}, ["path", "port"]),
              "periodSeconds": NUMBER, "timeoutSeconds": NUMBER, "failureThreshold": NUMBER}, ["httpGet"])
QUANTITIES = {"type": "object", "additionalProperties": {"type": "string", "pattern": r"^\d+(m|Mi|Gi)?$"}}
CONTAINER = some({
    "name": TEXT, "image": TEXT, "ports": many(some({"name": TEXT, "containerPort": NUMBER}, ["containerPort"])),
    "env": many(some({"name": TEXT, "value": TEXT, "valueFrom": some(
        {"secretKeyRef": some({"name": TEXT, "key": TEXT}, ["name", "key"])}, ["secretKeyRef"])}, ["name"])),
    "readinessProbe": PROBE, "livenessProbe": PROBE, "startupProbe": PROBE,
    "resources": some({"requests": QUANTITIES, "limits": QUANTITIES}),
    "securityContext": some({"allowPrivilegeEscalation": YES_NO, "readOnlyRootFilesystem": YES_NO,
                             "capabilities": some({"drop": many(TEXT)}, ["drop"])}),
    "volumeMounts": many(some({"name": TEXT, "mountPath": TEXT, "readOnly": YES_NO}, ["name", "mountPath"])),
}, ["name", "image"])
POD = some({
    "terminationGracePeriodSeconds": NUMBER, "automountServiceAccountToken": YES_NO, "enableServiceLinks": YES_NO,
    "securityContext": some({"runAsNonRoot": YES_NO, "fsGroup": NUMBER,
                             "seccompProfile": some({"type": {"enum": ["RuntimeDefault"]}}, ["type"])}),
    "topologySpreadConstraints": many(some(
        {"maxSkew": NUMBER, "topologyKey": TEXT, "labelSelector": SELECTOR,
         "whenUnsatisfiable": {"enum": ["ScheduleAnyway", "DoNotSchedule"]}},
        ["maxSkew", "topologyKey", "whenUnsatisfiable"])),
    "containers": many(CONTAINER),
    "volumes": many(some({"name": TEXT, "secret": some({"secretName": TEXT, "defaultMode": NUMBER}, ["secretName"])},
                         ["name"])),
}, ["containers"])
# What of Kubernetes's API the manifest uses, by kind: a misspelt field is refused.
KINDS = {
    "Deployment": ("apps/v1", some({
        "replicas": NUMBER, "selector": SELECTOR,
        "strategy": some({"rollingUpdate": some({"maxUnavailable": NUMBER, "maxSurge": NUMBER})}),
        "template": some({"metadata": some({"labels": LABELS}, ["labels"]), "spec": POD}, ["metadata", "spec"]),
    }, ["selector", "template"])),
    "Service": ("v1", some({"selector": LABELS, "ports": many(some({"name": TEXT, "port": NUMBER, "targetPort": TEXT},
                                                                  ["port"]))}, ["ports"])),
    "PodDisruptionBudget": ("policy/v1", some({"minAvailable": NUMBER, "selector": SELECTOR}, ["selector"])),
}


class Compose(unittest.TestCase):
    def setUp(self):
        self.file = yaml.safe_load(read("deploy/docker-compose.replicas.yml"))
        self.services = self.file["services"]
        self.daemons = {name: service for name, service in self.services.items() if name.startswith("normd")}

    def test_three_daemons_have_one_database(self):
        self.assertEqual(len(self.daemons), 3)
        for service in self.daemons.values():
            self.assertEqual(service, self.daemons["normd-1"])
        one, database = self.daemons["normd-1"], self.services["postgres"]["environment"]
        self.assertEqual(one["environment"]["NORMD_STORE"],
                         f"postgresql://{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}@postgres/"
                         f"{database['POSTGRES_DB']}")
        self.assertEqual(database["POSTGRES_PASSWORD"], "${NORMD_DATABASE_PASSWORD:?is not set}")  # none of our own
        self.assertEqual(one["depends_on"], {"postgres": {"condition": "service_healthy"}})
        self.assertEqual((one["read_only"], one["cap_drop"]), (True, ["ALL"]))
        known = {row.variable for row in settings()}
        self.assertLessEqual(set(one["environment"]), known)

    def test_only_nginx_is_reached_and_from_this_machine(self):
        ports = {name: service["ports"] for name, service in self.services.items() if "ports" in service}
        self.assertEqual(list(ports), ["nginx"])
        self.assertRegex(ports["nginx"][0], r"^127\.0\.0\.1:")

    def test_nginx_knows_all_daemons(self):
        mount, = self.services["nginx"]["volumes"]
        path, where, mode = mount.split(":")
        self.assertEqual((where, mode), ("/etc/nginx/conf.d/default.conf", "ro"))
        text = read(os.path.join("deploy", path))
        self.assertEqual(re.findall(r"server (normd-\d):8080", text), list(self.daemons))
        self.assertNotIn("non_idempotent", text)  # what was sent is not sent again
        self.check_by_nginx(text)

    def check_by_nginx(self, text):
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        if not os.path.exists(program):
            return
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "site.conf"), "w") as f:
                f.write(re.sub(r"normd-\d:8080", "127.0.0.1:9", text))
            main = os.path.join(folder, "nginx.conf")
            with open(main, "w") as f:
                f.write(f"events {{}}\npid {folder}/pid;\nerror_log {folder}/log;\n"
                        f"http {{ access_log off; include {folder}/site.conf; }}\n")
            done = subprocess.run([program, "-t", "-c", main], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)


class Kubernetes(unittest.TestCase):
    def setUp(self):
        self.objects = {each["kind"]: each for each in yaml.safe_load_all(read("deploy/kubernetes.yaml"))}
        self.pod = self.objects["Deployment"]["spec"]["template"]["spec"]
        self.container, = self.pod["containers"]

    def test_every_field_is_one_of_kubernetes(self):
        self.assertEqual(set(self.objects), set(KINDS))
        for kind, (version, spec) in KINDS.items():
            jsonschema.validate(self.objects[kind], some(
                {"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": NAMES, "spec": spec},
                ["apiVersion", "kind", "metadata", "spec"]))

    def test_they_fit_each_other(self):
        deployment, labels = self.objects["Deployment"]["spec"], {"app": "normd"}
        self.assertEqual(deployment["template"]["metadata"]["labels"], labels)
        self.assertEqual(deployment["selector"]["matchLabels"], labels)
        self.assertEqual(self.objects["Service"]["spec"]["selector"], labels)
        budget = self.objects["PodDisruptionBudget"]["spec"]
        self.assertEqual(budget["selector"]["matchLabels"], labels)
        self.assertLess(budget["minAvailable"], deployment["replicas"])
        ports = {port["name"] for port in self.container["ports"]}
        self.assertEqual({port["targetPort"] for port in self.objects["Service"]["spec"]["ports"]}, ports)
        mounts = {mount["name"] for mount in self.container["volumeMounts"]}
        self.assertEqual(mounts, {volume["name"] for volume in self.pod["volumes"]})

    def test_they_fit_the_daemon(self):
        env = {each["name"]: each.get("value") for each in self.container["env"]}
        self.assertLessEqual(set(env), {row.variable for row in settings()})
        self.assertIsNone(env["NORMD_STORE"])  # it has a password, and so comes from a secret
        timeout = next(row for row in settings() if row.variable == "NORMD_DRAIN_TIMEOUT").default
        self.assertGreater(self.pod["terminationGracePeriodSeconds"],
                           seconds(env["NORMD_DRAIN_DELAY"]) + seconds(timeout))
        routes = yaml.safe_load(read("docs/openapi.yaml"))["paths"]
        for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
            self.assertIn(self.container[probe]["httpGet"]["path"], routes)

    def test_it_has_no_rights(self):
        self.assertEqual(self.container["securityContext"], {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}})
        context = self.pod["securityContext"]
        self.assertEqual((context["runAsNonRoot"], context["seccompProfile"]), (True, {"type": "RuntimeDefault"}))
        self.assertFalse(self.pod["automountServiceAccountToken"])


if __name__ == "__main__":
    unittest.main()
