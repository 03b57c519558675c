# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Attention from a spec, on NumPy arrays and tensors of torch, of the CPU or of an
NVIDIA GPU.

    import rapt

    attention = rapt.load("examples/sliding_window.attn")
    out = attention(q, k, v, window=512)

The first call with new element types, feature extents or params compiles a
kernel (or finds it in the cache on disk); lengths, batch, heads and strides are
free. No tensor is copied.
"""

from .attention import Attention, load, parse
from .library import version

__all__ = ["Attention", "load", "parse", "version"]
__version__ = "0.1.0"
