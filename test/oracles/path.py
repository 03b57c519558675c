# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %oracle %s

"""All scores at once, by the triangular solve of the WY form."""

import numpy as np
from formulas import attend, causal, l2norm, sigmoid

INPUTS = {
    "w": ("batch kv_heads keys dim", lambda x: l2norm(x)),
    "beta": ("batch kv_heads keys", lambda x: 2 * sigmoid(x)),
}
WRONG = [("k - beta * w", "k + beta * w"), ("dot(w, k)", "dot(w, w)")]


def head(x):
    q = np.zeros((x.keys, x.q.shape[1]))
    q[x.i] = x.q
    gram = np.eye(x.keys) + np.tril(x.beta[:, None] * (x.w @ x.w.T), -1)
    solved = np.linalg.solve(gram, np.diag(x.beta))
    score = q @ x.k.T - np.tril(q @ x.w.T) @ solved @ np.tril(x.w @ x.k.T, -1)
    return attend(score[x.i] / np.sqrt(x.q.shape[1]), causal(x), x.v)
