// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values that are infinite or NaN where the weight is 0. Matrix units multiply
// them all the same. A loop that finds such a sum is walked once more, with the
// products of these values apart.

#ifndef RAPT_DIALECTS_NV_IR_NVNOTFINITEOPS
#define RAPT_DIALECTS_NV_IR_NVNOTFINITEOPS

def Nv_AnyNotFiniteOp : Nv_Op<"any_not_finite", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Whether an element of the fragments is infinite or NaN";
  let description = [{
    Of all warps of fragments, which wait for each other.

    - (C1) the fragments have f32 elements.
  }];
  let arguments = (ins Variadic<Nv_FragmentType>:$sources);
  let results = (outs I1:$result);
  let assemblyFormat = "$sources attr-dict `:` type($sources)";
  let hasVerifier = 1;
}

def Nv_TakeNotFiniteOp : Nv_Op<"take_not_finite", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Takes what is infinite or NaN out of the right operand of a product";
  let description = [{
    Adds to the accumulator the products of these elements with the weights that are not 0, and leaves zeros
    in their place. All warps of fragments wait for each other.

    - (C1) the weights have the rows of the accumulator, the buffer its columns, and both one depth and one element type
      of 16 bits.
  }];
  let arguments = (ins Nv_OperandType:$weights, Nv_BufferType:$buffer, Index:$stage,
                       Nv_FragmentType:$accumulator);
  let results = (outs Nv_FragmentType:$result);
  let assemblyFormat = [{
    $weights `,` $buffer `at` $stage `onto` $accumulator attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Nv_FlagType : Nv_Type<"Flag", "flag"> {
  let summary = "A bit that consumers say to producers, time after time";
}

def Nv_FlagOp : Nv_Op<"flag", [HasParent<"KernelOp">]> {
  let summary = "Shared memory for a flag; usable by all threads after `nv.barrier`";
  let results = (outs Nv_FlagType:$flag);
  let assemblyFormat = "attr-dict";
}

def Nv_SetFlagOp : Nv_Op<"set_flag", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Says the bit, which is the same in all warps of fragments";
  let description = "May not be said again before every producer has heard it.";
  let arguments = (ins Nv_FlagType:$flag, I1:$value);
  let assemblyFormat = "$flag `,` $value attr-dict";
}

def Nv_AwaitFlagOp : Nv_Op<"await_flag", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Waits until the bit has been said `time` + 1 times";
  let arguments = (ins Nv_FlagType:$flag, Index:$time);
  let results = (outs I1:$value);
  let assemblyFormat = "$flag `time` $time attr-dict";
}

#endif // RAPT_DIALECTS_NV_IR_NVNOTFINITEOPS
