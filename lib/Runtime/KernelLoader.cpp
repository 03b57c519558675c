// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/KernelLoader.h"
#include "lib/Runtime/ProcessSymbols.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/ExecutionEngine/Orc/SelfExecutorProcessControl.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <mutex>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
namespace orc = llvm::orc;

namespace rapt::runtime {

namespace {
/// A session of its own for every kernel: a few tens of microseconds, and the
/// code goes away with it. LLJIT would create a target machine and compile IR
/// for a platform; for a finished object the linking layer is enough.
class OrcKernel final : public LoadedKernel {
public:
  static Expected<std::unique_ptr<OrcKernel>> create();
  ~OrcKernel() override;

  Error link(std::unique_ptr<llvm::MemoryBuffer> object, StringRef name,
             EntryKind kind);

private:
  explicit OrcKernel(std::unique_ptr<orc::ExecutorProcessControl> process)
      : session(std::move(process)), layer(session) {}

  Error linkObject(std::unique_ptr<llvm::MemoryBuffer> object, StringRef name,
                   EntryKind kind);
  void collect(Error error);

  orc::ExecutionSession session;
  orc::ObjectLinkingLayer layer;
  std::mutex mutex;
  std::string errors;
};
} // namespace

Expected<std::unique_ptr<OrcKernel>> OrcKernel::create() {
  // On this thread: the default would start threads for so small a job.
  auto process = orc::SelfExecutorProcessControl::Create(
      nullptr, std::make_unique<orc::InPlaceTaskDispatcher>());
  if (!process)
    return process.takeError();
  return std::unique_ptr<OrcKernel>(new OrcKernel(std::move(*process)));
}

OrcKernel::~OrcKernel() {
  if (Error error = session.endSession())
    llvm::consumeError(std::move(error)); // nobody is left to hear of it
}

/// What the session reports; its own way is to print it.
void OrcKernel::collect(Error error) {
  std::lock_guard<std::mutex> lock(mutex);
  errors += (errors.empty() ? "" : "; ") + toString(std::move(error));
}

Error OrcKernel::linkObject(std::unique_ptr<llvm::MemoryBuffer> object,
                            StringRef name, EntryKind kind) {
  orc::JITDylib &process = session.createBareJITDylib("process");
  if (Error error = addProcessSymbols(process))
    return error;
  // Only the kernel's own library is searched for the entries, so that one that
  // is missing is not found elsewhere in the process.
  orc::JITDylib &kernel = session.createBareJITDylib("kernel");
  kernel.addToLinkOrder(process);
  if (Error error = layer.add(kernel, std::move(object)))
    return error;

  auto getName = [&](const char *suffix) {
    return session.intern((name + suffix).str());
  };
  orc::SymbolStringPtr workspace = getName("_workspace"),
                       plan = getName("_plan"),
                       last = getName(kind == EntryKind::ForCpu ? "_run"
                                                                : "_launch");
  Expected<orc::SymbolMap> symbols = session.lookup(
      orc::makeJITDylibSearchOrder(
          &kernel, orc::JITDylibLookupFlags::MatchExportedSymbolsOnly),
      orc::SymbolLookupSet({workspace, plan, last}));
  if (!symbols)
    return symbols.takeError();
  entries.workspace =
      (*symbols)[workspace].getAddress().toPtr<WorkspaceEntry>();
  entries.plan = (*symbols)[plan].getAddress().toPtr<PlanEntry>();
  auto address = (*symbols)[last].getAddress();
  if (kind == EntryKind::ForCpu)
    entries.run = address.toPtr<RunEntry>();
  else
    entries.launch = address.toPtr<LaunchEntry>();
  return Error::success();
}

Error OrcKernel::link(std::unique_ptr<llvm::MemoryBuffer> object,
                      StringRef name, EntryKind kind) {
  session.setErrorReporter([this](Error error) { collect(std::move(error)); });
  Error error = linkObject(std::move(object), name, kind);
  if (!error)
    return error;
  collect(std::move(error));
  return llvm::createStringError(errors);
}

/// Success if `object` holds code for the machine that runs this process. The
/// linking layer would link any.
static Error checkArchitecture(const llvm::MemoryBuffer &object) {
  auto parsed =
      llvm::object::ObjectFile::createObjectFile(object.getMemBufferRef());
  if (!parsed)
    return llvm::createStringError("not an object file: " +
                                   toString(parsed.takeError()));
  llvm::Triple host(llvm::sys::getProcessTriple());
  if ((*parsed)->getArch() == host.getArch())
    return Error::success();
  return llvm::createStringError(
      "the object is for " +
      llvm::Triple::getArchTypeName((*parsed)->getArch()) +
      ", this process is " + llvm::Triple::getArchTypeName(host.getArch()));
}

Expected<std::unique_ptr<LoadedKernel>>
LoadedKernel::load(std::unique_ptr<llvm::MemoryBuffer> object, StringRef name,
                   EntryKind kind) {
  auto fail = [&](Error error) {
    return llvm::createStringError("cannot load kernel '" + name +
                                   "': " + toString(std::move(error)));
  };
  if (Error error = checkArchitecture(*object))
    return fail(std::move(error));
  auto kernel = OrcKernel::create();
  if (!kernel)
    return fail(kernel.takeError());
  if (Error error = (*kernel)->link(std::move(object), name, kind))
    return fail(std::move(error));
  return std::move(*kernel);
}

} // namespace rapt::runtime
