// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Codegen/GpuCode.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>

using llvm::Expected;
using llvm::StringRef;

namespace rapt::codegen {

std::optional<std::string> findAssembler() {
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char *home = std::getenv(variable)) {
      llvm::SmallString<128> path(home);
      llvm::sys::path::append(path, "bin", "ptxas");
      if (llvm::sys::fs::can_execute(path))
        return path.str().str();
    }
  auto found = llvm::sys::findProgramByName("ptxas");
  if (!found)
    return std::nullopt;
  return *found;
}

/// The number before `word`.
static int64_t numberBefore(StringRef line, StringRef word) {
  size_t at = line.find(word);
  if (at == StringRef::npos)
    return 0;
  StringRef before = line.take_front(at).rtrim();
  size_t digits = before.find_last_not_of("0123456789");
  int64_t number = 0;
  before.drop_front(digits == StringRef::npos ? 0 : digits + 1)
      .getAsInteger(10, number);
  return number;
}

/// What `ptxas -v` writes, for each kernel:
///   ptxas info    : Compiling entry function 'NAME' for 'sm_90a'
///   ptxas info    : Function properties for NAME
///       8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads
///   ptxas info    : Used 168 registers, ...
static void readReport(StringRef report, GpuBinary &binary) {
  llvm::SmallVector<StringRef> lines;
  report.split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef line : lines) {
    if (line.contains("Compiling entry function")) {
      StringRef name = line.split('\'').second.split('\'').first;
      binary.kernels.push_back({name.str(), 0, 0, 0});
    } else if (line.contains("bytes stack frame")) {
      if (binary.kernels.empty())
        continue;
      KernelResources &kernel = binary.kernels.back();
      kernel.localBytes = numberBefore(line, "bytes stack frame");
      kernel.spillBytes = numberBefore(line, "bytes spill stores") +
                          numberBefore(line, "bytes spill loads");
    } else if (line.contains("Used") && line.contains("registers")) {
      if (!binary.kernels.empty())
        binary.kernels.back().registers = numberBefore(line, "registers");
    } else if (!line.starts_with("ptxas info    : 0 bytes gmem") &&
               !line.contains("Function properties for") &&
               !line.contains("bytes gmem") && !line.contains("Compile time")) {
      binary.messages.push_back(line.str());
    }
  }
}

static Expected<GpuBinary> runAssembler(StringRef ptx, StringRef architecture) {
  std::optional<std::string> program = findAssembler();
  if (!program)
    return llvm::createStringError(
        "ptxas is not found: expected it below CUDA_HOME or on the path");
  llvm::SmallString<128> source, result, report;
  auto create = [](StringRef extension, llvm::SmallString<128> &path) {
    return llvm::sys::fs::createTemporaryFile("rapt", extension, path);
  };
  if (std::error_code code = create("ptx", source))
    return llvm::createStringError(code, "cannot write a temporary file");
  llvm::FileRemover removeSource(source);
  if (std::error_code code = create("cubin", result))
    return llvm::createStringError(code, "cannot write a temporary file");
  llvm::FileRemover removeResult(result);
  if (std::error_code code = create("txt", report))
    return llvm::createStringError(code, "cannot write a temporary file");
  llvm::FileRemover removeReport(report);
  {
    std::error_code code;
    llvm::raw_fd_ostream out(source, code);
    if (code)
      return llvm::createStringError(code, "cannot write a temporary file");
    out << ptx;
    out.close();
    if (out.has_error()) {
      code = out.error();
      out.clear_error();
      return llvm::createStringError(code, "cannot write a temporary file");
    }
  }
  std::string option = ("-arch=" + architecture).str();
  StringRef arguments[] = {*program, option, "-v", source, "-o", result};
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(report),
                                          StringRef(report)};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(*program, arguments, std::nullopt,
                                         redirects, 0, 0, &message);
  auto said = llvm::MemoryBuffer::getFile(report);
  StringRef text = said ? (*said)->getBuffer() : "";
  if (status != 0)
    return llvm::createStringError(
        "ptxas failed: " + (text.empty() ? StringRef(message) : text.rtrim()));
  auto cubin = llvm::MemoryBuffer::getFile(result, /*IsText=*/false,
                                           /*RequiresNullTerminator=*/false);
  if (!cubin)
    return llvm::createStringError(cubin.getError(),
                                   "cannot read what ptxas has written");
  GpuBinary binary;
  binary.cubin = (*cubin)->getBuffer().str();
  readReport(text, binary);
  return binary;
}

/// Left alone, ptxas rather spills a little than have one block fewer on a
/// multiprocessor; told that one is enough, it uses what registers there are.
static std::string letBlocksBeAlone(StringRef ptx,
                                    const llvm::StringSet<> &kernels) {
  std::string text;
  while (!ptx.empty()) {
    auto [head, rest] = ptx.split(".entry ");
    StringRef name = rest.take_until([](char c) { return c == '('; });
    text += head;
    ptx = rest;
    if (rest.empty())
      break;
    text += ".entry ";
    bool isAlone = rest.take_until([](char c) { return c == '{'; })
                       .contains(".minnctapersm");
    if (kernels.contains(name) && !isAlone)
      if (size_t end = rest.find('\n', rest.find(".maxntid"));
          end != StringRef::npos) {
        text += rest.take_front(end + 1);
        text += ".minnctapersm 1\n";
        ptx = rest.drop_front(end + 1);
      }
  }
  return text;
}

Expected<GpuBinary> assemble(StringRef ptx, const target::GpuTarget &target,
                             StringRef architecture) {
  if (architecture.empty())
    architecture = target.name;
  auto first = runAssembler(ptx, architecture);
  if (!first)
    return first;
  auto countSpills = [](const GpuBinary &binary) {
    int64_t sum = 0;
    for (const KernelResources &kernel : binary.kernels)
      sum += kernel.spillBytes;
    return sum;
  };
  llvm::StringSet<> spilling;
  for (const KernelResources &kernel : first->kernels)
    if (kernel.spillBytes > 0 && kernel.registers < target.threadRegisters)
      spilling.insert(kernel.name);
  if (spilling.empty())
    return first;
  std::string changed = letBlocksBeAlone(ptx, spilling);
  if (changed == ptx)
    return first;
  auto second = runAssembler(changed, architecture);
  if (!second) {
    llvm::consumeError(second.takeError()); // the first one is right
    return first;
  }
  return countSpills(*second) < countSpills(*first) ? std::move(second)
                                                    : std::move(first);
}

std::vector<std::string> getWarnings(const GpuBinary &binary) {
  std::vector<std::string> warnings = binary.messages;
  for (const KernelResources &kernel : binary.kernels)
    if (kernel.spillBytes > 0 || kernel.localBytes > 0)
      warnings.push_back("a thread of kernel '" + kernel.name + "' keeps " +
                         std::to_string(kernel.localBytes) +
                         " bytes outside of registers");
  return warnings;
}

} // namespace rapt::codegen
