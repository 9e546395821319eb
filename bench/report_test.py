#!/usr/bin/env python3
"""Tests of the bench report on figures of a real run (report_fixture.json): every figure shown is in the JSON, nothing is fetched."""

import copy
import html.parser
import json
import os
import re
import unittest

import report
import report_svg

HERE = os.path.dirname(os.path.abspath(__file__))


def leaves(value):
    """Every number and every string of the JSON, strings of its keys too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif value is not None and not isinstance(value, bool):
        yield value


class Page(html.parser.HTMLParser):
    """Collects figures (<data>), marks (data-x, data-y, data-of), references, and the text outside of figures and axes."""

    def __init__(self, text):
        super().__init__()
        self.figures, self.marks, self.tags, self.references, self.prose, self.values = [], [], [], [], [], []
        self.stack, self.anchors = [], set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.anchors.add(given.get("id"))
        self.references += [value for name, value in attrs if name in ("href", "src", "xlink:href", "action", "data", "poster", "srcset")]
        if "data-x" in given:
            self.marks.append((float(given["data-x"]), float(given.get("data-y", given["data-x"])), given))
        if tag not in ("meta", "rect", "line", "circle", "polyline") or not self.get_starttag_text().endswith("/>") and tag == "circle":
            self.stack.append((tag, given))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.stack and self.stack[-1][0] == tag and tag == "circle":
            self.stack.pop()

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tag, given = self.stack[-1] if self.stack else ("", {})
        if tag == "style":
            return
        if tag == "data":
            self.figures.append((given, data))
        elif "data-of" in given:
            self.values.append((given, data))
        elif "tick" not in given.get("class", ""):
            self.prose.append(data)


class ReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(HERE, "report_fixture.json"), encoding="utf-8") as file:
            cls.report = json.load(file)
        cls.text = report.page(cls.report)
        cls.page = Page(cls.text)
        known = list(leaves(cls.report))
        cls.numbers = {float(v) for v in known if not isinstance(v, str)}
        cls.strings = [v for v in known if isinstance(v, str)]

    def test_every_figure_is_in_the_json_and_rounded_as_it_says(self):
        self.assertGreater(len(self.page.figures), 200)
        for given, shown in self.page.figures:
            value, digits = float(given["value"]), int(given["data-digits"])
            self.assertIn(value, self.numbers)
            self.assertEqual(shown, f"{value * float(given['data-scale']):,.{digits}f}")

    def test_every_mark_is_in_the_json(self):
        self.assertGreater(len(self.page.marks), 40)
        for x, y, _ in self.page.marks:
            self.assertIn(x, self.numbers)
            self.assertIn(y, self.numbers)

    def test_marks_of_a_curve_are_pairs_of_the_json(self):
        pairs = {(p["recall"], p["qps"]) for part in self.report["parts"].values() if part["kind"] == "ann" and part["status"] == "ran"
                 for curve in part["figures"]["curves"].values() for p in curve}
        curves = [(x, y) for x, y, given in self.page.marks if "data-y" in given]
        self.assertGreater(len(curves), 20)
        self.assertLessEqual(set(curves), pairs)
        shown = {pair for pair in pairs if 0.5 <= pair[0] <= report_svg.RECALL_MOST}
        self.assertEqual(set(curves), shown)

    def test_values_written_in_plots_are_those_of_their_marks(self):
        self.assertTrue(self.page.values)
        for given, shown in self.page.values:
            value = float(given["data-of"])
            self.assertIn(value, self.numbers)
            number = float(re.search(r"[\d,.]+$", shown)[0].replace(",", ""))
            self.assertTrue(any(abs(value * scale - number) <= 0.5 * step + 1e-9 for scale, step in ((1, 1), (1, 0.01), (1e-9, 0.1))), (value, shown))

    def test_no_figure_hides_in_prose(self):
        """What has digits outside of figures, axes and the JSON's own words: names of percentiles and of measures, nothing else."""
        allowed = re.compile(r"\b(p50|p99|recall@10|L2)\b")
        for prose in self.page.prose:
            prose = allowed.sub("", prose)
            for words in sorted(self.strings, key=len, reverse=True):
                prose = prose.replace(words, "")
            self.assertIsNone(re.search(r"\d", prose), prose)

    def test_nothing_is_fetched_or_run(self):
        self.assertFalse({"script", "link", "img", "iframe", "object", "embed", "video", "audio", "base", "image", "use"} & set(self.page.tags))
        self.assertTrue(all(reference.startswith("#") for reference in self.page.references))
        without_namespace = self.text.replace('xmlns="http://www.w3.org/2000/svg"', "")
        for forbidden in ("http:", "https:", "url(", "@import", "@font-face", "//cdn"):
            self.assertNotIn(forbidden, without_namespace)

    def test_every_link_of_the_page_arrives(self):
        self.assertLessEqual({reference[1:] for reference in self.page.references}, self.page.anchors)

    def test_each_part_shows_its_command_and_date(self):
        prose = "".join(self.page.prose)
        for part in self.report["parts"].values():
            if part["status"] == "ran":
                self.assertGreaterEqual(prose.count(part["command"]), 1)
                self.assertIn(part["date"], prose)

    def test_a_part_without_figures_says_why(self):
        report_of = copy.deepcopy(self.report)
        for name, part in report_of["parts"].items():
            report_of["parts"][name] = {"kind": part["kind"], "status": "left out", "reason": f"nobody wanted {name}"}
        prose = "".join(Page(report.page(report_of)).prose)
        for name in report_of["parts"]:
            self.assertIn(f"nobody wanted {name}", prose)

    def test_plot_alone_stands_alone(self):
        text = report.plot(self.report)
        self.assertIn("prefers-color-scheme: dark", text)
        self.assertEqual(re.findall(r"https?://[^\"]*", text), ["http://www.w3.org/2000/svg"])
        marks = Page(text).marks
        self.assertGreater(len(marks), 10)
        for x, y, _ in marks:
            self.assertIn(x, self.numbers)
            self.assertIn(y, self.numbers)

    def test_marks_stand_in_the_order_of_their_figures(self):
        marks = [(x, y, float(given["cx"]), float(given["cy"])) for x, y, given in Page(report.plot(self.report)).marks]
        for a in marks:
            for b in marks:
                if a[0] < b[0]:
                    self.assertLessEqual(a[2], b[2])
                if a[1] < b[1]:
                    self.assertGreaterEqual(a[3], b[3])

    def test_labels_keep_their_distance(self):
        placed = report_svg.spaced([10, 11, 12, 300], 17, 0, 320)
        self.assertEqual(sorted(placed), placed)
        self.assertGreaterEqual(min(b - a for a, b in zip(placed, placed[1:])), 17)
        self.assertEqual(report_svg.spaced([318, 319], 17, 0, 320), [303, 320])


if __name__ == "__main__":
    unittest.main()
