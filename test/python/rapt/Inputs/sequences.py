# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Calls with cu_seqlens, lengths, pages and positions give, bit by bit, what each
sequence alone gives."""

import gc
import pathlib
import sys
import threading
import weakref

import numpy


import rapt

EXAMPLES = pathlib.Path(sys.argv[1])
HEADS, KV_HEADS, DIM = 4, 2, 16
QUERIES, KEYS = [5, 1, 0, 40], [5, 33, 7, 70]
random = numpy.random.default_rng(1)


def make(*sizes):
    return random.standard_normal(sizes, dtype=numpy.float32)


def starts(lengths):
    return numpy.concatenate([[0], numpy.cumsum(lengths)]).astype(numpy.int32)


def int32(values):
    return numpy.asarray(values, numpy.int32)


def expectError(kind, text, call):
    try:
        call()
    except kind as error:
        assert text in str(error), f"{error}\nexpected: {text}"
    else:
        raise AssertionError(f"no error, expected: {text}")


class Batch:
    """Sequences alone, as [tokens, heads, dim]."""

    def __init__(self):
        self.q = [make(n, HEADS, DIM) for n in QUERIES]
        self.k = [make(n, KV_HEADS, DIM) for n in KEYS]
        self.v = [make(n, KV_HEADS, DIM) for n in KEYS]

    def alone(self, attention, b, **keywords):
        def swap(x):
            return x.transpose(1, 0, 2)[None]

        out, lse = attention(
            swap(self.q[b]), swap(self.k[b]), swap(self.v[b]), return_lse=True, **keywords
        )
        return out[0].transpose(1, 0, 2), lse[0]

    def packed(self):
        return tuple(numpy.concatenate(x) for x in (self.q, self.k, self.v))

    def padded(self, parts, length):
        whole = numpy.full((len(parts), parts[0].shape[1], length, DIM), numpy.nan)
        for b, part in enumerate(parts):
            whole[b, :, : len(part)] = part.transpose(1, 0, 2)
        return whole.astype(numpy.float32)

    def pages(self, parts, size, table):
        count = table.max() + 1
        cache = numpy.full((count, size) + parts[0].shape[1:], numpy.nan, numpy.float32)
        for b, part in enumerate(parts):
            for j, row in enumerate(part):
                cache[table[b, j // size], j % size] = row
        return cache


def expectSame(found, expected, b):
    """A sequence alone may run a form for fewer queries, which adds up in another
    order."""
    assert numpy.allclose(found, expected, rtol=1e-5, atol=1e-5), b


def check(batch, attention, out, lse, **keywords):
    """Of packed queries."""
    place = 0
    for b, count in enumerate(QUERIES):
        expected = batch.alone(attention, b, **keywords)
        rows = slice(place, place + count)
        expectSame(out[rows], expected[0], b)
        expectSame(lse[:, rows], expected[1], b)
        place += count


def checkRepeats(attention, plan, q, cache):
    """Calls that differ from one before in their memory only."""
    repeated = []
    original = plan.repeats.run
    plan.repeats.run = lambda *args: repeated.append(None) or original(*args)
    for scale in (1, 2, -1):
        own = [x.copy() for x in (q, *cache)]
        own[0] *= scale
        before = len(repeated)
        expected = attention(*own, plan=plan, return_lse=True)[0]
        assert numpy.array_equal(attention(*own, plan=plan), expected), scale
        out = numpy.zeros_like(q)
        assert attention(*own, out=out, plan=plan) is out
        assert numpy.array_equal(out, expected), scale
        # Other strides.
        own[0] = own[0].transpose(1, 0, 2).copy().transpose(1, 0, 2)
        assert numpy.array_equal(attention(*own, plan=plan), expected), scale
        # Refused, and then right again.
        expectError(
            ValueError,
            "'out' shares memory with 'q'",
            lambda: attention(*own, out=own[0], plan=plan),
        )
        assert numpy.array_equal(attention(*own, plan=plan), expected), scale
        # Three kinds of calls, each of which is repeated after the first.
        assert len(repeated) - before >= (1 if scale == 1 else 4), scale
    # Nothing of a call lives on.
    fates = [weakref.ref(x) for x in (*own, out)]
    del own, out
    gc.collect()
    assert all(fate() is None for fate in fates)
    results = [None] * 8

    def run(n):
        for _ in range(20):
            results[n] = attention(q * n, *cache, plan=plan)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(8):
        alone = attention(q * n, *cache, plan=plan, return_lse=True)[0]
        assert numpy.array_equal(results[n], alone), n


def checkKeysInThePlaceOfQueries():
    """A spec that reads no queries: results lie as keys do, but never in pages."""
    attention = rapt.parse(
        "attention x { input k: [batch, heads, keys, dim] "
        "input v: [batch, heads, keys, vdim] let q = k[i, :] mask = i >= j }"
    )
    k, v = ([make(n, HEADS, DIM) for n in KEYS] for _ in range(2))
    alone = [
        attention(*(x[b].transpose(1, 0, 2)[None] for x in (k, v)))[0]
        for b in range(len(KEYS))
    ]
    packed = attention(
        numpy.concatenate(k), numpy.concatenate(v), cu_seqlens_k=starts(KEYS)
    )
    size, width = 8, -(-max(KEYS) // 8)
    table = random.permutation(len(KEYS) * width).reshape(len(KEYS), width)
    cache = []
    for parts in (k, v):
        pages = numpy.full((table.size, size, HEADS, DIM), numpy.nan, numpy.float32)
        for b, part in enumerate(parts):
            for j, row in enumerate(part):
                pages[table[b, j // size], j % size] = row
        cache.append(pages)
    paged = attention(*cache, seqused_k=int32(KEYS), page_table=int32(table))
    assert paged.shape == (len(KEYS), HEADS, max(KEYS), DIM), paged.shape
    for b, count in enumerate(KEYS):
        first = sum(KEYS[:b])
        expectSame(packed[first : first + count].transpose(1, 0, 2), alone[b], b)
        expectSame(paged[b, :, :count], alone[b], b)


def main():
    checkKeysInThePlaceOfQueries()
    attention = rapt.load(EXAMPLES / "sliding_window.attn")
    params = dict(window=20, sinks=2)
    batch = Batch()
    q, k, v = batch.packed()
    startsQ, startsK = starts(QUERIES), starts(KEYS)
    out, lse = attention(
        q, k, v, cu_seqlens_q=startsQ, cu_seqlens_k=startsK, return_lse=True, **params
    )
    assert out.shape == q.shape and lse.shape == (HEADS, len(q))
    check(batch, attention, out, lse, **params)

    # A cache of which each sequence has a part.
    cache = batch.padded(batch.k, 80), batch.padded(batch.v, 80)
    out, lse = attention(
        q, *cache, cu_seqlens_q=startsQ, cache_seqlens=int32(KEYS), return_lse=True, **params
    )
    check(batch, attention, out, lse, **params)

    # Padded queries: rows behind the last one stay as they were.
    wide = batch.padded(batch.q, 41)
    out = numpy.full(wide.shape, 7, numpy.float32)
    attention(
        wide, *cache, seqused_q=int32(QUERIES), seqused_k=int32(KEYS), out=out, **params
    )
    for b, count in enumerate(QUERIES):
        if count:
            expected = batch.alone(attention, b, **params)[0].transpose(1, 0, 2)
            expectSame(out[b, :, :count], expected, b)
        assert (out[b, :, count:] == 7).all(), b

    # Pages, with the size outside of the heads and inside, from a plan.
    for size in (1, 16):
        needed = [-(-n // size) for n in KEYS]
        order = random.permutation(sum(needed))
        table = numpy.full((len(KEYS), max(needed)), -1, numpy.int32)
        place = 0
        for b, count in enumerate(needed):
            table[b, :count] = order[place : place + count]
            place += count
        pages = batch.pages(batch.k, size, table), batch.pages(batch.v, size, table)
        given = dict(cu_seqlens_q=startsQ, seqused_k=int32(KEYS))
        out, lse = attention(
            q, *pages, page_table=table, return_lse=True, **given, **params
        )
        check(batch, attention, out, lse, **params)
        turned = tuple(x.transpose(0, 2, 1, 3).copy() for x in pages)
        plan = attention.plan(
            q, *turned, block_table=table, kv_layout="HND", **given, **params
        )
        # Calls at once take turns with a plan.
        results = [None] * 4

        def run(n):
            results[n] = attention(q, *turned, plan=plan, return_lse=True)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            check(batch, attention, *result, **params)

        checkRepeats(attention, plan, q, turned)
        # Memory of a plan goes back at once, not when Python looks for cycles.
        gc.disable()
        brief = attention.plan(
            q, *turned, block_table=table, kv_layout="HND", **given, **params
        )
        for _ in range(2):
            attention(q, *turned, plan=brief)
        last = weakref.ref(brief)
        del brief
        assert last() is None
        gc.enable()

    # The positions that follow from the lengths, given.
    positions = numpy.concatenate(
        [numpy.arange(n - m, n) for m, n in zip(QUERIES, KEYS)]
    )
    given = dict(cu_seqlens_q=startsQ, cu_seqlens_k=startsK, return_lse=True)
    out, lse = attention(q, k, v, positions=int32(positions), **given, **params)
    check(batch, attention, out, lse, **params)
    other, _ = attention(q, k, v, positions=int32(positions - 1), **given, **params)
    assert not numpy.array_equal(out, other)

    # Names are those of the caller.
    expectError(
        ValueError,
        "'cu_seqlens_k'[4] is 115, expected at most 114, the keys of 'k'",
        lambda: attention(
            q, k[:-1], v[:-1], cu_seqlens_q=startsQ, cu_seqlens_k=startsK, **params
        ),
    )
    expectError(
        ValueError,
        "'cache_seqlens'[0] is 81, expected 0 .. 80",
        lambda: attention(
            q, *cache, cu_seqlens_q=startsQ, cache_seqlens=int32([81, 1, 1, 1]), **params
        ),
    )
    expectError(
        ValueError,
        "'seqused_k' are missing",
        lambda: attention(q, *turned, cu_seqlens_q=startsQ, page_table=table, **params),
    )
    expectError(
        ValueError,
        "'cu_seqlens_q' has type i64, expected i32",
        lambda: attention(
            q, k, v, cu_seqlens_q=startsQ.astype("i8"), cu_seqlens_k=startsK, **params
        ),
    )
    expectError(
        TypeError,
        "'window' is given with a plan",
        lambda: attention(q, *turned, plan=plan, window=3),
    )
    expectError(
        ValueError,
        "axis 'cache pages' of 'k' has extent",
        lambda: attention(q, turned[0][:-1], turned[1][:-1], plan=plan),
    )
    expectError(
        TypeError,
        "'cache_seqlens' and 'seqused_k' are the same",
        lambda: attention(
            q, *cache, seqused_k=int32(KEYS), cache_seqlens=int32(KEYS), **params
        ),
    )
    print("passed")


main()
