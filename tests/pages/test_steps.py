# SPDX-License-Identifier: MIT
"""Running statistics over steps: what the page computes, against layers that train with the same batches."""

import numpy

from normd import wait_for
from page import AS_WRITTEN, By, Keys, Page

AVERAGINGS = ("exponential", "cumulative", "pooled", "decayed")
TOLERANCE = 1e-12


class Averaging(Page):
    daemon_args = AS_WRITTEN

    def trained(self, name, how, batches):
        """Mean and variance of a layer after each batch; None where the daemon refuses the batch."""
        self.call("PUT", self.path(name), self.module("play/averaging.js", "definitionOf", name, how))
        moments = []
        for batch in batches:
            answer = self.daemon.curl("POST", self.path(name, "train?output=false"), [[x] for x in batch])
            if answer.status == 422:
                self.assertEqual(answer.code, "too_few_values")
                moments.append(None)
                continue
            self.assertEqual(answer.status, 200)
            stats = self.call("GET", self.path(name, "statistics")).json
            moments.append((stats["running_mean"]["data"][0], stats["running_var"]["data"][0]))
        return moments

    def compare(self, batches, how):
        own = [self.module("play/averaging.js", "momentsOf", batch) for batch in batches]
        numpy.testing.assert_allclose([batch["mean"] for batch in own], [numpy.mean(batch) for batch in batches],
                                      rtol=TOLERANCE)
        for name in AVERAGINGS:
            with self.subTest(averaging=name, how=how):
                stats = self.module("play/averaging.js", "averageOver", name, own, how)
                ours = [each and (each["mean"], each["var"]) for each in stats]
                theirs = self.trained(name, how, batches)
                self.assertEqual([each is None for each in ours], [each is None for each in theirs])
                numpy.testing.assert_allclose([each for each in ours if each], [each for each in theirs if each],
                                              rtol=TOLERANCE)
                self.call("DELETE", self.path(name))

    def test_as_the_daemon_averages(self):
        self.open("play")
        for hash, count in (("batch=4&shift=2&at=10", 20), ("batch=64&momentum=0.37&half_life=16&seed=9", 6)):
            state = self.module("play/state.js", "parse", hash)
            self.compare(self.module("play/stream.js", "streamOf", state)["batches"][:count], state)

    def test_batches_of_other_sizes_and_of_one(self):
        self.open("play")
        state = self.module("play/state.js", "parse", "half_life=2")
        self.compare([[5.25], [1.5, -2], [7], [3, 3, 3], [-1000.125, 4, 8, 1e6, 0.5]], state)


class Steps(Page):
    daemon_args = AS_WRITTEN

    def outputs(self):
        """What the legends say: for each chart the names and the values."""
        return [[[li.text.rsplit(" ", 1)[0], li.find_element(By.TAG_NAME, "output").text]
                 for li in chart.find_elements(By.TAG_NAME, "li")]
                for chart in self.driver.find_elements(By.CSS_SELECTOR, ".chart")]

    def rows(self):
        return len(self.driver.find_elements(By.CSS_SELECTOR, ".chart tbody tr"))

    def button(self, name):
        return self.driver.find_element(By.XPATH, f"//button[text()='{name}']")

    def test_keys_and_buttons(self):
        self.open("play#view=steps&lang=en&batch=4")
        self.one(".chart canvas")
        self.one(".chart .canvas").send_keys(Keys.HOME, Keys.ARROW_RIGHT)
        state = self.module("play/state.js", "state")
        mean = numpy.mean(self.module("play/stream.js", "streamOf", state)["batches"][1])
        told = self.one(".chart [role=status]").text
        self.assertIn(f"step 2: truth 3, batch {mean:.4g}".rstrip("0"), told)
        self.button("From the start").click()
        self.button("One step").click()
        self.assertIn("train?output=false", self.one(".curl + .curl code").text)
        self.assertEqual(self.one(".curl + .curl code").text.count("["), 5)
        self.one(".chart summary").click()
        wait_for(lambda: self.rows() == 2, "the table has both steps")
        play = self.button("Play")
        play.click()
        wait_for(lambda: self.rows() > 4, "it plays")
        play.click()
        self.assertEqual(play.text, "Play")
        self.assertEqual(self.console(), [])

    def test_sliders_are_level(self):
        self.open("play#view=steps&lang=ko")
        self.one(".chart canvas")
        self.look(1100)  # a label is two lines high
        self.assertEqual(self.script("return new Set(Array.from(document.querySelectorAll('.sliders label'),"
                                     " label => label.getBoundingClientRect().bottom)).size;"), 1)
        self.look(1280)

    def test_a_batch_of_one(self):
        self.open("play#view=steps&lang=en&batch=1")
        self.assertIn("refuse it", self.one(".warning").text)
        self.one(".chart canvas")
        _, variance = self.outputs()
        values = dict(variance)
        self.assertEqual([values[name] for name in ("batch", "exponential", "cumulative")], ["–"] * 3)
        self.assertNotIn("–", (values["pooled"], values["decayed"]))
