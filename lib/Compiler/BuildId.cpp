// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/BuildId.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/TargetParser/Host.h"
#include <cstdint>
#include <link.h>

namespace rapt {

const char *getVersion() { return RAPT_VERSION; }

namespace {

/// The file that holds the code at an address.
struct Search {
  uintptr_t address;
  std::string path;
};

int visitObject(dl_phdr_info *info, size_t, void *data) {
  auto &search = *static_cast<Search *>(data);
  for (int n = 0; n < info->dlpi_phnum; ++n) {
    const auto &segment = info->dlpi_phdr[n];
    if (segment.p_type != PT_LOAD)
      continue;
    uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    if (search.address < begin || search.address >= begin + segment.p_memsz)
      continue;
    // The program itself has no name here.
    search.path = *info->dlpi_name ? info->dlpi_name : "/proc/self/exe";
    return 1;
  }
  return 0;
}

} // namespace

const std::string &getBuildId() {
  static const std::string id = [] {
    std::string text = LLVM_VERSION_STRING;
    for (uintptr_t address :
         {reinterpret_cast<uintptr_t>(&getVersion),
          reinterpret_cast<uintptr_t>(&llvm::sys::getProcessTriple),
          reinterpret_cast<uintptr_t>(&mlir::verify)}) {
      Search search{address, ""};
      dl_iterate_phdr(visitObject, &search);
      llvm::sys::fs::file_status status;
      if (llvm::sys::fs::status(search.path, status))
        continue;
      text += ' ' + std::to_string(status.getSize()) + '@' +
              std::to_string(
                  status.getLastModificationTime().time_since_epoch().count());
    }
    return text;
  }();
  return id;
}

} // namespace rapt
