// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The normal form of the loop over time. Part of AttnOps.td.

def Attn_TransitionKind : I32EnumAttr<"TransitionKind",
    "what a step makes of a state", [
    I32EnumAttrCase<"Identity", 0, "identity">,
    I32EnumAttrCase<"Reset", 1, "reset">,
    I32EnumAttrCase<"Scalar", 2, "scalar">,
    I32EnumAttrCase<"Channel", 3, "channel">,
    I32EnumAttrCase<"Element", 4, "element">,
    I32EnumAttrCase<"MaxPlus", 5, "max_plus">,
    I32EnumAttrCase<"Coupled", 6, "coupled">,
    I32EnumAttrCase<"Rotation", 7, "rotation">,
    I32EnumAttrCase<"Hold", 8, "hold">,
    I32EnumAttrCase<"Nonlinear", 9, "nonlinear">]> {
  let cppNamespace = "::rapt::attn";
  let genSpecializedAttr = 0;
}

def Attn_TransitionKindParameter : EnumParameter<Attn_TransitionKind>;

def Attn_TransitionAttr : AttrDef<Attn_Dialect, "Transition"> {
  let mnemonic = "transition";
  let summary = "The form of the step of one state";
  let description = [{
    What the step of `attn.affine_scan` makes of a state S, and which values the step
    region yields for it, in this order:

    | kind | S after the step | values |
    |---|---|---|
    | `identity` | S + L(S) + W | |
    | `reset` | L(S) + W | |
    | `scalar` | d S + L(S) + W | d: f32 |
    | `channel` | diag(d) S + L(S) + W | d: row of the extent of dimension `axis` |
    | `element` | d * S + W, element by element | d: the type of S |
    | `max_plus` | max(S + d, W), element by element | d: the type of S |
    | `coupled`, `rotation` | d_0 * S + sum_p d_p * S_p + W | d_0 and one d_p for each state p of `partners`, the type of S |
    | `hold` | c ? S_p : S, of the one partner p before the step | c: i1 |
    | `nonlinear` | N | N: the type of S |

    L(S) is a sum of `rank` terms along dimension `axis`, of rows u and w of its extent that follow d, term
    by term: of a matrix u (w^T S) for axis 0 and (S w) u^T for axis 1, of a
    row u (w . S). W is the sum of `writes` outer products a b^T of a matrix,
    whose rows a and b follow next, or with `writes` -1 a value of the type of S.
    `steady`: d is the same in every step.

    A `rotation` is a pair of states (R, I) whose coefficients are those of a
    complex number: R after is a R - b I, I after is b R + a I.
  }];
  let parameters = (ins Attn_TransitionKindParameter:$kind,
    DefaultValuedParameter<"int64_t", "0">:$axis,
    DefaultValuedParameter<"int64_t", "0">:$rank,
    DefaultValuedParameter<"int64_t", "0">:$writes,
    DefaultValuedParameter<"bool", "false">:$steady,
    OptionalArrayRefParameter<"int64_t">:$partners);
  let assemblyFormat = [{
    `<` $kind (`axis` `=` $axis^)? (`rank` `=` $rank^)?
    (`writes` `=` $writes^)? (`steady` `=` $steady^)?
    (`partners` `=` `[` $partners^ `]`)? `>`
  }];
  let extraClassDeclaration = [{
    /// The types of the values that the step region yields for a state.
    ::llvm::SmallVector<::mlir::Type> getValueTypes(::mlir::Type state);
    /// What a reader calls it: "constant per head", "diagonal plus rank 1", ...
    std::string getDescription();
  }];
}

def Attn_AffineScanOp : Attn_Op<"affine_scan", [
    Pure, IsolatedFromAbove, AttrSizedOperandSegments]> {
  let summary = "A scan in normal form: transition, write, read";
  let description = [{
    Like `attn.scan`, with the body taken apart. For each b and h

        S... = initial(b, h, captures...)
        for each step j, with row = j - (N - M):
          values... = step(b, h, j, S..., keys[b,h,j,:]..., captures...)
          S'_p = transition_p(S, values of p)                 for each state p
          y... = read(b, h, row, j, S..., S'..., queries[b,h,row,:]...,
                      keys[b,h,j,:]..., captures...)
          output_p[b,h,row,:] = y_p                           if row >= 0
          S = S'
        final_p[b,h,...] = S_p

    - (C1) every operand in `queries` and `keys` has rank 4 and a static last extent.
    - (C2) `initial` has the arguments `(b, h, captures)` and yields the states, each a f32 or a static tensor of f32 of rank 1 or 2.
    - (C3) there is one transition for each state, which fits its shape.
    - (C4) `step` has the arguments `(b, h, position, states, keys, captures)` and yields the values of every transition.
    - (C5) the values of a state depend neither on it nor on its partners, unless it is nonlinear; a held copy after the step, `select(c, S_p, S)` of the states before it, counts as given.
    - (C6) `read` has the arguments `(b, h, row, position, states before, states after, queries, keys, captures)` and yields a row for each output.
    - (C7) an output has rank 4 and the extent of its row as the last one; a final state is as in `attn.scan`.
    - (C8) there is one name for each state, if there are names.

    Example:

    ```mlir
    func.func @example(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>,
                       %v: tensor<?x?x?x3xf32>,
                       %b: index, %h: index, %m: index, %n: index) -> tensor<?x?x?x3xf32> {
      %out = attn.affine_scan [#attn.transition<identity writes = 1>]
          shape(%b, %h, %m, %n) queries(%q) keys(%k, %v) {names = ["S"]}
          : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x3xf32>)
          -> tensor<?x?x?x3xf32>
      initial {
      ^bb0(%b0: i32, %h0: i32):
        %zero = arith.constant dense<0.0> : tensor<4x3xf32>
        attn.yield %zero : tensor<4x3xf32>
      } step {
      ^bb0(%b0: i32, %h0: i32, %j: i32, %S: tensor<4x3xf32>, %key: tensor<4xf32>, %value: tensor<3xf32>):
        attn.yield %key, %value : tensor<4xf32>, tensor<3xf32>
      } read {
      ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %before: tensor<4x3xf32>, %after: tensor<4x3xf32>,
           %query: tensor<4xf32>, %key: tensor<4xf32>, %value: tensor<3xf32>):
        %y = attn.vecmat %query, %after : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
        attn.yield %y : tensor<3xf32>
      }
      return %out : tensor<?x?x?x3xf32>
    }
    ```
  }];
  let arguments = (ins
    Index:$batch, Index:$heads, Index:$queryCount, Index:$keyCount,
    Variadic<AnyRankedTensor>:$queries, Variadic<AnyRankedTensor>:$keys,
    Variadic<AnyRankedTensor>:$captures,
    UnitAttr:$reverse, UnitAttr:$finals,
    TypedArrayAttrBase<Attn_TransitionAttr, "array of transitions">:$transitions,
    OptionalAttr<StrArrayAttr>:$names);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$initial, SizedRegion<1>:$step,
                        SizedRegion<1>:$read);
  let assemblyFormat = [{
    (`reverse` $reverse^)? (`finals` $finals^)? $transitions
    `shape` `(` $batch `,` $heads `,` $queryCount `,` $keyCount `)`
    `queries` `(` $queries `)` `keys` `(` $keys `)`
    (`captures` `(` $captures^ `)`)? attr-dict
    `:` functional-type(operands, results)
    `initial` $initial `step` $step `read` $read
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Leading arguments of the regions before rows and states.
    static constexpr unsigned kInitialPositions = 2; // b, h
    static constexpr unsigned kStepPositions = 3;    // b, h, position
    static constexpr unsigned kReadPositions = 4;    // b, h, row, position

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
    TransitionAttr getTransition(unsigned state) {
      return ::mlir::cast<TransitionAttr>(getTransitions()[state]);
    }
    std::string getStateName(unsigned state);
  }];
}
