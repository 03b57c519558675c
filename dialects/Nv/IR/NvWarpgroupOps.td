// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What Hopper adds: bulk copies that signal barriers in shared memory, products
// of warpgroups that run while their threads do other things, warps with roles.

#ifndef RAPT_DIALECTS_NV_IR_NVWARPGROUPOPS
#define RAPT_DIALECTS_NV_IR_NVWARPGROUPOPS

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def Nv_OperandType : Nv_Type<"Operand", "operand"> {
  let summary = "A left operand of products, rounded and packed in pairs of columns";
  let description = "The layout is that of the fragment it was made from.";
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $rows `by` $columns `of` $elementType `>`";
  let genVerifyDecl = 1;
}

def Nv_InFlightType : Nv_Type<"InFlight", "in_flight"> {
  let summary = "A fragment that a product is still writing";
  let description = "Only `nv.mma_wait` takes it, and gives the fragment.";
  let parameters = (ins "FragmentType":$fragment);
  let assemblyFormat = "`<` $fragment `>`";
}

def Nv_BarriersType : Nv_Type<"Barriers", "barriers"> {
  let summary = "Barriers in shared memory, one for each stage";
  let parameters = (ins "int64_t":$stages);
  let assemblyFormat = "`<` $stages `>`";
  let genVerifyDecl = 1;
}

def Nv_TensorMapType : Nv_Type<"TensorMap", "tensor_map"> {
  let summary = "A tensor in global memory as the copy engine knows it";
  let description = [{
    128 bytes that the driver encodes from what lib/Support/LaunchWords.h says: boxes of some rows by 64
    columns of a tensor of the given rank, zeros outside. Of a tensor that the engine cannot read there is
    none, as `nv.has_map` says; it may not be fetched through then.
  }];
  let parameters = (ins "int64_t":$rank);
  let assemblyFormat = "`<` $rank `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Warps with roles
//===----------------------------------------------------------------------===//

def Nv_RolesOp : Nv_Op<"roles", [SingleBlock, NoTerminator, RecursiveMemoryEffects]> {
  let summary = "Two parts of a kernel that run side by side";
  let description = [{
    The warps of fragments run `consumers`, the others `producers`, each with at most so many
    registers. `active` producers' threads run, the first ones.

    - (C1) the kernel has producers, warps and producers are multiples of 4.
    - (C2) numbers of registers are multiples of 8 from 24 to 256, and all threads together have at
      most what they have when the kernel begins.
  }];
  let arguments = (ins I64Attr:$consumer_registers, I64Attr:$producer_registers, Index:$active);
  let regions = (region SizedRegion<1>:$consumers, SizedRegion<1>:$producers);
  let assemblyFormat = [{
    `consumers` `registers` $consumer_registers $consumers
    `producers` `registers` $producer_registers `active` $active $producers attr-dict
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Barriers in shared memory
//===----------------------------------------------------------------------===//

def Nv_BarriersOp : Nv_Op<"barriers", [HasParent<"KernelOp">]> {
  let summary = "Barriers whose phases end after `arrivals` arrivals";
  let description = [{
    A phase also waits for the bytes of copies that signal it. Usable by all threads after `nv.barrier`.

    - (C1) `arrivals` is positive.
  }];
  let arguments = (ins I64Attr:$arrivals);
  let results = (outs Nv_BarriersType:$barriers);
  let assemblyFormat = "`arrivals` $arrivals attr-dict `:` type($barriers)";
  let hasVerifier = 1;
}

def Nv_AwaitOp : Nv_Op<"await", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Waits for the end of a phase";
  let description = [{
    Phases of a stage are numbered from 0; `phase` is even or odd as the number is. Of a new barrier phase
    -1 is over.
  }];
  let arguments = (ins Nv_BarriersType:$barriers, Index:$stage, Index:$phase);
  let assemblyFormat = "$barriers `at` $stage `phase` $phase attr-dict `:` type($barriers)";
}

def Nv_ArriveOp : Nv_Op<"arrive", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Each warp of fragments arrives at a stage's barrier";
  let arguments = (ins Nv_BarriersType:$barriers, Index:$stage);
  let assemblyFormat = "$barriers `at` $stage attr-dict `:` type($barriers)";
}

def Nv_HasMapOp : Nv_Op<"has_map", [Pure]> {
  let summary = "Whether the copy engine can read a tensor";
  let arguments = (ins Nv_TensorMapType:$map);
  let results = (outs I1:$result);
  let assemblyFormat = "$map attr-dict `:` type($map)";
}

def Nv_FetchOp : Nv_Op<"fetch", [MemoryEffects<[MemRead, MemWrite]>, AttrSizedOperandSegments]> {
  let summary = "Producers fill a stage of a buffer with a tile of a view";
  let description = [{
    As `nv.copy`; every thread of the producers arrives at the stage's barrier once for each fetch, when what it copies is
    there. With a map the first of them has the copy engine do it, and arrives for all: the view is at the indices `outer`
    of the map's tensor. Without, all do it together, and who reads the buffer needs `nv.see_copies`.

    - (C1) the view has rank 2 and float elements, the buffer is swizzled.
    - (C2) with a map there are as many outer indices as its rank has more than 2, its boxes have the
      rows of the buffer, at most 256, and view and buffer one element type.
    - (C3) it is among the producers.
  }];
  let arguments = (ins Tile_ViewType:$view, Variadic<Index>:$offsets, Nv_BufferType:$buffer,
                       Index:$stage, Nv_BarriersType:$barriers, Optional<Nv_TensorMapType>:$map,
                       Variadic<Index>:$outer);
  let assemblyFormat = [{
    $view `[` $offsets `]` `into` $buffer `at` $stage `signals` $barriers
    (`through` $map^ `[` $outer `]`)?
    attr-dict `:` type($view) `,` type($buffer) `,` type($barriers) (`,` type($map)^)?
  }];
  let hasVerifier = 1;
}

def Nv_SeeCopiesOp : Nv_Op<"see_copies", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Products that begin after this see what threads have copied";
  let description = [{
    They read shared memory by another way than threads write it (PTX ISA 8.0, 8.2.1, proxies). The phase that says
    that the copies are there has been waited for.
  }];
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Products of warpgroups
//===----------------------------------------------------------------------===//

def Nv_PackOp : Nv_Op<"pack", [Pure]> {
  let summary = "Rounds a fragment to a left operand of products";
  let description = "- (C1) the source has both sides, f32 elements and the extents of the result.";
  let arguments = (ins Nv_FragmentType:$source);
  let results = (outs Nv_OperandType:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Nv_MmaAsyncOp : Nv_Op<"mma_async", [MemoryEffects<[MemRead, MemWrite]>, AttrSizedOperandSegments]> {
  let summary = "Begins a matrix product, accumulated in f32";
  let description = [{
    As `nv.mma`, by all warpgroups; the product is a group of its own. Buffers and the registers of its operands may not be
    written before it is waited for.

    - (C1) the operands agree in m, n and k, buffers are swizzled, all elements are of one type of 16 bits.
    - (C2) each warp has 16 rows, n is a multiple of 8 up to 256, k one of 16.
    - (C3) only `nv.mma_wait` uses the result, and something does.
  }];
  let arguments = (ins AnyType:$lhs, Optional<Index>:$lhs_stage, Nv_BufferType:$rhs,
                       Index:$rhs_stage, Optional<Nv_FragmentType>:$accumulator,
                       UnitAttr:$rhs_transposed);
  let results = (outs Nv_InFlightType:$result);
  let assemblyFormat = [{
    (`rhs_transposed` $rhs_transposed^)? $lhs (`at` $lhs_stage^)? `,` $rhs `at` $rhs_stage
    (`onto` $accumulator^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Nv_MmaWaitOp : Nv_Op<"mma_wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Waits for products but the last `pending` ones";
  let description = [{
    - (C1) the results are the fragments of the operands.
    - (C2) at most as many products are pending as began after the operands did.
  }];
  let arguments = (ins I64Attr:$pending, Variadic<Nv_InFlightType>:$products);
  let results = (outs Variadic<Nv_FragmentType>:$results);
  let assemblyFormat = "$pending `of` $products attr-dict `:` functional-type($products, $results)";
  let hasVerifier = 1;
}

#endif // RAPT_DIALECTS_NV_IR_NVWARPGROUPOPS
