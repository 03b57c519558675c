# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Kernels for a GPU and their peers, in one process.

usage: run.py FOLDER... [--only NAME,...] [--rounds N] [--seconds S] [--json FILE]

A FOLDER has what `rapt compile --target=sm_90a --dtype=bf16` writes for the
cases below, under their names (`full128`, `causal64`, `window`, ...); several
hold kernels that are compared. Peers are PyTorch's attention with cuDNN and
FlashAttention 2, and FlexAttention for masks. A round measures each once, one
after the other; what is printed are useful TFLOP/s (kept pairs alone) of the
medians of the rounds, and the largest difference of a row to the first peer.
After S seconds the rest of the cases is left out.
"""

import argparse
import json
import os
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ahead_of_time import Kernel  # noqa: E402

TOKENS = 16384
MASKS = (
    "documents", "window", "alibi", "softcap", "prefix_lm", "dilated", "strided",
)  # fmt: skip
DENSE = [
    f"{kind}{dim}n{length}"
    for length in (16384, 2048, 1024)
    for dim in (128, 64, 256)
    for kind in ("full", "causal")
]


def timeOnce(run, count):
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(count):
        run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / count


def measure(candidates, rounds):
    """Median milliseconds of each, or the message of what it raised."""
    counts, times = {}, {}
    for name, run in list(candidates.items()):
        try:
            run()
            torch.cuda.synchronize()
            counts[name] = max(1, min(200, int(8 / max(timeOnce(run, 1), 1e-3))))
            times[name] = []
        except RuntimeError as error:
            times[name] = str(error).splitlines()[0][:60]
    for _ in range(rounds):
        for name, count in counts.items():
            times[name].append(timeOnce(candidates[name], count))
    return {
        name: statistics.median(each) if isinstance(each, list) else each
        for name, each in times.items()
    }


def makeInputs(dim, length):
    heads = 2048 // dim
    shape = (max(1, TOKENS // length), heads, length, dim)
    return [torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(3)]


def sdpa(backend, q, k, v, isCausal):
    def run():
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, is_causal=isCausal)

    return run


def differ(out, wanted):
    error = (out.float() - wanted.float()).abs().amax(-1)
    return (error / wanted.float().abs().amax(-1)).max().item()


class Table:
    def __init__(self, folders, rounds):
        self.folders, self.rounds, self.rows = folders, rounds, []

    def add(self, name, file, work, tensors, peers):
        candidates, outs = {}, {}
        for folder in self.folders:
            path = os.path.join(folder, file + ".cubin")
            if not os.path.exists(path):
                continue
            out = torch.full_like(tensors["q"], float("nan"))
            label = os.path.basename(os.path.normpath(folder))
            candidates[label] = Kernel(path).prepare(out=out, **tensors)
            outs[label] = out
        ours = list(candidates)
        candidates.update(peers)
        times = measure(candidates, self.rounds)
        row = {"name": name}
        for each, took in times.items():
            row[each] = took if isinstance(took, str) else round(work / took / 1e9)
        # Peers refuse some shapes; ours, beside the first that did not.
        known = [each for each in peers if not isinstance(times[each], str)]
        if known:
            wanted = peers[known[0]]()
            row["differs"] = [
                float(f"{differ(outs[each], wanted):.1e}")
                for each in ours
                if not isinstance(times[each], str)
            ]
        self.rows.append(row)
        print(row, flush=True)


def runDense(table, name):
    kind = "causal" if name.startswith("causal") else "full"
    dim, length = (int(part) for part in name[len(kind) :].split("n"))
    q, k, v = makeInputs(dim, length)
    isCausal = kind == "causal"
    pairs = length * (length + 1) / 2 if isCausal else length * length
    work = 4 * q.shape[0] * q.shape[1] * pairs * dim
    peers = {
        "cudnn": sdpa(SDPBackend.CUDNN_ATTENTION, q, k, v, isCausal),
        "fa2": sdpa(SDPBackend.FLASH_ATTENTION, q, k, v, isCausal),
    }
    table.add(name, f"{kind}{dim}", work, {"q": q, "k": k, "v": v}, peers)


def runMask(table, name):
    length, dim = TOKENS, 128
    q, k, v = makeInputs(dim, length)
    heads = q.shape[1]
    doc = torch.zeros(length, dtype=torch.int32, device="cuda")
    for begin in (1000, 3000, 3500, 7000, 9000, 12000):
        doc[begin:] += 1
    slopes = torch.exp2(-8.0 * (torch.arange(heads, device="cuda") + 1) / heads)
    causal = lambda b, h, i, j: i >= j  # noqa: E731
    mask = {
        "window": lambda b, h, i, j: (i >= j) & ((i - j < 1024) | (j < 4)),
        "prefix_lm": lambda b, h, i, j: (i >= j) | (j < 2048),
        "documents": lambda b, h, i, j: (i >= j) & (doc[i] == doc[j]),
        "dilated": lambda b, h, i, j: (i >= j) & ((i - j) % 16 == 0) & (i - j < 4096),
        "strided": lambda b, h, i, j: (i >= j) & ((i - j < 128) | (j % 128 >= 124)),
    }.get(name, causal)
    score = {
        "alibi": lambda s, b, h, i, j: s - slopes[h] * (i - j),
        "softcap": lambda s, b, h, i, j: 50.0 * torch.tanh(s / 50.0),
    }.get(name)
    more = {
        "documents": {"doc": doc[None]},
        "alibi": {"slopes": slopes},
        "prefix_lm": {
            "prefix": torch.full((1,), 2048, dtype=torch.int32, device="cuda")
        },
    }.get(name, {})
    i = torch.arange(length, device="cuda")
    kept = sum(
        mask(0, 0, part[:, None], i[None]).sum().item() for part in i.split(2048)
    )
    torch._dynamo.reset()
    block = create_block_mask(mask, None, None, length, length, device="cuda")
    compiled = torch.compile(flex_attention, dynamic=False)
    flex = lambda: compiled(q, k, v, score_mod=score, block_mask=block)  # noqa: E731
    tensors = {"q": q, "k": k, "v": v, **more}
    table.add(name, name, 4 * heads * kept * dim, tensors, {"flex": flex})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--only", default=",".join([*MASKS, *DENSE]))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--json")
    options = parser.parse_args()
    begin = time.time()
    torch.manual_seed(0)
    about = {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
    }
    print(about)
    table = Table(options.folders, options.rounds)
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    took = measure({"product": lambda: a @ a}, options.rounds)["product"]
    print({"matrix product 8192": round(2 * 8192**3 / took / 1e9)})
    for name in options.only.split(","):
        if time.time() - begin > options.seconds:
            print(f"no time for {name}")
            continue
        (runMask if name in MASKS else runDense)(table, name)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({**about, "rows": table.rows}, file, indent=1)


if __name__ == "__main__":
    main()
