# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Tensors of Python as the library sees them: no copies."""

import ctypes
import sys

from . import library


class _DLTensor(ctypes.Structure):
    """DLPack's DLTensor, of which DLManagedTensor is the beginning."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("deviceType", ctypes.c_int32),
        ("deviceId", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byteOffset", ctypes.c_uint64),
    ]


_CPU = 1

_getPointer = ctypes.pythonapi.PyCapsule_GetPointer
_getPointer.restype = ctypes.c_void_p
_getPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]

_NUMPY_KINDS = {"f": 0x0200, "i": 0x0000, "u": 0x0100, "b": 0x0600}
_SCALARS = {
    "f32": ctypes.c_float,
    "i8": ctypes.c_int8,
    "i16": ctypes.c_int16,
    "i32": ctypes.c_int32,
    "i64": ctypes.c_int64,
    "u8": ctypes.c_uint8,
    "bool": ctypes.c_bool,
}


def isTensor(value):
    return hasattr(value, "__dlpack__") or hasattr(value, "__array_interface__")


def isNumpy(value):
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))


def isTorch(value):
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


class View:
    """A tensor and what keeps its memory and its sizes alive."""

    def __init__(self, dtype, data, sizes, strides, owner):
        self.dtype = dtype
        self.sizes = tuple(sizes)
        rank = len(self.sizes)
        self._owner = owner
        self._sizes = (ctypes.c_int64 * max(rank, 1))(*sizes)
        self._strides = (ctypes.c_int64 * max(rank, 1))(*strides)
        self.tensor = library.Tensor(data, dtype, rank, self._sizes, self._strides)

    def permuted(self, order):
        """The same memory with its dimensions in another order."""
        return View(
            self.dtype,
            self.tensor.data,
            [self.sizes[d] for d in order],
            [self._strides[d] for d in order],
            self._owner,
        )


def _viewNumpy(name, array):
    import numpy

    array = numpy.asarray(array)
    dtype = array.dtype
    if dtype.name == "bfloat16":  # of ml_dtypes
        code = library.DTYPES["bf16"]
    elif dtype.kind in _NUMPY_KINDS and dtype.isnative:
        code = _NUMPY_KINDS[dtype.kind] | 8 * dtype.itemsize
    else:
        raise TypeError(f"'{name}' has the element type {dtype}")
    if any(stride % dtype.itemsize for stride in array.strides):
        raise ValueError(f"strides of '{name}' are no multiples of its elements")
    strides = [stride // dtype.itemsize for stride in array.strides]
    return View(code, array.ctypes.data, array.shape, strides, array)


def _viewDLPack(name, tensor):
    if isTorch(tensor) and tensor.requires_grad:
        torch = sys.modules["torch"]
        if torch.is_grad_enabled():
            raise NotImplementedError(
                f"'{name}' requires a gradient, and there is no backward pass yet; "
                "call this under torch.no_grad() or detach the tensor"
            )
        tensor = tensor.detach()
    if isTorch(tensor):
        isHere = tensor.device.type == "cpu"  # DLPack knows not all of its devices
    else:
        isHere = tensor.__dlpack_device__()[0] == _CPU
    if not isHere:
        raise ValueError(f"'{name}' is not in the memory of the CPU; call .cpu()")
    capsule = tensor.__dlpack__()
    address = _getPointer(capsule, b"dltensor")
    described = _DLTensor.from_address(address)
    if described.lanes != 1:
        raise TypeError(f"'{name}' has vectors as elements")
    rank = described.ndim
    sizes = described.shape[:rank]
    if described.strides:
        strides = described.strides[:rank]
    else:
        strides = [1] * rank
        for d in reversed(range(rank - 1)):
            strides[d] = strides[d + 1] * sizes[d + 1]
    data = (described.data or 0) + described.byteOffset
    code = described.code << 8 | described.bits
    return View(code, data, sizes, strides, (tensor, capsule))


def view(name, value):
    """A View of anything that isTensor() holds for."""
    if isNumpy(value) or not hasattr(value, "__dlpack__"):
        return _viewNumpy(name, value)
    return _viewDLPack(name, value)


def viewScalar(name, value, dtype):
    """A View of a number that the spec reads as a scalar of `dtype`."""
    if dtype not in _SCALARS:
        raise TypeError(f"'{name}' is a number, expected a tensor of {dtype}")
    if dtype == "f32":
        value = float(value)
    elif int(value) != value:
        raise TypeError(f"'{name}' is {value}, expected an integer")
    else:
        value = int(value)
        bits = 8 * ctypes.sizeof(_SCALARS[dtype])
        if not -(1 << bits - 1) <= value < 1 << bits - 1 and dtype != "bool":
            raise ValueError(f"'{name}' is {value}, which does not fit {dtype}")
    scalar = _SCALARS[dtype](value)
    return View(library.DTYPES[dtype], ctypes.addressof(scalar), (), (), scalar)


def makeResult(sizes, dtype, like):
    """A new tensor of the kind of `like`: torch's, else NumPy's. `dtype` None: the
    element type of `like`, else f32."""
    if isTorch(like):
        torch = sys.modules["torch"]
        return torch.empty(
            sizes, dtype=dtype and torch.float32 or like.dtype, device="cpu"
        )
    import numpy

    if dtype:
        return numpy.empty(sizes, dtype=numpy.float32)
    if isNumpy(like):
        return numpy.empty(sizes, dtype=like.dtype)
    return numpy.empty(sizes, dtype=numpy.from_dlpack(like).dtype)
