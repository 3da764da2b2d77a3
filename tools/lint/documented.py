#!/usr/bin/env python3
"""Every public class, struct, enum, enumerator, function, field, alias, constant and
macro has a comment. Reads what doxygen made of the public headers (tools/doc).

Whose comment is whose, as tools/lint/doxygen.py reads them:

- A comment before a declaration is for all that follow it without an empty line
  between: `local()` and `peer()` share one.
- A comment behind a field or an enumerator is its own.
- The essay at the head of a file is for the class that its first sentence names.
- An override says what its base says.

No words are asked of: operators, AbslStringify and ToString (printing), copying and
moving, default constructors and destructors, namespaces and what is internal or private.

Usage: documented.py FOLDER   (of doxygen's XML, made with EXTRACT_ALL)
"""

import glob
import os
import re
import sys
import xml.etree.ElementTree

# What needs no words, by name.
SILENT = re.compile(r"^(operator\W.*|operator bool|AbslStringify|ToString|~\w+)$")


def words(element):
    return element is not None and "".join(element.itertext()).strip()


def is_documented(element):
    return any(words(element.find(part)) for part in ("briefdescription", "detaileddescription", "inbodydescription"))


def is_silent(member, owner):
    name = member.find("name").text
    arguments = words(member.find("argsstring")) or ""
    constructs = name == owner.split("::")[-1]
    if member.get("kind") == "friend" or SILENT.match(name) and name != "operator bool":
        return True
    if constructs and re.match(rf"^\(\)|^\((const )?{name} ?&", arguments):
        return True  # by default, by copying, by moving
    return member.find("reimplements") is not None


def complaints(compound):
    owner = compound.find("compoundname").text
    kind = compound.get("kind")
    if "internal" in owner.split("::") or kind in ("dir", "page") or compound.get("prot") == "private":
        return
    if kind in ("class", "struct", "union") and not is_documented(compound):
        yield compound.find("location"), f"{kind} {owner}"
    for member in compound.iter("memberdef"):
        # Of a file only what is in no namespace; the rest comes with its namespace.
        if kind == "file" and member.get("kind") != "define" or member.get("prot") == "private":
            continue
        name = f"{owner}::{member.find('name').text}" if kind != "file" else member.find("name").text
        if not is_documented(member) and not is_silent(member, owner):
            yield member.find("location"), f"{member.get('kind')} {name}"
        for value in member.findall("enumvalue"):
            if not is_documented(value):
                yield member.find("location"), f"enumerator {value.find('name').text} of {name}"


def main():
    found = set()
    for path in glob.glob(os.path.join(sys.argv[1], "*.xml")):
        for compound in xml.etree.ElementTree.parse(path).getroot().findall("compounddef"):
            for place, what in complaints(compound):
                file = place.get("file")
                # Include guards are no macros for users.
                if not what.endswith("_H_"):
                    found.add((file, f"{file}: {what} has no comment"))
    for _, message in sorted(found):
        print(message)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
