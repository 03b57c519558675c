// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Support/Diagnostics.h"
#include "lib/Target/GpuTarget.h"
#include "lib/Target/Target.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

namespace rapt::target {

static constexpr const char *kX86 = "x86_64-unknown-linux-gnu";
static constexpr const char *kArm = "aarch64-unknown-linux-gnu";
static constexpr int64_t kKiB = 1024;

// What the lowerings ask about, in the spelling and order of getHostTarget().
// LLVM derives these from the CPU as well; a lowering should not need LLVM's
// tables to see them. Sources: the x86-64 psABI for the levels, the guides
// named below for the rest.
static constexpr const char *kAvx2 = "+avx2,+f16c,+fma";
static constexpr const char *kAvx512 =
    "+avx2,+avx512bw,+avx512dq,+avx512f,+avx512vl,+f16c,+fma";
static constexpr const char *kAvx512Bf16 =
    "+avx2,+avx512bf16,+avx512bw,+avx512dq,+avx512f,+avx512vl,+f16c,+fma";
static constexpr const char *kNeon = "+dotprod,+fullfp16,+neon";
static constexpr const char *kNeonBf16 = "+bf16,+dotprod,+fullfp16,+neon";

// VREDUCEPS and VSCALEFPS of 512 bits: two a cycle on Intel's servers
// (uops.info; measured on a Xeon of 2024). Zen 4 and Zen 5 take longer than for
// the additions they replace.
static constexpr bool kScales = true;

// VDPBF16PS of 512 bits: as many a cycle as multiply-adds on Zen 4 and Zen 5
// (uops.info; measured on Zen 5), one in two cycles on Intel's servers, which
// have AMX for that (measured on a Xeon of 2024).
static constexpr DotProducts kZenDots = {DotProducts::Instruction::Vdpbf16ps, 2,
                                         2};
static constexpr DotProducts kXeonDots = {DotProducts::Instruction::Vdpbf16ps,
                                          2, 0.5};
// BFDOT: as many a cycle as FMLA (Arm Neoverse V2 software optimization guide).
static constexpr DotProducts kArmDots = {DotProducts::Instruction::Bfdot, 2, 2};

llvm::ArrayRef<CpuTarget> getKnownTargets() {
  // The vector columns of x86: AVX2 has 16 registers of 256 bits, AVX-512 has
  // 32 of 512 bits (Intel SDM vol. 1, chapters 14 and 15). NEON has 32 of 128
  // bits (Arm ARM, part B).
  static const CpuTarget targets[] = {
      // Levels of the x86-64 psABI. Caches: the smallest of the
      // CPUs that have the level, for v3 Haswell (Intel optimization manual,
      // Haswell: 32 KiB and 256 KiB), for v4 Skylake-SP (same manual: 32 KiB
      // and 1 MiB).
      {"x86-64-v3", kX86, "x86-64-v3", kAvx2, 256, 16, 32 * kKiB, 256 * kKiB},
      {"x86-64-v4", kX86, "x86-64-v4", kAvx512, 512, 32, 32 * kKiB, 1024 * kKiB,
       kScales},
      // AMD Software Optimization Guide for Family 19h (Zen 3):
      // 32 KiB and 512 KiB.
      {"znver3", kX86, "znver3", kAvx2, 256, 16, 32 * kKiB, 512 * kKiB},
      // The same guide for Zen 4 (57647): 32 KiB and 1 MiB.
      {"znver4", kX86, "znver4", kAvx512Bf16, 512, 32, 32 * kKiB, 1024 * kKiB,
       !kScales, kZenDots},
      // AMD Software Optimization Guide for Zen 5 (58455): 48 KiB and 1 MiB;
      // sysfs of an EPYC 9005 says the same.
      {"znver5", kX86, "znver5", kAvx512Bf16, 512, 32, 48 * kKiB, 1024 * kKiB,
       !kScales, kZenDots},
      // Intel optimization manual, Ice Lake server: 48 KiB and 1.25 MiB.
      {"icelake-server", kX86, "icelake-server", kAvx512, 512, 32, 48 * kKiB,
       1280 * kKiB, kScales},
      // Intel optimization manual, Golden Cove servers: 48 KiB and 2 MiB; sysfs
      // of a Xeon of that kind says the same.
      {"sapphirerapids", kX86, "sapphirerapids", kAvx512Bf16, 512, 32,
       48 * kKiB, 2048 * kKiB, kScales, kXeonDots},
      // Arm Neoverse N1 TRM (100616): 64 KiB; 256 KiB to 1 MiB, of
      // which servers (Graviton 2, Ampere Altra) have 1 MiB.
      {"neoverse-n1", kArm, "neoverse-n1", kNeon, 128, 32, 64 * kKiB,
       1024 * kKiB},
      // Arm Neoverse V2 TRM (102375): 64 KiB; 1 or 2 MiB, of which Grace has
      // 1 MiB. Its SVE registers are no wider than NEON's.
      {"neoverse-v2", kArm, "neoverse-v2", kNeonBf16, 128, 32, 64 * kKiB,
       1024 * kKiB, !kScales, kArmDots},
      // Arm Cortex-A76 TRM (100798): 64 KiB; 128 to 512 KiB, of
      // which the Raspberry Pi 5 (BCM2712) has 512 KiB.
      {"cortex-a76", kArm, "cortex-a76", kNeon, 128, 32, 64 * kKiB, 512 * kKiB},
  };
  return targets;
}

llvm::Expected<CpuTarget> findTarget(llvm::StringRef name) {
  if (name == "host")
    return getHostTarget();
  llvm::SmallVector<llvm::StringRef> names = {"host"};
  for (const CpuTarget &target : getKnownTargets()) {
    if (target.name == name)
      return target;
    names.push_back(target.name);
  }
  for (const GpuTarget &gpu : getKnownGpus())
    names.push_back(gpu.name);
  return llvm::createStringError("unknown target '" + name + "', expected " +
                                 llvm::join(names, ", ") +
                                 support::didYouMean(name, names));
}

} // namespace rapt::target
