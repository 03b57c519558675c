// RUN: rapt-opt %s --tile-to-vector=lanes=16 --canonicalize --cse --split-input-file | FileCheck %s
// RUN: rapt-opt %s --tile-to-vector=lanes=4 --split-input-file -o /dev/null

// A product is a loop over blocks of 4 rows, and in it one over the depth, 4
// steps at a time, that keeps the 4 rows in registers: 16 multiply-adds. The
// queries run along the lanes; the keys are read element by element where they
// lie and broadcast.

// CHECK-LABEL: func.func private @product_launch0(
// CHECK:         scf.for %[[ROW:.*]] = %c0 to %c32 step %c4 {
// CHECK:           %[[NUMBER:.*]] = arith.index_cast %[[ROW]] : index to i64
// CHECK:           %[[FIRST:.*]] = llvm.mul %[[NUMBER]], %[[STEP:.*]] : i64
// CHECK:           %[[KEYS:.*]] = llvm.getelementptr %{{.*}}[%[[FIRST]]]
// CHECK-COUNT-3:   llvm.getelementptr %{{.*}}[%[[STEP]]]
// CHECK:           %[[SUMS:.*]]:5 = scf.for %[[DEPTH:.*]] = %c0 to %c8 step %c4 iter_args(
// CHECK:             %[[K:.*]] = arith.index_cast %[[DEPTH]] : index to i64
// CHECK:             %[[PLACE:.*]] = llvm.getelementptr %[[KEYS]][%[[K]]]
// CHECK:             llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr -> vector<16xf32>
// CHECK:             %[[KEY:.*]] = llvm.load %[[PLACE]]
// CHECK:             vector.broadcast %[[KEY]] : f32 to vector<16xf32>
// CHECK-COUNT-16:    vector.fma
// CHECK-NOT:         vector.fma
// CHECK:             scf.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, !llvm.ptr
// CHECK-COUNT-4:   vector.store

// The three entries of a kernel.

// CHECK-LABEL: func.func @product_workspace(%{{.*}}: !llvm.ptr) -> i64
// CHECK-LABEL: func.func @product_plan(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64) -> i64
// CHECK-LABEL: func.func @product_run(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64, %{{.*}}: i64)
// CHECK:         call @product_launch0
// CHECK-NOT: tile.
tile.program @product {
^bb0(%q: !tile.view<f32, 2>, %k: !tile.view<f32, 2>, %o: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @rows items(%c1, %c1, %c1) args(%q, %k, %o) : !tile.view<f32, 2>, !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @rows plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %q: !tile.view<f32, 2>, %k: !tile.view<f32, 2>, %o: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %q[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %b = tile.load %k[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <32x8xf32>
  %s = tile.mma rhs_transposed %a, %b : (!tile.tile<16x8xf32>, !tile.tile<32x8xf32>) -> !tile.tile<16x32xf32>
  tile.store set %s, %o[%c0, %c0] : <16x32xf32>, <f32, 2>
  tile.return
}

// -----

// What needs only the same row of a product stands in its loop: scores, the
// mask and their maximum make one loop over the keys, whose accumulators stay
// in registers. The maximum is over rows of vectors: nothing crosses lanes.

// CHECK-LABEL: func.func private @scores_launch0(
// CHECK:         %[[MAXIMUM:.*]] = scf.for %{{.*}} = %c0 to %c32 step %c4 iter_args(%[[SO_FAR:.*]] = %{{.*}}) -> (vector<16xf32>) {
// CHECK:           scf.for %{{.*}} = %c0 to %c8 step %c4
// CHECK-COUNT-16:    vector.fma
// CHECK:             scf.yield
// CHECK-NOT:       vector.reduction
// CHECK:           arith.select
// CHECK:           scf.yield %{{.*}} : vector<16xf32>
// CHECK:         vector.maskedstore %{{.*}}, %[[MAXIMUM]]
// CHECK-NOT:     vector.reduction
// CHECK:         return
tile.program @scores {
^bb0(%q: !tile.view<f32, 2>, %k: !tile.view<f32, 2>, %o: !tile.view<f32, 1>):
  %c1 = arith.constant 1 : index
  tile.launch @rows items(%c1, %c1, %c1) args(%q, %k, %o) : !tile.view<f32, 2>, !tile.view<f32, 2>, !tile.view<f32, 1>
}
tile.kernel @rows plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %q: !tile.view<f32, 2>, %k: !tile.view<f32, 2>, %o: !tile.view<f32, 1>):
  %c0 = arith.constant 0 : index
  %lowest = arith.constant 0xFF800000 : f32
  %i = tile.positions %c0 : <16xi32>
  %j = tile.positions %c0 : <32xi32>
  %a = tile.load %q[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %b = tile.load %k[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <32x8xf32>
  %s = tile.mma rhs_transposed %a, %b : (!tile.tile<16x8xf32>, !tile.tile<32x8xf32>) -> !tile.tile<16x32xf32>
  %masked = tile.map(%i, %j, %s) dims [[0], [1], [0, 1]]
      : (!tile.tile<16xi32>, !tile.tile<32xi32>, !tile.tile<16x32xf32>) -> !tile.tile<16x32xf32> {
  ^bb0(%query: i32, %key: i32, %score: f32):
    %kept = arith.cmpi sge, %query, %key : i32
    %value = arith.select %kept, %score, %lowest : f32
    tile.yield %value : f32
  }
  %m = tile.reduce max %masked along 1 : <16x32xf32> -> <16xf32>
  tile.store set %m, %o[%c0] : <16xf32>, <f32, 1>
  tile.return
}

// -----

// A map of rows: no product, `sweep` features of 16 rows at a time. Narrow
// floats are widened when they are read and rounded when they are written; what
// lies outside the view is neither.

// CHECK-LABEL: func.func private @map_launch0(
// CHECK:         vector.maskedload %{{.*}} : memref<?x?xbf16, {{.*}}>, vector<16xi1>, vector<16xbf16> into vector<16xbf16>
// CHECK:         scf.for %{{.*}} = %c0 to %c8 step %c2
// CHECK-COUNT-2:   arith.mulf
// CHECK-NOT:       arith.mulf
// CHECK:         vector.maskedstore %{{.*}} : memref<?x?xbf16, {{.*}}>, vector<16xi1>, vector<16xbf16>
tile.program @map {
^bb0(%rows: !tile.view<bf16, 2>, %out: !tile.view<bf16, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @square items(%c1, %c1, %c1) args(%rows, %out) : !tile.view<bf16, 2>, !tile.view<bf16, 2>
}
tile.kernel @square plan <rows = 4, depth = 4, sweep = 2> {
^bb0(%x: index, %y: index, %z: index, %rows: !tile.view<bf16, 2>, %out: !tile.view<bf16, 2>):
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %first = arith.muli %z, %c16 : index
  %t = tile.load %rows[%first, %c0] in_bounds [false, true] : <bf16, 2> -> <16x8xf32>
  %s = tile.map(%t) dims [[0, 1]] : (!tile.tile<16x8xf32>) -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32):
    %p = arith.mulf %e, %e : f32
    tile.yield %p : f32
  }
  tile.store set %s, %out[%first, %c0] : <16x8xf32>, <bf16, 2>
  tile.return
}

// -----

// The runs of each block of rows are found when the call is planned, going down
// a binary tree over the columns, and the blocks with the most of them get the
// first places. A work item takes its block from there, walks the runs:
// 64 columns at a time by the full body where all pairs are kept, else, and what
// is left of such a run, 32 at a time by the partial one.

// CHECK-LABEL: func.func private @runs_launch0(
// CHECK:         %[[BLOCK:.*]] = memref.load
// CHECK:         scf.for %[[PLACE:.*]] = %{{.*}} to %{{.*}} step %c1 iter_args
// CHECK:           %[[WORD:.*]] = memref.load %{{.*}}[%[[PLACE]]] : memref<?xi64>
// CHECK:           arith.shrui %[[WORD]], %c32_i64
// CHECK:           scf.for %{{.*}} step %c64 iter_args
// CHECK:             arith.addf
// CHECK:           scf.for %{{.*}} step %c32 iter_args
// CHECK:             arith.mulf
// CHECK-LABEL: func.func @runs_plan(
// What the rows alone decide is computed before the search.
// CHECK:         %[[LOWEST:.*]] = arith.addi %{{.*}}, %c7
// CHECK:         scf.while
// CHECK:           scf.condition
// CHECK:           arith.cmpi sge, %[[LOWEST]]
// CHECK:           arith.cmpi sge, %[[LOWEST]]
// CHECK:           scf.yield
tile.program @runs {
^bb0(%rows: !tile.view<f32, 2>, %out: !tile.view<f32, 1>):
  %c1 = arith.constant 1 : index
  %n = tile.extent %rows[0] : <f32, 2>
  %blocks = arith.ceildivui %n, %c1 : index
  %table = tile.plan_runs for(%c1, %c1) rows %n step 1 columns %n step 32 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %low: index, %high: index):
    %c7 = arith.constant 7 : index
    %lowest = arith.addi %i0, %c7 : index
    %any = arith.cmpi sge, %lowest, %low : index
    %all = arith.cmpi sge, %lowest, %high : index
    tile.yield %any, %all : i1, i1
  }
  tile.launch @walk items(%c1, %c1, %blocks) order %table args(%rows, %out, %table) : !tile.view<f32, 2>, !tile.view<f32, 1>, !tile.run_table
}
tile.kernel @walk plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %rows: !tile.view<f32, 2>, %out: !tile.view<f32, 1>, %table: !tile.run_table):
  %c0 = arith.constant 0 : index
  %t = tile.load %rows[%c0, %c0] : <f32, 2> -> <16x8xf32>
  %one = tile.reduce add %t along 1 : <16x8xf32> -> <16xf32>
  %runs = tile.domain %table[%x, %y, %z]
  %sum = tile.for_runs %runs by 64, 32 carry(%one) : (!tile.tile<16xf32>) -> !tile.tile<16xf32> full {
  ^bb0(%start: index, %length: index, %so: !tile.tile<16xf32>):
    %next = tile.map(%so) dims [[0]] : (!tile.tile<16xf32>) -> !tile.tile<16xf32> {
    ^bb0(%e: f32):
      %s = arith.addf %e, %e : f32
      tile.yield %s : f32
    }
    tile.yield %next : !tile.tile<16xf32>
  } partial {
  ^bb0(%start: index, %length: index, %so: !tile.tile<16xf32>):
    %next = tile.map(%so) dims [[0]] : (!tile.tile<16xf32>) -> !tile.tile<16xf32> {
    ^bb0(%e: f32):
      %s = arith.mulf %e, %e : f32
      tile.yield %s : f32
    }
    tile.yield %next : !tile.tile<16xf32>
  }
  tile.store set %sum, %out[%c0] : <16xf32>, <f32, 1>
  tile.return
}
