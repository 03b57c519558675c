# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Every key as often as it stands for."""

import numpy as np
from formulas import attend, scores

INPUTS = {"size": ("batch keys", lambda random, n: random.integers(1, 6, n.sizes).astype(float))}
WRONG = [("log(max(1.0, size[j]))", "size[j]"), ("size[j]))", "size[j] + 1))")]


def head(x):
    copies = np.repeat(x.j, x.size.astype(int))
    return attend(scores(x.q, x.k[copies]), True, x.v[copies])
