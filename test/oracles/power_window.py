# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A window of alpha n^C keys."""

import numpy as np
from drive import SHAPES
from formulas import attend, causal, scores

CASES = [
    {**shape, "p": dict(alpha=a, c=c)}
    for shape, a, c in zip(SHAPES, (1.3, 0.7, 1.1, 2.1), (0.5, 0.7, 0.3, 0.4))
]
WRONG = [("real(keys)", "real(keys) / 4"), ("- j <", "- j <=")]


def head(x):
    window = int(x.p["alpha"] * x.keys ** x.p["c"])
    return attend(scores(x.q, x.k), causal(x) & (x.j > x.i[:, None] - window), x.v)
