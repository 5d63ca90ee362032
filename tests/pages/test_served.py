# SPDX-License-Identifier: MIT
"""Training against inference: the penguins are those of the data set, and what the page computes is what numpy and a
daemon compute of them."""

import csv
import os

import numpy

from page import By, Page

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
        for hash in ("batch=64", "from=all&batch=5&seed=3&eps=0.1", "preset=pets&shift=6.5&batch=16"):
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

    def test_the_shift_is_there_in_inference_only(self):
        self.open("play#view=serving&lang=en&batch=64&seed=2")
        self.one(".strips svg circle")
        flipper = self.driver.find_elements(By.CSS_SELECTOR, "tbody tr")[2]
        self.assertEqual([cell.text for cell in flipper.find_elements(By.TAG_NAME, "td")][-2:], ["0", "+4.17"])
        self.assertIn("flipper length +4.17", self.one(".strips + .strips p").text)
        self.assertEqual(self.console(), [])

    def test_a_batch_of_one(self):
        self.open("play#view=serving&lang=en&batch=1&preset=pets")
        self.assertIn("Impossible", self.one(".strips p").text)
        state, served = self.served("batch=1&preset=pets")
        self.assertIsNone(served["hats"]["training"])
        self.assertIsNotNone(served["hats"]["inference"])
        training = self.module("play/served.js", "requestsOf", state, served)["training"]
        self.refused("too_few_values", 422, "POST", "/v1/normalize", training["body"])
        self.assertEqual(self.console(), [])
