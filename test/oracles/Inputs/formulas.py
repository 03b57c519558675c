# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Pieces that several oracles are written with; float64, textbook forms."""

import numpy as np

NONE = -np.inf


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logsigmoid(x):
    return -np.logaddexp(0, -x)


def silu(x):
    return x * sigmoid(x)


def relu(x):
    return np.maximum(x, 0)


def convolve(x, taps):
    """Causal along the first axis, feature by feature: tap n is of n tokens before."""
    return sum(
        tap * np.concatenate([np.zeros((n, x.shape[1])), x])[: len(x)]
        for n, tap in enumerate(taps)
    )


def elu1(x):
    """elu(x) + 1"""
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def l2norm(x, eps=1e-6):
    return x / np.sqrt((x * x).sum(-1, keepdims=True) + eps)


def rmsnorm(x, eps=1e-5):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)


def layernorm(x, eps=1e-5):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)


def softmax(x, axis=-1):
    """Over an axis; a row of -inf gives zeros."""
    top = x.max(axis, keepdims=True, initial=NONE)
    e = np.exp(x - np.where(np.isfinite(top), top, 0))
    return e / np.maximum(e.sum(axis, keepdims=True), np.finfo(float).tiny)


def logsumexp(x):
    """Over the last axis; -inf for a row of -inf."""
    top = x.max(-1, initial=NONE)
    safe = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return safe + np.log(np.exp(x - safe[..., None]).sum(-1))


def scores(q, k):
    return q @ k.T / np.sqrt(q.shape[-1])


def attend(score, kept, v):
    """Softmax attention over the kept pairs [queries, keys]: out and lse."""
    score = np.where(kept, score, NONE)
    return softmax(score) @ v, logsumexp(score)


def causal(x):
    """Pairs of which the key is not later than the query."""
    return x.i[:, None] >= x.j[None]


def rotate(x, positions, theta=10000.0):
    """Rotary positions on halves: features d and d + D/2 turn together."""
    half = x.shape[-1] // 2
    angle = np.asarray(positions)[:, None] * theta ** (-np.arange(half) / half)
    z = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angle)
    return np.concatenate([z.real, z.imag], -1)


def causal_ratio(x, fq, fk, eps=0.0):
    """Kernel attention with features: sums over the keys up to each query's."""
    weight = np.where(causal(x), fq @ fk.T, 0)
    return weight @ x.v / (weight.sum(-1, keepdims=True) + eps)


def blocks_of(x, size, how=np.mean):
    """A row for each block of `size` rows; the last one may be shorter."""
    return np.array([how(x[n : n + size], axis=0) for n in range(0, len(x), size)])


def best(score, count, admitted, forced=()):
    """The `count` best of the admitted, forced ones first; ties to the smaller."""
    order = sorted(admitted, key=lambda c: (c not in forced, -score[c], c))
    return set(order[: max(count, len(set(forced) & set(admitted)))])
