# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Chunk by chunk; the gradient of the loss of every token by complex steps, which
lose no digits: the imaginary part at a step of 1e-30."""

import numpy as np

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=7, keys=7, dim=3, vdim=3, hidden=5, p=dict(chunk=3)),
    dict(batch=1, heads=1, kv_heads=1, queries=3, keys=8, dim=2, vdim=2, hidden=6, p=dict(chunk=4)),
]  # fmt: skip
INPUTS = {
    "eta": ("batch heads keys", lambda x: 0.3 / (1 + np.exp(-x))),
    "V0": ("heads dim hidden", lambda x: 0.5 * x),
    "W0": ("heads hidden vdim", lambda x: 0.5 * x),
    "a0": "heads hidden",
    "b0": "heads vdim",
    "gamma": ("heads vdim", lambda x: 1 + 0.2 * x),
    "beta": ("heads vdim", lambda x: 0.2 * x),
}
WRONG = [("hold(V, chunk)", "V"), ("0.134145", "0.044715"), ("a - f", "a"), ("* dy", "")]


def gelu(x):
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def norm(z):
    centred = z - z.mean()
    return centred / np.sqrt((centred**2).mean() + 1e-6)


def inner(k, weights, x):
    V, a, W, b = weights
    return x.gamma * norm(gelu(k @ V + a) @ W + b) + x.beta


def gradient(k, target, weights, x):
    result = []
    for n, weight in enumerate(weights):
        change = np.zeros(weight.shape)
        for place in np.ndindex(weight.shape):
            moved = [w.astype(complex) for w in weights]
            moved[n][place] += 1e-30j
            loss = ((inner(k, moved, x) - target) ** 2).sum() / 2
            change[place] = loss.imag / 1e-30
        result.append(change)
    return result


def head(x):
    weights = [x.V0, x.a0, x.W0, x.b0]
    out = np.zeros((x.queries, x.v.shape[1]))
    for start in range(0, x.keys, x.p["chunk"]):
        first = list(weights)
        for j in x.j[start : start + x.p["chunk"]]:
            steps = gradient(x.k[j], x.v[j] - x.k[j], first, x)
            weights = [w - x.eta[j] * step for w, step in zip(weights, steps)]
            if j >= x.i[0]:
                q = x.q[j - x.i[0]]
                out[j - x.i[0]] = q + inner(q, weights, x)
    return out
