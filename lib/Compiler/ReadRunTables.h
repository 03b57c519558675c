// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The runs that a planned workspace holds.

#ifndef RAPT_LIB_COMPILER_READRUNTABLES_H
#define RAPT_LIB_COMPILER_READRUNTABLES_H

#include "rapt/RunTable.h"

namespace rapt {

/// Copies the tables of a workspace that NAME_plan has filled.
std::vector<RunTable> readRunTables(const void *workspace, int64_t launches,
                                    int64_t tables);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_READRUNTABLES_H
