#!/usr/bin/env python3
"""Draws the bench report: figures as bench/all has merged them (JSON) to one HTML page that needs nothing else.

    bench/report.py REPORT.json REPORT.html [RECALL.svg]

Pure but for reading and writing those files. Each figure on the page is a <data> element or a mark of a plot with the unrounded
figure of the JSON in it; bench/report_test.py looks them all up.
"""

import html
import json
import sys

import report_sections as sections
from report_svg import STYLE, recall_plot

PAGE_STYLE = """
* { box-sizing: border-box; }
html { background: var(--bg); color: var(--fg); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color-scheme: light dark; }
body { max-width: 960px; margin: 0 auto; padding: 24px 20px 64px; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; margin: 0 0 4px; } h2 { font-size: 1.25rem; margin: 44px 0 6px; padding-top: 16px; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 26px 0 6px; } p { margin: 6px 0 12px; max-width: 74ch; }
.soft, .source { color: var(--soft); } .source { font-size: .82rem; } code { font: .92em ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 8px 0 4px; } table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; min-width: 60%; }
th, td { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; vertical-align: top; }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child, td.words, th.words { text-align: left; }
td.command { white-space: normal; min-width: 22rem; text-align: left; } .missing { background: var(--fill); border-left: 3px solid var(--c2); padding: 8px 12px; margin: 12px 0; }
figure { margin: 14px 0 8px; } figure svg { display: block; max-width: 100%; height: auto; } .narrow { display: none; }
details { margin: 8px 0; } summary { cursor: pointer; color: var(--soft); } nav { margin: 14px 0 0; } nav a { margin-right: 14px; white-space: nowrap; } a { color: var(--c1); }
@media (max-width: 700px) { body { padding: 16px 14px 48px; } .wide { display: none; } .narrow { display: block; } th, td { padding-right: 14px; } }
"""


def page(report):
    """The whole page as text."""
    made = [section for section in (make(report) for make in sections.ALL) if section]
    links = "".join(f'<a href="#{name}">{html.escape(title)}</a>' for name, title, _ in made)
    bodies = "".join(f'<section id="{name}"><h2>{html.escape(title)}</h2>{body}</section>' for name, title, body in made)
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>Longbow: benchmarks</title><style>{STYLE}{PAGE_STYLE}</style></head><body>'
            f'<header><h1>Longbow: benchmarks</h1>{sections.heading(report)}<nav>{links}</nav></header>{bodies}</body></html>\n')


def plot(report):
    """The first set's recall plot, to stand alone; what it is made of stands under its title."""
    sets = sections.recall_sets(report)
    if not sets:
        sys.exit("bench/report: no curves to plot: run the part ann-glove first")
    _, curves, part = sets[0]
    machine = part["machine"]
    facts = part["figures"]
    captions = (f"{facts['rows']:,} rows, one client, k = 10, medians of {facts['rounds']} rounds; {part['date'][:10]}, revision {machine['revision']}",
                f"{machine['cpu'].strip()}, {machine['cpus']} CPUs; {machine['postgres']}; load before {part['load_before']}")
    return recall_plot(f"{facts['title']}", curves, 760, captions, standalone=True)


def write(report, page_path, plot_path=None):
    with open(page_path, "w", encoding="utf-8") as file:
        file.write(page(report))
    if plot_path:
        with open(plot_path, "w", encoding="utf-8") as file:
            file.write(plot(report) + "\n")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as source:
        write(json.load(source), *sys.argv[2:])
