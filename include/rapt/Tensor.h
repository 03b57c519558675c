// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A tensor in the memory of this process or of a GPU.

#ifndef RAPT_TENSOR_H
#define RAPT_TENSOR_H

#include <cstdint>
#include <vector>

namespace rapt {

/// Element types, numbered as DLPack numbers them: a kind and a number of bits.
enum class DType : int32_t {
  F16 = 0x0210,
  F32 = 0x0220,
  BF16 = 0x0410,
  I8 = 0x0008,
  I16 = 0x0010,
  I32 = 0x0020,
  I64 = 0x0040,
  U8 = 0x0108,
  Bool = 0x0608 ///< One byte, 0 or 1.
};

/// A tensor that somebody else owns: for kernels of a GPU in the memory of that
/// GPU. Strides are in elements and not negative;
/// that of an argument may be 0, so that one element stands for many. The last
/// dimension of q, k, v, of other tensors that are read by rows and of the
/// results must be contiguous; an error says so. Addresses are multiples of the
/// size of an element.
struct TensorView {
  void *data = nullptr;
  DType dtype = DType::F32;
  std::vector<int64_t> sizes;
  /// Empty: C order without gaps.
  std::vector<int64_t> strides;
};

} // namespace rapt

#endif // RAPT_TENSOR_H
