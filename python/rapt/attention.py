# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A definition of a file as a function of tensors."""

import json
import os
import warnings

from . import library, tensors

_FLOATS = {library.DTYPES[name]: name for name in ("f32", "bf16", "f16")}
_NAMES = {code: name for name, code in library.DTYPES.items()}


def load(path, definition=None):
    """The attention that a file defines; `definition` says which, if there are
    several. Raises OSError, or ValueError with every mistake in the file."""
    spec = library.make(
        "rapt_spec_destroy", "rapt_spec_load", os.fsencode(os.fspath(path))
    )
    return Attention(spec, definition)


def parse(text, name="<text>", definition=None):
    """The same from text; `name` stands for a file in messages."""
    spec = library.make(
        "rapt_spec_destroy", "rapt_spec_parse", text.encode(), name.encode()
    )
    return Attention(spec, definition)


def _spell(value):
    """A param as it would stand in the spec."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Attention:
    """Call it with the tensors of the spec; see __call__. Safe from several
    threads."""

    def __init__(self, spec, definition):
        self._spec = spec
        self._definition = definition
        self._signatures = {}
        self._kernels = {}
        self._free = self._findFree()

    def _makeOptions(self, dtype, params):
        created = library.get().rapt_options_create()
        if not created:
            raise MemoryError
        options = library.Handle(created, "rapt_options_destroy")
        if self._definition is not None:
            library.get().rapt_options_set_definition(
                options.address, self._definition.encode()
            )
        library.call("rapt_options_set_dtype", options.address, library.DTYPES[dtype])
        for name, value in params:
            library.get().rapt_options_set_param(
                options.address, name.encode(), value.encode()
            )
        return options

    def _describe(self, dtype, params):
        key = dtype, params
        if key not in self._signatures:
            options = self._makeOptions(dtype, params)
            text = library.makeText(
                "rapt_spec_describe", self._spec.address, options.address
            )
            self._signatures[key] = json.loads(text)
        return self._signatures[key]

    def _findFree(self):
        """The arguments that have the element type of q: those whose type changes
        with it."""
        first = self._describe("f32", ())["arguments"]
        second = self._describe("bf16", ())["arguments"]
        return {a["name"] for a, b in zip(first, second) if a["dtype"] != b["dtype"]}

    @property
    def arguments(self):
        """The names of the tensors, in the order of positional arguments."""
        return [each["name"] for each in self._describe("f32", ())["arguments"]]

    def _sort(self, positional, keywords):
        """The tensors by name, and the params."""
        names = self.arguments
        if len(positional) > len(names):
            raise TypeError(
                f"{len(positional)} tensors, expected at most {len(names)}: "
                + ", ".join(names)
            )
        given = dict(zip(names, positional))
        params = {}
        for name, value in keywords.items():
            if name in given:
                raise TypeError(f"'{name}' is given twice")
            if name in names:
                given[name] = value
            elif tensors.isTensor(value) and getattr(value, "shape", None) != ():
                raise TypeError(
                    f"unknown tensor '{name}'; the spec reads " + ", ".join(names)
                )
            else:
                params[name] = _spell(value)
        return given, tuple(sorted(params.items()))

    def _getArguments(self, given, params):
        """Views in the order of the signature, and the element type of q."""
        views = {
            name: tensors.view(name, value)
            for name, value in given.items()
            if tensors.isTensor(value)
        }
        dtype = "f32"
        for name in self.arguments:
            if name in self._free and name in views:
                code = views[name].dtype
                if code not in _FLOATS:
                    found = _NAMES.get(code) or getattr(given[name], "dtype", hex(code))
                    raise TypeError(
                        f"'{name}' has type {found}, expected f32, bf16 or f16"
                    )
                dtype = _FLOATS[code]
                break
        signature = self._describe(dtype, params)["arguments"]
        for argument in signature:
            name = argument["name"]
            if name not in given:
                axes = ", ".join(axis["name"] for axis in argument["axes"])
                raise TypeError(f"tensor '{name}' [{axes}] is missing")
            if name in views:
                continue
            if argument["axes"] or not isinstance(given[name], (bool, int, float)):
                raise TypeError(
                    f"'{name}' is {type(given[name]).__name__}, expected a tensor"
                )
            views[name] = tensors.viewScalar(name, given[name], argument["dtype"])
        # A param may have changed what is read.
        return {each["name"]: views[each["name"]] for each in signature}, dtype

    def _getKernel(self, views, array, dtype, params):
        signature = self._describe(dtype, params)["arguments"]
        extents = tuple(
            size
            for argument in signature
            for axis, size in zip(argument["axes"], views[argument["name"]].sizes)
            if axis["feature"]
        )
        ranks = tuple(len(view.sizes) for view in views.values())
        key = dtype, params, extents, ranks
        kernel = self._kernels.get(key)
        if kernel is None:
            options = self._makeOptions(dtype, params)
            library.call(
                "rapt_spec_infer_extents",
                self._spec.address,
                options.address,
                array,
                len(array),
            )
            kernel = library.make(
                "rapt_kernel_destroy",
                "rapt_kernel_compile",
                self._spec.address,
                options.address,
            )
            found = library.get().rapt_kernel_warnings(kernel.address)
            if found:
                warnings.warn(library.take(found), RuntimeWarning, stacklevel=3)
            self._kernels[key] = kernel
        return kernel

    def __call__(self, *args, out=None, return_lse=False, threads=0, **keywords):
        """Computes the attention.

        args        tensors in the order of `arguments`: NumPy arrays, torch
                    tensors, or anything with DLPack, in the memory of the CPU
        keywords    further tensors by name, numbers for scalars, and params
        out         where to write; else a new tensor of the kind of the first
        return_lse  also return log-sum-exp [batch, heads, queries] in f32
        threads     0: one per core

        Raises TypeError, ValueError or RuntimeError before anything runs.
        """
        given, params = self._sort(args, keywords)
        views, dtype = self._getArguments(given, params)
        array = (library.Argument * len(views))(
            *(
                library.Argument(name.encode(), view.tensor)
                for name, view in views.items()
            )
        )
        if not 0 <= threads <= 1024:
            raise ValueError(f"threads is {threads}, expected 0 .. 1024")
        kernel = self._getKernel(views, array, dtype, params)
        sizes = (library.ctypes.c_int64 * 4)()
        library.call(
            "rapt_kernel_result_sizes", kernel.address, array, len(array), sizes
        )
        like = next(
            given[name]
            for name in sorted(views, key=lambda name: name not in self._free)
            if tensors.isTensor(given[name])
        )
        if out is None:
            out = tensors.makeResult(tuple(sizes), None, like)
        lse = tensors.makeResult(tuple(sizes[:3]), "f32", like) if return_lse else None
        outView = tensors.view("out", out)
        lseView = tensors.view("lse", lse) if return_lse else None
        library.call(
            "rapt_kernel_run",
            kernel.address,
            array,
            len(array),
            library.ctypes.byref(outView.tensor),
            library.ctypes.byref(lseView.tensor) if lseView else None,
            threads,
        )
        return (out, lse) if return_lse else out
