# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Keys and values lie in one tensor that all layers of the second half read."""

from drive import SHAPES
from formulas import attend, causal, rotate, scores

CASES = [
    {**shape, "dim": 2 * shape["vdim"], "both": 4 * shape["vdim"]}
    for shape in SHAPES
]
INPUTS = {"k": None, "v": None, "shared": "batch kv_heads keys both"}
WRONG = [("let q = rope(q)", "let q = q"), ("i >= j", "i > j")]


def head(x):
    dim = x.q.shape[1]
    q, k = rotate(x.q, x.i), rotate(x.shared[:, :dim], x.j)
    return attend(scores(q, k), causal(x), x.shared[:, dim:])
