// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// The contract between generated code and what runs it: three entries, the
/// same for code compiled in this process and ahead of time. Code for a GPU has
/// NAME_launch in the place of NAME_run.
///
/// `args` is a flat array of 64 bit words. For every argument and then every
/// result, in the order of the manifest: the address, the sizes, the strides in
/// elements (outermost first, as many of each as the tensor's rank). A result
/// that is not wanted has the address 0 and sizes 0.
///
/// A kernel is a sequence of launches; all items of one are done before the
/// next begins. `plan` depends on sizes and on integer tensors only, so it can
/// be kept while those stay.

#ifndef RAPT_LIB_RUNTIME_KERNELENTRIES_H
#define RAPT_LIB_RUNTIME_KERNELENTRIES_H

#include <cstdint>

namespace rapt::runtime {

/// Bytes of workspace for these sizes, enough for a call to be planned.
/// Symbol: NAME_workspace.
using WorkspaceEntry = int64_t (*)(const int64_t *args);
/// Fills a workspace of `bytes` (64 byte aligned): its head, see
/// lib/Support/WorkspaceHead.h, and what the items read. Returns the bytes that
/// this takes; if these are more than `bytes`, a mask left more runs of keys
/// than there was memory for, and the call must be planned again in a workspace
/// of that size.  Symbol: NAME_plan.
using PlanEntry = int64_t (*)(const int64_t *args, void *workspace,
                              int64_t bytes);
/// Computes items [first, last) of a launch.  Symbol: NAME_run.
using RunEntry = void (*)(const int64_t *args, void *workspace, int64_t launch,
                          int64_t first, int64_t last);

/// Says how a kernel of a GPU is launched: writes the words that it gets
/// (lib/Support/LaunchWords.h) and returns how many bytes these are. `args` has
/// addresses of the GPU's memory, `workspace` is a planned one in the host's
/// memory, of which the GPU has a copy at `deviceWorkspace`.
/// Symbol: NAME_launch.
using LaunchEntry = int64_t (*)(const int64_t *args, const void *workspace,
                                int64_t deviceWorkspace, int64_t launch,
                                int64_t *words);

struct KernelEntries {
  WorkspaceEntry workspace = nullptr;
  PlanEntry plan = nullptr;
  RunEntry run = nullptr;       ///< of a kernel for a CPU
  LaunchEntry launch = nullptr; ///< of a kernel for a GPU
};

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_KERNELENTRIES_H
