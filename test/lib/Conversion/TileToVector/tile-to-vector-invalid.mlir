// RUN: rapt-opt %s --tile-to-vector=lanes=16 --split-input-file --verify-diagnostics

// How is not chosen here.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
// expected-error @below {{has no plan for a CPU}}
tile.kernel @k {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  tile.store set %a, %out[%c0, %c0] : <16x8xf32>, <f32, 2>
  tile.return
}

// -----

// Lanes fill whole registers.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
// expected-error @below {{has 8 lanes, expected a power of two of at least 16}}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %b = tile.reduce add %a along 0 : <16x8xf32> -> <8xf32>
  tile.return
}

// -----

// One dimension of a tile is along the lanes.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
// expected-error @below {{a tile has two dimensions that would run along the lanes}}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %b = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x16xf32>
  %t = tile.transpose %b : <16x16xf32> -> <16x16xf32>
  %s = tile.map(%b, %t) dims [[0, 1], [0, 1]] : (!tile.tile<16x16xf32>, !tile.tile<16x16xf32>) -> !tile.tile<16x16xf32> {
  ^bb0(%e: f32, %f: f32):
    %sum = arith.addf %e, %f : f32
    tile.yield %sum : f32
  }
  tile.store set %s, %out[%c0, %c0] : <16x16xf32>, <f32, 2>
  tile.return
}

// -----

// Sums of neighbouring lanes are the work of no instruction.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %p0 = tile.positions %c0 : <16xi32>
  %p1 = tile.positions %c0 : <16xi32>
  %p2 = tile.positions %c0 : <16xi32>
  %p3 = tile.positions %c0 : <16xi32>
  %p4 = tile.positions %c0 : <16xi32>
  %p5 = tile.positions %c0 : <16xi32>
  %wide = tile.map(%a, %p0, %p1, %p2, %p3, %p4, %p5) dims [[0, 1], [0], [0], [0], [0], [0], [0]]
      : (!tile.tile<16x8xf32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>)
      -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32, %i0: i32, %i1: i32, %i2: i32, %i3: i32, %i4: i32, %i5: i32):
    tile.yield %e : f32
  }
  // expected-error @below {{a reduction across lanes has no lowering to vectors yet}}
  %s = tile.reduce add %a along 0 : <16x8xf32> -> <8xf32>
  tile.return
}

// -----

// Nothing of this product is along the lanes.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %p0 = tile.positions %c0 : <16xi32>
  %p1 = tile.positions %c0 : <16xi32>
  %p2 = tile.positions %c0 : <16xi32>
  %p3 = tile.positions %c0 : <16xi32>
  %p4 = tile.positions %c0 : <16xi32>
  %p5 = tile.positions %c0 : <16xi32>
  %wide = tile.map(%a, %p0, %p1, %p2, %p3, %p4, %p5) dims [[0, 1], [0], [0], [0], [0], [0], [0]]
      : (!tile.tile<16x8xf32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>)
      -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32, %i0: i32, %i1: i32, %i2: i32, %i3: i32, %i4: i32, %i5: i32):
    tile.yield %e : f32
  }
  %b = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <4x4xf32>
  %b2 = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <4x4xf32>
  // expected-error @below {{a product without a dimension along the lanes has no lowering to vectors yet}}
  %s = tile.mma rhs_transposed %b, %b2 : (!tile.tile<4x4xf32>, !tile.tile<4x4xf32>) -> !tile.tile<4x4xf32>
  %d = tile.map(%a) dims [[0, 1]] : (!tile.tile<16x8xf32>) -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32):
    tile.yield %e : f32
  }
  tile.store set %d, %out[%c0, %c0] : <16x8xf32>, <f32, 2>
  tile.return
}

// -----

// Numbers that differ from lane to lane are positions or are read.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  // expected-error @below {{a constant along the lanes has no lowering to vectors yet}}
  %n = tile.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]> : tensor<16xi32> : <16xi32>
  %d = tile.map(%a, %n) dims [[0, 1], [0]] : (!tile.tile<16x8xf32>, !tile.tile<16xi32>) -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32, %i: i32):
    %r = arith.sitofp %i : i32 to f32
    tile.yield %r : f32
  }
  tile.store set %d, %out[%c0, %c0] : <16x8xf32>, <f32, 2>
  tile.return
}

// -----

// Rows of lanes are joined, not lanes.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %p0 = tile.positions %c0 : <16xi32>
  %p1 = tile.positions %c0 : <16xi32>
  %p2 = tile.positions %c0 : <16xi32>
  %p3 = tile.positions %c0 : <16xi32>
  %p4 = tile.positions %c0 : <16xi32>
  %p5 = tile.positions %c0 : <16xi32>
  %wide = tile.map(%a, %p0, %p1, %p2, %p3, %p4, %p5) dims [[0, 1], [0], [0], [0], [0], [0], [0]]
      : (!tile.tile<16x8xf32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>)
      -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32, %i0: i32, %i1: i32, %i2: i32, %i3: i32, %i4: i32, %i5: i32):
    tile.yield %e : f32
  }
  // expected-error @below {{tiles joined along the lanes, or without lanes, have no lowering to vectors yet}}
  %s = tile.concat %a, %a along 0 : (!tile.tile<16x8xf32>, !tile.tile<16x8xf32>) -> !tile.tile<32x8xf32>
  tile.return
}

// -----

// Rows of lanes are cut, not lanes.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %p0 = tile.positions %c0 : <16xi32>
  %p1 = tile.positions %c0 : <16xi32>
  %p2 = tile.positions %c0 : <16xi32>
  %p3 = tile.positions %c0 : <16xi32>
  %p4 = tile.positions %c0 : <16xi32>
  %p5 = tile.positions %c0 : <16xi32>
  %wide = tile.map(%a, %p0, %p1, %p2, %p3, %p4, %p5) dims [[0, 1], [0], [0], [0], [0], [0], [0]]
      : (!tile.tile<16x8xf32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>)
      -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32, %i0: i32, %i1: i32, %i2: i32, %i3: i32, %i4: i32, %i5: i32):
    tile.yield %e : f32
  }
  // expected-error @below {{a part of the lanes has no lowering to vectors yet}}
  %s = tile.slice %a along 0 from 8 : <16x8xf32> -> <8x8xf32>
  tile.return
}

// -----

// Operations that only recurrences and routing need.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  // expected-error @below {{tile.scan has no lowering to vectors yet}}
  %s = tile.scan add %a along 1 : <16x8xf32> -> <16x8xf32>
  %d = tile.map(%a) dims [[0, 1]] : (!tile.tile<16x8xf32>) -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32):
    tile.yield %e : f32
  }
  tile.store set %d, %out[%c0, %c0] : <16x8xf32>, <f32, 2>
  tile.return
}

// -----

// What a loop carries is in registers or rows of lanes.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %p0 = tile.positions %c0 : <16xi32>
  %p1 = tile.positions %c0 : <16xi32>
  %p2 = tile.positions %c0 : <16xi32>
  %p3 = tile.positions %c0 : <16xi32>
  %p4 = tile.positions %c0 : <16xi32>
  %p5 = tile.positions %c0 : <16xi32>
  %wide = tile.map(%a, %p0, %p1, %p2, %p3, %p4, %p5) dims [[0, 1], [0], [0], [0], [0], [0], [0]]
      : (!tile.tile<16x8xf32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>)
      -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32, %i0: i32, %i1: i32, %i2: i32, %i3: i32, %i4: i32, %i5: i32):
    tile.yield %e : f32
  }
  %b = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <4x4xf32>
  %c1 = arith.constant 1 : index
  // expected-error @below {{a carried tile without lanes has no lowering to vectors yet}}
  %s = tile.for %c0 to %z step %c1 carry(%b) : (!tile.tile<4x4xf32>) -> !tile.tile<4x4xf32> {
  ^bb0(%n: index, %t: !tile.tile<4x4xf32>):
    tile.yield %t : !tile.tile<4x4xf32>
  }
  tile.return
}

// -----

// Results that several items add to.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  // expected-error @below {{adding to memory has no lowering to vectors yet}}
  tile.store add %a, %out[%c0, %c0] : <16x8xf32>, <f32, 2>
  tile.return
}

// -----

// An operation of two results in a map.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %d = tile.map(%a) dims [[0, 1]] : (!tile.tile<16x8xf32>) -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32):
    %i = arith.fptosi %e : f32 to i32
    // expected-error @below {{has no lowering to vectors yet}}
    %low, %high = arith.mulsi_extended %i, %i : i32
    %r = arith.sitofp %high : i32 to f32
    tile.yield %r : f32
  }
  tile.store set %d, %out[%c0, %c0] : <16x8xf32>, <f32, 2>
  tile.return
}

// -----

// Zeros are skipped row by row of lanes.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %b = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <4x8xf32>
  // expected-error @below {{zeros of an operand without lanes that are skipped have no lowering to vectors yet}}
  %s = tile.mma rhs_transposed skip_zeros %b, %a : (!tile.tile<4x8xf32>, !tile.tile<16x8xf32>) -> !tile.tile<4x16xf32>
  %t = tile.transpose %s : <4x16xf32> -> <16x4xf32>
  tile.store set %t, %out[%c0, %c0] : <16x4xf32>, <f32, 2>
  tile.return
}

// -----

// A program cuts no keys.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  // expected-error @below {{has no lowering to vectors yet}}
  %runs = tile.runs %c1 step 16
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %d = tile.map(%a) dims [[0, 1]] : (!tile.tile<16x8xf32>) -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32):
    tile.yield %e : f32
  }
  tile.store set %d, %out[%c0, %c0] : <16x8xf32>, <f32, 2>
  tile.return
}

// -----

// Runs belong to the work item that walks them.

tile.program @p {
^bb0(%in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in, %out) : !tile.view<f32, 2>, !tile.view<f32, 2>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 2>, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %a = tile.load %in[%c0, %c0] in_bounds [true, true] : <f32, 2> -> <16x8xf32>
  %p0 = tile.positions %c0 : <16xi32>
  %p1 = tile.positions %c0 : <16xi32>
  %p2 = tile.positions %c0 : <16xi32>
  %p3 = tile.positions %c0 : <16xi32>
  %p4 = tile.positions %c0 : <16xi32>
  %p5 = tile.positions %c0 : <16xi32>
  %wide = tile.map(%a, %p0, %p1, %p2, %p3, %p4, %p5) dims [[0, 1], [0], [0], [0], [0], [0], [0]]
      : (!tile.tile<16x8xf32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>, !tile.tile<16xi32>)
      -> !tile.tile<16x8xf32> {
  ^bb0(%e: f32, %i0: i32, %i1: i32, %i2: i32, %i3: i32, %i4: i32, %i5: i32):
    tile.yield %e : f32
  }
  %c1 = arith.constant 1 : index
  %runs = tile.runs %z step 16
  // expected-error @below {{a carried domain has no lowering to vectors yet}}
  %other = tile.for %c0 to %z step %c1 carry(%runs) : (!tile.domain) -> !tile.domain {
  ^bb0(%n: index, %r: !tile.domain):
    tile.yield %r : !tile.domain
  }
  tile.return
}

// -----

// A tile has one dimension besides the lanes.

tile.program @p {
^bb0(%in: !tile.view<f32, 3>):
  %c1 = arith.constant 1 : index
  tile.launch @k items(%c1, %c1, %c1) args(%in) : !tile.view<f32, 3>
}
tile.kernel @k plan <rows = 4, depth = 4, sweep = 4> {
^bb0(%x: index, %y: index, %z: index, %in: !tile.view<f32, 3>):
  %c0 = arith.constant 0 : index
  // expected-error @below {{a tile of rank 3 has no lowering to vectors yet}}
  %a = tile.load %in[%c0, %c0, %c0] : <f32, 3> -> <16x8x4xf32>
  tile.return
}
