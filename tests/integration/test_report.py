# SPDX-License-Identifier: MIT
"""POST report: data in hand beside the running statistics, with NaNs counted."""

import json

import numpy

import npy
from kinds import KINDS, TRACKING, KindTest, tensor
from scores import SCORES, scores

RANDOM = numpy.random.default_rng(150)
NAN, INFINITY = float("nan"), float("inf")


class ReportTest(KindTest):
    def put_statistics(self, mean, var, layer="bn", **definition):
        """A layer with these running statistics."""
        self.put(layer, {"kind": "batch_norm", "datatype": "FP64", **definition})
        self.ask("PUT", self.path(layer, "statistics"), {"running_mean": list(mean), "running_var": list(var)})

    def report(self, x, query="", layer="bn", **members):
        body = {"datatype": "FP64", "data": x.tolist(), **members}
        return self.ask("POST", self.path(layer, "report") + query, body).json

    def report_npy(self, x, query="", layer="bn"):
        return self.post_npy(self.path(layer, "report") + query, x).json

    def refused_report(self, query, code="bad_parameter", status=400, layer="bn", body=None):
        return self.refused(code, status, layer, "report" + query, body or {"data": [[1, 2]]})["detail"]

    def assertScores(self, found, expected):
        for score in SCORES:
            self.assertAlmostEqual(found[score], expected[score], delta=1e-7 * max(1, abs(expected[score])), msg=score)


class Numbers(ReportTest):
    def test_scores_are_those_of_their_definitions(self):
        """Each feature's by numerical integration, its extremes and shares by NumPy; the worst come first."""
        mean, var = RANDOM.normal(size=7), RANDOM.uniform(0.5, 2, 7)
        x = RANDOM.normal(RANDOM.normal(0, 1, 7), RANDOM.uniform(0.3, 3, 7), (500, 7))
        self.put_statistics(mean, var)
        for found in (self.report(x), self.report_npy(x)):
            self.assertEqual((found["count"], found["nan"], found["infinite"], found["not_finite"]), (500, 0, 0, []))
            self.assertEqual(sorted(each["index"] for each in found["features"]), list(range(7)))
            divergences = [each["divergence"] for each in found["features"]]
            self.assertEqual(divergences, sorted(divergences, reverse=True))
            for each in found["features"]:
                f = each["index"]
                self.assertScores(each, scores(x[:, f].mean(), x[:, f].var(), mean[f], var[f]))
                self.assertEqual((each["min"], each["max"]), (x[:, f].min(), x[:, f].max()))
                self.assertEqual(each["beyond_3"], (abs(x[:, f] - mean[f]) > 3 * var[f]**0.5).mean())
            by_score = {score: [each[score] for each in found["features"]] for score in SCORES}
            self.assertEqual(found["max"]["divergence"], max(by_score["divergence"]))
            self.assertEqual(found["max"]["mean_shift"], max(by_score["mean_shift"], key=abs))
            for score in SCORES:
                self.assertAlmostEqual(found["median"][score], numpy.median(by_score[score]), delta=1e-12)

    def test_images(self):
        """The values of a channel are those of all samples and positions; instance norm's too."""
        for kind in TRACKING:
            x = RANDOM.normal(3, 2, KINDS[kind][1])
            self.put(kind, KINDS[kind][0])
            self.ask("PUT", self.path(kind, "statistics"), {"running_mean": [3] * 6, "running_var": [4] * 6})
            found = self.report(x, "?min_count=20", kind)
            self.assertEqual(found["count"], 20)
            for each in found["features"]:
                part = x[:, each["index"]]
                self.assertScores(each, scores(part.mean(), part.var(), 3, 4))

    def test_every_datatype(self):
        self.put_statistics([0, 0], [1, 1])
        x = RANDOM.normal(size=(200, 2))
        for dtype in ("<f2", "<f4", "<f8", ">f4"):
            found = self.report_npy(x.astype(dtype))
            for each in found["features"]:
                part = x.astype(dtype)[:, each["index"]].astype("<f8")
                self.assertScores(each, scores(part.mean(), part.var(), 0, 1))

    def test_the_biased_variance_where_the_number_of_values_is_known(self):
        """The same data again is no drift at all, not even of 1 in n."""
        x = RANDOM.normal(5, 2, (100, 1))
        for name, fields in (("biased", {}), ("unbiased", {"unbiased_running_var": True})):
            self.put(name, {"kind": "batch_norm", "averaging": "pooled", "datatype": "FP64", **fields})
            self.train(name, x)
            self.assertLess(self.report(x, layer=name)["max"]["divergence"], 1e-24)

    def test_far_away(self):
        """At the ends of double, scores are numbers."""
        self.put_statistics([0], [1])
        for low, high in ((-1.7e308, 1.7e308), (1e200, 1.1e200), (0, 5e-324)):
            found = self.report_npy(numpy.array([[low], [high]] * 60))
            self.assertIn(found["verdict"], ("drift", "constant"))
            self.assertEqual((found["features"][0]["min"], found["features"][0]["max"]), (low, high))


class NotFinite(ReportTest):
    def test_nans_are_counted_and_the_other_values_measured(self):
        x = RANDOM.normal(size=(300, 4))
        x[::7, 1] = NAN
        x[5, 2], x[6, 2], x[7, 2] = INFINITY, -INFINITY, NAN
        x[:, 3] = NAN
        self.put_statistics([0] * 4, [1] * 4)
        found = self.report_npy(x)
        self.assertEqual((found["count"], found["nan"], found["infinite"]), (300, 43 + 1 + 300, 2))
        self.assertEqual(found["not_finite"], [1, 2, 3])
        features = {each["index"]: each for each in found["features"]}
        self.assertEqual([(features[f]["nan"], features[f]["infinite"]) for f in range(4)],
                         [(0, 0), (43, 0), (1, 2), (300, 0)])
        for f in range(3):
            part = x[numpy.isfinite(x[:, f]), f]
            self.assertScores(features[f], scores(part.mean(), part.var(), 0, 1))
            self.assertEqual((features[f]["min"], features[f]["max"]), (part.min(), part.max()))
            self.assertEqual(features[f]["beyond_3"], (abs(part) > 3).mean())
        self.assertEqual(found["features"][3]["index"], 3)
        self.assertEqual({name: features[3][name] for name in ("verdict", "mean_shift", "min", "max", "beyond_3")},
                         {"verdict": "too_few", "mean_shift": None, "min": None, "max": None, "beyond_3": None})
        self.assertEqual(found["verdict"], "none")

    def test_in_json(self):
        """As Python writes them, also before the datatype is known, and in a body that is a list; nowhere else."""
        self.put_statistics([0, 0], [1, 1])
        path = self.path("bn", "report") + "?min_count=2"
        data = "[[NaN,1],[Infinity,-Infinity],[2,3],[-1e-3,-2]]"
        told = [self.ask("POST", path, body).json for body in (
            data, f'{{"data":{data}}}', f'{{"datatype":"FP16","data":{data}}}', f'{{"data":{data},"datatype":"FP32"}}',
            f'{{"data":{data.replace(",", " , ")},"shape":[4,2]}}')]
        for found in told:
            self.assertEqual([(each["index"], each["nan"], each["infinite"]) for each in found["features"]],
                             [(1, 0, 1), (0, 1, 1)])
            self.assertEqual((found["nan"], found["infinite"], found["not_finite"]), (1, 2, [0, 1]))
            self.assertEqual([(each["min"], each["max"]) for each in found["features"]][0], (-2, 3))
        for body in ("[[1,NaN1],[1,2]]", "[[1,+Infinity],[1,2]]", "[[1,-NaN],[1,2]]"):
            self.refused("bad_json", 400, "bn", "report", body)
        self.assertIn("NaN", self.refused("bad_tensor", 400, "bn", "report", "[[1,null],[1,2]]")["detail"])
        for call in ("infer", "train"):
            self.refused("bad_json", 400, "bn", call, data)

    def test_only_top_places_are_shown(self):
        self.put_statistics([0] * 20, [1] * 20)
        x = RANDOM.normal(size=(200, 20))
        x[0] = NAN
        self.assertEqual(self.report_npy(x, "?top=3")["not_finite"], [0, 1, 2])
        self.assertEqual(self.report_npy(x, "?top=0")["not_finite"], [])
        self.assertEqual(self.report_npy(x, "?top=3")["nan"], 20)


class Verdicts(ReportTest):
    def shifted(self, *shifts, count=100):
        """Values whose moments are these shifts and 1, exactly."""
        return numpy.array([[shift + sign for shift in shifts] for sign in (-1, 1)] * (count // 2))

    def test_thresholds(self):
        """Of equal variances, a shift d is a divergence of d²."""
        self.put_statistics([0, 0], [1, 1])
        for shift, query, verdict in ((0.25, "", "none"), (0.375, "", "possible"), (0.5, "", "drift"),
                                      (0.5, "?drift=0.26", "possible"), (0.5, "?possible=0.25&drift=1", "possible"),
                                      (0.5, "?possible=0.26&drift=0.3", "none"), (0.25, "?drift=0.0625", "drift"),
                                      (0.5, "?min_count=101", "too_few"), (0.5, "?min_count=100", "drift")):
            found = self.report(self.shifted(0, shift), query)
            self.assertEqual((found["verdict"], found["features"][0]["verdict"], found["features"][0]["index"]),
                             (verdict, verdict, 1), (shift, query))

    def test_constant_features(self):
        """A sensor that is stuck, one that was stuck in training, and both."""
        self.put_statistics([1, 1, 1, 1], [1, 0, 0, 1])
        x = self.shifted(1, 1, 1, 1)
        x[:, 0] = x[:, 2] = 1
        found = self.report(x)
        self.assertEqual(found["verdict"], "constant")
        self.assertEqual([each["index"] for each in found["features"]], [0, 1, 3, 2])
        self.assertEqual([each["verdict"] for each in found["features"]],
                         ["constant", "constant", "none", "constant"])
        self.assertEqual((found["features"][0]["divergence"], found["features"][0]["js_distance"]), (None, 1))
        self.assertEqual({found["features"][1][score] for score in SCORES}, {None})

    def test_stuck_at_any_number(self):
        """Numbers whose sums are rounded have no deviation either."""
        self.put_statistics([0] * 4, [1] * 4)
        for dtype in ("<f4", "<f8"):
            x = numpy.tile(numpy.array([0.1, -3e5 / 7, 1e-30, 16777217.3], dtype), (1001, 1))
            found = self.report_npy(x)
            self.assertEqual([each["verdict"] for each in found["features"]], ["constant"] * 4)
            self.assertEqual({each["variance_ratio"] for each in found["features"]}, {0})

    def test_no_values(self):
        self.put_statistics([0, 0], [1, 1])
        padded = self.ask("POST", self.path("bn", "report") + "?mask=0,0", {"data": [[1, 2], [3, 4]]}).json
        for found in (self.report(numpy.zeros((0, 2)), shape=[0, 2]), padded):
            self.assertEqual((found["verdict"], found["count"], found["features"]), ("too_few", 0, []))
            self.assertEqual(set(found["max"].values()) | set(found["median"].values()), {None})


class Padding(ReportTest):
    def test_what_padding_holds_does_not_count(self):
        self.put_statistics([0, 0], [1, 1])
        x = RANDOM.normal(size=(60, 2, 5))
        lengths = RANDOM.integers(0, 6, 60).tolist()
        keep = numpy.arange(5) < numpy.array(lengths)[:, None]
        values = x.transpose(0, 2, 1)[keep]
        x.transpose(0, 2, 1)[~keep] = NAN
        found = [self.report_npy(x, "?lengths=" + ",".join(map(str, lengths)) + "&min_count=2"),
                 self.report_npy(values, "?min_count=2")]
        x.transpose(0, 2, 1)[~keep] = 7
        found.append(self.report(x, "?min_count=2", mask=keep.tolist()))
        self.assertEqual(found[0], found[2])
        self.assertEqual((found[0]["nan"], found[0]["count"]), (0, sum(lengths)))
        for each, other in zip(found[0]["features"], found[1]["features"]):
            self.assertScores(each, other)
            self.assertEqual([each[name] for name in ("index", "min", "max", "beyond_3")],
                             [other[name] for name in ("index", "min", "max", "beyond_3")])


class Refused(ReportTest):
    def test_options(self):
        self.put_statistics([0, 0], [1, 1])
        for query, words in (("?top=1001", '"top" must be a whole number from 0 to 1000'), ("?top=-1", '"top"'),
                             ("?min_count=1", '"min_count" must be a whole number from 2'),
                             ("?drift=0", '"drift" must'),
                             ("?possible=0", '"possible" must be a number above 0; it is "0"'),
                             ("?possible=-0.1", '"possible"'), ("?drift=NaN", '"drift"'), ("?drift=1e999", '"drift"'),
                             ("?possible=0.3", '"possible" must not be above "drift"; they are 0.3 and 0.25'),
                             ("?possible=0.2&drift=0.1", "they are 0.2 and 0.1"), ("?drift=", '"drift"'),
                             ("?min_counts=3", 'did you mean "min_count"?'), ("?expect=sha256:0", '"expect"')):
            self.assertIn(words, self.refused_report(query))

    def test_layers_that_have_nothing_to_compare_with(self):
        for kind, (definition, shape) in KINDS.items():
            self.put(kind, definition)
            body = tensor(numpy.ones(shape))
            if kind in TRACKING:
                self.refused_report("", "not_trained", 409, kind, body)
            else:
                self.assertIn("keeps no running statistics", self.refused_report("", layer=kind, body=body))
        self.put("by_batch", {"kind": "batch_norm", "track_running_stats": False})
        self.assertIn("track_running_stats false", self.refused_report("", layer="by_batch"))

    def test_bodies(self):
        self.put_statistics([0, 0], [1, 1])
        for body, code, status in (({"data": [[1, 2, 3]]}, "shape_mismatch", 422), ({}, "bad_tensor", 400),
                                   ({"data": [[1], [2, 3]]}, "bad_tensor", 400),
                                   ({"data": [[1, 2]], "top": 3}, "bad_parameter", 400),
                                   ({"data": [[[1, 2]] * 2], "lengths": [3]}, "bad_parameter", 400)):
            self.refused(code, status, "bn", "report", body)
        self.refused("bad_npy", 400, "bn", "report", b"\x93NUMPY", {"Content-Type": npy.TYPE})


class States(ReportTest):
    def test_of_what_serves_or_of_the_version_that_is_named(self):
        self.put_statistics([0], [1])
        self.ask("POST", f"/v1/models/{self.model}/versions", {}, status=201)
        self.ask("PUT", self.path("bn", "statistics"), {"running_mean": [2], "running_var": [1]})
        body = {"data": [[-1], [1]] * 50}
        for query, version, shift in (("", "live", -2), ("?version=1", "1", 0), ("?version=live", "live", -2)):
            answer = self.ask("POST", self.path("bn", "report") + query, body)
            self.assertEqual((answer.headers["normd-version"], answer.json["max"]["mean_shift"]), (version, shift))
        self.ask("PUT", f"/v1/models/{self.model}/serving", {"version": 1})
        answer = self.ask("POST", self.path("bn", "report"), body)
        self.assertEqual((answer.headers["normd-version"], answer.json["verdict"]), ("1", "none"))
        self.refused_report("?version=7", "no_such_version", 404)

    def test_it_changes_nothing(self):
        self.put_statistics([0], [1])
        before = self.state("bn")
        self.report(RANDOM.normal(3, 1, (500, 1)))
        self.assertEqual(self.state("bn"), before)


class Large(ReportTest):
    def test_a_million_features(self):
        """Only the worst are shown; their order is that of all."""
        n = 1 << 20
        self.put("bn", {"kind": "batch_norm"})
        self.ask("POST", self.path("bn", "train") + "?output=false", npy.save(RANDOM.normal(size=(2, n)).astype("<f4")),
                 {"Content-Type": npy.TYPE}, 204)
        x = numpy.tile(numpy.array([[-1], [1]], "<f4"), (1, n))
        x[:, 777777] += 1000
        answer = self.post_npy(self.path("bn", "report") + "?min_count=2&top=2", x)
        self.assertLess(len(answer.raw), 2000)
        found = answer.json
        self.assertEqual((found["features"][0]["index"], found["features"][0]["verdict"]), (777777, "drift"))
        self.assertEqual(len(found["features"]), 2)

    def test_many_values(self):
        """As by one thread, in parts or not: the moments of three million values."""
        self.put_statistics([0], [1])
        x = RANDOM.normal(0.25, 2, (3_000_000, 1)).astype("<f4")
        found = self.report_npy(x)["features"][0]
        self.assertScores(found, scores(x.mean(dtype="<f8"), x.var(dtype="<f8"), 0, 1))


class Forms(ReportTest):
    def test_compressed_and_bare_lists(self):
        self.put_statistics([0, 0], [1, 1])
        body = json.dumps([[1, 2], [3, 4]])
        plain = self.ask("POST", self.path("bn", "report"), body)
        self.assertEqual(plain.json["count"], 2)
        self.assertEqual(self.ask("POST", self.path("bn", "report"), {"data": [1, 2, 3, 4], "shape": [2, 2]}).json,
                         plain.json)
        self.ask("POST", self.path("bn", "report"), body, {"Accept": npy.TYPE}, status=406)
