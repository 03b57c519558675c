# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A map with A += A (1 - l / h) M off its diagonal."""

import numpy as np
from formulas import NONE, causal, scores, softmax
from drive import SHAPES

CASES = [
    {**shape, "p": dict(layer=layer, horizon=horizon)}
    for shape, layer, horizon in zip(SHAPES, (3, 0, 8, 7), (9, 5, 32, 8))
]
INPUTS = {"m": "batch heads queries keys"}
WRONG = [("i == j, 1", "i == j, 2"), ("1 - real(layer)", "2 - real(layer)")]


def head(x):
    a = softmax(np.where(causal(x), scores(x.q, x.k), NONE))
    change = a * (1 - x.p["layer"] / x.p["horizon"]) * x.m
    change[x.i[:, None] == x.j[None]] = 0
    return (a + change) @ x.v
