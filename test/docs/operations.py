# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Every operation on the page of a dialect has an example, which is a whole
program: it parses, verifies, and is the same after it is printed and parsed.

usage: operations.py SOURCE DIALECT...      folders of dialects/, as Attn
       operations.py --self-test
"""

import pathlib
import re
import shutil
import subprocess
import sys


def page(source, folder):
    """What `./x docs` makes of the dialect."""
    tblgen = pathlib.Path(shutil.which("mlir-tblgen"))
    command = [
        tblgen,
        "-gen-dialect-doc",
        f"-dialect={folder.lower()}",
        f"-I={tblgen.resolve().parents[1] / 'include'}",
        f"-I={source}",
        f"{source}/dialects/{folder}/IR/{folder}Ops.td",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def examples(text):
    """Operation to the code of its examples."""
    parts = re.split(r"^### `(\w+\.\w+)`.*$", text, flags=re.M)
    return {
        name: re.findall(r"^```mlir\n(.*?)^```$", part, re.M | re.S)
        for name, part in zip(parts[1::2], parts[2::2])
    }


def round_trip(code):
    """An empty text, or what is wrong."""
    command = ["rapt-opt", "--verify-roundtrip", "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr.strip()


def check(text, run):
    found = examples(text)
    problems = [] if found else ["the page has no operation"]
    for name, codes in found.items():
        if not codes:
            problems.append(f"{name}: no example")
        for code in codes:
            if not re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", code):
                problems.append(f"{name}: its example is of something else")
            message = run(code)
            if message:
                problems.append(f"{name}: {message}")
    return problems, f"{len(found)} operations, {sum(map(len, found.values()))} examples"


def self_test():
    good = "### `a.b` (::B)\n```mlir\n%x = a.b\n```\n"
    assert check(good, lambda code: "")[0] == []
    assert check(good, lambda code: "line 1")[0] == ["a.b: line 1"]
    assert check(good + "### `a.c` (::C)\n", lambda code: "")[0] == ["a.c: no example"]
    other = good.replace("= a.b", "= a.bc")
    assert check(other, lambda code: "")[0] == ["a.b: its example is of something else"]
    assert check("# 'a' Dialect\n", lambda code: "")[0] == ["the page has no operation"]


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    failed = False
    for folder in sys.argv[2:]:
        problems, counts = check(page(sys.argv[1], folder), round_trip)
        print(f"{folder}: {counts}", *problems, sep="\n")
        failed |= bool(problems)
    return failed


if __name__ == "__main__":
    sys.exit(main())
