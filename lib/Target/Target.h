// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Facts about the machines that code is generated for.

#ifndef RAPT_LIB_TARGET_TARGET_H
#define RAPT_LIB_TARGET_TARGET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>

namespace rapt::target {

/// Instructions that add to each lane of f32 the products of neighbouring
/// elements of a narrower type: dot products.
struct DotProducts {
  enum class Instruction {
    None,
    Vdpbf16ps, ///< AVX-512-BF16
    Bfdot,     ///< FEAT_BF16 of Arm
  };
  Instruction instruction = Instruction::None;
  /// Elements of bf16 that one lane takes.
  int64_t perLane = 2;
  /// Terms a second, as a multiple of those of multiply-adds of f32.
  double speed = 0;

  bool exist() const { return instruction != Instruction::None; }
};

/// One kind of CPU.
struct CpuTarget {
  /// What the user calls it: `host`, `x86-64-v3`, `x86-64-v4`, `neoverse-n1`.
  std::string name;
  /// LLVM's triple, CPU and features (`+avx512f,...`).
  std::string triple;
  std::string cpu;
  std::string features;
  /// Bits of one vector register that generated code uses, and how many of
  /// them there are.
  int64_t vectorBits = 128;
  int64_t vectorRegisters = 16;
  /// Bytes of one core's first and second level data caches.
  int64_t l1Bytes = 32768;
  int64_t l2Bytes = 1048576;
  /// Whether taking the fraction of a number and scaling by a power of two
  /// (VREDUCEPS and VSCALEFPS of AVX-512DQ) are as fast as an addition.
  bool scalesByPowers = false;
  /// Dot products of bf16.
  DotProducts bf16Dots = {};

  int64_t getLanes32() const { return vectorBits / 32; }
};

/// The rows of the table, without `host`.
llvm::ArrayRef<CpuTarget> getKnownTargets();

/// The machine that runs this process. The only function that reads it.
const CpuTarget &getHostTarget();

/// `host` or a row of the table. The error names those there are.
llvm::Expected<CpuTarget> findTarget(llvm::StringRef name);

/// Whether code for `target` runs on this machine.
bool runsOnHost(const CpuTarget &target);

} // namespace rapt::target

#endif // RAPT_LIB_TARGET_TARGET_H
