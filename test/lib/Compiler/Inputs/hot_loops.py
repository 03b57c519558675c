# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Finds in assembly for x86 or AArch64 the innermost loops that multiply and add
most, at least half of whose instructions do, and prints for each how many vector
multiply-adds it has and how many vectors and addresses on the stack: what does
not fit the registers is reloaded in every round.

usage: hot_loops.py COUNT < ASSEMBLY
"""

import re
import sys

LABEL = re.compile(r"^(\.?\w+):")
BRANCH = re.compile(r"^\s+(?:j\w+|b\.\w+)\s+(\.?\w+)\s*(#.*)?$")
PRODUCT = re.compile(r"\s+(vfmadd\w+p[sd]|fmla)\s")
INSTRUCTION = re.compile(r"\s+[a-z]")
# With an index register it is an element of a tile, without a spill.
STACK = re.compile(r"\(%[er]sp\)|\[sp(, #\d+)?\]")
VECTOR = re.compile(r"%[xyz]mm|\bq\d")


def innermostLoops(lines):
    """Pairs (first, last) of lines from a label to a jump back to it, in which
    no other such pair lies."""
    labels, loops = {}, []
    for number, line in enumerate(lines):
        if found := LABEL.match(line):
            labels[found[1]] = number
        elif (found := BRANCH.match(line)) and found[1] in labels:
            loops.append((labels[found[1]], number))
    for first, last in loops:
        inside = [loop for loop in loops if first <= loop[0] and loop[1] <= last]
        if inside == [(first, last)]:
            yield lines[first : last + 1]


def main():
    lines = sys.stdin.read().splitlines()
    found = []
    for loop in innermostLoops(lines):
        products = sum(bool(PRODUCT.match(line)) for line in loop)
        if 2 * products < sum(bool(INSTRUCTION.match(line)) for line in loop):
            continue
        stack = [line for line in loop if STACK.search(line)]
        vectors = sum(bool(VECTOR.search(line)) for line in stack)
        found.append((products, vectors, len(stack) - vectors))
    found.sort(reverse=True)
    for products, vectors, addresses in found[: int(sys.argv[1])]:
        print(f"{products} multiply-adds, {vectors} vectors and {addresses} "
              "addresses on the stack")


if __name__ == "__main__":
    main()
