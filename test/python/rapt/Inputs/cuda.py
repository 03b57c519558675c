# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""cuda.py EXAMPLES DRIVER: DRIVER is the library of test/tools/fake-cuda, whose
GPUs have memory of the host."""

import ctypes
import pathlib
import sys
import unittest

import numpy

import rapt

EXAMPLES = pathlib.Path(sys.argv.pop(1))
driver = ctypes.CDLL(sys.argv.pop(1))
driver.fakeCudaMakeStream.restype = ctypes.c_void_p
driver.fakeCudaMakeStream.argtypes = [ctypes.c_int]
driver.cuMemAlloc_v2.argtypes = [ctypes.POINTER(ctypes.c_uint64), ctypes.c_size_t]
driver.cuCtxPushCurrent_v2.argtypes = [ctypes.c_void_p]
driver.cuCtxPopCurrent_v2.argtypes = [ctypes.POINTER(ctypes.c_void_p)]


class Launch(ctypes.Structure):
    _fields_ = [
        ("kernel", ctypes.c_char_p),
        ("blocks", ctypes.c_uint),
        ("threads", ctypes.c_uint),
        ("sharedBytes", ctypes.c_uint),
        ("device", ctypes.c_int),
        ("stream", ctypes.c_void_p),
        ("words", ctypes.POINTER(ctypes.c_int64)),
    ]


launches = []


@ctypes.CFUNCTYPE(None, ctypes.POINTER(Launch))
def onLaunch(launch):
    seen = launch.contents
    launches.append((seen.kernel.decode(), seen.device, seen.stream))


class Array:
    """One in the memory of a GPU, as Numba and CuPy describe it."""

    def __init__(self, shape, typestr="<f2", device=0, stream=None):
        size = int(numpy.prod(shape)) * numpy.dtype(typestr).itemsize
        context, address = ctypes.c_void_p(), ctypes.c_uint64()
        driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)
        driver.cuCtxPushCurrent_v2(context)
        driver.cuMemAlloc_v2(ctypes.byref(address), size)
        driver.cuCtxPopCurrent_v2(ctypes.byref(context))
        self.__cuda_array_interface__ = {
            "shape": tuple(shape),
            "typestr": typestr,
            "data": (address.value, False),
            "strides": None,
            "stream": stream,
            "version": 3,
        }


class CudaTest(unittest.TestCase):
    def setUp(self):
        driver.fakeCudaReset()
        driver.fakeCudaOnLaunch(onLaunch)
        launches.clear()
        self.causal = rapt.load(EXAMPLES / "causal.attn")

    def make(self, tokens=100, **options):
        return [Array((1, 2, tokens, 64), **options) for _ in range(4)]

    def testRuns(self):
        q, k, v, out = self.make()
        self.assertIs(self.causal(q, k, v, out=out), out)
        self.assertEqual(launches, [("causal_launch0", 0, None)])

    def testRunsOnTheGpuOfTheTensors(self):
        q, k, v, out = self.make(device=1)
        self.causal(q, k, v, out=out)
        self.assertEqual(launches[0][1], 1)

    def testTakesTheStreamOfTheCallerOrOfTheTensors(self):
        stream, other = (driver.fakeCudaMakeStream(0) for _ in range(2))
        q, k, v, out = self.make(stream=other)
        self.causal(q, k, v, out=out)
        self.causal(q, k, v, out=out, stream=stream)
        plan = self.causal.plan(q, k, v, stream=stream)
        self.causal(q, k, v, out=out, plan=plan, stream=stream)
        self.assertEqual(
            [launch[2] for launch in launches], [other, stream, stream]
        )

    def testPlannedCallsAreCaptured(self):
        q, k, v, out = self.make()
        plan = self.causal.plan(q, k, v)
        driver.fakeCudaCapture(True)
        self.causal(q, k, v, out=out, plan=plan)
        with self.assertRaisesRegex(ValueError, "the stream captures a graph"):
            self.causal(q, k, v, out=out)
        driver.fakeCudaCapture(False)
        self.assertEqual(len(launches), 1)

    def testTensorsLieTogether(self):
        q, k, v, out = self.make()
        host = numpy.zeros((1, 2, 100, 64), numpy.float16)
        with self.assertRaisesRegex(
            ValueError, "'k' is in the memory of the CPU, but 'q' in that of a GPU"
        ):
            self.causal(q, host, v, out=out)
        with self.assertRaisesRegex(
            ValueError, "'out' is in the memory of the CPU, but 'q' in that of a GPU"
        ):
            self.causal(q, k, v, out=host)
        with self.assertRaisesRegex(
            ValueError, "'k' is in the memory of GPU 1, but 'q' in that of GPU 0"
        ):
            self.causal(q, self.make(device=1)[1], v, out=out)
        with self.assertRaisesRegex(TypeError, "give 'out'"):
            self.causal(q, k, v)

    def testTheCpuIsStillThere(self):
        arrays = [numpy.zeros((1, 2, 20, 8), numpy.float32) for _ in range(3)]
        self.assertEqual(self.causal(*arrays).shape, (1, 2, 20, 8))
        self.assertEqual(launches, [])

    def testSequencesAreNotThereYet(self):
        q, k, v = (Array((100, 2, 64)) for _ in range(3))
        starts = numpy.array([0, 50, 100], numpy.int32)
        with self.assertRaisesRegex(NotImplementedError, "sequences"):
            self.causal(
                q, k, v, out=Array((100, 2, 64)), cu_seqlens_q=starts,
                cu_seqlens_k=starts,
            )


unittest.main()
