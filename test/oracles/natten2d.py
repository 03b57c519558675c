# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Pixels of an image see those of a square around them."""

import numpy as np
from formulas import attend, scores

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=35, keys=35, dim=4, vdim=3, p=dict(w=5, r=1)),
    dict(batch=1, heads=1, kv_heads=1, queries=60, keys=60, dim=3, vdim=2, p=dict(w=10, r=2)),
]  # fmt: skip
WRONG = [("i % w - j % w", "i % w - j / w"), ("<= r", "< r")]


def head(x):
    w, r = x.p["w"], x.p["r"]
    image = np.stack(np.divmod(x.j, w), -1)
    distance = np.abs(image[x.i][:, None] - image[None]).max(-1)
    return attend(scores(x.q, x.k), distance <= r, x.v)
