"""The sections of the bench report: each takes the whole report and gives (anchor, title, HTML), or None where nothing was run."""

import html

from report_svg import bars, dots, recall_plot

METHODS = {"longbow": ("longbow", "k1"), "hnswlib": ("hnswlib", "k2"), "hnsw": ("pgvector hnsw", "k3"), "ivfflat": ("pgvector ivfflat", "k4")}
TIERS = {"scalar": "k5", "sse4.2": "k4", "avx2": "k3", "avx512": "k1"}
BACKENDS = {"io_uring": "k1", "standard": "k2", "each": "k3", "own": "k3", "async": "k4", "none": "k3", "ring": "k4"}


# -- small pieces -------------------------------------------------------------------------------------------------


def number(value, digits=0, scale=1, unit=""):
    """A figure as it is in the JSON, shown rounded; "-" of None."""
    if value is None:
        return "-"
    return f'<data value="{value!r}" data-scale="{scale}" data-digits="{digits}">{value * scale:,.{digits}f}</data>{unit}'


def ratio(spread):
    return f'{number(spread["median"], 2)} ({number(spread["least"], 2)}-{number(spread["most"], 2)})'


def seconds(spread):
    """The median; of several rounds, with the least and the greatest."""
    return number(spread["median"], 2) if spread["least"] == spread["most"] else ratio(spread)


def words(value):
    return html.escape(str(value))


def table(heads, rows):
    """Of HTML: words() makes it of text, number() of a figure."""
    head = "".join(f"<th>{h}</th>" for h in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def figure(draw):
    """A plot twice, for wide windows and for phones; the style sheet shows one."""
    return f'<figure><div class="wide">{draw(920)}</div><div class="narrow">{draw(360)}</div></figure>'


def ran(report, kind):
    return {name: part for name, part in report["parts"].items() if part["kind"] == kind and part["status"] == "ran"}


def missing(report, kind):
    """A note for each part of this kind that has no figures, and for each peer that a part had to do without."""
    notes = "".join(f'<p class="missing"><b>{words(name)}</b>: {words(note)}.</p>'
                    for name, part in report["parts"].items() if part["kind"] == kind for note in part.get("notes", ()))
    return notes + "".join(f'<p class="missing"><b>{words(name)}</b> {words(part["status"])}: {words(part["reason"])}.</p>'
                   for name, part in report["parts"].items() if part["kind"] == kind and part["status"] != "ran")


def source(part):
    return (f'<p class="source">{words(part["date"])}, revision {words(part["machine"]["revision"])}, load before {number(part["load_before"], 1)}: '
            f'<code>{words(part["command"])}</code></p>')


def section(report, kind, name, title, body):
    """The section and notes of what it lacks, or nothing but notes; None where the report does not know the part at all."""
    if not any(part["kind"] == kind for part in report["parts"].values()):
        return None
    return name, title, (body(ran(report, kind)) if ran(report, kind) else "") + missing(report, kind)


def heading(report):
    machine = report["machine"]
    left = [name for name, part in report["parts"].items() if part["status"] != "ran"]
    note = f'<p class="missing">Without figures: {words(", ".join(left))}; the reasons stand with each.</p>' if left else ""
    return (f'<p class="soft">{words(report["date"])}, size {words(report["size"])}. {words(machine["cpu"])}, {number(machine["cpus"])} CPUs, Linux '
            f'{words(machine["kernel"])}, {words(machine["postgres"])}, revision {words(machine["revision"])}. A machine that others use too distorts '
            f'all rates: look at ratios within one run, and at the load beside each command.</p>{note}')


# -- recall -------------------------------------------------------------------------------------------------------


def recall_sets(report):
    """[(set, curves for the plot, the part of this index)], a set with those of its peers that were run over as many rows."""
    found = []
    for part in ran(report, "ann").values():
        facts = part["figures"]
        if facts["method"] != "longbow" or not facts["curves"]:
            continue
        peers = [p["figures"] for p in ran(report, "ann").values() if (p["figures"]["set"], p["figures"]["rows"]) == (facts["set"], facts["rows"])]
        points = {name: curve for peer in peers for name, curve in peer["curves"].items()}
        curves = [(*METHODS[name], [(p["recall"], p["qps"]) for p in points[name]]) for name in METHODS if name in points]
        found.append((facts["set"], curves, part))
    return found


def recall(report):
    def body(parts):
        out = ["<p>One client, prepared statements, the ten nearest, held-out queries, warm; each mark is the median of the rounds at one effort, and efforts double. "
               "All take turns, effort by effort. hnswlib runs in a process of its own without SQL; pgvector in the same PostgreSQL, over a table of its own.</p>"]
        for name, curves, part in recall_sets(report):
            facts = part["figures"]
            same = [p for p in parts.values() if p["figures"]["set"] == name and p["figures"]["rows"] == facts["rows"]]
            out.append(f'<h3>{words(facts["title"])}: {number(facts["rows"])} rows</h3>')
            out.append(figure(lambda width, c=curves: recall_plot("", c, width)))
            out.append(at_targets(same))
            out.append(all_points(same))
            out += [source(p) for p in same]
        return "".join(out)

    return section(report, "ann", "recall", "Recall against queries a second", body)


def at_targets(parts):
    rows = []
    for part in parts:
        for at in part["figures"]["at"]:
            rows.append((at["target"], [METHODS[at["method"]][0] + ", least effort for " + number(at["target"], 0, 100, " %"), number(at["recall"], 2, 100, " %"),
                                        number(at["qps"]), number(at["p50_us"]), number(at["p99_us"]), number(at["effort"]), number(at["ratio"], 2)]))
        for at in part["figures"]["target_recall"]:
            rows.append((2, ["longbow, target_recall = " + number(at["target"], 2), number(at["recall"], 2, 100, " %"), number(at["qps"]),
                             number(at["p50_us"]), number(at["p99_us"]), "planned", "-"]))
    rows.sort(key=lambda row: row[0])
    return table(["", "recall@10", "queries/s", "p50 us", "p99 us", "effort", "times hnswlib, paired"], [row for _, row in rows])


def all_points(parts):
    rows = [[METHODS[name][0], number(p["effort"]), number(p["recall"], 2, 100, " %"), number(p["qps"]), number(p["p50_us"]), number(p["p99_us"])]
            for part in parts for name, curve in part["figures"]["curves"].items() for p in curve]
    heads = ["", "effort", "recall@10", "queries/s", "p50 us", "p99 us"]
    return f'<details><summary>All marks of the plot, and those that find nearly everything</summary>{table(heads, rows)}</details>'


# -- builds -------------------------------------------------------------------------------------------------------


def builds(report):
    def body(parts):
        out = ["<p>CREATE INDEX with one process; hnswlib with one thread.</p>"]
        for name, _, part in recall_sets(report):
            facts = part["figures"]
            made = [b for p in parts.values() if (p["figures"]["set"], p["figures"]["rows"]) == (name, facts["rows"]) for b in p["figures"]["builds"] if b["seconds"]]
            made.sort(key=lambda b: b["seconds"])
            rows = [(METHODS[b["method"]][0], METHODS[b["method"]][1], b["seconds"], f'{b["seconds"]:.2f}') for b in made]
            title = facts["title"]
            if rows:
                out.append(figure(lambda width, t=title, r=rows: bars(t, r, width, "seconds")))
            sizes = [[METHODS[b["method"]][0], number(b["seconds"], 2), number(b["bytes_a_row"])] for b in made]
            out.append(table(["", "build s", "index bytes a row"], sizes))
            phases = [[words(p["phase"]), number(p["seconds"], 2), number(p["cpu_seconds"], 2)] for p in facts["phases"]]
            if phases:
                out.append("<h3>Phases of longbow's build</h3>" + table(["phase", "seconds", "processor s"], phases))
            out.append(source(part))
        return "".join(out)

    return ("builds", "Building an index", body(ran(report, "ann"))) if recall_sets(report) else None


def page_writer(report):
    def body(parts):
        out = ["<p>The end of a large build alone: reading the sort, packing pages, writing them. fio writes as many bytes straight to the same disk.</p>"]
        for part in parts.values():
            rows = [[f'{words(w["table"])}, {words(w["backend"])}', number(w["bytes"], 2, 1e-9), number(w["phase_seconds"], 2), number(w["writer_seconds"], 2),
                     number(w["per_second"], 2, 1e-9), number(w["fio_per_second"], 2, 1e-9)] for w in part["figures"]["writers"]]
            out += [table(["index, backend", "GB", "write phase s", "logging and writing s", "GB/s", "fio GB/s"], rows), source(part)]
        return "".join(out)

    return section(report, "build", "writer", "The page writer of builds", body)


# -- inserts, WAL -------------------------------------------------------------------------------------------------


def insert_plot(rows, clients, batch, width):
    these = [r for r in rows if (r["clients"], r["batch"]) == (clients, batch)]
    shown = [(f"without index, beside {these[0]['backend']}", "k5", these[0]["plain_per_second"])] + [(r["backend"], BACKENDS[r["backend"]], r["per_second"]) for r in these]
    title = "Rows of " + ("a statement each" if batch == 1 else "large statements") + (", one client" if clients == 1 else ", many clients")
    return bars(title, [(name, kind, value, f"{value:,.0f}") for name, kind, value in shown], width, "rows/s")


def inserts(report):
    def body(parts):
        out = ["<p>A table with the index beside the same table without it, in slices that take turns; fsync on. The ratio is that of neighbours in time, "
               "(least-greatest) over the rounds; rates without index differ, since each backend has neighbours of its own. A batch is the rows of a statement; "
               "CPU is the server's.</p>"]
        for part in parts.values():
            facts = part["figures"]
            for clients, batch in dict.fromkeys((r["clients"], r["batch"]) for r in facts["inserts"]):
                out.append(figure(lambda width, c=clients, b=batch, r=facts["inserts"]: insert_plot(r, c, b, width)))
            out.append(table(["backend", "clients, batch", "rows/s without", "rows/s", "ratio", "p50 us without", "p50 us", "CPU us a row"],
                             [[words(r["backend"]), number(r["clients"]) + ", " + number(r["batch"]), number(r["plain_per_second"]), number(r["per_second"]),
                               ratio(r["ratio"]), number(r["plain_p50_us"]), number(r["p50_us"]), number(r["cpu_us"])] for r in facts["inserts"]]))
            if facts["copies"]:
                out.append("<h3>COPY, while workers merge</h3>" + table(
                    ["delta, backend", "ratio until it ends", "until all is merged", "recall when it ended", "pauses"],
                    [[f'{words(c["delta"])}, {words(c["backend"])}', ratio(c["ratio"]), ratio(c["with_debt"]), number(c["recall"], 1, 100, " %"),
                      number(c["pauses"])] for c in facts["copies"]]))
            if facts["wal"]:
                out.append("<h3>PostgreSQL's WAL, bytes a row</h3><p>full_page_writes = off, before any merge; the merge comes later.</p>" + table(
                    ["rows a statement", "without index", "with", "the index's share", "its merge"],
                    [[number(w["batch"]), number(w["plain"], 1), number(w["indexed"], 1), number(w["index"], 1), number(w["merge"], 1)] for w in facts["wal"]]))
            out.append(source(part))
        return "".join(out)

    return section(report, "insert", "inserts", "Inserts and PostgreSQL's WAL", body)


def side_wal(report):
    def body(parts):
        out = ["<p>The side WAL without PostgreSQL: writers that wait until each record is durable. “each” syncs every record by itself, “own” every batch; standard and io_uring commit in groups; "
               "ring writes through the ring; none encodes only. Memory is that of all writers.</p>"]
        for part in parts.values():
            facts = part["figures"]
            for rows, batch in dict.fromkeys((b["rows"], b["batch"]) for b in facts["backends"]):
                these = [b for b in facts["backends"] if (b["rows"], b["batch"]) == (rows, batch)]
                drawn = [(b["backend"], BACKENDS[b["backend"]], b["per_second"], f'{b["per_second"]:,.0f}') for b in these if b["backend"] != "none"]
                title = "Records of many vectors" if rows > 1 else "Batches of records" if batch > 1 else "Records of one vector"
                out.append(figure(lambda width, t=title, d=drawn: bars(t, d, width, "records/s")))
                out.append(f'<p class="soft">Vectors a record: {number(rows)}; records a batch: {number(batch)}.</p>' + table(
                    ["backend", "records/s", "times each", "p50 us", "p99 us", "CPU us a record", "memory kB", "bytes written a record"],
                    [[words(b["backend"]), number(b["per_second"]), "-" if b["backend"] == "each" else ratio(b["over_each"]), number(b["p50_us"]), number(b["p99_us"]), number(b["cpu_us"], 1),
                      number(b["memory_kb"]), number(b["bytes_a_record"])] for b in these]))
            if facts["fio"]:
                out.append("<h3>io_uring's bytes a second over fio's</h3>" + table(
                    ["fio's engine", "vectors a record", "records a batch", "ratio"], [[words(f["peer"]), number(f["rows"]), number(f["batch"]), ratio(f["ratio"])] for f in facts["fio"]]))
            else:
                out.append('<p class="missing">fio was not at hand.</p>')
            out.append("<h3>Compression: snappy on byte planes</h3>" + (table(
                ["set", "bytes a row", "with snappy", "saved", "CPU us a row", "with snappy", "decoding us", "with snappy"],
                [[words(c["set"]), number(c["plain_bytes"]), number(c["packed_bytes"]), number(c["saved"], 0, 100, " %"), number(c["plain_us"], 2),
                  number(c["packed_us"], 2), number(c["plain_decode_us"], 2), number(c["packed_decode_us"], 2)] for c in facts["codecs"]])
                if facts["codecs"] else '<p class="missing">Not run at this size.</p>'))
            out.append(source(part))
        return "".join(out)

    return section(report, "wal", "side-wal", "The side WAL's backends", body)


# -- kernels ------------------------------------------------------------------------------------------------------


def kernels(report):
    def body(parts):
        out = ["<p>Bytes of rows a second, rows in the L2 cache, one query, one core. The dashed lines are what the widest tier reads from the L2 cache and from memory "
               "and does nothing with.</p>"]
        for part in parts.values():
            facts = part["figures"]
            best = max((r["tier"] for r in facts["rates"] if r["tier"] in TIERS), key=list(TIERS).index)
            limits = [(f"reads {r['what']}: {r['per_second'] / 1e9:.1f}", r["per_second"]) for r in facts["reads"] if r["what"] == "memory" or r["tier"] == best]
            named = {}
            for r in facts["rates"]:
                if r["shape"] in ("784d", "16000bit", "1024") and r["tier"] in TIERS:
                    named.setdefault(f'{r["kernel"]} {r["shape"]}', []).append((TIERS[r["tier"]], r["per_second"]))
            rows = sorted(named.items(), key=lambda row: -row[1][-1][1])
            kinds = {kind: tier for tier, kind in TIERS.items() if any(kind == k for _, these in rows for k, _ in these)}
            out.append(figure(lambda width, r=rows, k=kinds, m=limits: dots("Kernels by tier", r, k, m, width, "GB/s (log)", 1e-9)))
            read = next((r["per_second"] for r in facts["reads"] if r["what"] == "L2" and r["tier"] == best), None)
            out.append("<details><summary>All kernels, shapes and tiers</summary>" + table(
                ["kernel", "shape", "tier", "GB/s"], [[words(r["kernel"]), words(r["shape"]), words(r["tier"]), number(r["per_second"], 1, 1e-9)] for r in facts["rates"]])
                + "</details>")
            out.append(f'<p class="soft">The widest tier here: {words(best)}, which reads {number(read, 1, 1e-9)} GB/s from the L2 cache.</p>' + source(part))
        return "".join(out)

    return section(report, "kernels", "kernels", "Kernels against bandwidth", body)


# -- upkeep -------------------------------------------------------------------------------------------------------


def loading(report):
    def body(parts):
        return "".join(f'<p>{number(p["figures"]["rows"])} word vectors.</p>' + table(
            ["step", "seconds", "WAL MB"], [[words(s["step"]), seconds(s["seconds"]), number(s["wal_bytes"], 1, 1e-6)] for s in p["figures"]["steps"]]) + source(p)
            for p in parts.values())

    return section(report, "load", "loading", "Bulk loading", body)


def vacuums(report):
    def body(parts):
        out = []
        for part in parts.values():
            facts = part["figures"]
            out.append(f'<p>{number(facts["rows"])} word vectors, a tenth deleted, right after a checkpoint.</p>' + table(
                ["full_page_writes", "VACUUM s", "s without the index", "index's WAL MB", "changed pages MB"],
                [[words(v["full_page_writes"]), seconds(v["seconds"]), number(v["heap_seconds"], 2), number(v["wal_bytes"], 2, 1e-6), number(v["page_bytes"], 2, 1e-6)]
                 for v in facts["vacuums"]]))
            out.append("<h3>Size after all rows were deleted, vacuumed, inserted again and merged</h3>" + table(
                ["preloaded", "built MB", "once MB", "twice MB", "twice over built"],
                [["yes" if s["preload"] else "no", number(s["built"], 2, 1e-6), number(s["refilled"], 2, 1e-6), number(s["again"], 2, 1e-6), number(s["share"], 3)]
                 for s in facts["sizes"]]) + source(part))
        return "".join(out)

    return section(report, "vacuum", "vacuum", "VACUUM", body)


def growth(report):
    def body(parts):
        out = []
        for part in parts.values():
            facts = part["figures"]
            recalls = [f'recall@10 in {number(r["leaves"])} leaves' for r in facts["ways"][0]["recalls"]]
            rows = [[words(w["way"]), *(number(r["recall"], 2, 100, " %") for r in w["recalls"]), number(w["leaves"]), number(w["planned"]),
                     number(w["bytes"], 1, 1e-6), number(w["merge_seconds"], 2)] for w in facts["ways"]]
            out.append(f'<p>Set {words(facts["set"])}: an index built over its first {number(facts["first"])} rows and fed with the rest, beside one built over all.</p>'
                       + table(["index", *recalls, "leaves", "planned", "MB", "merge s"], rows) + source(part))
        return "".join(out)

    return section(report, "grow", "growth", "Growth", body)


def classes(report):
    def body(parts):
        return "".join(table(["class", "what", "recall@10", "bytes a row", "leaves visited", "of"],
                             [[f'<code>{words(c["class"])}</code>', words(c["what"]), number(c["recall"], 1, 100, " %"), number(c["bytes_a_row"]), number(c["planned"]),
                               number(c["leaves"])] for c in p["figures"]["classes"]]) + source(p) for p in parts.values())

    return section(report, "opclasses", "classes", "Operator classes at the default target", body)


def sources(report):
    rows = "".join(f'<tr><td>{words(name)}</td><td>{words(p.get("date", "-"))}</td><td>{number(p.get("seconds"), 0)}</td><td>{words(p["status"])}</td>'
                   f'<td class="command"><code>{words(p.get("command", "-"))}</code></td></tr>' for name, p in report["parts"].items())
    return "sources", "Commands", ("<p>Each part, when it began, and what it took.</p><div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th>part</th><th>date</th>"
                                   f'<th>seconds</th><th>status</th><th class="words">command</th></tr></thead><tbody>{rows}</tbody></table></div>')


ALL = (recall, builds, inserts, side_wal, kernels, page_writer, loading, vacuums, growth, classes, sources)
