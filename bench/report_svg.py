"""Plots of the report as SVG text: curves over recall, bars, dots on a logarithmic axis. Pure functions, standard library.

Each mark carries the figures that it stands for (data-x, data-y), unrounded, so that a test can look them up. Colours are those
of STYLE's variables, which follow the reader's light or dark scheme.
"""

import html
import math

STYLE = """
:root, svg { --bg: #ffffff; --fg: #1b1f24; --soft: #59636e; --line: #d5dae0; --fill: #f4f6f8;
  --c1: #1b62d6; --c2: #b8430a; --c3: #7433d6; --c4: #0b6e66; --c5: #6b7280; }
@media (prefers-color-scheme: dark) { :root, svg { --bg: #14171b; --fg: #e7eaee; --soft: #a2acb8; --line: #363d46; --fill: #1d2127;
  --c1: #74a9ff; --c2: #ff9a5c; --c3: #bf9dff; --c4: #3fd0bf; --c5: #9aa4b0; } }
svg { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
svg text { fill: var(--fg); } svg .soft { fill: var(--soft); } svg .end { text-anchor: end; } svg .mid { text-anchor: middle; }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .axis { stroke: var(--soft); stroke-width: 1; }
svg .curve { fill: none; stroke-width: 2.25; stroke-linejoin: round; } svg .lead { stroke-width: 1; stroke-dasharray: 2 3; fill: none; }
svg .mark { stroke: var(--bg); stroke-width: 1.5; } svg .limit { stroke: var(--fg); stroke-width: 1.25; stroke-dasharray: 5 4; }
svg .name { font-weight: 600; }
.k1 { fill: var(--c1); stroke: var(--c1); } .k2 { fill: var(--c2); stroke: var(--c2); } .k3 { fill: var(--c3); stroke: var(--c3); }
.k4 { fill: var(--c4); stroke: var(--c4); } .k5 { fill: var(--c5); stroke: var(--c5); }
svg .name.k1, svg .name.k2, svg .name.k3, svg .name.k4, svg .name.k5 { stroke: none; }
svg .name.k1 { fill: var(--c1); } svg .name.k2 { fill: var(--c2); } svg .name.k3 { fill: var(--c3); } svg .name.k4 { fill: var(--c4); } svg .name.k5 { fill: var(--c5); }
"""


def text(x, y, words, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{html.escape(words)}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def svg(width, height, title, body, standalone=False):
    edge = 14 if standalone else 0
    box = f"{-edge} {-edge} {width + 2 * edge} {height + 2 * edge}"
    style = f'<style>{STYLE}</style><rect x="{-edge}" y="{-edge}" width="100%" height="100%" style="fill: var(--bg)"/>' if standalone else ""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{width + 2 * edge}" height="{height + 2 * edge}" role="img" '
            f'aria-label="{html.escape(title or NAMELESS)}">{style}{"".join(body)}</svg>')


def short(value):
    """A tick: 200, 2k, 0.5."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def log_ticks(least, most):
    """1, 2, 5 of each decade within the bounds, or the powers of ten alone where there are many."""
    steps = (1, 2, 5) if most / least < 300 else (1,)
    decades = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    return [step * 10.0 ** d for d in decades for step in steps if least * 0.999 <= step * 10.0 ** d <= most * 1.001]


def spaced(wanted, gap, low, high):
    """Positions near those wanted, at least gap apart, in the same order, between low and high."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed, at = list(wanted), low - gap
    for i in order:
        at = placed[i] = max(wanted[i], at + gap)
    at = high + gap
    for i in reversed(order):
        at = placed[i] = min(placed[i], at - gap)
    return placed


RECALL_TICKS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
NAMELESS = "queries a second over recall"
RECALL_MOST = 0.9995  # what finds more has no place on the axis


def nines(recall):
    return -math.log10(1 - recall)


def recall_plot(title, curves, width, caption=(), standalone=False):
    """Queries a second over recall, both logarithmic; curves: [(label, kind, [(recall, queries a second)])]."""
    top = (40 if title else 22) + (8 + 18 * len(caption) if caption else 0)
    left, right, height, foot = 48, 132 if width > 500 else 92, 330 + top, 46
    shown = [(label, kind, [p for p in points if 0.5 <= p[0] <= RECALL_MOST]) for label, kind, points in curves]
    shown = [curve for curve in shown if curve[2]]
    rates = [rate for _, _, points in shown for _, rate in points]
    low, high = 0.85 * min(rates), 1.15 * max(rates)
    least = min(recall for _, _, points in shown for recall, _ in points)
    first = max(tick for tick in RECALL_TICKS if tick <= least)

    def x_of(recall):
        return left + (width - left - right) * (nines(recall) - nines(first)) / (nines(RECALL_MOST) - nines(first))

    def y_of(rate):
        return height - foot - (height - foot - top) * math.log(rate / low) / math.log(high / low)

    body = ([text(0, 16, title, "name")] if title else []) + [text(0, 36 + 18 * i, words, "soft") for i, words in enumerate(caption)]
    body.append(text(0, top - 8, "queries/s (log)", "soft"))
    for tick in log_ticks(low, high):
        body += [line(left, y_of(tick), width - right, y_of(tick), "grid"), text(left - 6, y_of(tick) + 4, short(tick), "soft end tick")]
    free = 0.0  # where the next tick's words may stand
    for tick in RECALL_TICKS:
        if tick >= first:
            body.append(line(x_of(tick), top, x_of(tick), height - foot, "grid"))
            if x_of(tick) >= free:
                free = x_of(tick) + 44
                body.append(text(x_of(tick), height - foot + 18, f"{tick * 100:g} %", "soft mid tick"))
    body.append(text((left + width - right) / 2, height - 8, "recall@10 (log of what is missed)", "soft mid"))
    ends = [y_of(points[-1][1]) for _, _, points in shown]
    for (label, kind, points), at in zip(shown, spaced(ends, 17, top + 6, height - foot - 4)):
        path = " ".join(f"{x_of(recall):.1f},{y_of(rate):.1f}" for recall, rate in points)
        body.append(f'<polyline points="{path}" class="curve {kind}" style="fill: none"/>')
        body += [f'<circle cx="{x_of(recall):.1f}" cy="{y_of(rate):.1f}" r="4" class="mark {kind}" style="stroke: var(--bg)" data-x="{recall!r}" '
                 f'data-y="{rate!r}"><title>{html.escape(label)}</title></circle>' for recall, rate in points]
        body.append(line(x_of(points[-1][0]) + 6, y_of(points[-1][1]), width - right + 4, at, f"lead {kind}"))
        body.append(text(width - right + 8, at + 4, label if width > 500 else label.replace("pgvector", "pgv."), f"name {kind}"))
    return svg(width, height, title, body, standalone)


def bars(title, rows, width, unit):
    """Bars from zero; rows: [(label, kind, value, value as it is shown)]. Each label stands over its bar."""
    top, step, left = 30, 40, 0
    height, room = top + step * len(rows) + 4, width - 96
    most = max(value for _, _, value, _ in rows)
    body = [text(0, 16, title, "name"), text(width, 16, unit, "soft end")]
    for i, (label, kind, value, shown) in enumerate(rows):
        y, length = top + step * i, max(room * value / most, 1)
        body.append(text(left, y + 11, label, "soft"))
        body.append(f'<rect x="{left}" y="{y + 16}" width="{length:.1f}" height="14" rx="2" class="{kind}" style="stroke: none" data-x="{value!r}"/>')
        body.append(f'<text x="{left + length + 6:.1f}" y="{y + 28}" class="value" data-of="{value!r}">{html.escape(shown)}</text>')
    return svg(width, height, title, body)


def dots(title, rows, kinds, limits, width, unit, scale):
    """A row of dots each on one logarithmic axis in the unit, which is value * scale; rows: [(label, [(kind, value)])], kinds: {kind: name},
    limits: [(name, value)]."""
    left, step = (168, 24) if width > 500 else (0, 38)
    top, foot = 62 + 17 * len(limits), 40
    height = top + step * len(rows) + foot
    values = [value for _, these in rows for _, value in these] + [value for _, value in limits]
    low, high = 0.85 * min(values), 1.15 * max(values)

    def x_of(value):
        return left + 6 + (width - left - 14) * math.log(value / low) / math.log(high / low)

    body = [text(0, 16, title, "name")]
    at = 6
    for kind, name in kinds.items():
        body += [f'<circle cx="{at}" cy="34" r="5" class="{kind}"/>', text(at + 10, 38, name, "soft")]
        at += 30 + 8 * len(name)
    for tick in log_ticks(low * scale, high * scale):
        at = x_of(tick / scale)
        body += [line(at, top, at, height - foot, "grid"), text(at, height - foot + 17, short(tick), "soft mid tick")]
    for i, (name, value) in enumerate(limits):
        y = 60 + 17 * i
        body += [line(x_of(value), y + 3, x_of(value), height - foot, "limit"),
                 f'<text x="{x_of(value) - 5:.1f}" y="{y + 1}" class="end value" data-of="{value!r}">{html.escape(name)}</text>']
    for i, (label, these) in enumerate(rows):
        y = top + step * i + (step * 0.5 if left else 26)
        body.append(text(0, y + 4 if left else y - 10, label, "label"))
        body.append(line(left + 6, y, width - 8, y, "grid"))
        body += [f'<circle cx="{x_of(value):.1f}" cy="{y:.1f}" r="5" class="mark {kind}" style="stroke: var(--bg)" data-x="{value!r}"/>'
                 for kind, value in these]
    body.append(text((left + width) / 2, height - 4, unit, "soft mid"))
    return svg(width, height, title, body)
