# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A logit that takes weight: one more key, whose value is zero."""

import numpy as np
from formulas import attend, causal, scores

INPUTS = {"sink": "heads"}
WRONG = [("sink = sink[h]", "sink = sink[h] + 1"), ("sink = sink[h]", "sink = -sink[h]")]


def head(x):
    score = np.c_[scores(x.q, x.k), np.full(x.queries, x.sink)]
    kept = np.c_[causal(x), np.ones(x.queries, bool)]
    return attend(score, kept, np.r_[x.v, np.zeros((1, x.v.shape[1]))])
