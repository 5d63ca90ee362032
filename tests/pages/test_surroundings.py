# SPDX-License-Identifier: MIT
"""What surrounds the pages: a daemon that goes and comes back, a page that is hidden, a clock that is off, a proxy's
prefix, and scripts of others."""

import time

import browser
import world
from normd import wait_for
from page import Page
from proxy import PREFIX, Proxy

LAYER = world.PAGES["layer"][0]
# A clock that is a day ahead.
AHEAD = "const now = Date.now.bind(Date); Date.now = () => now() + 86400000;"
INJECT = """
const script = document.createElement("script"), node = document.createElement("b");
script.textContent = "window.evil = 1";
node.setAttribute("onclick", "window.evil = 2");
node.setAttribute("style", "color: red");
document.body.append(script, node);
node.click();
const evaluated = document.createElement("script");
evaluated.src = "data:text/javascript,window.evil=3";
document.body.append(evaluated);
fetch("http://localhost:9/").catch(() => {});
return [window.evil ?? null, node.style.length];
"""


class Surroundings(Page):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world.make(cls.daemon)

    def test_the_daemon_goes_and_comes_back(self):
        self.expect("ERR_CONNECTION_REFUSED")
        self.open(LAYER)
        self.one(world.FRESH)
        kept = self.text("dl.facts")
        port = self.daemon.port
        self.daemon.stop()
        self.see("away: the daemon cannot be reached, next try in", "header")
        self.assertIn("Kind", self.text("dl.facts"))
        self.daemon.args += ("--listen", f"127.0.0.1:{port}")
        self.daemon.start()
        self.see("live", "header")
        self.assertEqual(self.text("dl.facts").splitlines()[:4], kept.splitlines()[:4])

    def test_a_hidden_page_rests(self):
        self.open(LAYER)
        self.one(world.FRESH)
        self.show_window("minimized")
        self.see("paused", "header")
        browser.asked(self.driver)
        time.sleep(2.5)  # the page asks every 2 seconds
        self.assertEqual(browser.asked(self.driver), [])
        self.show_window("normal")
        self.see("live", "header")
        self.assertNotEqual(browser.asked(self.driver), [])

    def show_window(self, how):
        window = self.cdp("Browser.getWindowForTarget")["windowId"]
        self.cdp("Browser.setWindowBounds", windowId=window, bounds={"windowState": how})

    def test_a_clock_that_is_off(self):
        added = self.cdp("Page.addScriptToEvaluateOnNewDocument", source=AHEAD)
        self.addCleanup(self.cdp, "Page.removeScriptToEvaluateOnNewDocument", **added)
        self.open(LAYER)
        self.one(world.FRESH)
        facts = self.text("dl.facts")
        self.assertGreater(self.script("return Date.now() - new Date();"), 8e7)
        self.assertRegex(facts, r"Last update\n\d+ s ago")

    def test_scripts_of_others_do_not_run(self):
        self.expect("Content Security Policy")
        self.open("#/")
        self.one("main h1")
        self.assertEqual(self.script(INJECT), [None, 0])
        self.settle()
        self.assertIsNone(self.script("return window.evil ?? null;"))
        refused = " ".join(browser.said(self.driver))
        for directive in ("script-src", "style-src", "connect-src"):
            self.assertIn(directive, refused)


class Prefix(Page):
    @classmethod
    def setUpClass(cls):
        cls.proxy = Proxy()
        cls.daemon_args = ("--cors-origin", cls.proxy.url)
        super().setUpClass()
        world.make(cls.daemon)
        cls.proxy.serve(cls.daemon)
        cls.addClassCleanup(cls.proxy.close)

    def address(self, path):
        return self.proxy.url + PREFIX + path

    def test_every_page(self):
        for name, (path, ready) in world.PAGES.items():
            if not name.startswith("layer-"):
                self.open(path)
                self.one(ready)
                self.settle()
                self.assertEqual(self.text(".problem"), "", name)
        self.assertIn("/v1/normalize", " ".join(self.proxy.asked))
        for path in self.proxy.asked:
            self.assertTrue(path.startswith(PREFIX), path)

    def test_links(self):
        """From page to page as people go."""
        self.open("")
        self.one("header nav a[href=play]").click()
        self.see("Playground", "h1")
        self.one("header nav a[href='./']").click()
        wait_for(lambda: self.driver.current_url.startswith(self.address("")), lambda: self.driver.current_url)
        self.assertEqual(self.one("footer a").get_property("href"), self.address("openapi.json"))
