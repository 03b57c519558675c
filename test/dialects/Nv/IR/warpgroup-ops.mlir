// What Hopper adds, parsed and printed.

// RUN: rapt-opt %s | rapt-opt | FileCheck %s

// CHECK-LABEL: nv.kernel @roles warps 4 producers 4
// CHECK-NEXT: ^bb0(%{{.*}}: !tile.view<bf16, 3>, %{{.*}}: index, %[[MAP:.*]]: !nv.tensor_map<3>):
nv.kernel @roles warps 4 producers 4 {
^bb0(%v: !tile.view<bf16, 3>, %n: index, %map: !nv.tensor_map<3>):
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %f0 = arith.constant 0.0 : f32
  %rows = tile.window %v[%c0] : !tile.view<bf16, 3> -> !tile.view<bf16, 2>
  // CHECK: nv.shared : <2, 64 by 64 of bf16, swizzled>
  %buffer = nv.shared : !nv.buffer<2, 64 by 64 of bf16, swizzled>
  // CHECK: %[[FULL:.*]] = nv.barriers arrivals 1 : <2>
  %full = nv.barriers arrivals 1 : !nv.barriers<2>
  %empty = nv.barriers arrivals 4 : !nv.barriers<2>
  nv.barrier
  // CHECK: nv.has_map %[[MAP]] : <3>
  %has = nv.has_map %map : !nv.tensor_map<3>
  // CHECK: nv.roles consumers registers 240 {
  nv.roles consumers registers 240 {
    // CHECK: nv.await %[[FULL]] at %{{.*}} phase %{{.*}} : <2>
    nv.await %full at %c0 phase %c0 : !nv.barriers<2>
    // CHECK: nv.see_copies
    nv.see_copies
    %zeros = nv.splat %f0 : f32 -> !nv.fragment<64x64xf32>
    // CHECK: %[[S:.*]] = nv.mma_async rhs_transposed %{{.*}} at %{{.*}}, %{{.*}} at %{{.*}} : (!nv.buffer<2, 64 by 64 of bf16, swizzled>, index, !nv.buffer<2, 64 by 64 of bf16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
    %s = nv.mma_async rhs_transposed %buffer at %c0, %buffer at %c1 : (!nv.buffer<2, 64 by 64 of bf16, swizzled>, index, !nv.buffer<2, 64 by 64 of bf16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
    // CHECK: nv.pack %{{.*}} : <64x64xf32> -> <64 by 64 of bf16>
    %p = nv.pack %zeros : !nv.fragment<64x64xf32> -> !nv.operand<64 by 64 of bf16>
    // CHECK: %[[O:.*]] = nv.mma_async %{{.*}}, %{{.*}} at %{{.*}} onto %{{.*}} : (!nv.operand<64 by 64 of bf16>, !nv.buffer<2, 64 by 64 of bf16, swizzled>, index, !nv.fragment<64x64xf32>) -> !nv.in_flight<<64x64xf32>>
    %o = nv.mma_async %p, %buffer at %c0 onto %zeros : (!nv.operand<64 by 64 of bf16>, !nv.buffer<2, 64 by 64 of bf16, swizzled>, index, !nv.fragment<64x64xf32>) -> !nv.in_flight<<64x64xf32>>
    // One product may be left pending: it began after the other one.
    // CHECK: nv.mma_wait 1 of %[[S]] : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
    %scores = nv.mma_wait 1 of %s : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
    scf.if %has {
      // CHECK: nv.mma_wait 0 of %[[O]]
      %done = nv.mma_wait 0 of %o : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
    }
    // CHECK: nv.arrive %{{.*}} at %{{.*}} : <2>
    nv.arrive %empty at %c0 : !nv.barriers<2>
  // CHECK: } producers registers 56 active %{{.*}} {
  } producers registers 56 active %c1 {
    // CHECK: nv.fetch %{{.*}}[%{{.*}}, %{{.*}}] into %{{.*}} at %{{.*}} signals %[[FULL]] through %[[MAP]][%{{.*}}] : <bf16, 2>, <2, 64 by 64 of bf16, swizzled>, <2>, !nv.tensor_map<3>
    nv.fetch %rows[%c0, %c0] into %buffer at %c0 signals %full through %map[%c1] : !tile.view<bf16, 2>, !nv.buffer<2, 64 by 64 of bf16, swizzled>, !nv.barriers<2>, !nv.tensor_map<3>
    // CHECK: nv.fetch %{{.*}}[%{{.*}}, %{{.*}}] into %{{.*}} at %{{.*}} signals %[[FULL]] : <bf16, 2>, <2, 64 by 64 of bf16, swizzled>, <2>
    nv.fetch %rows[%c0, %c0] into %buffer at %c1 signals %full : !tile.view<bf16, 2>, !nv.buffer<2, 64 by 64 of bf16, swizzled>, !nv.barriers<2>
  }
  nv.return
}
