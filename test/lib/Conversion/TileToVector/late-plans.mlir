// RUN: rapt-opt %s --tile-to-vector=lanes=16 --canonicalize --cse | FileCheck %s
// RUN: not rapt-opt %s --tile-to-vector="lanes=16 for-device" 2>&1 | FileCheck %s --check-prefix=DEVICE

// What is planned from the result of a kernel is a launch of its own after it,
// of one item, and the kernel that it is for comes third.

// DEVICE: error: reads what a kernel computes, expected what is known when the call is planned

// CHECK: module attributes {{.*}}rapt.launches = 3
// CHECK-LABEL: func.func private @late_launch0(
// CHECK:         vector.maskedstore

// The bounds are filled and the runs of each block are found: the twelfth takes
// what is left.

// CHECK-LABEL: func.func private @late_launch1(
// CHECK:         %[[ELEVEN:.*]] = arith.constant 11 : i64
// CHECK:         %[[LAST:.*]] = arith.addi %{{.*}}, %[[ELEVEN]]
// CHECK:         scf.while
// CHECK:           arith.cmpi eq, %{{.*}}, %[[LAST]]
// CHECK:           memref.store

// CHECK-LABEL: func.func private @late_launch2(
// CHECK-NOT:     scf.while
// CHECK:         vector.maskedstore

// The plan entry knows the number of items of each.

// CHECK-LABEL: func.func @late_plan(
// CHECK-NOT:     scf.while
// CHECK-LABEL: func.func @late_run(
// CHECK:         call @late_launch0
// CHECK:         call @late_launch1
// CHECK:         call @late_launch2
tile.program @late {
^bb0(%in: !tile.view<i32, 1>, %out: !tile.view<i32, 1>):
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %n = tile.extent %in[0] : <i32, 1>
  %blocks = arith.ceildivui %n, %c16 : index
  %ids = tile.workspace(%n) : <i32, 1>
  tile.launch @copy items(%c1, %c1, %blocks) args(%in, %ids) : !tile.view<i32, 1>, !tile.view<i32, 1>
  %bounds = tile.pyramid %ids along 0 : <i32, 1>
  %runs = tile.plan_runs for(%c1, %c1) rows %n step 16 columns %n step 16 classify {
  ^bb0(%b: index, %h: index, %r0: index, %r1: index, %k0: index, %k1: index):
    %zero = arith.constant 0 : i64
    %from = arith.index_cast %k0 : index to i64
    %to = arith.index_cast %k1 : index to i64
    %true = arith.constant true
    %least, %largest = tile.bounds %bounds[] from %from to %to ascending if %true
    %any = arith.cmpi sge, %largest, %zero : i64
    %all = arith.cmpi sge, %least, %zero : i64
    tile.yield %any, %all : i1, i1
  }
  tile.launch @count items(%c1, %c1, %blocks) order %runs args(%out, %runs) : !tile.view<i32, 1>, !tile.run_table
}
tile.kernel @copy plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<i32, 1>, %ids: !tile.view<i32, 1>):
  %c16 = arith.constant 16 : index
  %first = arith.muli %z, %c16 : index
  %a = tile.load %in[%first] in_bounds [false] : <i32, 1> -> <16xi32>
  tile.store set %a, %ids[%first] : <16xi32>, <i32, 1>
  tile.return
}
tile.kernel @count plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %out: !tile.view<i32, 1>, %table: !tile.run_table):
  %c16 = arith.constant 16 : index
  %one = arith.constant 1 : i32
  %none = arith.constant 0 : i32
  %first = arith.muli %z, %c16 : index
  %start = tile.splat %none : i32 -> <16xi32>
  %domain = tile.domain %table[%x, %y, %z]
  %sum = tile.for_runs %domain by 16, 16 carry(%start) : (!tile.tile<16xi32>) -> (!tile.tile<16xi32>) full {
  ^bb0(%k: index, %end: index, %c: !tile.tile<16xi32>):
    %more = tile.map(%c) dims [[0]] : (!tile.tile<16xi32>) -> !tile.tile<16xi32> {
    ^bb0(%e: i32):
      %s = arith.addi %e, %one : i32
      tile.yield %s : i32
    }
    tile.yield %more : !tile.tile<16xi32>
  } partial {
  ^bb0(%k: index, %end: index, %c: !tile.tile<16xi32>):
    tile.yield %c : !tile.tile<16xi32>
  }
  tile.store set %sum, %out[%first] : <16xi32>, <i32, 1>
  tile.return
}
