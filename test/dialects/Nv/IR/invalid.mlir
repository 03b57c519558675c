// What each constraint of the operations and types rejects, by its number.

// RUN: rapt-opt %s -split-input-file -verify-diagnostics

// fragment
// expected-error@+1 {{a fragment has a multiple of 16 rows, got 8}}
func.func private @rows(!nv.fragment<8x16xf32>)

// -----

// expected-error@+1 {{a fragment has a multiple of 8 columns, got 12}}
func.func private @columns(!nv.fragment<16x12xf32>)

// -----

// expected-error@+1 {{a fragment along rows has rank 1, got 2}}
func.func private @rank(!nv.fragment<16x8xf32, rows>)

// -----

// expected-error@+1 {{expected rows or columns, found depth}}
func.func private @along(!nv.fragment<16xf32, depth>)

// -----

// expected-error@+1 {{a buffer has positive extents, got 0, 16 and 16}}
func.func private @buffer(!nv.buffer<0, 16 by 16 of f16>)

// -----

// expected-error@+1 {{a buffer has float elements, got 'i32'}}
func.func private @buffer_element(!nv.buffer<1, 16 by 16 of i32>)

// -----

// kernel_c1
// expected-error@+1 {{must have a positive number of warps, got 0}}
nv.kernel @none warps 0 {
  nv.return
}

// -----

// expected-error@+1 {{arguments must be indices, views or maps, got 'f32'}}
nv.kernel @arguments warps 1 {
^bb0(%x: f32):
  nv.return
}

// -----

func.func @map_c1(%x: !nv.fragment<16x8xf32>, %y: !nv.fragment<32xf32, rows>) {
  // expected-error@+1 {{does not fit the result}}
  %0 = nv.map(%x, %y) : (!nv.fragment<16x8xf32>, !nv.fragment<32xf32, rows>) -> !nv.fragment<16x8xf32> {
  ^bb0(%a: f32, %b: f32):
    tile.yield %a : f32
  }
  return
}

// -----

func.func @map_c2(%x: !nv.fragment<16x8xf32>) {
  // expected-error@+1 {{region must have the element types of the operands as arguments}}
  %0 = nv.map(%x) : (!nv.fragment<16x8xf32>) -> !nv.fragment<16x8xi32> {
  ^bb0(%a: i32):
    tile.yield %a : i32
  }
  return
}

// -----

func.func @reduce_c1(%x: !nv.fragment<16x8xf32>) {
  // expected-error@+1 {{result must have the rows and the element type of the source}}
  %0 = nv.reduce add %x : !nv.fragment<16x8xf32> -> !nv.fragment<8xf32, columns>
  return
}

// -----

func.func @positions_c1(%first: index) {
  // expected-error@+1 {{result must be integers along one side}}
  %0 = nv.positions %first : !nv.fragment<16x8xi32>
  return
}

// -----

func.func @constant_c1() {
  // expected-error@+1 {{must have the form of the result}}
  %0 = nv.constant dense<1.0> : tensor<8xf32> : !nv.fragment<16xf32, columns>
  return
}

// -----

func.func @slice_c1(%x: !nv.fragment<16x32xf32>) {
  // expected-error@+1 {{columns 4 to 12 must begin at a multiple of 8}}
  %0 = nv.slice %x from 4 : !nv.fragment<16x32xf32> -> !nv.fragment<16x8xf32>
  return
}

// -----

func.func @concat_c1(%x: !nv.fragment<16x8xf32>) {
  // expected-error@+1 {{columns of the sources must add up to 24, got 16}}
  %0 = nv.concat %x, %x : (!nv.fragment<16x8xf32>, !nv.fragment<16x8xf32>) -> !nv.fragment<16x24xf32>
  return
}

// -----

func.func @mma_c1_depth(%a: !nv.fragment<16x32xf32>, %b: !nv.buffer<1, 16 by 8 of f16>, %stage: index) {
  // expected-error@+1 {{operands and result must agree}}
  %0 = nv.mma %a, %b at %stage : (!nv.fragment<16x32xf32>, !nv.buffer<1, 16 by 8 of f16>, index) -> !nv.fragment<16x8xf32>
  return
}

// -----

func.func @mma_c1_element(%a: !nv.fragment<16x16xf32>, %b: !nv.buffer<1, 16 by 8 of f32>, %stage: index) {
  // expected-error@+1 {{operands must have elements of 16 bits}}
  %0 = nv.mma %a, %b at %stage : (!nv.fragment<16x16xf32>, !nv.buffer<1, 16 by 8 of f32>, index) -> !nv.fragment<16x8xf32>
  return
}

// -----

func.func @mma_c1_stage(%a: !nv.buffer<1, 16 by 16 of f16>, %b: !nv.buffer<1, 16 by 8 of f16>, %stage: index) {
  // expected-error@+1 {{must say the stage of its left operand}}
  %0 = nv.mma %a, %b at %stage : (!nv.buffer<1, 16 by 16 of f16>, !nv.buffer<1, 16 by 8 of f16>, index) -> !nv.fragment<16x8xf32>
  return
}

// -----

func.func @copy_c1(%v: !tile.view<i32, 2>, %b: !nv.buffer<1, 16 by 8 of f16>, %i: index) {
  // expected-error@+1 {{view must have rank 2 and floats}}
  nv.copy %v[%i, %i] into %b at %i : !tile.view<i32, 2>, !nv.buffer<1, 16 by 8 of f16>
  return
}

// -----

func.func @load_c1(%v: !tile.view<f32, 2>, %i: index) {
  // expected-error@+1 {{view rank, number of offsets and fragment rank must be equal, got 2, 1 and 1}}
  %0 = nv.load %v[%i] : !tile.view<f32, 2> -> !nv.fragment<16xf32, rows>
  return
}

// -----

func.func @store_c1(%x: !nv.fragment<16xf32, rows>, %v: !tile.view<f32, 2>, %i: index) {
  // expected-error@+1 {{view rank, number of offsets and fragment rank must be equal, got 2, 2 and 1}}
  nv.store %x, %v[%i, %i] : !nv.fragment<16xf32, rows>, !tile.view<f32, 2>
  return
}
