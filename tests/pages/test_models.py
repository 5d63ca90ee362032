# SPDX-License-Identifier: MIT
"""The lists of models and of a model's layers: found, sorted, as long as they may be, gone while they are looked at."""

import json
import struct
import subprocess

import browser
import world
from normd import wait_for
from page import By, Keys, Page

LAYERS = 10000
HEADS = "return Array.from(document.querySelectorAll('.virtual tbody th'), cell => cell.innerText);"


def state(count):
    """A safetensors file of so many batch norms."""
    header, at = {}, 0
    for n in range(count):
        for tensor in ("running_mean", "running_var"):
            header[f"bn{n}.{tensor}"] = {"dtype": "F64", "shape": [1], "data_offsets": [at, at + 8]}
            at += 8
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + struct.pack("<d", 1) * (at // 8)


class FirstSteps(Page):
    def test_an_empty_daemon_says_how_to_make_a_layer(self):
        self.open("#/")
        self.see("No models yet")
        for command in self.text(".card .curl pre").splitlines()[:2]:
            subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=10)
        self.see("demo", ".virtual")
        self.see("1 model")
        self.assertNotIn("No models yet", self.text())


class Lists(Page):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world.make(cls.daemon)
        answer = cls.daemon.client().request("PUT", "/v1/models/huge/state.safetensors", state(LAYERS),
                                             {"Content-Type": "application/octet-stream"})
        assert answer.status == 200, answer

    def heads(self):
        """What the first column shows."""
        return self.script(HEADS)

    def test_a_list_of_models(self):  # before the others make models
        self.open("#/")
        self.see("100+", ".virtual")
        self.assertEqual(self.heads(), ["huge", world.LONGEST, world.MODEL])
        self.see("batch_norm, layer_norm", ".virtual")
        self.see("version 2", ".virtual")
        self.one("input[type=search]").send_keys("wor")
        self.see("1 of 3 models")
        self.assertEqual(self.heads(), [world.MODEL])
        self.open(self.script("return location.hash;"))
        self.see("1 of 3 models")
        self.one(".virtual tbody a").click()
        self.see("5 layers")

    def test_sorted_by_keyboard(self):
        self.open(f"#/models/{world.MODEL}")
        self.see("drift", ".badge")
        head = self.one(".virtual thead th:nth-child(3)")
        for direction, first in (("ascending", "ln"), ("descending", "bn")):
            head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
            self.assertEqual(head.get_attribute("aria-sort"), direction)
            self.assertEqual(self.heads()[0], first)
        self.press(Keys.TAB)
        while self.focused.tag_name != "tr":
            self.press(Keys.TAB)
        self.press(Keys.ARROW_DOWN)
        self.assertIn("pooled", self.focused.text)
        self.press(Keys.ENTER)
        self.see("pooled", "h1")

    def test_ten_thousand_layers(self):
        self.open("#/models/huge")
        self.see("10\u202f000 layers")
        wait_for(lambda: "–" not in self.text(".virtual tbody tr:first-child"), "the rows in sight are asked for")
        browser.asked(self.driver)
        self.one(".virtual tbody tr[tabindex='0']").send_keys(Keys.END)
        self.assertEqual(self.focused.get_attribute("aria-rowindex"), str(LAYERS + 1))
        self.assertIn("bn9999", self.focused.text)
        wait_for(lambda: "ago" in self.focused.text, "the last row is asked for")
        self.assertLess(len(self.driver.find_elements(By.CSS_SELECTOR, ".virtual tr")), 60)
        self.assertLess(len(browser.asked(self.driver)), 120)
        at = self.script("return document.querySelector('.virtual').scrollTop;")
        self.call("PUT", "/v1/models/huge/layers/a", {"kind": "batch_norm"})
        self.one("input[type=search]").send_keys("bn77")
        self.see("111 of")
        self.assertEqual(self.heads()[0], "bn77")
        self.assertGreater(at, 1e5)

    def test_deleted_while_open(self):
        self.expect(404)
        self.put_layer()
        self.open(f"#/models/{self.model}")
        self.see("bn", ".virtual")
        self.driver.find_element(By.XPATH, "//button[text()='New version…']").click()
        self.call("DELETE", f"/v1/models/{self.model}")
        self.see("Below is what it was last")
        self.press(Keys.ESCAPE)
        wait_for(lambda: self.focused.tag_name == "main", "the focus is on what is there")
        self.assertIn("bn", self.text(".gone .virtual"))
        self.put_layer("again")
        self.script("document.dispatchEvent(new Event('visibilitychange'));")  # the page looks at once
        self.see("again", ".model:not(.gone) .virtual")
