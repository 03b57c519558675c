// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The floating-point mode that kernels run in.

#ifndef RAPT_LIB_RUNTIME_FLUSHSUBNORMALS_H
#define RAPT_LIB_RUNTIME_FLUSHSUBNORMALS_H

#include <cstdint>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace rapt::runtime {

/// While it lives, this thread treats subnormal f32 numbers (below 1.2e-38) as
/// 0, in operands and results. Weights far below the largest one are such
/// numbers, and an x86 core takes about 150 cycles for an operation on one:
/// attention with a steep linear bias runs four times slower with them. The
/// thread's own mode comes back at the end.
class FlushSubnormals {
public:
  FlushSubnormals() : saved(read()) { write(saved | kFlush); }
  ~FlushSubnormals() { write(saved); }
  FlushSubnormals(const FlushSubnormals &) = delete;
  FlushSubnormals &operator=(const FlushSubnormals &) = delete;

private:
#if defined(__x86_64__)
  /// MXCSR: flush results to zero, and count subnormal operands as zeros.
  static constexpr uint64_t kFlush = 0x8040;
  static uint64_t read() { return _mm_getcsr(); }
  static void write(uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
  static constexpr uint64_t kFlush = uint64_t(1) << 24; ///< FPCR.FZ
  static uint64_t read() {
    uint64_t mode;
    asm volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void write(uint64_t mode) {
    asm volatile("msr fpcr, %0" : : "r"(mode));
  }
#else
  static constexpr uint64_t kFlush = 0;
  static uint64_t read() { return 0; }
  static void write(uint64_t) {}
#endif

  uint64_t saved;
};

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_FLUSHSUBNORMALS_H
