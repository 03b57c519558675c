# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Gathered channels, then gathered tokens."""

import numpy as np
from drive import SHAPES
from formulas import attend, best, scores

CASES = [{**shape, "p": dict(picks=picks)} for shape, picks in zip(SHAPES, (4, 5, 7, 3))]


def channels(random, n):
    label = np.zeros(n.sizes, bool)
    for row in label:
        row[random.choice(n.dim, max(1, n.dim // 2), replace=False)] = True
    return label


INPUTS = {"label": ("heads dim", channels)}
WRONG = [("where(label, q, 0)", "q"), ("top(picks", "top(picks + 1")]


def head(x):
    estimate = x.q[:, x.label] @ x.k[:, x.label].T
    kept = np.zeros((x.queries, x.keys), bool)
    for row, i in enumerate(x.i):
        kept[row, list(best(estimate[row], x.p["picks"], range(i + 1)))] = True
    return attend(scores(x.q, x.k), kept, x.v)
