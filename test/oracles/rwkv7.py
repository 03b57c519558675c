# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The state as the paper has it, V x K, with full transition matrices."""

import numpy as np
from formulas import l2norm, layernorm, sigmoid

INPUTS = {
    **{name: "batch heads keys dim" for name in ("w", "a", "kappa")},
    "v0": "batch heads keys vdim",
    "nu": "batch heads keys vdim",
    "ka": "heads dim",
    "rk": "heads dim",
    "scale": "heads vdim",
    "offset": "heads vdim",
    "gate": "batch heads queries vdim",
}
WRONG = [("outer(rate * kk, dot(kk, S))", "outer(kk, dot(kk, S))"), ("-exp(-0.5) * sigmoid(w)", "-sigmoid(w)"), ("(rate - 1) * ka", "rate * ka"), ("(v0 - v)", "v0"), ("k * rk", "rk")]


def head(x):
    v = x.v + (x.v0 - x.v) * sigmoid(x.nu)
    a, kappa = sigmoid(x.a), l2norm(x.kappa)
    k = x.k * (1 + (a - 1) * x.ka)
    w = np.exp(-np.exp(-0.5) * sigmoid(x.w))
    S = np.zeros((v.shape[1], k.shape[1]))
    out = np.zeros((x.queries, v.shape[1]))
    for j in x.j:
        transition = np.diag(w[j]) - np.outer(kappa[j], a[j] * kappa[j])
        S = S @ transition + np.outer(v[j], k[j])
        row = j - x.i[0]
        if row >= 0:
            r = x.q[row]
            normed = layernorm(S @ r, 64e-5) * x.scale + x.offset
            out[row] = x.gate[row] * (normed + (r * k[j] * x.rk).sum() * v[j])
    return out
