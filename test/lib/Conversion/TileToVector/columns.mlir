// RUN: rapt-opt %s --tile-to-vector=lanes=16 --canonicalize --cse --split-input-file | FileCheck %s
// RUN: rapt-opt %s --tile-to-vector=lanes=4 --split-input-file -o /dev/null

// Columns along the lanes: a dot product of two rows of queries and each key.
// Keys are read as they lie, 4 at a time beside 2 queries, so that 8 vectors are
// accumulated; their lanes are added up by shuffles, all 8 at once (the other 8
// are zeros).

// CHECK-LABEL: func.func private @dots_launch0(
// CHECK:         scf.for %{{.*}} = %c0 to %c32 step %c4 {
// CHECK:           memref.prefetch
// CHECK:           vector.load %{{.*}} : memref<?x?xbf16{{.*}}>, vector<16xbf16>
// CHECK-COUNT-8:   vector.fma
// CHECK-NOT:       vector.fma
// CHECK-COUNT-30:  vector.shuffle %{{.*}} : vector<16xf32>, vector<16xf32>
// CHECK-COUNT-2:   vector.store %{{.*}} : memref<2x32xf32>, vector<4xf32>
// The largest of a row: halves are compared until one lane is left.
// CHECK:         vector.shuffle %{{.*}} : vector<32xf32>, vector<32xf32>
// CHECK:         vector.extract %{{.*}}[0] : f32 from vector<1xf32>
tile.program @dots {
^bb0(%q: !tile.view<f32, 2>, %k: !tile.view<bf16, 2>, %o: !tile.view<f32, 1>):
  %c1 = arith.constant 1 : index
  tile.launch @rows items(%c1, %c1, %c1) args(%q, %k, %o) : !tile.view<f32, 2>, !tile.view<bf16, 2>, !tile.view<f32, 1>
}
tile.kernel @rows plan <rows = 8, depth = 4, sweep = 1, columns = true> {
^bb0(%x: index, %y: index, %z: index, %q: !tile.view<f32, 2>, %k: !tile.view<bf16, 2>, %o: !tile.view<f32, 1>):
  %c0 = arith.constant 0 : index
  %a = tile.load %q[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <2x16xf32>
  %b = tile.load %k[%c0, %c0] in_bounds [true, true] : <bf16, 2> -> <32x16xf32>
  %s = tile.mma rhs_transposed %a, %b : (!tile.tile<2x16xf32>, !tile.tile<32x16xf32>) -> !tile.tile<2x32xf32>
  %m = tile.reduce max %s along 1 : <2x32xf32> -> <2xf32>
  tile.store set %m, %o[%c0] : <2xf32>, <f32, 1>
  tile.return
}

// -----

// Rows of bf16 that fill words of two elements are read as such: elements with
// even and odd numbers meet queries in the same order.

// CHECK-LABEL: func.func private @words_launch0(
// CHECK:         scf.for %{{.*}} = %c0 to %c2 step %c1 {
// CHECK-COUNT-2:   vector.shuffle
// CHECK:         scf.for %{{.*}} = %c0 to %c64 step %c4 {
// CHECK:           %[[BOTH:.*]] = vector.load %{{.*}} : memref<?x?xbf16{{.*}}>, vector<32xbf16>
// CHECK:           %[[WORDS:.*]] = vector.bitcast %[[BOTH]] : vector<32xbf16> to vector<16xi32>
// CHECK:           arith.shli %[[WORDS]]
// CHECK:           arith.andi %[[WORDS]]
// CHECK-COUNT-16:  vector.fma
// CHECK-NOT:       vector.fma
// CHECK-COUNT-2:   vector.store %{{.*}} : memref<2x64xf32>, vector<4xf32>
tile.program @words {
^bb0(%q: !tile.view<f32, 2>, %k: !tile.view<bf16, 2>, %o: !tile.view<f32, 1>):
  %c1 = arith.constant 1 : index
  tile.launch @rows items(%c1, %c1, %c1) args(%q, %k, %o) : !tile.view<f32, 2>, !tile.view<bf16, 2>, !tile.view<f32, 1>
}
tile.kernel @rows plan <rows = 8, depth = 4, sweep = 1, columns = true> {
^bb0(%x: index, %y: index, %z: index, %q: !tile.view<f32, 2>, %k: !tile.view<bf16, 2>, %o: !tile.view<f32, 1>):
  %c0 = arith.constant 0 : index
  %a = tile.load %q[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <2x32xf32>
  %b = tile.load %k[%c0, %c0] in_bounds [true, true] : <bf16, 2> -> <64x32xf32>
  %s = tile.mma rhs_transposed %a, %b : (!tile.tile<2x32xf32>, !tile.tile<64x32xf32>) -> !tile.tile<2x64xf32>
  %m = tile.reduce max %s along 1 : <2x64xf32> -> <2xf32>
  tile.store set %m, %o[%c0] : <2xf32>, <f32, 1>
  tile.return
}

// -----

// Weights and rows of values: each weight is broadcast, and the columns of the
// sums stay in registers. A weight of 0 is skipped in one comparison of a vector.

// CHECK-LABEL: func.func private @weighted_launch0(
// CHECK:         scf.for %{{.*}} = %c0 to %{{.*}} step %c1 iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>)
// CHECK:           %[[ALL:.*]] = vector.broadcast %{{.*}} : f32 to vector<16xf32>
// CHECK:           arith.cmpf une, %[[ALL]], %{{.*}} : vector<16xf32>
// CHECK-COUNT-2:   arith.select
tile.program @weighted {
^bb0(%q: !tile.view<f32, 2>, %v: !tile.view<f32, 2>, %o: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @rows items(%c1, %c1, %c1) args(%q, %v, %o) : !tile.view<f32, 2>, !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @rows plan <rows = 8, depth = 4, sweep = 1, columns = true> {
^bb0(%x: index, %y: index, %z: index, %q: !tile.view<f32, 2>, %v: !tile.view<f32, 2>, %o: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %p = tile.load %q[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <1x32xf32>
  %b = tile.load %v[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <32x32xf32>
  %count = tile.extent %v[0] : <f32, 2>
  %s = tile.mma skip_zeros %p, %b depth %count : (!tile.tile<1x32xf32>, !tile.tile<32x32xf32>, index) -> !tile.tile<1x32xf32>
  tile.store set %s, %o[%c0, %c0] : <1x32xf32>, <f32, 2>
  tile.return
}

// -----

// Where keys may come in any order, a step takes them from 4 places of its run,
// a quarter of the whole steps apart, and so are their positions.

// CHECK-LABEL: func.func private @places_launch0(
// CHECK:         %[[REST:.*]] = arith.remui %{{.*}}, %c16
// CHECK:         %[[WHOLE:.*]] = arith.subi %{{.*}}, %[[REST]]
// CHECK:         %[[APART:.*]] = arith.divui %[[WHOLE]], %c4
// CHECK:         scf.for %[[START:.*]] = %c0 to %[[APART]] step %c4
// CHECK:           scf.for %[[KEY:.*]] = %c0 to %c16 step %c4 {
// CHECK:             %[[OWN:.*]] = arith.divui %[[KEY]], %c4
// CHECK:             %[[FIRST:.*]] = arith.addi %[[START]], %[[OWN]]
// CHECK:             %[[OTHER:.*]] = arith.addi %[[OWN]], %[[APART]]
// CHECK:             %[[SECOND:.*]] = arith.addi %[[START]], %[[OTHER]]
// CHECK:             memref.prefetch
// CHECK:             vector.load %{{.*}}[%[[FIRST]], %c0]
// CHECK:             memref.prefetch
// CHECK:             vector.load %{{.*}}[%[[SECOND]], %c0]
// CHECK:           %[[STEPS:.*]] = arith.index_cast %[[APART]] : index to i32
// CHECK:           vector.broadcast %[[STEPS]] : i32 to vector<16xi32>
// CHECK:           arith.muli %{{.*}}, %{{.*}} : vector<16xi32>
tile.program @places {
^bb0(%q: !tile.view<f32, 2>, %k: !tile.view<f32, 2>, %o: !tile.view<f32, 1>):
  %c1 = arith.constant 1 : index
  tile.launch @rows items(%c1, %c1, %c1) args(%q, %k, %o) : !tile.view<f32, 2>, !tile.view<f32, 2>, !tile.view<f32, 1>
}
tile.kernel @rows plan <rows = 16, depth = 4, sweep = 1, columns = true> {
^bb0(%x: index, %y: index, %z: index, %q: !tile.view<f32, 2>, %k: !tile.view<f32, 2>, %o: !tile.view<f32, 1>):
  %c0 = arith.constant 0 : index
  %least = arith.constant 0xFF800000 : f32
  %a = tile.load %q[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <2x16xf32>
  %keys = tile.extent %k[0] : <f32, 2>
  %all = tile.runs %keys step 16
  %none = tile.splat %least : f32 -> <2xf32>
  %most = tile.for_runs %all by 16, 16 carry(%none) {unordered} : (!tile.tile<2xf32>) -> !tile.tile<2xf32> full {
  ^bb0(%start: index, %length: index, %old: !tile.tile<2xf32>):
    %b = tile.load %k[%start, %c0] in_bounds [true, true] : <f32, 2> -> <16x16xf32>
    %s = tile.mma rhs_transposed %a, %b : (!tile.tile<2x16xf32>, !tile.tile<16x16xf32>) -> !tile.tile<2x16xf32>
    %j = tile.positions %start : <16xi32>
    %t = tile.map(%s, %j) dims [[0, 1], [1]] : (!tile.tile<2x16xf32>, !tile.tile<16xi32>) -> !tile.tile<2x16xf32> {
    ^bb0(%e: f32, %p: i32):
      %f = arith.sitofp %p : i32 to f32
      %g = arith.addf %e, %f : f32
      tile.yield %g : f32
    }
    %m = tile.reduce max %t along 1 : <2x16xf32> -> <2xf32>
    %n = tile.map(%m, %old) dims [[0], [0]] : (!tile.tile<2xf32>, !tile.tile<2xf32>) -> !tile.tile<2xf32> {
    ^bb0(%e: f32, %f: f32):
      %g = arith.maximumf %e, %f : f32
      tile.yield %g : f32
    }
    tile.yield %n : !tile.tile<2xf32>
  } partial {
  ^bb0(%start: index, %length: index, %old: !tile.tile<2xf32>):
    tile.yield %old : !tile.tile<2xf32>
  }
  tile.store set %most, %o[%c0] : <2xf32>, <f32, 1>
  tile.return
}
