# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A window and the last four keys of every block."""

import numpy as np
from formulas import attend, causal, scores

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=31, keys=31, dim=4, vdim=3, p=dict(s=6)),
    dict(batch=2, heads=2, kv_heads=2, queries=9, keys=40, dim=3, vdim=2, p=dict(s=9)),
]
WRONG = [("s - 4", "s - 3"), ("i - j < s", "i - j <= s")]


def head(x):
    s = x.p["s"]
    summary = np.isin(x.j % s, [s - 1, s - 2, s - 3, s - 4])
    near = x.i[:, None] - x.j[None] < s
    return attend(scores(x.q, x.k), causal(x) & (near | summary[None]), x.v)
