// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Compiled kernels on disk, safe for many processes at once.

#ifndef RAPT_LIB_RUNTIME_KERNELCACHE_H
#define RAPT_LIB_RUNTIME_KERNELCACHE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace rapt::runtime {

/// What one entry holds.
struct CachedKernel {
  std::string manifest;   ///< JSON
  std::string object;     ///< object code
  std::string image = {}; ///< code for a GPU; empty: there is none
};

class KernelCache {
public:
  /// Empty: $RAPT_CACHE_DIR, else $XDG_CACHE_HOME/rapt, else ~/.cache/rapt.
  explicit KernelCache(llvm::StringRef directory);

  const std::string &getDirectory() const { return directory; }

  /// The entry whose key has exactly this text, or nothing. An entry that is
  /// truncated, has a wrong checksum or belongs to another key is an error that
  /// says so; the caller compiles again and store() replaces it.
  llvm::Expected<std::optional<CachedKernel>> find(llvm::StringRef key) const;
  /// Writes a temporary file beside the entry and renames it. Fails without
  /// permission or space and leaves nothing behind.
  llvm::Error store(llvm::StringRef key, const CachedKernel &kernel) const;

private:
  std::string directory;
};

} // namespace rapt::runtime

#endif // RAPT_LIB_RUNTIME_KERNELCACHE_H
