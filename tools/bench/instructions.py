"""Instructions of one call on the fast path, counted by valgrind: the same number
each time, however busy the machine is. Two runs of different length; what the longer
has more, by the calls that it makes more, is one call."""

import os
import re
import shutil
import subprocess

CALLS = ("Write", "WriteSome", "ReadInto", "Read", "Writev16")
HOWS = ("Raw", "Plain", "Deadline", "Token")
SHORT, LONG = 2000, 12000


def run(binary, name, iterations):
    environment = dict(os.environ, FLOW_BENCH_ITERATIONS=str(iterations))
    result = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary,
         f"--benchmark_filter=^{name}/iterations:{iterations}$"],
        capture_output=True, text=True, env=environment, check=False)
    found = re.search(r"Collected : (\d+)", result.stderr)
    return int(found.group(1)) if found else None


def count(binary):
    if not shutil.which("valgrind"):
        print("valgrind is not installed: nothing to count with")
        return 1
    print(f"{'instructions of one':20}" + "".join(f"{how:>10}" for how in HOWS))
    for call in CALLS:
        line = []
        for how in HOWS:
            short, long = (run(binary, f"FastPath/{call}/{how}", n) for n in (SHORT, LONG))
            line.append("-" if short is None or long is None else f"{(long - short) / (LONG - SHORT):.0f}")
        print(f"{call:20}" + "".join(f"{text:>10}" for text in line))
    return 0
