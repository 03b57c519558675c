# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The layout of blocks as the authors build it, then the mask of tokens."""

import numpy as np
from formulas import attend, causal, scores

CASES = [
    dict(batch=1, heads=4, kv_heads=2, queries=30, keys=30, dim=4, vdim=3, p=dict(block=2, length=4, columns=1)),
    dict(batch=1, heads=3, kv_heads=1, queries=7, keys=41, dim=3, vdim=2, p=dict(block=3, length=4, columns=2)),
]  # fmt: skip
WRONG = [("h % (", "0 % ("), ("<= last", "< last"), ("length == x", "length == x - 1 + x")]


def head(x):
    block, length, columns = (x.p[n] for n in ("block", "length", "columns"))
    blocks = -(-x.keys // block)
    layout = np.zeros((blocks, blocks), bool)
    vertical = x.h % (length // columns)
    for row in range(blocks):
        start = row - row % length
        layout[row, start : row + 1] = True
        for begin in range(0, blocks, length):
            end = begin + length - vertical * columns
            layout[row, end - columns : end] = True
    kept = layout[np.ix_(x.i // block, x.j // block)] & causal(x)
    return attend(scores(x.q, x.k), kept, x.v)
