// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/OutputFile.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using llvm::Error;
using llvm::StringRef;
namespace fs = llvm::sys::fs;

namespace rapt::tool {

static Error cannotWrite(StringRef path, std::error_code code) {
  return llvm::createStringError(path + ": cannot write: " + code.message());
}

bool isChannel(StringRef path) {
  fs::file_status status;
  if (fs::status(path, status))
    return false;
  return fs::exists(status) && !fs::is_regular_file(status) &&
         !fs::is_directory(status);
}

static Error writeText(StringRef path, StringRef text) {
  std::error_code code;
  llvm::raw_fd_ostream os(path, code);
  if (code)
    return cannotWrite(path, code);
  os << text;
  os.close();
  code = os.error();
  os.clear_error(); // an unseen error would abort
  return code ? cannotWrite(path, code) : Error::success();
}

OutputFiles::~OutputFiles() {
  for (const auto &[temporary, path] : files)
    fs::remove(temporary);
}

Error OutputFiles::add(StringRef path,
                       llvm::function_ref<Error(StringRef)> write) {
  if (fs::is_directory(path))
    return cannotWrite(path, std::make_error_code(std::errc::is_a_directory));
  llvm::SmallString<128> temporary;
  int descriptor;
  std::error_code code =
      isChannel(path)
          ? fs::createTemporaryFile("rapt", "out", descriptor, temporary)
          : fs::createUniqueFile(path + ".tmp-%%%%%%%%", descriptor, temporary);
  if (code)
    return cannotWrite(path, code);
  fs::closeFile(descriptor);
  files.emplace_back(temporary.str().str(), path.str());
  return write(temporary);
}

Error OutputFiles::addText(StringRef path, StringRef text) {
  return add(path, [&](StringRef temporary) -> Error {
    return writeText(temporary, text);
  });
}

Error OutputFiles::keep() {
  for (const auto &[temporary, path] : files) {
    if (!isChannel(path)) {
      if (std::error_code code = fs::rename(temporary, path))
        return cannotWrite(path, code);
      continue;
    }
    auto bytes = llvm::MemoryBuffer::getFile(temporary, /*IsText=*/false,
                                             /*RequiresNullTerminator=*/false);
    if (!bytes)
      return cannotWrite(path, bytes.getError());
    if (Error error = writeText(path, (*bytes)->getBuffer()))
      return error;
    fs::remove(temporary);
  }
  files.clear();
  return Error::success();
}

} // namespace rapt::tool
