# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The matrix of the duality: (C B^T . L) times delta x, with L from segment sums;
then the norm over the features of all heads of a group, after the gate."""

import numpy as np
from formulas import causal, convolve, silu

INPUTS = {
    "q": "batch groups queries dim",
    "k": "batch groups keys dim",
    "v": "batch heads keys vdim",
    "t": "batch heads keys",
    "bias": "heads",
    "alog": "heads",
    "d": "heads",
    "z": "batch heads queries vdim",
    "cq": "groups 4 dim",
    "ck": "groups 4 dim",
    "cv": "heads 4 vdim",
}
CASES = [
    dict(batch=2, heads=4, groups=2, queries=13, keys=13, dim=5, vdim=3),
    dict(batch=1, heads=3, groups=1, queries=7, keys=18, dim=8, vdim=4),
    dict(batch=1, heads=2, groups=2, queries=33, keys=33, dim=4, vdim=7),
]
WRONG = [
    ("t + bias", "t - bias"),
    ("delta * v", "v"),
    ("+ d * v", "+ d"),
    ("-exp(alog)", "-alog"),
    ("over = group", "over = i"),
    ("ck[3, :] * shift(k, 3)", "ck[3, :] * k"),
]


def gated(x):
    q, k = silu(convolve(x.q, x.cq)), silu(convolve(x.k, x.ck))
    v = silu(convolve(x.v, x.cv))
    delta = np.logaddexp(0, x.t + x.bias)
    g = -np.exp(x.alog) * delta
    segments = np.array([[g[j + 1 : i + 1].sum() for j in x.j] for i in x.i])
    mixing = np.where(causal(x), q @ k.T * np.exp(segments), 0)
    return (mixing @ (delta[:, None] * v) + x.d * v[x.i]) * silu(x.z)


def head(x):
    size = x.heads // x.extents["groups"]
    first = x.h // size * size
    group = np.concatenate([gated(x.at(h)) for h in range(first, first + size)], -1)
    return gated(x) / np.sqrt((group * group).mean(-1, keepdims=True) + 1e-5)
