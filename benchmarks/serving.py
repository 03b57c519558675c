#!/usr/bin/env python3
# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Times uneven packed sequences against equal ones, and keys in pages against
keys that lie one after the other.

    python3 benchmarks/serving.py                 f32, 64 sequences, two threads
    python3 benchmarks/serving.py --dtype bf16 --threads 1

Needs NumPy, and for bf16 torch. Every round runs both sides of a
comparison once; medians of the rounds are printed, and their ratio: useful
operations in a second of the uneven side over those of the equal one, the
time of contiguous keys over that of pages.
"""

import argparse
import pathlib
import statistics
import sys
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
import rapt  # noqa: E402


def makeRandom(shape, dtype, seed):
    values = numpy.random.default_rng(seed).standard_normal(shape, dtype=numpy.float32)
    if dtype == "f32":
        return values
    if dtype == "f16":
        return values.astype(numpy.float16)
    import torch

    return torch.from_numpy(values).to(torch.bfloat16)


def getStarts(lengths):
    return numpy.concatenate([[0], numpy.cumsum(lengths)]).astype(numpy.int32)


def interleave(rounds, *calls):
    """Medians of the times of calls, in milliseconds."""
    times = [[] for _ in calls]
    for turn in range(rounds + 1):
        for call, own in zip(calls, times):
            begin = time.perf_counter()
            call()
            if turn > 0:  # the first round warms up
                own.append(1e3 * (time.perf_counter() - begin))
    return [statistics.median(own) for own in times]


def countPairs(queries, keys):
    """Causal pairs of queries that are the last of the keys."""
    queries, keys = numpy.asarray(queries, float), numpy.asarray(keys, float)
    return float(numpy.sum(queries * (keys - queries) + queries * (queries + 1) / 2))


class Case:
    """A batch of packed queries against packed or paged keys."""

    def __init__(self, options, queries, keys, seed):
        self.options, self.queries, self.keys = options, queries, keys
        heads, kvHeads, dim = options.heads, options.kv_heads, options.dim
        self.starts, self.keyStarts = getStarts(queries), getStarts(keys)
        dtype = options.dtype
        self.q = makeRandom((int(self.starts[-1]), heads, dim), dtype, seed)
        self.k = makeRandom((int(self.keyStarts[-1]), kvHeads, dim), dtype, seed + 1)
        self.v = makeRandom((int(self.keyStarts[-1]), kvHeads, dim), dtype, seed + 2)
        self.lengths = numpy.asarray(keys, numpy.int32)

    def getFlops(self):
        return 4 * self.options.dim * self.options.heads * countPairs(
            self.queries, self.keys
        )

    def packed(self, attention):
        plan = attention.plan(
            self.q,
            self.k,
            self.v,
            cu_seqlens_q=self.starts,
            cu_seqlens_k=self.keyStarts,
            threads=self.options.threads,
        )
        return lambda: attention(
            self.q, self.k, self.v, plan=plan, threads=self.options.threads
        )

    def unplanned(self, attention):
        return lambda: attention(
            self.q,
            self.k,
            self.v,
            cu_seqlens_q=self.starts,
            cu_seqlens_k=self.keyStarts,
            threads=self.options.threads,
        )

    def paged(self, attention, size):
        """The same keys in pages in random order."""
        counts = [-(-n // size) for n in self.keys]
        order = numpy.random.default_rng(5).permutation(sum(counts)).astype(numpy.int32)
        table = numpy.zeros((len(counts), max(counts)), numpy.int32)
        rows = []
        next = 0
        for b, count in enumerate(counts):
            pages = order[next : next + count]
            next += count
            table[b, :count] = pages
            place = numpy.arange(self.keys[b])
            rows.append(pages[place // size] * size + place % size)
        rows = numpy.concatenate(rows)

        def scatter(packed):
            shape = (sum(counts), size) + tuple(packed.shape[1:])
            if isinstance(packed, numpy.ndarray):
                cache = numpy.zeros(shape, packed.dtype)
                cache.reshape((-1,) + shape[2:])[rows] = packed
            else:
                import torch

                cache = torch.zeros(shape, dtype=packed.dtype)
                cache.view((-1,) + shape[2:])[torch.from_numpy(rows)] = packed
            return cache

        k, v = scatter(self.k), scatter(self.v)
        plan = attention.plan(
            self.q,
            k,
            v,
            cu_seqlens_q=self.starts,
            seqused_k=self.lengths,
            page_table=table,
            threads=self.options.threads,
        )
        return lambda: attention(
            self.q, k, v, plan=plan, threads=self.options.threads
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dtype", choices=("f32", "bf16", "f16"), default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--kv-heads", type=int, default=1)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--page-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    attention = rapt.load(ROOT / "examples/causal.attn")

    lengths = numpy.random.default_rng(1).integers(16, 4097, options.sequences)
    mean = int(round(lengths.mean()))
    uneven = Case(options, lengths, lengths, 1)
    equal = Case(options, [mean] * options.sequences, [mean] * options.sequences, 2)
    cases = {
        "with a plan": (uneven.packed(attention), equal.packed(attention)),
        "planned in each call": (
            uneven.unplanned(attention),
            equal.unplanned(attention),
        ),
    }
    print(f"{options.sequences} packed sequences, causal, {options.dtype}, "
          f"{options.threads} threads: 16 to 4096 tokens, or {mean} each")
    for name, calls in cases.items():
        times = interleave(options.rounds, *calls)
        speeds = [
            case.getFlops() / (1e6 * ms) for case, ms in zip((uneven, equal), times)
        ]
        print(f"  {name:22} {times[0]:9.1f} ms, {speeds[0]:7.1f} GFLOP/s uneven; "
              f"{times[1]:9.1f} ms, {speeds[1]:7.1f} GFLOP/s equal; "
              f"ratio {speeds[0] / speeds[1]:.2f}")

    print(f"pages of {options.page_size} keys against keys that lie together")
    few = lengths[:8]
    for name, queries, keys in (
        ("prefill", few, few),
        ("chunks of 256", [256] * 8, few + 256),
        ("one query, 16384 keys", [1] * 8, [16384] * 8),
    ):
        case = Case(options, queries, keys, 3)
        times = interleave(
            4 * options.rounds,
            case.packed(attention),
            case.paged(attention, options.page_size),
        )
        print(f"  {name:22} {times[0]:9.2f} ms contiguous; {times[1]:9.2f} ms in pages; "
              f"ratio {times[0] / times[1]:.2f}")


if __name__ == "__main__":
    main()
