#!/usr/bin/env python3
"""Every public class, struct and enum prints by operator<<: in its header, or for a
reason that is written here. (AbslStringify stands beside it; flow/printing_test.cc
holds both against each other.)

Usage: printed.py HEADER...   (the public ones: doxygen.py --public)
"""

import re
import sys

# Those that don't, and why.
REASONS = {
    "Transport": "an interface: Flow says what it stands on",
    "Syscalls": "an interface without a state",
    "FlowObserver": "an interface: its methods are told values, which print",
    "FlowIstream": "a std::istream: << of one means something else",
    "FlowOstream": "a std::ostream: << into one writes to the flow",
    "InlineExecutor": "as the Executor that it is",
    "FunctionExecutor": "as the Executor that it is",
    "InterceptingSyscalls": "a base class without a state",
    "ScriptedSyscalls": "tells by failing the test what its script lacks",
    "ScriptedSyscalls::Others": "is handed over, never given back",
    "Outcome::Kind": "Outcome says it",
    "FlowConformance": "a GoogleTest fixture",
}

SCOPE = re.compile(
    r"^(?:template <.*>\s*)?(namespace|class|struct|enum class|enum)\b(?:\s+(?:\[\[\w+\]\]\s+)?(\w+(?:::\w+)*))?"
)
PRINTS = re.compile(r"operator<<\(\s*std::ostream&\s*\w*,\s*(?:const\s+)?([\w:]+)(?:<\w+>)?\s*&?\s*\w*\)")


class Scope:
    def __init__(self, kind, name):
        self.kind = kind
        self.name = name
        self.hidden = kind == "class"  # until `public:`


def code_of(text):
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"'(?:\\.|[^'\\\n])'", "' '", text)
    return re.sub(r"^\s*#.*(?:\\\n.*)*$", "", text, flags=re.M)


def types(text):
    """The names of the types that `text` shows to users: "Flow", "RawEnd::Kind"."""
    stack = []
    statement = ""
    code = re.sub(r"\b(public|private|protected)\s*:(?!:)", r";@\1;", code_of(text))
    for token in re.findall(r"[{};]|@\w+|[^{};@]+", code):
        if token == "{":
            found = SCOPE.match(" ".join(statement.split()))
            scope = Scope(*found.groups()) if found else Scope("body", None)
            inside = all(s.kind != "body" and not s.hidden and s.name != "internal" for s in stack)
            if inside and scope.kind not in ("namespace", "body") and scope.name:
                yield "::".join([s.name for s in stack if s.kind != "namespace"] + [scope.name])
            stack.append(scope)
            statement = ""
        elif token == "}":
            stack.pop()
            statement = ""
        elif token == ";":
            statement = ""
        elif token.startswith("@"):
            stack[-1].hidden = token != "@public"
        else:
            statement += token


def main():
    failed = False
    unused = set(REASONS)
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        printed = set(PRINTS.findall(" ".join(code_of(text).split())))
        for name in types(text):
            unused.discard(name)
            if name not in printed and name not in REASONS:
                failed = True
                print(f"{path}: {name} has no operator<< (and tools/lint/printed.py no reason for that)")
    for name in sorted(unused):
        failed = True
        print(f"tools/lint/printed.py: there is no public {name}: take its reason away")
    return failed


if __name__ == "__main__":
    sys.exit(main())
