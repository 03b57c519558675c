// RUN: rapt-opt %s --tile-to-vector=lanes=16 --canonicalize --cse | FileCheck %s
// RUN: rapt-opt %s --tile-to-vector=lanes=4 --canonicalize --cse | FileCheck %s --check-prefix=NEON

// Keys and values of 16 bits are widened where they are multiplied: of the keys
// the 4 rows of a block, of the values 64 columns first and then the
// columns that are left. No tile is copied as a whole.

// CHECK-LABEL: func.func private @narrow_launch0(
// CHECK-DAG:     %[[KEYS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<4x96xf32>
// CHECK-DAG:     %[[VALUES:.*]] = memref.alloca() {alignment = 64 : i64} : memref<32x64xf32>
// CHECK:         scf.for %[[ROW:.*]] = %c0 to %c32 step %c4 {
// CHECK:           scf.for %[[KEY:.*]] = %c0 to %c4 step %c1 {
// CHECK:             %[[PLACE:.*]] = arith.addi %[[ROW]], %[[KEY]]
// CHECK-COUNT-6:     vector.load %{{.*}}[%[[PLACE]], %{{.*}}] : memref<{{.*}}bf16{{.*}}>, vector<16xbf16>
// CHECK:           scf.for %{{.*}} = %c0 to %c96 step %c4 iter_args(
// CHECK-COUNT-16:    vector.fma

// The last panel has 32 columns: what would lie behind them is not read.
// CHECK:         scf.for %[[PANEL:.*]] = %c0 to %c96 step %c64 {
// CHECK:           %[[LAST:.*]] = arith.minsi %{{.*}}, %c80
// CHECK:           scf.for %[[STEP:.*]] = %c0 to %c32 step %c1 {
// CHECK-COUNT-4:     vector.load %{{.*}}[%[[STEP]], %{{.*}}] : memref<{{.*}}f16{{.*}}>, vector<16xf16>
// CHECK:           %[[END:.*]] = arith.minsi %{{.*}}, %c96
// CHECK:           scf.for %[[COLUMN:.*]] = %[[PANEL]] to %[[END]] step %c4 {
// CHECK:             arith.subi %[[COLUMN]], %[[PANEL]]
// CHECK:             scf.for %{{.*}} = %c0 to %c32 step %c4 iter_args(
// CHECK-COUNT-16:      vector.fma
// CHECK-NOT:     vector.maskedload

// NEON-LABEL: func.func private @narrow_launch0(
// NEON-DAG:      memref.alloca() {alignment = 64 : i64} : memref<32x16xf32>
// NEON-COUNT-24: vector.load %{{.*}}, vector<4xbf16>
tile.program @narrow {
^bb0(%q: !tile.view<f32, 2>, %k: !tile.view<bf16, 2>, %v: !tile.view<f16, 2>, %o: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @rows items(%c1, %c1, %c1) args(%q, %k, %v, %o) : !tile.view<f32, 2>, !tile.view<bf16, 2>, !tile.view<f16, 2>, !tile.view<f32, 2>
}
tile.kernel @rows plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %q: !tile.view<f32, 2>, %k: !tile.view<bf16, 2>, %v: !tile.view<f16, 2>, %o: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %q[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x96xf32>
  %b = tile.load %k[%c0, %c0] in_bounds [true, true] : <bf16, 2> -> <32x96xf32>
  %s = tile.mma rhs_transposed %a, %b : (!tile.tile<16x96xf32>, !tile.tile<32x96xf32>) -> !tile.tile<16x32xf32>
  %c = tile.load %v[%c0, %c0] in_bounds [true, true] : <f16, 2> -> <32x96xf32>
  %r = tile.mma %s, %c : (!tile.tile<16x32xf32>, !tile.tile<32x96xf32>) -> !tile.tile<16x96xf32>
  tile.store set %r, %o[%c0, %c0] : <16x96xf32>, <f32, 2>
  tile.return
}
