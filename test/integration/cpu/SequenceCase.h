// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A batch of uneven sequences for one kernel: each as a case of its own, which
/// the Reference judges, and all of them laid out as one call.

#ifndef RAPT_TEST_INTEGRATION_CPU_SEQUENCECASE_H
#define RAPT_TEST_INTEGRATION_CPU_SEQUENCECASE_H

#include "KernelCase.h"

namespace rapt::testing {

struct SequenceLengths {
  int64_t queries = 1, keys = 1;
};

/// How a call is laid out.
struct SequenceSetting {
  SpecSetting spec;
  std::vector<SequenceLengths> lengths;
  bool packsQueries = false, packsKeys = false;
  int64_t pageSize = 0; ///< 0: keys are not in pages
  /// Pages [pages, kv_heads, page size, dim] instead of with the size outside.
  bool headsFirst = false;
  bool givesPositions = false;
  uint64_t seed = 1;

  std::string describe() const;
};

class SequenceCase {
public:
  /// Null, with a failure of the test, if the spec does not compile.
  static std::unique_ptr<SequenceCase> create(SequenceSetting setting);

  /// Lays the call out with other lengths for the same kernel.
  void resize(std::vector<SequenceLengths> lengths, uint64_t seed);
  /// Runs once, from a plan if `isPlanned`, and compares every row of every
  /// sequence by the error rule. Rows that belong to none must stay untouched.
  void check(unsigned threads = 1, bool isPlanned = false);
  void run(const RunOptions &options, const Plan *plan = nullptr);

  /// The tensors of the call, to be changed by tests of errors.
  std::vector<NamedTensor> arguments() const;
  Sequences sequences() const;
  const Kernel &getKernel() const { return kernel; }
  SpecTensor out{"out", support::ElementType::F32, {}};
  SpecTensor lse{"lse", support::ElementType::F32, {}};
  /// By the name in messages: query_starts, page_table, ...
  std::map<std::string, SpecTensor> given;
  std::vector<SpecTensor> tensors;
  TensorView view(const SpecTensor &tensor) const;

private:
  SequenceCase(SequenceSetting setting, std::unique_ptr<SpecCase> spec,
               Kernel kernel)
      : setting(std::move(setting)), spec(std::move(spec)),
        kernel(std::move(kernel)) {}
  void makeSequences();
  void layOut();
  void give(const std::string &name, std::vector<int64_t> sizes,
            const std::vector<int64_t> &values);
  void compare();

  /// Whether results have the axis `keys`: there is a query at every key.
  bool hasQueryAtEveryKey() const;
  /// Whether the rows of results are packed.
  bool packsResults() const {
    return hasQueryAtEveryKey() ? setting.packsKeys : setting.packsQueries;
  }

  SequenceSetting setting;
  std::unique_ptr<SpecCase> spec;
  Kernel kernel;
  /// The tensors of each sequence alone, in the order of the spec.
  std::vector<std::vector<SpecTensor>> alone;
  std::vector<std::vector<int64_t>> positions;
};

} // namespace rapt::testing

#endif // RAPT_TEST_INTEGRATION_CPU_SEQUENCECASE_H
