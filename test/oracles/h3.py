# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""A convolution with the kernel Re(C A^l B), by the fast Fourier transform of twice
the length."""

import numpy as np

CASES = [
    dict(batch=2, heads=2, queries=13, keys=13, one=1, states=3),
    dict(batch=1, heads=3, queries=9, keys=30, one=1, states=4),
]
INPUTS = {
    "q": "batch heads queries one",
    "k": "batch heads keys",
    "v": "batch heads keys",
    "taps": "heads 4",
    **{name: ("heads states", lambda x: 0.5 * np.tanh(x)) for name in ("ar", "ai")},
    **{name: "heads states" for name in ("br", "bi", "cr", "ci")},
    "d": "heads",
}
WRONG = [("ai * R0", "ai * R"), ("- dot(ci, I)", "+ dot(ci, I)"), ("shift(k, 3)", "shift(k, 4)"), ("+ d * u", "+ d")]


def head(x):
    shifted = np.convolve(x.taps, x.k)[: x.keys]
    u = shifted * x.v
    a, b, c = x.ar + 1j * x.ai, x.br + 1j * x.bi, x.cr + 1j * x.ci
    kernel = np.array([(c * a**n * b).sum().real for n in range(x.keys)])
    twice = 2 * x.keys
    y = np.fft.irfft(np.fft.rfft(u, twice) * np.fft.rfft(kernel, twice), twice)
    return x.q * (y[: x.keys] + x.d * u)[x.i][:, None]
