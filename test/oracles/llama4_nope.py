# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Queries times 1 + 0.1 ln(floor((pos + 1) / 8192) + 1)."""

import numpy as np
from drive import SHAPES
from formulas import attend, causal, scores

CASES = [
    {**shape, "p": dict(floor_scale=n)} for shape, n in zip(SHAPES, (3, 4, 2, 1))
]
WRONG = [("(i + 1)", "i"), ("0.1", "0.2")]


def head(x):
    temperature = 1 + 0.1 * np.log(np.floor((x.i + 1) / x.p["floor_scale"]) + 1)
    return attend(scores(x.q, x.k) * temperature[:, None], causal(x), x.v)
