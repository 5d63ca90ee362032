# SPDX-License-Identifier: MIT
"""Aliases: names for versions."""

import unittest

from versions import VersionsTest


class Aliases(VersionsTest):
    def two_versions(self):
        """Two versions that answer differently; what they answer."""
        self.put()
        answers = {}
        for number in (1, 2):
            self.train()
            self.assertEqual(self.make(), number)
            answers[number] = self.infer(f"?version={number}").raw
        self.assertNotEqual(answers[1], answers[2])
        return answers

    def test_an_alias_stands_where_a_number_may(self):
        answers = self.two_versions()
        made = self.alias("champion", 1, status=201)
        self.assertEqual(made.json, {"alias": "champion", "version": 1})
        self.assertEqual(made.headers["location"], self.of_model("aliases", "champion"))
        self.assertEqual(self.ask("GET", made.headers["location"]).json, made.json)
        for number in (1, 2, 2, 1):
            moved = self.alias("champion", number)
            self.assertEqual(moved.json, {"alias": "champion", "version": number})
            self.assertNotIn("location", moved.headers)
            answer = self.infer("?version=champion")
            self.assertEqual((answer.raw, answer.headers["normd-version"]), (answers[number], str(number)))
            for of in ("", "/statistics", "/parameters", "/affine"):
                self.assertEqual(self.ask("GET", self.path() + of + "?version=champion").raw,
                                 self.ask("GET", self.path() + of + f"?version={number}").raw)
            self.assertEqual(self.ask("GET", self.of_model("versions/champion")).raw,
                             self.ask("GET", self.of_model("versions", number)).raw)
        self.ask("DELETE", self.of_model("aliases/champion"), status=204)
        self.not_found("no_such_alias", "GET", self.of_model("aliases/champion"))
        self.not_found("no_such_alias", "DELETE", self.of_model("aliases/champion"))
        self.not_found("no_such_alias", "POST", self.path("bn", "infer?version=champion"), {"data": [[1, 2]]})
        self.not_found("no_such_alias", "GET", self.of_model("versions/champion"))
        self.assertIn("only PUT .../serving takes",
                      self.not_found("no_such_alias", "GET", self.of_model("versions/previous")))
        self.not_found("no_such_alias", "PUT", self.of_model("serving"), {"version": "champion"})

    def test_an_alias_of_an_alias_is_resolved_once(self):
        answers = self.two_versions()
        self.alias("a", "2", status=201)
        self.assertEqual(self.alias("b", "a", status=201).json, {"alias": "b", "version": 2})
        self.alias("a", 1)
        self.assertEqual(self.infer("?version=a").raw, answers[1])
        self.assertEqual(self.infer("?version=b").raw, answers[2])
        self.assertEqual(self.ask("PUT", self.of_model("aliases/b"), self.ask("GET", self.of_model("aliases/a")).json)
                         .json["version"], 1)

    def test_names(self):
        self.two_versions()
        good = ["a", "v1", "1a", "1.0", "0x1", "Live", "LIVE", "previous2", "live.", "x" * 128]
        for name in good:
            self.assertEqual(self.alias(name, 1, status=201).json["alias"], name)
            self.assertEqual(self.infer(f"?version={name}").headers["normd-version"], "1")
        for name in ("1", "0", "007", "18446744073709551616", "9" * 128, "live", "previous"):
            for method, body in (("GET", None), ("PUT", {"version": 1}), ("DELETE", None)):
                self.assertIn("cannot be an alias",
                              self.wrong("bad_name", method, self.of_model("aliases", name), body))
        for name in ("x" * 129, "%20", "-a", "a%2Fb", "%C3%BC"):
            self.wrong("bad_name", "PUT", self.of_model("aliases", name), {"version": 1})
        self.assertEqual([alias["alias"] for alias in self.pages(self.of_model("aliases"), "aliases", 3)], sorted(good))

    def test_what_does_not_exist(self):
        self.two_versions()
        for version in (3, "3", 0, "0", 2**63 - 1, 2**63, "9" * 40):
            self.assertIn(f"has no version {version}",
                          self.not_found("no_such_version", "PUT", self.of_model("aliases/a"), {"version": version}))
        self.assertIn('"none"', self.not_found("no_such_alias", "PUT", self.of_model("aliases/a"), {"version": "none"}))
        self.assertEqual(self.ask("GET", self.of_model("aliases")).json, {"aliases": [], "next": None})
        for method, body in (("GET", None), ("PUT", {"version": 1}), ("DELETE", None)):
            self.not_found("no_such_model", method, "/v1/models/none-of-these/aliases/a", body)
        self.not_found("no_such_model", "GET", "/v1/models/none-of-these/aliases")

    def test_bodies(self):
        self.two_versions()
        for version in ("live", "previous", "", "a b", -1, 1.5, True, [1], {}, "x" * 129):
            self.assertIn("a version's number or an alias",
                          self.wrong("bad_parameter", "PUT", self.of_model("aliases/a"), {"version": version}))
        for body in ({}, {"version": None}, {"alias": "a"}):
            self.assertIn('has no "version"', self.wrong("bad_parameter", "PUT", self.of_model("aliases/a"), body))
        self.wrong("bad_parameter", "PUT", self.of_model("aliases/a"), {"version": 1, "note": "x"})
        self.wrong("bad_parameter", "PUT", self.of_model("aliases/a"), [1])
        self.wrong("bad_json", "PUT", self.of_model("aliases/a"))
        self.assertEqual(self.alias("a", 1.0, status=201).json["version"], 1)
        self.assertEqual(self.ask("OPTIONS", self.of_model("aliases/a"), status=204).headers["allow"],
                         "GET, HEAD, PUT, DELETE, OPTIONS")

    def test_a_version_with_an_alias_is_in_use(self):
        self.two_versions()
        self.alias("a", 1, status=201)
        self.alias("b", 1, status=201)
        self.assertIn('has the alias "a"',
                      self.wrong("version_in_use", "DELETE", self.of_model("versions/1"), status=409))
        self.wrong("version_in_use", "DELETE", self.of_model("versions/a"), status=409)
        self.alias("a", 2)
        self.assertIn('has the alias "b"',
                      self.wrong("version_in_use", "DELETE", self.of_model("versions/1"), status=409))
        self.ask("DELETE", self.of_model("aliases/b"), status=204)
        self.ask("DELETE", self.of_model("versions/1"), status=204)
        self.not_found("no_such_version", "PUT", self.of_model("aliases/a"), {"version": 1})
        self.assertEqual(self.ask("GET", self.of_model("aliases/a")).json["version"], 2)

    def test_they_are_their_models(self):
        """They outlive a restart, but not their model; another model's are others."""
        answers = self.two_versions()
        self.alias("a", 1, status=201)
        self.alias("b", 2, status=201)
        for kill in (False, True):
            self.restart(kill)
            self.assertEqual(self.ask("GET", self.of_model("aliases")).json["aliases"],
                             [{"alias": "a", "version": 1}, {"alias": "b", "version": 2}])
            self.assertEqual(self.infer("?version=a").raw, answers[1])
        self.ask("PUT", "/v1/models/another/layers/bn", {"kind": "batch_norm"}, status=201)
        self.not_found("no_such_alias", "GET", "/v1/models/another/aliases/a")
        self.ask("DELETE", self.of_model(), status=204)
        self.not_found("no_such_model", "GET", self.of_model("aliases/a"))
        self.put()
        self.not_found("no_such_alias", "GET", self.of_model("aliases/a"))
        self.not_found("no_such_alias", "POST", self.path("bn", "infer?version=a"), {"data": [[1, 2]]})

    def test_pages(self):
        self.two_versions()
        names = sorted((f"alias-{i}" for i in range(23)), key=str.encode)
        for name in reversed(names):
            self.alias(name, 2, status=201)
        for limit in (1, 7, 23, 100):
            self.assertEqual(self.pages(self.of_model("aliases"), "aliases", limit),
                             [{"alias": name, "version": 2} for name in names])
        self.wrong("bad_parameter", "GET", self.of_model("aliases?limit=0"))
        self.assertEqual(self.ask("GET", self.of_model("aliases?after=zzz")).json, {"aliases": [], "next": None})


if __name__ == "__main__":
    unittest.main()
