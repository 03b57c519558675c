# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Counts wrong programs whose messages are expected by line, column and text.

usage: count_errors.py FOLDER_OF_ERRORS SYNTAX_ERROR_TEST.cpp MINIMUM

A wrong program is a definition of errors-*.attn with an expected error on its
lines, a run of errors-*.test, or a case of the list in the C++ test. Messages
are the same if they differ in what is quoted and in numbers only.
"""

import pathlib
import re
import sys

EXPECTED = re.compile(r"(?:CHECK|[A-Z]+): .*?:(\[\[#@LINE-\d+\]\]|\d+):(\d+): error: (.*)")


def of_definitions(text):
    """Program to messages: a definition, or each wrong statement of one."""
    programs, lines = {}, text.splitlines()
    for number, line in enumerate(lines, 1):
        found = EXPECTED.search(line)
        if not found:
            continue
        offset = re.search(r"LINE-(\d+)", found[1])
        at = number - int(offset[1]) if offset else number
        programs.setdefault((at, lines[at - 1].strip()), []).append(found[3])
    return {program: messages for (_, program), messages in programs.items()}


def of_runs(text):
    found = re.findall(r"^([A-Z]+): \S+?:\d+:\d+: error: (.*)", text, re.M)
    return {f"run {prefix}": [message] for prefix, message in found}


def of_syntax(text):
    text = re.sub(r'"\s*\n\s*"', "", text)
    cases = re.findall(r'\{"(\w+)",\s*"((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)"\}', text)
    return {
        program: re.findall(r"\d+:\d+: ([^\\]*)\\n", messages)
        for _, program, messages in cases
    }


def kind(message):
    return re.sub(r"'[^']*'|-?\d+(\.\d+)?|U\+\w+", "_", message)


def main(folder, syntax, minimum):
    programs = of_syntax(pathlib.Path(syntax).read_text())
    print(len(programs), "wrong texts")
    for path in sorted(pathlib.Path(folder).glob("errors-*")):
        text = path.read_text()
        found = of_definitions(text) if path.suffix == ".attn" else of_runs(text)
        print(len(found), "in", path.name)
        programs.update(found)
    kinds = {kind(message) for messages in programs.values() for message in messages}
    print(f"{len(programs)} wrong programs, {len(kinds)} messages")
    return len(programs) < int(minimum)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
