// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Tensors in NumPy's file format (.npy, versions 1 to 3).

#ifndef RAPT_LIB_SUPPORT_NUMPYFILE_H
#define RAPT_LIB_SUPPORT_NUMPYFILE_H

#include "lib/Support/FloatFormats.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace rapt::support {

/// A tensor read from a file, its elements in C order without gaps.
struct NumpyArray {
  ElementType type = ElementType::F32;
  std::vector<int64_t> sizes;
  std::vector<char> data;
};

/// Reads the array in `bytes`, the content of a .npy file; `name` stands in
/// front of error messages. bf16 is NumPy's raw type of 2 bytes (`<V2`, as
/// ml_dtypes writes it). Fails on anything that is not a complete little-endian
/// array in C order; bytes after the array are ignored, as NumPy does.
llvm::Expected<NumpyArray> parseNumpy(llvm::StringRef bytes,
                                      llvm::StringRef name);

/// Reads the array in the file at `path`.
llvm::Expected<NumpyArray> readNumpyFile(llvm::StringRef path);

/// Success if `array`, read from `path`, has the given type and rank.
llvm::Error expectNumpyArray(const NumpyArray &array, llvm::StringRef path,
                             ElementType type, size_t rank);

/// Writes the elements at `data` (C order without gaps) to the file at `path`.
/// The file appears complete or not at all: it is written under another name in
/// the same folder and renamed.
llvm::Error writeNumpyFile(llvm::StringRef path, ElementType type,
                           llvm::ArrayRef<int64_t> sizes, const void *data);

} // namespace rapt::support

#endif // RAPT_LIB_SUPPORT_NUMPYFILE_H
