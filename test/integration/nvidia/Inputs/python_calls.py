# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""python_calls.py EXAMPLES: the Python package on tensors of torch on a GPU,
beside torch's own attention."""

import pathlib
import sys
import unittest

import torch
import torch.nn.functional as F

import rapt

EXAMPLES = pathlib.Path(sys.argv.pop(1))


def make(tokens=500, heads=4, dtype=torch.bfloat16):
    return [
        torch.randn(2, heads, tokens, 64, dtype=dtype, device="cuda") for _ in range(3)
    ]


class PythonCalls(unittest.TestCase):
    def expectNear(self, found, wanted):
        # Both round to 8 bits, weights and results.
        self.assertFalse(found.isnan().any())
        error = (found.float() - wanted.float()).abs().max().item()
        self.assertLess(error, 3e-2)

    def setUp(self):
        torch.manual_seed(0)
        self.causal = rapt.load(EXAMPLES / "causal.attn")

    def expectCausal(self, out, q, k, v):
        self.expectNear(out, F.scaled_dot_product_attention(q, k, v, is_causal=True))

    def testCall(self):
        q, k, v = make()
        out, lse = self.causal(q, k, v, return_lse=True)
        self.assertEqual((out.device, out.dtype), (q.device, q.dtype))
        self.expectCausal(out, q, k, v)
        scores = (q.float() @ k.float().mT) / 8
        kept = torch.ones_like(scores, dtype=torch.bool).tril()
        wanted = scores.masked_fill(~kept, float("-inf")).logsumexp(-1)
        self.assertLess((lse - wanted).abs().max().item(), 1e-3)

    def testStreams(self):
        stream = torch.cuda.Stream()
        q, k, v = make()
        torch.cuda.synchronize()
        with torch.cuda.stream(stream):
            out = self.causal(q, k, v)
        stream.synchronize()
        self.expectCausal(out, q, k, v)
        given = torch.empty_like(q)
        torch.cuda.synchronize()
        self.causal(q, k, v, out=given, stream=stream)
        stream.synchronize()
        self.assertTrue(torch.equal(given, out))

    def testGraphs(self):
        q, k, v = make()
        out = torch.empty_like(q)
        plan = self.causal.plan(q, k, v)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.causal(q, k, v, out=out, plan=plan)
        for _ in range(2):
            for tensor in (q, k, v):
                tensor.copy_(torch.randn_like(tensor))
            graph.replay()
            torch.cuda.synchronize()
            self.expectCausal(out, q, k, v)

    def testPlannedCallsRepeat(self):
        q, k, v = make()
        plan = self.causal.plan(q, k, v)
        for _ in range(3):
            q, k, v = make()
            self.expectCausal(self.causal(q, k, v, plan=plan), q, k, v)

    def testStrides(self):
        q, k, v = (
            torch.randn(2, 300, 4, 64, dtype=torch.float16, device="cuda").transpose(1, 2)
            for _ in range(3)
        )
        self.expectCausal(self.causal(q, k, v), q, k, v)

    def testIntegers(self):
        documents = rapt.load(EXAMPLES / "documents.attn")
        q, k, v = make()
        for length in (500, 60):
            doc = torch.arange(500, device="cuda", dtype=torch.int32) // length
            out = documents(q, k, v, doc=doc.expand(2, 500).contiguous())
            mask = (doc[:, None] == doc).tril()
            self.expectNear(out, F.scaled_dot_product_attention(q, k, v, mask))


unittest.main()
