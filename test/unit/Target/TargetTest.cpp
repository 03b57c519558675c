// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Target/Target.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "gtest/gtest.h"

using namespace rapt::target;

namespace {

const CpuTarget &getRow(llvm::StringRef name) {
  for (const CpuTarget &target : getKnownTargets())
    if (target.name == name)
      return target;
  ADD_FAILURE() << "no row " << name.str();
  return getKnownTargets().front();
}

/// The features without their signs.
std::vector<llvm::StringRef> getNames(llvm::StringRef features) {
  std::vector<llvm::StringRef> names;
  for (llvm::StringRef feature : llvm::split(features, ',')) {
    EXPECT_TRUE(feature.starts_with("+") || feature.starts_with("-"))
        << feature.str();
    names.push_back(feature.drop_front());
  }
  return names;
}

TEST(TargetTest, RowsArePlausible) {
  llvm::StringSet<> names = {"host"};
  for (const CpuTarget &target : getKnownTargets()) {
    SCOPED_TRACE(target.name);
    EXPECT_TRUE(names.insert(target.name).second) << "two rows of one name";
    llvm::Triple triple(target.triple);
    bool isX86 = triple.getArch() == llvm::Triple::x86_64;
    EXPECT_TRUE(isX86 || triple.getArch() == llvm::Triple::aarch64);
    EXPECT_TRUE(triple.isOSLinux());
    bool has512 = llvm::StringRef(target.features).contains("+avx512f");
    EXPECT_EQ(target.vectorBits, !isX86 ? 128 : has512 ? 512 : 256);
    EXPECT_EQ(target.vectorRegisters, isX86 && !has512 ? 16 : 32);
    EXPECT_EQ(target.getLanes32() * 32, target.vectorBits);
    EXPECT_GE(target.l1Bytes, 16 << 10);
    EXPECT_LE(target.l1Bytes, 256 << 10);
    EXPECT_GT(target.l2Bytes, target.l1Bytes);
    EXPECT_TRUE(llvm::is_sorted(getNames(target.features)));
  }
}

TEST(TargetTest, TellsBf16) {
  for (const char *name : {"znver4", "znver5", "sapphirerapids"})
    EXPECT_NE(getRow(name).features.find("+avx512bf16"), std::string::npos);
  for (const char *name : {"x86-64-v4", "icelake-server"})
    EXPECT_EQ(getRow(name).features.find("bf16"), std::string::npos);
}

// Dot products are there where the feature is, and not faster everywhere.
TEST(TargetTest, TellsDotProducts) {
  using Instruction = DotProducts::Instruction;
  for (const CpuTarget &target : getKnownTargets()) {
    SCOPED_TRACE(target.name);
    EXPECT_EQ(target.bf16Dots.exist(),
              llvm::StringRef(target.features).contains("bf16"));
    EXPECT_EQ(target.bf16Dots.speed > 0, target.bf16Dots.exist());
  }
  EXPECT_EQ(getRow("znver5").bf16Dots.instruction, Instruction::Vdpbf16ps);
  EXPECT_EQ(getRow("neoverse-v2").bf16Dots.instruction, Instruction::Bfdot);
  EXPECT_GT(getRow("znver4").bf16Dots.speed, 1);
  EXPECT_LT(getRow("sapphirerapids").bf16Dots.speed, 1);
}

TEST(TargetTest, HostIsWhatRunsThis) {
  const CpuTarget &host = getHostTarget();
  EXPECT_EQ(host.name, "host");
  EXPECT_EQ(host.triple, llvm::sys::getProcessTriple());
  EXPECT_FALSE(host.cpu.empty());
  EXPECT_TRUE(llvm::is_sorted(getNames(host.features)));
  EXPECT_GE(host.l1Bytes, 8 << 10);
  EXPECT_GE(host.l2Bytes, host.l1Bytes);
  auto features = llvm::sys::getHostCPUFeatures();
  EXPECT_EQ(getNames(host.features).size(), features.size());
#if defined(__x86_64__)
  bool has512 = features.lookup("avx512f") && features.lookup("avx512vl") &&
                features.lookup("avx512dq") && features.lookup("avx512bw");
  bool has256 = features.lookup("avx2") && features.lookup("fma");
  EXPECT_EQ(host.vectorBits, has512 ? 512 : has256 ? 256 : 128);
  EXPECT_EQ(host.vectorRegisters, has512 ? 32 : 16);
#endif
}

TEST(TargetTest, FindsRowsAndHost) {
  for (const CpuTarget &target : getKnownTargets()) {
    llvm::Expected<CpuTarget> found = findTarget(target.name);
    ASSERT_TRUE(static_cast<bool>(found)) << toString(found.takeError());
    EXPECT_EQ(found->name, target.name);
    EXPECT_EQ(found->cpu, target.cpu);
  }
  llvm::Expected<CpuTarget> host = findTarget("host");
  ASSERT_TRUE(static_cast<bool>(host)) << toString(host.takeError());
  EXPECT_EQ(host->cpu, getHostTarget().cpu);
  EXPECT_EQ(host->features, getHostTarget().features);
}

TEST(TargetTest, UnknownNameNamesThoseThereAre) {
  llvm::Expected<CpuTarget> target = findTarget("x86-64-v5");
  ASSERT_FALSE(static_cast<bool>(target));
  std::string message = toString(target.takeError());
  EXPECT_EQ(message.find("unknown target 'x86-64-v5', expected host, "), 0u)
      << message;
  for (const CpuTarget &known : getKnownTargets())
    EXPECT_NE(message.find(", " + known.name), std::string::npos) << message;
  EXPECT_NE(message.find("did you mean 'x86-64-v"), std::string::npos)
      << message;

  llvm::Expected<CpuTarget> empty = findTarget("");
  ASSERT_FALSE(static_cast<bool>(empty));
  message = toString(empty.takeError());
  EXPECT_NE(message.find("unknown target ''"), std::string::npos) << message;
  EXPECT_EQ(message.find("did you mean"), std::string::npos) << message;
}

TEST(TargetTest, RunsOnHostOnlyWithItsInstructions) {
  EXPECT_TRUE(runsOnHost(getHostTarget()));
  bool isX86 =
      llvm::Triple(getHostTarget().triple).getArch() == llvm::Triple::x86_64;
  EXPECT_FALSE(runsOnHost(getRow(isX86 ? "neoverse-n1" : "x86-64-v3")));

  // One feature of the host's more or less decides.
  CpuTarget target = getHostTarget();
  target.cpu = isX86 ? "x86-64" : "generic";
  target.features = "";
  EXPECT_TRUE(runsOnHost(target));
  for (const auto &feature : llvm::sys::getHostCPUFeatures()) {
    target.features = "+" + feature.getKey().str();
    EXPECT_EQ(runsOnHost(target), feature.getValue()) << target.features;
  }

  // The instructions of a CPU count without being named as features.
  if (isX86) {
    CpuTarget level = getRow("x86-64-v4");
    level.features = "";
    EXPECT_EQ(runsOnHost(level), getHostTarget().vectorBits == 512);
  }
}

} // namespace
