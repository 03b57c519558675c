// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Target/Target.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/AArch64TargetParser.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"
#include <optional>
#include <vector>

using llvm::StringRef;

namespace rapt::target {

//===----------------------------------------------------------------------===//
// Caches
//===----------------------------------------------------------------------===//

/// The first line of a file of the kernel's, or nothing.
static std::optional<std::string> readLine(const llvm::Twine &path) {
  // These files say that they have 4096 bytes, so they are read to their end.
  auto buffer = llvm::MemoryBuffer::getFileAsStream(path);
  if (!buffer)
    return std::nullopt;
  return (*buffer)->getBuffer().split('\n').first.trim().str();
}

/// How many numbers there are in a list like `0-3,8`.
static std::optional<int64_t> countCpus(StringRef list) {
  int64_t count = 0;
  llvm::SmallVector<StringRef> ranges;
  list.split(ranges, ',');
  for (StringRef range : ranges) {
    auto [first, last] = range.split('-');
    int64_t begin, end;
    if (first.getAsInteger(10, begin))
      return std::nullopt;
    if (last.empty())
      end = begin;
    else if (last.getAsInteger(10, end) || end < begin)
      return std::nullopt;
    count += end - begin + 1;
  }
  return count;
}

/// Bytes of a size like `48K` or `2M`.
static std::optional<int64_t> parseBytes(StringRef text) {
  int64_t scale = text.consume_back("K")   ? 1024
                  : text.consume_back("M") ? 1024 * 1024
                                           : 1;
  int64_t size;
  if (text.getAsInteger(10, size) || size <= 0)
    return std::nullopt;
  return size * scale;
}

/// Replaces the cache sizes of `target` by those of the first CPU, where the
/// kernel tells them. It is always the first, so that plans and the keys of the
/// cache do not change with where the process happens to run.
static void readCaches(CpuTarget &target) {
  int64_t threadsPerCore = 1;
  for (int index = 0;; ++index) {
    std::string folder =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    std::optional<std::string> level = readLine(folder + "/level");
    std::optional<std::string> type = readLine(folder + "/type");
    std::optional<std::string> size = readLine(folder + "/size");
    std::optional<std::string> cpus = readLine(folder + "/shared_cpu_list");
    if (!level || !type || !size || !cpus)
      return;
    std::optional<int64_t> bytes = parseBytes(*size);
    std::optional<int64_t> sharers = countCpus(*cpus);
    if (!bytes || !sharers || *type == "Instruction")
      continue;
    if (*level == "1") {
      target.l1Bytes = *bytes;
      threadsPerCore = *sharers;
    } else if (*level == "2") {
      // Efficiency cores share one cache by fours.
      int64_t cores = std::max<int64_t>(1, *sharers / threadsPerCore);
      target.l2Bytes = *bytes / cores;
    }
  }
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

static const llvm::StringMap<bool> &getHostFeatures() {
  static const llvm::StringMap<bool> features = [] {
    llvm::StringMap<bool> result;
    for (const auto &entry : llvm::sys::getHostCPUFeatures())
      result[entry.getKey()] = entry.getValue();
    return result;
  }();
  return features;
}

static bool hostHas(StringRef feature) {
  return getHostFeatures().lookup(feature);
}

/// What the table says of this CPU, and of one that it does not have what it
/// says of those of the maker.
static bool scalesByPowers(StringRef cpu) {
  for (const CpuTarget &known : getKnownTargets())
    if (known.cpu == cpu)
      return known.scalesByPowers;
#if defined(__x86_64__)
  namespace x86 = llvm::sys::detail::x86;
  return x86::getVendorSignature() == x86::VendorSignatures::GENUINE_INTEL;
#else
  return false;
#endif
}

/// The dot products of bf16 of this CPU, and how fast they are by the row of
/// the table that it has, else by what those of the maker are.
static DotProducts findBf16Dots(StringRef cpu, const llvm::Triple &triple) {
  DotProducts dots;
  if (triple.isAArch64() && hostHas("bf16"))
    dots.instruction = DotProducts::Instruction::Bfdot;
  else if (triple.isX86() && hostHas("avx512bf16"))
    dots.instruction = DotProducts::Instruction::Vdpbf16ps;
  else
    return dots;
  dots.speed = 2;
#if defined(__x86_64__)
  namespace x86 = llvm::sys::detail::x86;
  if (x86::getVendorSignature() == x86::VendorSignatures::GENUINE_INTEL)
    dots.speed = 0.5;
#endif
  for (const CpuTarget &known : getKnownTargets())
    if (known.cpu == cpu && known.bf16Dots.exist())
      dots.speed = known.bf16Dots.speed;
  return dots;
}

/// Sets the vector registers that this machine has.
static void chooseVectors(CpuTarget &target, const llvm::Triple &triple) {
  if (triple.isAArch64()) {
    target.vectorBits = 128;
    target.vectorRegisters = 32;
    target.bf16Dots = findBf16Dots(target.cpu, triple);
    return;
  }
  // Masked tails take VL, integer compares of 8 and 16 bits BW, conversions and
  // masks of floats DQ: without one of them AVX-512 is not worth its name.
  if (hostHas("avx512f") && hostHas("avx512vl") && hostHas("avx512dq") &&
      hostHas("avx512bw")) {
    target.vectorBits = 512;
    target.vectorRegisters = 32;
    target.scalesByPowers = scalesByPowers(target.cpu);
    target.bf16Dots = findBf16Dots(target.cpu, triple);
    return;
  }
  target.vectorBits = hostHas("avx2") && hostHas("fma") ? 256 : 128;
  target.vectorRegisters = 16;
}

const CpuTarget &getHostTarget() {
  static const CpuTarget host = [] {
    CpuTarget target;
    target.name = "host";
    target.triple = llvm::sys::getProcessTriple();
    target.cpu = llvm::sys::getHostCPUName().str();
    // Sorted, since this text is part of the cache's keys and LLVM's map has
    // no order of its own. Absent features are named too: LLVM derives the CPU
    // from its model, and a virtual machine may hide features of it.
    std::vector<std::string> features;
    for (const auto &entry : getHostFeatures())
      features.push_back((entry.getValue() ? "+" : "-") + entry.getKey().str());
    llvm::sort(features, [](StringRef a, StringRef b) {
      return a.drop_front() < b.drop_front();
    });
    target.features = llvm::join(features, ",");
    chooseVectors(target, llvm::Triple(target.triple));
    readCaches(target);
    return target;
  }();
  return host;
}

//===----------------------------------------------------------------------===//
// Other targets on this machine
//===----------------------------------------------------------------------===//

/// The features that code for `target` may use.
static std::vector<std::string>
getRequiredFeatures(const CpuTarget &target, const llvm::Triple &triple) {
  std::vector<std::string> required;
  if (triple.isX86()) {
    llvm::SmallVector<StringRef> features;
    llvm::X86::getFeaturesForCPU(target.cpu, features);
    for (StringRef feature : features)
      required.push_back(feature.str());
  } else if (std::optional<llvm::AArch64::CpuInfo> cpu =
                 llvm::AArch64::parseCpu(target.cpu)) {
    std::vector<StringRef> features;
    llvm::AArch64::getExtensionFeatures(cpu->getImpliedExtensions(), features);
    for (StringRef feature : features)
      if (feature.consume_front("+"))
        required.push_back(feature.str());
  }
  for (StringRef feature : llvm::split(target.features, ','))
    if (feature.consume_front("+"))
      required.push_back(feature.str());
    else if (feature.consume_front("-"))
      llvm::erase(required, feature.str());
  return required;
}

bool runsOnHost(const CpuTarget &target) {
  const CpuTarget &host = getHostTarget();
  llvm::Triple triple(target.triple), hostTriple(host.triple);
  if (triple.getArch() != hostTriple.getArch() ||
      triple.getOS() != hostTriple.getOS())
    return false;
  if (target.cpu == host.cpu && target.features == host.features)
    return true;
  // A feature that LLVM does not look for, such as x87, is in every CPU that
  // matters or is never emitted unasked.
  const llvm::StringMap<bool> &features = getHostFeatures();
  return llvm::all_of(getRequiredFeatures(target, triple),
                      [&](StringRef feature) {
                        auto found = features.find(feature);
                        return found == features.end() || found->getValue();
                      });
}

} // namespace rapt::target
