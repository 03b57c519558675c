// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What chooses keys and joins results: pooled rows, sets of keys, ranks, weights
// and reductions of pairs, branches. Part of AttnOps.td.

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def Attn_Pooling : I32EnumAttr<"Pooling", "what a window of rows becomes", [
    I32EnumAttrCase<"Mean", 0, "mean">, I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"Min", 2, "min">, I32EnumAttrCase<"Sum", 3, "sum">]> {
  let cppNamespace = "::rapt::attn";
}

def Attn_Selection : I32EnumAttr<"Selection", "how a set of candidates is chosen", [
    I32EnumAttrCase<"Top", 0, "top">, I32EnumAttrCase<"Cover", 1, "cover">,
    I32EnumAttrCase<"Above", 2, "above">]> {
  let cppNamespace = "::rapt::attn";
}

def Attn_Order : I32EnumAttr<"Order", "which way a stable sort is told", [
    I32EnumAttrCase<"Rank", 0, "rank">,
    I32EnumAttrCase<"Permutation", 1, "permutation">]> {
  let cppNamespace = "::rapt::attn";
}

def Attn_Over : I32EnumAttr<"Over", "what a reduction of pairs runs over", [
    I32EnumAttrCase<"Queries", 0, "queries">, I32EnumAttrCase<"Keys", 1, "keys">,
    I32EnumAttrCase<"Group", 2, "group">, I32EnumAttrCase<"Pairs", 3, "pairs">]> {
  let cppNamespace = "::rapt::attn";
}

//===----------------------------------------------------------------------===//
// Pooled rows
//===----------------------------------------------------------------------===//

def Attn_PoolOp : Attn_Op<"pool", [Pure]> {
  let summary = "One row, or one number of a pair, for each window of positions";
  let description = [{
    `source` has rank 4; `dimension` 2 (rows) or 3 (the keys of pairs) has extent L and stands for the
    last L of `positions` positions: index n is at position `p = n + positions - L`. Window
    t covers the positions t * stride to t * stride + size - 1, and there is one for each
    t >= 0 with t * stride < positions. What lies outside the source is not there: the last windows, and the
    first ones if L < positions, hold fewer elements.

        mean: sum of what is there / how many     sum: their sum
        max, min: the largest, the smallest; a NaN among them is the result
        mean with `weights` w:  sum of w * x / sum of w

    A window in which nothing is there gives 0. `weights` has rank 4, extent 1 in dimension 3
    and L in dimension 2, and may be shared by batches and heads.

    - (C1) `dimension` is 2 or 3.
    - (C2) `size` and `stride` are positive.
    - (C3) `weights` need `mean` and dimension 2.
    - (C4) source and result have rank 4 and one type but for the extent of `dimension`, elements of the result may be f32.
    - (C5) `weights` has rank 4 and last extent 1.

    Example:

    ```mlir
    func.func @example(%k: tensor<?x?x?x4xbf16>, %n: index) -> tensor<?x?x?x4xf32> {
      %pages = attn.pool mean %k dimension 2 size 32 stride 16 positions %n
          : (tensor<?x?x?x4xbf16>, index) -> tensor<?x?x?x4xf32>
      return %pages : tensor<?x?x?x4xf32>
    }
    ```
  }];
  let arguments = (ins Attn_Pooling:$how, AnyRankedTensor:$source,
    Optional<AnyRankedTensor>:$weights, Index:$positions,
    I64Attr:$dimension, I64Attr:$size, I64Attr:$stride);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $how $source (`weights` `(` $weights^ `)`)? `dimension` $dimension `size` $size `stride` $stride
    `positions` $positions attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Attn_RegroupOp : Attn_Op<"regroup", [Pure]> {
  let summary = "Numbers of windows of keys as numbers of blocks, by overlap";
  let description = [{
    `source` [B, H, M, P] holds a number for each window t of `positions` keys, which
    covers the keys t * stride to t * stride + size - 1 that are below `positions`. Block c covers the keys
    c * block to (c + 1) * block - 1, and there is one for each c with c * block < positions:

        result[b,h,row,c] = sum_t source[b,h,row,t] * |window t and block c| / |window t|

    so each window shares its number out evenly among its keys, and sums are kept.

    - (C1) `size`, `stride` and `block` are positive.
    - (C2) source and result have rank 4 and elements of f32.

    Example:

    ```mlir
    func.func @example(%w: tensor<?x?x?x?xf32>, %n: index) -> tensor<?x?x?x?xf32> {
      %blocks = attn.regroup %w size 32 stride 16 into 64 positions %n
          : (tensor<?x?x?x?xf32>, index) -> tensor<?x?x?x?xf32>
      return %blocks : tensor<?x?x?x?xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, Index:$positions,
    I64Attr:$size, I64Attr:$stride, I64Attr:$block);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `size` $size `stride` $stride `into` $block `positions` $positions
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Attn_ReorderOp : Attn_Op<"reorder", [Pure]> {
  let summary = "Where rows go, or come from, in a stable sort by a number";
  let description = [{
    `keys` [B, H, L, 1] holds one number for each row. In the stable ascending sort of the rows of a
    batch and head (equal numbers keep their order, a NaN stands after every number)

        rank:         result[b,h,n,0] = the place of row n
        permutation:  result[b,h,p,0] = the row at place p

    - (C1) `keys` has rank 4 and last extent 1.
    - (C2) the result has the shape of `keys` and elements of i32.

    Example:

    ```mlir
    func.func @example(%bucket: tensor<?x?x?x1xi32>) -> tensor<?x?x?x1xi32> {
      %places = attn.reorder rank %bucket : tensor<?x?x?x1xi32> -> tensor<?x?x?x1xi32>
      %order = attn.reorder permutation %bucket : tensor<?x?x?x1xi32> -> tensor<?x?x?x1xi32>
      return %places : tensor<?x?x?x1xi32>
    }
    ```
  }];
  let arguments = (ins Attn_Order:$order, AnyRankedTensor:$keys);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$order $keys attr-dict `:` type($keys) `->` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Loops over pairs
//===----------------------------------------------------------------------===//

def Attn_WeightsOp : Attn_Op<"weights", [
    Pure, IsolatedFromAbove, AttrSizedOperandSegments]> {
  let summary = "The weights of an attend, without the sum over the keys";
  let description = [{
    Operands, regions and `w_j`, K(row) as in `attn.attend`, but there are no values:

        result[b,h,row,j] = factor_j * w_j   for j in K(row), else 0

    Routing reads them (`branch.weight`, softmax over keys inside a score). No kernel need keep the
    result whole.

    - (C1) `queries` and `keys` are equally many, and each pair has one feature extent.
    - (C2) every operand in `queries` and `keys` has rank 4 and a static last extent.
    - (C3) pair regions have the arguments `(b, h, row, i, j, dots, captures)`, `sink` `(b, h, row, i, captures)`.
    - (C4) `score`, `factor` and `sink` yield one f32, `mask` one i1.
    - (C5) `sink` is given only with softmax; `epsilon` only with ratio.
    - (C6) the result has rank 4 and elements of f32.

    Example:

    ```mlir
    func.func @example(%q: tensor<?x?x?x4xf32>,
                       %k: tensor<?x?x?x4xf32>,
                       %b: index, %h: index, %m: index, %n: index) -> tensor<?x?x?x?xf32> {
      %w = attn.weights softmax shape(%b, %h, %m, %n) queries(%q) keys(%k)
          : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> tensor<?x?x?x?xf32>
      score {
      ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
        attn.yield %dot : f32
      }
      return %w : tensor<?x?x?x?xf32>
    }
    ```
  }];
  let arguments = (ins
    Index:$batch, Index:$heads, Index:$queryCount, Index:$keyCount,
    Variadic<AnyRankedTensor>:$queries, Variadic<AnyRankedTensor>:$keys,
    Variadic<AnyRankedTensor>:$captures,
    Attn_Reduction:$reduction, OptionalAttr<F64Attr>:$epsilon);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$score, AnyRegion:$mask, AnyRegion:$factor,
                        AnyRegion:$sink);
  let assemblyFormat = [{
    $reduction (`epsilon` $epsilon^)?
    `shape` `(` $batch `,` $heads `,` $queryCount `,` $keyCount `)`
    `queries` `(` $queries `)` `keys` `(` $keys `)`
    (`captures` `(` $captures^ `)`)? attr-dict
    `:` functional-type(operands, results)
    `score` $score (`mask` $mask^)? (`factor` $factor^)? (`sink` $sink^)?
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    unsigned getNumProducts() { return getQueries().size(); }
  }];
}

def Attn_SelectOp : Attn_Op<"select", [
    Pure, IsolatedFromAbove, AttrSizedOperandSegments]> {
  let summary = "For every query, a set of candidates";
  let description = [{
    Extents: `shape(B, H, M, C)`. Candidates are the integers 0 to C - 1; operands and pair regions are
    as in `attn.attend`, with the candidate c in place of j. Admitted are the candidates for which `where` holds
    (all if it is not given). In the order of choice come first those admitted for which `force` holds,
    then the rest by falling score; equals by rising c, a NaN after every number. With `limit` x

        top:    the first x in that order, and all that are forced
        cover:  of that order the shortest beginning whose scores sum to at least x times
                the sum of all scores admitted, and all that are forced
        above:  those admitted with score > x, and all that are forced

    `result[b,h,row,c]` is true if c is in the set. A set is read by `attn.read`: what lies outside is not in it.
    What a kernel keeps (bits, a sorted list, runs) is its own matter.

    - (C1) `queries` and `keys` are equally many, and each pair has one feature extent.
    - (C2) every operand in `queries` and `keys` has rank 4 and a static last extent.
    - (C3) pair regions have the arguments `(b, h, row, i, c, dots, captures)`, `limit` `(b, h, row, i, captures)`.
    - (C4) `score` yields one f32, `where` and `force` one i1, `limit` one i32 for top and one f32 else.
    - (C5) the result has rank 4 and elements of i1.

    Example:

    ```mlir
    func.func @example(%q: tensor<?x?x?x4xf32>,
                       %pages: tensor<?x?x?x4xf32>,
                       %b: index, %h: index, %m: index, %n: index) -> tensor<?x?x?x?xi1> {
      %set = attn.select top shape(%b, %h, %m, %n) queries(%q) keys(%pages)
          : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> tensor<?x?x?x?xi1>
      limit {
      ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
        %three = arith.constant 3 : i32
        attn.yield %three : i32
      } score {
      ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %c: i32, %dot: f32):
        attn.yield %dot : f32
      } where {
      ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %c: i32, %dot: f32):
        %size = arith.constant 16 : i32
        %first = arith.muli %c, %size : i32
        %admitted = arith.cmpi sle, %first, %i : i32
        attn.yield %admitted : i1
      }
      return %set : tensor<?x?x?x?xi1>
    }
    ```
  }];
  let arguments = (ins Attn_Selection:$kind,
    Index:$batch, Index:$heads, Index:$queryCount, Index:$keyCount,
    Variadic<AnyRankedTensor>:$queries, Variadic<AnyRankedTensor>:$keys,
    Variadic<AnyRankedTensor>:$captures);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$limit, SizedRegion<1>:$score, AnyRegion:$where,
                        AnyRegion:$force);
  let assemblyFormat = [{
    $kind `shape` `(` $batch `,` $heads `,` $queryCount `,` $keyCount `)`
    `queries` `(` $queries `)` `keys` `(` $keys `)`
    (`captures` `(` $captures^ `)`)? attr-dict
    `:` functional-type(operands, results)
    `limit` $limit `score` $score (`where` $where^)? (`force` $force^)?
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    unsigned getNumProducts() { return getQueries().size(); }
  }];
}

def Attn_AggregateOp : Attn_Op<"aggregate", [
    Pure, IsolatedFromAbove, AttrSizedOperandSegments]> {
  let summary = "A reduction of one value per pair over queries, keys, heads or pairs";
  let description = [{
    Extents: `shape(B, H, M, N)`; operands and pair regions as in `attn.attend`. `body` yields
    a number or a row x(b, h, row, j) of D features. With R the reduction `kind`

        over queries:  result[b,h,j,d]   = R over row of x
        over keys:     result[b,h,row,d] = R over j of x
        over group:    result[b,g,row,j] = R over the heads h with h * G / H = g of x, for a number
                       result[b,g,n,d]   with M or N equal to 1, for a row; n is the other's index
        over pairs:    result[b,h,n,0]   = R over all row, j with by(b, h, row, i, j) = n

    A number is a row of one feature where d stands. `into` is the number of results: G over group, those of n
    over pairs, where a `by` outside 0 .. into - 1 leaves its pair out. Nothing to reduce gives
    0 for add, else -inf, +inf, or the least and largest integer. `argmax` is over keys only: the least j of the largest.

    - (C1) `queries` and `keys` are equally many, and each pair has one feature extent.
    - (C2) every operand in `queries` and `keys` has rank 4 and a static last extent.
    - (C3) both regions have the arguments `(b, h, row, i, j, dots, captures)`.
    - (C4) `body` yields f32, i32, i64 or a row of them, for pairs a number; `by` yields i32 or i64.
    - (C5) `by` is given with pairs and nothing else; `into` with pairs and group; `argmax` needs keys and a number.
    - (C6) the result has rank 4 and the elements that `body` yields, of `argmax` i32, and the extent of a row as its last one.

    Example:

    ```mlir
    func.func @example(%w: tensor<?x?x?x?xf32>, %b: index, %h: index, %m: index, %n: index)
        -> tensor<?x?x?x1xf32> {
      %mass = attn.aggregate add over queries shape(%b, %h, %m, %n) queries() keys() captures(%w)
          : (index, index, index, index, tensor<?x?x?x?xf32>) -> tensor<?x?x?x1xf32>
      body {
      ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %t: tensor<?x?x?x?xf32>):
        %x = attn.read %t[%b0, %h0, %row, %j] : (tensor<?x?x?x?xf32>, i32, i32, i32, i32) -> f32
        attn.yield %x : f32
      }
      return %mass : tensor<?x?x?x1xf32>
    }
    ```
  }];
  let arguments = (ins Attn_RowReduction:$kind, Attn_Over:$over,
    Index:$batch, Index:$heads, Index:$queryCount, Index:$keyCount,
    Optional<Index>:$into,
    Variadic<AnyRankedTensor>:$queries, Variadic<AnyRankedTensor>:$keys,
    Variadic<AnyRankedTensor>:$captures);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$body, AnyRegion:$by);
  let assemblyFormat = [{
    $kind `over` $over (`into` $into^)?
    `shape` `(` $batch `,` $heads `,` $queryCount `,` $keyCount `)`
    `queries` `(` $queries `)` `keys` `(` $keys `)`
    (`captures` `(` $captures^ `)`)? attr-dict
    `:` functional-type(operands, results)
    `body` $body (`by` $by^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    unsigned getNumProducts() { return getQueries().size(); }
  }];
}

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

def Attn_MergeOp : Attn_Op<"merge", [Pure, AttrSizedOperandSegments]> {
  let summary = "Branches joined into one softmax by their log-sum-exp";
  let description = [{
    Branch p has the result o_p [B, H, M, E] and the log-sum-exp l_p [B, H, M]:

        lse[b,h,row]    = log(sum_p exp(l_p))
        result[b,h,row] = sum_p exp(l_p - lse) * o_p

    which is softmax attention over the union of keys if no key is in two branches; one that is in several
    counts several times. A branch with l_p = -inf adds nothing, whatever its o_p. If all are, the result is 0 and
    lse -inf.

    - (C1) there is at least one branch, and as many `lses` as `branches`.
    - (C2) `branches` have rank 4 and one static last extent, which is the result's.
    - (C3) `lses` have rank 3 and elements of f32, as `lse`.

    Example:

    ```mlir
    func.func @example(%near: tensor<?x?x?x4xf32>,
                       %far: tensor<?x?x?x4xf32>,
                       %nearLse: tensor<?x?x?xf32>, %farLse: tensor<?x?x?xf32>) -> tensor<?x?x?x4xf32> {
      %out, %lse = attn.merge branches(%near, %far) lses(%nearLse, %farLse)
          : (tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>)
          -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
      return %out : tensor<?x?x?x4xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$branches, Variadic<AnyRankedTensor>:$lses);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$lse);
  let assemblyFormat = [{
    `branches` `(` $branches `)` `lses` `(` $lses `)` attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}
