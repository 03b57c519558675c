// Values that are not finite, and what consumers say to producers about them.

// RUN: rapt-opt %s -split-input-file -verify-diagnostics | rapt-opt -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: nv.kernel @careful
nv.kernel @careful warps 4 producers 4 {
^bb0(%n: index):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %buffer = nv.shared : !nv.buffer<2, 32 by 64 of bf16, swizzled>
  // CHECK: %[[FLAG:.*]] = nv.flag
  %flag = nv.flag
  nv.barrier
  nv.roles consumers registers 240 {
    %sums = nv.splat %f0 : f32 -> !nv.fragment<64x64xf32>
    %scores = nv.splat %f0 : f32 -> !nv.fragment<64x32xf32>
    %p = nv.pack %scores : !nv.fragment<64x32xf32> -> !nv.operand<64 by 32 of bf16>
    // CHECK: %[[SUMS:.*]] = nv.take_not_finite %{{.*}}, %{{.*}} at %{{.*}} onto %{{.*}} : (!nv.operand<64 by 32 of bf16>, !nv.buffer<2, 32 by 64 of bf16, swizzled>, index, !nv.fragment<64x64xf32>) -> !nv.fragment<64x64xf32>
    %taken = nv.take_not_finite %p, %buffer at %c0 onto %sums : (!nv.operand<64 by 32 of bf16>, !nv.buffer<2, 32 by 64 of bf16, swizzled>, index, !nv.fragment<64x64xf32>) -> !nv.fragment<64x64xf32>
    // CHECK: %[[ANY:.*]] = nv.any_not_finite %[[SUMS]] : !nv.fragment<64x64xf32>
    %any = nv.any_not_finite %taken : !nv.fragment<64x64xf32>
    // CHECK: nv.set_flag %[[FLAG]], %[[ANY]]
    nv.set_flag %flag, %any
  } producers registers 56 active %c0 {
    // CHECK: nv.await_flag %[[FLAG]] time %{{.*}}
    %again = nv.await_flag %flag time %c0
  }
  nv.return
}

// -----

func.func @any_not_finite_c1(%x: !nv.fragment<64xi32, rows>) {
  // expected-error@+1 {{sources must have f32 elements}}
  %0 = nv.any_not_finite %x : !nv.fragment<64xi32, rows>
  return
}

// -----

func.func @take_not_finite_c1(%p: !nv.operand<64 by 16 of bf16>, %b: !nv.buffer<1, 32 by 64 of bf16>, %i: index, %o: !nv.fragment<64x64xf32>) {
  // expected-error@+1 {{weights, values and sums must agree}}
  %0 = nv.take_not_finite %p, %b at %i onto %o : (!nv.operand<64 by 16 of bf16>, !nv.buffer<1, 32 by 64 of bf16>, index, !nv.fragment<64x64xf32>) -> !nv.fragment<64x64xf32>
  return
}
