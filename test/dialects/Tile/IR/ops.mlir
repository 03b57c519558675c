// RUN: rapt-opt %s | rapt-opt | FileCheck %s
// RUN: rapt-opt --mlir-print-op-generic %s | rapt-opt | FileCheck %s

// CHECK-LABEL: tile.program @attend {
// CHECK-NEXT:  ^bb0(%[[Q:.*]]: !tile.view<f32, 2>, %[[PAGES:.*]]: !tile.view<bf16, 2, rows = paged>):
tile.program @attend {
^bb0(%q: !tile.view<f32, 2>, %pages: !tile.view<bf16, 2, rows = paged>):
  %c1 = arith.constant 1 : index
  // CHECK: %[[ROWS:.*]] = tile.extent %[[Q]][0] : <f32, 2>
  %rows = tile.extent %q[0] : <f32, 2>
  // CHECK: %[[SUMS:.*]] = tile.workspace(%[[ROWS]]) : <f32, 1>
  %sums = tile.workspace(%rows) : <f32, 1>
  // CHECK: tile.launch @rows items(%[[ROWS]], %{{.*}}, %{{.*}}) args(%[[Q]], %[[SUMS]]) : !tile.view<f32, 2>, !tile.view<f32, 1>
  tile.launch @rows items(%rows, %c1, %c1) args(%q, %sums) : !tile.view<f32, 2>, !tile.view<f32, 1>
  // CHECK: tile.launch @nothing items({{.*}}) args()
  tile.launch @nothing items(%rows, %c1, %c1) args()
}

// CHECK-LABEL: tile.kernel @nothing plan <rows = 6, depth = 4, sweep = 2> {
tile.kernel @nothing plan <rows = 6, depth = 4, sweep = 2> {
^bb0(%x: index, %y: index, %z: index):
  // CHECK: tile.return
  tile.return
}

// CHECK-LABEL: tile.kernel @rows {
tile.kernel @rows {
^bb0(%x: index, %y: index, %z: index, %q: !tile.view<f32, 2>, %sums: !tile.view<f32, 1>):
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  // CHECK: tile.window %{{.*}}[%{{.*}}] : <f32, 2> -> <f32, 1>
  %row = tile.window %q[%x] : <f32, 2> -> <f32, 1>
  // CHECK: tile.load %{{.*}}[%{{.*}}] : <f32, 1> -> <8xf32>
  %t = tile.load %row[%c0] : <f32, 1> -> <8xf32>
  // CHECK: tile.load %{{.*}}[%{{.*}}, %{{.*}}] in_bounds [false, true] : <f32, 2> -> <4x8xf32>
  %block = tile.load %q[%x, %c0] in_bounds [false, true] : <f32, 2> -> <4x8xf32>
  // CHECK: tile.prefetch %{{.*}}[%{{.*}}] rows 4 : <f32, 2>
  tile.prefetch %q[%x] rows 4 : <f32, 2>
  // CHECK: tile.prefetch %{{.*}}[%{{.*}}] rows 1 for_store : <f32, 2>
  tile.prefetch %q[%x] rows 1 for_store : <f32, 2>
  // CHECK: tile.read %{{.*}}[%{{.*}}, %{{.*}}] : (!tile.view<f32, 2>, index, index) -> f32
  %element = tile.read %q[%x, %c0] : (!tile.view<f32, 2>, index, index) -> f32
  // CHECK: tile.splat %{{.*}} : f32 -> <8xf32>
  %splat = tile.splat %element : f32 -> <8xf32>
  // CHECK: tile.constant dense<[1, 0]> : tensor<2xi32> : <2xi32>
  %two = tile.constant dense<[1, 0]> : tensor<2xi32> : <2xi32>
  // CHECK: tile.positions %{{.*}} : <4xi32>
  %numbers = tile.positions %x : <4xi32>
  // CHECK: tile.gather %{{.*}}[%{{.*}}] : <f32, 2>, <2xi32> -> <2x8xf32>
  %listed = tile.gather %q[%two] : <f32, 2>, <2xi32> -> <2x8xf32>
  // CHECK: tile.scatter add %{{.*}}, %{{.*}}[%{{.*}}] : <2x8xf32>, <f32, 2>, <2xi32>
  tile.scatter add %listed, %q[%two] : <2x8xf32>, <f32, 2>, <2xi32>
  // CHECK: tile.map(%{{.*}}, %{{.*}}) dims {{\[}}[0, 1], [0]] : (!tile.tile<4x8xf32>, !tile.tile<4xi32>) -> (!tile.tile<4x8xf32>, !tile.tile<4x8xi1>) {
  // CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: i32):
  %shifted, %flags = tile.map(%block, %numbers) dims [[0, 1], [0]]
      : (!tile.tile<4x8xf32>, !tile.tile<4xi32>) -> (!tile.tile<4x8xf32>, !tile.tile<4x8xi1>) {
  ^bb0(%e: f32, %n: i32):
    %real = arith.sitofp %n : i32 to f32
    %sum = arith.addf %e, %real : f32
    %flag = arith.cmpf ogt, %sum, %e : f32
    // CHECK: tile.yield %{{.*}}, %{{.*}} : f32, i1
    tile.yield %sum, %flag : f32, i1
  }
  // CHECK: tile.transpose %{{.*}} : <4x8xf32> -> <8x4xf32>
  %turned = tile.transpose %shifted : <4x8xf32> -> <8x4xf32>
  // CHECK: tile.pack %{{.*}} : <8x4xf32> -> <8x4xf32>
  %packed = tile.pack %turned : <8x4xf32> -> <8x4xf32>
  // CHECK: tile.mma %{{.*}}, %{{.*}} : (!tile.tile<4x8xf32>, !tile.tile<8x4xf32>) -> !tile.tile<4x4xf32>
  %product = tile.mma %block, %packed : (!tile.tile<4x8xf32>, !tile.tile<8x4xf32>) -> !tile.tile<4x4xf32>
  // CHECK: tile.mma rhs_transposed %{{.*}}, %{{.*}} onto %{{.*}} :
  %more = tile.mma rhs_transposed %block, %shifted onto %product
      : (!tile.tile<4x8xf32>, !tile.tile<4x8xf32>, !tile.tile<4x4xf32>) -> !tile.tile<4x4xf32>
  // CHECK: tile.mma %{{.*}}, %{{.*}} onto %{{.*}} depth %{{.*}} :
  %short = tile.mma %block, %packed onto %product depth %c0
      : (!tile.tile<4x8xf32>, !tile.tile<8x4xf32>, !tile.tile<4x4xf32>, index) -> !tile.tile<4x4xf32>
  // CHECK: tile.mma lhs_transposed %{{.*}}, %{{.*}} :
  %wide = tile.mma lhs_transposed %block, %shifted
      : (!tile.tile<4x8xf32>, !tile.tile<4x8xf32>) -> !tile.tile<8x8xf32>
  // CHECK: tile.reduce add %{{.*}} along 1 : <4x4xf32> -> <4xf32>
  // CHECK: tile.reduce argmax %{{.*}} along 0 : <4x4xf32> -> <4xi32>
  %total = tile.reduce add %more along 1 : <4x4xf32> -> <4xf32>
  %best = tile.reduce argmax %more along 0 : <4x4xf32> -> <4xi32>
  // CHECK: tile.scan mul %{{.*}} along 0 : <4xf32> -> <4xf32>
  // CHECK: tile.scan add exclusive %{{.*}} along 0 : <4xf32> -> <4xf32>
  %scan = tile.scan mul %total along 0 : <4xf32> -> <4xf32>
  %before = tile.scan add exclusive %total along 0 : <4xf32> -> <4xf32>
  // CHECK: tile.slice %{{.*}} along 1 from 2 : <4x8xf32> -> <4x3xf32>
  %part = tile.slice %block along 1 from 2 : <4x8xf32> -> <4x3xf32>
  // CHECK: tile.skew %{{.*}} : <4x8xf32> -> <4x29xf32>
  %skewed = tile.skew %block : <4x8xf32> -> <4x29xf32>
  // CHECK: tile.concat %{{.*}}, %{{.*}} along 1 : (!tile.tile<4x3xf32>, !tile.tile<4x8xf32>) -> !tile.tile<4x11xf32>
  %joined = tile.concat %part, %block along 1 : (!tile.tile<4x3xf32>, !tile.tile<4x8xf32>) -> !tile.tile<4x11xf32>
  // CHECK: tile.solve %{{.*}}, %{{.*}} : <4x4xf32>, <4x11xf32> -> <4x11xf32>
  %solved = tile.solve %more, %joined : <4x4xf32>, <4x11xf32> -> <4x11xf32>
  // CHECK: tile.top %{{.*}} : <4x11xf32> -> <4x2xi32>
  %top = tile.top %solved : <4x11xf32> -> <4x2xi32>
  // CHECK: tile.sort %{{.*}} : <4xf32> -> <4xi32>
  %order = tile.sort %scan : <4xf32> -> <4xi32>
  // CHECK: tile.splat %{{.*}} : f32 -> <f32>
  %zero = tile.splat %element : f32 -> <f32>
  // CHECK: tile.for %{{.*}} to %{{.*}} step %{{.*}} carry(%{{.*}}) : (!tile.tile<f32>) -> !tile.tile<f32> {
  %sum = tile.for %c0 to %c8 step %c8 carry(%zero) : (!tile.tile<f32>) -> !tile.tile<f32> {
  ^bb0(%k: index, %old: !tile.tile<f32>):
    tile.yield %old : !tile.tile<f32>
  }
  // CHECK: tile.for %{{.*}} to %{{.*}} step %{{.*}} carry() : () -> () {
  tile.for %c0 to %c8 step %c8 carry() : () -> () {
  ^bb0(%k: index):
    // CHECK: tile.yield
    tile.yield
  }
  // CHECK: %[[ALL:.*]] = tile.runs %{{.*}} step 64{{$}}
  %all = tile.runs %c8 step 64
  // CHECK: tile.for_runs %[[ALL]] by 32, 32 carry(%{{.*}}) : (!tile.tile<f32>) -> !tile.tile<f32> full {
  %runs = tile.for_runs %all by 32, 32 carry(%sum) : (!tile.tile<f32>) -> !tile.tile<f32> full {
  ^bb0(%start: index, %length: index, %old: !tile.tile<f32>):
    tile.yield %old : !tile.tile<f32>
  // CHECK: } partial {
  } partial {
  ^bb0(%start: index, %length: index, %old: !tile.tile<f32>):
    tile.yield %old : !tile.tile<f32>
  }
  // CHECK: tile.store set %{{.*}}, %{{.*}}[%{{.*}}] : <4xf32>, <f32, 1>
  tile.store set %total, %sums[%x] : <4xf32>, <f32, 1>
  // CHECK: tile.store add %{{.*}}, %{{.*}}[%{{.*}}] : <4xf32>, <f32, 1>
  tile.store add %scan, %sums[%x] : <4xf32>, <f32, 1>
  tile.return
}

// Types and attributes alone.
// CHECK-LABEL: func.func private @types(
// CHECK-SAME:    !tile.tile<f32>, !tile.tile<2x3x4xi1>, !tile.view<i8, 4>, !tile.view<f16, 1, rows = strided>, !tile.view<f16, 1, rows = listed>, !tile.domain)
// CHECK-SAME:    tile.plan = #tile.plan<queries = 64, keys = 128, cpu = <rows = 4, depth = 8, sweep = 2>>
func.func private @types(!tile.tile<f32>, !tile.tile<2x3x4xi1>, !tile.view<i8, 4>, !tile.view<f16, 1, rows = strided>,
                         !tile.view<f16, 1, rows = listed>, !tile.domain)
    attributes {tile.plan = #tile.plan<queries = 64, keys = 128, cpu = <rows = 4, depth = 8, sweep = 2>>}

// CHECK-LABEL: tile.program @masked {
tile.program @masked {
^bb0(%doc: !tile.view<i32, 2>):
  %c1 = arith.constant 1 : index
  %n = tile.extent %doc[1] : <i32, 2>
  // CHECK: %[[PYRAMID:.*]] = tile.pyramid %{{.*}} along 1 : <i32, 2>
  %pyramid = tile.pyramid %doc along 1 : <i32, 2>
  // CHECK: %[[TABLE:.*]] = tile.plan_runs for(%{{.*}}, %{{.*}}) rows %{{.*}} step 16 columns %{{.*}} step 32 classify {
  // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index):
  %table = tile.plan_runs for(%c1, %c1) rows %n step 16 columns %n step 32 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    %batch = arith.index_cast %b : index to i64
    %first = arith.index_cast %j0 : index to i64
    %last = arith.index_cast %j1 : index to i64
    // CHECK: tile.bounds %[[PYRAMID]][%{{.*}}] from %{{.*}} to %{{.*}}{{$}}
    %least, %largest = tile.bounds %pyramid[%batch] from %first to %last
    %is_short = arith.cmpi eq, %first, %last : i64
    // CHECK: tile.bounds %[[PYRAMID]][%{{.*}}] from %{{.*}} to %{{.*}} ascending if %{{.*}}
    %low, %high = tile.bounds %pyramid[%batch] from %first to %last ascending if %is_short
    %any = arith.cmpi sle, %least, %last : i64
    %all = arith.cmpi sle, %high, %first : i64
    // CHECK: tile.yield %{{.*}}, %{{.*}} : i1, i1
    tile.yield %any, %all : i1, i1
  }
  // CHECK: tile.plan_runs for(%{{.*}}, %{{.*}}) rows %{{.*}} step 16 columns %{{.*}} step 32 classify {
  // CHECK: } next {
  // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index):
  %closed = tile.plan_runs for(%c1, %c1) rows %n step 16 columns %n step 32 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    %all = arith.constant true
    tile.yield %all, %all : i1, i1
  } next {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j: index):
    %column = arith.index_cast %j : index to i64
    %none = arith.constant 4611686018427387904 : i64
    // CHECK: tile.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : i64, i64, i64, i64
    tile.yield %column, %none, %none, %column : i64, i64, i64, i64
  }
  // CHECK: tile.plan_runs for(%{{.*}}, %{{.*}}) group %{{.*}} rows %{{.*}} step 16 columns %{{.*}} step 32 classify {
  %shared = tile.plan_runs for(%c1, %c1) group %n rows %n step 16 columns %n step 32 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    %any = arith.cmpi sge, %i1, %h : index
    tile.yield %any, %any : i1, i1
  }
  // CHECK: %[[IDS:.*]] = tile.tabulate for(%{{.*}}, %{{.*}}) length %{{.*}} : <i64, 3> {
  %ids = tile.tabulate for(%c1, %c1) length %n : <i64, 3> {
  ^bb0(%b: index, %h: index, %place: index):
    %id = arith.index_cast %place : index to i64
    tile.yield %id : i64
  }
  // CHECK: %[[ORDER:.*]] = tile.sort_rows %[[IDS]] : <i64, 3> -> <i32, 3>
  %order = tile.sort_rows %ids : <i64, 3> -> <i32, 3>
  %marks = tile.tabulate for(%c1, %c1) length %n : <i8, 3> {
  ^bb0(%b: index, %h: index, %place: index):
    %id = arith.index_cast %place : index to i64
    tile.yield %id : i64
  }
  // CHECK: tile.list_marked %{{.*}} : <i8, 3> -> <i32, 3>, <i32, 3>
  %all, %count = tile.list_marked %marks : <i8, 3> -> <i32, 3>, <i32, 3>
  // CHECK: tile.plan_runs for
  %sorted = tile.plan_runs for(%c1, %c1) rows %n step 16 columns %n step 32 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    %any = arith.constant true
    tile.yield %any, %any : i1, i1
  } next {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j: index, %end: index):
    %column = arith.index_cast %j : index to i64
    %none = arith.index_cast %end : index to i64
    // CHECK: tile.find %[[ORDER]][%{{.*}}, %{{.*}}] from %{{.*}} to %{{.*}} not_below %{{.*}} : <i32, 3>
    %place = tile.find %order[%b, %h] from %j to %end not_below %column : <i32, 3>
    tile.yield %column, %none, %none, %column : i64, i64, i64, i64
  // CHECK: } groups {
  } groups {
  ^bb0(%b: index, %h: index, %row: index, %column: index):
    %of_row = arith.index_cast %row : index to i64
    %of_column = arith.index_cast %column : index to i64
    // CHECK: tile.yield %{{.*}}, %{{.*}} : i64, i64
    tile.yield %of_row, %of_column : i64, i64
  }
  // CHECK: tile.launch @walk items({{.*}}) order %[[TABLE]] args(%[[TABLE]]) : !tile.run_table
  tile.launch @walk items(%c1, %c1, %c1) order %table args(%table) : !tile.run_table
}

// CHECK-LABEL: tile.kernel @walk {
tile.kernel @walk {
^bb0(%x: index, %y: index, %z: index, %table: !tile.run_table):
  // CHECK: tile.domain %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}]
  %d = tile.domain %table[%x, %y, %z]
  tile.return
}

// CHECK-LABEL: tile.kernel @listed {
tile.kernel @listed {
^bb0(%x: index, %y: index, %z: index, %rows: !tile.view<f32, 2>, %list: !tile.view<i32, 1>):
  // CHECK: tile.list_rows %{{.*}} by %{{.*}} : <f32, 2>, <i32, 1> -> <f32, 2, rows = listed>
  %listed = tile.list_rows %rows by %list : <f32, 2>, <i32, 1> -> <f32, 2, rows = listed>
  // CHECK: tile.list_rows %{{.*}} by %{{.*}} : <f32, 2>, <i32, 1> -> <f32, 2, rows = paged>
  %paged = tile.list_rows %rows by %list : <f32, 2>, <i32, 1> -> <f32, 2, rows = paged>
  tile.return
}

// CHECK-LABEL: tile.program @split {
tile.program @split {
^bb0(%x: !tile.view<f32, 4>):
  %n = tile.extent %x[2] : <f32, 4>
  %table = tile.plan_runs for(%n, %n) rows %n step 4 columns %n step 16 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    %any = arith.cmpi sge, %i1, %j0 : index
    %all = arith.cmpi sge, %i0, %j1 : index
    tile.yield %any, %all : i1, i1
  }
  // CHECK: tile.longest %{{.*}}
  %most = tile.longest %table
}

// CHECK-LABEL: tile.kernel @group plan <rows = 16, depth = 4, sweep = 1, columns = true> {
tile.kernel @group plan <rows = 16, depth = 4, sweep = 1, columns = true> {
^bb0(%x: index, %y: index, %z: index, %heads: !tile.view<f32, 3>, %table: !tile.run_table):
  // CHECK: tile.group_rows %{{.*}} heads %{{.*}} count %{{.*}} of %{{.*}} : <f32, 3> -> <f32, 2, rows = grouped>
  %rows = tile.group_rows %heads heads %x count %y of %z : <f32, 3> -> <f32, 2, rows = grouped>
  %runs = tile.domain %table[%x, %y, %z]
  // CHECK: tile.within %{{.*}} from %{{.*}} to %{{.*}}
  %part = tile.within %runs from %x to %y
  tile.return
}
