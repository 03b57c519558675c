#!/usr/bin/env python3
# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Times one of PyTorch's ways to compute attention, case by case.

    python3 timing.py sdpa|flex|unfused THREADS

Reads a case (benchmarks/cases.py) as a line of JSON, answers {"ms": MEDIAN} or
{"ms": null} where the peer has no such case, and waits for the next.

  sdpa      scaled_dot_product_attention: full, causal, grouped heads
  flex      flex_attention, compiled for the case's mask and score
  unfused   two matrix products of the BLAS and a softmax, in place
"""

import json
import math
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import torch  # noqa: E402

import cases as suite  # noqa: E402

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def makeTensors(case):
    generator = torch.Generator().manual_seed(1)

    def rows(heads):
        shape = (1, heads, case.length, case.dim)
        return torch.randn(shape, generator=generator).to(TYPES[case.dtype])

    return rows(case.heads), rows(case.kvHeads), rows(case.kvHeads)


def makeSdpa(case):
    if case.example not in ("full", "causal", "llama"):
        return None
    q, k, v = makeTensors(case)
    attend = torch.nn.functional.scaled_dot_product_attention
    isCausal = case.example != "full"
    return lambda: attend(q, k, v, is_causal=isCausal,
                          enable_gqa=case.heads != case.kvHeads)


def makeUnfused(case):
    if case.example not in ("full", "causal") or case.length > 16384:
        return None
    q, k, v = makeTensors(case)
    kind = q.dtype
    scores = torch.empty(1, case.heads, case.length, case.length, dtype=kind)
    out = torch.empty_like(q)
    bias = None
    if case.example == "causal":
        keep = torch.ones(case.length, case.length, dtype=torch.bool).tril()
        bias = torch.zeros(case.length, case.length, dtype=kind)
        bias.masked_fill_(~keep, -math.inf)
    scale = case.dim**-0.5

    def call():
        torch.matmul(q * scale, k.transpose(-1, -2), out=scores)
        if bias is not None:
            scores.add_(bias)
        torch.softmax(scores, -1, out=scores)
        torch.matmul(scores, v, out=out)

    return call


def getMask(case):
    """mask_mod and score_mod of flex_attention for the case, or None."""
    params = dict(case.params)
    integers = {name: torch.tensor(values, dtype=torch.int32).view(shape)
                for name, shape, values in suite.getIntegers(case)}
    slopes = torch.exp2(-8.0 * (torch.arange(case.heads) + 1) / case.heads)
    bias = torch.randn(case.heads, 32)
    causal = lambda b, h, i, j: i >= j
    softcap = lambda s, b, h, i, j: 50 * torch.tanh(s / 50)
    window, sinks = params.get("window", 1024), params.get("sinks", 4)
    stride, wide, radius = params.get("s", 128), params.get("w", 64), 3

    def windowed(b, h, i, j):
        return (i >= j) & ((i - j < window) | (j < sinks))

    def prefix(b, h, i, j):
        return (i >= j) | (j < integers["prefix"][b])

    def documents(b, h, i, j):
        return (i >= j) & (integers["doc"][b, i] == integers["doc"][b, j])

    def dilated(b, h, i, j):
        return (i >= j) & ((i - j) % 16 == 0) & (i - j < 4096)

    def strided(b, h, i, j):
        return (i >= j) & ((i - j < stride) | (j % stride >= stride - 4))

    def neighbours(b, h, i, j):
        return ((torch.abs(i // wide - j // wide) <= radius)
                & (torch.abs(i % wide - j % wide) <= radius))

    def local(b, h, i, j):
        return (i >= j) & (i - j < 4096)

    return {
        "full": (None, None), "causal": (causal, None), "llama": (causal, None),
        "sliding_window": (windowed, None), "prefix_lm": (prefix, None),
        "documents": (documents, None), "dilated": (dilated, None),
        "strided": (strided, None), "natten2d": (neighbours, None),
        "alibi": (causal, lambda s, b, h, i, j: s - slopes[h] * (i - j)),
        "softcap": (causal, softcap), "gemma2_local": (local, softcap),
        "relative_bias": (None, lambda s, b, h, i, j: s + bias[
            h, torch.clamp(torch.abs(i - j), max=31)]),
        "cross": (None, None),
    }.get(case.example)  # fmt: skip


def makeFlex(case):
    from torch.nn.attention.flex_attention import create_block_mask
    from torch.nn.attention.flex_attention import flex_attention

    mods = getMask(case)
    if mods is None:
        return None
    # Each case is one more form of the same function.
    torch._dynamo.config.recompile_limit = 1000
    torch._dynamo.config.accumulated_recompile_limit = 100000
    q, k, v = makeTensors(case)
    mask, score = mods
    block = None
    if mask is not None:
        block = create_block_mask(mask, None, None, case.length, case.length,
                                  device="cpu")
    attend = torch.compile(flex_attention, dynamic=False)
    return lambda: attend(q, k, v, score_mod=score, block_mask=block,
                          enable_gqa=case.heads != case.kvHeads)


MAKERS = {"sdpa": makeSdpa, "flex": makeFlex, "unfused": makeUnfused}


def timeCall(call):
    """The median of some tenths of a second, after one call that warms up."""
    call()
    times = []
    end = time.perf_counter() + 0.2
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 50):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main():
    name, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    calls = {}
    for line in sys.stdin:
        words = json.loads(line)
        words["params"] = tuple(tuple(pair) for pair in words["params"])
        case = suite.Case(**words)
        ms = None
        try:
            if case not in calls:
                calls[case] = MAKERS[name](case)
            if calls[case] is not None:
                with torch.no_grad():
                    ms = timeCall(calls[case])
        except Exception as error:  # a peer that fails has no time
            print(f"{name}: {case.name}: {str(error)[:200]}", file=sys.stderr)
            calls[case] = None
        print(json.dumps({"ms": ms}), flush=True)


if __name__ == "__main__":
    main()
