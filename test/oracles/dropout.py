# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Weights dropped by Philox4x32-10, as its authors define it."""

import numpy as np
from drive import SHAPES
from formulas import causal, scores, softmax, NONE

CASES = [
    {**shape, "p": {"p": p}, "seed": 40 + n}
    for n, (shape, p) in enumerate(zip(SHAPES[:3], (0.1, 0.5, 0.25)))
]
INPUTS = {"seed": ("", lambda random, n: np.array(random.integers(1 << 40)), "i8")}
WRONG = [("1 / (1 - p)", "1"), ("uniform(seed) < p", "uniform(seed) > p")]


def philox(key, counter):
    """Ten rounds over four words of 32 bits: Salmon et al. 2011, section 3.3."""
    word = 0xFFFFFFFF
    x, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [b >> 32 ^ x[1] ^ k[0], b & word, a >> 32 ^ x[3] ^ k[1], a & word]
        k = [k[0] + 0x9E3779B9 & word, k[1] + 0xBB67AE85 & word]
    return x


def head(x):
    seed = int(x.seed)
    weight = softmax(np.where(causal(x), scores(x.q, x.k), NONE))
    for row, i in enumerate(x.i):
        for j in x.j:
            first = philox(
                (seed & 0xFFFFFFFF, seed >> 32), (x.b, x.h, int(i), int(j))
            )[0]
            dropped = (first >> 8) * 2.0**-24 < x.p["p"]
            weight[row, j] *= 0 if dropped else 1 / (1 - x.p["p"])
    return weight @ x.v
