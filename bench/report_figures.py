"""Reduces the JSON of each benchmark to the figures that the report shows: medians, shares, rates. Pure functions.

Every figure on the page is one of these, unrounded; the page says which by its value.
"""

import statistics


def middle(values):
    """The median, or None of nothing."""
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def spread(values):
    return {"median": middle(values), "least": min(values), "most": max(values)}


def ann(raw):
    method = raw["options"]["access_method"]
    (name, result), = raw["results"].items()
    builds = [{"method": method, "seconds": result.get("build_seconds"), "bytes_a_row": result["index_bytes_a_row"]}]
    if result.get("hnswlib_build_seconds") is not None:
        builds.append({"method": "hnswlib", "seconds": result["hnswlib_build_seconds"], "bytes_a_row": None})
    builds += [{"method": peer, "seconds": p["build_seconds"], "bytes_a_row": p["index_bytes_a_row"]} for peer, p in result.get("peers", {}).items()]
    at = []
    for target, entry in result["at"].items():
        for side, effort in (("index", "effort"), ("hnswlib", "hnswlib_effort")):
            if side in entry:
                ratio = entry.get("ratio") if side == "index" else None
                at.append({"method": method if side == "index" else "hnswlib", "target": float(target), "effort": entry[effort], "ratio": ratio} | entry[side])
    planned = [{"target": float(target)} | figures for target, figures in result["target_recall"].items()]
    return {"set": name, "title": result["title"], "rows": result["rows"], "rounds": result["rounds"], "method": method, "curves": result.get("curve", {}),
            "at": at, "target_recall": planned, "builds": builds, "phases": result.get("build_phases", [])}


def insert_rows(runs_of_backends, clients, batch):
    rows = []
    for backend, runs in runs_of_backends.items():
        rows.append({"clients": clients, "batch": batch, "backend": backend,
                     "plain_per_second": middle([r["plain"]["per_second"] for r in runs]), "per_second": middle([r["per_second"] for r in runs]),
                     "ratio": spread([r["per_second"] / r["plain"]["per_second"] for r in runs]),
                     "p50_us": middle([r["p50_us"] for r in runs]), "plain_p50_us": middle([r["plain"]["p50_us"] for r in runs]),
                     "cpu_us": middle([r["cpu_us"] for r in runs])})
    return rows


def insert(raw):
    results, found = raw["results"], {"inserts": [], "copies": [], "wal": []}
    for clients, these in results.get("1", {}).items():
        found["inserts"] += insert_rows(these["runs"], int(clients), 1)
    for key, these in results.get("2", {}).items():
        if key == "insert":
            found["inserts"] += insert_rows(these["runs"], 1, 100)
            continue
        for backend, runs in these.items():
            ratios = [r["plain"]["seconds"] / r["seconds"] for r in runs]
            debts = [r["plain"]["seconds"] / (r["seconds"] + r["merge_seconds"]) for r in runs if "merge_seconds" in r]
            found["copies"].append({"delta": key.removeprefix("copy "), "backend": backend, "ratio": spread(ratios), "with_debt": spread(debts),
                                    "recall": min(r["recall"] for r in runs), "pauses": middle([r["gc"]["pauses"] for r in runs])})
    for batch, these in results.get("3", {}).items():
        found["wal"].append({"batch": int(batch), "index": these["indexed"] - these["plain"]} | these)
    return found


def wal(raw):
    tables, peers = [], []
    for key, rows, batch in (("rows_1", 1, 1), ("batch_100", 1, 100), ("rows_100", 100, 1)):
        if key not in raw:
            continue
        each = raw[key]["each"]
        for backend, runs in raw[key].items():
            if backend == "fio":
                continue
            row = {name: middle([r[name] for r in runs]) for name in ("per_second", "p50_us", "p99_us", "cpu_us", "memory_kb")}
            written = [r["bytes_written"] / max(r["appends"], 1) for r in runs if r.get("groups")]
            tables.append({"rows": rows, "batch": batch, "backend": backend, "bytes_a_record": middle(written),
                           "over_each": spread([a["per_second"] / b["per_second"] for a, b in zip(runs, each)])} | row)
        fio = raw[key].get("fio")
        for engine in ("fio io_uring", "fio pvsync") if fio else ():
            ratios = [a["bytes_per_second"] / b["bytes_per_second"] for a, b in zip(fio["io_uring"], fio[engine])]
            peers.append({"rows": rows, "batch": batch, "peer": engine, "ratio": spread(ratios)})
    codecs = [{"set": name, "saved": 1 - c["packed_bytes"] / c["plain_bytes"]} | c for name, c in raw.get("codec", {}).items()]
    return {"backends": tables, "fio": peers, "codecs": codecs}


def kernels(raw):
    """Bytes a second by kernel, dimensions and tier; what the core reads from the L2 cache and from memory."""
    rates, reads = [], []
    for run in raw["benchmarks"]:
        if "bytes_per_second" not in run or run.get("aggregate_name", "median") != "median":
            continue
        parts = run.get("run_name", run["name"]).split("/")
        if parts[0].startswith("read_"):
            reads.append({"what": parts[0].removeprefix("read_"), "tier": parts[-1], "per_second": run["bytes_per_second"]})
        elif not parts[0].endswith("_limit") and len(parts) == 3:
            rates.append({"kernel": parts[0], "shape": parts[1], "tier": parts[2], "per_second": run["bytes_per_second"]})
    return {"rates": rates, "reads": reads}


def build(raw):
    rows = []
    for table in ("unlogged", "logged"):
        for backend in ("io_uring", "standard"):
            runs = [r for r in raw["results"] if r["table"] == table and r["backend"] == backend]
            if runs:
                rows.append({"table": table, "backend": backend, "bytes": middle([r["bytes"] for r in runs])} |
                            {key: middle([r[key] for r in runs]) for key in ("phase_seconds", "writer_seconds", "fio_per_second")} |
                            {"per_second": middle([r["bytes"] / r["phase_seconds"] for r in runs])})
    return {"writers": rows}


def load(raw):
    return {"rows": raw["options"]["rows"],
            "steps": [{"step": r["step"], "seconds": spread(r["seconds"]), "wal_bytes": middle(r["wal_bytes"])} for r in raw["results"]]}


def vacuum(raw):
    found = [{"full_page_writes": r["full_page_writes"], "seconds": spread(r["seconds"]), "heap_seconds": middle(r["heap_seconds"]),
              "wal_bytes": middle(r["wal_bytes"]), "page_bytes": middle(r["page_bytes"])} for r in raw["results"]["vacuum"]]
    sizes = [{"preload": r["preload"], "built": r["bytes"][0], "refilled": r["bytes"][3], "again": r["bytes"][6],
              "share": r["bytes"][6] / r["bytes"][0]} for r in raw["results"]["sizes"]]
    return {"rows": raw["options"]["rows"], "vacuums": found, "sizes": sizes}


def grow(raw):
    rows = []
    for way in ("built", "grown"):
        runs = [r for r in raw["results"] if r["way"] == way]
        recalls = [{"leaves": int(probes), "recall": middle([r["recall"][probes] for r in runs])} for probes in runs[0]["recall"]]
        rows.append({"way": way, "recalls": recalls} | {key: middle([r[key] for r in runs]) for key in ("leaves", "planned", "bytes", "merge_seconds")})
    return {"set": raw["options"]["set"], "first": raw["options"]["first"], "rows": raw["options"]["rows"], "ways": rows}


def opclasses(raw):
    return {"classes": raw["results"]}


def reduced(kind, raw):
    """The figures of one part, from what its benchmark wrote."""
    return {"ann": ann, "insert": insert, "wal": wal, "kernels": kernels, "build": build, "load": load, "vacuum": vacuum, "grow": grow,
            "opclasses": opclasses}[kind](raw)
