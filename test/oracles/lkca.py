# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The convolution view: an image slides under the kernel."""

import numpy as np

CASES = [
    dict(batch=2, heads=2, kv_heads=1, queries=16, keys=16, vdim=3, extent=7, p=dict(side=4)),
    dict(batch=1, heads=3, kv_heads=3, queries=25, keys=25, vdim=2, extent=9, p=dict(side=5)),
]  # fmt: skip
INPUTS = {"q": None, "k": None, "w": "heads extent extent"}
WRONG = [("i / side - j / side", "j / side - i / side"), ("i % side - j % side", "i % side")]


def head(x):
    side = x.p["side"]
    image = x.v.reshape(side, side, -1)
    padded = np.pad(image, ((side - 1,) * 2, (side - 1,) * 2, (0, 0)))
    flipped = x.w[::-1, ::-1]
    out = np.zeros_like(image)
    for y in range(side):
        for column in range(side):
            part = padded[y : y + 2 * side - 1, column : column + 2 * side - 1]
            out[y, column] = (flipped[..., None] * part).sum((0, 1))
    return out.reshape(side * side, -1)
