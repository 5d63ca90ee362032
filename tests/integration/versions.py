# SPDX-License-Identifier: MIT
"""What the tests of versions share."""

from digests import loads, version_digest
from normd import ClientTest

ROWS = [[1.5, -2.25], [0.5, 3], [-7, 0.125]]


class VersionsTest(ClientTest):
    """Each test has a model named after itself."""

    def of_model(self, *rest):
        return "/".join(("/v1/models", self.model, *(str(each) for each in rest)))

    def put(self, layer="bn", definition=None):
        return self.ask("PUT", self.path(layer), definition or {"kind": "batch_norm", "num_features": 2}, status=201)

    def train(self, layer="bn", data=None, **more):
        return self.ask("POST", self.path(layer, "train?output=false"), {"data": data or [[1, 20], [3, 40]]}, **more)

    def infer(self, query="", layer="bn", **more):
        return self.ask("POST", self.path(layer, "infer") + query, {"data": ROWS}, **more)

    def make(self, body=None, headers=None, status=201):
        """Makes a version; its number."""
        answer = self.ask("POST", self.of_model("versions"), body, headers, status)
        return answer.json["version"] if status == 201 else answer

    def serve(self, version, note=None, status=200):
        return self.ask("PUT", self.of_model("serving"), {"version": version, "note": note}, status=status)

    def alias(self, name, version, status=200):
        return self.ask("PUT", self.of_model("aliases", name), {"version": version}, status=status)

    def not_found(self, code, method, path, body=None):
        answer = self.ask(method, path, body, status=404)
        self.assertEqual(answer.code, code, answer)
        return answer.json["detail"]

    def wrong(self, code, method, path, body=None, status=400):
        answer = self.ask(method, path, body, status=status)
        self.assertEqual(answer.code, code, answer)
        return answer.json["detail"]

    def pages(self, path, member, limit):
        """All entries of a list, read in pages of `limit`."""
        entries, after = [], None
        while True:
            page = self.ask("GET", f"{path}?limit={limit}" + (f"&after={after}" if after is not None else "")).json
            self.assertLessEqual(len(page[member]), limit)
            entries += page[member]
            after = page["next"]
            if after is None:
                return entries
            self.assertEqual(len(page[member]), limit)

    def numbers(self, limit=1000):
        return [version["version"] for version in self.pages(self.of_model("versions"), "versions", limit)]

    def restart(self, kill=False):
        """Stops the daemon, or kills it, and starts it again on the same store."""
        self.client.close()
        self.daemon.kill() if kill else self.daemon.stop()
        self.daemon.start()
        self.client = self.daemon.client()
        self.addCleanup(self.client.close)


def ask_version(client, model, number):
    """What GET says of a version, with all of its layers; its digest must be that of its layers."""
    path, after, layers = f"/v1/models/{model}/versions/{number}", "", []
    while after is not None:
        answer = client.request("GET", f"{path}?limit=100&after={after}")
        if answer.status != 200:
            raise AssertionError(answer)
        shown = loads(answer.raw)
        layers += shown["layers"]
        after = shown["next"]
    shown["layers"] = layers
    computed = version_digest({layer["name"]: layer["digest"] for layer in layers})
    if computed != shown["digest"]:
        raise AssertionError(f"version {number} has the digest {shown['digest']}, its layers give {computed}")
    return shown
