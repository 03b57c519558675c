# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A strict lower triangle with the decay of the tokens between, and the bonus on the
diagonal."""

import numpy as np
from formulas import layernorm, silu

INPUTS = {
    "w": "heads dim",
    "u": "heads dim",
    "scale": "heads vdim",
    "offset": "heads vdim",
    "gate": "batch heads queries vdim",
}
WRONG = [("outer(u * k, v)", "outer(k, v)"), ("exp(-exp(w))", "exp(-w)"), ("eps = 0.00064", "eps = 0.001")]


def head(x):
    w = np.exp(-np.exp(x.w))
    out = np.zeros((x.queries, x.v.shape[1]))
    for row, i in enumerate(x.i):
        for j in range(i):
            out[row] += (x.q[row] * w ** (i - 1 - j)) @ x.k[j] * x.v[j]
        out[row] += (x.q[row] * x.u) @ x.k[i] * x.v[i]
    return silu(x.gate) * (layernorm(out, 64e-5) * x.scale + x.offset)
