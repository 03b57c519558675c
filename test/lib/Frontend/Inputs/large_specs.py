# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Prints a spec that is too large in one way: deep, wide, nested, signs, long,
lines, branches."""

import sys

WAYS = {
    # Each line reads the one above: 1700 operations on top of one another.
    "deep": "".join(f"  let a{n + 1} = tanh(a{n}) + j\n" for n in range(1700)),
    # 52,000 different operations beside one another.
    "wide": "".join(f"  let a{n} = exp(real(j) * {n}.5)\n" for n in range(26000)),
    "nested": f"  mask = {'(' * 300}i >= j{')' * 300}\n",
    "signs": f"  score = {'-' * 300}dot(q, k)\n",
    "long": f"  mask = i >= j // {'x' * (1 << 20)}\n",
    # Just below a megabyte, and right.
    "lines": "  mask = i >= j\n" + "  // nothing\n" * 80000,
    # Each branch doubles what is computed.
    "branches": "".join(
        f"  branch r{n}[m < 64] {{ mask = i - j < {n} + m }}\n" for n in range(64)
    )
    + "  out = merge(" + ", ".join(f"r{n}" for n in range(64)) + ")\n",
}

print(f"attention {sys.argv[1]} {{\n  let a0 = real(i)\n{WAYS[sys.argv[1]]}}}")
