"""Runs benchmarks in interleaved rounds and makes figures of what they print."""

import json
import os
import random
import re
import statistics
import subprocess

SUFFIX = re.compile(r"/(real_time|manual_time|process_time|iterations:\d+)")


class Samples:
    """Every repetition's fields, by program and benchmark, in order of time."""

    def __init__(self):
        self.taken = {}

    def add(self, key, name, fields):
        self.taken.setdefault((key, name), []).append(fields)

    def of(self, key, name, metric):
        taken = self.taken.get((key, name), [])
        return [fields[metric] for fields in taken if metric in fields]

    def dump(self):
        return [
            {"program": key[0], "prefix": list(key[1]), "benchmark": name, "repetitions": fields}
            for (key, name), fields in sorted(self.taken.items())
        ]


def binary(root, label):
    return os.path.join(root, "bazel-bin", label[2:].replace(":", "/"))


def key_of(row):
    return (row.label, row.args)


def names_of(row):
    for part in (row.ours, row.raw):
        if part is not None:
            yield from part if isinstance(part, list) else [part]


def run_once(root, key, names, options, say):
    """One program, its benchmarks in random order, each `repetitions` times."""
    label, prefix = key
    alternatives = "|".join(re.escape(name).replace(r"\-", "-") for name in sorted(names))
    command = list(prefix) + [
        binary(root, label),
        f"--benchmark_filter=^({alternatives})(/real_time|/manual_time)?$",
        "--benchmark_enable_random_interleaving=true",
        f"--benchmark_repetitions={options.repetitions}",
        f"--benchmark_min_time={options.min_time}",
        "--benchmark_format=json",
    ]
    environment = dict(os.environ, FLOW_BENCH_HISTOGRAM="1")
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode != 0:
        say(f"{label} failed:\n{result.stderr[-2000:]}")
        return []
    # The library's own lines before the JSON are not part of it.
    report = json.loads(result.stdout[result.stdout.index("{"):])
    found = []
    for one in report["benchmarks"]:
        if one.get("run_type") == "iteration" and not one.get("error_occurred"):
            fields = {k: v for k, v in one.items() if isinstance(v, (int, float)) and k != "family_index"}
            found.append((SUFFIX.sub("", one["name"]), fields))
    return found


def run_rounds(root, rows, options, say):
    programs = {}
    for row in rows:
        programs.setdefault(key_of(row), set()).update(names_of(row))
    samples = Samples()
    order = list(programs)
    for number in range(options.rounds):
        random.shuffle(order)
        for key in order:
            say(f"round {number + 1} of {options.rounds}: {key[0]} {' '.join(key[1])}")
            for name, fields in run_once(root, key, programs[key], options, say):
                samples.add(key, name, fields)
    return samples


def quartiles(values):
    if len(values) < 2:
        return [values[0], values[0]] if values else None
    cut = statistics.quantiles(values, n=4, method="inclusive")
    return [cut[0], cut[2]]


def growth(samples, key, names, metric):
    """How much dearer a size is than the cheapest smaller one, at worst."""
    costs = []
    for name in names:
        taken = samples.of(key, name, metric)
        if not taken:
            return None
        middle = statistics.median(taken)
        costs.append(1 / middle if metric == "items_per_second" else middle)
    return max(cost / min(costs[:i]) for i, cost in enumerate(costs) if i > 0)


def passes(op, bar, figure):
    if bar is None or figure is None:
        return None
    return figure <= bar if op == "<=" else figure >= bar


def figure_of(row, samples):
    """A line of the table as a dict: ours, raw, figure, spread, pass."""
    key = key_of(row)
    line = {"goal": row.goal, "what": row.what, "kind": row.kind, "metric": row.metric, "op": row.op, "bar": row.bar,
            "program": row.label, "benchmark": row.ours, "raw_benchmark": row.raw,
            "ours": None, "raw": None, "figure": None, "spread": None, "rounds": 0}
    if row.kind == "growth":
        line["figure"] = growth(samples, key, row.ours, row.metric)
        line["raw_growth"] = growth(samples, key, row.raw, row.metric)
        line["pass"] = passes(row.op, row.bar, line["figure"])
        return line
    ours = samples.of(key, row.ours, row.metric)
    raw = samples.of(key, row.raw, row.metric) if row.raw else []
    pick = statistics.median
    if row.kind == "best":
        pick = max if row.op == ">=" else min
    line["rounds"] = len(ours)
    if ours:
        line["ours"] = pick(ours)
    if raw:
        line["raw"] = pick(raw)
    if row.kind == "value" and ours:
        line["figure"] = line["ours"]
        line["spread"] = quartiles(ours)
    elif ours and raw and row.kind == "difference":
        line["figure"] = line["ours"] - line["raw"]
        line["spread"] = quartiles([a - b for a, b in zip(ours, raw)])
    elif ours and raw and line["raw"]:
        line["figure"] = line["ours"] / line["raw"]
        line["spread"] = quartiles([a / b for a, b in zip(ours, raw) if b])
    line["pass"] = passes(row.op, row.bar, line["figure"])
    return line
