#!/usr/bin/env python3
"""Counts what one `bazel test` did, from its build events and the tests' XML.

Prints what failed and why, which it writes to FAILURES too, and writes a line "passed
failed" to COUNTS. A test case counts once; a target that does not build, times out or
dies counts as a failure. A skipped case is a failure too, unless its message begins with
"kernel lacks", or with "kernel forbids" (network namespaces, in many containers).

Writes to AGAIN the tests that are worth another look: of which only an expectation
failed, in a run among others on a machine that may have stood still meanwhile. Not one
that hung, crashed, or that a sanitizer reported on, and none if more than two failed.

Usage: totals.py EVENTS_JSON BAZEL_EXIT_CODE COUNTS FAILURES AGAIN
"""

import collections
import json
import os
import re
import sys
import urllib.parse
import xml.etree.ElementTree


def events(path):
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


# The ways in which the reason for a case that can't be run here begins.
REASONS = ("kernel lacks", "kernel forbids")


# More than so many failed tests are no coincidence.
MOST_AGAIN = 2
REPORTS = ("Sanitizer", "runtime error:", "DEADLYSIGNAL")
# The last line of a test that came to its end; who dies on the way has none.
SUMMARY = re.compile(r" ?\d+ FAILED TESTS?")

# Of what a failed case says: the place, the expectation and what was there instead.
LINES = 12


def content(outputs, name):
    """What a test left in its output of that name; empty if nothing."""
    uri = next((output.get("uri", "") for output in outputs if output.get("name") == name), "")
    if not uri.startswith("file://"):
        return ""
    try:
        with open(urllib.parse.unquote(uri[len("file://") :]), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


class Totals:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.failures = []
        self.lacking = collections.Counter()
        self.again = set()
        self.certain = False  # something failed that no second look can mend

    def fail(self, message, why="", certain=True):
        print(f"FAILED: {message}")
        self.certain |= certain
        self.failed += 1
        self.failures.append(message)
        self.failures += [f"    {line}" for line in why.splitlines()[:LINES] if line.strip()]

    def case(self, label, case, certain):
        name = f"{label} {case.get('classname', '')}.{case.get('name', '')}"
        bad = [child for child in case if child.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if bad:
            self.fail(name, bad[0].get("message") or bad[0].text or "", certain)
        elif skipped is not None or case.get("result") == "skipped":
            # GoogleTest puts the place on a line before the message.
            message = (skipped.get("message") or skipped.text or "") if skipped is not None else ""
            lines = [line.strip() for line in message.splitlines() if line.strip()]
            reason = next((line for line in lines if line.startswith(REASONS)), None)
            if reason:
                self.lacking[f"{name}: {reason}"] += 1
            else:
                self.fail(f"{name} was skipped: {' '.join(lines)}")
        elif case.get("status") == "notrun" or case.get("result") == "suppressed":
            self.fail(f"{name} is disabled")
        else:
            self.passed += 1

    def result(self, label, status, outputs):
        """One run of one target (or of one of its shards)."""
        before = self.failed
        log = content(outputs, "test.log")
        last = log.rstrip().rpartition("\n")[2]
        came_to_its_end = SUMMARY.fullmatch(last) is not None
        certain = status != "FAILED" or not came_to_its_end or any(report in log for report in REPORTS)
        if not certain:
            self.again.add(label)
        try:
            cases = list(xml.etree.ElementTree.fromstring(content(outputs, "test.xml")).iter("testcase"))
        except xml.etree.ElementTree.ParseError:
            cases = []
        for case in cases:
            self.case(label, case, certain)
        if status != "PASSED":
            # Died after its last case (a leak, a race, a time limit)?
            if self.failed == before:
                self.fail(f"{label}: {status}", certain=certain)
        elif not cases:
            self.fail(f"{label} ran no test case")


def main():
    path, exit_code, counts, failures, again = sys.argv[1:]
    totals = Totals()
    for event in events(path):
        kind = next(iter(event["id"]))
        label = event["id"][kind].get("label", "") if isinstance(event["id"][kind], dict) else ""
        if kind == "testResult":
            result = event.get("testResult")
            if result:
                totals.result(label, result.get("status", "NO_STATUS"), result.get("testActionOutput", []))
        elif kind == "targetCompleted":
            if not event.get("completed", {}).get("success"):
                reason = event.get("aborted", {}).get("description") or "does not build"
                totals.fail(f"{label}: {reason}")
        elif kind == "pattern" and "aborted" in event:
            totals.fail(f"the build files: {event['aborted'].get('description', 'unreadable')}")
    if exit_code != "0" and totals.failed == 0:
        totals.fail(f"Bazel exited with {exit_code}")
    if totals.passed + totals.failed == 0:
        totals.fail("no test ran")
    for message in sorted(totals.lacking):
        print(f"not run here: {message}")
    print(f"--- {totals.passed} cases passed, {totals.failed} failed")
    with open(counts, "w", encoding="utf-8") as file:
        file.write(f"{totals.passed} {totals.failed}\n")
    with open(failures, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in totals.failures)
    with open(again, "w", encoding="utf-8") as file:
        if not totals.certain and len(totals.again) <= MOST_AGAIN:
            file.writelines(f"{label}\n" for label in sorted(totals.again))
    return totals.failed > 0


if __name__ == "__main__":
    sys.exit(main())
