# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""librapt.so through ctypes: include/rapt-c/Rapt.h in Python."""

import ctypes
import functools
import os
import pathlib

# DLPack's kind and number of bits, as in rapt_dtype.
DTYPES = {
    "f16": 0x0210,
    "f32": 0x0220,
    "bf16": 0x0410,
    "i8": 0x0008,
    "i16": 0x0010,
    "i32": 0x0020,
    "i64": 0x0040,
    "u8": 0x0108,
    "bool": 0x0608,
}


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("dtype", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("sizes", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
    ]


class Argument(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("tensor", Tensor)]


class Sequences(ctypes.Structure):
    _fields_ = [
        (name, ctypes.POINTER(Tensor))
        for name in (
            "query_starts",
            "key_starts",
            "query_lengths",
            "key_lengths",
            "page_table",
            "query_positions",
        )
    ]


class Call(ctypes.Structure):
    _fields_ = [
        ("arguments", ctypes.POINTER(Argument)),
        ("count", ctypes.c_size_t),
        ("out", ctypes.POINTER(Tensor)),
        ("lse", ctypes.POINTER(Tensor)),
        ("sequences", ctypes.POINTER(Sequences)),
        ("plan", ctypes.c_void_p),
        ("threads", ctypes.c_uint),
        ("executor", ctypes.c_void_p),
        ("stream", ctypes.c_void_p),
    ]


_pointer = ctypes.c_void_p
_text = ctypes.c_char_p
# A text to be freed is not a c_char_p, which Python would convert and lose.
_texts = ctypes.POINTER(ctypes.c_void_p)
_arguments = ctypes.POINTER(Argument)
_call = ctypes.POINTER(Call)

# Name: (result, arguments). A result of int is a status, and the last argument
# then takes the message.
_FUNCTIONS = {
    "rapt_version": (_text, []),
    "rapt_free": (None, [_pointer]),
    "rapt_spec_load": (ctypes.c_int, [_text, _texts, _texts]),
    "rapt_spec_parse": (ctypes.c_int, [_text, _text, _texts, _texts]),
    "rapt_spec_destroy": (None, [_pointer]),
    "rapt_options_create": (_pointer, []),
    "rapt_options_destroy": (None, [_pointer]),
    "rapt_options_set_definition": (None, [_pointer, _text]),
    "rapt_options_set_param": (None, [_pointer, _text, _text]),
    "rapt_options_set_dtype": (ctypes.c_int, [_pointer, ctypes.c_int32, _texts]),
    "rapt_options_set_sequences": (None, [_pointer, ctypes.c_int]),
    "rapt_options_set_target": (None, [_pointer, _text]),
    "rapt_options_set_cache": (None, [_pointer, ctypes.c_int, _text]),
    "rapt_spec_describe": (ctypes.c_int, [_pointer, _pointer, _texts, _texts]),
    "rapt_spec_infer_extents": (
        ctypes.c_int,
        [_pointer, _pointer, _arguments, ctypes.c_size_t, _texts],
    ),
    "rapt_kernel_compile": (ctypes.c_int, [_pointer, _pointer, _texts, _texts]),
    "rapt_kernel_destroy": (None, [_pointer]),
    "rapt_kernel_describe": (ctypes.c_int, [_pointer, _texts, _texts]),
    "rapt_kernel_warnings": (_pointer, [_pointer]),
    "rapt_kernel_call": (ctypes.c_int, [_pointer, _call, _texts]),
    "rapt_kernel_call_sizes": (
        ctypes.c_int,
        [
            _pointer,
            _call,
            ctypes.POINTER(ctypes.c_int64),
            ctypes.POINTER(ctypes.c_int),
            _texts,
        ],
    ),
    "rapt_kernel_plan": (ctypes.c_int, [_pointer, _call, _texts, _texts]),
    "rapt_plan_destroy": (None, [_pointer]),
}

# By status; 0 is success.
_ERRORS = {
    1: ValueError,
    2: ValueError,
    3: NotImplementedError,
    4: OSError,
    5: RuntimeError,
    6: RuntimeError,
}


def _find():
    """The path of the library: $RAPT_LIBRARY, the build beside this checkout,
    or what the system's loader finds."""
    path = os.environ.get("RAPT_LIBRARY")
    if path:
        return path
    built = pathlib.Path(__file__).resolve().parents[2] / "build/lib/librapt.so"
    return str(built) if built.exists() else "librapt.so"


@functools.lru_cache(maxsize=None)
def get():
    """The library, loaded at its first use."""
    path = _find()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise OSError(
            f"cannot load {path}: {error}; build it with './x build' or set "
            "RAPT_LIBRARY to its path"
        ) from None
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def take(address):
    """The text at an address that the library gave, which is then freed."""
    if not address:
        return None
    text = ctypes.string_at(address).decode("utf-8", "replace")
    get().rapt_free(address)
    return text


def call(name, *arguments):
    """Calls a function that has a status; raises what it says."""
    message = ctypes.c_void_p()
    check(name, getattr(get(), name)(*arguments, ctypes.byref(message)), message.value)


def check(name, status, message):
    """Raises what a status and the address of a message say."""
    text = take(message)
    if status != 0:
        error = _ERRORS.get(status, RuntimeError)
        raise error(text or f"{name} failed with status {status}")


def version():
    return get().rapt_version().decode()


class Handle:
    """An object of the library, destroyed with this one."""

    def __init__(self, address, destroy):
        self.address = address
        self._destroy = getattr(get(), destroy)

    def __del__(self):
        self._destroy(self.address)


def make(destroy, name, *arguments):
    """Calls a function that makes an object."""
    address = ctypes.c_void_p()
    call(name, *arguments, ctypes.byref(address))
    return Handle(address.value, destroy)


def makeText(name, *arguments):
    """Calls a function that makes a text."""
    address = ctypes.c_void_p()
    call(name, *arguments, ctypes.byref(address))
    return take(address.value)
