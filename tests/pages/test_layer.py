# SPDX-License-Identifier: MIT
"""A layer's page: its facts, and a layer that is deleted while its page is open."""

from page import By, Page


class LayerPage(Page):
    def show(self, layer="bn"):
        self.open(f"#/models/{self.model}/layers/{layer}")
        self.one(".state[data-kind=fresh]")

    def facts(self):
        """The facts at the head of the page."""
        head = self.driver.find_element(By.CSS_SELECTOR, "dl.facts")
        names, values = (head.find_elements(By.CSS_SELECTOR, name) for name in ("dt", "dd"))
        return {name.text: value.text for name, value in zip(names, values)}

    def test_facts(self):
        self.put_layer()
        self.call("PUT", self.path("bn", "statistics"),
                  {"running_mean": [-1, 2, 5], "running_var": [1, 4, 9], "num_batches_tracked": 7})
        self.show()
        facts = self.facts()
        self.assertEqual([facts[name] for name in ("Kind", "Features", "Batches", "Revision", "Mean", "Variance")],
                         ["batch_norm", "3", "7", "1", "−1 to 5, median 2", "1 to 9, median 4"])
        self.assertTrue(facts["Drift"].startswith("too few values"), facts)

    def test_without_statistics(self):
        self.put_layer("new")
        self.put_layer("ln", {"kind": "layer_norm", "normalized_shape": [4]})
        for layer, begins in (("new", "none yet"), ("ln", "none: ")):
            self.show(layer)
            self.assertTrue(self.facts()["Statistics"].startswith(begins), self.facts())

    def test_deleted_while_open(self):
        self.expect(404)
        self.put_layer()
        self.show()
        self.call("DELETE", self.path())
        self.assertIn("Below is what it was last", self.one(".problem + .quiet").text)
        self.assertEqual(self.facts()["Kind"], "batch_norm")
