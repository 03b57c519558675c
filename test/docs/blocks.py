# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The blocks of a page: its code by language, and whether commands are tested.

usage: blocks.py PAGE LANGUAGE            prints the code of these blocks
       blocks.py PAGE --commands TEST...  every command of a `sh` block stands in
                                          a line `README: COMMAND` of a test, and
                                          every such line in the page
       blocks.py --self-test
"""

import pathlib
import re
import sys


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.M | re.S)


def compare(page, tests):
    commands = {line for block in blocks(page, "sh") for line in block.splitlines()}
    tested = {
        found for test in tests for found in re.findall(r"^# README: (.*)$", test, re.M)
    }
    problems = [f"no test of: {command}" for command in sorted(commands - tested)]
    problems += [f"not on the page: {command}" for command in sorted(tested - commands)]
    return problems or ([] if commands else ["the page has no command"])


def selfTest():
    page = "text\n```sh\n./x test\n./x run a\n```\n```\nno command\n```\n"
    whole = "# README: ./x test\n# RUN: true\n# README: ./x run a\n"
    assert compare(page, [whole]) == []
    assert compare(page, ["# README: ./x test\n"]) == ["no test of: ./x run a"]
    assert compare(page, [whole + "# README: b\n"]) == ["not on the page: b"]
    assert compare("```sh x", [""]) == ["the page has no command"]
    assert blocks("```python\na = 1\n```\n", "python") == ["a = 1\n"]


def main():
    if sys.argv[1] == "--self-test":
        return selfTest()
    page = pathlib.Path(sys.argv[1]).read_text()
    if sys.argv[2] != "--commands":
        found = blocks(page, sys.argv[2])
        print("".join(found), end="")
        return None if found else f"no block of {sys.argv[2]}"
    tests = [pathlib.Path(path).read_text() for path in sys.argv[3:]]
    return "\n".join(compare(page, tests)) or None


if __name__ == "__main__":
    sys.exit(main())
