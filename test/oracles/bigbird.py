# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A map of blocks, row by row."""

import numpy as np
from formulas import attend, scores

CASES = [
    dict(batch=2, heads=2, kv_heads=1, queries=32, keys=32, dim=4, vdim=3, blocks=8, picks=2, p=dict(block=4)),
    dict(batch=1, heads=3, kv_heads=3, queries=27, keys=27, dim=3, vdim=2, blocks=9, picks=3, p=dict(block=3)),
]  # fmt: skip
INPUTS = {"table": ("heads blocks picks", lambda random, n: random.integers(0, n.blocks, n.sizes))}
WRONG = [("<= 1", "< 1"), ("x == last |", ""), ("table[x, :]", "table[0, :]")]


def head(x):
    block = x.p["block"]
    count = x.keys // block
    layout = np.zeros((count, count), bool)
    for row in range(count):
        layout[row, [0, count - 1, *x.table[row]]] = True
        layout[row, max(row - 1, 0) : row + 2] = True
    layout[[0, -1]] = True
    kept = np.kron(layout, np.ones((block, block), bool))
    return attend(scores(x.q, x.k), kept, x.v)
