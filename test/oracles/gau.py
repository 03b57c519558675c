# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The parallel form of the gated attention unit; the mask is applied to what is
squared, so no later key has a say."""

import numpy as np
from formulas import relu

CASES = [
    dict(batch=2, heads=1, kv_heads=1, queries=11, keys=11, dim=5, vdim=3, distances=11),
    dict(batch=1, heads=1, kv_heads=1, queries=6, keys=17, dim=4, vdim=8, distances=17),
]  # fmt: skip
INPUTS = {
    "q": None,
    "k": None,
    "z": "batch keys dim",
    "gamma": ("2 dim", lambda x: 1 + x),
    "beta": "2 dim",
    "bias": "distances",
    "u": "batch heads queries vdim",
}
WRONG = [("gamma[1, :]", "gamma[0, :]"), ("a * a", "a"), ("/ keys", "/ queries")]


def head(x):
    q = x.z[x.i] * x.gamma[0] + x.beta[0]
    k = x.z * x.gamma[1] + x.beta[1]
    toeplitz = np.array([[x.bias[max(i - j, 0)] for j in x.j] for i in x.i])
    a = np.tril(relu(q @ k.T / x.keys + toeplitz) ** 2, x.keys - x.queries)
    return x.u * (a @ x.v)
