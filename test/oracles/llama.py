# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Rotary positions; only differences of positions have a say."""

from drive import SHAPES
from formulas import attend, causal, rotate, scores

CASES = [{**shape, "dim": 2 * shape["dim"]} for shape in SHAPES]
WRONG = [("let q = rope(q, theta = 500000)", "let q = rope(q, theta = 10000)")]


def head(x):
    # Turned by positions from the last one.
    q, k = rotate(x.q, x.i - x.keys, 5e5), rotate(x.k, x.j - x.keys, 5e5)
    return attend(scores(q, k), causal(x), x.v)
