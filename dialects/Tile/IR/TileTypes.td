// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The types of the tile dialect, for the operations of dialects that use them.

#ifndef RAPT_DIALECTS_TILE_IR_TILETYPES
#define RAPT_DIALECTS_TILE_IR_TILETYPES

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::rapt::tile";
  let summary = "How a mechanism is computed: programs of kernels over tiles";
  let description = [{
    A compiled spec is one `tile.program`, a sequence of launches, and the
    `tile.kernel`s it launches, each the work of one item. The same program
    serves every target: a tile is a value without layout or memory space, a
    view a window of memory with run-time extents and strides.

    Rules. Loads outside a view give zeros, stores outside are dropped. A
    loop-carried accumulator has one use. An operation is issued where it
    stands and awaited at its first use.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerTypes();
    void registerAttributes();
  }];
}

class Tile_Type<string name, string typeMnemonic>
    : TypeDef<Tile_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Tile_TileType : Tile_Type<"Tile", "tile"> {
  let summary = "A value of static shape, rank 0 to 3, without layout";
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let builders = [TypeBuilderWithInferredContext<
      (ins "::llvm::ArrayRef<int64_t>":$shape, "::mlir::Type":$elementType), [{
    return $_get(elementType.getContext(), shape, elementType);
  }]>];
  let extraClassDeclaration = [{
    int64_t getRank() const { return getShape().size(); }
    /// The same shape with another element type.
    TileType clone(::mlir::Type element) const { return get(getShape(), element); }
  }];
}

def Tile_ViewType : Tile_Type<"View", "view"> {
  let summary = "A window of memory with run-time extents and strides";
  let parameters = (ins "::mlir::Type":$elementType, "unsigned":$rank,
                        DefaultValuedParameter<"RowMap", "RowMap::Dense">:$rows);
  let assemblyFormat = "`<` $elementType `,` $rank (`,` `rows` `=` $rows^)? `>`";
  let builders = [TypeBuilderWithInferredContext<
      (ins "::mlir::Type":$elementType, "unsigned":$rank), [{
    return $_get(elementType.getContext(), elementType, rank, RowMap::Dense);
  }]>];
}

def Tile_DomainType : Tile_Type<"Domain", "domain"> {
  let summary = "An iterator of key runs: start, length, full or partial";
}

def Tile_RunTableType : Tile_Type<"RunTable", "run_table"> {
  let summary = "The runs of every block of rows of every head, and their order";
}

def Tile_PyramidType : Tile_Type<"Pyramid", "pyramid"> {
  let summary = "The least and largest element of the blocks of a view, at every scale";
}

def Tile_AnyScalar : AnyTypeOf<[Index, I1, I8, I16, I32, I64, BF16, F16, F32, F64]>;
def Tile_Int : AnyTypeOf<[Index, I32, I64]>;

#endif // RAPT_DIALECTS_TILE_IR_TILETYPES
