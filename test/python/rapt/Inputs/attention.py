# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""attention.py EXAMPLES"""

import os
import pathlib
import subprocess
import sys
import threading
import unittest
import warnings

import numpy

import rapt

try:
    import torch
except ImportError:
    torch = None
try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

EXAMPLES = pathlib.Path(sys.argv.pop(1))
random = numpy.random.default_rng(0)


def makeArrays(queries=20, keys=30, heads=4, kvHeads=2, dim=8, vdim=6):
    return tuple(
        random.standard_normal((2, h, n, d)).astype(numpy.float32)
        for h, n, d in (
            (heads, queries, dim),
            (kvHeads, keys, dim),
            (kvHeads, keys, vdim),
        )
    )


def compute(q, k, v, window=1024, sinks=4, bias=0):
    """sliding_window.attn in float64: out and lse."""
    q, k, v = (numpy.asarray(x).astype(float) for x in (q, k, v))
    group = q.shape[1] // k.shape[1]
    k, v = (numpy.repeat(x, group, axis=1) for x in (k, v))
    score = q @ k.swapaxes(2, 3) / numpy.sqrt(q.shape[3]) + bias
    j = numpy.arange(k.shape[2])
    i = numpy.arange(q.shape[2])[:, None] + k.shape[2] - q.shape[2]
    kept = (i >= j) & ((i - j < window) | (j < sinks))
    weight = numpy.where(kept, numpy.exp(score), 0)
    total = weight.sum(axis=3, keepdims=True)
    return weight / total @ v, numpy.log(total)[..., 0]


class TestNumpy(unittest.TestCase):
    def setUp(self):
        self.window = rapt.load(EXAMPLES / "sliding_window.attn")

    def expectNear(self, found, expected, atol=1e-5):
        numpy.testing.assert_allclose(
            numpy.asarray(found).astype(float), expected, atol=atol, rtol=0
        )

    def testPositional(self):
        q, k, v = makeArrays()
        out = self.window(q, k, v)
        self.assertIsInstance(out, numpy.ndarray)
        self.assertEqual((out.shape, out.dtype), ((2, 4, 20, 6), numpy.float32))
        self.expectNear(out, compute(q, k, v)[0])

    def testParamsAndLse(self):
        q, k, v = makeArrays()
        out, lse = self.window(q, k, v, window=5, sinks=1, return_lse=True, threads=2)
        expected = compute(q, k, v, window=5, sinks=1)
        self.expectNear(out, expected[0])
        self.expectNear(lse, expected[1])
        self.assertEqual(lse.dtype, numpy.float32)

    def testTensorsByName(self):
        q, k, v = makeArrays()
        self.expectNear(self.window(q, v=v, k=k), compute(q, k, v)[0])

    def testViews(self):
        packed = random.standard_normal((2, 20, 3, 4, 8)).astype(numpy.float32)
        q, k, v = (packed[:, :, n].swapaxes(1, 2) for n in range(3))
        self.expectNear(self.window(q, k, v), compute(q, k, v)[0])
        one = numpy.broadcast_to(k[:, :1], k.shape)
        self.expectNear(self.window(q, one, v), compute(q, one, v)[0])
        frozen = q.copy()
        frozen.flags.writeable = False
        self.expectNear(self.window(frozen, k, v), compute(q, k, v)[0])

    def testReadOnlyOut(self):
        q, k, v = makeArrays()
        out = numpy.zeros((2, 4, 20, 6), numpy.float32)
        plan = self.window.plan(q, k, v)
        for keywords in {}, {"plan": plan}:
            self.window(q, k, v, out=out, **keywords)
            out.flags.writeable = False
            with self.assertRaisesRegex(ValueError, "'out' is read-only"):
                self.window(q, k, v, out=out, **keywords)
            out.flags.writeable = True

    def testLayoutOfAPlan(self):
        q, k, v = makeArrays()
        plan = self.window.plan(q, k, v)
        with self.assertRaisesRegex(TypeError, "'kv_layout' belongs to the plan"):
            self.window(q, k, v, plan=plan, kv_layout="HND")

    def testOut(self):
        q, k, v = makeArrays()
        out = numpy.zeros((2, 20, 4, 6), numpy.float32)
        self.assertIsNotNone(self.window(q, k, v, out=out.swapaxes(1, 2)))
        self.expectNear(out.swapaxes(1, 2), compute(q, k, v)[0])

    def testHalf(self):
        arrays = [x.astype(numpy.float16) for x in makeArrays()]
        out = self.window(*arrays)
        self.assertEqual(out.dtype, numpy.float16)
        self.expectNear(out, compute(*arrays)[0], atol=4e-3)

    @unittest.skipUnless(ml_dtypes, "needs ml_dtypes")
    def testBfloat16(self):
        arrays = [x.astype(ml_dtypes.bfloat16) for x in makeArrays()]
        out = self.window(*arrays)
        self.assertEqual(out.dtype, ml_dtypes.bfloat16)
        self.expectNear(out, compute(*arrays)[0], atol=4e-2)

    def testOtherInputs(self):
        alibi = rapt.load(EXAMPLES / "alibi.attn")
        self.assertEqual(alibi.arguments, ["q", "k", "v", "slopes"])
        q, k, v = (x.astype(numpy.float16) for x in makeArrays())
        slopes = numpy.array([0.5, 0.25, 0.1, 0], numpy.float32)
        distance = numpy.arange(20)[:, None] + 10 - numpy.arange(30)
        bias = -slopes[:, None, None] * distance
        expected = compute(q, k, v, bias=bias)[0]
        self.expectNear(alibi(q, k, v, slopes), expected, atol=4e-3)
        self.expectNear(alibi(q, k, v, slopes=slopes), expected, atol=4e-3)

    def testScalars(self):
        dropout = rapt.load(EXAMPLES / "dropout.attn")
        q, k, v = makeArrays()
        first = dropout(q, k, v, seed=3)
        self.assertTrue((first == dropout(q, k, v, numpy.int64(3))).all())
        self.assertFalse((first == dropout(q, k, v, seed=4)).all())
        self.expectNear(dropout(q, k, v, seed=3, p=0.0), compute(q, k, v)[0])
        with self.assertRaisesRegex(TypeError, "'seed' is 3.5, expected an integer"):
            dropout(q, k, v, seed=3.5)

    def testParse(self):
        near = rapt.parse(
            "attention a { } attention near { param w = 3 mask = abs(i - j) < w }",
            definition="near",
        )
        q, k, v = makeArrays(queries=9, keys=9)
        self.assertFalse((near(q, k, v) == near(q, k, v, w=2)).all())
        with self.assertRaisesRegex(ValueError, "2 definitions"):
            rapt.parse("attention a { } attention b { }")

    def testCompilesOnce(self):
        for length in (5, 6, 7):
            self.window(*makeArrays(queries=length))
        self.assertEqual(len(self.window._kernels), 1)
        self.window(*makeArrays(dim=9))
        self.window(*makeArrays(), window=7)
        self.assertEqual(len(self.window._kernels), 3)

    def testThreads(self):
        problems = [makeArrays(queries=20 + n) for n in range(4)]
        found = [None] * 4

        def work(n):
            for _ in range(20):
                found[n] = self.window(*problems[n], threads=2)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for arrays, out in zip(problems, found):
            self.expectNear(out, compute(*arrays)[0])

    def testErrors(self):
        q, k, v = makeArrays()
        cases = [
            (lambda: self.window(q, k), TypeError, "tensor 'v' .* is missing"),
            (lambda: self.window(q, k, v, q), TypeError, "4 tensors, expected at most 3"),
            (lambda: self.window(q, k, v, q=q), TypeError, "'q' is given twice"),
            (lambda: self.window(q, k, v, b=q), TypeError, "unknown tensor 'b'"),
            (lambda: self.window(q, k, [1.0]), TypeError, "'v' is list"),
            (lambda: self.window(q, k, 1.0), TypeError, "'v' is float"),
            (lambda: self.window(q, k, v, size=3), ValueError, "no param 'size'"),
            (lambda: self.window(q, k, v, window=0), ValueError, "is 0, expected 1"),
            (lambda: self.window(q.astype(float), k, v), TypeError, "float64"),
            (
                lambda: self.window(q, k.astype(numpy.float16), v),
                ValueError,
                "'k' has type f16, expected f32",
            ),
            (
                lambda: self.window(q.astype(">f4"), k, v),
                TypeError,
                "'q' has the element type >f4",
            ),
            (lambda: self.window(q[0], k, v), ValueError, "'q' has rank 3"),
            (lambda: self.window(q, k[..., :4], v), ValueError, "axis 'dim' of 'k'"),
            (lambda: self.window(q, k[:, :, 1:], v), ValueError, "axis 'keys' of 'v'"),
            (lambda: self.window(q, k[:, :, ::-1], v), ValueError, "stride of axis"),
            (
                lambda: self.window(q[:, :, :, ::2], k[..., ::2], v),
                ValueError,
                "stride of the last axis 'dim'",
            ),
            (lambda: self.window(q[:, :3], k, v), ValueError, "a multiple of 2"),
            (lambda: self.window(q, k, v, threads=-1), ValueError, "threads is -1"),
            (lambda: self.window(q, q, q, out=q), ValueError, "shares memory"),
            (lambda: rapt.load("nowhere.attn"), OSError, "nowhere.attn: cannot read"),
            (lambda: rapt.parse("attention x { mask = }"), ValueError, "<text>:1:22"),
        ]
        for call, error, message in cases:
            with self.subTest(message), self.assertRaisesRegex(error, message):
                call()

    def testCacheThatCannotBeWrittenIsAWarning(self):
        text = "import sys, numpy, rapt; x = numpy.ones((1, 1, 2, 4), 'f4')\n"
        text += "print(rapt.load(sys.argv[1])(x, x, x).sum())"
        result = subprocess.run(
            [sys.executable, "-c", text, EXAMPLES / "full.attn"],
            env={**os.environ, "RAPT_CACHE_DIR": "/dev/null/cache"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(result.stdout, "8.0\n", result.stderr)
        self.assertIn("cannot create cache directory", result.stderr)

    def testLibraryThatIsMissing(self):
        result = subprocess.run(
            [sys.executable, "-c", "import rapt; rapt.version()"],
            env={**os.environ, "RAPT_LIBRARY": "/nowhere/librapt.so"},
            capture_output=True,
            text=True,
        )
        self.assertIn("OSError: cannot load /nowhere/librapt.so", result.stderr)
        self.assertIn("set RAPT_LIBRARY", result.stderr)


@unittest.skipUnless(torch, "needs torch")
class TestTorch(unittest.TestCase):
    def setUp(self):
        self.window = rapt.load(EXAMPLES / "sliding_window.attn")

    def testTypes(self):
        for dtype, atol in (
            (torch.float32, 1e-5),
            (torch.bfloat16, 4e-2),
            (torch.float16, 4e-3),
        ):
            q, k, v = (torch.from_numpy(x).to(dtype) for x in makeArrays())
            out, lse = self.window(q, k, v, window=9, return_lse=True)
            self.assertIsInstance(out, torch.Tensor)
            self.assertEqual((out.dtype, lse.dtype), (dtype, torch.float32))
            expected = compute(*(x.float().numpy() for x in (q, k, v)), window=9)
            numpy.testing.assert_allclose(out.float(), expected[0], atol=atol)
            numpy.testing.assert_allclose(lse, expected[1], atol=atol, rtol=1e-5)

    def testViewsAndMasks(self):
        packed = torch.randn(2, 20, 3, 4, 8)
        q, k, v = (packed[:, :, n].transpose(1, 2) for n in range(3))
        expected = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, is_causal=True
        )
        torch.testing.assert_close(self.window(q, k, v), expected, atol=1e-5, rtol=0)
        duo = rapt.load(EXAMPLES / "duo.attn")
        full = torch.tensor([True, False, True, True])
        torch.testing.assert_close(duo(q, k, v, full), expected, atol=1e-5, rtol=0)

    def testGradientsAndDevices(self):
        q, k, v = (torch.from_numpy(x) for x in makeArrays())
        q.requires_grad_()
        with self.assertRaisesRegex(NotImplementedError, "'q' requires a gradient"):
            self.window(q, k, v)
        with torch.no_grad():
            self.window(q, k, v)
        with self.assertRaisesRegex(ValueError, "'k' is not in the memory of the CPU"):
            self.window(q.detach(), k.to("meta"), v)


if __name__ == "__main__":
    warnings.simplefilter("error")
    unittest.main()
