# SPDX-License-Identifier: MIT
"""The user's own data: what the page reads of texts and files, against Python's json and csv and numpy; then a report,
which changes nothing, and infer; files that are large, wrong or several; layers, daemons and tokens that lack."""

import base64
import csv
import io
import json
import os
import random
import shutil
import tempfile

import numpy

from normd import PATIENCE, ROOT, wait_for
from page import AS_WRITTEN, By, Keys, Page

# Reads a text, or a file of some bytes (base64). Numbers come as texts, as JSON has no NaN.
READ = """
const [text, bytes, done] = arguments;
const encode = bytes => btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""));
import(new URL("web/play/own_data.js", document.baseURI)).then(({ readText, readFile }) => bytes === null ?
	readText(text) : readFile(new File([Uint8Array.from(atob(bytes), sign => sign.charCodeAt(0))], "x"), () => {})
).then(async ({ body, numbers, ...rest }) => done({ ...rest, numbers: numbers && Array.from(numbers, String),
	body: encode(new Uint8Array(await new Blob([body]).arrayBuffer())) })).catch(
	({ key, values, at, message }) => done({ key: key ?? message, at, ...values }));
"""
# What is said of a text that is broken, and what is named with it.
BROKEN = {
    "": ("empty", {}), " \n ": ("empty", {}), "nonsense": ("value", {"at": 0, "found": "n"}),
    "[1, 2": ("ends", {"at": 5}), "[1 2]": ("separator", {"at": 3, "found": "2"}), "[1,]": ("value", {"at": 3}),
    "[1]]": ("rest", {"at": 3}), "{'data': [1]}": ("name", {"at": 1}), '{"x": [1]}': ("no list", {}),
    '["a"]': ("no number", {"row": 1}), "[[1, 2], [3]]": ("ragged", {"row": 2, "has": 1, "needs": 2, "at": 9}),
    "[[1], 2]": ("mixed", {"row": 2}), "[" * 99: ("deep", {}), "[[1, 1e999]]": ("huge", {"cell": "1e999", "at": 5}),
    "1,2\n3": ("ragged line", {"line": 2, "has": 1, "needs": 2}), "a,b,c\n1,2": ("ragged line", {"needs": 3}),
    "a,b\nc,d": ("no numbers", {"line": 2}), "a,b\n": ("no rows", {}),
    'a,b\n"x\ny",2\nz,w': ("no number there", {"line": 4, "column": 2, "cell": "w"}),
    "1,5;2\n": ("comma", {"line": 1, "column": 1, "cell": "1,5"}), "1\n1e400": ("huge cell", {"line": 2}),
    "1e400\n1": ("huge cell", {"line": 1}), '1,2\n"3,4\n5,6': ("open quote", {"line": 2}),
    '"' + "a,1\n" * 300000: ("long line", {"line": 1}),
}
PENGUINS = os.path.join(os.path.realpath(ROOT), "data", "penguins.csv")
MEASURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
MIB = 2 ** 20
# The longest time for which the page does not answer, in ms.
WATCH = """
let last = performance.now();
window.longest = 0;
setInterval(() => {
	window.longest = Math.max(window.longest, performance.now() - last);
	last = performance.now();
}, 10);
"""


def numbers(texts):
    return numpy.array([float(text) for text in texts])


def table(rows, separator=",", end="\n", quoting=csv.QUOTE_MINIMAL):
    """The text of a table."""
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    return out.getvalue()


def npy(array, version=None):
    out = io.BytesIO()
    numpy.lib.format.write_array(out, numpy.asanyarray(array), version)
    return out.getvalue()


class Readers(Page):
    daemon_args = AS_WRITTEN

    def read(self, text="", data=None):
        encoded = None if data is None else base64.b64encode(data).decode()
        return self.driver.execute_async_script(READ, text, encoded)

    def assertNumbers(self, made, expected):
        expected = numpy.asarray(expected)
        self.assertEqual(made.get("shape"), list(expected.shape), made)
        numpy.testing.assert_array_equal(numbers(made["numbers"]), expected.ravel())

    def assertTable(self, made, expected):
        """The numbers, and the file that is sent."""
        self.assertNumbers(made, expected)
        numpy.testing.assert_array_equal(numpy.load(io.BytesIO(base64.b64decode(made["body"]))), expected)

    def test_json(self):
        self.open("play#view=own")
        draw = random.Random(5)
        for shape in ((3,), (2, 5), (2, 3, 4), (1, 2, 1, 2), (0,), (2, 0)):
            size = int(numpy.prod(shape))
            values = [draw.choice((draw.gauss(0, 1), draw.randrange(-9, 9), draw.gauss(0, 1e200))) for _ in range(size)]
            nested = numpy.array(values, float).reshape(shape).tolist()
            for text in (json.dumps(nested), json.dumps({"data": nested, "lengths": [1]}, indent="\t")):
                made = self.read(text)
                self.assertNumbers(made, nested)
                self.assertEqual(base64.b64decode(made["body"]).decode(), text)
        self.assertNumbers(self.read("[[1, NaN], [Infinity, -Infinity]]"), [[1, numpy.nan], [numpy.inf, -numpy.inf]])
        bom = self.read(data=b"\xef\xbb\xbf[[1, 2]]")
        self.assertEqual(base64.b64decode(bom["body"]), b"[[1, 2]]")  # the daemon refuses the mark

    def test_tables(self):
        self.open("play#view=own")
        draw = random.Random(6)
        for separator, end, quoting in ((",", "\n", csv.QUOTE_MINIMAL), (";", "\r\n", csv.QUOTE_ALL),
                                        ("\t", "\n", csv.QUOTE_NONNUMERIC)):
            rows = [[draw.gauss(0, 1), "NA" if i < 3 else f'a{separator} "b"\nc', draw.randrange(99),
                     "" if i % 4 == 1 else 1e-300 * i] for i in range(50)]
            head = ["x", 'the, "words"', "", "y z"]
            text = table([head] + rows, separator, end, quoting)
            made = self.read(text)
            self.assertTable(made, [[row[0], row[2], numpy.nan if row[3] == "" else row[3]] for row in rows])
            self.assertEqual((made["names"], made["leftOut"], made["missing"]),
                             (["x", "3", "y z"], ["the, \"words\""], [["y z", 13]]))
            self.assertEqual(self.read(data=b"\xef\xbb\xbf" + text.encode())["numbers"], made["numbers"])
        for text in ("1 2.5\n-3 4e1\n", "# from numpy\n1.0e+00  2.5\n-3 40\n\n", " 1,2.5\r\n\r\n-3,40",
                     "a  b\n1 2.5\n-3 40", "1,2.5\r-3,40\r", "1\t2.5\n-3\t40\n", ',"a"\n1,2.5\n"-3",40\n'):
            self.assertTable(self.read(text), [[1, 2.5], [-3, 40]])
        self.assertTable(self.read("1,nan\ninf,-Infinity"), [[1, numpy.nan], [numpy.inf, -numpy.inf]])
        self.assertTable(self.read("nan,NA\n1,2"), [[numpy.nan, numpy.nan], [1, 2]])  # no head: it has no word
        self.assertTable(self.read(data="größe\n1\n".encode("latin-1")), [[1]])

    def test_npy(self):
        self.open("play#view=own")
        x = numpy.random.default_rng(7).normal(size=(3, 4, 2))
        for array in (x, x.astype("f4"), x[0, 0], numpy.asfortranarray(x[:, :, 0]), x[:0], numpy.array(2.5)):
            for version in ((1, 0), (2, 0), (3, 0)):
                made = self.read(data=npy(array, version))
                self.assertEqual(made["shape"], list(array.shape))
                self.assertEqual(made["fortran"], array.ndim == 2)
                numpy.testing.assert_array_equal(numbers(made["numbers"]), array.ravel("K"))
        for kind in ("<f2", ">f8"):  # the daemon takes them; the page does not draw them
            self.assertIsNone(self.read(data=npy(x.astype(kind)))["numbers"])
        self.assertEqual(self.read(data=npy(numpy.arange(3))), {"key": "npy type", "type": "<i8", "at": None})
        self.assertEqual(self.read(data=npy(x)[:40])["key"], "npy")

    def test_what_is_broken(self):
        self.open("play#view=own")
        for text, (key, named) in BROKEN.items():
            told = self.read(text)
            self.assertEqual((told.get("key"), {name: told.get(name) for name in named}), (key, named), text[:60])
        for data, key in ((b"\x89PNG\r\n\x1a\n", "image"), (b"PK\3\4", "npz"), (b"1,2\0", "binary"), (b"", "empty")):
            self.assertEqual(self.read(data=data)["key"], key)


class Own(Page):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="normd-own-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.x = numpy.random.default_rng(8).normal([39, 18, 190, 3700], [2.6, 1.2, 6.5, 458], (200, 4))
        self.put_layer("bn", {"kind": "batch_norm", "averaging": "pooled", "datatype": "FP64"})
        self.call("POST", self.path("bn", "train?output=false"), self.x.tolist())

    def show(self, layer="bn", lang="en"):
        self.open(f"play#lang={lang}&view=own&model={self.model}&layer={layer}")
        self.see("4", ".own-layer p")

    def button(self, name):
        return self.driver.find_element(By.XPATH, f"//button[text()='{name}']")

    def paste(self, text):
        self.script("document.querySelector('.drop textarea').value = arguments[0];", text)
        self.script("document.querySelector('.drop button').click();")

    def file(self, name, data=b"", size=None):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data)
            f.truncate(size or len(data))
        return path

    def drop(self, *paths, at="h1"):
        """As from a file manager, onto an element."""
        box = self.one(at).rect
        for kind in ("dragEnter", "dragOver", "drop"):
            self.cdp("Input.dispatchDragEvent", type=kind, x=box["x"] + 5, y=box["y"] + 5,
                     data={"items": [], "files": list(paths), "dragOperationsMask": 1})

    def seen(self):
        """How many values the layer's window of inference has."""
        return self.call("GET", self.path("bn", "drift")).json["count"]

    def test_a_report_comes_first_and_changes_nothing(self):
        self.show()
        state = self.call("GET", self.path("bn", "statistics")).json
        self.one(".drop input").send_keys(PENGUINS)
        self.see("penguins.csv: shape 344 × 4, 10.9 KiB.")
        for words in ("Left out, as words: species, island, sex.", "missing or not finite: 8.", "bill_length_mm 2"):
            self.see(words, ".drop + div")
        self.assertFalse(self.button("Infer").is_enabled())
        self.button("Report").click()
        self.see("Report of bn", ".result")
        with open(PENGUINS) as f:
            x = numpy.array([[float(row[name] or "nan") for name in MEASURES] for row in csv.DictReader(f)])
        shift = (numpy.nanmean(x, 0) - self.x.mean(0)) / self.x.std(0)
        rows = {row.split()[0]: row.replace("−", "-") for row in self.text(".result tbody").splitlines()}
        for name, expected in zip(MEASURES, shift):
            self.assertIn(f"\t{expected:.4g}\t", rows[name])
        self.assertEqual(self.text(".result .badge").splitlines()[0], "drift")
        self.assertEqual(self.seen(), 0)
        self.assertEqual(self.call("GET", self.path("bn", "statistics")).json, state)
        self.button("Infer").click()  # the daemon refuses NaN
        self.one(".result .problem")
        self.assertEqual(self.seen(), 0)

    def test_infer_says_what_it_changes(self):
        self.show()
        self.see("adds these values to the layer's window of inference")
        rows = self.x[:3].round(3)
        self.paste(json.dumps(rows.tolist()))
        self.see("shape 3 × 4", ".drop + div")
        self.button("Report").click()
        self.see("too few values", ".result")
        self.button("Infer").click()
        self.see("in the layer's window of inference now", ".result")
        self.assertEqual(self.seen(), 3)
        hat = (rows - self.x.mean(0)) / numpy.sqrt(self.x.var(0) + 1e-5)
        after = [row.replace("−", "-").split()[2:] for row in self.text(".result tbody").splitlines() if "After" in row]
        numpy.testing.assert_allclose(numbers(sum(after, [])), hat.ravel(), rtol=1e-3)
        self.assertIn(f"/layers/bn/infer -d '{json.dumps(rows.tolist())}'", self.text(".curl"))
        self.assertEqual(self.one(".result a").get_property("href"),
                         self.address(f"#/v1/models/{self.model}/layers/bn").replace("/v1", ""))
        for width, theme, rules in ((360, "light", None), (1280, "dark", ["color-contrast"])):
            self.look(width, theme)
            self.screenshot(f"play-own-results-{width}-{theme}")
            self.assertLessEqual(self.script("return document.documentElement.scrollWidth;"), width)
            self.assertAccessible(rules)
        self.paste("[[1, 2]]")
        self.see("shape 1 × 2", ".drop + div")
        self.assertEqual(self.text(".result").strip(), "")
        self.assertFalse(self.button("Infer").is_enabled())

    def test_a_layer_without_statistics(self):
        """By keyboard alone."""
        self.put_layer("ln", {"kind": "layer_norm", "normalized_shape": [4]})
        self.open(f"play#lang=en&view=own&model={self.model}")
        self.one(".own-layer:not([hidden]) select[size]").send_keys("ln")
        self.see("This layer has no window of inference: nothing changes.")
        self.assertNotIn("report first", self.text("main"))
        self.press(Keys.TAB, "[[1, 2, 3, 4]]", Keys.TAB, Keys.ENTER)
        wait_for(self.button("Infer").is_enabled, "it can infer")
        self.assertFalse(self.button("Report").is_enabled())
        self.button("Infer").send_keys(Keys.ENTER)
        self.see("Normalized by ln", ".result")
        self.assertEqual(self.focused.text, "Infer")

    def test_a_fault_is_shown_where_it_is(self):
        self.expect(400)
        self.show(lang="ko")
        self.paste("[[1, 2],\n [3]]")
        self.see("2번째 줄 2번째 글자", ".problem")
        self.assertEqual(self.text(".fault mark"), "[")
        self.paste('[["한국", 2]]')
        self.see("1번째 항목은 숫자가 아닙니다", ".problem")
        self.paste('{"data": [[1, 2, 3, 4]],\n"한국\\q": 1}')  # which only the daemon refuses
        self.see("1 × 4", ".drop + div")
        self.button("보고서").click()
        self.one(".result .problem [lang=en]")
        self.see("2번째 줄 5번째 글자", ".result")
        self.assertAccessible()

    def test_files_of_other_kinds(self):
        self.show()
        self.drop(self.folder)
        self.see("This is a folder.", ".problem")
        one, two = self.file("a.csv", b"1,2,3,4\n"), self.file("b.png", b"\x89PNG\r\n\x1a\n")
        self.drop(one, two)
        self.see("One file at a time.", ".problem")
        self.drop(two)
        self.see("This is a picture", ".problem")
        self.drop(one, at=".drop")
        self.see("a.csv: shape 1 × 4", ".drop + div")
        self.assertIn("view=own", self.driver.current_url)

    def test_64_mb_can_be_cancelled(self):
        """The page stays responsive, a reading and an upload end at once, and nothing has changed."""
        self.show()
        self.script(WATCH)
        self.drop(self.file("large.csv", b"1.25,2.5,3.75,5.125\n" * (64 * MIB // 20)))
        wait_for(lambda: self.script("return document.querySelector('progress').value;") > 0, "it reads")
        self.button("Cancel").click()
        self.see("Cancelled.", ".problem")
        header = npy(numpy.zeros((1, 4)))[:128].replace(b"(1, 4), }", b"(%d, 4), }" % (2 * MIB - 100))
        large = self.file("large.npy", header[:127].ljust(127) + b"\n", 128 + (2 * MIB - 100) * 32)
        self.drop(large)
        self.see("large.npy: shape 2097052 × 4, 64 MiB.", ".drop + div")
        self.button("Report").click()
        self.see("Report of bn", ".result")
        self.cdp("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1,
                 uploadThroughput=4 * MIB)
        self.addCleanup(self.cdp, "Network.emulateNetworkConditions", offline=False, latency=0,
                        downloadThroughput=-1, uploadThroughput=-1)
        self.button("Infer").click()
        wait_for(lambda: self.script("return document.querySelector('progress').value;") > 0, "it sends")
        self.button("Cancel").click()
        self.see("Cancelled. If the daemon had it all already", ".problem")
        self.assertEqual(self.seen(), 0)
        self.assertLess(self.script("return window.longest;"), 1500 * PATIENCE)

    def test_more_than_the_daemon_takes(self):
        self.expect(413)
        self.show()
        self.drop(self.file("larger.npy", npy(numpy.zeros((1, 4))), 65 * MIB))
        self.see("65 MiB", ".drop + div")
        self.button("Report").click()
        self.see("--max-body", ".problem")
        self.button("Report").click()
        self.see("It would be 65 MiB; this daemon takes at most 64 MiB", ".problem")

    def test_a_layer_that_is_deleted_meanwhile(self):
        self.expect(404)
        self.show()
        self.paste("[[1, 2, 3, 4]]")
        self.see("1 × 4", ".drop + div")
        self.call("DELETE", self.path("bn"))
        self.button("Report").click()
        self.see("There is no layer “bn” in this model now.")
        self.assertFalse(self.button("Report").is_enabled())

    def test_a_daemon_that_is_away_meanwhile(self):
        self.expect("ERR_CONNECTION_REFUSED")
        self.show()
        self.daemon.stop()
        self.addCleanup(self.daemon.start)
        self.paste("[[1, 2, 3, 4]]")
        self.see("1 × 4", ".drop + div")
        self.button("Report").click()
        self.see("the daemon cannot be reached", ".result")
        self.assertTrue(self.button("Report").is_enabled())
        self.script("document.dispatchEvent(new Event('visibilitychange'));")  # the page looks at once
        self.see("next try in", "header")
        self.assertRegex(self.text("header"), "next try in [0-4] s")
