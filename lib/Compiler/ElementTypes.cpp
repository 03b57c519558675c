// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/ElementTypes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ErrorHandling.h"

using rapt::support::ElementType;

namespace rapt {

std::optional<ElementType> getElementType(DType dtype) {
  switch (dtype) {
  case DType::F16:
    return ElementType::F16;
  case DType::F32:
    return ElementType::F32;
  case DType::BF16:
    return ElementType::BF16;
  case DType::I8:
    return ElementType::I8;
  case DType::I16:
    return ElementType::I16;
  case DType::I32:
    return ElementType::I32;
  case DType::I64:
    return ElementType::I64;
  case DType::U8:
    return ElementType::U8;
  case DType::Bool:
    return ElementType::Boolean;
  }
  return std::nullopt;
}

DType getDType(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return DType::F16;
  case ElementType::F32:
    return DType::F32;
  case ElementType::BF16:
    return DType::BF16;
  case ElementType::I8:
    return DType::I8;
  case ElementType::I16:
    return DType::I16;
  case ElementType::I32:
    return DType::I32;
  case ElementType::I64:
    return DType::I64;
  case ElementType::U8:
    return DType::U8;
  case ElementType::Boolean:
    return DType::Bool;
  case ElementType::F64:
    break;
  }
  llvm_unreachable("no signature has this element type");
}

std::string describe(DType dtype) {
  if (std::optional<ElementType> type = getElementType(dtype))
    return support::getElementTypeName(*type).str();
  return "unknown type 0x" +
         llvm::utohexstr(static_cast<uint32_t>(dtype), /*LowerCase=*/true);
}

} // namespace rapt
