#!/usr/bin/env python3
"""What doxygen is to read of a header: our comments are plain `//`, which it does not
take for documentation. See tools/doc.

- A comment before a declaration is its documentation, and that of those that follow
  it without an empty line between.
- A comment behind an enumerator or a member is its own.
- The essay at the head of a file is the file's, and that of the class which its first
  sentence names ("Flow: a reliable byte stream ...") and that has no other.
- What needs no words (copying, moving, printing, comparing) is left out.

Usage: doxygen.py HEADER          prints what doxygen is to read of it
       doxygen.py --public FILE...   prints which of these are for users
"""

import re
import sys

DECLARES = re.compile(r"(class|struct) (\w+)")
SCOPE = re.compile(r"^\s*(template <.*> *)?(class|struct|enum|union|namespace|extern)\b")
TRAILING = re.compile(r"^(.*\S)\s+// (.*)$")
SILENT = re.compile(
    r"= (delete|default);$|operator(=|<<|==|!=|<|<=|>|>=)\(|AbslStringify|^\s*(friend|explicit operator)\b"
    r"|^\s*(virtual )?~|&& other\) noexcept|\bToString\(\) const|^\s*(using|class|struct) [\w:]+;$"
)


# What flow is made of, and how it is proved.
NOT_FOR_USERS = {
    "flow/signal.h",
    "flow/state.h",
    "flow/state_reference.h",
    "flow/testing/amnesiac_transport.h",
    "flow/testing/conformance_support.h",
    "flow/testing/futures_driver.h",
    "flow/testing/fuzz_corpus.h",
    "flow/testing/interleaving.h",
    "flow/testing/interleaving_primitives.h",
    "flow/testing/model_draw.h",
    "flow/testing/model_guide.h",
    "flow/testing/model_pair.h",
    "flow/testing/model_run.h",
    "flow/testing/model_streams.h",
    "flow/testing/stream_model.h",
    "flow/testing/tested_flow.h",
}


def essay(lines):
    """The comment at the head of the file, without "File: ..."."""
    head = []
    for line in lines:
        if not line.startswith("//"):
            break
        head.append(line[2:])
    return head[2:] if len(head) > 1 else head


def words(comment):
    """Lines of a comment as doxygen takes them: Markdown, nothing special in it."""
    told = []
    code = False
    before = ""
    for line in comment:
        text = line[1:] if line.startswith(" ") else line
        if text.startswith("clang-format") or "NOLINT" in text or "check:allow" in text:
            continue
        if text.startswith("  ") and (code or not before.strip()):
            code = True
            told.append("    " + text)
        else:
            if text.strip():
                code = False
            told.append(re.sub(r"([\\@<>#&%~])", r"\\\1", text))
        before = text
    return told


def documentation(comment, indent):
    return [f"{indent}/// {text}".rstrip() for text in words(comment)]


def statements_end(line):
    whole = line.count("(") == line.count(")")
    return line.rstrip().endswith((";", "{", "}", ":")) or (whole and line.rstrip().endswith(",")) or line.startswith("#")


class Reader:
    def __init__(self, lines):
        self.essay = essay(lines)
        self.named = set(re.findall(r"[A-Z]\w+", " ".join(self.essay[:2]).split(":")[0]))
        self.comment = []  # directly before this line
        self.last = []  # what the declarations of this paragraph say
        self.depth = 0  # of the statement that goes on
        self.trailing = False
        self.statement = ""
        self.body = 0  # open braces of the function that is being passed over
        self.out = []

    def blank(self):
        self.comment, self.last, self.trailing = [], [], False
        self.out.append("")

    def comment_line(self, indent, text):
        if self.trailing and len(indent) > 8:
            self.out.append(f"{indent}///< " + " ".join(words([text])).strip())
            return
        self.comment.append(text)

    def code(self, line):
        if self.body > 0:
            self.body += line.count("{") - line.count("}")
            return self.out.append(line)
        line = re.sub(r"\s+// NOLINT.*$", "", line)
        if line.startswith(("}", "#")):
            line = line.split("  //")[0]
        indent = line[: len(line) - len(line.lstrip())]
        begins = self.depth == 0
        match = TRAILING.match(line)
        if begins:
            self.statement = ""
            self.begin(line, indent, own=bool(match))
        self.statement += line
        self.trailing = bool(match)
        if match:
            line = match.group(1) + " ///< " + " ".join(words([match.group(2)]))
        code = match.group(1) if match else line
        self.depth = 0 if statements_end(code) else 1
        if code.rstrip().endswith("{") and not SCOPE.search(self.statement):
            self.body = code.count("{") - code.count("}")
        self.out.append("" if begins and self.depth == 0 and SILENT.search(code) and "{" not in code else line)

    def begin(self, line, indent, own):
        found = DECLARES.search(line)
        if self.comment:
            self.last = self.comment
        elif found and found.group(2) in self.named and not line.rstrip().endswith(";"):
            self.last = self.essay
        if self.last and not own and line.strip() not in ("}", "};", "public:", "private:", "protected:"):
            self.out += documentation(self.last, indent)
        self.comment = []
        if line.rstrip().endswith("{") and SCOPE.search(line):
            self.last = []

    def read(self, line):
        stripped = line.strip()
        if not stripped:
            return self.blank()
        if stripped.startswith("//"):
            return self.comment_line(line[: line.index("//")], stripped[2:])
        return self.code(line)


def filtered(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    reader = Reader(lines)
    body = lines
    while body and body[0].startswith("//"):
        body = body[1:]
    for line in body:
        reader.read(line)
    return ["/** \\file */"] + documentation(reader.essay, "") + [""] + reader.out


def is_public(path):
    if re.search(r"(_test|_test_support|_for_test|_internal|_benchmark)\.h$", path):
        return False
    if path in NOT_FOR_USERS or path.startswith(("flow/bench/", "flow/testing/torture/")):
        return False
    with open(path, encoding="utf-8") as file:
        return "(internal)" not in file.readline()


def main():
    if sys.argv[1] == "--public":
        print("\n".join(path for path in sys.argv[2:] if is_public(path)))
    else:
        print("\n".join(filtered(sys.argv[1])))


if __name__ == "__main__":
    main()
