// RUN: rapt-opt %s --tile-to-vector=lanes=16 --canonicalize --cse --split-input-file | FileCheck %s
// RUN: rapt-opt %s --tile-to-vector=lanes=4 --split-input-file -o /dev/null

// Columns along the lanes: a dot product of two rows of queries and each key.
// Keys are read as they lie, 4 at a time beside 2 queries, so that 8 vectors are
// accumulated; lanes are added up by shuffles, 16 keys at a time.

// CHECK-LABEL: func.func private @dots_launch0(
// CHECK:         scf.for %[[BLOCK:.*]] = %c0 to %c32 step %c16 {
// CHECK:           scf.for %{{.*}} = %c0 to %c16 step %c4 {
// CHECK:             memref.prefetch
// CHECK:             vector.load %{{.*}} : memref<?x?xbf16{{.*}}>, vector<16xbf16>
// CHECK-COUNT-8:     vector.fma
// CHECK-NOT:         vector.fma
// CHECK-COUNT-8:     vector.store %{{.*}} : memref<2x16x16xf32>, vector<16xf32>
// CHECK:           scf.for
// CHECK-COUNT-16:    vector.load %{{.*}} : memref<2x16x16xf32>, vector<16xf32>
// CHECK-COUNT-30:    vector.shuffle
// CHECK-NOT:         vector.shuffle
// CHECK:             vector.store %{{.*}} : memref<2x32xf32>, vector<16xf32>
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
