# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""The first tokens see each other, the rest is causal."""

import numpy as np
from formulas import attend, causal, scores

INPUTS = {"prefix": ("batch", lambda random, n: random.integers(1, 6, n.sizes))}
WRONG = [("prefix[b]", "prefix[b] + 1")]


def head(x):
    kept = causal(x)
    kept[:, : x.prefix] = True
    return attend(scores(x.q, x.k), kept, x.v)
