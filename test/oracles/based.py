# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The features [1, x, x (x) x / sqrt 2] written out."""

import numpy as np
from formulas import causal_ratio

WRONG = [("s * s / 2", "s * s"), ("1 + s", "s")]


def features(x):
    x = x * x.shape[1] ** -0.25
    squares = np.einsum("na,nb->nab", x, x).reshape(len(x), -1) / np.sqrt(2)
    return np.c_[np.ones(len(x)), x, squares]


def head(x):
    return causal_ratio(x, features(x.q), features(x.k))
