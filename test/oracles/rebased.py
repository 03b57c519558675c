# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The features x (x) x."""

import numpy as np
from formulas import causal_ratio, layernorm

INPUTS = {"gamma": ("2 dim", lambda x: 1 + x), "beta": "2 dim"}
WRONG = [("layernorm(k)", "k"), ("gamma[1, :]", "gamma[0, :]"), ("s * s,", "s,")]


def features(x):
    return np.einsum("na,nb->nab", x, x).reshape(len(x), -1) / np.sqrt(x.shape[1])


def head(x):
    q, k = (layernorm(y) * g + b for y, g, b in zip((x.q, x.k), x.gamma, x.beta))
    return causal_ratio(x, features(q), features(k), eps=1e-5)
