// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Kernels compiled for this machine and compared with the Reference.

#ifndef RAPT_TEST_INTEGRATION_CPU_KERNELCASE_H
#define RAPT_TEST_INTEGRATION_CPU_KERNELCASE_H

#include "SpecCase.h"
#include "rapt/Kernel.h"
#include "gtest/gtest.h"

namespace rapt::testing {

class KernelCase {
public:
  /// Null, with a failure of the test, if the spec does not compile.
  static std::unique_ptr<KernelCase> create(SpecSetting setting,
                                            const std::string &target = "host",
                                            const std::string &plan = "");

  struct Results {
    SpecTensor out, lse;
  };
  /// Runs the kernel on the tensors of the case. Each of them, and the results,
  /// lies against a page that must not be touched, at its end or, if `atFront`,
  /// at its beginning.
  Results run(unsigned threads = 1, bool atFront = false);
  /// The same with results laid out like these.
  void runInto(Results &results, unsigned threads, bool atFront);
  Results makeResults() const;

  /// Runs and compares all rows by the error rule.
  void check(unsigned threads = 1);
  void compare(const Results &results);

  SpecCase &spec() { return *specCase; }
  const Kernel &getKernel() const { return kernel; }

private:
  KernelCase(std::unique_ptr<SpecCase> specCase, Kernel kernel)
      : specCase(std::move(specCase)), kernel(std::move(kernel)) {}

  std::unique_ptr<SpecCase> specCase;
  Kernel kernel;
};

/// What a test compiles and runs on: the shape of one call.
struct Lengths {
  int64_t batch, heads, kvHeads, queries, keys;
};
void resize(KernelCase &kernel, const Lengths &lengths, uint64_t seed);

/// The names of parametrised tests.
std::string getTypeName(support::ElementType type);

} // namespace rapt::testing

#endif // RAPT_TEST_INTEGRATION_CPU_KERNELCASE_H
