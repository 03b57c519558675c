// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Runtime/ProcessSymbols.h"
#include "lib/Support/FloatFormats.h"
#include "llvm/ADT/bit.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"

using namespace rapt::support;
namespace orc = llvm::orc;

namespace rapt::runtime {

// These functions pass 16 bit floats in the low bits of a float register
// (x86-64 psABI, AAPCS64). A float argument has the same register, and every
// compiler knows that type.

static float putLow(uint16_t bits) {
  return llvm::bit_cast<float>(static_cast<uint32_t>(bits));
}
static uint16_t getLow(float value) {
  return static_cast<uint16_t>(llvm::bit_cast<uint32_t>(value));
}

static float truncateF32ToF16(float value) {
  return putLow(convertF32ToF16(value));
}
static float truncateF32ToBF16(float value) {
  return putLow(convertF32ToBF16(value));
}
static float truncateF64ToF16(double value) {
  uint16_t bits;
  storeReal(ElementType::F16, &bits, 0, value);
  return putLow(bits);
}
static float truncateF64ToBF16(double value) {
  uint16_t bits;
  storeReal(ElementType::BF16, &bits, 0, value);
  return putLow(bits);
}
static float extendF16ToF32(float low) { return convertF16ToF32(getLow(low)); }

/// The conversions under the names that LLVM calls. They stand in libgcc.a or
/// compiler-rt, of which a process has what it happened to need.
static llvm::Error addConversions(orc::JITDylib &library) {
  orc::ExecutionSession &session = library.getExecutionSession();
  orc::SymbolMap symbols;
  auto add = [&](llvm::StringRef name, auto *function) {
    symbols[session.intern(name)] = {orc::ExecutorAddr::fromPtr(function),
                                     llvm::JITSymbolFlags::Exported |
                                         llvm::JITSymbolFlags::Callable};
  };
  add("__truncsfhf2", truncateF32ToF16);
  add("__truncsfbf2", truncateF32ToBF16);
  add("__truncdfhf2", truncateF64ToF16);
  add("__truncdfbf2", truncateF64ToBF16);
  add("__extendhfsf2", extendF16ToF32);
  return library.define(orc::absoluteSymbols(std::move(symbols)));
}

llvm::Error addProcessSymbols(orc::JITDylib &library) {
  if (llvm::Error error = addConversions(library))
    return error;
  // ELF adds no prefix to names.
  auto process = orc::DynamicLibrarySearchGenerator::GetForCurrentProcess('\0');
  if (!process)
    return process.takeError();
  library.addGenerator(std::move(*process));
  // A process that loads this library as a plug-in need not show libm to all.
  // Where the C library has its functions (musl) there is none to load.
  auto math = orc::DynamicLibrarySearchGenerator::Load("libm.so.6", '\0');
  if (math)
    library.addGenerator(std::move(*math));
  else
    llvm::consumeError(math.takeError());
  return llvm::Error::success();
}

} // namespace rapt::runtime
