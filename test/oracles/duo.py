# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Some heads see all, the others a window of 256 and four sinks."""

import numpy as np
from formulas import attend, causal, scores

CASES = [
    dict(batch=1, heads=4, kv_heads=2, queries=11, keys=300, dim=4, vdim=3),
    dict(batch=2, heads=3, kv_heads=1, queries=280, keys=280, dim=2, vdim=3),
]
INPUTS = {"full": ("heads", lambda random, n: np.arange(n.heads) % 2 == 0)}
WRONG = [("256", "255"), ("j < 4", "j < 5"), ("full[h]", "!full[h]")]


def head(x):
    age = x.i[:, None] - x.j[None]
    kept = causal(x) if x.full else causal(x) & ((age < 256) | (x.j < 4)[None])
    return attend(scores(x.q, x.k), kept, x.v)
