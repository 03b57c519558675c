# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Scores bent into (-cap, cap)."""

import numpy as np
from drive import SHAPES
from formulas import attend, causal, scores

CASES = [
    {**shape, "p": dict(cap=cap)} for shape, cap in zip(SHAPES, (1.5, 0.1, 50.0, 2.0))
]
WRONG = [("/ sqrt(dim)", ""), ("cap * tanh", "tanh")]


def head(x):
    cap = x.p["cap"]
    bent = np.exp(2 * scores(x.q, x.k) / cap)
    return attend(cap * (bent - 1) / (bent + 1), causal(x), x.v)
