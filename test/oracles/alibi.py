# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A penalty that grows with the distance; the slopes of the paper, 2^(-8 (h + 1) / H)."""

import numpy as np
from formulas import attend, causal, scores

INPUTS = {
    "slopes": (
        "heads",
        lambda random, n: 2.0 ** (-8 * (np.arange(n.heads) + 1) / n.heads),
    )
}
WRONG = [("slopes[h]", "slopes[0]"), ("- slopes[h]", "+ slopes[h]")]


def head(x):
    distance = x.i[:, None] - x.j[None]
    return attend(scores(x.q, x.k) - x.slopes * distance, causal(x), x.v)
