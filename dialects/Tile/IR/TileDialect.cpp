// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Tile/IR/Tile.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace rapt::tile;

#include "dialects/Tile/IR/TileDialect.cpp.inc"
#include "dialects/Tile/IR/TileEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Tile/IR/TileTypes.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/IR/TileAttrs.cpp.inc"

void TileDialect::initialize() {
  registerTypes();
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "dialects/Tile/IR/TileOps.cpp.inc"
      >();
}

void TileDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Tile/IR/TileTypes.cpp.inc"
      >();
}

void TileDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Tile/IR/TileAttrs.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// TileType: !tile.tile<64x128xf32>
//===----------------------------------------------------------------------===//

Type TileType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type element;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
      parser.parseType(element) || parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    shape, element);
}

void TileType::print(AsmPrinter &printer) const {
  printer << '<';
  for (int64_t extent : getShape())
    printer << extent << 'x';
  printer << getElementType() << '>';
}

LogicalResult TileType::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<int64_t> shape, Type elementType) {
  if (shape.size() > 3)
    return emitError() << "a tile has rank 0 to 3, got " << shape.size();
  for (int64_t extent : shape)
    if (extent <= 0)
      return emitError() << "a tile has positive extents, got " << extent;
  if (!elementType.isIntOrIndexOrFloat())
    return emitError() << "a tile has integer or float elements, got "
                       << elementType;
  return success();
}

LogicalResult PlanAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t queries, int64_t keys, CpuPlanAttr cpu,
                               int64_t edge, int64_t grain, bool inOrder,
                               bool group, int64_t split, GpuPlanAttr gpu) {
  if (queries <= 0 || keys <= 0)
    return emitError() << "tile sizes must be positive, got queries = "
                       << queries << " and keys = " << keys;
  if (edge < 0 || (edge > 0 && keys % edge != 0))
    return emitError() << "edge must divide keys, got edge = " << edge
                       << " and keys = " << keys;
  int64_t step = edge > 0 ? edge : keys;
  if (grain < 0 || (grain > 0 && step % grain != 0))
    return emitError() << "grain must divide the edge, got grain = " << grain
                       << " and edge = " << step;
  if (split < 0 || split % keys != 0)
    return emitError() << "split must be a multiple of keys, got split = "
                       << split << " and keys = " << keys;
  if (cpu && (cpu.getRows() <= 0 || cpu.getDepth() <= 0 || cpu.getSweep() <= 0))
    return emitError() << "register blocks must be positive, got " << cpu;
  if (gpu && (gpu.getWarps() <= 0 || gpu.getStages() <= 0))
    return emitError() << "warps and stages must be positive, got " << gpu;
  return success();
}
