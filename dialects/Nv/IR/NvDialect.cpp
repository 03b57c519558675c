// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Nv/IR/Nv.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace rapt::nv;

/// `, swizzled` of a buffer, or nothing.
static ParseResult parseSwizzled(AsmParser &parser, bool &isSwizzled) {
  isSwizzled = succeeded(parser.parseOptionalComma());
  return isSwizzled ? parser.parseKeyword("swizzled") : success();
}

static void printSwizzled(AsmPrinter &printer, bool isSwizzled) {
  if (isSwizzled)
    printer << ", swizzled";
}

#include "dialects/Nv/IR/NvDialect.cpp.inc"
#include "dialects/Nv/IR/NvEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Nv/IR/NvTypes.cpp.inc"

void NvDialect::initialize() {
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "dialects/Nv/IR/NvOps.cpp.inc"
      >();
}

void NvDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Nv/IR/NvTypes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// FragmentType: !nv.fragment<64x128xf32>, !nv.fragment<64xf32, rows>
//===----------------------------------------------------------------------===//

Type FragmentType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type element;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
      parser.parseType(element))
    return {};
  Along along = Along::Both;
  if (succeeded(parser.parseOptionalComma())) {
    StringRef word;
    if (parser.parseKeyword(&word))
      return {};
    std::optional<Along> found = symbolizeAlong(word);
    if (!found) {
      parser.emitError(loc) << "expected rows or columns, found " << word;
      return {};
    }
    along = *found;
  }
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    shape, element, along);
}

void FragmentType::print(AsmPrinter &printer) const {
  printer << '<';
  for (int64_t extent : getShape())
    printer << extent << 'x';
  printer << getElementType();
  if (getAlong() != Along::Both)
    printer << ", " << stringifyAlong(getAlong());
  printer << '>';
}

LogicalResult FragmentType::verify(function_ref<InFlightDiagnostic()> emitError,
                                   ArrayRef<int64_t> shape, Type element,
                                   Along along) {
  size_t rank = along == Along::Both ? 2 : 1;
  if (shape.size() != rank)
    return emitError() << "a fragment along " << stringifyAlong(along)
                       << " has rank " << rank << ", got " << shape.size();
  if (along != Along::Columns && (shape.front() <= 0 || shape.front() % 16))
    return emitError() << "a fragment has a multiple of 16 rows, got "
                       << shape.front();
  if (along != Along::Rows && (shape.back() <= 0 || shape.back() % 8))
    return emitError() << "a fragment has a multiple of 8 columns, got "
                       << shape.back();
  if (!element.isIntOrIndexOrFloat())
    return emitError() << "a fragment has integer or float elements, got "
                       << element;
  return success();
}

//===----------------------------------------------------------------------===//
// BufferType
//===----------------------------------------------------------------------===//

/// Bytes of the parts in which shared memory is read and written.
static constexpr int64_t kPart = 16;

int64_t BufferType::getPaddedColumns() const {
  return llvm::alignTo(getColumns(), 16);
}

int64_t BufferType::getPieces() const {
  return llvm::divideCeil(getColumns(), 64);
}

int64_t BufferType::getPitch() const {
  if (getSwizzled())
    return 128;
  int64_t bytes = getElementType().getIntOrFloatBitWidth() / 8;
  // An odd number of parts: 8 rows begin in 8 different groups of banks.
  return (getPaddedColumns() * bytes / kPart | 1) * kPart;
}

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t stages, int64_t rows, int64_t columns,
                                 Type element, bool isSwizzled) {
  if (stages <= 0 || rows <= 0 || columns <= 0)
    return emitError() << "a buffer has positive extents, got " << stages
                       << ", " << rows << " and " << columns;
  if (!isa<FloatType>(element))
    return emitError() << "a buffer has float elements, got " << element;
  if (isSwizzled && (element.getIntOrFloatBitWidth() != 16 || rows % 8 != 0))
    return emitError() << "a swizzled buffer has elements of 16 bits and a "
                          "multiple of 8 rows, got "
                       << element << " and " << rows;
  return success();
}

//===----------------------------------------------------------------------===//
// Types of warpgroups
//===----------------------------------------------------------------------===//

LogicalResult OperandType::verify(function_ref<InFlightDiagnostic()> emitError,
                                  int64_t rows, int64_t columns, Type element) {
  if (rows <= 0 || rows % 16 || columns <= 0 || columns % 16)
    return emitError() << "an operand has multiples of 16 rows and columns, "
                          "got "
                       << rows << " and " << columns;
  if (!element.isF16() && !element.isBF16())
    return emitError() << "an operand has elements of 16 bits, got " << element;
  return success();
}

LogicalResult BarriersType::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t stages) {
  if (stages <= 0)
    return emitError() << "barriers have a positive number of stages, got "
                       << stages;
  return success();
}

LogicalResult
TensorMapType::verify(function_ref<InFlightDiagnostic()> emitError,
                      int64_t rank) {
  if (rank < 2 || rank > 5)
    return emitError() << "a map has a rank from 2 to 5, got " << rank;
  return success();
}
