# SPDX-License-Identifier: MIT
"""A chromium without a network: what it needs, how it starts, what it asked for and what its console said."""

import json
import os
import shutil
import unittest

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
except ImportError:
    webdriver = None

DRIVER = shutil.which("chromedriver")
NEEDS = {"chromium": shutil.which("chromium"), "chromium-driver": DRIVER, "python3-selenium": webdriver}
# Only loopback can be reached, and chromium asks for nothing of its own. Containers have a small /dev/shm.
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--force-device-scale-factor=1", "--window-size=1280,900", "--lang=en", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
LOGS = {"browser": "ALL", "performance": "ALL"}


def lacking(reason):
    """Ends a test that cannot run on this machine. In CI it must run."""
    if os.environ.get("CI") == "true":
        raise AssertionError(reason)
    raise unittest.SkipTest(reason)


def start(logs=True):
    """Starts a browser; its quit() ends it. Skips the tests where packages are missing. `logs`: for asked() and said().
    """
    missing = [package for package, found in NEEDS.items() if not found]
    if missing:
        lacking(f"tests of the pages need {', '.join(missing)}; 'make pages' installs them")
    options = webdriver.ChromeOptions()
    for argument in ARGUMENTS:
        options.add_argument(argument)
    if logs:
        options.set_capability("goog:loggingPrefs", LOGS)
        options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
    return webdriver.Chrome(service=Service(DRIVER), options=options)


def asked(driver):
    """The addresses that were asked for since the last call."""
    entries = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"]


def said(driver):
    """What the console said since the last call."""
    return [entry["message"] for entry in driver.get_log("browser")]
