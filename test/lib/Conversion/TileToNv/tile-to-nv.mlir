// Tiles become fragments, operands of products buffers; a loop over runs copies
// what its next step reads while it computes one.

// RUN: rapt-opt --tile-to-nv %s -split-input-file | FileCheck %s

// The item comes from the number of the block, the last extent fastest.
// CHECK-LABEL: nv.kernel @product_launch0 warps 4
// CHECK-SAME: {
// CHECK-NEXT: ^bb0(%[[X:.*]]: index, %[[Y:.*]]: index, %[[Z:.*]]: index, %[[KEYS:.*]]: index, %[[Q:.*]]: !tile.view<f16, 2>, %[[K:.*]]: !tile.view<f16, 2>, %[[OUT:.*]]: !tile.view<f32, 2>):
// CHECK: %[[RIGHT:.*]] = nv.shared : <2, 16 by 32 of f16>
// CHECK: %[[LEFT:.*]] = nv.shared : <1, 64 by 32 of f16>
// CHECK: %[[BLOCK:.*]] = nv.block
// CHECK: arith.remui %[[BLOCK]], %[[Z]]
// The left operand is copied once.
// CHECK: nv.copy %[[Q]][{{.*}}] into %[[LEFT]]
// CHECK: nv.commit
// The copies of the first step, if there is one.
// CHECK: scf.if
// CHECK: nv.copy %[[K]][{{.*}}] into %[[RIGHT]]
// CHECK: nv.commit
// CHECK: scf.while
// CHECK: nv.wait 0
// CHECK-NEXT: nv.barrier
// The next step's, then this one's product.
// CHECK: scf.if
// CHECK: nv.copy %[[K]][{{.*}}] into %[[RIGHT]] at %[[NEXT:.*]] :
// CHECK: nv.commit
// CHECK: scf.if
// CHECK: nv.mma rhs_transposed %[[LEFT]] at {{.*}}, %[[RIGHT]] at
// CHECK: nv.reduce add
// CHECK: } else {
// CHECK: nv.mma rhs_transposed
// CHECK: nv.store
tile.program @product {
^bb0(%q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %one = arith.constant 1 : index
  %keys = tile.extent %k[0] : !tile.view<f16, 2>
  tile.launch @kernel items(%one, %one, %one) args(%keys, %q, %k, %out) : index, !tile.view<f16, 2>, !tile.view<f16, 2>, !tile.view<f32, 2>
}
tile.kernel @kernel gpu <warps = 4, stages = 2> {
^bb0(%b: index, %h: index, %n: index, %keys: index, %q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %left = tile.load %q[%c0, %c0] : !tile.view<f16, 2> -> !tile.tile<64x32xf32>
  %zero = tile.splat %f0 : f32 -> !tile.tile<64xf32>
  %runs = tile.runs %keys step 16
  %sum = tile.for_runs %runs by 16, 16 carry(%zero) : (!tile.tile<64xf32>) -> (!tile.tile<64xf32>) full {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64xf32>):
    %right = tile.load %k[%start, %c0] in_bounds [true, true] : !tile.view<f16, 2> -> !tile.tile<16x32xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x32xf32>, !tile.tile<16x32xf32>) -> !tile.tile<64x16xf32>
    %part = tile.reduce add %s along 1 : !tile.tile<64x16xf32> -> !tile.tile<64xf32>
    %new = tile.map(%old, %part) dims [[0], [0]] : (!tile.tile<64xf32>, !tile.tile<64xf32>) -> !tile.tile<64xf32> {
    ^bb0(%a: f32, %c: f32):
      %d = arith.addf %a, %c : f32
      tile.yield %d : f32
    }
    tile.yield %new : !tile.tile<64xf32>
  } partial {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64xf32>):
    %right = tile.load %k[%start, %c0] in_bounds [false, true] : !tile.view<f16, 2> -> !tile.tile<16x32xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x32xf32>, !tile.tile<16x32xf32>) -> !tile.tile<64x16xf32>
    %part = tile.reduce add %s along 1 : !tile.tile<64x16xf32> -> !tile.tile<64xf32>
    tile.yield %part : !tile.tile<64xf32>
  }
  %wide = tile.map(%sum) dims [[0]] : (!tile.tile<64xf32>) -> !tile.tile<64x8xf32> {
  ^bb0(%a: f32):
    tile.yield %a : f32
  }
  tile.store set %wide, %out[%c0, %c0] : !tile.tile<64x8xf32>, !tile.view<f32, 2>
  tile.return
}

// -----

// Numbers that both sides use are made for each.
// CHECK-LABEL: nv.kernel @sides_launch0
// CHECK-DAG: %[[ROWS:.*]] = nv.positions {{.*}} : <16xi32, rows>
// CHECK-DAG: %[[COLUMNS:.*]] = nv.positions {{.*}} : <16xi32, columns>
// CHECK: nv.map(%[[ROWS]], %[[COLUMNS]])
tile.program @sides {
^bb0(%out: !tile.view<i32, 2>):
  %one = arith.constant 1 : index
  tile.launch @kernel items(%one, %one, %one) args(%out) : !tile.view<i32, 2>
}
tile.kernel @kernel gpu <warps = 1, stages = 1> {
^bb0(%b: index, %h: index, %n: index, %out: !tile.view<i32, 2>):
  %c0 = arith.constant 0 : index
  %p = tile.positions %c0 : !tile.tile<16xi32>
  %d = tile.map(%p, %p) dims [[0], [1]] : (!tile.tile<16xi32>, !tile.tile<16xi32>) -> !tile.tile<16x16xi32> {
  ^bb0(%i: i32, %j: i32):
    %0 = arith.subi %i, %j : i32
    tile.yield %0 : i32
  }
  tile.store set %d, %out[%c0, %c0] : !tile.tile<16x16xi32>, !tile.view<i32, 2>
  tile.return
}
