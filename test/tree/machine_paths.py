# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""No file names a folder that only its author's machine has."""

import re

import tree

HOMES = ["work", "root", "home", "Users", "mnt"]
# Not part of a longer path, of an address or of an expression.
PATTERN = re.compile(r"(?<![\w.*}/~%-])/(?:" + "|".join(HOMES) + r")/\w[\w./-]*")


def check(root, paths):
    problems = []
    for path in paths:
        for number, line in enumerate(tree.text(root, path).split("\n"), 1):
            for found in PATTERN.findall(line):
                problems.append(f"{path}:{number}: names {found}")
    return problems


SAMPLES = [
    ({"a.md": "docs/home/page.md ~/work/x /usr/lib/llvm-22 a/home/b\n"}, []),
    (
        {"a.sh": "ok\ncd /" + "home/anna/rapt\n", "b.py": "x = '/" + "work/main'\n"},
        ["a.sh:2: names /" + "home/anna/rapt", "b.py:1: names /" + "work/main"],
    ),
]

if __name__ == "__main__":
    tree.run(check, SAMPLES)
