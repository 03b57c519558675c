# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Keys and values restored from eight bits, one scale for each token."""

import numpy as np
from drive import SHAPES
from formulas import attend, causal, rotate, scores


def codes(random, n):
    return random.integers(-127, 128, n.sizes)


CASES = [
    {**shape, "dim": 8, "p": dict(layer=layer, window=4)}
    for shape, layer in zip(SHAPES, (0, 5, 7, 11))
]
INPUTS = {
    "k": None,
    "v": None,
    "ki": ("batch keys dim", codes, "i1"),
    "vi": ("batch keys vdim", codes, "i1"),
    "ks": ("batch keys", lambda x: np.exp(x) / 127),
    "vs": ("batch keys", lambda x: np.exp(x) / 127),
}
WRONG = [("== 5", "== 0"), ("vs * real(vi)", "vs * vs * real(vi)"), ("- j < window", "- j <= window")]


def head(x):
    k, v = x.ks[:, None] * x.ki, x.vs[:, None] * x.vi
    kept = causal(x)
    if (x.p["layer"] + 1) % 6:
        kept &= x.i[:, None] - x.j[None] < x.p["window"]
    return attend(scores(rotate(x.q, x.i), rotate(k, x.j)), kept, v)
