// A loop with a mask looks at its sums, and where one is not finite it is walked
// again with the values that are not finite apart.

// RUN: rapt-opt --tile-to-nv %s -split-input-file | FileCheck %s

// CHECK-LABEL: nv.kernel @generic_launch0 warps 4
// CHECK: scf.while
// CHECK-NOT: take_not_finite
// CHECK: %[[WRONG:.*]] = nv.any_not_finite %{{.*}} : !nv.fragment<64x64xf32>
// CHECK-NOT: nv.set_flag
// CHECK: %[[SUMS:.*]] = scf.if %[[WRONG]] -> (!nv.fragment<64x64xf32>) {
// CHECK: scf.while
// CHECK: %[[P:.*]] = nv.pack
// CHECK: %[[O:.*]] = nv.take_not_finite %[[P]], %[[V:.*]] at %{{.*}} onto
// CHECK: nv.mma %{{.*}}, %[[V]] at %{{.*}} onto %[[O]]
// CHECK: } else {
// CHECK: nv.store %[[SUMS]]
tile.program @generic {
^bb0(%q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %v: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %one = arith.constant 1 : index
  %keys = tile.extent %k[0] : !tile.view<f16, 2>
  tile.launch @kernel items(%one, %one, %one) args(%keys, %q, %k, %v, %out) : index, !tile.view<f16, 2>, !tile.view<f16, 2>, !tile.view<f16, 2>, !tile.view<f32, 2>
}
tile.kernel @kernel gpu <warps = 4, stages = 2> {
^bb0(%b: index, %h: index, %n: index, %keys: index, %q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %v: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %left = tile.load %q[%c0, %c0] : !tile.view<f16, 2> -> !tile.tile<64x64xf32>
  %zero = tile.splat %f0 : f32 -> !tile.tile<64x64xf32>
  %runs = tile.runs %keys step 32
  %sum = tile.for_runs %runs by 32, 32 carry(%zero) : (!tile.tile<64x64xf32>) -> (!tile.tile<64x64xf32>) full {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    %right = tile.load %k[%start, %c0] in_bounds [true, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x64xf32>, !tile.tile<32x64xf32>) -> !tile.tile<64x32xf32>
    %values = tile.load %v[%start, %c0] in_bounds [true, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %new = tile.mma %s, %values onto %old : (!tile.tile<64x32xf32>, !tile.tile<32x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    tile.yield %new : !tile.tile<64x64xf32>
  } partial {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    %right = tile.load %k[%start, %c0] in_bounds [false, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x64xf32>, !tile.tile<32x64xf32>) -> !tile.tile<64x32xf32>
    %values = tile.load %v[%start, %c0] in_bounds [false, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %new = tile.mma skip_zeros %s, %values onto %old : (!tile.tile<64x32xf32>, !tile.tile<32x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    tile.yield %new : !tile.tile<64x64xf32>
  }
  tile.store set %sum, %out[%c0, %c0] : !tile.tile<64x64xf32>, !tile.view<f32, 2>
  tile.return
}

// -----

// Producers hear whether they are to fetch all once more, and go on counting
// stages where they were.
// CHECK-LABEL: nv.kernel @roles_launch0 warps 4 producers 4
// CHECK: %[[FLAG:.*]] = nv.flag
// CHECK: nv.barrier
// CHECK: nv.roles consumers
// CHECK: scf.while
// CHECK-NOT: take_not_finite
// CHECK: %[[WRONG:.*]] = nv.any_not_finite
// CHECK-NEXT: nv.set_flag %[[FLAG]], %[[WRONG]]
// CHECK: scf.if %[[WRONG]]
// CHECK: scf.while
// CHECK: nv.mma_async rhs_transposed
// CHECK-NEXT: nv.mma_wait 0
// CHECK: nv.arrive
// CHECK: nv.await
// CHECK: %[[O:.*]] = nv.take_not_finite
// CHECK: nv.mma_async %{{.*}} onto %[[O]]
// CHECK: nv.mma_wait 0
// CHECK: nv.arrive
// CHECK: producers registers
// CHECK: nv.fetch {{.*}} through
// CHECK: scf.while
// CHECK: %[[AGAIN:.*]] = nv.await_flag %[[FLAG]] time
// CHECK-NEXT: scf.if %[[AGAIN]] {
// CHECK: scf.while
// CHECK: nv.fetch {{.*}} through
tile.program @roles {
^bb0(%q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %v: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %one = arith.constant 1 : index
  %keys = tile.extent %k[0] : !tile.view<f16, 2>
  tile.launch @kernel items(%one, %one, %one) args(%keys, %q, %k, %v, %out) : index, !tile.view<f16, 2>, !tile.view<f16, 2>, !tile.view<f16, 2>, !tile.view<f32, 2>
}
tile.kernel @kernel gpu <warps = 4, stages = 2, warpgroups = true> {
^bb0(%b: index, %h: index, %n: index, %keys: index, %q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %v: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %left = tile.load %q[%c0, %c0] : !tile.view<f16, 2> -> !tile.tile<64x64xf32>
  %zero = tile.splat %f0 : f32 -> !tile.tile<64x64xf32>
  %runs = tile.runs %keys step 32
  %sum = tile.for_runs %runs by 32, 32 carry(%zero) : (!tile.tile<64x64xf32>) -> (!tile.tile<64x64xf32>) full {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    %right = tile.load %k[%start, %c0] in_bounds [true, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x64xf32>, !tile.tile<32x64xf32>) -> !tile.tile<64x32xf32>
    %values = tile.load %v[%start, %c0] in_bounds [true, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %new = tile.mma %s, %values onto %old : (!tile.tile<64x32xf32>, !tile.tile<32x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    tile.yield %new : !tile.tile<64x64xf32>
  } partial {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    %right = tile.load %k[%start, %c0] in_bounds [false, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x64xf32>, !tile.tile<32x64xf32>) -> !tile.tile<64x32xf32>
    %values = tile.load %v[%start, %c0] in_bounds [false, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %new = tile.mma skip_zeros %s, %values onto %old : (!tile.tile<64x32xf32>, !tile.tile<32x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    tile.yield %new : !tile.tile<64x64xf32>
  }
  tile.store set %sum, %out[%c0, %c0] : !tile.tile<64x64xf32>, !tile.view<f32, 2>
  tile.return
}
