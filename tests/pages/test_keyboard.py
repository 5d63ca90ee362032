# SPDX-License-Identifier: MIT
"""Without a mouse: Tab reaches everything that can be operated, in order and out again, and the focus is seen."""

import world
from normd import wait_for
from page import Keys, Page

# Numbers what can be operated, in the order of the document. One radio button stands for its group.
NUMBER = """
const operable = "a[href], button, input, select, textarea, summary, [tabindex]";
window.stops = Array.from(document.querySelectorAll(operable)).filter(
	node => node.tabIndex >= 0 && !node.disabled && node.checkVisibility({ visibilityProperty: true }) &&
		(node.type !== "radio" || node.checked));
return window.stops.length;
"""
# Where the focus is: the number of the stop (-1: of another element, null: of none), whether it is drawn and in sight.
FOCUSED = """
const node = document.activeElement, box = node.getBoundingClientRect(), style = getComputedStyle(node);
if (node === document.body)
	return null;
return {
	stop: (window.stops ?? []).indexOf(node),
	what: `${node.localName} ${node.getAttribute("aria-label") ?? node.innerText ?? ""}`.slice(0, 60),
	scrolls: node.scrollHeight > node.clientHeight || node.scrollWidth > node.clientWidth,
	drawn: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
	seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
};
"""
MOST = 400  # stops


class Keyboard(Page):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world.make(cls.daemon)

    def tab(self):
        for kind in ("rawKeyDown", "keyUp"):
            self.cdp("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        return self.script(FOCUSED)

    def tour(self):
        """Presses Tab until the focus leaves the page."""
        count = self.script(NUMBER)
        reached = []
        for _ in range(MOST):
            at = self.tab()
            if at is None:
                break
            self.assertTrue(at["drawn"], at)
            self.assertTrue(at["seen"], at)
            if at["stop"] < 0 and at["scrolls"]:
                continue  # the browser itself lets keys scroll it
            reached.append(at["stop"])
        else:
            self.fail(f"after {MOST} stops the focus is still in the page")
        self.assertEqual(reached, list(range(count)))
        return count

    def test_tab_reaches_everything_in_order(self):
        for name, (path, ready) in world.PAGES.items():
            if name.startswith(("layer-", "play-kinds-")):
                continue  # as others
            with self.subTest(page=name):
                self.open(path)
                self.one(ready)
                self.settle()
                self.assertGreater(self.tour(), 5)

    def test_skip_link(self):
        for path in ("#/", "play#lang=en"):
            self.open(path)
            self.one("main h1")
            self.assertIn("Skip to content", self.tab()["what"])
            self.press(Keys.ENTER)
            self.assertEqual(self.focused.tag_name, "main")

    def test_the_dialog_gives_the_focus_back(self):
        self.open("#/")
        button = self.one("header .tools button")
        for leave in ((Keys.ESCAPE,), (Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER), ("normd_x", Keys.ENTER)):
            button.send_keys(Keys.ENTER)
            self.assertEqual(self.focused.get_attribute("id"), "token")
            self.press(*leave)
            wait_for(lambda: self.focused == button, "the focus is back on the button")
        self.assertEqual(button.text, "Token ✓")
