// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Object code into this process.

#ifndef RAPT_LIB_RUNTIME_KERNELLOADER_H
#define RAPT_LIB_RUNTIME_KERNELLOADER_H

#include "lib/Runtime/KernelEntries.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace llvm {
class MemoryBuffer;
} // namespace llvm

namespace rapt::runtime {

/// Which entries a kernel has, see lib/Runtime/KernelEntries.h.
enum class EntryKind { ForCpu, ForGpu };

/// Owns the code of one kernel. Safe to use from several threads.
class LoadedKernel {
public:
  /// Links an object file with ORC and finds NAME_workspace, NAME_plan and
  /// NAME_run or NAME_launch in it. Fails on an object that does not link or
  /// lacks an entry.
  static llvm::Expected<std::unique_ptr<LoadedKernel>>
  load(std::unique_ptr<llvm::MemoryBuffer> object, llvm::StringRef name,
       EntryKind kind = EntryKind::ForCpu);
  virtual ~LoadedKernel() = default;

  const KernelEntries &getEntries() const { return entries; }

protected:
  KernelEntries entries;
};

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_KERNELLOADER_H
