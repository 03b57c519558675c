# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A strict lower triangle with exclusive decay at the query, and the bonus."""

import numpy as np
from formulas import layernorm, silu

INPUTS = {
    "w": "batch heads keys dim",
    "u": "heads dim",
    "scale": "heads vdim",
    "offset": "heads vdim",
    "gate": "batch heads queries vdim",
}
WRONG = [("outer(u * k, v)", "outer(k, v)"), ("exp(-exp(w))", "exp(-w * w)"), ("S = exp(-exp(w)) * S + outer(k, v)", "S = exp(-exp(w)) * (S + outer(k, v))")]


def head(x):
    passed = np.cumsum(-np.exp(x.w), 0)
    out = np.zeros((x.queries, x.v.shape[1]))
    for row, i in enumerate(x.i):
        if i:
            decay = np.exp(passed[i - 1] - passed[:i])
            out[row] = (x.q[row] * decay * x.k[:i]).sum(1) @ x.v[:i]
        out[row] += (x.q[row] * x.u) @ x.k[i] * x.v[i]
    return silu(x.gate) * (layernorm(out, 64e-5) * x.scale + x.offset)
