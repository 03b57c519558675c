// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attn dialect: what an attention mechanism computes, over whole tensors.

#ifndef RAPT_DIALECTS_ATTN_IR_ATTNOPS
#define RAPT_DIALECTS_ATTN_IR_ATTNOPS

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Attn_Dialect : Dialect {
  let name = "attn";
  let cppNamespace = "::rapt::attn";
  let summary = "What an attention mechanism computes, over whole tensors";
  let description = [{
    `attn` says what is computed and nothing about how: no tile, no thread, no
    chunk. A spec is a `func.func` with the attribute `attn.spec`; every
    argument and result carries `attn.name` and `attn.axes`, the names of its
    dimensions (`batch heads kv_heads groups queries keys`, then features).

    Scores, masks and maps are regions of ordinary `arith` and `math`
    operations, isolated from above: everything they touch is an operand.
    Positions are 32 or 64 bit integers, wide enough for every value the
    expression can take. A pair region has the arguments

        (b, h, row, i, j : i32,  dot_0, dot_1, ... : f32,  captures...)

    with `row` the query's own number and `i`, `j` the positions of query and
    key. A row region has `(b, h, n, position : i32, rows..., captures...)`.

    An operand whose batch or head extent E is smaller than the operation's
    extent X is shared: index x of the operation reads `x * E / X`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let hasConstantMaterializer = 1;
  let useDefaultAttributePrinterParser = 1;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def Attn_Reduction : I32EnumAttr<"Reduction",
    "how the keys of one query are reduced", [
    I32EnumAttrCase<"Softmax", 0, "softmax">,
    I32EnumAttrCase<"Sum", 1, "sum">,
    I32EnumAttrCase<"Ratio", 2, "ratio">]> {
  let cppNamespace = "::rapt::attn";
}

def Attn_Side : I32EnumAttr<"Side", "the sequence that a row belongs to", [
    I32EnumAttrCase<"Queries", 0, "queries">,
    I32EnumAttrCase<"Keys", 1, "keys">]> {
  let cppNamespace = "::rapt::attn";
}

def Attn_RowReduction : I32EnumAttr<"RowReduction",
    "a reduction over the features of a row", [
    I32EnumAttrCase<"Add", 0, "add">, I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"Min", 2, "min">, I32EnumAttrCase<"Argmax", 3, "argmax">]> {
  let cppNamespace = "::rapt::attn";
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def Attn_Integer : AnyTypeOf<[I32, I64], "32 or 64 bit integer">;
class Attn_Static<Type type, string summary>
    : ConfinedType<type, [HasStaticShapePred], summary, "::mlir::RankedTensorType">;
def Attn_Row : Attn_Static<1DTensorOf<[F32, I32, I64, I1]>, "row of f32, i32, i64 or i1">;
def Attn_RealRow : Attn_Static<1DTensorOf<[F32]>, "row of f32">;
def Attn_NumberRow : Attn_Static<1DTensorOf<[F32, I32, I64]>, "row of f32, i32 or i64">;
def Attn_Matrix : Attn_Static<2DTensorOf<[F32, I32, I64, I1]>, "matrix of f32, i32, i64 or i1">;
def Attn_Readable : AnyTypeOf<[F32, I32, I64, I1, Attn_Row, Attn_Matrix]>;

class Attn_Op<string mnemonic, list<Trait> traits = []>
    : Op<Attn_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

def Attn_AttendOp : Attn_Op<"attend", [
    Pure, IsolatedFromAbove, AttrSizedOperandSegments]> {
  let summary = "For every query, a weighted sum of the rows of the keys";
  let description = [{
    Extents: `shape(B, H, M, N)`. `queries` are P tensors [B, H, M, D_p], `keys`
    P tensors [B, Hk, N, D_p], `values` [B, Hk, N, E]; batch and head extents
    may be shared (see the dialect). With `dot_p = <queries_p[b,h,row], keys_p[b,h,j]>`
    in f32, `i = row + N - M` and K(row) the set of j whose `mask` is true:

        softmax:  w_j = exp(score_j) / (sum_K exp(score) + exp(sink))
        sum:      w_j = score_j
        ratio:    w_j = score_j / (sum_K score + epsilon)
        result[b,h,row,e] = sum_{j in K} factor_j * w_j * values[b,h,j,e]
        lse[b,h,row]      = log(sum_K exp(score) + exp(sink)), softmax only, else 0

    A row whose K is empty gives 0 and, for softmax without a sink, lse = -inf. `factor`
    (default 1) multiplies the normalised weight, `sink` (default -inf) has
    the region arguments `(b, h, row, i, captures...)`.

    A `score` may be a row [E], one for each feature of the values: then w_j is
    one too, feature by feature, and lse is 0.

    With `carry` the rows of a key and of its value change once at every position
    after its own, up to that of the query: for t = j + 1, ..., i in this order

        keys_p[j]..., values[j] = carry(b, h, t, keys_p[j]..., values[j],
                                        steps_p[b,h,t,:]..., captures...)

    `steps` are tensors [B, H', N, D]. Nothing changes a key at or after the query.

    - (C1) `queries` and `keys` are equally many, and each pair has one feature extent.
    - (C2) every operand in `queries`, `keys`, `values` has rank 4 and a static last extent.
    - (C3) pair regions have the arguments `(b, h, row, i, j, dots, captures)`, `sink` `(b, h, row, i, captures)`.
    - (C4) `score` yields one f32 or a row of f32 with the feature extent of `values`, `factor` and `sink` one f32, `mask` one i1.
    - (C5) `sink` is given only with softmax; `epsilon` only with ratio.
    - (C6) the result has the feature extent of `values` and element type f32 or that of `values`.
    - (C7) `carry` has the arguments `(b, h, t, keys, values, steps, captures)` and yields rows of the types of keys and values, in f32.
    - (C8) `steps` is given only with `carry`; each operand has rank 4 and a static last extent.
    - (C9) a score per feature has neither `factor` nor `sink`.

    Example:

    ```mlir
    func.func @example(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>,
                       %v: tensor<?x?x?x3xf32>,
                       %b: index, %h: index, %m: index, %n: index) -> tensor<?x?x?x3xf32> {
      %out, %lse = attn.attend softmax shape(%b, %h, %m, %n) queries(%q) keys(%k) values(%v)
          : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x3xf32>)
          -> (tensor<?x?x?x3xf32>, tensor<?x?x?xf32>)
      score {
      ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
        %scale = arith.constant 0.5 : f32
        %score = arith.mulf %dot, %scale : f32
        attn.yield %score : f32
      } mask {
      ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
        %keep = arith.cmpi sge, %i, %j : i32
        attn.yield %keep : i1
      }
      return %out : tensor<?x?x?x3xf32>
    }
    ```
  }];
  let arguments = (ins
    Index:$batch, Index:$heads, Index:$queryCount, Index:$keyCount,
    Variadic<AnyRankedTensor>:$queries, Variadic<AnyRankedTensor>:$keys,
    AnyRankedTensor:$values, Variadic<AnyRankedTensor>:$steps,
    Variadic<AnyRankedTensor>:$captures, Attn_Reduction:$reduction, OptionalAttr<F64Attr>:$epsilon);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$lse);
  let regions = (region SizedRegion<1>:$score, AnyRegion:$mask, AnyRegion:$factor,
                        AnyRegion:$sink, AnyRegion:$carry);
  let assemblyFormat = [{
    $reduction (`epsilon` $epsilon^)?
    `shape` `(` $batch `,` $heads `,` $queryCount `,` $keyCount `)`
    `queries` `(` $queries `)` `keys` `(` $keys `)` `values` `(` $values `)`
    (`steps` `(` $steps^ `)`)? (`captures` `(` $captures^ `)`)? attr-dict
    `:` functional-type(operands, results)
    `score` $score (`mask` $mask^)? (`factor` $factor^)? (`sink` $sink^)?
    (`carry` $carry^)?
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// Number of products (pairs of a query and a key operand).
    unsigned getNumProducts() { return getQueries().size(); }
    /// Leading arguments of a pair region before the products: b, h, row, i, j.
    static constexpr unsigned kPairPositions = 5;
    /// Leading arguments of the sink region before the captures: b, h, row, i.
    static constexpr unsigned kSinkPositions = 4;
    /// Leading arguments of the carry region before the rows: b, h, t.
    static constexpr unsigned kCarryPositions = 3;
    /// Whether there is a score for each feature of the values.
    bool isPerFeature();
  }];
}

def Attn_MapOp : Attn_Op<"map", [
    Pure, IsolatedFromAbove, AttrSizedOperandSegments,
    SingleBlock]> {
  let summary = "A new row from the rows at one position";
  let description = [{
    Extents: `shape(B, H, M, N)`; `rows` are tensors [B, H', L, D] with L = M for side
    `queries` and N for side `keys`. For every b, h, n < L the region gets
    `(b, h, n, position : i32, rows[b,h,n,:]..., captures...)`, the rows as f32 or
    integer tensors of rank 1, and yields the row of the result. `position` is
    n for keys and n + N - M for queries.

    - (C1) every operand in `rows` has rank 4 and a static last extent.
    - (C2) the region has the arguments `(b, h, n, position, rows, captures)`.
    - (C3) the region yields one row tensor whose extent is the result's last one.

    Example:

    ```mlir
    func.func @example(%k: tensor<?x?x?x4xbf16>, %b: index, %h: index, %m: index, %n: index)
        -> tensor<?x?x?x4xf32> {
      %twice = attn.map keys shape(%b, %h, %m, %n) rows(%k)
          : (index, index, index, index, tensor<?x?x?x4xbf16>) -> tensor<?x?x?x4xf32> {
      ^bb0(%b0: i32, %h0: i32, %n0: i32, %position: i32, %row: tensor<4xf32>):
        %sum = arith.addf %row, %row : tensor<4xf32>
        attn.yield %sum : tensor<4xf32>
      }
      return %twice : tensor<?x?x?x4xf32>
    }
    ```
  }];
  let arguments = (ins Attn_Side:$side,
    Index:$batch, Index:$heads, Index:$queryCount, Index:$keyCount,
    Variadic<AnyRankedTensor>:$rows, Variadic<AnyRankedTensor>:$captures);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $side `shape` `(` $batch `,` $heads `,` $queryCount `,` $keyCount `)`
    `rows` `(` $rows `)` (`captures` `(` $captures^ `)`)? attr-dict
    `:` functional-type(operands, results) $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Leading arguments before the rows: b, h, n, position.
    static constexpr unsigned kRowPositions = 4;
  }];
}

def Attn_YieldOp : Attn_Op<"yield", [
    Pure, Terminator, ReturnLike,
    ParentOneOf<["AttendOp", "MapOp", "ScanOp", "AffineScanOp", "WeightsOp",
                 "SelectOp", "AggregateOp"]>]> {
  let summary = "The values of a region";
  let description = [{
    How many values there are, and of which types, the enclosing operation says.

    Example:

    ```mlir
    func.func @example(%b: index, %h: index, %m: index, %n: index) -> tensor<?x?x?x1xi32> {
      %places = attn.map keys shape(%b, %h, %m, %n) rows() : (index, index, index, index) -> tensor<?x?x?x1xi32> {
      ^bb0(%b0: i32, %h0: i32, %n0: i32, %position: i32):
        %row = attn.splat %position : i32 -> tensor<1xi32>
        attn.yield %row : tensor<1xi32>
      }
      return %places : tensor<?x?x?x1xi32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "$values attr-dict (`:` type($values)^)?";
  let extraClassDeclaration = [{
    /// The value of a region that yields one.
    ::mlir::Value getValue() { return getValues().front(); }
  }];
}

//===----------------------------------------------------------------------===//
// Around the loops
//===----------------------------------------------------------------------===//

def Attn_AxisOp : Attn_Op<"axis", [Pure]> {
  let summary = "The run-time extent of a named axis of the spec's arguments";
  let description = [{
    The extent of the axis in the first argument that has it.

    - (C1) an argument of the enclosing function names the axis in `attn.axes`.

    Example:

    ```mlir
    func.func @example(%q: tensor<?x?x?x4xf32>
        {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"}) -> index {
      %queries = attn.axis "queries"
      return %queries : index
    }
    ```
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs Index:$extent);
  let assemblyFormat = "$name attr-dict";
  let hasVerifier = 1;
}

def Attn_UnsqueezeOp : Attn_Op<"unsqueeze", [Pure]> {
  let summary = "The same tensor with a shared dimension of extent 1";
  let description = [{
    Inserts a dimension of extent 1 at `position`, so that a tensor without a batch or
    head axis can stand where rank 4 is expected.

    - (C1) `position` is at most the rank of the operand.
    - (C2) the result type is the operand type with a 1 inserted.

    Example:

    ```mlir
    func.func @example(%k: tensor<?x?x4xf32>) -> tensor<?x1x?x4xf32> {
      %k4 = attn.unsqueeze %k at 1 : tensor<?x?x4xf32> -> tensor<?x1x?x4xf32>
      return %k4 : tensor<?x1x?x4xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, I64Attr:$position);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$source `at` $position attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Attn_ListRowsOp : Attn_Op<"list_rows", [Pure, AllTypesMatch<["source", "result"]>]> {
  let summary = "The rows of a tensor that a list names";
  let description = [{
    Of a tensor `[..., rows, features]`: `result[..., n, :] = source[..., list[n], :]`. The
    result has as many rows as the list, whose elements are rows of the source. A cache in
    pages is read in this way.

    - (C1) the list is a tensor of i32 of rank 1.
    - (C2) the source has rank 3 or 4 and a dynamic number of rows.

    Example:

    ```mlir
    func.func @example(%pages: tensor<?x?x4xbf16>, %list: tensor<?xi32>) -> tensor<?x?x4xbf16> {
      %rows = attn.list_rows %pages by %list : tensor<?x?x4xbf16>, tensor<?xi32>
      return %rows : tensor<?x?x4xbf16>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, AnyRankedTensor:$list);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$source `by` $list attr-dict `:` type($source) `,` type($list)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Inside regions
//===----------------------------------------------------------------------===//

def Attn_ReadOp : Attn_Op<"read", [Pure]> {
  let summary = "An element, row or matrix of a captured tensor, zero outside";
  let description = [{
    Reads `tensor[indices..., :...]`. Leading dimensions are indexed, the rest are
    kept. Floats are read as f32. An index outside the tensor gives zeros (false).

    - (C1) the result's rank is the tensor's rank minus the number of indices, its extents the trailing ones, static.
    - (C2) the result's element type is f32 for a float tensor, else the tensor's; 8 and 16 bit integers are read as i32.

    Example:

    ```mlir
    func.func @example(%bias: tensor<?x32xf32>, %h: i32, %distance: i32) -> f32 {
      %x = attn.read %bias[%h, %distance] : (tensor<?x32xf32>, i32, i32) -> f32
      %row = attn.read %bias[%h] : (tensor<?x32xf32>, i32) -> tensor<32xf32>
      return %x : f32
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$tensor, Variadic<Attn_Integer>:$indices);
  let results = (outs Attn_Readable:$result);
  let assemblyFormat = [{
    $tensor `[` $indices `]` attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Attn_LengthOp : Attn_Op<"length", [Pure]> {
  let summary = "The number of queries or keys of this sequence";
  let description = [{
    Example:

    ```mlir
    func.func @example() -> i32 {
      %keys = attn.length keys
      return %keys : i32
    }
    ```
  }];
  let arguments = (ins Attn_Side:$side);
  let results = (outs I32:$result);
  let assemblyFormat = "$side attr-dict";
}

def Attn_ExtentOp : Attn_Op<"extent", [Pure]> {
  let summary = "The extent of one dimension of a captured tensor";
  let description = [{
    - (C1) `dimension` is one of the tensor's.

    Example:

    ```mlir
    func.func @example(%table: tensor<?x?xf32>) -> i32 {
      %columns = attn.extent %table[1] : tensor<?x?xf32>
      return %columns : i32
    }
    ```
  }];
  let hasVerifier = 1;
  let arguments = (ins AnyRankedTensor:$tensor, I64Attr:$dimension);
  let results = (outs I32:$result);
  let assemblyFormat = "$tensor `[` $dimension `]` attr-dict `:` type($tensor)";
}

def Attn_ShareOp : Attn_Op<"share", [Pure]> {
  let summary = "The index of a head along a head axis shared by several heads";
  let description = [{
    With E the extent of `dimension` of `tensor` and H the head extent of the enclosing
    operation: `head * E / H`. Grouped key heads are the usual case.

    - (C1) `dimension` is one of the tensor's.

    Example:

    ```mlir
    func.func @example(%h: i32, %gates: tensor<?x?xf32>) -> i32 {
      %group = attn.share %h in %gates[0] : tensor<?x?xf32>
      return %group : i32
    }
    ```
  }];
  let hasVerifier = 1;
  let arguments = (ins I32:$head, AnyRankedTensor:$tensor, I64Attr:$dimension);
  let results = (outs I32:$result);
  let assemblyFormat = "$head `in` $tensor `[` $dimension `]` attr-dict `:` type($tensor)";
}

class Attn_IntegerBinaryOp<string mnemonic, list<Trait> traits = []>
    : Attn_Op<mnemonic, [Pure, SameOperandsAndResultType, Elementwise] # traits> {
  let arguments = (ins SignlessIntegerLike:$lhs, SignlessIntegerLike:$rhs);
  let results = (outs SignlessIntegerLike:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
  let hasFolder = 1;
}

def Attn_FloorDivOp : Attn_IntegerBinaryOp<"floordiv"> {
  let summary = "Integer quotient rounded down, by a positive divisor";
  let description = [{
    Example:

    ```mlir
    func.func @example(%i: i32) -> i32 {
      %block = arith.constant 64 : i32
      %number = attn.floordiv %i, %block : i32
      return %number : i32
    }
    ```
  }];
}

def Attn_ModOp : Attn_IntegerBinaryOp<"mod"> {
  let summary = "Remainder that is never negative, of a positive divisor";
  let description = [{
    Example:

    ```mlir
    func.func @example(%i: i32) -> i32 {
      %stride = arith.constant 16 : i32
      %rest = attn.mod %i, %stride : i32
      return %rest : i32
    }
    ```
  }];
}

def Attn_UniformOp : Attn_Op<"uniform", [Pure]> {
  let summary = "A uniform random number in [0, 1) for one pair";
  let description = [{
    Philox4x32-10 (Salmon et al., 2011) with key `seed` (low word, high word) and counter
    (b, h, i, j); the first output word w gives `(w >> 8) * 2^-24`, the same on every target.

    Example:

    ```mlir
    func.func @example(%seed: i64, %b: i32, %h: i32, %i: i32, %j: i32) -> f32 {
      %u = attn.uniform %seed at %b, %h, %i, %j
      return %u : f32
    }
    ```
  }];
  let arguments = (ins I64:$seed, I32:$b, I32:$h, I32:$i, I32:$j);
  let results = (outs F32:$result);
  let assemblyFormat = "$seed `at` $b `,` $h `,` $i `,` $j attr-dict";
}

def Attn_DotOp : Attn_Op<"dot", [Pure, SameTypeOperands]> {
  let summary = "Scalar product of two rows, accumulated in f32";
  let description = [{
    Example:

    ```mlir
    func.func @example(%a: tensor<8xf32>, %c: tensor<8xf32>) -> f32 {
      %sum = attn.dot %a, %c : tensor<8xf32>
      return %sum : f32
    }
    ```
  }];
  let arguments = (ins Attn_RealRow:$lhs, Attn_RealRow:$rhs);
  let results = (outs F32:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
}

def Attn_MatVecOp : Attn_Op<"matvec", [Pure]> {
  let summary = "Matrix [R, C] times row [C], accumulated in f32";
  let description = [{
    - (C1) the matrix's last extent is the row's.
    - (C2) the result has the matrix's first extent.

    Example:

    ```mlir
    func.func @example(%m: tensor<3x4xf32>, %x: tensor<4xf32>) -> tensor<3xf32> {
      %y = attn.matvec %m, %x : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3xf32>
      return %y : tensor<3xf32>
    }
    ```
  }];
  let arguments = (ins Attn_Matrix:$matrix, Attn_RealRow:$row);
  let results = (outs Attn_RealRow:$result);
  let assemblyFormat = "$matrix `,` $row attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Attn_ReduceOp : Attn_Op<"reduce", [Pure]> {
  let summary = "Reduction over the features of a row";
  let description = [{
    `argmax` yields the smallest index of the largest element as i32.

    - (C1) the result is an element of the row, of `argmax` an i32.

    Example:

    ```mlir
    func.func @example(%x: tensor<8xf32>) -> (f32, i32) {
      %largest = attn.reduce max %x : (tensor<8xf32>) -> f32
      %where = attn.reduce argmax %x : (tensor<8xf32>) -> i32
      return %largest, %where : f32, i32
    }
    ```
  }];
  let hasVerifier = 1;
  let arguments = (ins Attn_RowReduction:$kind, Attn_Row:$row);
  let results = (outs AnyTypeOf<[F32, I32, I64]>:$result);
  let assemblyFormat = "$kind $row attr-dict `:` functional-type(operands, results)";
}

def Attn_SplatOp : Attn_Op<"splat", [Pure]> {
  let summary = "A row or matrix whose features are all the same scalar";
  let description = [{
    - (C1) the result has elements of the scalar's type.

    Example:

    ```mlir
    func.func @example(%x: f32) -> tensor<4xf32> {
      %row = attn.splat %x : f32 -> tensor<4xf32>
      %matrix = attn.splat %x : f32 -> tensor<4x3xf32>
      return %row : tensor<4xf32>
    }
    ```
  }];
  let hasVerifier = 1;
  let arguments = (ins AnyTypeOf<[F32, I32, I64, I1]>:$value);
  let results = (outs AnyTypeOf<[Attn_Row, Attn_Matrix], "row or matrix", "::mlir::RankedTensorType">:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
}

def Attn_FeatureOp : Attn_Op<"feature", [Pure]> {
  let summary = "The row 0, 1, 2, ... of feature indices";
  let description = [{
    Example:

    ```mlir
    func.func @example() -> tensor<8xi32> {
      %numbers = attn.feature : tensor<8xi32>
      return %numbers : tensor<8xi32>
    }
    ```
  }];
  let results = (outs Attn_NumberRow:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Attn_SliceOp : Attn_Op<"slice", [Pure]> {
  let summary = "Features [offset, offset + extent of the result) of a row";
  let description = [{
    - (C1) the cut lies inside the row.
    - (C2) the result has the row's element type.

    Example:

    ```mlir
    func.func @example(%x: tensor<8xf32>) -> tensor<4xf32> {
      %half = attn.slice %x from 4 : tensor<8xf32> -> tensor<4xf32>
      return %half : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins Attn_Row:$row, I64Attr:$offset);
  let results = (outs Attn_Row:$result);
  let assemblyFormat = "$row `from` $offset attr-dict `:` type($row) `->` type($result)";
  let hasVerifier = 1;
}

def Attn_ConcatOp : Attn_Op<"concat", [Pure]> {
  let summary = "Rows joined along the features";
  let description = [{
    - (C1) the result's extent is the sum of the rows' extents.
    - (C2) rows and result have one element type.

    Example:

    ```mlir
    func.func @example(%a: tensor<3xf32>, %c: tensor<5xf32>) -> tensor<8xf32> {
      %row = attn.concat %a, %c : (tensor<3xf32>, tensor<5xf32>) -> tensor<8xf32>
      return %row : tensor<8xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<Attn_Row>:$rows);
  let results = (outs Attn_Row:$result);
  let assemblyFormat = "$rows attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

include "dialects/Attn/IR/ScanOps.td"
include "dialects/Attn/IR/RoutingOps.td"
include "dialects/Attn/IR/AffineScanOps.td"

#endif // RAPT_DIALECTS_ATTN_IR_ATTNOPS
