// A loop with one stage copies what its next step reads once every warp is done
// with this one: before, the copies would write over what products still read.

// RUN: rapt-opt --tile-to-nv %s | FileCheck %s

// CHECK-LABEL: nv.kernel @product_launch0
// CHECK: %[[RIGHT:.*]] = nv.shared : <1, 16 by 32 of f16>
// CHECK: scf.while
// CHECK: nv.wait 0
// CHECK-NEXT: nv.barrier
// CHECK-NOT: nv.copy
// CHECK: nv.mma rhs_transposed
// CHECK-NOT: nv.copy
// CHECK: nv.barrier
// CHECK: nv.copy {{.*}} into %[[RIGHT]]
// CHECK: nv.commit
// CHECK: nv.store
tile.program @product {
^bb0(%q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %one = arith.constant 1 : index
  %keys = tile.extent %k[0] : !tile.view<f16, 2>
  tile.launch @kernel items(%one, %one, %one) args(%keys, %q, %k, %out) : index, !tile.view<f16, 2>, !tile.view<f16, 2>, !tile.view<f32, 2>
}
tile.kernel @kernel gpu <warps = 4, stages = 1> {
^bb0(%b: index, %h: index, %n: index, %keys: index, %q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %left = tile.load %q[%c0, %c0] : !tile.view<f16, 2> -> !tile.tile<64x32xf32>
  %zero = tile.splat %f0 : f32 -> !tile.tile<64x16xf32>
  %runs = tile.runs %keys step 16
  %sum = tile.for_runs %runs by 16, 16 carry(%zero) : (!tile.tile<64x16xf32>) -> (!tile.tile<64x16xf32>) full {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x16xf32>):
    tile.yield %old : !tile.tile<64x16xf32>
  } partial {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x16xf32>):
    %right = tile.load %k[%start, %c0] in_bounds [false, true] : !tile.view<f16, 2> -> !tile.tile<16x32xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x32xf32>, !tile.tile<16x32xf32>) -> !tile.tile<64x16xf32>
    tile.yield %s : !tile.tile<64x16xf32>
  }
  tile.store set %sum, %out[%c0, %c0] : !tile.tile<64x16xf32>, !tile.view<f32, 2>
  tile.return
}
