#!/usr/bin/env python3
# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Times a few queries against a long cache: ours, PyTorch, and reading as many
bytes.

    python3 benchmarks/decode.py                       bf16, one and two threads
    python3 benchmarks/decode.py --dtype f32 --keys 131072

32 heads over 8 heads of keys, dim 128, causal. Ours is a call with a plan, which
all layers of a step share; making it is a column of its own. Every round runs
each once; medians of the rounds are printed, and GB/s of keys and values. Reading is the
sum of a buffer of as many bytes, the fastest of PyTorch's and of several of
ours (ReadSpeed.cpp). Needs PyTorch and `ninja -C build rapt-read-speed`.
"""

import argparse
import ctypes
import pathlib
import statistics
import sys
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
import rapt  # noqa: E402

DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
HEADS, KEY_HEADS, DIM = 32, 8, 128
SCRUB = torch.zeros(64 << 20, dtype=torch.int64)
READERS = [(1, 0), (1, 4096), (4, 0), (4, 65536), (8, 65536)]


def makeReaders(buffer, threads):
    """Calls that each read a buffer once."""
    found = list(ROOT.glob("build/**/librapt-read-speed.so"))
    if not found:
        sys.exit("decode.py: expected `ninja -C build rapt-read-speed` before")
    read = ctypes.CDLL(str(found[0])).readBuffer
    read.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint,
                     ctypes.c_size_t, ctypes.c_size_t]
    ours = [
        lambda streams=streams, ahead=ahead: read(
            buffer.data_ptr(), buffer.nbytes, threads, streams, ahead
        )
        for streams, ahead in READERS
    ]
    return [buffer.sum] + ours


def interleave(rounds, *calls):
    """Medians of the times of calls, in seconds."""
    times = [[] for _ in calls]
    for turn in range(rounds + 1):
        for call, own in zip(calls, times):
            SCRUB.sum()  # the call before leaves nothing in the caches
            time.sleep(0.02)  # and its threads stop spinning
            begin = time.perf_counter()
            call()
            if turn > 0:  # the first round warms up
                own.append(time.perf_counter() - begin)
    return [statistics.median(own) for own in times]


def measure(attention, dtype, queries, keys, threads, rounds):
    torch.set_num_threads(threads)
    random = torch.Generator().manual_seed(1)
    make = lambda heads, length: torch.randn(
        (1, heads, length, DIM), generator=random
    ).to(DTYPES[dtype])
    q, k, v = make(HEADS, queries), make(KEY_HEADS, keys), make(KEY_HEADS, keys)
    size = k.nbytes + v.nbytes
    buffer = torch.zeros(size // 8, dtype=torch.int64)
    mask = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
    sdpa = torch.nn.functional.scaled_dot_product_attention
    plan = attention.plan(q, k, v, threads=threads)
    ours, planning, theirs, *readers = interleave(
        rounds,
        lambda: attention(q, k, v, plan=plan, threads=threads),
        lambda: attention.plan(q, k, v, threads=threads),
        lambda: sdpa(q, k, v, attn_mask=mask, enable_gqa=True),
        *makeReaders(buffer, threads),
    )
    read = min(readers)
    rate = lambda seconds: size / seconds / 1e9
    print(
        f"| {dtype} | {queries} | {keys} | {threads} | {1e3 * ours:.2f} ms"
        f" | {rate(ours):.1f} | {rate(theirs):.1f} | {rate(read):.1f}"
        f" | {theirs / ours:.2f} | {read / ours:.2f} | {1e6 * planning:.0f} us |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--keys", type=int, nargs="*", default=[32768, 131072])
    parser.add_argument("--queries", type=int, nargs="*", default=[1, 16])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    attention = rapt.load(str(ROOT / "examples/causal.attn"))
    print("| type | queries | keys | threads | ours | GB/s | PyTorch | reading | ours / PyTorch | of reading | plan |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for keys in options.keys:
        for queries in options.queries:
            for threads in options.threads:
                measure(
                    attention, options.dtype, queries, keys, threads, options.rounds
                )


if __name__ == "__main__":
    main()
