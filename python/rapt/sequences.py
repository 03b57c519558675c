# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The sequences of a batch: include/rapt/Sequences.h with the names and the order
of axes that FlashAttention, FlashInfer and vLLM use."""

import contextlib
import ctypes

from . import library, repeat, tensors

# What a call may give, by every name that is taken for it.
_NAMES = {
    "cu_seqlens_q": "query_starts",
    "cu_seqlens_k": "key_starts",
    "seqused_q": "query_lengths",
    "seqused_k": "key_lengths",
    "cache_seqlens": "key_lengths",
    "block_table": "page_table",
    "positions": "query_positions",
}
# The first name of each: what is missing is called so.
_USUAL = {own: name for name, own in reversed(_NAMES.items()) if own != "page_table"}
_NAMES.update({name: name for name in set(_NAMES.values())})
_PAGES, _POSITIONS = 2, 4
_LAYOUTS = ("NHD", "HND")


def isName(name):
    return name in _NAMES


class Sequences:
    """What one call tells; `given` has tensors by any of their names."""

    def __init__(self, given, kv_layout="NHD"):
        if kv_layout not in _LAYOUTS:
            raise ValueError(
                f"kv_layout is {kv_layout!r}, expected " + " or ".join(_LAYOUTS)
            )
        self._layout = kv_layout
        self._given = {}  # by the name in messages
        self._spelled = {}  # as the caller spells it
        for name, value in given.items():
            own = _NAMES[name]
            if own in self._given:
                raise TypeError(f"'{name}' and '{self._spelled[own]}' are the same")
            self._given[own] = tensors.view(name, value)
            self._spelled[own] = name
        pointer = ctypes.POINTER(library.Tensor)
        self.structure = library.Sequences(
            **{name: pointer(view.tensor) for name, view in self._given.items()}
        )

    @property
    def form(self):
        """The sum of rapt_sequence_form values; 0 if nothing is given."""
        if not self._given:
            return 0
        form = 1
        if "page_table" in self._given:
            form |= _PAGES
        if "query_positions" in self._given:
            form |= _POSITIONS
        return form

    def _isMerged(self, axes):
        """Whether a tensor with these axes has those of its tokens and of the batch
        in one."""
        hasQueries, hasKeys = "queries" in axes, "keys" in axes
        if "batch" not in axes or hasQueries == hasKeys:
            return False
        return ("query_starts" if hasQueries else "key_starts") in self._given

    def _getOrder(self, argument, isResult=False):
        """The dimensions of a tensor of Python in the order of the library; None if
        that is the same."""
        names = [axis["name"] for axis in argument["axes"]]
        if len(names) != 4 or not argument["axes"][3]["feature"]:
            return None
        if self._isMerged(names):
            return 1, 0, 2  # [tokens, heads, features]
        # A result with the axis `keys`, of a query at every key, is never in pages.
        isPaged = "page_table" in self._given and names[2] == "keys"
        if isPaged and not isResult and self._layout == "NHD":
            return 0, 2, 1, 3  # [pages, page size, heads, features]
        return None

    def arrange(self, argument, view, isResult=False):
        """A View as the library wants it; one of another rank stays, and is refused
        there."""
        order = self._getOrder(argument, isResult)
        if order is None or len(order) != len(view.sizes):
            return view
        return view.permuted(order)

    def arrangeSizes(self, result, sizes):
        """The sizes of a result in the order of Python."""
        order = self._getOrder(result, isResult=True)
        if order is None:
            return tuple(sizes)
        return tuple(sizes[place] for place in order)  # its own inverse

    @contextlib.contextmanager
    def spelling(self):
        """Errors use the names that the caller did."""
        try:
            yield
        except (ValueError, NotImplementedError) as error:
            text = str(error)
            for own, name in {**_USUAL, **self._spelled}.items():
                text = text.replace(f"'{own}'", f"'{name}'")
            raise type(error)(text) from None


class Plan:
    """What Attention.plan() found out, to be given to calls of the same
    attention. See rapt/Plan.h for how long it holds."""

    def __init__(self, attention, kernel, handle, sequences, dtype, params, sizes):
        self.attention = attention
        self.kernel = kernel
        self.handle = handle
        self.sequences = sequences
        self.dtype = dtype
        self.params = params
        self.sizes = sizes
        self.count = -1  # of tensors, if a call may give all by their places
        self.repeats = repeat.Repeats(kernel, sequences)
