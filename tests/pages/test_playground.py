# SPDX-License-Identifier: MIT
"""The playground's kinds: what the grids show, against numpy; the state in the address; the keyboard."""

import itertools

import numpy

from normd import wait_for
from page import AS_WRITTEN, ActionChains, By, Keys, Page

KINDS = ("batch", "layer", "instance", "group", "rms")
EPS = 1e-5
AS_PYTHON = str.maketrans({"−": "-", "·": "*", "²": "**2", "√": "numpy.sqrt"})
# Moves a slider's value as fast as a hand does, and counts the calls that this made.
DRAG = """
const done = arguments[0], wait = ms => new Promise(go => setTimeout(go, ms));
import(new URL("web/play/state.js", document.baseURI)).then(async ({ change }) => {
	performance.clearResourceTimings();
	for (let i = 0; i < 24; i++) {
		change({ n: 1 + i % 8 });
		await wait(10);
	}
	await wait(1000);
	done(performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/v1/normalize")).length);
});
"""


def groups(kind, shape, count, over):
    """The number of each value's group, by slices of an array."""
    n, c, l = shape
    number = numpy.zeros(shape, int)
    if kind == "batch":
        number[:] = numpy.arange(c)[None, :, None]
    elif kind == "instance":
        number[:] = numpy.arange(n * c).reshape(n, c, 1)
    elif kind == "group":
        number.reshape(n, count, -1)[:] = numpy.arange(n * count).reshape(n, count, 1)
    elif over == "token":
        number[:] = numpy.arange(n * l).reshape(n, 1, l)
    else:
        number[:] = numpy.arange(n)[:, None, None]
    return number.ravel()


def normalized(kind, data, state):
    """Normalizes along axes, as papers write it. Flat."""
    x = numpy.array(data, float)
    n, c, l = x.shape
    rows = (1,) if state["over"] == "token" else (1, 2)
    axes = {"batch": (0, 2), "instance": (2,), "group": (2, 3)}.get(kind, rows)
    if kind == "group":
        x = x.reshape(n, state["groups"], -1, l)
    mean = 0 if kind == "rms" else x.mean(axes, keepdims=True)
    hat = (x - mean) / numpy.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + state["eps"])
    return (state["weight"] * hat + (0 if kind == "rms" else state["bias"])).ravel()


def number(text):
    return float(text.replace("−", "-"))


class Playground(Page):
    daemon_args = AS_WRITTEN

    def show(self, state=""):
        """Opens the kinds, and waits for the daemon's numbers."""
        self.open(f"play#lang=en&{state}")
        self.one(".state[data-kind=fresh]")

    def button(self, name):
        return self.driver.find_element(By.XPATH, f"//button[text()='{name}']")

    def slider(self, name):
        return self.driver.find_element(By.XPATH, f"//label[text()='{name}']/..//input")

    def texts(self, selector):
        return [node.text for node in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def kept(self, expected):
        """Waits until the address has this state."""
        wait_for(lambda: self.driver.current_url.endswith(f"#{expected}"), lambda: self.driver.current_url)

    def lit(self, kind):
        """How many cells of a kind's grid are lit: all but those beneath the veil."""
        cells, veil = (sum(path.get_attribute("d").count("z") for path in
                           self.driver.find_elements(By.CSS_SELECTOR, f"[data-kind={kind}] .{name}"))
                       for name in ("pattern", "others"))
        return cells - veil

    def answers(self, hash):
        """A state, its values, and per kind what the page computes of them and what the daemon does."""
        state = self.module("play/state.js", "parse", hash)
        made = self.module("play/data.js", "make", state)
        both = {}
        for kind in KINDS:
            members = self.module("play/groups.js", "groupValues", kind, state, made["lengths"])["members"]
            of = [-1] * len(made["flat"])
            for g, numbers in enumerate(members):
                for i in numbers:
                    of[i] = g
            ours = self.module("play/arithmetic.js", "normalize", kind, made["flat"], {"of": of, "members": members},
                               state)
            answer = self.module("shared/api.js", "send",
                                 self.module("play/call.js", "normalizeCall", kind, made, state))
            both[kind] = ours["y"], self.module("play/call.js", "numbersOf", kind, answer, state)
        return state, numpy.array(made["data"]), both

    def test_groups_are_those_of_numpy(self):
        self.open("play")
        sizes = [((1, 1, 1), 1), ((3, 4, 5), 2), ((2, 6, 4), 3), ((8, 16, 12), 16), ((4, 12, 1), 1)]
        for kind, (shape, count), over in itertools.product(KINDS, sizes, ("sample", "token")):
            with self.subTest(kind=kind, shape=shape, over=over):
                state = {**dict(zip("ncl", shape)), "groups": count, "over": over}
                expected = groups(kind, shape, count, over)
                self.assertEqual(self.module("play/groups.js", "groupValues", kind, state)["members"],
                                 [numpy.flatnonzero(expected == g).tolist() for g in range(expected.max() + 1)])

    def test_every_group_has_a_look_of_its_own(self):
        """128 groups are the most there are. Those that follow one another differ in hue and in pattern."""
        self.open("play")
        looks = [tuple(self.module("play/patterns.js", "look", g).values()) for g in range(128)]
        self.assertEqual(len(set(looks)), 128)
        for one, other in zip(looks, looks[1:]):
            self.assertTrue(one[0] != other[0] and one[1] != other[1], (one, other))

    def test_the_page_the_daemon_and_numpy_agree(self):
        self.open("play")
        for hash in ("", "n=2&c=6&l=4&groups=3&preset=sentence&over=token", "preset=pets&n=4&eps=0.1&weight=2&bias=-1",
                     "n=8&c=16&l=12&groups=4&seed=7"):
            with self.subTest(hash=hash):
                state, x, both = self.answers(hash)
                for kind in KINDS:
                    for y in both[kind]:
                        numpy.testing.assert_allclose(y, normalized(kind, x, state), rtol=1e-9, atol=1e-9, err_msg=kind)

    def test_padding_does_not_count(self):
        self.open("play")
        _, x, both = self.answers("n=2&c=6&l=4&preset=padded&over=token")
        words = numpy.ones(x.shape, bool)
        words[1, :, 2:] = False  # "You learn"
        for channel, counts in zip(x.swapaxes(0, 1), words.swapaxes(0, 1)):
            mean, variance = channel[counts].mean(), channel[counts].var()
            channel[:] = (channel - mean) / numpy.sqrt(variance + EPS) * counts
        for y in both["batch"]:
            numpy.testing.assert_allclose(y, x.ravel(), rtol=1e-9, atol=1e-9)

    def test_what_is_shown_is_what_numpy_computes(self):
        self.show("show=after&kind=group&cell=1.2.3")
        state = self.module("play/state.js", "state")
        x = numpy.array(self.module("play/data.js", "make", state)["data"])
        for kind in KINDS:
            y = normalized(kind, x, state)
            shown = [number(text) for text in self.texts(f"[data-kind={kind}] .numbers tspan")]
            numpy.testing.assert_allclose(shown, y, atol=0.0051, err_msg=kind)
            _, result, sign = self.text(f"[data-kind={kind}] .check").split()
            self.assertAlmostEqual(number(result), y.reshape(x.shape)[1, 2, 3], delta=1e-3)
            self.assertEqual(sign, "✓")
        group = x[1, 2:]
        self.assertIn(f"10 values share mean {group.mean():.4g} and variance {group.var():.4g}", self.text(".reading"))

    def test_a_reader_can_repeat_the_arithmetic(self):
        self.show("cell=2.3.1&weight=0.5&bias=-1&l=4")
        for kind in KINDS:
            rows = self.texts(f"[data-kind={kind}] .sums dd")
            self.assertEqual(len(rows), 3 if kind == "rms" else 4)
            for row in rows:
                formula, result = row.translate(AS_PYTHON).removeprefix("= ").rsplit(" = ", 1)
                if "…" not in formula:
                    self.assertAlmostEqual(eval(formula), float(result), delta=2e-3, msg=row)

    def test_a_state_survives_its_address(self):
        self.open("play")
        for hash, expected in (
                ("", ""), ("#n=1&kind=layer&cell=0.2.3&eps=0.001&preset=noise&seed=42&over=token",
                           "kind=layer&over=token&n=1&eps=0.001&seed=42&cell=0.2.3"),
                ("#n=1e9&c=-3&l=x&eps=NaN&kind=%3Cimg%3E&view=admin&cell=9.9.9&groups=3&seed=&%E0%A4%A",
                 "n=8&c=1&groups=1"),
                ("#preset=penguins&c=16&l=12", "l=1&preset=penguins")):
            state = self.module("play/state.js", "parse", hash)
            self.assertEqual(self.module("play/state.js", "format", state), expected)

    def test_the_keyboard_walks_a_grid(self):
        self.show()
        self.driver.find_element(By.CSS_SELECTOR, "[data-kind=layer] button").send_keys(Keys.TAB)
        self.assertIn("sample 1, channel 1, position 1", self.text(".reading"))
        self.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.PAGE_DOWN, Keys.ARROW_UP, Keys.ARROW_UP)
        self.assertIn("sample 2, channel 1, position 3", self.text(".reading"))
        self.assertIn("Layer norm: 20 values share mean", self.text(".reading"))
        self.assertEqual([self.lit(kind) for kind in KINDS], [15, 20, 5, 10, 20])
        self.kept("lang=en&kind=layer&cell=1.0.2")
        self.press(Keys.TAB)  # a grid is one stop: the next is in the next card
        self.assertEqual(self.focused.text, "Instance norm")
        self.driver.refresh()
        wait_for(lambda: "sample 2, channel 1, position 3" in self.text(".reading"), "the cell is lit again")

    def test_a_pointer_lights_a_cell_and_leaves_nothing(self):
        self.show("cell=0.0.0")
        grid = self.one("[data-kind=instance] .grid")
        self.driver.execute_script("arguments[0].scrollIntoView({ block: 'center' });", grid)
        ActionChains(self.driver).move_to_element(grid).perform()  # the middle of three sheets
        self.assertIn("sample 2", self.text(".reading"))
        ActionChains(self.driver).move_to_element(self.one("[data-kind=instance] h2")).perform()
        self.assertIn("sample 1, channel 1, position 1", self.text(".reading"))
        self.kept("lang=en&cell=0.0.0")

    def test_a_batch_of_one_is_refused(self):
        self.show("kind=batch")
        self.button("A batch of one").click()
        self.button("One position").click()
        wait_for(lambda: "too_few_values" in self.text("[data-kind=batch]"), "batch norm is refused")
        self.assertIn("the batch has one value per channel; its variance needs at least two",
                      self.text("[data-kind=batch] .problem"))
        self.assertIn("Batch norm is refused", self.text(".histograms"))
        self.assertNotIn("too_few_values", self.text("[data-kind=layer]"))
        self.button("A batch of one").click()
        wait_for(lambda: "too_few_values" not in self.text("[data-kind=batch]"), "batch norm is computed again")

    def test_sliders_stop_where_it_makes_sense(self):
        self.show("c=6&groups=1")
        seen = []
        for _ in range(4):
            seen.append(self.slider("G: groups").get_attribute("aria-valuetext"))
            self.slider("G: groups").send_keys(Keys.ARROW_RIGHT)
        self.assertEqual(seen, ["1", "2", "3", "6"])
        self.slider("C: channels").send_keys(Keys.ARROW_LEFT)
        self.kept("lang=en&c=5&groups=5")

    def test_a_moving_slider_asks_once(self):
        self.show()
        self.assertEqual(self.driver.execute_async_script(DRAG), len(KINDS))

    def test_the_histograms_say_what_they_show(self):
        self.show("cell=0.0.0")
        x = numpy.array(self.module("play/data.js", "make", self.module("play/state.js", "state"))["data"])
        before, after = (text.replace("−", "-") for text in self.texts(".histogram > p"))
        self.assertIn(f"60 values from {x.min():.4g} to {x.max():.4g}, mean {x.mean():.4g}, deviation {x.std():.4g}.",
                      before)
        self.assertIn(f"Lit: 15 values, mean {x[:, 0].mean():.4g}, deviation {x[:, 0].std():.4g}.", before)
        self.assertIn("Lit: 15 values, mean 0, deviation 0.9999.", after)
        self.one(".histogram summary").click()
        bars = [[number(text) for text in row.split()] for row in self.texts(".histogram:first-child tbody tr")]
        for low, high, count in bars:
            self.assertEqual(((x >= low) & (x < high)).sum(), count)
        self.assertEqual(sum(count for _, _, count in bars), x.size)
