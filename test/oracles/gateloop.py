# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""One complex state, its real part read; nothing of the phase is dropped."""

import numpy as np
from formulas import sigmoid, silu

INPUTS = {
    "ar": "batch heads keys dim",
    "ai": "batch heads keys dim",
    "gate": "batch heads queries vdim",
}
WRONG = [("c * R - s * I", "c * R"), ("s * R0", "s * R"), ("sigmoid(length) * ar", "ar")]


def head(x):
    a = x.ar + 1j * x.ai
    a = sigmoid(np.abs(a)) * np.exp(1j * np.angle(a))
    out = np.zeros((x.queries, x.v.shape[1]))
    for row, i in enumerate(x.i):
        passed = np.ones(x.q.shape[1], complex)
        for j in range(i, -1, -1):
            out[row] += ((x.q[row] * passed) @ x.k[j]).real * x.v[j]
            passed = passed * a[j]
    return silu(x.gate) * out
