// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// What a compiled kernel says about itself.

#ifndef RAPT_LIB_COMPILER_KERNELMANIFEST_H
#define RAPT_LIB_COMPILER_KERNELMANIFEST_H

#include "lib/Runtime/DeviceKernel.h"
#include "lib/Target/Target.h"
#include "rapt/Kernel.h"
#include "llvm/Support/Error.h"
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rapt {

using runtime::DeviceKernel;

/// What is known only after lowering, and so kept in the cache.
struct LoweringFacts {
  /// The algorithm of each launch, and what was chosen for it, as text.
  std::string form, plan;
  /// The tiles of loops over keys, as CompileOptions::plan may say them.
  std::string tiles;
  /// What the compiler told about its choices.
  std::vector<Remark> remarks;
  int64_t launches = 0;
  /// Tables of runs in the workspace, see lib/Support/WorkspaceHead.h.
  int64_t tables = 0;
  /// For each table: its queries or keys are those of a list.
  std::vector<bool> listed;
  /// Stack that one call of NAME_run takes, about.
  int64_t stackBytes = 0;
  /// For every argument, then every result: the last dimension must have the
  /// stride 1.
  std::vector<bool> contiguous;
  /// Tables of masks that must reach the last token, see
  /// lib/Compiler/TableReach.h.
  std::vector<int64_t> reaches;
  /// One for each launch; empty if the target is a CPU.
  std::vector<DeviceKernel> kernels;
};

/// `structure` or `missed`: how manifests and modules spell a kind.
llvm::StringRef getRemarkName(RemarkKind kind);
std::optional<RemarkKind> parseRemarkKind(llvm::StringRef name);

struct KernelManifest {
  std::string symbol;
  /// Canonical text of the definition.
  std::string source;
  std::map<std::string, std::string> params;
  Signature signature;
  /// What calls say of their sequences, and the arguments that the entries take
  /// for that after those of the signature, see lib/Compiler/SequenceLayout.h.
  SequenceForm sequences;
  std::vector<TensorSignature> sequenceArguments;
  target::CpuTarget target;
  std::string gpu; ///< Name of the GPU's kind; empty if the target is a CPU.
  LoweringFacts facts;

  /// Indented JSON.
  std::string print() const;
};

/// Reads back what print() wrote. Fails on anything else.
llvm::Expected<LoweringFacts> parseLoweringFacts(llvm::StringRef manifest);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_KERNELMANIFEST_H
