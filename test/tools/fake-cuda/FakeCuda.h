// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A CUDA driver without a GPU: memory of its two devices is memory of the
/// host, copies are done at once, launches are noted and compute nothing. What
/// a driver refuses while a stream captures a graph it refuses as well.
///
/// Programs of tests link it and use the functions below; others are led to it
/// by RAPT_LIBCUDA, and read
///   FAKE_CUDA_FAIL=FUNCTION      that function fails
///   FAKE_CUDA_CAPABILITY=80      the compute capability; 90
///   FAKE_CUDA_LOG=FILE           a line for every call that has started a
///                                kernel or taken, copied or freed memory

#ifndef RAPT_TEST_TOOLS_FAKECUDA_FAKECUDA_H
#define RAPT_TEST_TOOLS_FAKECUDA_FAKECUDA_H

#include <cstdint>

extern "C" {

/// Forgets calls, and what was asked for below.
void fakeCudaReset();
/// The call with this number from now on, from 1 on, fails; 0: none does.
void fakeCudaFailCall(int number);
int fakeCudaCountCalls();
/// Of the functions with this name.
int fakeCudaCountCallsOf(const char *function);
/// All streams capture.
void fakeCudaCapture(bool isCapturing);
void fakeCudaSetCapability(int capability);

/// What is there and was not given back.
int fakeCudaCountAllocations();
int fakeCudaCountModules();
int fakeCudaCountPushedContexts();

struct FakeCudaLaunch {
  const char *kernel;
  unsigned blocks, threads, sharedBytes;
  int device;
  void *stream;
  /// The words of lib/Support/LaunchWords.h; only during the call.
  const int64_t *words;
};
/// Is called for every launch; null: nobody is.
void fakeCudaOnLaunch(void (*callback)(const FakeCudaLaunch &));

/// A stream of its own on a device.
void *fakeCudaMakeStream(int device);
/// A context that is no primary one.
void *fakeCudaMakeContext(int device);
}

#endif // RAPT_TEST_TOOLS_FAKECUDA_FAKECUDA_H
