// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CompileForGpu.h"
#include "lib/Target/GpuTarget.h"
#include "lib/Target/Target.h"
#include "tools/rapt/Commands.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

namespace rapt::tool {

static void printTarget(const target::CpuTarget &target) {
  llvm::outs() << llvm::formatv(
      "{0,-16} {1,-16} {2,-28} {3,4} bit vectors   {4}\n", target.name,
      target.cpu, target.triple, target.vectorBits,
      target::runsOnHost(target) ? "runs here" : "");
}

static llvm::Error listTargets(const CommandLine &) {
  printTarget(target::getHostTarget());
  for (const target::CpuTarget &target : target::getKnownTargets())
    printTarget(target);
  for (const target::GpuTarget &gpu : target::getKnownGpus())
    llvm::outs() << llvm::formatv(
        "{0,-16} {0,-16} {1,-28} {2,4} KiB shared memory\n", gpu.name,
        target::kGpuTriple, gpu.sharedBytes / 1024);
  // Where there is no driver there is no GPU to list.
  auto found = runtime::listCudaGpus();
  if (!found) {
    llvm::consumeError(found.takeError());
    return llvm::Error::success();
  }
  for (const runtime::CudaGpu &gpu : *found) {
    const target::GpuTarget *target = target::findGpuFor(gpu.capability);
    llvm::outs() << llvm::formatv("{0,-16} {1,-16} {2}, GPU {3}\n", kCudaTarget,
                                  target ? target->name : "none", gpu.name,
                                  gpu.ordinal);
  }
  return llvm::Error::success();
}

const Command &getTargetsCommand() {
  static const OptionRow options[] = {{"--help", "", "Print this text"}};
  static const Command command{
      {"targets", "", "List the machines that code is generated for", options},
      listTargets};
  return command;
}

} // namespace rapt::tool
