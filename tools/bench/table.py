"""The table of goals, as text."""

UNITS = {"real_time": "ns", "cpu_time": "ns", "p50_us": "us", "p99_us": "us", "bytes_per_second": "GiB/s",
         "items_per_second": "k/s", "KiB": "KiB", "GiB/s": "GiB/s", "CPUs/GiB": "s/GiB", "cpu_s_per_GiB": "s/GiB"}
SCALE = {"bytes_per_second": 1 / (1 << 30), "items_per_second": 1e-3}
HEAD = ("goal", "what", "ours", "raw", "", "figure", "quartiles", "bar", "")


def number(value):
    if value is None:
        return "-"
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def cells(line):
    scale = SCALE.get(line["metric"], 1)
    # Google Benchmark's times are in the benchmark's own unit: ns but for relays,
    # whose rows show counters.
    absolute = [number(v * scale) if v is not None else "-" for v in (line["ours"], line["raw"])]
    if line["kind"] == "growth":
        absolute = ["-", number(line.get("raw_growth"))]
    if line["kind"] == "value":
        absolute[1] = ""
    spread = line["spread"]
    verdict = {True: "pass", False: "FAIL", None: ""}[line["pass"]]
    if line["figure"] is None:
        verdict = "absent"
    return (
        line["goal"], line["what"], *absolute, UNITS.get(line["metric"], "") if line["kind"] != "growth" else "x",
        number(line["figure"]), f"{number(spread[0])} .. {number(spread[1])}" if spread else "",
        f"{line['op']} {line['bar']:g}" if line["bar"] is not None else "", verdict,
    )


def text(lines):
    rows = [HEAD] + [cells(line) for line in lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    left = {0, 1, 4, 6, 7, 8}
    out = []
    for i, row in enumerate(rows):
        out.append("  ".join(c.ljust(w) if k in left else c.rjust(w)
                             for k, (c, w) in enumerate(zip(row, widths))).rstrip())
        if i == 0:
            out.append("  ".join("-" * w for w in widths))
    failed = sum(line["pass"] is False for line in lines)
    passed = sum(line["pass"] is True for line in lines)
    absent = sum(line["figure"] is None for line in lines)
    out.append(f"{passed} pass, {failed} FAIL, {absent} absent; a figure is ours / raw unless it says otherwise, "
               "the median of the rounds; \"noise\" is the raw loop against itself")
    return "\n".join(out)
