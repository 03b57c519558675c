// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// How long a leading axis is at most: what the front end concludes about
/// indices and lengths, every call is held to.

#ifndef RAPT_LIB_SUPPORT_MAXLENGTH_H
#define RAPT_LIB_SUPPORT_MAXLENGTH_H

#include <cstdint>

namespace rapt::support {

/// Places that an axis of a batch, of heads or of tokens has at most. A
/// position has a distance from 0 below it.
inline constexpr int64_t kMaxLength = int64_t(1) << 26;

} // namespace rapt::support

#endif // RAPT_LIB_SUPPORT_MAXLENGTH_H
