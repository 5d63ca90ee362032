# SPDX-License-Identifier: MIT
"""A daemon with tokens: none, a wrong one, one of other models, one whose role does not suffice."""

import shutil
import tempfile

import browser
import world
from access import Tokens, bearer, line
from normd import wait_for
from page import By, Keys, Page

ADMIN = "normd_admin"


class WithTokens(Page):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.mkdtemp(prefix="normd-pages-")
        cls.addClassCleanup(shutil.rmtree, directory)
        tokens = Tokens(directory)
        tokens.write(line(ADMIN, "admin"), line("normd_reader", "infer"), line("normd_other", "admin", "other-"))
        cls.daemon_args = ("--tokens", tokens.path)
        super().setUpClass()
        world.make(cls.daemon, bearer(ADMIN))

    def setUp(self):
        self.expect(401, 403)
        self.open("#/")
        self.script("sessionStorage.clear();")

    def give(self, token):
        """Answers the dialog."""
        field = self.focused
        self.assertEqual(field.get_attribute("id"), "token")
        field.clear()
        field.send_keys(token, Keys.ENTER)

    def kept(self):
        return self.script("return sessionStorage.getItem('normd-token');")

    def test_none_then_a_wrong_one_then_the_right_one(self):
        self.open(world.PAGES["layer"][0])
        self.see("not authorised", "header")
        for wrong in ("normd_wrong", "<img/src=x/onerror=alert(1)>"):
            self.one(".problem button").click()
            self.give(wrong)
            self.assertEqual(self.kept(), wrong)
            self.see("unauthenticated", ".problem")
        self.one(".problem button").click()
        self.give("한국어")  # a header cannot have it
        self.assertEqual(self.script("return document.activeElement.validity.patternMismatch;"), True)
        self.press(Keys.ESCAPE)
        self.assertEqual(self.kept(), wrong)
        self.assertEqual(self.driver.find_elements(By.CSS_SELECTOR, "dl.facts dd"), [])
        self.one(".problem button").click()
        self.give(ADMIN)
        self.one(world.FRESH)
        self.see("batch_norm", "dl.facts")
        self.assertEqual(self.text(".problem"), "")
        self.one("main details summary").click()
        self.assertIn('-H "Authorization: Bearer $NORMD_TOKEN"', self.text(".curl"))
        self.assertNotIn(ADMIN, self.driver.page_source)

    def test_the_token_is_kept_by_this_tab_alone(self):
        self.one("header .tools button").click()
        self.give(ADMIN)
        self.open(world.PAGES["layer"][0])
        self.one(world.FRESH)
        self.assertEqual(self.script("return [document.cookie, JSON.stringify(localStorage)];"), ["", "{}"])
        self.one("header .tools button").click()
        self.one("dialog button:not(.main)").click()  # forget it
        self.see("not authorised", "header")

    def test_the_focus_stays_while_the_page_asks_again(self):
        self.open(world.PAGES["layer"][0])
        button = self.one(".problem button")
        self.script("arguments[0].focus();", button)
        browser.asked(self.driver)
        wait_for(lambda: browser.asked(self.driver), "the page asks again")
        self.settle()
        self.assertEqual(self.focused, button)

    def test_a_token_of_other_models(self):
        self.one("header .tools button").click()
        self.give("normd_other")
        self.open(world.PAGES["layer"][0])
        self.see("forbidden", ".problem")
        self.see("other-", ".problem")

    def test_publishing_asks_for_a_token_that_may(self):
        self.one("header .tools button").click()
        self.give("normd_reader")
        self.open(world.PAGES["model"][0])
        self.see("good", ".versions")
        self.one("[aria-label='Serve version 1…']").click()
        self.press(Keys.ENTER)
        self.see("forbidden", "dialog .problem")
        self.one("dialog .problem button").click()
        self.give(ADMIN)
        self.assertEqual(self.text("dialog .problem"), "")
        self.one("main dialog [type=submit]").click()
        self.see("Now version 1 serves.", "[role=status]")

    def test_the_playground_asks_for_one(self):
        self.open("play#lang=en")
        self.one(".problem button").click()
        self.give("normd_reader")
        self.one(world.FRESH)
        self.assertEqual(self.text(".problem"), "")

    def test_your_data_asks_for_one(self):
        self.open(f"{world.PAGES['play-own'][0]}&model={world.MODEL}&layer=bn")
        self.one("main .problem button").click()
        self.give("normd_reader")
        self.see("batch_norm; features: 12.")
        self.assertEqual(self.text(".problem"), "")
