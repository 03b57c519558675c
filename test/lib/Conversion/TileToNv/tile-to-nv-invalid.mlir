// What has no lowering yet is said at its place.

// RUN: rapt-opt --tile-to-nv %s -split-input-file -verify-diagnostics

tile.program @plan {
  %one = arith.constant 1 : index
  tile.launch @kernel items(%one, %one, %one) args()
}
// expected-error@+1 {{has no plan for a GPU}}
tile.kernel @kernel {
^bb0(%b: index, %h: index, %n: index):
  tile.return
}

// -----

tile.program @rows {
  %one = arith.constant 1 : index
  tile.launch @kernel items(%one, %one, %one) args()
}
tile.kernel @kernel gpu <warps = 4, stages = 1> {
^bb0(%b: index, %h: index, %n: index):
  %f0 = arith.constant 0.0 : f32
  // expected-error@+1 {{4 warps cannot share 32 rows, expected a multiple of 64}}
  %x = tile.splat %f0 : f32 -> !tile.tile<32x8xf32>
  tile.return
}

// -----

tile.program @width {
  %one = arith.constant 1 : index
  tile.launch @kernel items(%one, %one, %one) args()
}
tile.kernel @kernel gpu <warps = 1, stages = 1> {
^bb0(%b: index, %h: index, %n: index):
  %f0 = arith.constant 0.0 : f32
  // expected-error@+1 {{a tile of 16 by 1 elements has no lowering to NVIDIA GPUs yet}}
  %x = tile.splat %f0 : f32 -> !tile.tile<16x1xf32>
  tile.return
}

// -----

tile.program @f32 {
^bb0(%v: !tile.view<f32, 2>):
  %one = arith.constant 1 : index
  tile.launch @kernel items(%one, %one, %one) args(%v) : !tile.view<f32, 2>
}
tile.kernel @kernel gpu <warps = 1, stages = 1> {
^bb0(%b: index, %h: index, %n: index, %v: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  // expected-error@+1 {{a product of f32 operands has no lowering to NVIDIA GPUs yet}}
  %x = tile.load %v[%c0, %c0] : !tile.view<f32, 2> -> !tile.tile<16x16xf32>
  %y = tile.mma %x, %x : (!tile.tile<16x16xf32>, !tile.tile<16x16xf32>) -> !tile.tile<16x16xf32>
  tile.return
}

// -----

tile.program @top {
  %one = arith.constant 1 : index
  tile.launch @kernel items(%one, %one, %one) args()
}
tile.kernel @kernel gpu <warps = 1, stages = 1> {
^bb0(%b: index, %h: index, %n: index):
  %f0 = arith.constant 0.0 : f32
  %x = tile.splat %f0 : f32 -> !tile.tile<16x16xf32>
  // expected-error@+1 {{tile.top has no lowering to NVIDIA GPUs yet}}
  %t = tile.top %x : !tile.tile<16x16xf32> -> !tile.tile<16x8xi32>
  tile.return
}
