# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""SimHash tables of centred keys; the probability of two collisions is summed up
from the binomial law."""

from math import comb

import numpy as np
from formulas import attend, causal, scores

CASES = [
    dict(batch=2, heads=4, kv_heads=2, queries=19, keys=19, dim=5, vdim=3, tables=7, seed=3, p=dict(bits=2, tables=7, sinks=2, window=3)),
    dict(batch=1, heads=2, kv_heads=1, queries=6, keys=40, dim=4, vdim=3, tables=9, seed=4, p=dict(bits=3, tables=9, sinks=1, window=2)),
    dict(batch=1, heads=1, kv_heads=1, queries=5, keys=20, dim=4, vdim=3, tables=150, seed=5, p=dict(bits=7, tables=150, sinks=1, window=2)),
]  # fmt: skip
# The codes only say which keys are candidates: any will do.
INPUTS = {
    "centre": ("batch kv_heads dim", lambda x: 0.3 * x),
    "cq": ("batch heads queries tables", lambda random, n: random.integers(0, 4, n.sizes)),
    "ck": ("batch kv_heads keys tables", lambda random, n: random.integers(0, 4, n.sizes)),
}
WRONG = [(">= 2", ">= 1"), ("k - centre", "k + centre"), ("0.0001", "0.001"), ("tables - 1)", "tables)")]


def head(x):
    bits, tables = x.p["bits"], x.p["tables"]
    k = x.k - x.centre
    lengths = np.linalg.norm(x.q, axis=1)[:, None] * np.linalg.norm(k, axis=1)[None]
    p = (1 - np.arccos(np.clip(x.q @ k.T / lengths, -1, 1)) / np.pi) ** bits
    u = sum(
        float(comb(tables, n)) * p**n * (1 - p) ** (tables - n) for n in range(2, tables + 1)
    )
    same = (x.cq[:, None] == x.ck[None]).sum(-1)
    exact = (x.j < x.p["sinks"])[None] | (x.i[:, None] - x.j[None] < x.p["window"])
    score = scores(x.q, x.k) - np.where(exact, 0, np.log(u + 1e-4))
    return attend(score, causal(x) & (exact | (same >= 2)), x.v)
