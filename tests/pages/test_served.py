# SPDX-License-Identifier: MIT
"""Training against inference: the penguins are those of the data set, and what the page computes is what numpy and a
daemon compute of them."""

import csv
import os

import numpy

from page import AS_WRITTEN, By, Keys, Page

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MEASURES = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")


def penguins():
    """(species, measurements) of each penguin that has all four."""
    with open(os.path.join(ROOT, "data", "penguins.csv"), encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if all(row[name] for name in MEASURES):
                yield row["species"], [float(row[name]) for name in MEASURES]


def normalized(x, mean, variance, eps):
    return (x - mean) / numpy.sqrt(variance + eps)


class Serving(Page):
    daemon_args = AS_WRITTEN

    def served(self, hash):
        state = self.module("play/state.js", "parse", hash)
        return state, self.module("play/served.js", "servedOf", state)

    def test_penguins_are_those_of_the_file(self):
        self.open("play")
        ours = self.module("play/penguins.js", "PENGUINS")
        self.assertEqual([(ours["species"][row[0]], row[1:]) for row in ours["rows"]], list(penguins()))
        self.assertEqual([name.replace(" ", "_").replace("_in", "") for name in ours["measures"]], list(MEASURES))

    def test_as_numpy_and_the_daemon(self):
        """The commands that the page shows, sent, give what the page computes."""
        self.open("play")
        for hash in ("batch=64", "from=all&batch=5&seed=3&eps=0.1", "preset=pets&shift=7&batch=16"):
            with self.subTest(hash=hash):
                state, served = self.served(hash)
                trained, batch = (numpy.array(served[name]) for name in ("trained", "batch"))
                self.assertEqual(len(batch), state["batch"])
                moments = {"training": (batch.mean(0), batch.var(0)), "inference": (trained.mean(0), trained.var(0))}
                requests = self.module("play/served.js", "requestsOf", state, served)
                answers = {name: self.module("shared/api.js", "send", requests[name])
                           for name in ("training", "define", "statistics", "inference")}
                for mode, (mean, variance) in moments.items():
                    expected = normalized(batch, mean, variance, state["eps"])
                    for y in (served["hats"][mode], answers[mode]["data"]):
                        numpy.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-9, err_msg=mode)
                self.call("DELETE", "/v1/models/lesson")

    def test_what_it_is_trained_on(self):
        self.open("play")
        species = [name for name, _ in penguins()]
        for name, count in (("Adelie", species.count("Adelie")), ("all", len(species))):
            self.assertEqual(len(self.served(f"from={name}")[1]["trained"]), count)

    def last(self):
        """The last two columns of the table: the means of x̂ in training and in inference."""
        rows = [row.find_elements(By.TAG_NAME, "td") for row in self.driver.find_elements(By.CSS_SELECTOR, "tbody tr")]
        return numpy.array([[float(cell.text.replace("−", "-")) for cell in row[-2:]] for row in rows]).T

    def step(self, id):
        """Opens what a step of the guided tour shows."""
        self.open("play#lang=en")
        steps = self.module("play/tour_steps.js", "steps")
        self.open("play#lang=en&" + self.module("play/state.js", "format", self.module(
            "play/state.js", "clean", next(step["state"] for step in steps if step["id"] == id))))
        self.one(".strips svg circle")

    def test_the_penguins_of_the_tour(self):
        self.step("penguins")
        training, inference = self.last()
        self.assertFalse(training.any())
        self.assertEqual([f"{x:.1f}" for x in inference[1:]], ["-2.8", "4.2", "3.0"])
        self.assertIn(f"flipper length +{inference[2]:.4g}", self.one(".strips + .strips p").text)

    def test_the_pets_of_the_tour(self):
        self.step("pets")
        training, inference = self.last()
        self.assertFalse(training.any())
        self.assertTrue((inference > 6).all(), inference)
        label = self.driver.find_element(By.XPATH, "//label[text()='shift, in deviations']")
        slider = self.driver.find_element(By.ID, label.get_attribute("for"))
        slider.send_keys(*[Keys.ARROW_LEFT] * 14)
        self.assertLess(abs(self.last()[1]).max(), 0.5)

    def test_a_batch_of_one(self):
        self.open("play#view=serving&lang=en&batch=1&preset=pets")
        self.assertIn("Impossible", self.one(".strips p").text)
        state, served = self.served("batch=1&preset=pets")
        self.assertIsNone(served["hats"]["training"])
        self.assertIsNotNone(served["hats"]["inference"])
        training = self.module("play/served.js", "requestsOf", state, served)["training"]
        self.refused("too_few_values", 422, "POST", "/v1/normalize", training["body"])
