# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Multi-head latent attention, with the up-projection of the keys absorbed into
the queries and that of the values into the output: as it is decoded."""

import numpy as np
from formulas import attend, causal, rotate

CASES = [
    dict(
        batch=2, heads=2, queries=7, keys=12, nope=6, rotary=4, latent=5, qdim=10,
        p=dict(nope=6, rotary=4, latent=5),
    ),
    dict(
        batch=1, heads=3, queries=9, keys=9, nope=3, rotary=2, latent=8, qdim=5,
        p=dict(nope=3, rotary=2, latent=8),
    ),
]  # fmt: skip
INPUTS = {
    "q": "batch heads queries qdim",
    "k": None,
    "v": None,
    "c": "batch keys latent",
    "kr": "batch keys rotary",
    "wk": "heads nope latent",
    "wv": "heads nope latent",
}
WRONG = [("rope(kr)", "kr"), ("matmul(wv, c)", "matmul(wv, 2 * c)")]


def head(x):
    nope = x.p["nope"]
    absorbed = x.q[:, :nope] @ x.wk
    turned = rotate(x.q[:, nope:], x.i) @ rotate(x.kr, x.j).T
    score = (absorbed @ x.c.T + turned) / np.sqrt(x.q.shape[1])
    mixed, lse = attend(score, causal(x), x.c)
    return mixed @ x.wv.T, lse
