# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A window that keeps the first tokens."""

from drive import SHAPES
from formulas import attend, scores

CASES = [
    {**shape, "p": dict(window=window, sinks=sinks)}
    for shape, window, sinks in zip(SHAPES, (3, 5, 8, 4), (2, 1, 3, 0))
]
WRONG = [("i - j < window", "i - j <= window"), ("| j < sinks", "")]


def head(x):
    window, sinks = x.p["window"], x.p["sinks"]
    kept = [
        [j <= i and (j > i - window or j < sinks) for j in x.j] for i in x.i
    ]
    return attend(scores(x.q, x.k), kept, x.v)
