# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A window of 4096 keys, the query's own included, and scores capped at 50."""

import numpy as np
from formulas import attend, causal, scores

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=21, keys=21, dim=8, vdim=3),
    dict(batch=1, heads=1, kv_heads=1, queries=5, keys=4103, dim=4, vdim=3),
]
INPUTS = {"q": ("batch heads queries dim", lambda x: 40 * x)}
WRONG = [("4096", "4097"), ("50 * tanh", "49 * tanh")]


def head(x):
    score = 50 * np.tanh(scores(x.q, x.k) / 50)
    kept = causal(x) & (x.i[:, None] - 4096 < x.j[None])
    return attend(score, kept, x.v)
