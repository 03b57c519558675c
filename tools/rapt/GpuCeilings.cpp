// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/GpuCeilings.h"
#include "llvm/Support/raw_ostream.h"

using llvm::Expected;

namespace rapt::tool {

//===----------------------------------------------------------------------===//
// Kernels that do nothing but multiply
//===----------------------------------------------------------------------===//

namespace {
/// Products of one kernel, each of rows x columns x depth.
struct Product {
  int64_t threads, unit; ///< of a block; that make a product together
  int64_t rows, columns, depth;
  int64_t perRound; ///< of each unit
};
constexpr int64_t rounds = 2000;
constexpr Product ofWarpgroups{256, 128, 64, 256, 16, 4};
constexpr Product ofWarps{256, 32, 16, 8, 16, 16};
} // namespace

/// "{prefix0, prefix1, ...}"
static std::string list(llvm::StringRef prefix, int64_t count) {
  std::string text = "{";
  for (int64_t n = 0; n < count; ++n)
    text += (n ? ", " : "") + prefix.str() + std::to_string(n);
  return text + "}";
}

/// Takes the word of a bf16 pair between 1 and 2 or -1 and -2 from %r0, which
/// it changes: products of zeros draw less power and run faster.
constexpr llvm::StringLiteral nextPair =
    "  mad.lo.u32 %r0, %r0, 1664525, 1013904223;\n"
    "  and.b32 %r1, %r0, 0x807f807f;\n"
    "  or.b32 %r1, %r1, 0x3f803f80;\n";

/// The last sums go to memory if they are a number that they are not, so that
/// no compiler leaves the products out.
static void storeSums(llvm::raw_ostream &os, int64_t count) {
  for (int64_t n = 1; n < count; ++n)
    os << "  add.f32 %d0, %d0, %d" << n << ";\n";
  os << "  setp.eq.f32 %p0, %d0, 0f3fb504f3;\n"
        "  ld.param.u64 %rd0, [words+24];\n"
        "  @%p0 st.global.f32 [%rd0], %d0;\n"
        "  ret;\n}\n";
}

static void beginKernel(llvm::raw_ostream &os, llvm::StringRef target,
                        int64_t sums) {
  os << ".version 8.0\n.target " << target
     << "\n.address_size 64\n"
        ".visible .entry multiply(.param .align 8 .b8 words[32])\n"
        ".maxntid 256, 1, 1\n.minnctapersm 1\n{\n"
        "  .reg .b32 %r<16>;\n  .reg .b64 %rd<16>;\n  .reg .pred %p<2>;\n"
        "  .reg .f32 %d<"
     << sums << ">;\n";
}

/// Two warpgroups of each multiprocessor multiply blocks of shared memory of 64
/// x 16 and 256 x 16, four of each in turn. Their layout is the one without a
/// swizzle: pieces of 8 rows of 16 bytes lie beside each other (PTX ISA,
/// "Asynchronous Warpgroup Level Matrix Shared Memory Layout").
static std::string writeForWarpgroups() {
  constexpr int64_t sums = 128, bytes = 48 * 1024, own = 8192, shared = 16384;
  std::string text;
  llvm::raw_string_ostream os(text);
  beginKernel(os, "sm_90a", sums);
  os << "  .shared .align 1024 .b8 tiles[" << bytes << "];\n"
     << "  mov.u32 %r2, %tid.x;\n  add.u32 %r0, %r2, 12345;\n"
     << "  mov.u32 %r3, tiles;\n  shl.b32 %r4, %r2, 2;\n"
     << "  add.u32 %r5, %r3, %r4;\n  add.u32 %r6, %r3, " << bytes << ";\n"
     << "FILL:\n"
     << nextPair << "  st.shared.u32 [%r5], %r1;\n"
     << "  add.u32 %r5, %r5, 1024;\n  setp.lt.u32 %p0, %r5, %r6;\n"
     << "  @%p0 bra FILL;\n"
     << "  fence.proxy.async.shared::cta;\n  bar.sync 0;\n";
  for (int64_t n = 0; n < sums; ++n)
    os << "  mov.f32 %d" << n << ", 0f00000000;\n";
  // Descriptors: address / 16, the bytes / 16 to the next piece along the depth
  // (128) from bit 16 and along rows (256) from bit 32.
  constexpr uint64_t strides = (uint64_t(8) << 16) | (uint64_t(16) << 32);
  os << "  shr.u32 %r7, %r2, 7;\n  mul.lo.u32 %r7, %r7, " << own << ";\n"
     << "  add.u32 %r7, %r7, %r3;\n  shr.u32 %r7, %r7, 4;\n"
     << "  cvt.u64.u32 %rd1, %r7;\n  or.b64 %rd1, %rd1, " << strides << ";\n"
     << "  add.u32 %r8, %r3, " << shared << ";\n  shr.u32 %r8, %r8, 4;\n"
     << "  cvt.u64.u32 %rd2, %r8;\n  or.b64 %rd2, %rd2, " << strides << ";\n"
     << "  mov.u32 %r9, " << rounds << ";\n"
     << "LOOP:\n  wgmma.fence.sync.aligned;\n";
  for (int64_t n = 0; n < ofWarpgroups.perRound; ++n)
    os << "  add.u64 %rd3, %rd1, " << n * 2048 / 16 << ";\n"
       << "  add.u64 %rd4, %rd2, " << n * 8192 / 16 << ";\n"
       << "  wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 "
       << list("%d", sums) << ", %rd3, %rd4, 1, 1, 1, 0, 0;\n";
  os << "  wgmma.commit_group.sync.aligned;\n"
     << "  wgmma.wait_group.sync.aligned 0;\n"
     << "  sub.u32 %r9, %r9, 1;\n  setp.ne.u32 %p0, %r9, 0;\n"
     << "  @%p0 bra LOOP;\n";
  storeSums(os, sums);
  return text;
}

/// Each of eight warps multiplies registers, for 16 sums in turn.
static std::string writeForWarps() {
  constexpr int64_t sums = 4 * ofWarps.perRound;
  std::string text;
  llvm::raw_string_ostream os(text);
  beginKernel(os, "sm_80", sums);
  os << "  .reg .b32 %a<4>;\n  .reg .b32 %b<2>;\n"
     << "  mov.u32 %r2, %tid.x;\n  add.u32 %r0, %r2, 12345;\n";
  for (llvm::StringRef name : {"%a0", "%a1", "%a2", "%a3", "%b0", "%b1"})
    os << nextPair << "  mov.b32 " << name << ", %r1;\n";
  for (int64_t n = 0; n < sums; ++n)
    os << "  mov.f32 %d" << n << ", 0f00000000;\n";
  os << "  mov.u32 %r9, " << rounds << ";\nLOOP:\n";
  for (int64_t n = 0; n < ofWarps.perRound; ++n) {
    std::string four = "{";
    for (int64_t d = 0; d < 4; ++d)
      four += (d ? ", %d" : "%d") + std::to_string(4 * n + d);
    four += "}";
    os << "  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 " << four
       << ", " << list("%a", 4) << ", " << list("%b", 2) << ", " << four
       << ";\n";
  }
  os << "  sub.u32 %r9, %r9, 1;\n  setp.ne.u32 %p0, %r9, 0;\n"
     << "  @%p0 bra LOOP;\n";
  storeSums(os, sums);
  return text;
}

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

Expected<GpuCeilings> GpuCeilings::create(const runtime::CudaContext &context,
                                          const runtime::CudaGpu &gpu) {
  constexpr int64_t wgmmaCapability = 90, bytes = int64_t(1) << 29;
  GpuCeilings ceilings;
  ceilings.context = context;
  ceilings.multiprocessors = gpu.multiprocessors;
  ceilings.hasWarpgroups = gpu.capability == wgmmaCapability;
  ceilings.instruction =
      ceilings.hasWarpgroups ? "wgmma.m64n256k16" : "mma.m16n8k16";
  for (auto [memory, size] : {std::pair(&ceilings.from, bytes),
                              {&ceilings.to, bytes},
                              {&ceilings.sums, int64_t(4)}}) {
    auto allocated = runtime::CudaMemory::allocate(context, size);
    if (!allocated)
      return allocated.takeError();
    *memory = std::move(*allocated);
  }
  ceilings.kernel = {"multiply", ofWarps.threads, 0, 0};
  std::string ptx =
      ceilings.hasWarpgroups ? writeForWarpgroups() : writeForWarps();
  auto module = runtime::CudaModule::load(context, ptx, ceilings.kernel);
  if (!module)
    return module.takeError();
  ceilings.module = std::move(*module);
  return ceilings;
}

llvm::Error GpuCeilings::measure(const GpuTimer &timer) {
  auto found = runtime::CudaDriver::get();
  if (!found)
    return found.takeError();
  const runtime::CudaDriver &driver = **found;
  auto copied = timer.measure([&] {
    return driver.check(
        driver.copyOnDevice(to.getAddress(), from.getAddress(),
                            static_cast<size_t>(from.getBytes()), nullptr),
        "cuMemcpyDtoDAsync");
  });
  if (!copied)
    return copied.takeError();
  // As many blocks as there are multiprocessors, of which none is left over.
  const Product &product = hasWarpgroups ? ofWarpgroups : ofWarps;
  std::vector<int64_t> words = {multiprocessors, 1, 1,
                                static_cast<int64_t>(sums.getAddress())};
  auto multiplied = timer.measure([&] {
    return runtime::launch(driver, kernel, module->getFunction(0), words,
                           nullptr);
  });
  if (!multiplied)
    return multiplied.takeError();
  double flops = 2.0 * double(product.rows * product.columns * product.depth) *
                 double(product.perRound * rounds * multiprocessors) *
                 double(product.threads / product.unit);
  bytesPerSecond.push_back(2e3 * double(from.getBytes()) / *copied);
  flopsPerSecond.push_back(1e3 * flops / *multiplied);
  return llvm::Error::success();
}

} // namespace rapt::tool
