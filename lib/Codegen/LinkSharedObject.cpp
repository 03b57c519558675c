// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Codegen/Codegen.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <optional>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace rapt::codegen {

namespace {
struct Linker {
  std::string program;
  /// A compiler's driver, which knows where libraries are.
  bool isDriver = false;
};
} // namespace

/// The first linker on the path that makes code for `arch`.
static Expected<Linker> findLinker(llvm::Triple::ArchType arch) {
  StringRef name = llvm::Triple::getArchTypeName(arch);
  bool isNative = arch == llvm::Triple(llvm::sys::getProcessTriple()).getArch();
  llvm::SmallVector<std::string> drivers, linkers;
  if (isNative)
    drivers = {"cc", "gcc", "clang"};
  else
    drivers = {(name + "-linux-gnu-gcc").str()};
  linkers = {"ld.lld", "ld.lld-" + std::to_string(LLVM_VERSION_MAJOR)};
  linkers.push_back(isNative ? "ld" : (name + "-linux-gnu-ld").str());

  std::string tried;
  for (bool isDriver : {true, false})
    for (StringRef candidate : isDriver ? drivers : linkers) {
      if (auto path = llvm::sys::findProgramByName(candidate))
        return Linker{*path, isDriver};
      tried += (tried.empty() ? "" : ", ") + candidate.str();
    }
  return llvm::createStringError("no linker for " + name +
                                 " on the path, looked for " + tried);
}

/// Runs the linker; what it prints is in the error.
static Error link(const Linker &linker, StringRef object, StringRef output) {
  llvm::SmallVector<StringRef> arguments = {linker.program, "-shared", "-o",
                                            output, object};
  if (linker.isDriver)
    arguments.append({"-Wl,--as-needed", "-lm"});

  llvm::SmallString<128> messages;
  if (std::error_code code =
          llvm::sys::fs::createTemporaryFile("rapt-link", "txt", messages))
    return llvm::createStringError("cannot write a temporary file: " +
                                   code.message());
  llvm::FileRemover remover(messages);
  std::optional<StringRef> redirects[] = {StringRef(""), StringRef(messages),
                                          StringRef(messages)};
  std::string failure;
  int status = llvm::sys::ExecuteAndWait(linker.program, arguments,
                                         std::nullopt, redirects,
                                         /*SecondsToWait=*/0,
                                         /*MemoryLimit=*/0, &failure);
  if (status == 0)
    return Error::success();
  if (auto text = llvm::MemoryBuffer::getFile(messages);
      text && !(*text)->getBuffer().trim().empty())
    failure = (*text)->getBuffer().trim().str();
  if (failure.empty())
    failure = "exit status " + std::to_string(status);
  return llvm::createStringError(linker.program + ": " + failure);
}

/// A name beside `path` that no file has.
static Expected<std::string> reserve(const llvm::Twine &path) {
  llvm::SmallString<128> result;
  int descriptor;
  if (std::error_code code = llvm::sys::fs::createUniqueFile(
          path + ".tmp-%%%%%%%%", descriptor, result))
    return llvm::createStringError("cannot write beside '" + path +
                                   "': " + code.message());
  llvm::sys::fs::file_t file = descriptor;
  llvm::sys::fs::closeFile(file);
  return result.str().str();
}

Error linkSharedObject(const llvm::MemoryBuffer &object, StringRef path) {
  auto parsed =
      llvm::object::ObjectFile::createObjectFile(object.getMemBufferRef());
  if (!parsed)
    return llvm::createStringError(
        "cannot link '" + path +
        "': not an object file: " + toString(parsed.takeError()));
  Expected<Linker> linker = findLinker((*parsed)->getArch());
  if (!linker)
    return llvm::createStringError("cannot link '" + path +
                                   "': " + toString(linker.takeError()));
  // Both files stand beside the result: a rename does not cross file systems,
  // and where the result can be written so can they.
  Expected<std::string> objectPath = reserve(path + ".o");
  if (!objectPath)
    return objectPath.takeError();
  llvm::FileRemover objectRemover(*objectPath);
  Expected<std::string> outputPath = reserve(path);
  if (!outputPath)
    return outputPath.takeError();
  llvm::FileRemover outputRemover(*outputPath);

  std::error_code code;
  {
    llvm::raw_fd_ostream stream(*objectPath, code);
    if (!code) {
      stream << object.getBuffer();
      stream.close();
      code = stream.error();
      stream.clear_error(); // reported below; an unseen error would abort
    }
  }
  if (code)
    return llvm::createStringError("cannot write '" + *objectPath +
                                   "': " + code.message());
  if (Error error = link(*linker, *objectPath, *outputPath))
    return llvm::createStringError("cannot link '" + path +
                                   "': " + toString(std::move(error)));
  if (std::error_code failed = llvm::sys::fs::rename(*outputPath, path))
    return llvm::createStringError("cannot write '" + path +
                                   "': " + failed.message());
  outputRemover.releaseFile();
  return Error::success();
}

} // namespace rapt::codegen
