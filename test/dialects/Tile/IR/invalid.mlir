// RUN: rapt-opt %s --split-input-file --verify-diagnostics

// One case per numbered constraint, named after it.

// expected-error @+1 {{'tile.kernel' op must have three item indices as first arguments}}
tile.kernel @kernel_c1 {
^bb0(%x: index, %y: index, %q: !tile.view<f32, 1>):
  tile.return
}

// -----

// expected-error @+1 {{'tile.kernel' op must end with tile.return}}
tile.kernel @kernel_end {
^bb0(%x: index, %y: index, %z: index):
  tile.yield
}

// -----

tile.program @launch_c1_name {
^bb0(%q: !tile.view<f32, 1>):
  %n = tile.extent %q[0] : <f32, 1>
  // expected-error @+1 {{'tile.launch' op names no tile.kernel: absent}}
  tile.launch @absent items(%n, %n, %n) args(%q) : !tile.view<f32, 1>
}

// -----

tile.program @launch_c1_arguments {
^bb0(%q: !tile.view<f32, 1>):
  %n = tile.extent %q[0] : <f32, 1>
  // expected-error @+1 {{'tile.launch' op arguments do not match those of the kernel}}
  tile.launch @nothing items(%n, %n, %n) args(%q) : !tile.view<f32, 1>
}
// expected-note @+1 {{kernel defined here}}
tile.kernel @nothing {
^bb0(%x: index, %y: index, %z: index):
  tile.return
}

// -----

func.func @extent_c1(%v: !tile.view<f32, 1>) {
  // expected-error @+1 {{'tile.extent' op dimension 1 of a view of rank 1}}
  %0 = tile.extent %v[1] : <f32, 1>
  return
}

// -----

func.func @for_c1_arguments(%n: index, %x: !tile.tile<f32>) {
  // expected-error @+1 {{'tile.for' op body must have arguments ('index', '!tile.tile<f32>'), got ('index')}}
  %0 = tile.for %n to %n step %n carry(%x) : (!tile.tile<f32>) -> !tile.tile<f32> {
  ^bb0(%k: index):
    tile.yield %x : !tile.tile<f32>
  }
  return
}

// -----

func.func @for_c1_yield(%n: index, %x: !tile.tile<f32>) {
  // expected-error @+1 {{'tile.for' op body must yield ('!tile.tile<f32>'), got ()}}
  %0 = tile.for %n to %n step %n carry(%x) : (!tile.tile<f32>) -> !tile.tile<f32> {
  ^bb0(%k: index, %old: !tile.tile<f32>):
    tile.yield
  }
  return
}

// -----

func.func @for_c1_results(%n: index, %x: !tile.tile<f32>) {
  // expected-error @+1 {{'tile.for' op results must have the types of the carried values}}
  %0 = tile.for %n to %n step %n carry(%x) : (!tile.tile<f32>) -> !tile.tile<i32> {
  ^bb0(%k: index, %old: !tile.tile<f32>):
    tile.yield %old : !tile.tile<f32>
  }
  return
}

// -----

func.func @runs_c1(%n: index) {
  // expected-error @+1 {{'tile.runs' op step must be positive, got 0}}
  %0 = tile.runs %n step 0
  return
}

// -----

tile.program @plan_runs_c1_arguments {
^bb0(%q: !tile.view<f32, 1>):
  %n = tile.extent %q[0] : <f32, 1>
  // expected-error @+1 {{'tile.plan_runs' op classify must have arguments ('index', 'index', 'index', 'index', 'index', 'index'), got ('index')}}
  %0 = tile.plan_runs for(%n, %n) rows %n step 4 columns %n step 4 classify {
  ^bb0(%a: index):
    %t = arith.constant true
    tile.yield %t, %t : i1, i1
  }
}

// -----

tile.program @plan_runs_c1_yield {
^bb0(%q: !tile.view<f32, 1>):
  %n = tile.extent %q[0] : <f32, 1>
  // expected-error @+1 {{'tile.plan_runs' op classify must yield ('i1', 'i1'), got ('index')}}
  %0 = tile.plan_runs for(%n, %n) rows %n step 4 columns %n step 4 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    tile.yield %b : index
  }
}

// -----

tile.program @plan_runs_c1_next {
^bb0(%q: !tile.view<f32, 1>):
  %n = tile.extent %q[0] : <f32, 1>
  // expected-error @+1 {{'tile.plan_runs' op next must yield ('i64', 'i64', 'i64', 'i64'), got ('i64', 'i64')}}
  %0 = tile.plan_runs for(%n, %n) rows %n step 4 columns %n step 4 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    %t = arith.constant true
    tile.yield %t, %t : i1, i1
  } next {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j: index):
    %column = arith.index_cast %j : index to i64
    tile.yield %column, %column : i64, i64
  }
}

// -----

tile.program @plan_runs_c1_groups {
^bb0(%q: !tile.view<f32, 1>):
  %n = tile.extent %q[0] : <f32, 1>
  // expected-error @+1 {{'tile.plan_runs' op next must have arguments ('index', 'index', 'index', 'index', 'index', 'index'), got ('index', 'index', 'index', 'index', 'index')}}
  %0 = tile.plan_runs for(%n, %n) rows %n step 4 columns %n step 4 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    %t = arith.constant true
    tile.yield %t, %t : i1, i1
  } next {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j: index):
    %column = arith.index_cast %j : index to i64
    tile.yield %column, %column, %column, %column : i64, i64, i64, i64
  } groups {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %column = arith.index_cast %j : index to i64
    tile.yield %column, %column : i64, i64
  }
}

// -----

tile.program @plan_runs_c3 {
^bb0(%q: !tile.view<f32, 1>):
  %n = tile.extent %q[0] : <f32, 1>
  // expected-error @+1 {{'tile.plan_runs' op has groups, but no next column}}
  %0 = "tile.plan_runs"(%n, %n, %n, %n) <{row_step = 4 : i64, column_step = 4 : i64}> ({
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    %t = arith.constant true
    "tile.yield"(%t, %t) : (i1, i1) -> ()
  }, {
  }, {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %column = arith.index_cast %j : index to i64
    "tile.yield"(%column, %column) : (i64, i64) -> ()
  }) : (index, index, index, index) -> !tile.run_table
}

// -----

tile.program @plan_runs_c3_group {
^bb0(%q: !tile.view<f32, 1>):
  %n = tile.extent %q[0] : <f32, 1>
  // expected-error @+1 {{'tile.plan_runs' op has groups of rows, and heads that are grouped}}
  %0 = tile.plan_runs for(%n, %n) group %n rows %n step 4 columns %n step 4 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    %t = arith.constant true
    tile.yield %t, %t : i1, i1
  } next {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j: index, %end: index):
    %column = arith.index_cast %j : index to i64
    tile.yield %column, %column, %column, %column : i64, i64, i64, i64
  } groups {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %column = arith.index_cast %j : index to i64
    tile.yield %column, %column : i64, i64
  }
}

// -----

tile.program @plan_runs_c2 {
^bb0(%q: !tile.view<f32, 1>):
  %n = tile.extent %q[0] : <f32, 1>
  // expected-error @+1 {{'tile.plan_runs' op steps must be positive, got 0}}
  %0 = tile.plan_runs for(%n, %n) rows %n step 4 columns %n step 0 classify {
  ^bb0(%b: index, %h: index, %i0: index, %i1: index, %j0: index, %j1: index):
    %t = arith.constant true
    tile.yield %t, %t : i1, i1
  }
}

// -----

tile.program @pyramid_c1 {
^bb0(%x: !tile.view<i32, 1>):
  // expected-error @+1 {{'tile.pyramid' op dimension 1 of a view of rank 1}}
  %0 = tile.pyramid %x along 1 : <i32, 1>
}

// -----

tile.program @pyramid_c2 {
^bb0(%x: !tile.view<f32, 1>):
  // expected-error @+1 {{'tile.pyramid' op needs a view of integers, got '!tile.view<f32, 1>'}}
  %0 = tile.pyramid %x along 0 : <f32, 1>
}

// -----

tile.program @bounds_c1 {
^bb0(%x: !tile.view<i32, 2>):
  %c0 = arith.constant 0 : i64
  %0 = tile.pyramid %x along 0 : <i32, 2>
  // expected-error @+1 {{'tile.bounds' op needs 1 indices for a view of rank 2, got 0}}
  %1, %2 = tile.bounds %0[] from %c0 to %c0
}

// -----

func.func @bounds_c1_pyramid(%p: !tile.pyramid, %i: i64) {
  // expected-error @+1 {{'tile.bounds' op needs a pyramid made by tile.pyramid}}
  %1, %2 = tile.bounds %p[] from %i to %i
  return
}

// -----

func.func @for_runs_c1_arguments(%d: !tile.domain) {
  // expected-error @+1 {{'tile.for_runs' op partial must have arguments ('index', 'index'), got ('index')}}
  tile.for_runs %d by 32, 32 carry() : () -> () full {
  ^bb0(%a: index, %b: index):
    tile.yield
  } partial {
  ^bb0(%a: index):
    tile.yield
  }
  return
}

// -----

func.func @for_runs_c2(%d: !tile.domain) {
  // expected-error @+1 {{'tile.for_runs' op steps must be positive, got 0}}
  tile.for_runs %d by 0, 4 carry() : () -> () full {
  ^bb0(%a: index, %b: index):
    tile.yield
  } partial {
  ^bb0(%a: index, %b: index):
    tile.yield
  }
  return
}

// -----

func.func @for_runs_c1_yield(%d: !tile.domain, %x: !tile.tile<f32>) {
  // expected-error @+1 {{'tile.for_runs' op full must yield ('!tile.tile<f32>'), got ('index')}}
  %0 = tile.for_runs %d by 32, 32 carry(%x) : (!tile.tile<f32>) -> !tile.tile<f32> full {
  ^bb0(%a: index, %b: index, %old: !tile.tile<f32>):
    tile.yield %a : index
  } partial {
  ^bb0(%a: index, %b: index, %old: !tile.tile<f32>):
    tile.yield %old : !tile.tile<f32>
  }
  return
}

// -----

func.func @window_c1(%v: !tile.view<f32, 3>, %n: index) {
  // expected-error @+1 {{'tile.window' op result must be the source without 1 dimensions, got '!tile.view<f32, 1>'}}
  %0 = tile.window %v[%n] : <f32, 3> -> <f32, 1>
  return
}

// -----

func.func @load_c1(%v: !tile.view<f32, 2>, %n: index) {
  // expected-error @+1 {{'tile.load' op view rank, number of offsets and tile rank must be equal, got 2, 1 and 2}}
  %0 = tile.load %v[%n] : <f32, 2> -> <4x4xf32>
  return
}

// -----

func.func @load_c2(%v: !tile.view<f32, 1>, %n: index) {
  // expected-error @+1 {{'tile.load' op in_bounds must have one entry per dimension, got 2 for '!tile.tile<4xf32>'}}
  %0 = tile.load %v[%n] in_bounds [true, true] : <f32, 1> -> <4xf32>
  return
}

// -----

func.func @store_c1(%v: !tile.view<f32, 2>, %n: index, %x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.store' op view rank, number of offsets and tile rank must be equal, got 2, 2 and 1}}
  tile.store set %x, %v[%n, %n] : <4xf32>, <f32, 2>
  return
}

// -----

func.func @prefetch_c1(%v: !tile.view<f32, 1>, %n: index) {
  // expected-error @+1 {{'tile.prefetch' op needs a view of rank 2 and rows, got '!tile.view<f32, 1>' and 4}}
  tile.prefetch %v[%n] rows 4 : <f32, 1>
  return
}

// -----

func.func @prefetch_c1_rows(%v: !tile.view<f32, 2>, %n: index) {
  // expected-error @+1 {{'tile.prefetch' op needs a view of rank 2 and rows, got '!tile.view<f32, 2>' and 0}}
  tile.prefetch %v[%n] rows 0 for_store : <f32, 2>
  return
}

// -----

func.func @pack_c1(%x: !tile.tile<4x2xf32>) {
  // expected-error @+1 {{'tile.pack' op result must be '!tile.tile<4x2xf32>', got '!tile.tile<2x4xf32>'}}
  %0 = tile.pack %x : <4x2xf32> -> <2x4xf32>
  return
}

// -----

func.func @gather_c1(%v: !tile.view<f32, 2>, %r: !tile.tile<3xi32>) {
  // expected-error @+1 {{'tile.gather' op needs a view of rank 2 and one row for each of a row of integers, got '!tile.view<f32, 2>', '!tile.tile<3xi32>' and '!tile.tile<4x8xf32>'}}
  %0 = tile.gather %v[%r] : <f32, 2>, <3xi32> -> <4x8xf32>
  return
}

// -----

func.func @scatter_c1(%v: !tile.view<f32, 2>, %r: !tile.tile<3xf32>, %x: !tile.tile<3x8xf32>) {
  // expected-error @+1 {{'tile.scatter' op needs a view of rank 2 and one row for each of a row of integers, got '!tile.view<f32, 2>', '!tile.tile<3xf32>' and '!tile.tile<3x8xf32>'}}
  tile.scatter set %x, %v[%r] : <3x8xf32>, <f32, 2>, <3xf32>
  return
}

// -----

func.func @read_c1(%v: !tile.view<f32, 2>, %n: index) {
  // expected-error @+1 {{'tile.read' op has 1 indices for a view of rank 2}}
  %0 = tile.read %v[%n] : (!tile.view<f32, 2>, index) -> f32
  return
}

// -----

func.func @splat_c1(%x: f32) {
  // expected-error @+1 {{'tile.splat' op result must be a tile of 'f32', got '!tile.tile<4xi32>'}}
  %0 = tile.splat %x : f32 -> <4xi32>
  return
}

// -----

func.func @constant_c1() {
  // expected-error @+1 {{'tile.constant' op value must have the shape and type of '!tile.tile<3xi32>', got 'tensor<2xi32>'}}
  %0 = tile.constant dense<1> : tensor<2xi32> : <3xi32>
  return
}

// -----

func.func @positions_c1(%n: index) {
  // expected-error @+1 {{'tile.positions' op result must be a row of integers, got '!tile.tile<4xf32>'}}
  %0 = tile.positions %n : <4xf32>
  return
}

// -----

func.func @map_c1_count(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.map' op dims must have one entry per operand, got 2 for 1 operands}}
  %0 = tile.map(%x) dims [[0], [0]] : (!tile.tile<4xf32>) -> !tile.tile<4xf32> {
  ^bb0(%e: f32):
    tile.yield %e : f32
  }
  return
}

// -----

func.func @map_c1_rank(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.map' op dims of operand 0 must be 1 integers}}
  %0 = tile.map(%x) dims [[0, 1]] : (!tile.tile<4xf32>) -> !tile.tile<4xf32> {
  ^bb0(%e: f32):
    tile.yield %e : f32
  }
  return
}

// -----

func.func @map_c1_extent(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.map' op operand 0 of type '!tile.tile<4xf32>' does not broadcast to '!tile.tile<8x4xf32>'}}
  %0 = tile.map(%x) dims [[0]] : (!tile.tile<4xf32>) -> !tile.tile<8x4xf32> {
  ^bb0(%e: f32):
    tile.yield %e : f32
  }
  return
}

// -----

func.func @map_c2(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.map' op results must have one shape, got '!tile.tile<4xf32>' and '!tile.tile<8xf32>'}}
  %0:2 = tile.map(%x) dims [[0]] : (!tile.tile<4xf32>) -> (!tile.tile<4xf32>, !tile.tile<8xf32>) {
  ^bb0(%e: f32):
    tile.yield %e, %e : f32, f32
  }
  return
}

// -----

func.func @map_c3_arguments(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.map' op body must have arguments ('f32'), got ('i32')}}
  %0 = tile.map(%x) dims [[0]] : (!tile.tile<4xf32>) -> !tile.tile<4xi32> {
  ^bb0(%e: i32):
    tile.yield %e : i32
  }
  return
}

// -----

func.func @map_c3_yield(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.map' op body must yield ('i32'), got ('f32')}}
  %0 = tile.map(%x) dims [[0]] : (!tile.tile<4xf32>) -> !tile.tile<4xi32> {
  ^bb0(%e: f32):
    tile.yield %e : f32
  }
  return
}

// -----

func.func @mma_c1_rank(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.mma' op needs tiles of rank 2, got '!tile.tile<4xf32>', '!tile.tile<4xf32>' and '!tile.tile<4x4xf32>'}}
  %0 = tile.mma %x, %x : (!tile.tile<4xf32>, !tile.tile<4xf32>) -> !tile.tile<4x4xf32>
  return
}

// -----

func.func @mma_c1_extents(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.mma' op operands do not agree: 4x8 times 4x8 into '!tile.tile<4x8xf32>'}}
  %0 = tile.mma %x, %x : (!tile.tile<4x8xf32>, !tile.tile<4x8xf32>) -> !tile.tile<4x8xf32>
  return
}

// -----

func.func @mma_c1_accumulator(%x: !tile.tile<4x4xf32>, %a: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.mma' op accumulator must have type '!tile.tile<4x4xf32>', got '!tile.tile<4xf32>'}}
  %0 = tile.mma %x, %x onto %a : (!tile.tile<4x4xf32>, !tile.tile<4x4xf32>, !tile.tile<4xf32>) -> !tile.tile<4x4xf32>
  return
}

// -----

func.func @reduce_c1(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.reduce' op result must have the source's shape without dimension 1, got '!tile.tile<8xf32>'}}
  %0 = tile.reduce add %x along 1 : <4x8xf32> -> <8xf32>
  return
}

// -----

func.func @reduce_c1_dimension(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.reduce' op reduces dimension 2 of '!tile.tile<4x8xf32>'}}
  %0 = tile.reduce add %x along 2 : <4x8xf32> -> <4xf32>
  return
}

// -----

func.func @reduce_c2(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.reduce' op result must have elements of 'i32', got '!tile.tile<4xf32>'}}
  %0 = tile.reduce argmax %x along 1 : <4x8xf32> -> <4xf32>
  return
}

// -----

func.func @scan_c1(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.scan' op result must be '!tile.tile<4xf32>', got '!tile.tile<3xf32>'}}
  %0 = tile.scan add %x along 0 : <4xf32> -> <3xf32>
  return
}

// -----

func.func @scan_c1_dimension(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.scan' op scans dimension 1 of '!tile.tile<4xf32>'}}
  %0 = tile.scan add %x along 1 : <4xf32> -> <4xf32>
  return
}

// -----

func.func @scan_c2(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.scan' op has no meaning for exclusive max}}
  %0 = tile.scan max exclusive %x along 0 : <4xf32> -> <4xf32>
  return
}

// -----

func.func @transpose_c1(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.transpose' op result must be the transposed source, got '!tile.tile<4x8xf32>' and '!tile.tile<4x8xf32>'}}
  %0 = tile.transpose %x : <4x8xf32> -> <4x8xf32>
  return
}

// -----

func.func @transpose_c1_type(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.transpose' op needs tiles of one element type, got '!tile.tile<4x8xf32>' and '!tile.tile<8x4xi32>'}}
  %0 = tile.transpose %x : <4x8xf32> -> <8x4xi32>
  return
}

// -----

func.func @skew_c1(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.skew' op '!tile.tile<4x8xf32>' has no line of 33 numbers in columns of 4}}
  %0 = tile.skew %x : <4x8xf32> -> <4x30xf32>
  return
}

// -----

func.func @skew_c1_rank(%x: !tile.tile<32xf32>) {
  // expected-error @+1 {{'tile.skew' op needs tiles of rank 2, got '!tile.tile<32xf32>' and '!tile.tile<4x29xf32>'}}
  %0 = tile.skew %x : <32xf32> -> <4x29xf32>
  return
}

// -----

func.func @slice_c1(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.slice' op part '!tile.tile<4x3xf32>' from 6 does not lie inside '!tile.tile<4x8xf32>'}}
  %0 = tile.slice %x along 1 from 6 : <4x8xf32> -> <4x3xf32>
  return
}

// -----

func.func @slice_c1_dimension(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.slice' op cuts dimension 2 of '!tile.tile<4x8xf32>'}}
  %0 = tile.slice %x along 2 from 0 : <4x8xf32> -> <4x8xf32>
  return
}

// -----

func.func @concat_c1_sum(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.concat' op extents along dimension 0 add up to 8, got '!tile.tile<9x8xf32>'}}
  %0 = tile.concat %x, %x along 0 : (!tile.tile<4x8xf32>, !tile.tile<4x8xf32>) -> !tile.tile<9x8xf32>
  return
}

// -----

func.func @concat_c1_others(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.concat' op source '!tile.tile<4x8xf32>' does not fit '!tile.tile<4x16xf32>'}}
  %0 = tile.concat %x, %x along 0 : (!tile.tile<4x8xf32>, !tile.tile<4x8xf32>) -> !tile.tile<4x16xf32>
  return
}

// -----

func.func @solve_c1(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.solve' op needs L [n, n] and R and X [n, m] of one float type, got '!tile.tile<4x8xf32>', '!tile.tile<4x8xf32>' and '!tile.tile<4x8xf32>'}}
  %0 = tile.solve %x, %x : <4x8xf32>, <4x8xf32> -> <4x8xf32>
  return
}

// -----

func.func @top_c1(%x: !tile.tile<4x8xf32>) {
  // expected-error @+1 {{'tile.top' op result must be integers, at most as many a row as the source has, got '!tile.tile<4x8xf32>' and '!tile.tile<4x9xi32>'}}
  %0 = tile.top %x : <4x8xf32> -> <4x9xi32>
  return
}

// -----

func.func @sort_c1(%x: !tile.tile<4xf32>) {
  // expected-error @+1 {{'tile.sort' op needs two rows of one extent, the result of integers, got '!tile.tile<4xf32>' and '!tile.tile<4xf32>'}}
  %0 = tile.sort %x : <4xf32> -> <4xf32>
  return
}

// -----

// expected-error @+1 {{a tile has rank 0 to 3, got 4}}
func.func private @tile_rank(!tile.tile<1x2x3x4xf32>)

// -----

// expected-error @+1 {{a tile has positive extents, got 0}}
func.func private @tile_extent(!tile.tile<0xf32>)

// -----

// expected-error @+1 {{a tile has integer or float elements, got 'tensor<f32>'}}
func.func private @tile_element(!tile.tile<2xtensor<f32>>)

// -----

// expected-error @+1 {{tile sizes must be positive, got queries = 0 and keys = 8}}
func.func private @plan_sizes() attributes {tile.plan = #tile.plan<queries = 0, keys = 8, cpu = <rows = 1, depth = 1, sweep = 1>>}

// -----

// expected-error @+1 {{register blocks must be positive, got #tile.cpu<rows = 1, depth = 0, sweep = 1>}}
func.func private @plan_blocks() attributes {tile.plan = #tile.plan<queries = 4, keys = 8, cpu = <rows = 1, depth = 0, sweep = 1>>}

// -----

tile.program @tabulate_c1 {
^bb0(%x: !tile.view<i32, 1>):
  %n = tile.extent %x[0] : <i32, 1>
  // expected-error @+1 {{'tile.tabulate' op body must yield ('i64'), got ('index')}}
  %0 = tile.tabulate for(%n, %n) length %n : <i64, 3> {
  ^bb0(%b: index, %h: index, %place: index):
    tile.yield %place : index
  }
}

// -----

tile.program @tabulate_c2 {
^bb0(%x: !tile.view<i32, 1>):
  %n = tile.extent %x[0] : <i32, 1>
  // expected-error @+1 {{'tile.tabulate' op result must be a view of i64 of rank 3, got '!tile.view<i16, 3>'}}
  %0 = tile.tabulate for(%n, %n) length %n : <i16, 3> {
  ^bb0(%b: index, %h: index, %place: index):
    tile.yield %place : index
  }
}

// -----

tile.program @sort_rows_c1 {
^bb0(%x: !tile.view<i64, 2>):
  // expected-error @+1 {{'tile.sort_rows' op ids must be a view of i64 of rank 3, got '!tile.view<i64, 2>'}}
  %0 = tile.sort_rows %x : <i64, 2> -> <i32, 3>
}

// -----

tile.program @list_marked_c1 {
^bb0(%x: !tile.view<i64, 3>):
  // expected-error @+1 {{'tile.list_marked' op marks must be a view of i8 of rank 3, got '!tile.view<i64, 3>'}}
  %0, %1 = tile.list_marked %x : <i64, 3> -> <i32, 3>, <i32, 3>
}

// -----

tile.program @find_c1 {
^bb0(%x: !tile.view<i32, 2>):
  %n = tile.extent %x[0] : <i32, 2>
  %value = arith.constant 1 : i64
  // expected-error @+1 {{'tile.find' op needs a view of integers of rank 1, got '!tile.view<i32, 2>'}}
  %0 = tile.find %x[] from %n to %n not_below %value : <i32, 2>
}

// -----

func.func @list_rows_c1(%x: !tile.view<f32, 2>, %list: !tile.view<i32, 2>) {
  // expected-error @+1 {{'tile.list_rows' op list must be a view of i32 of rank 1, got '!tile.view<i32, 2>'}}
  %0 = tile.list_rows %x by %list : <f32, 2>, <i32, 2> -> <f32, 2, rows = listed>
  return
}

// -----

func.func @list_rows_c2(%x: !tile.view<f32, 2>, %list: !tile.view<i32, 1>) {
  // expected-error @+1 {{'tile.list_rows' op result must be '!tile.view<f32, 2, rows = listed>', got '!tile.view<f32, 2>'}}
  %0 = tile.list_rows %x by %list : <f32, 2>, <i32, 1> -> <f32, 2>
  return
}

// -----

// expected-error @+1 {{edge must divide keys, got edge = 5 and keys = 32}}
func.func private @plan_edge() attributes {p = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>, edge = 5>}

// -----

// expected-error @+1 {{grain must divide the edge, got grain = 3 and edge = 8}}
func.func private @plan_grain() attributes {p = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>, edge = 8, grain = 3>}

// -----

// expected-error @+1 {{split must be a multiple of keys, got split = 40 and keys = 32}}
func.func private @plan_split() attributes {p = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>, split = 40>}

// -----

func.func @group_rows_c1(%x: !tile.view<f32, 1>, %n: index) {
  // expected-error @+1 {{'tile.group_rows' op source must have heads and rows, got '!tile.view<f32, 1>'}}
  %0 = tile.group_rows %x heads %n count %n of %n : <f32, 1> -> <f32, 0, rows = grouped>
  return
}

// -----

func.func @group_rows_c1_result(%x: !tile.view<f32, 3>, %n: index) {
  // expected-error @+1 {{'tile.group_rows' op result must be '!tile.view<f32, 2, rows = grouped>', got '!tile.view<f32, 2>'}}
  %0 = tile.group_rows %x heads %n count %n of %n : <f32, 3> -> <f32, 2>
  return
}

// -----

func.func @within_c1(%domain: !tile.domain, %n: index) {
  // expected-error @+1 {{'tile.within' op needs a domain made by tile.runs or tile.domain}}
  %0 = tile.within %domain from %n to %n
  return
}
