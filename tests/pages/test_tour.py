# SPDX-License-Identifier: MIT
"""The guided tour: each step opens in both languages, sets the playground's state, and says what is true."""

import numpy

from page import AS_WRITTEN, Keys, Page

EPS = 1e-5


def normalized(x, axes):
    """x̂ of the values that share a mean along these axes."""
    return (x - x.mean(axes, keepdims=True)) / numpy.sqrt(x.var(axes, keepdims=True) + EPS)


def unpadded(x, lengths):
    """The values of each channel without padding, (C, values)."""
    return numpy.concatenate([sample[:, :length] for sample, length in zip(x, lengths)], axis=1)


class Tour(Page):
    daemon_args = AS_WRITTEN

    def setUp(self):
        self.open("play#lang=en")
        self.steps = self.module("play/tour_steps.js", "steps")

    def shown_step(self):
        return self.module("play/state.js", "state")["step"]

    def test_each_step_opens_in_both_languages(self):
        for lang in ("en", "ko"):
            for n, step in enumerate(self.steps, 1):
                with self.subTest(step=step["id"], lang=lang):
                    self.open(f"play#step={n}&lang={lang}")
                    shown = self.one(".tour.open").text
                    expected = {**step["state"], "step": n, "lang": lang}
                    self.assertEqual(self.module("play/state.js", "state"),
                                     self.module("play/state.js", "clean", expected))
                    for words in (step["title"][lang], *step["text"][lang], step["attempt"][lang]):
                        self.assertIn(words, shown)
                    self.assertEqual(self.one("html").get_attribute("lang"), lang)

    def test_what_was_changed_since_is_kept(self):
        """A link of a step alone sets all; an address with more says what somebody has changed."""
        self.open("play#step=5&lang=en")
        self.open("play#step=5&lang=en&n=8&preset=sentence")
        state = self.module("play/state.js", "state")
        self.assertEqual([state[name] for name in ("step", "n", "l")], [5, 8, 5])
        self.open("play#step=99&lang=en")
        self.assertIn(self.steps[-1]["title"]["en"], self.one(".tour.open").text)

    def test_keyboard(self):
        """From the invitation through all steps and out again, without a mouse."""
        self.one(".tour button").send_keys(Keys.ENTER)
        for n, step in enumerate(self.steps, 1):
            self.assertEqual(self.shown_step(), n)
            self.assertEqual(self.focused.text, step["title"]["en"])
            self.press(Keys.ARROW_RIGHT)
        self.press(Keys.ARROW_LEFT)
        self.assertEqual(self.shown_step(), len(self.steps) - 1)
        self.press(Keys.TAB, Keys.TAB)
        for expected in (len(self.steps), 0):  # Next, which becomes Finish
            self.press(Keys.ENTER)
            self.assertEqual(self.shown_step(), expected)
        self.assertEqual(self.focused.text, "Start the guided tour")
        self.press(Keys.ENTER, Keys.ESCAPE)
        self.assertEqual(self.shown_step(), 0)

    def test_fold(self):
        self.open("play#step=2&lang=en")
        button, body = self.one(".tour [aria-expanded]"), self.one(".tour p")
        button.send_keys(Keys.ENTER)
        self.assertEqual((button.get_attribute("aria-expanded"), body.is_displayed()), ("false", False))
        button.send_keys(Keys.ENTER)
        self.assertEqual((button.get_attribute("aria-expanded"), body.is_displayed()), ("true", True))


class Claims(Page):
    daemon_args = AS_WRITTEN

    """What the steps say, computed by numpy from the values that they show, or asked of the daemon."""

    def setUp(self):
        self.open("play#lang=en")
        self.steps = {step["id"]: step for step in self.module("play/tour_steps.js", "steps")}

    def tensor(self, name, **changes):
        """The values that a step shows, (N, C, L), where somebody has changed its state."""
        state = self.module("play/state.js", "clean", {**self.steps[name]["state"], **changes})
        made = self.module("play/data.js", "make", state)
        self.tokens = made["labels"]["l"]
        return numpy.array(made["data"])

    def says(self, name, en, ko):
        """A step's text has this, in both languages."""
        for lang, words in (("en", en), ("ko", ko)):
            self.assertIn(words, " ".join([*self.steps[name]["text"][lang], self.steps[name]["attempt"][lang]]))

    def answer(self, x, **definition):
        """The daemon's answer; of a refusal, its code."""
        answer = self.daemon.curl("POST", "/v1/normalize", {**definition, "datatype": "FP64", "data": x.tolist()})
        return numpy.array(answer.json["data"]) if answer.status == 200 else answer.code

    def test_what(self):
        x = self.tensor("what")
        y = self.answer(x, kind="batch_norm", weight=[2] * x.shape[1], bias=[1] * x.shape[1])
        numpy.testing.assert_allclose(y, 2 * normalized(x, (0, 2)) + 1, atol=1e-12)
        numpy.testing.assert_allclose(y.mean((0, 2)), 1, atol=1e-12)
        numpy.testing.assert_allclose(y.std((0, 2)), 2, atol=1e-3)

    def test_kinds(self):
        x = self.tensor("kinds")
        n, c, l = x.shape
        self.says("kinds", f"{c} groups of {n * l} cells", f"{n * l}칸짜리 묶음이 {c}개")
        self.says("kinds", f"{n} groups of {c * l}.", f"{c * l}칸짜리 묶음이 {n}개")
        self.says("kinds", f"set G to 1 and to {c}:", f"G를 1과 {c}로")
        group = {"kind": "group_norm", "num_channels": c}
        numpy.testing.assert_array_equal(self.answer(x, num_groups=1, **group),
                                         self.answer(x, kind="layer_norm", normalized_shape=[c, l]))
        numpy.testing.assert_array_equal(self.answer(x, num_groups=c, **group), self.answer(x, kind="instance_norm"))

    def test_noise(self):
        few, many = (1 / numpy.sqrt(n) for n in (2, 64))
        self.says("noise", f"by {few:.2f} σ for 2 values, and by {many:.3f} σ for 64",
                  f"2개이면 {few:.2f} σ, 64개이면 {many:.3f} σ")

    def test_one(self):
        x = self.tensor("one")
        c = x.shape[1]
        self.assertEqual(x.shape, (1, c, 1))
        for kind in ("batch_norm", "instance_norm"):
            self.assertEqual(self.answer(x, kind=kind), "too_few_values")
        for definition in ({"kind": "layer_norm", "normalized_shape": [c, 1]},
                           {"kind": "group_norm", "num_groups": 2, "num_channels": c},
                           {"kind": "rms_norm", "normalized_shape": [c, 1]}):
            self.assertEqual(self.answer(x, **definition).shape, x.shape, definition)
        y = self.answer(self.tensor("one", n=2), kind="batch_norm")
        numpy.testing.assert_allclose(numpy.sort(y[:, :, 0], axis=0), [[-1] * c, [1] * c], atol=1e-2)

    def test_sequences(self):
        x = self.tensor("sequences")
        lengths = [sum(values.any(axis=0)) for values in x]
        cells, padding = x[:, 0].size, x[:, 0].size - sum(lengths)
        self.says("sequences", f"{padding} of {cells} cells", f"{cells}칸 가운데 {padding}칸")
        self.says("sequences", f"sentences of {lengths[0]}, {lengths[1]} and {lengths[2]} words",
                  f"단어가 {lengths[0]}개, {lengths[1]}개, {lengths[2]}개")
        mean, better = x[:, 0].mean(), unpadded(x, lengths)[0].mean()
        self.says("sequences", f"is {mean:.2f}; without padding it would be {better:.2f}",
                  f"{mean:.2f}인데, 패딩이 없다면 {better:.2f}")
        before, after = (f"{self.answer(each, kind='batch_norm')[0, 0, 0]:.2f}".replace("-", "−")
                         for each in (x, self.tensor("sequences", n=8)))
        self.says("sequences", f"{before} becomes {after}", f"{before}이던 값이 {after}이 됩니다")

    def test_tokens(self):
        x = self.tensor("tokens")
        words = self.tokens[0]
        self.assertEqual(words, ["I", "am", "a", "student"])
        variance = dict(zip(words, x[0].var(axis=0)))
        self.says("tokens", f"variance {variance['student']:.2f}, and those of “a” {variance['a']:.2f}",
                  f"분산이 {variance['student']:.2f}이고 “a”의 특징은 {variance['a']:.2f}")
        alone = self.tensor("tokens", n=1)
        definition = {"kind": "layer_norm", "normalized_shape": [x.shape[1]]}
        y = self.answer(alone.transpose(0, 2, 1), **definition)
        numpy.testing.assert_allclose(y[0].T, normalized(x[0], 0), atol=1e-12)
        numpy.testing.assert_allclose(y.mean(2), 0, atol=1e-12)
        numpy.testing.assert_allclose(y.var(2), 1, atol=1e-3)
        other = self.tensor("tokens", n=8, l=12)
        numpy.testing.assert_array_equal(self.answer(other.transpose(0, 2, 1), **definition)[0, :4], y[0])
        batch = [self.answer(each, kind="batch_norm")[0, :, :4] for each in (alone, other)]
        self.assertGreater(abs(batch[0] - batch[1]).max(), 0.1)

    def test_running(self):
        momentum = self.module("play/state.js", "clean", self.steps["running"]["state"])["momentum"]
        weights = momentum * (1 - momentum) ** numpy.arange(30)
        later = int(numpy.argmax(weights < 0.01))
        self.says("running", f"weighs {100 * momentum:.0f} % when it comes, and less than 1 % after {later} more",
                  f"처음에 {100 * momentum:.0f}%이고, 배치가 {later}개 더 지나면 1%에 못 미칩니다")

    def test_pets(self):
        x = self.tensor("pets", n=8, c=8, l=12)
        cats, dogs = x[0::2], x[1::2]
        away = (dogs.mean((0, 2)) - cats.mean((0, 2))) / cats.std((0, 2))
        self.assertTrue((away > 5).all())
        self.assertGreater(away.mean(), 6)
        self.says("pets", "more than 6 deviations from 0", "표준편차의 6배 넘게")
        numpy.testing.assert_allclose(self.answer(dogs, kind="batch_norm").mean((0, 2)), 0, atol=1e-12)

    def test_penguins(self):
        penguins = self.module("play/penguins.js", "PENGUINS")
        rows = numpy.array(penguins["rows"])
        adelie, gentoo = (rows[rows[:, 0] == penguins["species"].index(name), 1:] for name in ("Adelie", "Gentoo"))
        _, depth, flipper, mass = (gentoo.mean(0) - adelie.mean(0)) / adelie.std(0)
        self.says("penguins", f"flippers are on average {flipper:.1f} deviations of an Adelie longer, and its body is "
                  f"{mass:.1f} heavier", f"표준편차의 {flipper:.1f}배만큼 더 길고 몸무게는 {mass:.1f}배만큼")
        self.says("penguins", f"{-depth:.1f} deviations less deep", f"표준편차의 {-depth:.1f}배만큼 얇습니다")
