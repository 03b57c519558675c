# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A bias for each head and clipped distance, no scale and no mask."""

import numpy as np
from formulas import attend

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=9, keys=50, dim=4, vdim=3),
    dict(batch=2, heads=2, kv_heads=2, queries=40, keys=40, dim=3, vdim=2),
]
INPUTS = {"bias": "heads 32"}
WRONG = [("abs(i - j)", "max(0, i - j)"), ("min(31", "min(30")]


def head(x):
    distance = np.abs(x.i[:, None] - x.j[None])
    return attend(x.q @ x.k.T + x.bias[np.minimum(distance, 31)], True, x.v)
