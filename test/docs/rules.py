# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Every numbered rule of a page names tests, in parentheses, and each name is
that of a test: of GoogleTest, or of a definition in a test of the front end.

usage: rules.py PAGE SOURCE
       rules.py --self-test
"""

import pathlib
import re
import sys

# A rule goes on over indented lines.
RULE = re.compile(r"^(\d+)\. (.*(?:\n {2,}\S.*)*)", re.M)
# (`Name`), (`File`: `Name`, `name` and `name`, `File`)
NAMES = re.compile(r"\(((?:`\w+`(?:, |: | and )?)+)\)")


def known_tests(source):
    names = set()
    for path in (source / "test").rglob("*Test.cpp"):
        names.add(path.stem)
        names.update(re.findall(r"^TEST(?:_[FP])?\(\w+,\s*(\w+)\)", path.read_text(), re.M))
    for path in (source / "test/lib/Frontend").rglob("*.attn"):
        names.update(re.findall(r"^attention (\w+)", path.read_text(), re.M))
    return names


def check(page, known):
    problems, count = [], 0
    for section in re.split(r"^## ", page, flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        for number, rule in RULE.findall(body):
            count += 1
            groups = NAMES.findall(" ".join(rule.split()))
            names = [name for group in groups for name in re.findall(r"\w+", group)]
            names = [name for name in names if name != "and"]
            if not [name for name in names if not name.endswith("Test")]:
                problems.append(f"{title}, rule {number}: names no test")
            problems += [
                f"{title}, rule {number}: there is no test {name}"
                for name in names
                if name not in known
            ]
    return problems or ([] if count else ["the page has no rule"]), count


def self_test():
    page = "## 1. A\n\n1. Text `x`. (`One`)\n2. Text\n   on (`a(1)` too). (`T1Test`: `Two`,\n   `three`)\n"
    known = {"One", "Two", "three", "T1Test"}
    assert check(page, known) == ([], 2)
    assert check(page, known - {"three"})[0] == ["1. A, rule 2: there is no test three"]
    assert check("## 1. A\n1. Text.\n", known)[0] == ["1. A, rule 1: names no test"]
    assert check("## 1. A\n1. T. (`T1Test`)\n", known)[0] == ["1. A, rule 1: names no test"]
    assert check("## 1. A\nText.\n", known)[0] == ["the page has no rule"]


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    page = pathlib.Path(sys.argv[1]).read_text()
    problems, count = check(page, known_tests(pathlib.Path(sys.argv[2])))
    print(f"{count} rules", *problems, sep="\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
