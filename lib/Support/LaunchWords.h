// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// How a launch is passed to a kernel on a GPU: words of 64 bits, which the
/// entry NAME_launch writes and the kernel reads.
///
///   3 words             the extents x, y and z of the items
///   then for every argument of the launch
///     an index          itself
///     a view            the address, the extents, the strides in elements
///     a table of runs   three views of rank 1 of 64 bit words: offsets, order
///                       and runs, as in lib/Support/WorkspaceHead.h; then how
///                       many heads and blocks of rows it has, and its columns
///   then, from a multiple of kMapAlignment words on, for every tensor that the
///   GPU's copy engine may read
///     kMapWords words   a CUtensorMap, and the word kMapRank: whether there is
///                       one
///
/// In the place of a map the entry writes what cuTensorMapEncodeTiled takes, in
/// the order of MapWord, unused words 0, and as kMapRank the rank of the
/// tensor, or 0 if the engine cannot read it. The caller encodes the map in
/// memory at a multiple of 64 bytes, as the driver wants it, and copies its 128
/// bytes to this place; where the driver refuses, or to do without, it makes
/// kMapRank 0, and the threads of the kernel copy. Element strides are 1,
/// nothing is interleaved, lines of the L2 cache are promoted to 256 bytes,
/// what lies outside is zero. The block of words itself begins at a multiple of
/// 64 bytes only on the GPU.

#ifndef RAPT_LIB_SUPPORT_LAUNCHWORDS_H
#define RAPT_LIB_SUPPORT_LAUNCHWORDS_H

#include <cstdint>

namespace rapt::support {

constexpr int64_t kItemWords = 3;
constexpr int64_t getViewWords(int64_t rank) { return 1 + 2 * rank; }
constexpr int64_t kTableViews = 3, kTableNumbers = 3;
constexpr int64_t kTableWords = kTableViews * getViewWords(1) + kTableNumbers;

constexpr int64_t kMapWords = 24, kMapAlignment = 8;

enum MapWord : int32_t {
  kMapAddress = 0,  ///< of the first element
  kMapExtents = 1,  ///< 5, the innermost first
  kMapStrides = 6,  ///< 4, in bytes, of all but the innermost
  kMapColumns = 10, ///< of a box; outer ones but rows are 1
  kMapRows = 11,
  kMapElement = 12, ///< CUtensorMapDataType
  kMapSwizzle = 13, ///< CUtensorMapSwizzle
  kMapRank = 16,    ///< not overwritten by the map
};

/// Of the driver's enumerations: CU_TENSOR_MAP_DATA_TYPE_FLOAT16 and
/// _BFLOAT16, CU_TENSOR_MAP_SWIZZLE_128B (CUDA 12.0, cuda.h).
constexpr int64_t kMapElementF16 = 6, kMapElementBF16 = 9, kMapSwizzle128 = 3;

} // namespace rapt::support

#endif // RAPT_LIB_SUPPORT_LAUNCHWORDS_H
