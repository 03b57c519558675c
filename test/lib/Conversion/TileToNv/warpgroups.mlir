// With warpgroups some warps fetch what products read, and the product of the
// weights of a step runs beside the scores of the next one.

// RUN: rapt-opt --tile-to-nv %s -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: nv.kernel @attend_launch0 warps 4 producers 4
// A map for each tensor, behind the launch's own arguments.
// CHECK: ^bb0({{.*}}, %[[OUT:.*]]: !tile.view<f32, 2>, %[[QMAP:.*]]: !nv.tensor_map<3>, %[[KMAP:.*]]: !nv.tensor_map<3>, %[[VMAP:.*]]: !nv.tensor_map<3>):
// CHECK-DAG: %[[V:.*]] = nv.shared : <2, 32 by 64 of f16, swizzled>
// CHECK-NEXT: %[[K:.*]] = nv.shared : <2, 32 by 64 of f16, swizzled>
// CHECK-DAG: %[[Q:.*]] = nv.shared : <1, 64 by 64 of f16, swizzled>
// A barrier for each thread that may copy.
// CHECK: nv.barriers arrivals 128
// CHECK: nv.barrier
// CHECK: nv.roles consumers registers 240
// CHECK-NOT: nv.load
// The first step is peeled; its scores are waited for at once.
// Where threads have copied, products must be told.
// CHECK: nv.await
// CHECK: scf.if
// CHECK-NEXT: nv.see_copies
// CHECK: nv.mma_async rhs_transposed %[[Q]]
// CHECK-NEXT: nv.mma_wait 0
// CHECK: nv.arrive
// CHECK: nv.pack
// CHECK: scf.while
// Scores, then the product put off; while it runs the next weights are computed.
// CHECK: %[[S:.*]] = nv.mma_async rhs_transposed %[[Q]]
// CHECK: %[[O:.*]] = nv.mma_async %{{.*}}, %{{.*}} onto
// CHECK: nv.mma_wait 1 of %[[S]]
// CHECK: nv.arrive
// CHECK: scf.if
// CHECK: nv.map
// CHECK: nv.pack
// CHECK: nv.mma_wait 0 of %[[O]]
// CHECK: nv.arrive
// CHECK: } else {
// CHECK: nv.pack
// CHECK: nv.mma_wait 0 of %[[O]]
// The last product.
// CHECK: nv.mma_async %{{.*}}, %{{.*}} onto
// CHECK: nv.mma_wait 0
// CHECK: nv.store
// CHECK: producers registers {{[0-9]+}} active
// CHECK: nv.fetch {{.*}} into %[[Q]] {{.*}} through %[[QMAP]]
// CHECK: scf.while
// CHECK: nv.await
// CHECK: nv.fetch {{.*}} into %[[K]] {{.*}} through %[[KMAP]]
// CHECK: nv.fetch {{.*}} into %[[V]] {{.*}} through %[[VMAP]]
// Where the copy engine cannot, threads do.
// CHECK: } else {
// CHECK: nv.fetch {{.*}} into %[[Q]] {{.*}} signals %{{[0-9]+}} :
// CHECK: nv.fetch {{.*}} into %[[K]] {{.*}} signals %{{[0-9]+}} :
// CHECK-NOT: nv.map
tile.program @attend {
^bb0(%q: !tile.view<f16, 3>, %k: !tile.view<f16, 3>, %v: !tile.view<f16, 3>, %out: !tile.view<f32, 2>):
  %one = arith.constant 1 : index
  %keys = tile.extent %k[1] : !tile.view<f16, 3>
  tile.launch @kernel items(%one, %one, %one) args(%keys, %q, %k, %v, %out) : index, !tile.view<f16, 3>, !tile.view<f16, 3>, !tile.view<f16, 3>, !tile.view<f32, 2>
}
tile.kernel @kernel gpu <warps = 4, stages = 2, warpgroups = true> {
^bb0(%b: index, %h: index, %n: index, %keys: index, %q: !tile.view<f16, 3>, %k: !tile.view<f16, 3>, %v: !tile.view<f16, 3>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %qrows = tile.window %q[%b] : !tile.view<f16, 3> -> !tile.view<f16, 2>
  %krows = tile.window %k[%b] : !tile.view<f16, 3> -> !tile.view<f16, 2>
  %vrows = tile.window %v[%b] : !tile.view<f16, 3> -> !tile.view<f16, 2>
  %left = tile.load %qrows[%c0, %c0] : !tile.view<f16, 2> -> !tile.tile<64x64xf32>
  %zero = tile.splat %f0 : f32 -> !tile.tile<64x64xf32>
  %runs = tile.runs %keys step 32
  %sum = tile.for_runs %runs by 32, 32 carry(%zero) : (!tile.tile<64x64xf32>) -> (!tile.tile<64x64xf32>) full {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    %right = tile.load %krows[%start, %c0] in_bounds [true, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x64xf32>, !tile.tile<32x64xf32>) -> !tile.tile<64x32xf32>
    %p = tile.map(%s) dims [[0, 1]] : (!tile.tile<64x32xf32>) -> !tile.tile<64x32xf32> {
    ^bb0(%a: f32):
      %e = math.exp2 %a : f32
      tile.yield %e : f32
    }
    %values = tile.load %vrows[%start, %c0] in_bounds [true, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %new = tile.mma %p, %values onto %old : (!tile.tile<64x32xf32>, !tile.tile<32x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    tile.yield %new : !tile.tile<64x64xf32>
  } partial {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    %right = tile.load %krows[%start, %c0] in_bounds [false, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x64xf32>, !tile.tile<32x64xf32>) -> !tile.tile<64x32xf32>
    %values = tile.load %vrows[%start, %c0] in_bounds [false, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %new = tile.mma %s, %values onto %old : (!tile.tile<64x32xf32>, !tile.tile<32x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    tile.yield %new : !tile.tile<64x64xf32>
  }
  tile.store set %sum, %out[%c0, %c0] : !tile.tile<64x64xf32>, !tile.view<f32, 2>
  tile.return
}

// -----

// Keys that are the values too are one ring, which the weights release: after
// scores alone the producers would write over what the weights still read.
// CHECK-LABEL: nv.kernel @shared_launch0
// CHECK: nv.roles
// CHECK: nv.mma_async rhs_transposed
// CHECK-NEXT: nv.mma_wait 0
// CHECK-NOT: nv.arrive
// CHECK: nv.pack
// CHECK: scf.while
// CHECK: %[[S:.*]] = nv.mma_async rhs_transposed
// CHECK: %[[O:.*]] = nv.mma_async %{{.*}}, %{{.*}} onto
// CHECK: nv.mma_wait 1 of %[[S]]
// CHECK-NOT: nv.arrive
// CHECK: nv.mma_wait 0 of %[[O]]
// CHECK: nv.arrive
// CHECK: producers
tile.program @shared {
^bb0(%q: !tile.view<f16, 3>, %k: !tile.view<f16, 3>, %out: !tile.view<f32, 2>):
  %one = arith.constant 1 : index
  %keys = tile.extent %k[1] : !tile.view<f16, 3>
  tile.launch @kernel items(%one, %one, %one) args(%keys, %q, %k, %out) : index, !tile.view<f16, 3>, !tile.view<f16, 3>, !tile.view<f32, 2>
}
tile.kernel @kernel gpu <warps = 4, stages = 2, warpgroups = true> {
^bb0(%b: index, %h: index, %n: index, %keys: index, %q: !tile.view<f16, 3>, %k: !tile.view<f16, 3>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %qrows = tile.window %q[%b] : !tile.view<f16, 3> -> !tile.view<f16, 2>
  %krows = tile.window %k[%b] : !tile.view<f16, 3> -> !tile.view<f16, 2>
  %left = tile.load %qrows[%c0, %c0] : !tile.view<f16, 2> -> !tile.tile<64x64xf32>
  %zero = tile.splat %f0 : f32 -> !tile.tile<64x64xf32>
  %runs = tile.runs %keys step 32
  %sum = tile.for_runs %runs by 32, 32 carry(%zero) : (!tile.tile<64x64xf32>) -> (!tile.tile<64x64xf32>) full {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    %right = tile.load %krows[%start, %c0] in_bounds [true, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x64xf32>, !tile.tile<32x64xf32>) -> !tile.tile<64x32xf32>
    %p = tile.map(%s) dims [[0, 1]] : (!tile.tile<64x32xf32>) -> !tile.tile<64x32xf32> {
    ^bb0(%a: f32):
      %e = math.exp2 %a : f32
      tile.yield %e : f32
    }
    %values = tile.load %krows[%start, %c0] in_bounds [true, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %new = tile.mma %p, %values onto %old : (!tile.tile<64x32xf32>, !tile.tile<32x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    tile.yield %new : !tile.tile<64x64xf32>
  } partial {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    %right = tile.load %krows[%start, %c0] in_bounds [false, true] : !tile.view<f16, 2> -> !tile.tile<32x64xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x64xf32>, !tile.tile<32x64xf32>) -> !tile.tile<64x32xf32>
    %new = tile.mma %s, %right onto %old : (!tile.tile<64x32xf32>, !tile.tile<32x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    tile.yield %new : !tile.tile<64x64xf32>
  }
  tile.store set %sum, %out[%c0, %c0] : !tile.tile<64x64xf32>, !tile.view<f32, 2>
  tile.return
}

// -----

// An operand on the left that changes with the step has no stage to be read at.
tile.program @moving {
^bb0(%q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %one = arith.constant 1 : index
  %keys = tile.extent %k[0] : !tile.view<f16, 2>
  tile.launch @kernel items(%one, %one, %one) args(%keys, %q, %k, %out) : index, !tile.view<f16, 2>, !tile.view<f16, 2>, !tile.view<f32, 2>
}
tile.kernel @kernel gpu <warps = 4, stages = 2, warpgroups = true> {
^bb0(%b: index, %h: index, %n: index, %keys: index, %q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %zero = tile.splat %f0 : f32 -> !tile.tile<64x64xf32>
  %runs = tile.runs %keys step 64
  %sum = tile.for_runs %runs by 64, 64 carry(%zero) : (!tile.tile<64x64xf32>) -> (!tile.tile<64x64xf32>) full {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    tile.yield %old : !tile.tile<64x64xf32>
  } partial {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    %left = tile.load %q[%start, %c0] : !tile.view<f16, 2> -> !tile.tile<64x64xf32>
    %right = tile.load %k[%start, %c0] : !tile.view<f16, 2> -> !tile.tile<64x64xf32>
    // expected-error@+1 {{a product of warpgroups whose right operand is not that of a step, or whose left one is, has no lowering to NVIDIA GPUs yet}}
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    %new = tile.mma %s, %right onto %old : (!tile.tile<64x64xf32>, !tile.tile<64x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    tile.yield %new : !tile.tile<64x64xf32>
  }
  tile.store set %sum, %out[%c0, %c0] : !tile.tile<64x64xf32>, !tile.view<f32, 2>
  tile.return
}

// -----

// Listed rows have no map: threads fetch them, always.
// CHECK-LABEL: nv.kernel @listed_launch0
// CHECK: nv.await
// CHECK-NEXT: nv.see_copies
// CHECK: producers registers {{[0-9]+}} active %{{.*}} {
// CHECK-NOT: through
// CHECK: nv.fetch %{{.*}} signals %{{.*}} : <f16, 2, rows = listed>, <2, 32 by 64 of f16, swizzled>, <2>
tile.program @listed {
^bb0(%q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %list: !tile.view<i32, 1>, %out: !tile.view<f32, 2>):
  %one = arith.constant 1 : index
  %keys = tile.extent %list[0] : !tile.view<i32, 1>
  tile.launch @kernel items(%one, %one, %one) args(%keys, %q, %k, %list, %out) : index, !tile.view<f16, 2>, !tile.view<f16, 2>, !tile.view<i32, 1>, !tile.view<f32, 2>
}
tile.kernel @kernel gpu <warps = 4, stages = 2, warpgroups = true> {
^bb0(%b: index, %h: index, %n: index, %keys: index, %q: !tile.view<f16, 2>, %k: !tile.view<f16, 2>, %list: !tile.view<i32, 1>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %rows = tile.list_rows %k by %list : !tile.view<f16, 2>, !tile.view<i32, 1> -> !tile.view<f16, 2, rows = listed>
  %left = tile.load %q[%c0, %c0] : !tile.view<f16, 2> -> !tile.tile<64x64xf32>
  %zero = tile.splat %f0 : f32 -> !tile.tile<64x64xf32>
  %runs = tile.runs %keys step 32
  %sum = tile.for_runs %runs by 32, 32 carry(%zero) : (!tile.tile<64x64xf32>) -> (!tile.tile<64x64xf32>) full {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    tile.yield %old : !tile.tile<64x64xf32>
  } partial {
  ^bb0(%start: index, %length: index, %old: !tile.tile<64x64xf32>):
    %right = tile.load %rows[%start, %c0] : !tile.view<f16, 2, rows = listed> -> !tile.tile<32x64xf32>
    %s = tile.mma rhs_transposed %left, %right : (!tile.tile<64x64xf32>, !tile.tile<32x64xf32>) -> !tile.tile<64x32xf32>
    %new = tile.mma %s, %right onto %old : (!tile.tile<64x32xf32>, !tile.tile<32x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
    tile.yield %new : !tile.tile<64x64xf32>
  }
  tile.store set %sum, %out[%c0, %c0] : !tile.tile<64x64xf32>, !tile.view<f32, 2>
  tile.return
}

// -----

tile.program @alone {
^bb0(%q: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %one = arith.constant 1 : index
  tile.launch @kernel items(%one, %one, %one) args(%q, %out) : !tile.view<f16, 2>, !tile.view<f32, 2>
}
tile.kernel @kernel gpu <warps = 4, stages = 2, warpgroups = true> {
^bb0(%b: index, %h: index, %n: index, %q: !tile.view<f16, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %left = tile.load %q[%c0, %c0] : !tile.view<f16, 2> -> !tile.tile<64x64xf32>
  // expected-error@+1 {{a product of warpgroups outside of a loop has no lowering to NVIDIA GPUs yet}}
  %s = tile.mma rhs_transposed %left, %left : (!tile.tile<64x64xf32>, !tile.tile<64x64xf32>) -> !tile.tile<64x64xf32>
  tile.store set %s, %out[%c0, %c0] : !tile.tile<64x64xf32>, !tile.view<f32, 2>
  tile.return
}
