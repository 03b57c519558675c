// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tile dialect: how a mechanism is computed, as programs over tiles.

#ifndef RAPT_DIALECTS_TILE_IR_TILEOPS
#define RAPT_DIALECTS_TILE_IR_TILEOPS

include "dialects/Tile/IR/TileTypes.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Enumerations, attributes
//===----------------------------------------------------------------------===//

class Tile_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::rapt::tile";
}

def Tile_RowMap : Tile_Enum<"RowMap", "where the rows of a view lie", [
    I32EnumAttrCase<"Dense", 0, "dense">, I32EnumAttrCase<"Strided", 1, "strided">,
    I32EnumAttrCase<"Paged", 2, "paged">, I32EnumAttrCase<"Listed", 3, "listed">,
    I32EnumAttrCase<"Grouped", 4, "grouped">]>;

def Tile_Combiner : Tile_Enum<"Combiner", "an associative combination", [
    I32EnumAttrCase<"Add", 0, "add">, I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"Min", 2, "min">, I32EnumAttrCase<"Mul", 3, "mul">,
    I32EnumAttrCase<"Argmax", 4, "argmax">]>;

def Tile_StoreMode : Tile_Enum<"StoreMode", "what a store does to memory", [
    I32EnumAttrCase<"Set", 0, "set">, I32EnumAttrCase<"Add", 1, "add">]>;

def Tile_CpuPlanAttr : AttrDef<Tile_Dialect, "CpuPlan"> {
  let mnemonic = "cpu";
  let summary = "Register blocks of a kernel on a CPU";
  let description = [{
    `rows` rows of a product are accumulated in registers at a time (each row is one
    tile extent of lanes wide), the contraction is unrolled by `depth`, and loops
    without a product take `sweep` rows at a time.

    With `columns` the columns of tiles run along the lanes, not the rows of the work item: for items
    of a few rows, which would leave most lanes empty. Then `rows` vectors are accumulated at a time.

    With `pairs` products whose operands are bf16 in memory add two terms at a time, by instructions of the
    target for that: dot products. Weights that meet values there are rounded to bf16; sums are f32.
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$depth, "int64_t":$sweep,
                        DefaultValuedParameter<"bool", "false">:$columns,
                        DefaultValuedParameter<"bool", "false">:$pairs);
  let assemblyFormat = "`<` struct(params) `>`";
  let builders = [AttrBuilder<(ins "int64_t":$rows, "int64_t":$depth, "int64_t":$sweep), [{
    return $_get($_ctxt, rows, depth, sweep, /*columns=*/false, /*pairs=*/false);
  }]>, AttrBuilder<(ins "int64_t":$rows, "int64_t":$depth, "int64_t":$sweep, "bool":$columns), [{
    return $_get($_ctxt, rows, depth, sweep, columns, /*pairs=*/false);
  }]>];
}

def Tile_GpuPlanAttr : AttrDef<Tile_Dialect, "GpuPlan"> {
  let mnemonic = "gpu";
  let summary = "Warps and stages of a kernel on a GPU";
  let description = [{
    `warps` warps share the rows of a work item; tiles that a loop reads from memory are kept `stages` deep,
    so that the next one arrives while the last one is used.

    With `warpgroups` products are those of Hopper's warpgroups, which run while the weights of the next
    step are computed, and warps of their own fetch what they read.
  }];
  let parameters = (ins "int64_t":$warps, "int64_t":$stages,
                        DefaultValuedParameter<"bool", "false">:$warpgroups);
  let assemblyFormat = "`<` struct(params) `>`";
  let builders = [AttrBuilder<(ins "int64_t":$warps, "int64_t":$stages), [{
    return $_get($_ctxt, warps, stages, /*warpgroups=*/false);
  }]>];
}

def Tile_PlanAttr : AttrDef<Tile_Dialect, "Plan"> {
  let mnemonic = "plan";
  let summary = "Algorithm and tile sizes of an attn operation";
  let description = [{
    `queries` rows of queries (or of a map) make one work item, which walks the keys
    `keys` at a time. Where a mask keeps only some pairs, and where a run of keys ends, it takes
    `edge` keys at a time (0: as many as `keys`), so that few are visited in vain. Runs of keys begin
    and end at multiples of `grain` (0: of `edge`). With `in_order`
    queries and keys are taken in the order of their positions even where a mask has its pairs
    closer together in another one. `cpu` and `gpu` are passed through to the lowering for the machine.

    For few queries: with `group` the rows of an item are the queries of all heads that share their
    keys, and with `split` each item takes that many keys or a multiple, so that there are items enough; what they
    find is merged after them (0: an item takes all keys).
  }];
  let parameters = (ins "int64_t":$queries, "int64_t":$keys,
                        OptionalParameter<"CpuPlanAttr">:$cpu,
                        DefaultValuedParameter<"int64_t", "0">:$edge,
                        DefaultValuedParameter<"int64_t", "0">:$grain,
                        DefaultValuedParameter<"bool", "false">:$in_order,
                        DefaultValuedParameter<"bool", "false">:$group,
                        DefaultValuedParameter<"int64_t", "0">:$split,
                        OptionalParameter<"GpuPlanAttr">:$gpu);
  let assemblyFormat = "`<` struct(params) `>`";
  let builders = [AttrBuilder<(ins "int64_t":$queries, "int64_t":$keys, "CpuPlanAttr":$cpu,
                                   "int64_t":$edge, "int64_t":$grain, "bool":$in_order), [{
    return $_get($_ctxt, queries, keys, cpu, edge, grain, in_order, /*group=*/false, /*split=*/0,
                 GpuPlanAttr());
  }]>, AttrBuilder<(ins "int64_t":$queries, "int64_t":$keys, "CpuPlanAttr":$cpu,
                        "int64_t":$edge, "int64_t":$grain, "bool":$in_order, "bool":$group,
                        "int64_t":$split), [{
    return $_get($_ctxt, queries, keys, cpu, edge, grain, in_order, group, split, GpuPlanAttr());
  }]>];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Keys that are visited at a time where not all pairs are kept.
    int64_t getEdgeKeys() const { return getEdge() > 0 ? getEdge() : getKeys(); }
    /// What runs of keys begin and end at multiples of.
    int64_t getGrainKeys() const { return getGrain() > 0 ? getGrain() : getEdgeKeys(); }
    /// Whether the same step takes all keys, whatever their class.
    bool isOneStep() const { return getGrain() > 0 && getEdgeKeys() == getKeys(); }
  }];
}

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

def Tile_ProgramOp : Tile_Op<"program", [
    Symbol, SingleBlock, NoTerminator, IsolatedFromAbove]> {
  let summary = "A compiled spec: workspaces and launches, in order";
  let description = [{
    The region's arguments are the views of the spec's arguments, then of its results. A result
    that the caller does not want is a view of no rows.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
}

def Tile_KernelOp : Tile_Op<"kernel", [
    Symbol, SingleBlock, IsolatedFromAbove]> {
  let summary = "The work of one item of a launch";
  let description = [{
    The region's arguments are three indices of the item, then the launch's arguments.

    - (C1) the first three arguments have type index.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<Tile_CpuPlanAttr>:$plan,
                       OptionalAttr<Tile_GpuPlanAttr>:$gpu_plan);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name (`plan` $plan^)? (`gpu` $gpu_plan^)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
}

def Tile_ReturnOp : Tile_Op<"return", [Pure, Terminator, HasParent<"KernelOp">]> {
  let summary = "End of a kernel";
  let assemblyFormat = "attr-dict";
}

def Tile_LaunchOp : Tile_Op<"launch", [HasParent<"ProgramOp">, AttrSizedOperandSegments]> {
  let summary = "Runs a kernel once per item; what follows starts when all are done";
  let description = [{
    Items are the triples (x, y, z) below `items`; the last index varies fastest. With `order` it
    runs over the blocks of rows of that table, those with the most runs first; batches and heads
    are x and y.

    - (C1) `kernel` names a tile.kernel whose arguments after the three indices are `args`.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Index:$x, Index:$y, Index:$z,
                       Optional<Tile_RunTableType>:$order, Variadic<AnyType>:$args);
  let assemblyFormat = [{
    $kernel `items` `(` $x `,` $y `,` $z `)` (`order` $order^)?
    `args` `(` $args `)` attr-dict (`:` type($args)^)?
  }];
  let hasVerifier = 1;
}

def Tile_WorkspaceOp : Tile_Op<"workspace", [HasParent<"ProgramOp">]> {
  let summary = "Memory that lives from here to the end of the program, rows dense";
  let arguments = (ins Variadic<Index>:$extents);
  let results = (outs Tile_ViewType:$view);
  let assemblyFormat = "`(` $extents `)` attr-dict `:` type($view)";
}

def Tile_PlanRunsOp : Tile_Op<"plan_runs", [
    HasParent<"ProgramOp">, SingleBlock, RecursiveMemoryEffects]> {
  let summary = "Which columns each block of rows has to visit";
  let description = [{
    Cuts `rows` into blocks of `row_step` and `columns` into runs of `column_step`, for every batch
    and head. The region gets (batch, head, first row, last row, first column, last column), all
    index, and yields two i1: whether any pair of that rectangle may be kept, and whether all pairs
    are. It may be asked about any rectangle, and must answer soundly. Runs of which no pair may be kept
    are left out; a run shorter than `column_step` is never full. Attention has queries as
    rows and keys as columns; the transposed question has it the other way round.

    Where the columns of a block are known in closed form, a second region says so. It gets (batch, head,
    first row, last row, column), all index, and yields four i64 that are not below the column: the
    least column of which a pair may be kept, the least of which none is, the least of which a pair
    may be dropped, and the least of which none is; a number beyond all columns where there is no
    such column. What a column itself is follows from its own answers alone: it may be kept if the
    first is the column itself.

    Where only rows and columns of the same group meet, a third region gets (batch, head, row, column),
    all index, and yields the groups of the row and of the column, i64, the first without the column, the
    second without the row. Both ascend. The second region then gets rows of one group, the place of a column of
    that group, and the place where the group ends; that is the number to yield where there is no such column.

    With `group` an item is that many heads whose rows visit columns together: item n has the heads from
    n times `group` on, the first two regions get a head, not an item, and a column is visited if a row of
    any of its heads may keep it, and not masked if all rows of all heads do. So the row and the
    column of an item have one place for all of its heads.

    Where there is no second region a target asks about large rectangles first and splits only what is partial,
    so that its work follows the boundary of the mask, not its area. Batches and heads that the
    region does not use share their runs.

    - (C1) the region has six arguments of type index and yields (i1, i1); the second, if it is there,
      has five, or six with a third region, and yields (i64, i64, i64, i64); the third has four and yields (i64, i64).
    - (C2) `row_step` and `column_step` are positive.
    - (C3) there is no third region without a second one, nor with a `group`.
  }];
  let arguments = (ins Index:$batches, Index:$heads, Index:$rows, Index:$columns,
                       Optional<Index>:$group, I64Attr:$row_step, I64Attr:$column_step);
  let results = (outs Tile_RunTableType:$table);
  let regions = (region SizedRegion<1>:$classify, MaxSizedRegion<1>:$next,
                       MaxSizedRegion<1>:$groups);
  let assemblyFormat = [{
    `for` `(` $batches `,` $heads `)` (`group` $group^)? `rows` $rows `step` $row_step
    `columns` $columns `step` $column_step attr-dict `classify` $classify (`next` $next^)?
    (`groups` $groups^)?
  }];
  let extraClassDeclaration = [{
    /// Whether runs depend on the batch or the head: else all share theirs.
    bool usesBatch() { return usesArgument(0); }
    bool usesHead() { return usesArgument(1); }

  private:
    bool usesArgument(unsigned number);

  public:
  }];
  let hasVerifier = 1;
}

def Tile_LongestOp : Tile_Op<"longest", [HasParent<"ProgramOp">, MemoryEffects<[MemRead]>]> {
  let summary = "The most columns that any block of rows has to visit";
  let description = [{
    A last run counts as `column_step` columns even where it is shorter. A workspace whose extents
    depend on it has memory for the case that all columns are visited: fewer columns must not make
    them larger.
  }];
  let arguments = (ins Tile_RunTableType:$table);
  let results = (outs Index:$result);
  let assemblyFormat = "$table attr-dict";
}

def Tile_PyramidOp : Tile_Op<"pyramid", [HasParent<"ProgramOp">, MemoryEffects<[MemRead]>]> {
  let summary = "The least and largest elements of a view of integers along one dimension";
  let description = [{
    Made once when a call is planned, in time linear in the view, so that `tile.bounds` is cheap for
    ranges of any length.

    - (C1) `dimension` is one of the view's.
    - (C2) the view has integers or booleans as elements.
  }];
  let arguments = (ins Tile_ViewType:$view, I64Attr:$dimension);
  let results = (outs Tile_PyramidType:$pyramid);
  let assemblyFormat = "$view `along` $dimension attr-dict `:` type($view)";
  let hasVerifier = 1;
}

def Tile_TabulateOp : Tile_Op<"tabulate", [
    HasParent<"ProgramOp">, SingleBlock, RecursiveMemoryEffects]> {
  let summary = "An integer for every batch, head and position";
  let description = [{
    The region gets (batch, head, position), all index, and yields one i64. It is computed when a call
    is planned.

    - (C1) the region has three arguments of type index and yields an i64.
    - (C2) the result is a view of i64 of rank 3, or of i32 or i8, to which integers are cut.
  }];
  let arguments = (ins Index:$batches, Index:$heads, Index:$length);
  let results = (outs Tile_ViewType:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `for` `(` $batches `,` $heads `)` `length` $length attr-dict `:` type($result) $body
  }];
  let hasVerifier = 1;
}

def Tile_SortRowsOp : Tile_Op<"sort_rows", [HasParent<"ProgramOp">]> {
  let summary = "The stable ascending order of the last dimension of a view";
  let description = [{
    `ids[b, h, order[b, h, n]]` ascends in n, equal elements stay in their order. Computed when a call
    is planned, in linear time.

    - (C1) `ids` is a view of i64 or i32 of rank 3, `order` is one of i32.
  }];
  let arguments = (ins Tile_ViewType:$ids);
  let results = (outs Tile_ViewType:$order);
  let assemblyFormat = "$ids attr-dict `:` type($ids) `->` type($order)";
  let hasVerifier = 1;
}

def Tile_ListMarkedOp : Tile_Op<"list_marked", [HasParent<"ProgramOp">]> {
  let summary = "All positions, and then those that are marked once more";
  let description = [{
    For N positions of which those with `marks[b, h, n] != 0` are marked, `order` has 2 N: 0 .. N - 1,
    then the marked ones, and 0 for what is left. `count[b, h, 0]` is how many are marked. Computed
    when a call is planned.

    - (C1) `marks` is a view of i8 of rank 3, `order` and `count` are views of i32.
  }];
  let arguments = (ins Tile_ViewType:$marks);
  let results = (outs Tile_ViewType:$order, Tile_ViewType:$count);
  let assemblyFormat = "$marks attr-dict `:` type($marks) `->` type($order) `,` type($count)";
  let hasVerifier = 1;
}

def Tile_BoundsOp : Tile_Op<"bounds", [AttrSizedOperandSegments, MemoryEffects<[MemRead]>]> {
  let summary = "The least and the largest element of a range of a view";
  let description = [{
    Of the elements `first` to `last` along the pyramid's dimension; `indices` are those of the other
    dimensions. Elements outside the view are 0. Booleans are 0 and 1, unsigned elements are not
    negative. If `ascending` is 1, the range lies inside the view and its elements ascend, so that its
    ends are its bounds.

    - (C1) the pyramid is made by `tile.pyramid`, whose view has one dimension more than there are indices.
  }];
  let arguments = (ins Tile_PyramidType:$pyramid, Variadic<I64>:$indices, I64:$first, I64:$last,
                       Optional<I1>:$ascending);
  let results = (outs I64:$least, I64:$largest);
  let assemblyFormat = [{
    $pyramid `[` $indices `]` `from` $first `to` $last (`ascending` `if` $ascending^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Tile_FindOp : Tile_Op<"find", [MemoryEffects<[MemRead]>]> {
  let summary = "The first place of a part of a list whose element is not below a value";
  let description = [{
    Of the places `first` to before `end` of the line `indices` of a view whose elements ascend there; `end` if
    all are below. The places lie inside the view.

    - (C1) the view has integers as elements and one dimension more than there are indices.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<Index>:$indices, Index:$first, Index:$end, I64:$value);
  let results = (outs Index:$place);
  let assemblyFormat = [{
    $view `[` $indices `]` `from` $first `to` $end `not_below` $value attr-dict `:` type($view)
  }];
  let hasVerifier = 1;
}

def Tile_ExtentOp : Tile_Op<"extent", [Pure]> {
  let summary = "The extent of one dimension of a view";
  let description = "- (C1) `dimension` is one of the view's.";
  let arguments = (ins Tile_ViewType:$view, I64Attr:$dimension);
  let results = (outs Index:$result);
  let assemblyFormat = "$view `[` $dimension `]` attr-dict `:` type($view)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

def Tile_ForOp : Tile_Op<"for", [SingleBlock, RecursiveMemoryEffects]> {
  let summary = "A counted loop that carries tiles";
  let description = [{
    - (C1) the body has the arguments (index, carried...) and yields the carried values, whose types
      are those of the results.
  }];
  let arguments = (ins Index:$lower, Index:$upper, Index:$step, Variadic<AnyType>:$inits);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $lower `to` $upper `step` $step `carry` `(` $inits `)` attr-dict
    `:` functional-type($inits, $results) $body
  }];
  let hasVerifier = 1;
}

def Tile_RunsOp : Tile_Op<"runs", [Pure]> {
  let summary = "All of `[0, extent)` as runs of `step`";
  let description = [{
    Every run is full but a last one that is shorter than `step`.

    - (C1) `step` is positive.
  }];
  let arguments = (ins Index:$extent, I64Attr:$step);
  let results = (outs Tile_DomainType:$domain);
  let assemblyFormat = "$extent `step` $step attr-dict";
  let hasVerifier = 1;
}

def Tile_DomainOp : Tile_Op<"domain", [Pure]> {
  let summary = "The runs of one block of rows";
  let description = [{
    `block` counts blocks of the table's `row_step` rows, `batch` and `head` are those of the work item.
  }];
  let arguments = (ins Tile_RunTableType:$table, Index:$batch, Index:$head, Index:$block);
  let results = (outs Tile_DomainType:$domain);
  let assemblyFormat = "$table `[` $batch `,` $head `,` $block `]` attr-dict";
}

def Tile_WithinOp : Tile_Op<"within", [Pure]> {
  let summary = "A part of the columns that a domain has";
  let description = [{
    Columns `[first, end)` of those that the runs of the domain have together, counted from the first
    run on; each part is of the class that its run has. So all parts of one size are equally much work,
    however few columns a mask leaves.

    - (C1) the domain is one that `tile.runs` or `tile.domain` makes.
  }];
  let arguments = (ins Tile_DomainType:$domain, Index:$first, Index:$end);
  let results = (outs Tile_DomainType:$result);
  let assemblyFormat = "$domain `from` $first `to` $end attr-dict";
  let hasVerifier = 1;
}

def Tile_ForRunsOp : Tile_Op<"for_runs", [RecursiveMemoryEffects]> {
  let summary = "A loop over the runs of a domain, in ascending order";
  let description = [{
    Both bodies have the arguments (start : index, length : index, carried...) and yield the carried
    values. Runs that touch and are both full or both not are one. `full` takes `full_step` keys at a
    time of runs of which all pairs are kept; what is left of them, and all others, `partial` takes
    `partial_step` at a time, the last of a run less: `length`. What lies behind those is not its own.
    With `unordered`, `full` does not mind which keys of a run it takes at a time, as long as all that it
    derives from `start`, rows and positions, are those of the same keys.

    - (C1) bodies have the arguments (index, index, carried) and yield values of the carried types.
    - (C2) the steps are positive.
  }];
  let arguments = (ins Tile_DomainType:$domain, I64Attr:$full_step, I64Attr:$partial_step,
                       Variadic<AnyType>:$inits, UnitAttr:$unordered);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$full, SizedRegion<1>:$partial);
  let assemblyFormat = [{
    $domain `by` $full_step `,` $partial_step `carry` `(` $inits `)` attr-dict `:` functional-type($inits, $results)
    `full` $full `partial` $partial
  }];
  let hasVerifier = 1;
}

def Tile_YieldOp : Tile_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "The values of a region";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def Tile_WindowOp : Tile_Op<"window", [Pure]> {
  let summary = "The view that is left when leading dimensions are fixed";
  let description = "- (C1) the result's rank is the source's minus the number of indices.";
  let arguments = (ins Tile_ViewType:$source, Variadic<Index>:$indices);
  let results = (outs Tile_ViewType:$result);
  let assemblyFormat = "$source `[` $indices `]` attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ListRowsOp : Tile_Op<"list_rows", [Pure]> {
  let summary = "A view whose rows are those that a list names";
  let description = [{
    Row r is row `list[r]` of the source; the extent of the first dimension is that of the list. A
    number outside the source is a row outside the view. Listed rows often follow each other; paged
    ones do so for a page at most.

    - (C1) the list is a view of i32 of rank 1.
    - (C2) the result is the source's type with `rows = listed`, or `rows = paged`, of rank at least 1.
  }];
  let arguments = (ins Tile_ViewType:$source, Tile_ViewType:$list);
  let results = (outs Tile_ViewType:$result);
  let assemblyFormat = "$source `by` $list attr-dict `:` type($source) `,` type($list) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_GroupRowsOp : Tile_Op<"group_rows", [Pure]> {
  let summary = "The rows of several heads as one sequence, those at one position side by side";
  let description = [{
    The first two dimensions of the source are heads and positions. With E heads in the source, row
    r of the result is position `r / count` of head `(first + r % count) * E / of`; there are `count`
    times as many rows as positions. So the queries of all heads that share their keys make one tile.

    - (C1) the result is the source's type with one dimension less and `rows = grouped`; the source
      has at least two dimensions.
  }];
  let arguments = (ins Tile_ViewType:$source, Index:$first, Index:$count, Index:$of);
  let results = (outs Tile_ViewType:$result);
  let assemblyFormat = "$source `heads` $first `count` $count `of` $of attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_LoadOp : Tile_Op<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "A tile of a view, from the given offsets, zero outside";
  let description = [{
    Narrow floats may be widened to f32, 8 and 16 bit integers to i32. `in_bounds` has one
    entry per dimension: the program promises that the tile lies inside the view along it.

    - (C1) the view's rank, the number of offsets and the tile's rank are equal.
    - (C2) `in_bounds` has as many entries as the tile's rank.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<Index>:$offsets,
                       OptionalAttr<DenseBoolArrayAttr>:$in_bounds);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = [{
    $view `[` $offsets `]` (`in_bounds` $in_bounds^)? attr-dict
    `:` type($view) `->` type($result)
  }];
  let extraClassDeclaration = [{
    /// Whether the tile is promised to lie inside the view along `dimension`.
    bool isInBounds(unsigned dimension) {
      return getInBounds() && (*getInBounds())[dimension];
    }
  }];
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "Writes or adds a tile to a view; what lies outside is dropped";
  let description = [{
    f32 may be narrowed to the view's float type, rounding to nearest even.

    - (C1) the view's rank, the number of offsets and the tile's rank are equal.
  }];
  let arguments = (ins Tile_StoreMode:$mode, Tile_TileType:$tile, Tile_ViewType:$view,
                       Variadic<Index>:$offsets);
  let assemblyFormat = [{
    $mode $tile `,` $view `[` $offsets `]` attr-dict `:` type($tile) `,` type($view)
  }];
  let hasVerifier = 1;
}

def Tile_PrefetchOp : Tile_Op<"prefetch", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "A hint that rows of a view will be loaded or stored soon";
  let description = [{
    `rows` whole rows of a view of rank 2 from `first` on. Changes nothing but time: what is scattered in
    memory is not fetched ahead by the machine itself.

    - (C1) the view has rank 2 and `rows` is positive.
  }];
  let arguments = (ins Tile_ViewType:$view, Index:$first, I64Attr:$rows, UnitAttr:$for_store);
  let assemblyFormat = "$view `[` $first `]` `rows` $rows (`for_store` $for_store^)? attr-dict `:` type($view)";
  let hasVerifier = 1;
}

def Tile_PackOp : Tile_Op<"pack", [Pure]> {
  let summary = "The same tile in the form the plan wants for its uses; identity in meaning";
  let description = "- (C1) the result has the source's type.";
  let hasVerifier = 1;
  let arguments = (ins Tile_TileType:$source);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
}

def Tile_GatherOp : Tile_Op<"gather", [MemoryEffects<[MemRead]>]> {
  let summary = "Rows of a rank 2 view, by a tile of row numbers, zero outside";
  let description = [{
    - (C1) the view has rank 2, `rows` is a row of integers, and the result has one row for each.
  }];
  let hasVerifier = 1;
  let arguments = (ins Tile_ViewType:$view, Tile_TileType:$rows);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = "$view `[` $rows `]` attr-dict `:` type($view) `,` type($rows) `->` type($result)";
}

def Tile_ScatterOp : Tile_Op<"scatter", [MemoryEffects<[MemWrite]>]> {
  let summary = "Writes or adds rows to a rank 2 view, by a tile of row numbers";
  let description = [{
    - (C1) the view has rank 2, `rows` is a row of integers, and the tile has one row for each.
  }];
  let hasVerifier = 1;
  let arguments = (ins Tile_StoreMode:$mode, Tile_TileType:$tile, Tile_ViewType:$view,
                       Tile_TileType:$rows);
  let assemblyFormat = [{
    $mode $tile `,` $view `[` $rows `]` attr-dict `:` type($tile) `,` type($view) `,` type($rows)
  }];
}

def Tile_ReadOp : Tile_Op<"read", [MemoryEffects<[MemRead]>]> {
  let summary = "One element of a view, zero outside; also inside tile.map";
  let description = "- (C1) as many indices as the view's rank.";
  let arguments = (ins Tile_ViewType:$view, Variadic<Tile_Int>:$indices);
  let results = (outs Tile_AnyScalar:$result);
  let assemblyFormat = "$view `[` $indices `]` attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

def Tile_SplatOp : Tile_Op<"splat", [Pure]> {
  let summary = "A tile of one scalar";
  let description = "- (C1) the result has elements of the scalar's type.";
  let hasVerifier = 1;
  let arguments = (ins Tile_AnyScalar:$value);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = "$value attr-dict `:` type($value) `->` type($result)";
}

def Tile_ConstantOp : Tile_Op<"constant", [Pure]> {
  let summary = "A tile of constants";
  let description = "- (C1) `value` has the shape and the element type of the result.";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_PositionsOp : Tile_Op<"positions", [Pure]> {
  let summary = "The numbers first, first + 1, ... as a tile of rank 1";
  let description = "- (C1) the result is a tile of integers of rank 1.";
  let hasVerifier = 1;
  let arguments = (ins Index:$first);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = "$first attr-dict `:` type($result)";
}

def Tile_MapOp : Tile_Op<"map", [
    SingleBlock, RecursiveMemoryEffects]> {
  let summary = "A function of the elements of broadcast tiles";
  let description = [{
    `dims[k]` says which dimensions of the result the dimensions of operand k are; the operand is
    broadcast along the others. The region maps one element of each operand to one of each
    result with arith, math and `tile.read`; it may use scalars and views from above.

    - (C1) `dims` has one entry per operand, whose extents match those of the results.
    - (C2) all results have one shape.
    - (C3) the region has the operands' element types as arguments and yields the results' element types.
  }];
  let arguments = (ins Variadic<Tile_TileType>:$operands, ArrayAttr:$dims);
  let results = (outs Variadic<Tile_TileType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `(` $operands `)` `dims` $dims attr-dict `:` functional-type($operands, $results) $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The result dimensions that the dimensions of one operand stand for.
    ::llvm::SmallVector<int64_t> getOperandDims(unsigned operand);
    ::rapt::tile::TileType getResultTile() {
      return ::llvm::cast<TileType>(getResults().front().getType());
    }
  }];
}

def Tile_MmaOp : Tile_Op<"mma", [Pure, AttrSizedOperandSegments]> {
  let summary = "Matrix product, accumulated in f32";
  let description = [{
    result[m, n] = accumulator[m, n] + sum_k lhs[m, k] * rhs[k, n]. With `lhs_transposed` lhs is
    [k, m], with `rhs_transposed` rhs is [n, k]. With `skip_zeros` terms whose lhs element is 0 are left
    out, even where rhs is infinite or a NaN: the weight of a masked pair. With `depth` the program
    promises that lhs is 0 for all k from there on (or a NaN in a row that has others), so that these
    terms need not be computed.

    - (C1) operands have rank 2 and agree in m, n and k; the accumulator has the result's type.
  }];
  let arguments = (ins Tile_TileType:$lhs, Tile_TileType:$rhs,
                       Optional<Tile_TileType>:$accumulator, Optional<Index>:$depth,
                       UnitAttr:$lhs_transposed, UnitAttr:$rhs_transposed,
                       UnitAttr:$skip_zeros);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = [{
    (`lhs_transposed` $lhs_transposed^)? (`rhs_transposed` $rhs_transposed^)?
    (`skip_zeros` $skip_zeros^)?
    $lhs `,` $rhs (`onto` $accumulator^)? (`depth` $depth^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tile_ReduceOp : Tile_Op<"reduce", [Pure]> {
  let summary = "Combines the elements along one dimension";
  let description = [{
    `argmax` yields the smallest index of the largest element as i32.

    - (C1) the result has the source's shape without `dimension`.
    - (C2) the result has the source's element type, of `argmax` i32.
  }];
  let arguments = (ins Tile_Combiner:$kind, Tile_TileType:$source, I64Attr:$dimension);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = "$kind $source `along` $dimension attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ScanOp : Tile_Op<"scan", [Pure]> {
  let summary = "Prefix combination along one dimension";
  let description = [{
    - (C1) the result has the source's type, and `dimension` is one of its.
    - (C2) `argmax` has no scan; `exclusive` needs `add`.
  }];
  let hasVerifier = 1;
  let arguments = (ins Tile_Combiner:$kind, Tile_TileType:$source, I64Attr:$dimension,
                       UnitAttr:$exclusive);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = [{
    $kind (`exclusive` $exclusive^)? $source `along` $dimension attr-dict
    `:` type($source) `->` type($result)
  }];
}

def Tile_TransposeOp : Tile_Op<"transpose", [Pure]> {
  let summary = "A rank 2 tile with its dimensions exchanged";
  let description = "- (C1) the result's type is the source's with its extents exchanged.";
  let arguments = (ins Tile_TileType:$source);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_SliceOp : Tile_Op<"slice", [Pure]> {
  let summary = "The part of a tile from `offset` along one dimension";
  let description = "- (C1) the part lies inside the source; other extents and the element type are the source's.";
  let arguments = (ins Tile_TileType:$source, I64Attr:$dimension, I64Attr:$offset);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = [{
    $source `along` $dimension `from` $offset attr-dict `:` type($source) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_SkewOp : Tile_Op<"skew", [Pure]> {
  let summary = "A tile that is constant along its diagonals";
  let description = [{
    The source has its elements in a line, one column after the other: number n is
    `source[n mod rows, n / rows]`. `result[r, c]` is number `r - c + columns - 1`, so that what depends
    on the distance of a query and a key alone is computed once for each distance.

    - (C1) both have rank 2, as many rows and the same element type, and the source has at least `rows + columns - 1`
      elements.
  }];
  let arguments = (ins Tile_TileType:$source);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ConcatOp : Tile_Op<"concat", [Pure]> {
  let summary = "Tiles joined along one dimension";
  let description = "- (C1) extents along `dimension` add up; other extents and the element type are equal.";
  let arguments = (ins Variadic<Tile_TileType>:$sources, I64Attr:$dimension);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = [{
    $sources `along` $dimension attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tile_SolveOp : Tile_Op<"solve", [Pure]> {
  let summary = "X with (I + strictly lower part of L) X = R";
  let description = "- (C1) L is [n, n], and R and X are [n, m], of one float type.";
  let hasVerifier = 1;
  let arguments = (ins Tile_TileType:$lower, Tile_TileType:$rhs);
  let results = (outs Tile_TileType:$result);
  let assemblyFormat = "$lower `,` $rhs attr-dict `:` type($lower) `,` type($rhs) `->` type($result)";
}

def Tile_TopOp : Tile_Op<"top", [Pure]> {
  let summary = "The indices of the largest elements of every row, ascending; ties to the smaller index";
  let description = [{
    - (C1) the result is a tile of integers of the source's shape, its last extent at most the source's.
  }];
  let hasVerifier = 1;
  let arguments = (ins Tile_TileType:$source);
  let results = (outs Tile_TileType:$indices);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($indices)";
}

def Tile_SortOp : Tile_Op<"sort", [Pure]> {
  let summary = "The stable ascending order of a rank 1 tile, as indices";
  let description = "- (C1) source and result are rows of one extent, the result of integers.";
  let hasVerifier = 1;
  let arguments = (ins Tile_TileType:$source);
  let results = (outs Tile_TileType:$indices);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($indices)";
}

#endif // RAPT_DIALECTS_TILE_IR_TILEOPS
