# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The kernel exp(-|q - k|^2 / 2 sqrt(K)), as a weighted mean."""

import numpy as np
from formulas import causal

WRONG = [("- 2 * dot(q, k)", "- dot(q, k)"), ("normalize", "")]


def head(x):
    difference = x.q[:, None] - x.k[None]
    kernel = np.exp(-(difference**2).sum(-1) / (2 * np.sqrt(x.q.shape[1])))
    kernel = np.where(causal(x), kernel, 0)
    return np.array([np.average(x.v, axis=0, weights=w) for w in kernel])
