# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""Complex numbers, and the sum that the recurrence stands for."""

import numpy as np
from formulas import layernorm, sigmoid, silu

CASES = [
    dict(batch=2, heads=2, queries=13, keys=13, vdim=3, both=6),
    dict(batch=1, heads=3, queries=30, keys=30, vdim=4, both=8),
]
INPUTS = {
    "q": None,
    "k": None,
    "v": None,
    "f": "batch heads keys vdim",
    "cr": "batch heads keys vdim",
    "ci": "batch heads keys vdim",
    "theta": "heads vdim",
    "bound": ("heads vdim", lambda x: 1 / (1 + np.exp(-x))),
    "gate": "batch heads keys both",
}
WRONG = [("(1 - bound) * sigmoid(f)", "sigmoid(f)"), ("sin(theta) * R0", "sin(theta) * R"), ("(1 - a) * silu(ci)", "silu(ci)")]


def head(x):
    a = (x.bound + (1 - x.bound) * sigmoid(x.f)) * np.exp(1j * x.theta)
    c = (1 - np.abs(a)) * (silu(x.cr) + 1j * silu(x.ci))
    h = [sum(np.prod(a[j + 1 : i + 1], 0) * c[j] for j in range(i + 1)) for i in x.i]
    h = np.array(h)
    return layernorm(silu(x.gate) * np.concatenate([h.real, h.imag], -1))
