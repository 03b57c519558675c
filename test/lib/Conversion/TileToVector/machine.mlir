// RUN: rapt-opt %s --tile-to-vector="lanes=16 scale-by-powers" | FileCheck %s --check-prefix=SCALED
// RUN: rapt-opt %s --tile-to-vector="lanes=16" --canonicalize --cse | FileCheck %s --check-prefix=PLAIN
// RUN: rapt-opt %s --tile-to-vector="lanes=16 l2=65536" --canonicalize --cse | FileCheck %s --check-prefix=SMALL

// What the conversion asks of the machine: two instructions of AVX-512 for
// powers of two, and how large a second level cache is. Beyond a quarter of it
// the rows of the next run are asked for while this one is multiplied, outside
// the innermost loop: of 16 rows 4 in each of 2 blocks at each of 2 depths.

// SCALED-LABEL: func.func private @machine_launch0(
// SCALED:       llvm.call_intrinsic "llvm.x86.avx512.mask.reduce.ps.512"
// SCALED:       llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// SCALED-NOT:   arith.shli

// PLAIN-LABEL: func.func private @machine_launch0(
// PLAIN:         scf.for %{{.*}} = %c0 to %c16 step %c8
// PLAIN:           scf.for %{{.*}} = %c0 to %c16 step %c8
// PLAIN:             arith.cmpi sgt, %{{.*}}, %c4096
// PLAIN-NEXT:        scf.if
// PLAIN-COUNT-4:       memref.prefetch %{{.*}}, read, locality<2>, data
// PLAIN-NOT:           memref.prefetch
// PLAIN:             scf.for %{{.*}} step %c2
// PLAIN-NOT:     memref.prefetch
// PLAIN-NOT:     llvm.call_intrinsic
// PLAIN:         arith.shli

// SMALL:         arith.cmpi sgt, %{{.*}}, %c256
tile.program @machine {
^bb0(%q: !tile.view<f32, 2>, %k: !tile.view<f32, 2>, %o: !tile.view<f32, 1>):
  %c1 = arith.constant 1 : index
  tile.launch @kernel items(%c1, %c1, %c1) args(%q, %k, %o) : !tile.view<f32, 2>, !tile.view<f32, 2>, !tile.view<f32, 1>
}
tile.kernel @kernel plan <rows = 8, depth = 2, sweep = 1> {
^bb0(%x: index, %y: index, %z: index, %q: !tile.view<f32, 2>, %k: !tile.view<f32, 2>, %o: !tile.view<f32, 1>):
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %extent = tile.extent %k[0] : <f32, 2>
  %queries = tile.load %q[%c0, %c0] : <f32, 2> -> <16x16xf32>
  %none = tile.splat %zero : f32 -> <16xf32>
  %runs = tile.runs %extent step 16
  %sum = tile.for_runs %runs by 16, 16 carry(%none) : (!tile.tile<16xf32>) -> !tile.tile<16xf32> full {
  ^bb0(%start: index, %count: index, %old: !tile.tile<16xf32>):
    %keys = tile.load %k[%start, %c0] in_bounds [true, true] : <f32, 2> -> <16x16xf32>
    %dots = tile.mma rhs_transposed %queries, %keys : (!tile.tile<16x16xf32>, !tile.tile<16x16xf32>) -> !tile.tile<16x16xf32>
    %powers = tile.map(%dots) dims [[0, 1]] : (!tile.tile<16x16xf32>) -> !tile.tile<16x16xf32> {
    ^bb0(%e: f32):
      %power = math.exp2 %e : f32
      tile.yield %power : f32
    }
    %next = tile.reduce add %powers along 1 : <16x16xf32> -> <16xf32>
    tile.yield %next : !tile.tile<16xf32>
  } partial {
  ^bb0(%start: index, %count: index, %old: !tile.tile<16xf32>):
    tile.yield %old : !tile.tile<16xf32>
  }
  tile.store set %sum, %o[%c0] : <16xf32>, <f32, 1>
  tile.return
}
