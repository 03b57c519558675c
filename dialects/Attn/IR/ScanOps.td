// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop over time, and what its states need inside regions. Part of
// AttnOps.td.

//===----------------------------------------------------------------------===//
// The loop over time
//===----------------------------------------------------------------------===//

def Attn_ScanOp : Attn_Op<"scan", [
    Pure, IsolatedFromAbove, AttrSizedOperandSegments]> {
  let summary = "Step by step, new states and rows from the states before";
  let description = [{
    Extents: `shape(B, H, M, N)`. `queries` are tensors [B, H', M, D], `keys` tensors
    [B, H', N, D]; batch and head extents may be shared (see the dialect). There is
    one step for each key, at the positions j = 0, 1, ... N-1, with `reverse` in the
    opposite order. For each b and h

        S... = initial(b, h, captures...)
        for each step j, with row = j - (N - M):
          S..., y... = body(b, h, row, j, S..., queries[b,h,row,:]...,
                            keys[b,h,j,:]..., captures...)
          output_p[b,h,row,:] = y_p                              if row >= 0
        final_p[b,h,...] = S_p

    A state is a number, a row or a matrix of f32; integers that `queries` and `keys` hold
    are read as in `attn.map`. Where row < 0 there is no query: its rows are 0 and the y of the step
    are dropped. A query that stands before the first key (M > N) has no step, and its
    rows of the outputs are 0.

    The results are the outputs and, with `finals`, after them the states after the last
    step. `names` holds the names of the states for messages.

    - (C1) every operand in `queries` and `keys` has rank 4 and a static last extent.
    - (C2) `initial` has the arguments `(b, h, captures)` and yields the states, each a f32 or a static tensor of f32 of rank 1 or 2.
    - (C3) `body` has the arguments `(b, h, row, position, states, queries, keys, captures)`.
    - (C4) `body` yields a new state for each state, of its type, then a row for each output.
    - (C5) an output has rank 4 and the extent of its row as the last one.
    - (C6) a final state has the type [B, H, extents of the state...] of f32, and there is one for each state.
    - (C7) a new state depends neither on `row` nor on `queries`.
    - (C8) there is one name for each state, if there are names.

    Example:

    ```mlir
    func.func @example(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>,
                       %v: tensor<?x?x?x3xf32>,
                       %b: index, %h: index, %m: index, %n: index) -> tensor<?x?x?x3xf32> {
      %out = attn.scan shape(%b, %h, %m, %n) queries(%q) keys(%k, %v) {names = ["S"]}
          : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x3xf32>)
          -> tensor<?x?x?x3xf32>
      initial {
      ^bb0(%b0: i32, %h0: i32):
        %zero = arith.constant dense<0.0> : tensor<4x3xf32>
        attn.yield %zero : tensor<4x3xf32>
      } body {
      ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4x3xf32>, %query: tensor<4xf32>,
           %key: tensor<4xf32>, %value: tensor<3xf32>):
        %write = attn.outer %key, %value : (tensor<4xf32>, tensor<3xf32>) -> tensor<4x3xf32>
        %next = arith.addf %S, %write : tensor<4x3xf32>
        %y = attn.vecmat %query, %next : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
        attn.yield %next, %y : tensor<4x3xf32>, tensor<3xf32>
      }
      return %out : tensor<?x?x?x3xf32>
    }
    ```
  }];
  let arguments = (ins
    Index:$batch, Index:$heads, Index:$queryCount, Index:$keyCount,
    Variadic<AnyRankedTensor>:$queries, Variadic<AnyRankedTensor>:$keys,
    Variadic<AnyRankedTensor>:$captures,
    UnitAttr:$reverse, UnitAttr:$finals, OptionalAttr<StrArrayAttr>:$names);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$initial, SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`reverse` $reverse^)? (`finals` $finals^)?
    `shape` `(` $batch `,` $heads `,` $queryCount `,` $keyCount `)`
    `queries` `(` $queries `)` `keys` `(` $keys `)`
    (`captures` `(` $captures^ `)`)? attr-dict
    `:` functional-type(operands, results)
    `initial` $initial `body` $body
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// Leading arguments of the body before the states: b, h, row, position.
    static constexpr unsigned kPositions = 4;
    /// Leading arguments of the initial region before the captures: b, h.
    static constexpr unsigned kInitialPositions = 2;

    ::mlir::TypeRange getStateTypes();
    unsigned getNumStates() { return getStateTypes().size(); }
    unsigned getNumOutputs() {
      return getNumResults() - (getFinals() ? getNumStates() : 0);
    }
    ::mlir::ResultRange getOutputs() {
      return getResults().take_front(getNumOutputs());
    }
    ::mlir::ResultRange getFinalStates() {
      return getResults().drop_front(getNumOutputs());
    }
    /// The arguments of the body by what they stand for.
    ::mlir::ArrayRef<::mlir::BlockArgument> getStateArguments();
    ::mlir::ArrayRef<::mlir::BlockArgument> getQueryArguments();
    ::mlir::ArrayRef<::mlir::BlockArgument> getKeyArguments();
    ::mlir::ArrayRef<::mlir::BlockArgument> getCaptureArguments();
    /// What the body yields: the new states and the rows.
    ::mlir::OperandRange getNewStates();
    ::mlir::OperandRange getRows();
    /// The name of a state for messages; its number if it has none.
    std::string getStateName(unsigned state);
  }];
}

//===----------------------------------------------------------------------===//
// Matrices inside regions
//===----------------------------------------------------------------------===//

def Attn_RealMatrix : Attn_Static<2DTensorOf<[F32]>, "matrix of f32">;

def Attn_OuterOp : Attn_Op<"outer", [Pure]> {
  let summary = "The matrix of all products of a row [R] and a row [C]";
  let description = [{
    `result[r, c] = lhs[r] * rhs[c]`.

    - (C1) the result has the extents of the two rows.

    Example:

    ```mlir
    func.func @example(%k: tensor<4xf32>, %v: tensor<3xf32>) -> tensor<4x3xf32> {
      %write = attn.outer %k, %v : (tensor<4xf32>, tensor<3xf32>) -> tensor<4x3xf32>
      return %write : tensor<4x3xf32>
    }
    ```
  }];
  let arguments = (ins Attn_RealRow:$lhs, Attn_RealRow:$rhs);
  let results = (outs Attn_RealMatrix:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Attn_VecMatOp : Attn_Op<"vecmat", [Pure]> {
  let summary = "Row [R] times matrix [R, C], accumulated in f32";
  let description = [{
    `result[c] = sum_r row[r] * matrix[r, c]`.

    - (C1) the row's extent is the matrix's first.
    - (C2) the result has the matrix's last extent.

    Example:

    ```mlir
    func.func @example(%x: tensor<4xf32>, %S: tensor<4x3xf32>) -> tensor<3xf32> {
      %y = attn.vecmat %x, %S : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
      return %y : tensor<3xf32>
    }
    ```
  }];
  let arguments = (ins Attn_RealRow:$row, Attn_RealMatrix:$matrix);
  let results = (outs Attn_RealRow:$result);
  let assemblyFormat = "$row `,` $matrix attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Attn_SpreadOp : Attn_Op<"spread", [Pure]> {
  let summary = "A matrix whose rows, or whose columns, are all the same row";
  let description = [{
    The row runs along dimension `along` of the result: `result[r, c] = row[r]` for 0, `row[c]` for 1.

    - (C1) `along` is 0 or 1.
    - (C2) the result has the row's elements, and its extent in dimension `along`.

    Example:

    ```mlir
    func.func @example(%gate: tensor<4xf32>) -> tensor<4x3xf32> {
      %decay = attn.spread %gate along 0 : tensor<4xf32> -> tensor<4x3xf32>
      return %decay : tensor<4x3xf32>
    }
    ```
  }];
  let arguments = (ins Attn_Row:$row, I64Attr:$along);
  let results = (outs Attn_Matrix:$result);
  let assemblyFormat = "$row `along` $along attr-dict `:` type($row) `->` type($result)";
  let hasVerifier = 1;
}
