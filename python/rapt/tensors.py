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


_CPU, _CUDA = 1, 2  # DLPack's DLDeviceType
_ANY = -1  # a GPU of unknown number

# The stream argument of __dlpack__ that asks for no order between streams.
_NO_ORDER = -1

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


_INTERFACES = ("__dlpack__", "__array_interface__", "__cuda_array_interface__")


def isTensor(value):
    return any(hasattr(value, name) for name in _INTERFACES)


def isNumpy(value):
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))


def isTorch(value):
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


class View:
    """A tensor and what keeps its memory and its sizes alive. `device` is the
    number of the GPU in whose memory it is, or None; `stream` one that its
    producer wants to be ordered with."""

    def __init__(self, dtype, data, sizes, strides, owner, device=None, stream=0):
        self.dtype = dtype
        self.device = device
        self.stream = stream
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
            self.device,
            self.stream,
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
    if isTorch(tensor):  # DLPack knows not all of its devices
        kinds = {"cpu": _CPU, "cuda": _CUDA}
        kind, device = kinds.get(tensor.device.type), tensor.device.index
    else:
        kind, device = tensor.__dlpack_device__()
    if kind not in (_CPU, _CUDA):
        raise ValueError(
            f"'{name}' is neither in the memory of the CPU nor in that of an NVIDIA "
            "GPU; call .cpu()"
        )
    if kind == _CUDA:  # the call is on a stream that the caller orders
        capsule = tensor.__dlpack__(stream=_NO_ORDER)
    else:
        capsule, device = tensor.__dlpack__(), None
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
    return View(code, data, sizes, strides, (tensor, capsule), device)


def _viewCuda(name, array):
    """Of what has the array interface of Numba and no DLPack."""
    import numpy

    found = array.__cuda_array_interface__
    if found.get("mask") is not None:
        raise TypeError(f"'{name}' has a mask")
    dtype = numpy.dtype(found["typestr"])
    if dtype.kind not in _NUMPY_KINDS or not dtype.isnative:
        raise TypeError(f"'{name}' has the element type {dtype}")
    code = _NUMPY_KINDS[dtype.kind] | 8 * dtype.itemsize
    sizes, strides = found["shape"], found.get("strides")
    if strides is None:
        strides, step = [0] * len(sizes), dtype.itemsize
        for d in reversed(range(len(sizes))):
            strides[d] = step
            step *= sizes[d]
    if any(stride % dtype.itemsize for stride in strides):
        raise ValueError(f"strides of '{name}' are no multiples of its elements")
    strides = [stride // dtype.itemsize for stride in strides]
    # It does not say on which GPU; the library finds that out.
    device = getattr(getattr(array, "device", None), "id", _ANY)
    stream = found.get("stream") or 0
    return View(code, found["data"][0], sizes, strides, array, device, stream)


def view(name, value):
    """A View of anything that isTensor() holds for."""
    if isNumpy(value):
        return _viewNumpy(name, value)
    if hasattr(value, "__dlpack__"):
        return _viewDLPack(name, value)
    if hasattr(value, "__cuda_array_interface__"):
        return _viewCuda(name, value)
    return _viewNumpy(name, value)


def getStream(like, view):
    """The handle of the stream on which torch works now on the GPU of a tensor; of
    what is not torch's, the stream of its producer, or the default one."""
    if view.device is None:
        return 0
    if isTorch(like):
        torch = sys.modules["torch"]
        return torch.cuda.current_stream(like.device).cuda_stream
    return view.stream


def findGpu(views):
    """Whether all these views are in the memory of a GPU; raises ValueError if only
    some are."""
    places = {name: view.device is not None for name, view in views.items()}
    if len(set(places.values())) > 1:
        here = next(name for name, isThere in places.items() if not isThere)
        there = next(name for name, isThere in places.items() if isThere)
        raise ValueError(
            f"'{here}' is in the memory of the CPU, but '{there}' in that of a GPU"
        )
    return any(places.values())


def viewScalar(name, value, dtype, like=None):
    """A View of a number that the spec reads as a scalar of `dtype`; in the memory
    where `like` is."""
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
    if like is not None and isTorch(like) and like.device.type == "cuda":
        torch = sys.modules["torch"]
        types = {"f32": "float32", "i8": "int8", "i16": "int16", "i32": "int32"}
        types.update({"i64": "int64", "u8": "uint8", "bool": "bool"})
        scalar = torch.tensor(
            value, dtype=getattr(torch, types[dtype]), device=like.device
        )
        return _viewDLPack(name, scalar)
    scalar = _SCALARS[dtype](value)
    return View(library.DTYPES[dtype], ctypes.addressof(scalar), (), (), scalar)


def makeResult(sizes, dtype, like):
    """A new tensor of the kind of `like`: torch's, else NumPy's. `dtype` None: the
    element type of `like`, else f32."""
    if isTorch(like):
        torch = sys.modules["torch"]
        return torch.empty(
            sizes, dtype=dtype and torch.float32 or like.dtype, device=like.device
        )
    if not isNumpy(like) and view("out", like).device is not None:
        raise TypeError(
            "there is no way to make a tensor like those given; give 'out' (and "
            "not return_lse)"
        )
    import numpy

    if dtype:
        return numpy.empty(sizes, dtype=numpy.float32)
    if isNumpy(like):
        return numpy.empty(sizes, dtype=like.dtype)
    return numpy.empty(sizes, dtype=numpy.from_dlpack(like).dtype)
