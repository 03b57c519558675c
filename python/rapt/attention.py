# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A definition of a file as a function of tensors."""

import json
import os
import warnings

from . import library, sequences, tensors

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
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
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
        self._names = self.arguments

    def _makeOptions(self, dtype, params, form=0, isOnGpu=False):
        created = library.get().rapt_options_create()
        if not created:
            raise MemoryError
        options = library.Handle(created, "rapt_options_destroy")
        if self._definition is not None:
            library.get().rapt_options_set_definition(
                options.address, self._definition.encode()
            )
        library.call("rapt_options_set_dtype", options.address, library.DTYPES[dtype])
        library.get().rapt_options_set_sequences(options.address, form)
        if isOnGpu:
            library.get().rapt_options_set_target(options.address, b"cuda")
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
        """The tensors by name, the params, and what tells of sequences."""
        names = self.arguments
        if len(positional) > len(names):
            raise TypeError(
                f"{len(positional)} tensors, expected at most {len(names)}: "
                + ", ".join(names)
            )
        given = dict(zip(names, positional))
        params, described = {}, {}
        for name, value in keywords.items():
            if name in given:
                raise TypeError(f"'{name}' is given twice")
            if name in names:
                given[name] = value
            elif sequences.isName(name) and (
                value is None or tensors.isTensor(value)
            ):
                if value is not None:
                    described[name] = value
            elif tensors.isTensor(value) and getattr(value, "shape", None) != ():
                raise TypeError(
                    f"unknown tensor '{name}'; the spec reads " + ", ".join(names)
                )
            else:
                params[name] = _spell(value)
        return given, tuple(sorted(params.items())), described

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
        like = next((given[name] for name in views), None)
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
            views[name] = tensors.viewScalar(
                name, given[name], argument["dtype"], like
            )
        # A param may have changed what is read.
        return {each["name"]: views[each["name"]] for each in signature}, dtype

    def _getKernel(self, views, array, dtype, params, form):
        signature = self._describe(dtype, params)["arguments"]
        # Features are behind everything else, which not every call has.
        extents = tuple(
            size
            for argument in signature
            for axis, size in zip(
                reversed(argument["axes"]), reversed(views[argument["name"]].sizes)
            )
            if axis["feature"]
        )
        ranks = tuple(len(view.sizes) for view in views.values())
        isOnGpu = tensors.findGpu(views)
        key = dtype, params, extents, ranks, form, isOnGpu
        kernel = self._kernels.get(key)
        if kernel is None:
            options = self._makeOptions(dtype, params, form, isOnGpu)
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
                warnings.warn(library.take(found), RuntimeWarning, stacklevel=4)
            self._kernels[key] = kernel
        return kernel

    def _makeCall(self, views, described):
        """A call, and what its arguments live in."""
        array = (library.Argument * len(views))(
            *(
                library.Argument(name.encode(), view.tensor)
                for name, view in views.items()
            )
        )
        call = library.Call(arguments=array, count=len(array))
        if described.form:
            call.sequences = library.ctypes.pointer(described.structure)
        return call, array

    def _arrange(self, views, described, dtype, params):
        """Views as the library wants them."""
        if not described.form:
            return views
        signature = self._describe(dtype, params)["arguments"]
        return {
            each["name"]: described.arrange(each, views[each["name"]])
            for each in signature
        }

    def _prepare(self, args, keywords, kv_layout):
        """The tensors by name, their views, the kernel and the call."""
        given, params, found = self._sort(args, keywords)
        described = sequences.Sequences(found, kv_layout)
        views, dtype = self._getArguments(given, params)
        views = self._arrange(views, described, dtype, params)
        call, array = self._makeCall(views, described)
        kernel = self._getKernel(views, array, dtype, params, described.form)
        return given, views, dtype, params, described, kernel, call

    @staticmethod
    def _getSizes(kernel, call):
        sizes, rank = (library.ctypes.c_int64 * 4)(), library.ctypes.c_int()
        library.call(
            "rapt_kernel_call_sizes",
            kernel.address,
            library.ctypes.byref(call),
            sizes,
            library.ctypes.byref(rank),
        )
        return tuple(sizes[: rank.value])

    @staticmethod
    def _chooseStream(stream, given, views):
        """A stream's handle: the caller's, else that of the first tensor."""
        if stream is not None:
            return getattr(stream, "cuda_stream", stream)
        for name, view in views.items():
            if view.device is not None:
                return tensors.getStream(given[name], view)
        return 0

    def plan(self, *args, threads=0, kv_layout="NHD", stream=None, **keywords):
        """Plans a call with these arguments. Calls with the same sizes, integer
        tensors and sequences take the plan and leave the sequences and params out:

            plan = attention.plan(q, k, v, cu_seqlens_q=starts, cu_seqlens_k=starts)
            for layer in layers:
                out = attention(layer.q, layer.k, layer.v, plan=plan)
        """
        given, views, dtype, params, described, kernel, call = self._prepare(
            args, keywords, kv_layout
        )
        call.threads = _checkThreads(threads)
        call.stream = self._chooseStream(stream, given, views)
        with described.spelling():
            sizes = self._getSizes(kernel, call)
            handle = library.make(
                "rapt_plan_destroy",
                "rapt_kernel_plan",
                kernel.address,
                library.ctypes.byref(call),
            )
        plan = sequences.Plan(self, kernel, handle, described, dtype, params, sizes)
        # A param may have changed what is read, and calls give what is named.
        if list(views) == self._names:
            plan.count = len(views)
        return plan

    def _preparePlanned(self, args, keywords, plan):
        if plan.attention is not self:
            raise ValueError("the plan is not one of this attention")
        given, params, found = self._sort(args, keywords)
        if params or found:
            name = found and next(iter(found)) or params[0][0]
            raise TypeError(f"'{name}' is given with a plan, which has it")
        views, dtype = self._getArguments(given, plan.params)
        if dtype != plan.dtype:
            raise TypeError(f"the plan is one for {plan.dtype}, got {dtype}")
        views = self._arrange(views, plan.sequences, dtype, plan.params)
        return given, views

    def __call__(
        self,
        *args,
        out=None,
        return_lse=False,
        threads=0,
        plan=None,
        kv_layout=None,
        stream=None,
        **keywords,
    ):
        """Computes the attention.

        args        tensors in the order of `arguments`: NumPy arrays, torch
                    tensors, or anything with DLPack, in the memory of the CPU, or
                    all in that of an NVIDIA GPU, also with
                    __cuda_array_interface__
        keywords    further tensors by name, numbers for scalars, and params
        out         where to write; else a new tensor of the kind of the first
        return_lse  also return log-sum-exp [batch, heads, queries] in f32
        threads     0: one per core
        plan        what plan() returned
        stream      on a GPU the stream that this runs on, as an integer or a
                    torch.cuda.Stream; else torch's current one. Nothing is waited
                    for

        Sequences of different lengths, as int32 tensors; see docs/serving.md:

        cu_seqlens_q, cu_seqlens_k   [batch + 1]: tokens of all sequences lie one
                    after the other; q, k, v and out are [tokens, heads, dim]
        seqused_q, seqused_k         [batch]: how many tokens each sequence has, also
                    cache_seqlens; k and v are the cache [batch, heads, keys, dim]
        page_table  [batch, pages of a sequence], also block_table: k and v are
                    [pages, page size, heads, dim], with kv_layout="HND" [pages,
                    heads, page size, dim]
        positions   [batch, queries], or [tokens] with cu_seqlens_q: positions of
                    the queries, in the place of the last ones before the last key

        Raises TypeError, ValueError or RuntimeError before anything runs.
        """
        threads = _checkThreads(threads)
        key = None
        if out is not None and tensors.isNumpy(out) and not out.flags.writeable:
            raise ValueError("'out' is read-only")
        if plan is not None and kv_layout is not None:
            raise TypeError("'kv_layout' belongs to the plan; give it to plan()")
        if plan is not None:
            # All tensors of the spec, and nothing else: the common call of a layer.
            if (
                len(args) == plan.count
                and plan.attention is self
                and not keywords
                and not return_lse
            ):
                key = plan.repeats.getKey(args, out)
                prepared = key and plan.repeats.take(key)
                if prepared:
                    return plan.repeats.run(
                        key, prepared, args, out, threads, stream, tensors.makeResult
                    )
            given, views = self._preparePlanned(args, keywords, plan)
            dtype, params = plan.dtype, plan.params
            described, kernel, sizes = plan.sequences, plan.kernel, plan.sizes
            call, array = self._makeCall(views, described)
            call.plan = plan.handle.address
        else:
            given, views, dtype, params, described, kernel, call = self._prepare(
                args, keywords, kv_layout or "NHD"
            )
            with described.spelling():
                sizes = self._getSizes(kernel, call)
        call.threads = threads
        call.stream = self._chooseStream(stream, given, views)
        like = next(
            given[name]
            for name in sorted(views, key=lambda name: name not in self._free)
            if tensors.isTensor(given[name])
        )
        results = self._describe(dtype, params)["results"]
        shape = described.arrangeSizes(results[0], sizes)
        if out is None:
            out = tensors.makeResult(shape, None, like)
        outView = described.arrange(results[0], tensors.view("out", out), isResult=True)
        tensors.findGpu({**views, "out": outView})
        call.out = library.ctypes.pointer(outView.tensor)
        lse = None
        if return_lse:
            lse = tensors.makeResult(sizes[:-1], "f32", like)
            lseView = tensors.view("lse", lse)
            call.lse = library.ctypes.pointer(lseView.tensor)
        with described.spelling():
            library.call(
                "rapt_kernel_call", kernel.address, library.ctypes.byref(call)
            )
        if key:
            place = next(n for n, value in enumerate(args) if value is like)
            plan.repeats.keep(key, call, array, outView.tensor, place, shape)
        return (out, lse) if return_lse else out


def _checkThreads(threads):
    if not 0 <= threads <= 1024:
        raise ValueError(f"threads is {threads}, expected 0 .. 1024")
    return threads
