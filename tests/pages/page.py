# SPDX-License-Identifier: MIT
"""What the tests of the pages share: a browser and a daemon for each class."""

import base64
import os

import axe
import browser
from normd import BUILD, PATIENCE, ROOT, DaemonTest, wait_for

try:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    ActionChains = By = Keys = None

PICTURES = os.path.join(BUILD, "pages")
AS_WRITTEN = ("--web-root", os.path.join(ROOT, "web"))  # for module(): the daemon itself has bundles
# Calls a function of one of the pages' modules, or gives what else it exports.
CALL = """
const [module, name, values, done] = arguments;
import(new URL(`web/${module}`, document.baseURI)).then(
	({ [name]: it }) => typeof it === "function" ? it(...values) : it).then(
	result => done({ result }), error => done({ error: String(error) }));
"""
TEXT = "return Array.from(document.querySelectorAll(arguments[0]), node => node.innerText).join('\\n');"
# Waits until nothing has changed for a while.
SETTLE = """
const done = arguments[0];
let timer = null;
const rest = () => { clearTimeout(timer); timer = setTimeout(end, 150); };
const end = () => { changes.disconnect(); done(); };
const changes = new MutationObserver(rest);
changes.observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
rest();
"""
# What the browser itself says of an address that a view asked for in vain; the view shows it too.
REFUSAL = "Failed to load resource: the server responded with a status of {}"


class Page(DaemonTest):
    """A browser and a daemon for all tests of a class. After each test, the console must have said nothing but what
    expect() names, and the browser must have asked nobody but the daemon."""

    BROWSER = True  # tests/run lets two of these classes run at once

    @classmethod
    def setUpClass(cls):
        cls.driver = browser.start()
        cls.addClassCleanup(cls.driver.quit)
        cls.driver.set_script_timeout(30 * PATIENCE)
        super().setUpClass()
        cls.addClassCleanup(super().tearDownClass)

    @classmethod
    def tearDownClass(cls):
        pass  # the clean-ups do it, also if setUpClass fails

    def run(self, result=None):
        self.said, self.expected = [], [REFUSAL.format(422)]
        return super().run(result)

    def tearDown(self):
        self.driver.get("about:blank")  # ends what the page does at intervals
        self.assertEqual(self.said + self.console(), [])
        others = [url for url in browser.asked(self.driver)
                  if not url.startswith((self.address(""), "data:", "about:", "blob:", "chrome"))]
        self.assertEqual(others, [])

    def expect(self, *parts):
        """The console may say messages of this test that contain one of these; a number is a status of a refusal."""
        self.expected += [REFUSAL.format(part) if isinstance(part, int) else part for part in parts]

    def address(self, path):
        return f"http://127.0.0.1:{self.daemon.port}/{path}"

    def open(self, path):
        """Loads a page anew, also where only what stands behind # differs."""
        self.driver.get("about:blank")
        self.said += self.console()
        self.driver.get(self.address(path))

    def one(self, selector):
        """The first element that a CSS selector finds, as soon as there is one."""
        return wait_for(lambda: self.driver.find_elements(By.CSS_SELECTOR, selector), f"there is no {selector}")[0]

    def text(self, selector="body"):
        """What all elements that a CSS selector finds show."""
        return self.script(TEXT, selector)

    def see(self, words, selector="body"):
        """Waits until words are shown."""
        wait_for(lambda: words in self.text(selector), lambda: f"{words!r} in {self.text(selector)!r}")

    def settle(self):
        """Waits until the page has come to rest."""
        self.driver.execute_async_script(SETTLE)

    def script(self, text, *values):
        return self.driver.execute_script(text, *values)

    def press(self, *keys):
        """Presses keys where the focus is."""
        for key in keys:
            self.focused.send_keys(key)

    @property
    def focused(self):
        return self.driver.switch_to.active_element

    def module(self, module, name, *values):
        """What a function of a module (play/data.js) gives, or another export of it, where the daemon serves the
        pages AS_WRITTEN."""
        told = self.driver.execute_async_script(CALL, module, name, values)
        self.assertNotIn("error", told)
        return told["result"]

    def console(self):
        """What the console has said since, but for what is expected."""
        return [message for message in browser.said(self.driver)
                if not any(part in message for part in self.expected)]

    def cdp(self, command, **parameters):
        """A command of Chrome's DevTools Protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def look(self, width, theme="light", height=900):
        """Sets the size of the window, and the theme as the system would."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def screenshot(self, name):
        """A picture of the page, as much of it as people look at."""
        width, height = self.script("const { scrollWidth, scrollHeight } = document.documentElement;"
                                    "return [scrollWidth, Math.min(3000, scrollHeight)];")
        taken = self.cdp("Page.captureScreenshot", captureBeyondViewport=True, optimizeForSpeed=True,
                         clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})
        os.makedirs(PICTURES, exist_ok=True)
        with open(os.path.join(PICTURES, name + ".png"), "wb") as f:
            f.write(base64.b64decode(taken["data"]))

    def assertAccessible(self, rules=None):
        self.assertEqual(axe.faults(self.driver, rules), [])
