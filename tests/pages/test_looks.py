# SPDX-License-Identifier: MIT
"""Every page in both themes, narrow and wide: axe finds nothing, and nothing has to be scrolled sideways. Pictures of
them are left in build/pages."""

import world
from page import By, Page

# Width, theme, axe's rules (None: all of them).
LOOKS = ((1280, "light", None), (1280, "dark", ["color-contrast"]), (360, "dark", None))


class Looks(Page):
    daemon_args = ("--history-interval", "1")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world.make(cls.daemon)

    def look_at(self, name):
        for width, theme, rules in LOOKS:
            with self.subTest(page=name, width=width, theme=theme):
                self.look(width, theme)
                self.screenshot(f"{name}-{width}-{theme}")
                self.assertFits(width)
                self.assertAccessible(rules)
        with self.subTest(page=name, width=3840):
            self.look(3840, height=2160)
            self.assertFits(3840)
            self.assertGreater(self.script("return document.querySelector('main').getBoundingClientRect().width;"),
                               3840 / 2)
        self.look(1280)

    def assertFits(self, width):
        self.assertLessEqual(self.script("return document.documentElement.scrollWidth;"), width)

    def test_pages(self):
        self.expect(404)
        for name, (path, ready) in world.PAGES.items():
            self.open(path)
            self.one(ready)
            self.settle()
            self.look_at(name)

    def test_tabs_of_a_layer(self):
        self.open(world.PAGES["layer"][0])
        self.one(world.FRESH)
        for tab in self.driver.find_elements(By.CSS_SELECTOR, "main [aria-selected=false]:not([hidden])"):
            tab.click()
            self.settle()
            self.look_at(f"layer-{tab.text.lower()}")

    def test_token_dialog(self):
        self.open("#/")
        self.one("header .tools button").click()
        self.look_at("token")
