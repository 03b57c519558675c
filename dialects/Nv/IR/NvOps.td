// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The nv dialect: tiles in the registers of warps and in shared memory.

#ifndef RAPT_DIALECTS_NV_IR_NVOPS
#define RAPT_DIALECTS_NV_IR_NVOPS

include "dialects/Tile/IR/TileTypes.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Nv_Dialect : Dialect {
  let name = "nv";
  let cppNamespace = "::rapt::nv";
  let summary = "Kernels of one block of threads on an NVIDIA GPU";
  let description = [{
    Fragments are tiles in the registers of the warps of a block, buffers are tiles in its shared memory.
    Outside of `nv.roles` all threads run every operation; copies into buffers are asynchronous.
  }];
  let dependentDialects = ["::rapt::tile::TileDialect"];
  let useDefaultTypePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerTypes();
  }];
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def Nv_Along : I32EnumAttr<"Along", "which sides of a tile a fragment has", [
    I32EnumAttrCase<"Both", 0, "both">, I32EnumAttrCase<"Rows", 1, "rows">,
    I32EnumAttrCase<"Columns", 2, "columns">]> {
  let cppNamespace = "::rapt::nv";
}

def Nv_Combiner : I32EnumAttr<"Combiner", "an associative combination", [
    I32EnumAttrCase<"Add", 0, "add">, I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"Min", 2, "min">, I32EnumAttrCase<"Mul", 3, "mul">]> {
  let cppNamespace = "::rapt::nv";
}

class Nv_Type<string name, string typeMnemonic> : TypeDef<Nv_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Nv_FragmentType : Nv_Type<"Fragment", "fragment"> {
  let summary = "A tile in the registers of the warps of a block";
  let description = [{
    `!nv.fragment<64x128xf32>` has rows and columns, `!nv.fragment<64xf32, rows>` one number for
    each row, `!nv.fragment<128xi32, columns>` one for each column.

    Of W warps each has the same number of rows that follow each other, a multiple of 16. In 16 rows
    by 8 columns thread t has the columns 2 (t % 4) and the next of the rows t / 4 and t / 4 + 8: the
    accumulator of `mma.m16n8` and of `wgmma` (PTX ISA 8.0, 9.7.13.4.8 and 9.7.14.5.2). What has no
    rows every warp has, what has no columns every thread of a row.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType,
                        "Along":$along);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    bool hasRows() const { return getAlong() != Along::Columns; }
    bool hasColumns() const { return getAlong() != Along::Rows; }
    /// 1 for the side that the fragment does not have.
    int64_t getRows() const { return hasRows() ? getShape().front() : 1; }
    int64_t getColumns() const { return hasColumns() ? getShape().back() : 1; }
    FragmentType clone(::mlir::Type element) const {
      return get(getContext(), getShape(), element, getAlong());
    }
  }];
}

def Nv_BufferType : Nv_Type<"Buffer", "buffer"> {
  let summary = "Tiles of one shape in shared memory, `stages` of them";
  let description = [{
    Row by row, each with one part of 16 bytes more than it has elements or two, so that 8 rows at one
    column lie in different banks.

    With `swizzled` in pieces of 64 columns of 16 bits, a piece row by row at 128 bytes each, the parts
    of 16 bytes of a row in the order number xor (row mod 8): what bulk copies write and products of
    warpgroups read (PTX ISA 8.0, 5.5.5 and 9.7.14.5.1).
  }];
  let parameters = (ins "int64_t":$stages, "int64_t":$rows, "int64_t":$columns,
                        "::mlir::Type":$elementType,
                        DefaultValuedParameter<"bool", "false">:$swizzled);
  let assemblyFormat = [{
    `<` $stages `,` $rows `by` $columns `of` $elementType `` custom<Swizzled>($swizzled) `>`
  }];
  let genVerifyDecl = 1;
  let builders = [TypeBuilder<(ins "int64_t":$stages, "int64_t":$rows, "int64_t":$columns,
                                   "::mlir::Type":$elementType), [{
    return $_get($_ctxt, stages, rows, columns, elementType, /*swizzled=*/false);
  }]>];
  let extraClassDeclaration = [{
    /// Columns that memory is kept for: products take 16 at a time.
    int64_t getPaddedColumns() const;
    /// Pieces of 64 columns of a swizzled buffer, and the bytes of one.
    int64_t getPieces() const;
    int64_t getPieceBytes() const { return getRows() * getPitch(); }
    /// Bytes from one row to the next.
    int64_t getPitch() const;
    /// Matrices are loaded 16 rows at a time, also where the last have 8.
    int64_t getStageBytes() const {
      return getSwizzled() ? getPieces() * getPieceBytes()
                           : llvm::alignTo(getRows(), 16) * getPitch();
    }
    int64_t getBytes() const { return getStages() * getStageBytes(); }
  }];
}

class Nv_Op<string mnemonic, list<Trait> traits = []> : Op<Nv_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

def Nv_KernelOp : Nv_Op<"kernel", [Symbol, SingleBlock, IsolatedFromAbove]> {
  let summary = "What one block of threads does";
  let description = [{
    The arguments are indices, views and maps, which a caller passes as words of 64 bits: of a view the
    address, the extents and the strides in elements.

    `warps` share the rows of fragments; `producers` more only run the producers' side of `nv.roles`.

    - (C1) the arguments have type index or are views or maps, and there is a positive number of warps.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$warps, OptionalAttr<I64Attr>:$producers);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `warps` $warps (`producers` $producers^)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
}

def Nv_ReturnOp : Nv_Op<"return", [Pure, Terminator, HasParent<"KernelOp">]> {
  let summary = "End of a kernel";
  let assemblyFormat = "attr-dict";
}

def Nv_BlockOp : Nv_Op<"block", [Pure]> {
  let summary = "The number of this block of threads";
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Fragments
//===----------------------------------------------------------------------===//

def Nv_MapOp : Nv_Op<"map", [SingleBlock, RecursiveMemoryEffects]> {
  let summary = "A function of the elements of fragments";
  let description = [{
    As `tile.map`: the region has one element of each operand and yields one of each result; operands along
    one side are the same along the other.

    - (C1) all results have one shape, and operands have the extents of the results along the sides they have.
    - (C2) the region has the operands' element types as arguments and yields the results' element types.
  }];
  let arguments = (ins Variadic<Nv_FragmentType>:$operands);
  let results = (outs Variadic<Nv_FragmentType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`(` $operands `)` attr-dict `:` functional-type($operands, $results) $body";
  let hasVerifier = 1;
}

def Nv_ReduceOp : Nv_Op<"reduce", [Pure]> {
  let summary = "Combines the columns of each row";
  let description = [{
    - (C1) the source has both sides, the result its rows and its element type.
  }];
  let arguments = (ins Nv_Combiner:$kind, Nv_FragmentType:$source);
  let results = (outs Nv_FragmentType:$result);
  let assemblyFormat = "$kind $source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Nv_SplatOp : Nv_Op<"splat", [Pure]> {
  let summary = "A fragment of one scalar";
  let arguments = (ins Tile_AnyScalar:$value);
  let results = (outs Nv_FragmentType:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
}

def Nv_PositionsOp : Nv_Op<"positions", [Pure]> {
  let summary = "The numbers first, first + 1, ... along one side";
  let description = "- (C1) the result is along rows or columns and has integers.";
  let arguments = (ins Index:$first);
  let results = (outs Nv_FragmentType:$result);
  let assemblyFormat = "$first attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Nv_ConstantOp : Nv_Op<"constant", [Pure]> {
  let summary = "A fragment of constants along one side";
  let description = "- (C1) the result is along rows or columns, and `value` has its shape and element type.";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Nv_FragmentType:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Nv_SliceOp : Nv_Op<"slice", [Pure]> {
  let summary = "Columns of a fragment from `offset` on";
  let description = "- (C1) offset and extent are multiples of 8, and the part lies inside the source.";
  let arguments = (ins Nv_FragmentType:$source, I64Attr:$offset);
  let results = (outs Nv_FragmentType:$result);
  let assemblyFormat = "$source `from` $offset attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Nv_ConcatOp : Nv_Op<"concat", [Pure]> {
  let summary = "Fragments joined along their columns";
  let description = "- (C1) extents are multiples of 8 and add up.";
  let arguments = (ins Variadic<Nv_FragmentType>:$sources);
  let results = (outs Nv_FragmentType:$result);
  let assemblyFormat = "$sources attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Nv_MmaOp : Nv_Op<"mma", [MemoryEffects<[MemRead]>, AttrSizedOperandSegments]> {
  let summary = "Matrix product, accumulated in f32";
  let description = [{
    result[m, n] = accumulator[m, n] + sum_k lhs[m, k] * rhs[k, n], with `rhs_transposed` of rhs[n, k]. The
    right operand, and the left one if it is a buffer, are the tiles of the given stages. A left operand in registers
    is rounded to the element type of the right one.

    - (C1) the operands agree in m, n and k, and both buffers have one element type of 16 bits.
  }];
  let arguments = (ins AnyType:$lhs, Optional<Index>:$lhs_stage, Nv_BufferType:$rhs,
                       Index:$rhs_stage, Optional<Nv_FragmentType>:$accumulator,
                       UnitAttr:$rhs_transposed);
  let results = (outs Nv_FragmentType:$result);
  let assemblyFormat = [{
    (`rhs_transposed` $rhs_transposed^)? $lhs (`at` $lhs_stage^)? `,` $rhs `at` $rhs_stage
    (`onto` $accumulator^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def Nv_SharedOp : Nv_Op<"shared", [HasParent<"KernelOp">]> {
  let summary = "Memory for a buffer, its own for the whole kernel";
  let results = (outs Nv_BufferType:$buffer);
  let assemblyFormat = "attr-dict `:` type($buffer)";
}

def Nv_CopyOp : Nv_Op<"copy", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Begins to copy a tile of a view into a stage of a buffer";
  let description = [{
    From the given offsets on, zeros where the view ends. Done for all threads after `nv.commit`, `nv.wait` and
    `nv.barrier`. Elements are converted to those of the buffer.

    - (C1) the view has rank 2 and float elements.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<Index>:$offsets, Nv_BufferType:$buffer,
                       Index:$stage);
  let assemblyFormat = [{
    $view `[` $offsets `]` `into` $buffer `at` $stage attr-dict `:` type($view) `,` type($buffer)
  }];
  let hasVerifier = 1;
}

def Nv_CommitOp : Nv_Op<"commit", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Ends a group of copies";
  let assemblyFormat = "attr-dict";
}

def Nv_WaitOp : Nv_Op<"wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Waits for the copies of this thread but those of the last `pending` groups";
  let arguments = (ins I64Attr:$pending);
  let assemblyFormat = "$pending attr-dict";
}

def Nv_BarrierOp : Nv_Op<"barrier", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Waits until every thread of the block is here";
  let assemblyFormat = "attr-dict";
}

def Nv_LoadOp : Nv_Op<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "A fragment of a view, from the given offsets, zero outside";
  let description = [{
    Narrow floats may be widened to f32, 8 and 16 bit integers to i32.

    - (C1) the view's rank, the number of offsets and the fragment's rank are equal.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<Index>:$offsets,
                       OptionalAttr<DenseBoolArrayAttr>:$in_bounds);
  let results = (outs Nv_FragmentType:$result);
  let assemblyFormat = [{
    $view `[` $offsets `]` (`in_bounds` $in_bounds^)? attr-dict `:` type($view) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Nv_StoreOp : Nv_Op<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "Writes a fragment to a view; what lies outside is dropped";
  let description = [{
    f32 may be narrowed to the view's float type, rounding to nearest even.

    - (C1) the view's rank, the number of offsets and the fragment's rank are equal.
  }];
  let arguments = (ins Nv_FragmentType:$fragment, Tile_ViewType:$view, Variadic<Index>:$offsets);
  let assemblyFormat = [{
    $fragment `,` $view `[` $offsets `]` attr-dict `:` type($fragment) `,` type($view)
  }];
  let hasVerifier = 1;
}

include "dialects/Nv/IR/NvWarpgroupOps.td"
include "dialects/Nv/IR/NvNotFiniteOps.td"

#endif // RAPT_DIALECTS_NV_IR_NVOPS
