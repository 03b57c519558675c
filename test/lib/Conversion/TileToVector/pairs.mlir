// RUN: rapt-opt %s --tile-to-vector="lanes=16 pairs=avx512" --canonicalize --cse | FileCheck %s
// RUN: rapt-opt %s --tile-to-vector="lanes=4 pairs=neon" --canonicalize --cse | FileCheck %s --check-prefix=NEON
// RUN: rapt-opt %s --tile-to-vector=lanes=16 --canonicalize --cse | FileCheck %s --check-prefix=NONE

// Dot products take two terms at a time. The rows of 97 features of the queries
// become 49 of words, once; the last feature meets a 0.

// CHECK-LABEL: func.func private @pairs_launch0(
// CHECK-DAG:     %[[QUERIES:.*]] = memref.alloca() {alignment = 64 : i64} : memref<49x32xf32>
// CHECK-DAG:     %[[KEYS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<4x64xf32>
// CHECK-DAG:     %[[WEIGHTS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<8x32xf32>
// CHECK-DAG:     %[[VALUES:.*]] = memref.alloca() {alignment = 64 : i64} : memref<8x32xf32>
// CHECK:         scf.for %{{.*}} = %c0 to %c96 step %c2 {
// CHECK-COUNT-2:   llvm.call_intrinsic "llvm.x86.avx512bf16.cvtne2ps2bf16.512"(%{{.*}}, %{{.*}}) : (vector<16xf32>, vector<16xf32>) -> vector<32xbf16>
// CHECK:         }
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.avx512bf16.cvtne2ps2bf16.512"(%{{.*}}, %{{.*}})

// Keys are words as they lie: 3 whole vectors of 32 and one with a feature.
// CHECK:         scf.for %[[ROW:.*]] = %c0 to %c12 step %c4
// CHECK:           scf.for %{{.*}} = %c0 to %c4 step %c1 {
// CHECK-COUNT-3:     vector.load %{{.*}} : memref<{{.*}}>, vector<32xbf16>
// CHECK:             vector.maskedload %{{.*}} into vector<32xbf16>
// CHECK:           scf.for %{{.*}} = %c0 to %c48 step %c2 iter_args(
// CHECK-COUNT-16:    llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"(%{{.*}}) : (vector<16xf32>, vector<32xbf16>, vector<32xbf16>) -> vector<16xf32>
// CHECK-NOT:         vector.fma

// Weights are rounded where they are stored, two rows of 15 at a time.
// CHECK:           arith.divui %[[ROW]], %c2
// CHECK-COUNT-4:   llvm.call_intrinsic "llvm.x86.avx512bf16.cvtne2ps2bf16.512"

// Values become words two rows at a time; the last row meets zeros.
// CHECK:         scf.for %[[STEP:.*]] = %c0 to %c14 step %c2 {
// CHECK:           vector.load %{{.*}}[%[[STEP]], %{{.*}}] : memref<{{.*}}>, vector<16xbf16>
// CHECK:           vector.interleave %{{.*}}, %{{.*}} : vector<16xbf16> -> vector<32xbf16>
// CHECK:         scf.for %{{.*}} = %c0 to %c8 step %c2 iter_args(
// CHECK-COUNT-16:  llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"

// With 128 bits features that do not fill vectors stay single terms.
// NEON-LABEL: func.func private @pairs_launch0(
// NEON:         vector.fma
// NEON:         llvm.fptrunc %{{.*}} : vector<4xf32> to vector<4xbf16>
// NEON:         llvm.call_intrinsic "llvm.aarch64.neon.bfdot.v4f32.v8bf16"(%{{.*}}) : (vector<4xf32>, vector<8xbf16>, vector<8xbf16>) -> vector<4xf32>

// NONE-NOT: call_intrinsic
tile.program @pairs {
^bb0(%q: !tile.view<bf16, 2>, %k: !tile.view<bf16, 2>, %v: !tile.view<bf16, 2>, %o: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @rows items(%c1, %c1, %c1) args(%q, %k, %v, %o) : !tile.view<bf16, 2>, !tile.view<bf16, 2>, !tile.view<bf16, 2>, !tile.view<f32, 2>
}
tile.kernel @rows plan <rows = 4, depth = 2, sweep = 1, pairs = true> {
^bb0(%x: index, %y: index, %z: index, %q: !tile.view<bf16, 2>, %k: !tile.view<bf16, 2>, %v: !tile.view<bf16, 2>, %o: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %q[%c0, %c0] in_bounds [true, true] : <bf16, 2> -> <32x97xf32>
  %b = tile.load %k[%c0, %c0] in_bounds [true, true] : <bf16, 2> -> <15x97xf32>
  %s = tile.mma rhs_transposed %a, %b : (!tile.tile<32x97xf32>, !tile.tile<15x97xf32>) -> !tile.tile<32x15xf32>
  %c = tile.load %v[%c0, %c0] in_bounds [true, true] : <bf16, 2> -> <15x32xf32>
  %r = tile.mma %s, %c : (!tile.tile<32x15xf32>, !tile.tile<15x32xf32>) -> !tile.tile<32x32xf32>
  tile.store set %r, %o[%c0, %c0] : <32x32xf32>, <f32, 2>
  tile.return
}
