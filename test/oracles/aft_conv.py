# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A convolution with exp(w) - 1 beside the sum over all tokens before."""

import numpy as np
from drive import SHAPES
from formulas import sigmoid

CASES = [{**shape, "distances": 5} for shape in SHAPES]
INPUTS = {
    "q": "batch heads queries vdim",
    "k": "batch heads keys vdim",
    "w": "heads distances",
}
WRONG = [("w[i - j]", "w[min(i - j, 4)]"), ("sigmoid(q)", "q")]


def convolve(taps, x):
    return np.array([
        sum(tap * x[i - d] for d, tap in enumerate(taps) if d <= i)
        for i in range(len(x))
    ])


def head(x):
    taps, k = np.expm1(x.w), np.exp(x.k)
    above = np.cumsum(k * x.v, 0) + convolve(taps, k * x.v)
    below = np.cumsum(k, 0) + convolve(taps, k)
    return sigmoid(x.q) * (above / below)[x.i]
