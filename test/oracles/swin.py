# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Roll the image, cut it into windows, number the regions, attend, roll back."""

import numpy as np
from formulas import attend, scores

CASES = [
    dict(batch=1, heads=2, kv_heads=1, queries=54, keys=54, dim=4, vdim=3, side=5, p=dict(width=9, w=3, shift_by=1)),
    dict(batch=2, heads=2, kv_heads=2, queries=32, keys=32, dim=3, vdim=2, side=7, p=dict(width=8, w=4, shift_by=2)),
    dict(batch=1, heads=1, kv_heads=1, queries=32, keys=32, dim=3, vdim=2, side=7, p=dict(width=8, w=4, shift_by=0)),
]  # fmt: skip
INPUTS = {"bias": "heads side side"}
WRONG = [("& sameRegion", ""), ("yi - yj + w", "yj - yi + w"), ("i % width - shift_by", "i % width + shift_by")]


def head(x):
    width, w, shift = x.p["width"], x.p["w"], x.p["shift_by"]
    image = x.j.reshape(-1, width)
    height = len(image)
    rolled = np.roll(image, (-shift, -shift), (0, 1))
    regions = np.zeros((height, width), int)
    ends = (slice(0, -w), slice(-w, -shift or None), slice(-shift, None))
    count = 0
    for rows in ends[: 3 if shift else 2]:
        for columns in ends[: 3 if shift else 2]:
            regions[rows, columns] = count
            count += 1
    out = np.zeros((x.queries, x.v.shape[1]))
    place = np.stack(np.divmod(np.arange(w * w), w), -1)
    offset = place[:, None] - place[None] + w - 1
    for top in range(0, height, w):
        for left in range(0, width, w):
            part = slice(top, top + w), slice(left, left + w)
            tokens, region = rolled[part].ravel(), regions[part].ravel()
            score = scores(x.q[tokens], x.k[tokens])
            score = score + x.bias[offset[..., 0], offset[..., 1]]
            kept = region[:, None] == region[None]
            out[tokens] = attend(score, kept, x.v[tokens])[0]
    return out
