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

#endif // RAPT_DIALECTS_NV_IR_NV_H
