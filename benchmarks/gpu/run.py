# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Kernels for a GPU and their peers, in one process.

usage: run.py FOLDER [OUTPUT.json]

FOLDER has what `rapt compile --target=sm_90a --dtype=bf16` writes for the cases
below, under their names. Peers are PyTorch's attention with cuDNN and
FlashAttention 2, and FlexAttention for masks. Prints useful TFLOP/s (kept pairs
alone), medians, the peers between two measurements of ours.
"""

import json
import os
import sys

import torch
import torch.nn.functional as F
import triton
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ahead_of_time import Kernel  # noqa: E402

TOKENS = 16384


def measure(run):
    return triton.testing.do_bench(run, warmup=15, rep=80, return_mode="median")


def makeInputs(dim, length):
    heads = 2048 // dim
    shape = (max(1, TOKENS // length), heads, length, dim)
    return [torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(3)]


def prepare(path, q, k, v, **more):
    out = torch.empty_like(q)
    return Kernel(path).prepare(q=q, k=k, v=v, out=out, **more), out


class Table:
    def __init__(self):
        self.rows = []

    def add(self, name, work, ours, peers):
        """Measures ours, the peers, ours again."""
        row = {"name": name}
        first = measure(ours)
        for peer, run in peers.items():
            try:
                row[peer] = round(work / measure(run) / 1e9)
            except RuntimeError as error:
                row[peer] = str(error).splitlines()[0][:60]
        second = measure(ours)
        row["rapt"] = [round(work / time / 1e9) for time in (first, second)]
        self.rows.append(row)
        print(row, flush=True)


def sdpa(backend, q, k, v, isCausal):
    def run():
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, is_causal=isCausal)

    return run


def runDense(folder, table):
    for dim in (64, 128, 256):
        for length in (2048, 16384):
            for kind in ("full", "causal"):
                path = os.path.join(folder, f"{kind}{dim}.cubin")
                if not os.path.exists(path):
                    continue
                q, k, v = makeInputs(dim, length)
                isCausal = kind == "causal"
                pairs = length * (length + 1) / 2 if isCausal else length * length
                work = 4 * q.shape[0] * q.shape[1] * pairs * dim
                ours, _ = prepare(path, q, k, v)
                peers = {
                    "cudnn": sdpa(SDPBackend.CUDNN_ATTENTION, q, k, v, isCausal),
                    "fa2": sdpa(SDPBackend.FLASH_ATTENTION, q, k, v, isCausal),
                }
                table.add(f"{kind} d{dim} n{length}", work, ours, peers)


def runMasks(folder, table):
    length, dim = TOKENS, 128
    q, k, v = makeInputs(dim, length)
    heads = q.shape[1]
    doc = torch.zeros(length, dtype=torch.int32, device="cuda")
    for begin in (1000, 3000, 3500, 7000, 9000, 12000):
        doc[begin:] += 1
    slopes = torch.exp2(-8.0 * (torch.arange(heads, device="cuda") + 1) / heads)
    causal = lambda b, h, i, j: i >= j  # noqa: E731
    masks = {
        "window": lambda b, h, i, j: (i >= j) & ((i - j < 1024) | (j < 4)),
        "prefix_lm": lambda b, h, i, j: (i >= j) | (j < 2048),
        "documents": lambda b, h, i, j: (i >= j) & (doc[i] == doc[j]),
        "dilated": lambda b, h, i, j: (i >= j) & ((i - j) % 16 == 0) & (i - j < 4096),
        "strided": lambda b, h, i, j: (i >= j) & ((i - j < 128) | (j % 128 >= 124)),
        "alibi": causal,
        "softcap": causal,
    }
    scores = {
        "alibi": lambda s, b, h, i, j: s - slopes[h] * (i - j),
        "softcap": lambda s, b, h, i, j: 50.0 * torch.tanh(s / 50.0),
    }
    more = {
        "documents": {"doc": doc[None]},
        "alibi": {"slopes": slopes},
        "prefix_lm": {
            "prefix": torch.full((1,), 2048, dtype=torch.int32, device="cuda")
        },
    }
    for name, mask in masks.items():
        path = os.path.join(folder, f"{name}.cubin")
        if not os.path.exists(path):
            continue
        i = torch.arange(length, device="cuda")
        kept = sum(
            mask(0, 0, part[:, None], i[None]).sum().item() for part in i.split(2048)
        )
        work = 4 * heads * kept * dim
        ours, out = prepare(path, q, k, v, **more.get(name, {}))
        torch._dynamo.reset()
        block = create_block_mask(mask, None, None, length, length, device="cuda")
        compiled = torch.compile(flex_attention, dynamic=False)
        flex = lambda: compiled(  # noqa: E731
            q, k, v, score_mod=scores.get(name), block_mask=block
        )
        ours()
        wanted = flex()
        error = (out.float() - wanted.float()).abs().amax(-1)
        error = (error / wanted.float().abs().amax(-1)).max().item()
        print(f"{name}: largest difference of a row to FlexAttention {error:.1e}")
        table.add(f"{name} d{dim} n{length}", work, ours, {"flex": flex})


def main():
    torch.manual_seed(0)
    table = Table()
    about = {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
    }
    print(about)
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    table.add("matrix product 8192", 2 * 8192**3, lambda: a @ a, {})
    runDense(sys.argv[1], table)
    runMasks(sys.argv[1], table)
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="utf-8") as file:
            json.dump({**about, "rows": table.rows}, file, indent=1)


if __name__ == "__main__":
    main()
