# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Blocks as the kernel takes them: quadratic inside, the state between."""

import numpy as np
from drive import SHAPES
from formulas import sigmoid, silu

CASES = [
    {**shape, "p": dict(layer=layer, layers=layers)}
    for shape, layer, layers in zip(SHAPES, (0, 3, 11, 79), (80, 12, 12, 80))
]
INPUTS = {"gate": "batch heads queries vdim"}
WRONG = [("(h + 1)", "h"), ("silu(v)", "v"), ("layers - 1 +", "layers +")]


def head(x):
    layer, layers = x.p["layer"], x.p["layers"]
    rate = 2 ** (-8 * (x.h + 1) / x.heads) * (1 - layer / (layers - 1 + 1e-5) + 1e-5)
    q = np.zeros((x.keys, x.q.shape[1]))
    q[x.i] = silu(x.q)
    k, v = silu(x.k), silu(x.v)
    state, out, size = 0, [], 4
    for start in range(0, x.keys, size):
        part = slice(start, start + size)
        n = np.arange(len(k[part]))
        inside = np.exp(-rate * (n[:, None] - n[None])) * np.tri(len(n))
        before = np.exp(-rate * (n + 1))[:, None]
        after = np.exp(-rate * (len(n) - 1 - n))[:, None]
        out.append((q[part] @ k[part].T * inside) @ v[part])
        if start:
            out[-1] += (q[part] * before) @ state
        state = np.exp(-rate * len(n)) * state + (k[part] * after).T @ v[part]
    return sigmoid(x.gate) * np.concatenate(out)[x.i]
