# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Calls that differ from one before in addresses only: all layers and steps of a
model. What the library is told is kept, and a call sets the addresses.

A call of Attention takes tens of microseconds to look at its arguments and to
describe them; one of these takes a few."""

import ctypes
import sys

from . import library

_MOST = 16  # kinds of calls that a plan keeps


def _observe(value):
    """What must be the same, or None if this kind of tensor is not known here."""
    torch = sys.modules.get("torch")
    if torch is not None and type(value) is torch.Tensor:
        if value.requires_grad or value.layout != torch.strided:
            return None
        if value.is_cpu:
            return value.dtype, value.shape, value.stride()
        if value.is_cuda:
            return value.dtype, value.shape, value.stride(), value.device
        return None
    numpy = sys.modules.get("numpy")
    if numpy is not None and type(value) is numpy.ndarray:
        return value.dtype, value.shape, value.strides
    return None


def _getStream(value):
    """Where torch works now on the GPU of a tensor; 0 for one of the CPU."""
    if not getattr(value, "is_cuda", False):
        return 0
    return sys.modules["torch"].cuda.current_stream(value.device).cuda_stream


def _getAddress(value):
    data_ptr = getattr(value, "data_ptr", None)
    if data_ptr is not None:
        return data_ptr()
    try:  # a quarter of the time of `.ctypes`
        return ctypes.addressof(ctypes.c_char.from_buffer(value))
    except (TypeError, ValueError, BufferError):  # read-only, or not in C order
        return value.ctypes.data


class _Prepared:
    """One call's structure, for one thread at a time. It points to sizes and
    strides, which ctypes keeps alive, and holds no tensor."""

    def __init__(self, call, tensors, out, like, shape):
        self.call = call
        self.reference = ctypes.byref(call)
        self.tensors, self.out = tensors, out
        self.like, self.shape = like, shape  # what out is made from
        self.function = library.get().rapt_kernel_call


class Repeats:
    """Those of one plan. Safe from several threads: a structure that is in use is
    taken out."""

    def __init__(self, kernel, sequences):
        # Not the plan: in a cycle it would keep its memory until Python looks for
        # cycles, and each step of decoding would take fresh memory.
        self._kernel, self._sequences = kernel, sequences
        self._spare = {}

    def getKey(self, args, out):
        """What calls must have in common; None if they cannot be repeated."""
        key = []
        for value in args:
            seen = _observe(value)
            if seen is None:
                return None
            key.append(seen)
        if out is not None:
            seen = _observe(out)
            if seen is None:
                return None
            key.append(seen)
        return tuple(key), out is None

    def take(self, key):
        """A structure for calls with this key, or None."""
        spare = self._spare.get(key)
        try:
            return spare.pop() if spare else None
        except IndexError:  # another thread was first
            return None

    def keep(self, key, call, array, out, like, shape):
        """Keeps the structure of a call that has succeeded."""
        if len(self._spare) >= _MOST and key not in self._spare:
            return
        tensors = [argument.tensor for argument in array]
        prepared = _Prepared(call, tensors, out, like, shape)
        self._spare.setdefault(key, []).append(prepared)

    def run(self, key, prepared, args, out, threads, stream, makeResult):
        """Runs the call again with other memory."""
        if out is None:
            out = makeResult(prepared.shape, None, args[prepared.like])
        for tensor, value in zip(prepared.tensors, args):
            tensor.data = _getAddress(value)
        prepared.out.data = _getAddress(out)
        prepared.call.threads = threads
        if stream is None:
            stream = _getStream(args[prepared.like])
        prepared.call.stream = getattr(stream, "cuda_stream", stream)
        message = ctypes.c_void_p()
        try:
            status = prepared.function(
                self._kernel.address, prepared.reference, ctypes.byref(message)
            )
        finally:
            self._spare[key].append(prepared)
        if status != 0:
            with self._sequences.spelling():
                library.check("rapt_kernel_call", status, message.value)
        return out
