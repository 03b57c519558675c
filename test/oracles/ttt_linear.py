# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The dual form: chunk by chunk, the gradient by the Jacobian of the norm."""

import numpy as np
from formulas import layernorm

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=11, keys=11, dim=4, vdim=4, p=dict(chunk=4)),
    dict(batch=1, heads=1, kv_heads=1, queries=5, keys=14, dim=3, vdim=3, p=dict(chunk=5)),
]  # fmt: skip
INPUTS = {
    "eta": ("batch heads keys", lambda x: 0.3 / (1 + np.exp(-x))),
    "W0": ("heads dim vdim", lambda x: 0.3 * x),
    "b0": "heads vdim",
    "gamma": ("heads vdim", lambda x: 1 + 0.2 * x),
    "beta": ("heads vdim", lambda x: 0.2 * x),
}
WRONG = [("hold(W, chunk)", "W"), ("- x * mean(x * y)", ""), ("as(q, vdim) +", "")]


def gradient(z, target, gamma, beta):
    """Of |gamma LN(z) + beta - target|^2 / 2, by the derivative of each step."""
    count = len(z)
    s = np.sqrt(z.var() + 1e-6)
    xhat = (z - z.mean()) / s
    jacobian = (np.eye(count) - 1 / count - np.outer(xhat, xhat) / count) / s
    return jacobian.T @ (gamma * (gamma * xhat + beta - target))


def head(x):
    W, b = x.W0, x.b0
    out = np.zeros((x.queries, x.v.shape[1]))
    for start in range(0, x.keys, x.p["chunk"]):
        tokens = x.j[start : start + x.p["chunk"]]
        target = x.v[tokens] - x.k[tokens]
        G = np.array([
            gradient(k @ W + b, t, x.gamma, x.beta) for k, t in zip(x.k[tokens], target)
        ])
        G = x.eta[tokens][:, None] * G
        for n, i in enumerate(tokens):
            row = i - x.i[0]
            if row >= 0:
                z = x.q[row] @ W - x.q[row] @ x.k[tokens[: n + 1]].T @ G[: n + 1]
                z = z + b - G[: n + 1].sum(0)
                out[row] = x.q[row] + x.gamma * layernorm(z, 1e-6) + x.beta
        W, b = W - x.k[tokens].T @ G, b - G.sum(0)
    return out
