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

#ifndef RAPT_LIB_SUPPORT_LAUNCHWORDS_H
#define RAPT_LIB_SUPPORT_LAUNCHWORDS_H

#include <cstdint>

namespace rapt::support {

constexpr int64_t kItemWords = 3;
constexpr int64_t getViewWords(int64_t rank) { return 1 + 2 * rank; }
constexpr int64_t kTableViews = 3, kTableNumbers = 3;
constexpr int64_t kTableWords = kTableViews * getViewWords(1) + kTableNumbers;

} // namespace rapt::support

#endif // RAPT_LIB_SUPPORT_LAUNCHWORDS_H
