// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The nv dialect: tiles in the registers of warps and in shared memory.

#ifndef RAPT_DIALECTS_NV_IR_NV_H
#define RAPT_DIALECTS_NV_IR_NV_H

#include "dialects/Tile/IR/Tile.h"

#include "dialects/Nv/IR/NvDialect.h.inc"
#include "dialects/Nv/IR/NvEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Nv/IR/NvTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/Nv/IR/NvOps.h.inc"

namespace rapt::nv {
/// Registers that each thread of a block of so many warps has when it begins,
/// if the block has a multiprocessor for itself.
int64_t getEntryRegisters(int64_t warps);
/// What roles divide: the sum over all warps of what a thread has at entry.
int64_t getRoleRegisters(int64_t warps);
} // namespace rapt::nv

#endif // RAPT_DIALECTS_NV_IR_NV_H
