// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/KernelCache.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <csignal>
#include <cstdlib>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using rapt::runtime::CachedKernel;
using rapt::runtime::KernelCache;

namespace {

std::string getText(llvm::Error error) {
  return error ? toString(std::move(error)) : "no error";
}

struct KernelCacheTest : testing::Test {
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("cache-test", folder));
  }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  std::string getPath(llvm::StringRef name) {
    llvm::SmallString<128> result = folder;
    llvm::sys::path::append(result, name);
    return result.str().str();
  }
  static std::vector<std::string> list(llvm::StringRef directory) {
    std::vector<std::string> paths;
    std::error_code code;
    for (llvm::sys::fs::directory_iterator entry(directory, code), end;
         !code && entry != end; entry.increment(code))
      paths.push_back(entry->path());
    return paths;
  }
  static std::string read(llvm::StringRef path) {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    EXPECT_TRUE(static_cast<bool>(buffer));
    return buffer ? (*buffer)->getBuffer().str() : "";
  }
  static void write(llvm::StringRef path, llvm::StringRef bytes) {
    std::error_code code;
    llvm::raw_fd_ostream stream(path, code);
    ASSERT_FALSE(code) << code.message();
    stream << bytes;
  }
  /// The error of find(), or "nothing" or "found".
  static std::string getResult(const KernelCache &cache, llvm::StringRef key) {
    auto found = cache.find(key);
    if (!found)
      return toString(found.takeError());
    return *found ? "found" : "nothing";
  }

  llvm::SmallString<128> folder;
};

TEST_F(KernelCacheTest, FindsWhatWasStored) {
  KernelCache cache(getPath("a/b"));
  EXPECT_EQ(cache.getDirectory(), getPath("a/b"));
  std::string binary("\0\x7f\xff\n\r\0end", 9);
  std::vector<std::pair<std::string, CachedKernel>> entries = {
      {"one", {"{}", "object"}},
      {"", {"", ""}},
      {"two\n" + std::string(5000, 'x'), {"{\"a\": 1}", binary}},
      {std::string("one\0", 4), {binary, std::string(300000, '\1')}}};
  for (const auto &[key, kernel] : entries)
    EXPECT_EQ(getResult(cache, key), "nothing");
  for (const auto &[key, kernel] : entries)
    ASSERT_EQ(getText(cache.store(key, kernel)), "no error");
  for (const auto &[key, kernel] : entries) {
    // Another object, as another process has it.
    auto found = KernelCache(getPath("a/b")).find(key);
    ASSERT_TRUE(static_cast<bool>(found)) << toString(found.takeError());
    ASSERT_TRUE(found->has_value());
    EXPECT_EQ((*found)->manifest, kernel.manifest);
    EXPECT_EQ((*found)->object, kernel.object);
  }
  EXPECT_EQ(list(cache.getDirectory()).size(), entries.size())
      << "only the entries are left";
}

TEST_F(KernelCacheTest, StoreReplaces) {
  KernelCache cache(folder);
  ASSERT_EQ(getText(cache.store("key", {"old", "old"})), "no error");
  ASSERT_EQ(getText(cache.store("key", {"new", "longer"})), "no error");
  auto found = llvm::cantFail(cache.find("key"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->manifest, "new");
  EXPECT_EQ(found->object, "longer");
  EXPECT_EQ(list(folder).size(), 1u);
}

TEST_F(KernelCacheTest, OnlyTheOwnerReads) {
  KernelCache cache(getPath("cache"));
  ASSERT_EQ(getText(cache.store("key", {"m", "o"})), "no error");
  namespace fs = llvm::sys::fs;
  auto directory = fs::getPermissions(cache.getDirectory());
  ASSERT_TRUE(static_cast<bool>(directory));
  EXPECT_EQ(*directory, fs::owner_all);
  auto entry = fs::getPermissions(list(cache.getDirectory()).at(0));
  ASSERT_TRUE(static_cast<bool>(entry));
  EXPECT_EQ(*entry, fs::owner_read | fs::owner_write);
}

TEST_F(KernelCacheTest, EveryCutAndEveryFlippedByteIsSeen) {
  KernelCache cache(folder);
  ASSERT_EQ(getText(cache.store("some key", {"{}", "object code"})),
            "no error");
  std::string path = list(folder).at(0), whole = read(path);
  for (size_t size = 0; size < whole.size(); ++size) {
    write(path, llvm::StringRef(whole).take_front(size));
    std::string message = getResult(cache, "some key");
    EXPECT_EQ(message.find("cache entry '" + path + "' "), 0u)
        << size << " bytes: " << message;
    if (size >= 8)
      EXPECT_NE(message.find("is truncated"), std::string::npos) << message;
  }
  for (size_t byte = 0; byte < whole.size(); ++byte)
    for (char flip : {'\x01', '\x80'}) {
      std::string bytes = whole;
      bytes[byte] ^= flip;
      write(path, bytes);
      std::string message = getResult(cache, "some key");
      EXPECT_EQ(message.find("cache entry '" + path + "' "), 0u)
          << "byte " << byte << ": " << message;
    }
  write(path, whole + "x");
  EXPECT_NE(getResult(cache, "some key").find("has 1 bytes more"),
            std::string::npos);
  write(path, whole);
  EXPECT_EQ(getResult(cache, "some key"), "found");
}

TEST_F(KernelCacheTest, SaysWhatIsWrong) {
  KernelCache cache(folder);
  ASSERT_EQ(getText(cache.store("key", {"{}", "object"})), "no error");
  std::string path = list(folder).at(0), whole = read(path);
  auto getProblem = [&](std::string bytes) {
    write(path, bytes);
    std::string message = getResult(cache, "key");
    llvm::StringRef rest = message;
    EXPECT_TRUE(rest.consume_front("cache entry '" + path + "' ")) << message;
    return rest.str();
  };
  auto set = [&](size_t byte, char value) {
    std::string bytes = whole;
    bytes[byte] = value;
    return bytes;
  };
  EXPECT_EQ(getProblem("PNG"), "is not an entry of the kernel cache");
  EXPECT_EQ(getProblem(""), "is not an entry of the kernel cache");
  EXPECT_EQ(getProblem(set(8, 7)), "has version 7, expected 2");
  EXPECT_EQ(getProblem(set(whole.size() - 1, whole.back() ^ 1)),
            "has a wrong checksum");
  EXPECT_EQ(getProblem(whole.substr(0, 20)),
            "is truncated: has 20 bytes, expected 56 or more");
  EXPECT_EQ(getProblem(whole.substr(0, 60)),
            "is truncated: has 60 bytes, fewer than its header says");
  // Sizes that overflow when they are added.
  EXPECT_EQ(getProblem(set(23, '\xff')).substr(0, 12), "is truncated");
  EXPECT_EQ(getProblem(set(31, '\xff')).substr(0, 12), "is truncated");

  // Compiling again replaces it.
  ASSERT_EQ(getText(cache.store("key", {"{}", "object"})), "no error");
  EXPECT_EQ(getResult(cache, "key"), "found");
}

TEST_F(KernelCacheTest, EntryOfAnotherKey) {
  KernelCache cache(folder);
  ASSERT_EQ(getText(cache.store("mine", {"m", "o"})), "no error");
  std::string mine = list(folder).at(0), kept = read(mine);
  ASSERT_EQ(getText(cache.store("theirs", {"m", "o"})), "no error");
  for (const std::string &path : list(folder))
    if (path != mine)
      write(path, kept);
  EXPECT_EQ(getResult(cache, "mine"), "found");
  std::string message = getResult(cache, "theirs");
  EXPECT_NE(message.find("' belongs to another key"), std::string::npos)
      << message;
}

TEST_F(KernelCacheTest, DirectoryBelowAFile) {
  // Fails for root as well, whom permissions do not stop.
  write(getPath("file"), "");
  KernelCache cache(getPath("file/cache"));
  std::string message = getText(cache.store("key", {"m", "o"}));
  EXPECT_EQ(message.find("cannot create cache directory '" +
                         getPath("file/cache") + "': "),
            0u)
      << message;
  message = getResult(cache, "key");
  EXPECT_EQ(message.find("cannot read cache entry '" + getPath("file/cache")),
            0u)
      << message;
}

TEST_F(KernelCacheTest, DirectoryWithoutPermission) {
  if (geteuid() == 0)
    GTEST_SKIP() << "root may write everywhere";
  ASSERT_EQ(chmod(folder.c_str(), 0500), 0);
  std::string message = getText(KernelCache(folder).store("key", {"m", "o"}));
  EXPECT_EQ(message.find("cannot write cache entry '"), 0u) << message;
  EXPECT_EQ(chmod(folder.c_str(), 0700), 0);
  EXPECT_TRUE(list(folder).empty());
}

TEST_F(KernelCacheTest, DirectoryInPlaceOfTheEntry) {
  KernelCache cache(folder);
  ASSERT_EQ(getText(cache.store("key", {"m", "o"})), "no error");
  std::string path = list(folder).at(0);
  ASSERT_FALSE(llvm::sys::fs::remove(path));
  ASSERT_FALSE(llvm::sys::fs::create_directory(path));
  std::string message = getText(cache.store("key", {"m", "o"}));
  EXPECT_EQ(message.find("cannot write cache entry '" + path + "': "), 0u)
      << message;
  EXPECT_EQ(list(folder).size(), 1u) << "the temporary file is gone";
  message = getResult(cache, "key");
  EXPECT_EQ(message.find("cannot read cache entry '" + path + "': "), 0u)
      << message;
}

TEST_F(KernelCacheTest, NoSpace) {
  // A limit on the size of files stands in for a full disk.
  KernelCache cache(folder);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::string message =
        getText(cache.store("key", {"m", std::string(100000, 'o')}));
    bool right =
        message.find("cannot write cache entry '") == 0 && list(folder).empty();
    _exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(KernelCacheTest, ManyProcessesAtOnce) {
  // Each stores and finds the same few keys: nobody sees half an entry.
  constexpr int processes = 6, rounds = 150;
  auto makeKernel = [](int key, int writer) {
    std::string text(1000 + 7000 * key, static_cast<char>('a' + writer));
    return CachedKernel{text, text + text};
  };
  std::vector<pid_t> children;
  for (int writer = 0; writer < processes; ++writer) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(120);
      KernelCache cache(getPath("cache"));
      for (int round = 0; round < rounds; ++round) {
        int key = (round + writer) % 3;
        std::string name = "key " + std::to_string(key);
        if (llvm::Error error = cache.store(name, makeKernel(key, writer)))
          _exit(1);
        auto found = cache.find(name);
        if (!found || !*found)
          _exit(2);
        int author = (*found)->object.front() - 'a';
        CachedKernel expected = makeKernel(key, author);
        if ((*found)->manifest != expected.manifest ||
            (*found)->object != expected.object)
          _exit(3);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(list(getPath("cache")).size(), 3u) << "no temporary file is left";
}

/// Sets a variable of the environment and puts it back.
struct Variable {
  Variable(const char *name, const char *value) : name(name) {
    if (const char *old = getenv(name))
      before = old;
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  ~Variable() { before ? setenv(name, before->c_str(), 1) : unsetenv(name); }
  const char *name;
  std::optional<std::string> before;
};

TEST(KernelCacheDirectoryTest, ComesFromTheEnvironment) {
  Variable rapt("RAPT_CACHE_DIR", "somewhere/cache"),
      xdg("XDG_CACHE_HOME", "/xdg"), home("HOME", "/users/somebody");
  EXPECT_EQ(KernelCache("given").getDirectory(), "given");
  EXPECT_EQ(KernelCache("").getDirectory(), "somewhere/cache");
  {
    Variable none("RAPT_CACHE_DIR", nullptr);
    EXPECT_EQ(KernelCache("").getDirectory(), "/xdg/rapt");
    Variable noXdg("XDG_CACHE_HOME", nullptr);
    EXPECT_EQ(KernelCache("").getDirectory(), "/users/somebody/.cache/rapt");
  }
  Variable empty("RAPT_CACHE_DIR", "");
  EXPECT_EQ(KernelCache("").getDirectory(), "/xdg/rapt");
  Variable relative("XDG_CACHE_HOME", "relative");
  EXPECT_EQ(KernelCache("").getDirectory(), "/users/somebody/.cache/rapt");
}

} // namespace
