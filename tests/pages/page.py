# SPDX-License-Identifier: MIT
"""What the tests of the pages share: a browser and a daemon for each class. Debian's chromium, chromium-driver and
python3-selenium; without them, the tests are skipped."""

import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))

from normd import PATIENCE, DaemonTest, wait_for

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = ActionChains = By = Keys = None

DRIVER = shutil.which("chromedriver")
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,900",
             "--lang=en")
# Calls a function of one of the pages' modules, or gives what else it exports.
CALL = """
const [module, name, values, done] = arguments;
import(new URL(`web/${module}`, document.baseURI)).then(
	({ [name]: it }) => typeof it === "function" ? it(...values) : it).then(
	result => done({ result }), error => done({ error: String(error) }));
"""


@unittest.skipIf(webdriver is None or DRIVER is None, "no python3-selenium, or no chromedriver")
class Page(DaemonTest):
    """A browser and a daemon for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(super().tearDownClass)
        options = webdriver.ChromeOptions()
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        cls.driver = webdriver.Chrome(service=Service(DRIVER), options=options)
        cls.addClassCleanup(cls.driver.quit)
        cls.driver.set_script_timeout(30 * PATIENCE)

    @classmethod
    def tearDownClass(cls):
        pass  # the clean-ups do it, also if setUpClass fails

    def address(self, path):
        return f"http://127.0.0.1:{self.daemon.port}/{path}"

    def open(self, path):
        """Loads a page anew, also where only what stands behind # differs. Forgets what the console said before."""
        self.driver.get("about:blank")
        self.console()
        self.driver.get(self.address(path))

    def one(self, selector):
        """The first element that a CSS selector finds, as soon as there is one."""
        return wait_for(lambda: self.driver.find_elements(By.CSS_SELECTOR, selector), f"there is no {selector}")[0]

    def press(self, *keys):
        """Presses keys where the focus is."""
        for key in keys:
            self.focused.send_keys(key)

    @property
    def focused(self):
        return self.driver.switch_to.active_element

    def module(self, module, name, *values):
        """What a function of a module (play/data.js) gives, or another export of it."""
        told = self.driver.execute_async_script(CALL, module, name, values)
        self.assertNotIn("error", told)
        return told["result"]

    def console(self):
        """What the console has said since. A refusal that a page shows is listed there too, and is left out."""
        return [entry["message"] for entry in self.driver.get_log("browser") if "status of 422" not in entry["message"]]
