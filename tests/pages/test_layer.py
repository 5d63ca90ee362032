# SPDX-License-Identifier: MIT
"""A layer's page: its facts, its parts in tabs, and a layer that is deleted while its page is open."""

import math
import random

import numpy

from normd import wait_for
from page import AS_WRITTEN, By, Keys, Page

# The texts of the rows of a table that are elements, cell by cell; an image's text is its name.
ROWS = """
return Array.from(document.querySelectorAll(`${arguments[0]} tbody:not([aria-hidden]) tr`), row =>
	Array.from(row.cells, cell => cell.querySelector("[role=img]")?.getAttribute("aria-label") ?? cell.innerText));
"""
DRIFTED = 3
ORDER = """
const [numbers, done] = arguments;
import(new URL("web/shared/rows.js", document.baseURI)).then(({ sortedRows, foundRows }) => done([
	sortedRows(numbers, x => x), sortedRows(numbers, x => x, true),
	sortedRows(["bn10", "BN2", "bn1", "a"], x => x),
	foundRows(["bn10", "BN2", "b1n bn"], " BN 1", x => [x, "z"])]));
"""


class LayerPage(Page):
    daemon_args = (*AS_WRITTEN, "--history-interval", "1")

    def show(self, layer="bn", **query):
        self.open(f"#/models/{self.model}/layers/{layer}?{'&'.join(f'{k}={v}' for k, v in query.items())}")
        self.one(".state[data-kind=fresh]")

    def facts(self):
        """The facts at the head of the page."""
        head = self.driver.find_element(By.CSS_SELECTOR, "dl.facts")
        names, values = (head.find_elements(By.CSS_SELECTOR, name) for name in ("dt", "dd"))
        return {name.text: value.text for name, value in zip(names, values)}

    def rows(self, where="#view .virtual"):
        return self.script(ROWS, where)

    def short(self, x):
        return self.module("shared/number.js", "short", x)

    def number(self, text):
        return float(text.replace("−", "-"))

    def put_statistics(self, mean, var, layer="bn"):
        self.call("PUT", self.path(layer, "statistics"),
                  {"running_mean": mean, "running_var": var, "num_batches_tracked": 7})

    def test_how_rows_are_sorted_and_found(self):
        self.open("#/nowhere")
        self.assertEqual(self.driver.execute_async_script(ORDER, [2, None, -1, 10]),
                         [[-1, 2, 10, None], [10, 2, -1, None], ["a", "bn1", "BN2", "bn10"], ["bn10", "b1n bn"]])
        self.assertEqual([self.short(x) for x in (-1.25e-7, -2, 3e9)], ["−1.25e−7", "−2", "3e9"])

    def test_facts(self):
        self.put_layer()
        self.put_statistics([-1, 2, 5], [1, 4, 9])
        self.show()
        facts = self.facts()
        self.assertEqual([facts[name] for name in ("Kind", "Features", "Batches", "Revision", "Mean", "Variance")],
                         ["batch_norm", "3", "7", "1", "−1 to 5, median 2", "1 to 9, median 4"])
        self.assertTrue(facts["Drift"].startswith("too few values"), facts)

    def test_without_statistics(self):
        self.put_layer("new")
        self.put_layer("ln", {"kind": "layer_norm", "normalized_shape": [4]})
        for layer, begins, tabs in (("new", "none yet", "Definition"), ("ln", "none: ", "Parameters\nDefinition")):
            self.show(layer)
            self.assertTrue(self.facts()["Statistics"].startswith(begins), self.facts())
            self.assertEqual(self.text("[role=tab]:not([hidden])"), tabs)

    def test_parameters_without_statistics(self):
        self.put_layer("ln", {"kind": "layer_norm", "normalized_shape": [2, 3]})
        self.put_layer("rms", {"kind": "rms_norm", "normalized_shape": [2]})
        self.call("PUT", self.path("ln", "parameters"), {"weight": [[1, 2, 3], [4, 5, 6]], "bias": [[0] * 3, [7] * 3]})
        self.show("ln")
        wait_for(self.rows, "the parameters")
        self.assertEqual(self.rows(), [["0, 0", "1", "0"], ["0, 1", "2", "0"], ["0, 2", "3", "0"],
                                       ["1, 0", "4", "7"], ["1, 1", "5", "7"], ["1, 2", "6", "7"]])
        self.show("rms")
        wait_for(lambda: self.rows() == [["0", "1"], ["1", "1"]], self.rows)

    def test_deleted_while_open(self):
        self.expect(404)
        self.put_layer()
        self.show()
        self.script("document.querySelector('[role=tab]:not([hidden])').focus();")
        self.call("DELETE", self.path())
        self.assertIn("Below is what it was last", self.one(".problem + .quiet").text)
        self.assertEqual(self.focused.tag_name, "main")
        self.assertEqual(self.facts()["Kind"], "batch_norm")
        self.one(".gone dl.facts")
        self.put_layer()
        self.one("main > div:not(.gone) > dl.facts")
        self.assertEqual(self.text(".problem"), "")

    def test_tabs_and_versions(self):
        """Arrow keys go from tab to tab, the address keeps the tab and the version."""
        self.put_layer()
        self.put_statistics([1], [4])
        self.call("POST", f"/v1/models/{self.model}/versions", {})
        self.put_statistics([2], [9])
        self.show(tab="drift")
        self.see("The window has too few values")
        self.one("[role=tab][aria-selected=true]").click()
        self.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
        self.assertEqual(self.focused.text, "Statistics")
        wait_for(lambda: self.rows(), "the features")
        self.assertEqual(self.rows()[0][1:4], ["2", "9", "3"])
        self.assertIn("tab=statistics", self.driver.current_url)
        choice = self.one("main select")
        wait_for(lambda: "version 1" in choice.text, "the version can be chosen")
        choice.send_keys("v")
        wait_for(lambda: self.rows() and self.rows()[0][1:4] == ["1", "4", "2"], "the version's")
        self.assertIn("version=1", self.driver.current_url)
        self.assertEqual(self.text("[role=tab]:not([hidden])").split(), ["Statistics", "Drift", "Definition"])
        self.driver.refresh()
        wait_for(lambda: self.rows() and self.rows()[0][1:4] == ["1", "4", "2"], "the version's again")

    def test_a_layer_that_the_serving_version_lacks(self):
        self.expect(404)
        self.put_layer("a")
        self.call("POST", f"/v1/models/{self.model}/versions", {})
        self.call("PUT", f"/v1/models/{self.model}/serving", {"version": 1})
        self.put_layer()
        self.put_statistics([1], [4])
        self.show()
        self.assertIn("version 1 has no statistics of this layer", self.facts()["Drift"])

    def test_statistics_are_those_of_the_api(self):
        draw = random.Random(1)
        mean, var = ([draw.gauss(0, 3) for _ in range(12)], [draw.expovariate(1) for _ in range(12)])
        weight, bias = ([draw.gauss(0, 1) for _ in range(12)] for _ in range(2))
        self.put_layer()
        self.put_statistics(mean, var)
        self.call("PUT", self.path("bn", "parameters"), {"weight": weight, "bias": bias})
        self.show()
        wait_for(self.rows, "the features")
        expected = [[i, m, v, math.sqrt(v), w, b] for i, (m, v, w, b) in enumerate(zip(mean, var, weight, bias))]
        for cells, numbers in zip(self.rows(), expected, strict=True):
            texts = [self.short(x) for x in numbers]
            self.assertEqual(cells, [*texts[:4], f"{texts[1]} ± {texts[3]}", *texts[4:], "–", "–"])
        scale = self.module("dashboard/features.js", "scaleOf",
                            [{"mean": m, "deviation": math.sqrt(v)} for m, v in zip(mean, var)])
        self.assertLessEqual(scale["low"], min(m - math.sqrt(v) for m, v in zip(mean, var)))
        self.assertGreaterEqual(scale["high"], max(m + math.sqrt(v) for m, v in zip(mean, var)))

        head = self.driver.find_elements(By.CSS_SELECTOR, "#view thead button")[1]
        head.send_keys(Keys.ENTER)
        self.assertEqual([row[0] for row in self.rows()], [str(i) for i in numpy.argsort(mean)])
        self.one("#view [type=search]").send_keys("11")
        wait_for(lambda: [row[0] for row in self.rows()] == ["11"], self.rows)

    def test_the_greatest_numbers_have_bars(self):
        self.put_layer()
        self.put_statistics([1.79e308, -1.79e308, 0], [1e308, 0, 5e-324])
        self.show()
        wait_for(self.rows, "the features")
        shapes = self.script("return Array.from(document.querySelectorAll('.spread-bar .middle'), "
                             "path => path.getAttribute('d'));")
        for shape, x in zip(shapes, (99.7, 0.3, 50), strict=True):
            self.assertAlmostEqual(float(shape[1:].split()[0]), x, delta=0.5)

    def test_many_features(self):
        count = 20000
        self.put_layer()
        self.put_statistics(list(range(count)), [1] * count)
        self.show()
        self.see("20\u202f000 features")
        self.assertLess(len(self.rows()), 100)
        self.one("#view tbody tr[tabindex='0']").click()
        self.press(Keys.END)
        self.assertEqual(self.focused.text.split()[0], str(count - 1))
        self.assertLess(len(self.rows()), 100)

    def test_the_focus_stays_over_a_refresh(self):
        self.put_layer()
        self.put_statistics([1, 2], [1, 1])
        self.show()
        row = self.one("#view tbody tr[tabindex='0']")
        row.click()
        self.one("#view details summary").click()
        self.one("#view .curl code").click()
        row.click()
        self.put_statistics([5, 2], [1, 1])
        wait_for(lambda: self.rows()[0][1] == "5", self.rows)
        self.assertEqual(self.focused, row)
        self.assertIn("curl -sS", self.text("#view details[open]"))

    def test_drift(self):
        """The window's curve has the moments of what inference has read."""
        rng = numpy.random.default_rng(1)
        self.put_layer()
        self.put_statistics([0, 10, -5, 2], [1, 4, 0.25, 9])
        read = rng.normal([0, 10, -5, 8], [1, 2, 0.5, 1], (400, 4))
        self.call("POST", self.path("bn", "infer"), {"data": read.tolist()})
        self.show(tab="drift")
        self.see("At least one feature has drifted")
        self.see("400 values per feature")
        self.assertEqual(self.rows()[0][:2], [str(DRIFTED), "drift"])
        self.assertCurves(DRIFTED, (2, 3), read)
        self.one("#view tbody tr[tabindex='0']").click()
        self.press(Keys.END)
        feature = int(self.focused.find_element(By.CSS_SELECTOR, "button").text)
        self.assertCurves(feature, {0: (0, 1), 1: (10, 2), 2: (-5, 0.5)}[feature], read)
        self.assertIn(f"feature={feature}", self.driver.current_url)

    def assertCurves(self, feature, training, read):
        window = read[:, feature].mean(), read[:, feature].std()
        figures = [[self.number(text) for text in row[1:]] for row in self.rows(".curves")]
        self.assertEqual(self.text(".curves h3"), f"Feature {feature}")
        for (mean, deviation, variance), expected in zip(figures, (training, window), strict=True):
            numpy.testing.assert_allclose((mean, deviation, variance), (*expected, expected[1] ** 2), rtol=1e-4)
        self.assertIn(f"mean {self.short(window[0])}", self.one(".curves svg[role=img]").get_attribute("aria-label"))

    def test_curves_as_numpy(self):
        """The reference of pooled averaging is biased, and the layer reads float32; a curve's area is 1."""
        rng = numpy.random.default_rng(2)
        self.put_layer("bn", {"kind": "batch_norm", "averaging": "pooled", "unbiased_running_var": True})
        trained, read = rng.normal(3, 2, (5, 2)), rng.normal(4, 1, (200, 2))
        self.call("POST", self.path("bn", "train?output=false"), {"data": trained.tolist()})
        self.call("POST", self.path("bn", "infer"), {"data": read.tolist()})
        statistics = {**self.call("GET", self.path()).json, **self.call("GET", self.path("bn", "statistics")).json}
        self.open("#/")
        for feature in self.call("GET", self.path("bn", "drift")).json["features"]:
            index = feature["index"]
            training = self.module("dashboard/features.js", "trainingOf", statistics, index)
            window = self.module("dashboard/features.js", "windowOf", training, feature)
            for found, data in ((training, trained), (window, read)):
                numpy.testing.assert_allclose([found["mean"], found["variance"]],
                                              [data[:, index].mean(), data[:, index].var()], rtol=1e-6)
                x, y = numpy.transpose(self.module("shared/curves.js", "pointsOf", found))
                numpy.testing.assert_allclose(y, numpy.exp(-(x - found["mean"]) ** 2 / 2 / found["variance"]) /
                                              numpy.sqrt(2 * numpy.pi * found["variance"]), rtol=1e-9)
                self.assertAlmostEqual(numpy.trapz(y, x), 1, delta=1e-3)

    def test_history(self):
        """The table below a chart says what the API says."""
        self.put_layer()
        self.put_statistics([1, 2, 6], [1, 4, 9])
        self.show(tab="history")
        self.one("#view canvas")
        self.put_statistics([2, 3, 7], [2, 5, 10])
        for chart, member in enumerate(("mean", "var"), 1):
            self.one(f"#view figure:nth-child({chart}) summary").click()
            wait_for(lambda: self.charted(chart) == self.spreads(member), lambda: self.text("#view"))

    def charted(self, chart):
        return [[self.number(text) for text in row[1:]] for row in self.rows(f"#view figure:nth-child({chart})")]

    def spreads(self, member):
        """What the API says of the states, the oldest first."""
        states = self.call("GET", self.path("bn", "history")).json["history"]
        return [[state[member][name] for name in ("max", "median", "min")] for state in reversed(states)]

    def test_states_in_order(self):
        """Times may be unknown, and run backwards; the newest page joins on to what is known."""
        times = ("10:00:30", "10:00:10", "10:00:20", None)
        states = [{"time": time and f"2026-12-01T{time}Z", "revision": 9 - i} for i, time in enumerate(times)]
        self.open("#/")
        order = self.module("dashboard/history.js", "inOrder", states, "time")
        self.assertEqual([one["state"]["revision"] for one in order], [8, 7, 9])
        self.assertEqual(order[2]["x"] - order[0]["x"], 20)
        order = self.module("dashboard/history.js", "inOrder", states, "revision")
        self.assertEqual([one["x"] for one in order], [6, 7, 8, 9])
        newest = [{"time": None, "revision": 10}, *states[1:3]]
        self.assertEqual(self.module("dashboard/history.js", "withNewest", states, newest), [*newest, states[3]])
        self.assertIsNone(self.module("dashboard/history.js", "withNewest", states, newest[:1]))

    def test_sources(self):
        self.put_layer("bn", {"kind": "batch_norm", "averaging": "pooled"})
        for n in (1, 2):
            self.call("PUT", self.path("bn", "statistics", "sources", f"w{n}"),
                      {"count": 1000 * n, "mean": [n, 1], "var": [1, n]})
        self.show(tab="sources")
        wait_for(self.rows, "the sources")
        for source, cells in zip(self.call("GET", self.path("bn", "statistics", "sources")).json["sources"],
                                 self.rows(), strict=True):
            worst = source["max"]
            numbers = (worst["divergence"], source["median"]["divergence"], worst["mean_shift"],
                       worst["variance_ratio"], worst["js_distance"], worst["wasserstein"])
            self.assertEqual(cells[:-1], [source["source"], f"{source['count'] // 1000}\u202f000",
                                          *(self.short(x) for x in numbers)])
            self.assertRegex(cells[-1], r"^\d+ s ago$")
