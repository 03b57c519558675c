# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""One map, the difference of two, times the values; lambda grows with depth."""

import numpy as np
from formulas import NONE, causal, rmsnorm, scores, softmax

CASES = [
    dict(batch=2, heads=4, kv_heads=2, queries=13, keys=13, dim=6, vdim=3, half=3, p=dict(layer=0, half=3)),
    dict(batch=1, heads=3, kv_heads=1, queries=7, keys=18, dim=8, vdim=4, half=4, p=dict(layer=5, half=4)),
]  # fmt: skip
INPUTS = {
    **{name: ("half", lambda x: 0.3 * x) for name in ("lq1", "lk1", "lq2", "lk2")},
    "scale": "vdim",
}
WRONG = [("lam * c", "c"), ("0.3 *", "0.2 *"), ("+ l0", ""), ("(1 - l0) *", "")]


def head(x):
    half = x.p["half"]
    first, second = (
        softmax(np.where(causal(x), scores(x.q[:, part], x.k[:, part]), NONE))
        for part in (slice(half), slice(half, None))
    )
    start = 0.8 - 0.6 * np.exp(-0.3 * x.p["layer"])
    lam = np.exp(x.lq1 @ x.lk1) - np.exp(x.lq2 @ x.lk2) + start
    return rmsnorm((first - lam * second) @ x.v) * x.scale * (1 - start)
