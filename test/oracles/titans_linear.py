# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Two nested decays: the product of two triangular matrices inside a chunk."""

import numpy as np
from formulas import l2norm, sigmoid

CASES = [
    dict(batch=2, heads=2, kv_heads=1, queries=11, keys=11, dim=4, vdim=3, p=dict(chunk=4)),
    dict(batch=1, heads=1, kv_heads=1, queries=5, keys=14, dim=3, vdim=3, p=dict(chunk=5)),
]  # fmt: skip
INPUTS = {name: "batch heads keys" for name in ("alpha", "eta", "theta")}
WRONG = [("hold(M, chunk)", "M"), ("(1 - sigmoid(alpha))", "sigmoid(alpha)"), ("sigmoid(eta) * m", "m")]


def decays(x):
    """[i, j] the product of x over j + 1 .. i."""
    n = range(len(x))
    return np.array([[np.prod(x[j + 1 : i + 1]) if j <= i else 0 for j in n] for i in n])


def head(x):
    q, k = l2norm(x.q), l2norm(x.k)
    kept, eta, theta = 1 - sigmoid(x.alpha), sigmoid(x.eta), sigmoid(x.theta)
    M = m = np.zeros((k.shape[1], x.v.shape[1]))
    out = np.zeros((x.queries, x.v.shape[1]))
    for start in range(0, x.keys, x.p["chunk"]):
        t = x.j[start : start + x.p["chunk"]]
        G = theta[t][:, None] * (k[t] @ M - x.v[t])
        first, second = decays(eta[t]), decays(kept[t])
        nested = second @ first
        carried = second @ np.cumprod(eta[t])
        faded = np.cumprod(kept[t])
        for n, i in enumerate(t):
            now = faded[n] * M + carried[n] * m - k[t].T @ (nested[n][:, None] * G)
            if i >= x.i[0]:
                out[i - x.i[0]] = q[i - x.i[0]] @ now
        m = np.prod(eta[t]) * m - k[t].T @ (first[-1][:, None] * G)
        M = now
    return out
