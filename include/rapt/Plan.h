// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// A call that is planned once and run often.

#ifndef RAPT_PLAN_H
#define RAPT_PLAN_H

#include <cstdint>
#include <memory>

namespace rapt {

/// What Kernel::plan() found out: which runs of keys each block of queries
/// visits, where the rows of pages lie, the order of the work, and the memory
/// for all of it. It holds as long as the sizes of the tensors, the contents of
/// the integer tensors among them, and the Sequences stay as they were; sizes
/// are checked, contents are not. Layers of a model share one.
///
/// Cheap to copy. Copies share the memory, so that calls with one plan take
/// turns; calls at the same time want a plan each. On a GPU the caller sees to
/// it that runs on different streams with one plan do not meet. It is made for
/// one GPU.
class Plan {
public:
  /// Bytes that the plan holds, on the host and on the GPU.
  int64_t getBytes() const;

private:
  friend class Kernel;
  struct Implementation;
  std::shared_ptr<Implementation> implementation;
};

} // namespace rapt

#endif // RAPT_PLAN_H
