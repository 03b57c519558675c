// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/KernelCache.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/Errc.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
namespace fs = llvm::sys::fs;

namespace rapt::runtime {

//===----------------------------------------------------------------------===//
// The form of an entry
//===----------------------------------------------------------------------===//

// An entry is, in little endian,
//
//   magic            8 bytes
//   version          8 bytes
//   sizes            4 x 8 bytes: key, manifest, object, image
//   key, manifest, object, image
//   checksum         8 bytes: XXH3 of all before it

static constexpr llvm::StringLiteral kMagic("RAPTKRNL");
static constexpr uint32_t kVersion = 2;
static constexpr size_t kHeaderBytes = 48;
static constexpr size_t kChecksumBytes = 8;

static uint64_t getChecksum(StringRef bytes) {
  return llvm::xxh3_64bits(llvm::arrayRefFromStringRef(bytes));
}

static void append64(std::string &bytes, uint64_t value) {
  char word[8];
  llvm::support::endian::write64le(word, value);
  bytes.append(word, sizeof(word));
}

static std::string encode(StringRef key, const CachedKernel &kernel) {
  std::string bytes = kMagic.str();
  append64(bytes, kVersion);
  for (size_t size : {key.size(), kernel.manifest.size(), kernel.object.size(),
                      kernel.image.size()})
    append64(bytes, size);
  bytes += key;
  bytes += kernel.manifest;
  bytes += kernel.object;
  bytes += kernel.image;
  append64(bytes, getChecksum(bytes));
  return bytes;
}

static Expected<CachedKernel> decode(StringRef bytes, StringRef key) {
  if (!bytes.starts_with(kMagic))
    return llvm::createStringError("is not an entry of the kernel cache");
  if (bytes.size() < kHeaderBytes + kChecksumBytes)
    return llvm::createStringError(
        "is truncated: has " + Twine(bytes.size()) + " bytes, expected " +
        Twine(kHeaderBytes + kChecksumBytes) + " or more");
  const char *header = bytes.data() + kMagic.size();
  uint64_t version = llvm::support::endian::read64le(header);
  if (version != kVersion)
    return llvm::createStringError("has version " + Twine(version) +
                                   ", expected " + Twine(kVersion));
  // Subtracting from what is there, so that wild sizes do not overflow.
  uint64_t sizes[4], rest = bytes.size() - kHeaderBytes - kChecksumBytes;
  bool fits = true;
  for (int part = 0; part < 4; ++part) {
    sizes[part] = llvm::support::endian::read64le(header + 8 + 8 * part);
    fits &= sizes[part] <= rest;
    rest -= fits ? sizes[part] : 0;
  }
  if (!fits)
    return llvm::createStringError("is truncated: has " + Twine(bytes.size()) +
                                   " bytes, fewer than its header says");
  if (rest != 0)
    return llvm::createStringError("has " + Twine(rest) +
                                   " bytes more than its header says");
  StringRef checked = bytes.drop_back(kChecksumBytes);
  if (llvm::support::endian::read64le(checked.end()) != getChecksum(checked))
    return llvm::createStringError("has a wrong checksum");
  StringRef body = bytes.drop_front(kHeaderBytes);
  if (body.take_front(sizes[0]) != key)
    return llvm::createStringError("belongs to another key");
  auto take = [&](uint64_t size) {
    std::string part = body.take_front(size).str();
    body = body.drop_front(size);
    return part;
  };
  take(sizes[0]);
  CachedKernel kernel;
  kernel.manifest = take(sizes[1]);
  kernel.object = take(sizes[2]);
  kernel.image = take(sizes[3]);
  return kernel;
}

//===----------------------------------------------------------------------===//
// The directory
//===----------------------------------------------------------------------===//

static std::string getDefaultDirectory() {
  if (auto directory = llvm::sys::Process::GetEnv("RAPT_CACHE_DIR");
      directory && !directory->empty())
    return *directory;
  llvm::SmallString<128> directory;
  // The XDG specification says that a relative path counts as none.
  if (auto cache = llvm::sys::Process::GetEnv("XDG_CACHE_HOME");
      cache && llvm::sys::path::is_absolute(*cache))
    directory = *cache;
  else if (llvm::sys::path::home_directory(directory))
    llvm::sys::path::append(directory, ".cache");
  else
    return "";
  llvm::sys::path::append(directory, "rapt");
  return directory.str().str();
}

KernelCache::KernelCache(StringRef directory)
    : directory(directory.empty() ? getDefaultDirectory() : directory.str()) {}

static std::string getPath(StringRef directory, StringRef key) {
  auto hash = llvm::SHA256::hash(llvm::arrayRefFromStringRef(key));
  llvm::SmallString<128> path(directory);
  llvm::sys::path::append(path,
                          llvm::toHex(hash, /*LowerCase=*/true) + ".kernel");
  return path.str().str();
}

Expected<std::optional<CachedKernel>> KernelCache::find(StringRef key) const {
  if (directory.empty())
    return std::nullopt;
  std::string path = getPath(directory, key);
  // Read, not mapped: a file that somebody cuts short meanwhile must not end
  // the process.
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false,
                                            /*IsVolatile=*/true);
  if (!buffer) {
    if (buffer.getError() == llvm::errc::no_such_file_or_directory)
      return std::nullopt;
    return llvm::createStringError("cannot read cache entry '" + path +
                                   "': " + buffer.getError().message());
  }
  Expected<CachedKernel> kernel = decode((*buffer)->getBuffer(), key);
  if (!kernel)
    return llvm::createStringError("cache entry '" + path + "' " +
                                   toString(kernel.takeError()));
  return std::move(*kernel);
}

/// Writes `bytes` to an open file and closes it.
static std::error_code writeAndClose(int descriptor, StringRef bytes) {
  llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
  stream << bytes;
  stream.close();
  std::error_code code = stream.error();
  stream.clear_error(); // the caller reports it; an unseen error would abort
  return code;
}

Error KernelCache::store(StringRef key, const CachedKernel &kernel) const {
  if (directory.empty())
    return llvm::createStringError(
        "no directory for the kernel cache: none of RAPT_CACHE_DIR, "
        "XDG_CACHE_HOME and HOME is set");
  if (std::error_code code = fs::create_directories(
          directory, /*IgnoreExisting=*/true, fs::owner_all))
    return llvm::createStringError("cannot create cache directory '" +
                                   directory + "': " + code.message());
  std::string path = getPath(directory, key);
  auto fail = [&](std::error_code code) {
    return llvm::createStringError("cannot write cache entry '" + path +
                                   "': " + code.message());
  };
  // Not fs::TempFile: it takes over the signal handlers of the process.
  llvm::SmallString<128> temporary;
  int descriptor;
  if (std::error_code code =
          fs::createUniqueFile(path + ".tmp-%%%%%%%%", descriptor, temporary,
                               fs::OF_None, fs::owner_read | fs::owner_write))
    return fail(code);
  std::error_code code = writeAndClose(descriptor, encode(key, kernel));
  if (!code)
    code = fs::rename(temporary, path);
  if (!code)
    return Error::success();
  fs::remove(temporary);
  return fail(code);
}

} // namespace rapt::runtime
