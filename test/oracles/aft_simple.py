# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A running mean with the weights exp(k)."""

import numpy as np
from formulas import sigmoid

INPUTS = {"q": "batch heads queries vdim", "k": "batch heads keys vdim"}
WRONG = [("exp(k - m) * v", "exp(k) * v"), ("exp(m0 - m) * b", "b"), ("* a / b", "* a")]


def head(x):
    mean = np.cumsum(np.exp(x.k) * x.v, 0) / np.cumsum(np.exp(x.k), 0)
    return sigmoid(x.q) * mean[x.i]
