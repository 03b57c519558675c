// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// How fast this machine reads its memory.

#ifndef RAPT_TOOLS_RAPT_BANDWIDTHMETER_H
#define RAPT_TOOLS_RAPT_BANDWIDTHMETER_H

#include "rapt/Executor.h"

namespace rapt::tool {

/// Bytes per second, the best of some passes over more memory than caches hold;
/// 0 if there is not that much. Takes some tenths of a second.
double measureBandwidth(Executor &executor);

} // namespace rapt::tool

#endif // RAPT_TOOLS_RAPT_BANDWIDTHMETER_H
