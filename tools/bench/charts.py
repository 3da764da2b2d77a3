"""SVG charts of a results.json, drawn by hand: no library is needed. Colours come
from variables that a dark screen sets anew; shapes say the same as colours."""

import html
import math
import os
import statistics

STYLE = """
svg { --back: #ffffff; --ink: #1f2328; --soft: #6a737d; --grid: #d8dee4; --ours: #0969da; --raw: #9a6700;
  --good: #1a7f37; --bad: #cf222e; --third: #8250df; }
@media (prefers-color-scheme: dark) { svg { --back: #0d1117; --ink: #e6edf3; --soft: #9198a1; --grid: #30363d;
  --ours: #58a6ff; --raw: #d29922; --good: #3fb950; --bad: #f85149; --third: #bc8cff; } }
.back { fill: var(--back); } text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.soft { fill: var(--soft); font-size: 11px; } .title { font-size: 15px; font-weight: 600; }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); }
.ours { stroke: var(--ours); fill: var(--ours); } .raw { stroke: var(--raw); fill: var(--raw); }
.third { stroke: var(--third); fill: var(--third); }
.good { stroke: var(--good); fill: var(--good); } .bad { stroke: var(--bad); fill: none; }
.bar { stroke: var(--ink); stroke-width: 2; } .none { stroke: var(--soft); fill: var(--soft); }
text.ours, text.raw, text.third { stroke: none; } polyline { fill: none; stroke-width: 2; }
"""


class Picture:
    def __init__(self, width, height, title, about):
        self.size = (width, height)
        self.title = title
        self.parts = []
        self.text(16, 24, title, "title")
        self.text(16, 42, about, "soft")

    def text(self, x, y, words, kind="", anchor="start"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
                          f"{html.escape(words)}</text>")

    def line(self, x1, y1, x2, y2, kind):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def dot(self, x, y, kind, words):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="{kind}" stroke-width="2">'
                          f"<title>{html.escape(words)}</title></circle>")

    def path(self, points, kind):
        self.parts.append(f'<polyline class="{kind}" style="fill:none" points="'
                          + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')

    def save(self, path):
        width, height = self.size
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                       f'height="{height}" role="img">\n<title>{html.escape(self.title)}</title>\n'
                       f'<style>{STYLE}</style>\n<rect width="{width}" height="{height}" class="back"/>\n')
            file.write("\n".join(self.parts) + "\n</svg>\n")


def where_made(results):
    at = results["machine"]
    return (f"{at['cpus']} CPUs, Linux {at['kernel']}, {at['compiler']}; {results['rounds']} interleaved rounds, "
            "tools/bench/run")


def log_ticks(low, high):
    steps = [m * 10**e for e in range(-4, 8) for m in (1, 2, 5)]
    return [s for s in steps if low <= s <= high]


def ratios(results, folder):
    lines = [l for l in results["lines"] if l["figure"] and l["kind"] in ("ratio", "best", "growth")]
    if not lines:
        return
    left, right, top, step = 300, 40, 66, 18
    width, height = 860, top + step * len(lines) + 40
    picture = Picture(width, height, "flow against raw system calls: ratio of each goal", where_made(results))
    values = [v for l in lines for v in [l["figure"], l["bar"] or 1, *(l["spread"] or [])] if v > 0]
    low, high = min(values + [0.5]) * 0.9, max(values + [2]) * 1.1

    def at(value):
        share = (math.log(max(value, low)) - math.log(low)) / (math.log(high) - math.log(low))
        return left + share * (width - left - right)

    bottom = top + step * len(lines)
    for tick in log_ticks(low, high):
        picture.line(at(tick), top - 6, at(tick), bottom, "axis" if tick == 1 else "grid")
        picture.text(at(tick), bottom + 16, f"{tick:g}", "soft", "middle")
    picture.text(left, bottom + 32, "ours / raw. Tick: the bar. Full dot: passes; ring: misses; line: quartiles.", "soft")
    for i, one in enumerate(lines):
        y = top + step * i + 8
        sign = {"<=": "≤", ">=": "≥"}[one["op"]]
        bar = f"{sign}{one['bar']:g}" if one["bar"] is not None else ""
        picture.text(16, y + 4, one["goal"], "soft")
        picture.text(48, y + 4, one["what"])
        picture.text(left - 10, y + 4, bar, "soft", "end")
        kind = {True: "good", False: "bad", None: "none"}[one["pass"]]
        if one["spread"]:
            picture.line(at(one["spread"][0]), y, at(one["spread"][1]), y, kind)
        if one["bar"] is not None:
            picture.line(at(one["bar"]), y - 6, at(one["bar"]), y + 6, "bar")
        picture.dot(at(one["figure"]), y, kind, f"{one['what']}: {one['figure']:.3g} {bar}")
    picture.save(os.path.join(folder, "ratios.svg"))


def medians(results, program, pattern, metric):
    """{N: median} of the benchmarks pattern % N."""
    found = {}
    for sample in results["samples"]:
        if sample["program"] != program or not sample["benchmark"].startswith(pattern):
            continue
        taken = [fields[metric] for fields in sample["repetitions"] if metric in fields]
        if taken:
            found[int(sample["benchmark"].rsplit("/", 1)[1])] = statistics.median(taken)
    return dict(sorted(found.items()))


def panel(picture, box, title, unit, series):
    """Lines over a logarithmic number of flows; `series` is [(name, class, {N: y})]."""
    x0, y0, x1, y1 = box
    points = [(n, y) for _, _, taken in series for n, y in taken.items()]
    if not points:
        return
    top = max(y for _, y in points) * 1.15
    last = max(n for n, _ in points)

    def at(n, y):
        return x0 + math.log10(n) / max(math.log10(last), 1) * (x1 - x0), y1 - y / top * (y1 - y0)

    picture.text(x0, y0 - 12, title)
    for i in range(5):
        y = top * i / 4
        picture.line(x0, at(1, y)[1], x1, at(1, y)[1], "grid")
        picture.text(x0 - 6, at(1, y)[1] + 4, f"{y:.3g}", "soft", "end")
    picture.text(x0 - 6, y0 - 2, unit, "soft", "end")
    n = 1
    while n <= last:
        picture.text(at(n, 0)[0], y1 + 16, f"{n:,}", "soft", "middle")
        n *= 10
    picture.text((x0 + x1) / 2, y1 + 32, "flows", "soft", "middle")
    for k, (name, kind, taken) in enumerate(series):
        where = [at(n, y) for n, y in taken.items()]
        picture.path(where, kind)
        for (x, y), (n, value) in zip(where, taken.items()):
            picture.dot(x, y, kind, f"{name}, {n:,} flows: {value:.3g} {unit}")
        picture.line(x0 + 10, y0 + 10 + 16 * k, x0 + 34, y0 + 10 + 16 * k, kind)
        picture.text(x0 + 40, y0 + 14 + 16 * k, name)


def growth(results, folder):
    active = [(name, kind, {n: 1e6 / rate for n, rate in
                            medians(results, "//flow/bench:growth_benchmark", prefix, "items_per_second").items()})
              for name, kind, prefix in (("flow, futures", "ours", "Active/Futures/"),
                                         ("raw epoll loop", "raw", "Active/RawEpoll/"))]
    idle = [(name, kind, medians(results, "//flow/bench:idle_benchmark", prefix, "p50_us"))
            for name, kind, prefix in (("flow, inline executor", "ours", "Idle/Inline/"),
                                       ("flow, two pool threads", "third", "Idle/Pool/"),
                                       ("raw epoll loop", "raw", "Idle/RawEpoll/"))]
    if not any(taken for _, _, taken in active + idle):
        return
    picture = Picture(860, 360, "Cost of an operation as flows grow in number", where_made(results))
    panel(picture, (70, 90, 410, 300), "all active: an exchange of 64 B", "us", active)
    panel(picture, (490, 90, 830, 300), "idle but one: a byte and its echo, p50", "us", idle)
    picture.save(os.path.join(folder, "growth.svg"))


def histogram(results, benchmark):
    """{lower edge in us: share} of all repetitions together."""
    counts = {}
    for sample in results["samples"]:
        if sample["program"] != "//flow/bench:idle_benchmark" or sample["benchmark"] != benchmark:
            continue
        for fields in sample["repetitions"]:
            for name, value in fields.items():
                if name.startswith("h") and name[1:].isdigit():
                    counts[int(name[1:])] = counts.get(int(name[1:]), 0) + value
    total = sum(counts.values())
    return {2 ** (k / 4): counts[k] / total for k in sorted(counts)} if total else {}


def latency(results, folder):
    series = [(name, kind, histogram(results, f"Idle/{way}/10000")) for name, kind, way in
              (("flow, inline executor", "ours", "Inline"), ("flow, two pool threads", "third", "Pool"),
               ("raw epoll loop", "raw", "RawEpoll"))]
    series = [one for one in series if one[2]]
    if not series:
        return
    picture = Picture(860, 340, "10,000 idle flows: how long a byte to one of them and back takes",
                      where_made(results))
    x0, y0, x1, y1 = 70, 80, 830, 280
    edges = [e for _, _, taken in series for e in taken]
    low, high = min(edges), max(max(edges), min(edges) * 4) * 2**0.25
    top = max(share for _, _, taken in series for share in taken.values()) * 1.1

    def at(us, share):
        return x0 + math.log(us / low) / math.log(high / low) * (x1 - x0), y1 - share / top * (y1 - y0)

    for i in range(5):
        y = at(low, top * i / 4)[1]
        picture.line(x0, y, x1, y, "grid")
        picture.text(x0 - 6, y + 4, f"{top * i / 4:.0%}", "soft", "end")
    for tick in log_ticks(low, high):
        picture.line(at(tick, 0)[0], y1, at(tick, 0)[0], y1 + 4, "axis")
        picture.text(at(tick, 0)[0], y1 + 18, f"{tick:g}", "soft", "middle")
    picture.text((x0 + x1) / 2, y1 + 36, "us (logarithmic); share of the round trips", "soft", "middle")
    for k, (name, kind, taken) in enumerate(series):
        points = [at(low, 0)]
        edge = low
        while edge < high * 0.999:
            share = next((s for e, s in taken.items() if abs(e / edge - 1) < 0.01), 0)
            points += [at(edge, share), at(edge * 2**0.25, share)]
            edge *= 2**0.25
        picture.path(points + [at(high, 0)], kind)
        picture.line(x1 - 190, y0 + 10 + 16 * k, x1 - 166, y0 + 10 + 16 * k, kind)
        picture.text(x1 - 160, y0 + 14 + 16 * k, name)
    picture.save(os.path.join(folder, "latency.svg"))


def draw(results, folder):
    os.makedirs(folder, exist_ok=True)
    for chart in (ratios, growth, latency):
        chart(results, folder)
