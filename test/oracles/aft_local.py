# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The sum over all tokens before, corrected by a band of exp(w) - 1."""

import numpy as np
from drive import SHAPES
from formulas import sigmoid

CASES = [{**shape, "p": dict(near=n)} for shape, n in zip(SHAPES, (3, 5, 4, 1))]
INPUTS = {
    "q": "batch heads queries vdim",
    "k": "batch heads keys vdim",
    "w": "keys keys",
}
WRONG = [("- j < near", "- j <= near"), ("w[i, j], 0)", "w[i, j], -1000)")]


def head(x):
    distance = x.j[:, None] - x.j[None]
    band = np.where((distance >= 0) & (distance < x.p["near"]), np.expm1(x.w), 0)
    k = np.exp(x.k)
    above = np.cumsum(k * x.v, 0) + band @ (k * x.v)
    return sigmoid(x.q) * (above / (np.cumsum(k, 0) + band @ k))[x.i]
