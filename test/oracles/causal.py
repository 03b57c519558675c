# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""No query sees a later key; more queries than keys leave empty rows."""

from drive import SHAPES
from formulas import attend, causal, scores

CASES = SHAPES + [
    dict(batch=1, heads=2, kv_heads=1, queries=9, keys=6, dim=3, vdim=2)
]
WRONG = [("i >= j", "i > j"), ("i >= j", "row >= j")]


def head(x):
    return attend(scores(x.q, x.k), causal(x), x.v)
