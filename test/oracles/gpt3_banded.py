# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Even layers see all, odd ones a band."""

import numpy as np
from drive import SHAPES
from formulas import attend, scores

CASES = [
    {**shape, "p": dict(layer=n, band=4 + n)} for n, shape in enumerate(SHAPES[:3] * 2)
]
WRONG = [("layer % 2 == 0", "layer % 2 == 1"), ("- j < band", "- j <= band")]


def head(x):
    kept = np.tri(x.queries, x.keys, x.keys - x.queries, bool)
    if x.p["layer"] % 2:
        kept &= ~np.tri(x.queries, x.keys, x.keys - x.queries - x.p["band"], bool)
    return attend(scores(x.q, x.k), kept, x.v)
