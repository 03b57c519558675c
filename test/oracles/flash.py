# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Chunk by chunk: the quadratic term inside, the state of earlier chunks before."""

import numpy as np
from formulas import relu

CASES = [
    dict(batch=2, heads=1, kv_heads=1, queries=11, keys=11, dim=5, vdim=3, p=dict(chunk=4)),
    dict(batch=1, heads=1, kv_heads=1, queries=6, keys=17, dim=4, vdim=8, p=dict(chunk=3)),
]  # fmt: skip
INPUTS = {
    "q": None,
    "k": None,
    "z": "batch keys dim",
    "gamma": ("4 dim", lambda x: 1 + x),
    "beta": "4 dim",
    "u": "batch heads queries vdim",
}
WRONG = [("gamma[3, :]", "gamma[2, :]"), ("a * a,", "a,"), ("dot(lq, lk) / keys", "0.0")]


def head(x):
    q, k, lq, lk = (x.z * g + b for g, b in zip(x.gamma, x.beta))
    state = np.zeros((x.z.shape[1], x.v.shape[1]))
    out = []
    for start in range(0, x.keys, x.p["chunk"]):
        part = slice(start, start + x.p["chunk"])
        a = np.tril(relu(q[part] @ k[part].T / x.p["chunk"]) ** 2)
        out.append(a @ x.v[part] + lq[part] @ state / x.keys)
        state += lk[part].T @ x.v[part]
    return x.u * np.concatenate(out)[x.i]
