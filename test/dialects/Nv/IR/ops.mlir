// Every operation and type prints as it is read.

// RUN: rapt-opt %s | rapt-opt | FileCheck %s

// CHECK-LABEL: nv.kernel @attend warps 4
nv.kernel @attend warps 4 {
^bb0(%count: index, %q: !tile.view<bf16, 2>, %out: !tile.view<bf16, 2>, %lse: !tile.view<f32, 1>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  // CHECK: nv.shared : <1, 64 by 32 of bf16>
  %left = nv.shared : !nv.buffer<1, 64 by 32 of bf16>
  // CHECK: nv.shared : <2, 16 by 32 of bf16>
  %right = nv.shared : !nv.buffer<2, 16 by 32 of bf16>
  // CHECK: nv.block
  %block = nv.block
  // CHECK: nv.copy %{{.*}}[%{{.*}}, %{{.*}}] into %{{.*}} at %{{.*}} : <bf16, 2>, <1, 64 by 32 of bf16>
  nv.copy %q[%block, %c0] into %left at %c0 : !tile.view<bf16, 2>, !nv.buffer<1, 64 by 32 of bf16>
  // CHECK: nv.commit
  nv.commit
  // CHECK: nv.wait 0
  nv.wait 0
  // CHECK: nv.barrier
  nv.barrier
  // CHECK: nv.splat %{{.*}} : f32 -> <64x32xf32>
  %zeros = nv.splat %f0 : f32 -> !nv.fragment<64x32xf32>
  // CHECK: nv.mma rhs_transposed %{{.*}} at %{{.*}}, %{{.*}} at %{{.*}} : (!nv.buffer<1, 64 by 32 of bf16>, index, !nv.buffer<2, 16 by 32 of bf16>, index) -> !nv.fragment<64x16xf32>
  %s = nv.mma rhs_transposed %left at %c0, %right at %c0 : (!nv.buffer<1, 64 by 32 of bf16>, index, !nv.buffer<2, 16 by 32 of bf16>, index) -> !nv.fragment<64x16xf32>
  // CHECK: nv.mma %{{.*}}, %{{.*}} at %{{.*}} onto %{{.*}} : (!nv.fragment<64x16xf32>, !nv.buffer<2, 16 by 32 of bf16>, index, !nv.fragment<64x32xf32>) -> !nv.fragment<64x32xf32>
  %o = nv.mma %s, %right at %c0 onto %zeros : (!nv.fragment<64x16xf32>, !nv.buffer<2, 16 by 32 of bf16>, index, !nv.fragment<64x32xf32>) -> !nv.fragment<64x32xf32>
  // CHECK: nv.positions %{{.*}} : <16xi32, columns>
  %j = nv.positions %c0 : !nv.fragment<16xi32, columns>
  // CHECK: nv.constant dense<1.000000e+00> : tensor<16xf32> : <16xf32, columns>
  %ones = nv.constant dense<1.0> : tensor<16xf32> : !nv.fragment<16xf32, columns>
  // CHECK: nv.map(%{{.*}}, %{{.*}}) : (!nv.fragment<64x16xf32>, !nv.fragment<16xf32, columns>) -> !nv.fragment<64x16xf32>
  %p = nv.map(%s, %ones) : (!nv.fragment<64x16xf32>, !nv.fragment<16xf32, columns>) -> !nv.fragment<64x16xf32> {
  ^bb0(%a: f32, %b: f32):
    %sum = arith.addf %a, %b : f32
    tile.yield %sum : f32
  }
  // CHECK: nv.reduce max %{{.*}} : <64x16xf32> -> <64xf32, rows>
  %m = nv.reduce max %p : !nv.fragment<64x16xf32> -> !nv.fragment<64xf32, rows>
  // CHECK: nv.slice %{{.*}} from 16 : <64x32xf32> -> <64x16xf32>
  %half = nv.slice %o from 16 : !nv.fragment<64x32xf32> -> !nv.fragment<64x16xf32>
  // CHECK: nv.concat %{{.*}}, %{{.*}} : (!nv.fragment<64x16xf32>, !nv.fragment<64x16xf32>) -> !nv.fragment<64x32xf32>
  %both = nv.concat %half, %p : (!nv.fragment<64x16xf32>, !nv.fragment<64x16xf32>) -> !nv.fragment<64x32xf32>
  // CHECK: nv.load %{{.*}}[%{{.*}}, %{{.*}}] in_bounds [false, true] : <bf16, 2> -> <64x32xf32>
  %rows = nv.load %q[%c0, %c0] in_bounds [false, true] : !tile.view<bf16, 2> -> !nv.fragment<64x32xf32>
  // CHECK: nv.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}] : <64x32xf32>, <bf16, 2>
  nv.store %both, %out[%c0, %c0] : !nv.fragment<64x32xf32>, !tile.view<bf16, 2>
  nv.store %m, %lse[%c0] : !nv.fragment<64xf32, rows>, !tile.view<f32, 1>
  // CHECK: nv.return
  nv.return
}
