# SPDX-License-Identifier: MIT
"""Versions in a model's page: made, published and rolled back by keyboard alone, and what others do meanwhile."""

import world
from page import By, Keys, Page


class Versions(Page):
    def show(self, versions=0):
        self.put_layer()
        for n in range(1, versions + 1):
            self.call("POST", f"{self.base}/versions", {"note": f"note {n}"})
        self.open(f"#/models/{self.model}")
        self.see("live state", ".serving")
        if versions:
            self.see(f"note {versions}")

    @property
    def base(self):
        return f"/v1/models/{self.model}"

    def serving(self):
        return self.call("GET", f"{self.base}/serving").json["version"]

    def tab_to(self, name):
        """Presses Tab until the focus is on a button of this name."""
        for _ in range(40):
            self.press(Keys.TAB)
            if name in (self.focused.text, self.focused.get_attribute("aria-label")):
                return
        self.fail(f"Tab does not reach {name}")

    def test_publish_and_roll_back_by_keyboard(self):
        self.show()
        self.tab_to("New version…")
        self.press(Keys.ENTER)
        self.assertIn("keeps the layers of", self.text("dialog[open]"))
        self.press(world.HOSTILE[:40], Keys.ENTER)
        self.see("Version 1 is made.", "[role=status]")
        self.see(world.HOSTILE[:40], ".versions")
        self.tab_to("Serve version 1…")
        self.press(Keys.ENTER, "<b>first</b>")
        self.assertIn("inference that names no version reads version 1", self.text("dialog[open]"))
        self.assertIn(f"""-X PUT {self.address(self.base[1:])}/serving -d '{{"version":1,"note":"<b>first</b>"}}'""",
                      self.text("dialog[open] .curl"))
        self.assertAccessible()
        self.press(Keys.ENTER)
        self.see("Now version 1 serves.", "[role=status]")
        self.assertEqual(self.serving(), 1)
        self.see("serves", ".versions .badge")
        self.see("<b>first</b>", ".note")
        self.tab_to("Roll back…")
        self.press(Keys.ENTER)
        self.assertIn("Before, the live state did.", self.text("dialog[open]"))
        self.press(Keys.ENTER)
        self.see("Now the live state serves.", "[role=status]")
        self.assertEqual(self.serving(), "live")

    def test_escape_changes_nothing(self):
        self.show(1)
        button = self.one("[aria-label='Serve version 1…']")
        button.send_keys(Keys.ENTER)
        self.press(Keys.ESCAPE)
        self.assertEqual(self.focused, button)
        self.assertEqual(self.driver.find_elements(By.CSS_SELECTOR, "main dialog"), [])
        self.assertEqual(self.serving(), "live")

    def test_alias(self):
        self.show(2)
        for version in (1, 2):
            self.one(f"[aria-label='Alias for version {version}…']").click()
            self.press("champion")
            self.assertEqual("champion names version 1" in self.text("dialog[open]"), version == 2)
            self.press(Keys.ENTER)
            self.see(f"champion names version {version}.", "[role=status]")
            self.see("champion", f".versions li:nth-child({3 - version}) .alias")  # the latest is the first
        self.assertEqual(self.call("GET", f"{self.base}/aliases/champion").json["version"], 2)

    def test_another_client_switches_meanwhile(self):
        self.show(2)
        self.one("[aria-label='Serve version 1…']").click()
        self.call("PUT", f"{self.base}/serving", {"version": 2})
        self.press(Keys.ENTER)
        self.see("another client has switched meanwhile: now version 2 serves", "dialog[open] .problem")
        self.assertEqual(self.serving(), 2)

    def test_another_client_deletes_the_version(self):
        self.expect(404)
        self.show(1)
        self.one("[aria-label='Serve version 1…']").click()
        self.call("DELETE", f"{self.base}/versions/1")
        self.press(Keys.ENTER)
        self.see("no_such_version", "dialog[open] .problem")
        self.press(Keys.ESCAPE)
        self.see("None yet")
