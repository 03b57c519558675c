# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Every sixteenth key of a window."""

import numpy as np
from formulas import attend, scores

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=60, keys=60, dim=3, vdim=2),
    dict(batch=1, heads=1, kv_heads=1, queries=3, keys=4130, dim=3, vdim=2),
]
WRONG = [("% 16", "% 8"), ("4096", "4080")]


def head(x):
    steps = np.arange(0, 4096, 16)
    kept = np.isin(x.i[:, None] - x.j[None], steps)
    return attend(scores(x.q, x.k), kept, x.v)
