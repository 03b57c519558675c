// What each constraint of Hopper's operations and types rejects, by its number.

// RUN: rapt-opt %s -split-input-file -verify-diagnostics

// buffer
// expected-error@+1 {{a swizzled buffer has elements of 16 bits and a multiple of 8 rows, got 'f32' and 64}}
func.func private @element(!nv.buffer<1, 64 by 64 of f32, swizzled>)

// -----

// expected-error@+1 {{a swizzled buffer has elements of 16 bits and a multiple of 8 rows, got 'bf16' and 12}}
func.func private @rows(!nv.buffer<1, 12 by 64 of bf16, swizzled>)

// -----

// operand
// expected-error@+1 {{an operand has multiples of 16 rows and columns, got 64 and 8}}
func.func private @columns(!nv.operand<64 by 8 of bf16>)

// -----

// expected-error@+1 {{an operand has elements of 16 bits, got 'f32'}}
func.func private @element(!nv.operand<64 by 16 of f32>)

// -----

// barriers
// expected-error@+1 {{barriers have a positive number of stages, got 0}}
func.func private @stages(!nv.barriers<0>)

// -----

// tensor_map
// expected-error@+1 {{a map has a rank from 2 to 5, got 6}}
func.func private @rank(!nv.tensor_map<6>)

// -----

// barriers_c1
nv.kernel @k warps 4 {
  // expected-error@+1 {{must have a positive number of arrivals, got 0}}
  %b = nv.barriers arrivals 0 : !nv.barriers<1>
  nv.return
}

// -----

// roles_c1
nv.kernel @k warps 4 {
  %c1 = arith.constant 1 : index
  // expected-error@+1 {{needs multiples of 4 warps of both roles, got 4 and 0}}
  nv.roles consumers registers 240 {
  } producers registers 40 active %c1 {
  }
  nv.return
}

// -----

// roles_c2
nv.kernel @k warps 8 producers 4 {
  %c1 = arith.constant 1 : index
  // expected-error@+1 {{registers must be a multiple of 8 from 24 to 256, got 20}}
  nv.roles consumers registers 224 {
  } producers registers 20 active %c1 {
  }
  nv.return
}

// -----

// roles_c2: 168 registers of 12 warps.
nv.kernel @k warps 8 producers 4 {
  %c1 = arith.constant 1 : index
  // expected-error@+1 {{all warps need 2080 registers for each of their threads, there are 2016}}
  nv.roles consumers registers 240 {
  } producers registers 40 active %c1 {
  }
  nv.return
}

// -----

// fetch_c1
nv.kernel @k warps 4 producers 4 {
^bb0(%v: !tile.view<bf16, 2>, %map: !nv.tensor_map<4>):
  %c0 = arith.constant 0 : index
  %buffer = nv.shared : !nv.buffer<1, 64 by 64 of bf16>
  %full = nv.barriers arrivals 1 : !nv.barriers<1>
  nv.roles consumers registers 240 {
  } producers registers 56 active %c0 {
    // expected-error@+1 {{buffer must be swizzled}}
    nv.fetch %v[%c0, %c0] into %buffer at %c0 signals %full : !tile.view<bf16, 2>, !nv.buffer<1, 64 by 64 of bf16>, !nv.barriers<1>
  }
  nv.return
}

// -----

// fetch_c1
nv.kernel @k warps 4 producers 4 {
^bb0(%v: !tile.view<bf16, 1>, %map: !nv.tensor_map<4>):
  %c0 = arith.constant 0 : index
  %buffer = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  %full = nv.barriers arrivals 1 : !nv.barriers<1>
  nv.roles consumers registers 240 {
  } producers registers 56 active %c0 {
    // expected-error@+1 {{view must have rank 2 and floats}}
    nv.fetch %v[%c0] into %buffer at %c0 signals %full : !tile.view<bf16, 1>, !nv.buffer<1, 64 by 64 of bf16, swizzled>, !nv.barriers<1>
  }
  nv.return
}

// -----

// fetch_c2
nv.kernel @k warps 4 producers 4 {
^bb0(%v: !tile.view<bf16, 2>, %map: !nv.tensor_map<4>):
  %c0 = arith.constant 0 : index
  %buffer = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  %full = nv.barriers arrivals 1 : !nv.barriers<1>
  nv.roles consumers registers 240 {
  } producers registers 56 active %c0 {
    // expected-error@+1 {{must have 2 outer indices, got 1}}
    nv.fetch %v[%c0, %c0] into %buffer at %c0 signals %full through %map[%c0] : !tile.view<bf16, 2>, !nv.buffer<1, 64 by 64 of bf16, swizzled>, !nv.barriers<1>, !nv.tensor_map<4>
  }
  nv.return
}

// -----

// fetch_c2
nv.kernel @k warps 4 producers 4 {
^bb0(%v: !tile.view<bf16, 2>, %map: !nv.tensor_map<4>):
  %c0 = arith.constant 0 : index
  %buffer = nv.shared : !nv.buffer<1, 264 by 64 of bf16, swizzled>
  %full = nv.barriers arrivals 1 : !nv.barriers<1>
  nv.roles consumers registers 240 {
  } producers registers 56 active %c0 {
    // expected-error@+1 {{boxes have at most 256 rows, got 264}}
    nv.fetch %v[%c0, %c0] into %buffer at %c0 signals %full through %map[%c0, %c0] : !tile.view<bf16, 2>, !nv.buffer<1, 264 by 64 of bf16, swizzled>, !nv.barriers<1>, !nv.tensor_map<4>
  }
  nv.return
}

// -----

// fetch_c2
nv.kernel @k warps 4 producers 4 {
^bb0(%v: !tile.view<f32, 2>, %map: !nv.tensor_map<4>):
  %c0 = arith.constant 0 : index
  %buffer = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  %full = nv.barriers arrivals 1 : !nv.barriers<1>
  nv.roles consumers registers 240 {
  } producers registers 56 active %c0 {
    // expected-error@+1 {{the copy engine converts nothing, got 'f32' and 'bf16'}}
    nv.fetch %v[%c0, %c0] into %buffer at %c0 signals %full through %map[%c0, %c0] : !tile.view<f32, 2>, !nv.buffer<1, 64 by 64 of bf16, swizzled>, !nv.barriers<1>, !nv.tensor_map<4>
  }
  nv.return
}

// -----

// fetch_c3
nv.kernel @k warps 4 producers 4 {
^bb0(%v: !tile.view<bf16, 2>, %map: !nv.tensor_map<4>):
  %c0 = arith.constant 0 : index
  %buffer = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  %full = nv.barriers arrivals 1 : !nv.barriers<1>
  nv.roles consumers registers 240 {
    // expected-error@+1 {{must be among the producers}}
    nv.fetch %v[%c0, %c0] into %buffer at %c0 signals %full : !tile.view<bf16, 2>, !nv.buffer<1, 64 by 64 of bf16, swizzled>, !nv.barriers<1>
  } producers registers 56 active %c0 {
  }
  nv.return
}

// -----

// pack_c1
func.func @pack(%s: !nv.fragment<64x32xf32>) {
  // expected-error@+1 {{source must have both sides, f32 elements and the extents of the result}}
  %p = nv.pack %s : !nv.fragment<64x32xf32> -> !nv.operand<64 by 64 of bf16>
  return
}

// -----

// mma_async_c1
nv.kernel @k warps 4 {
  %c0 = arith.constant 0 : index
  %b = nv.shared : !nv.buffer<1, 64 by 64 of bf16>
  // expected-error@+1 {{buffers must be swizzled, got }}
  %s = nv.mma_async rhs_transposed %b at %c0, %b at %c0 : (!nv.buffer<1, 64 by 64 of bf16>, index, !nv.buffer<1, 64 by 64 of bf16>, index) -> !nv.in_flight<<64x64xf32>>
  %w = nv.mma_wait 0 of %s : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
  nv.return
}

// -----

// mma_async_c1
nv.kernel @k warps 4 {
  %c0 = arith.constant 0 : index
  %b = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  // expected-error@+1 {{must say the stage of its left operand}}
  %s = nv.mma_async rhs_transposed %b, %b at %c0 : (!nv.buffer<1, 64 by 64 of bf16, swizzled>, !nv.buffer<1, 64 by 64 of bf16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
  %w = nv.mma_wait 0 of %s : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
  nv.return
}

// -----

// mma_async_c1
nv.kernel @k warps 4 {
  %c0 = arith.constant 0 : index
  %b = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  %other = nv.shared : !nv.buffer<1, 64 by 64 of f16, swizzled>
  // expected-error@+1 {{operands must have one element type of 16 bits, got 'bf16' and 'f16'}}
  %s = nv.mma_async rhs_transposed %b at %c0, %other at %c0 : (!nv.buffer<1, 64 by 64 of bf16, swizzled>, index, !nv.buffer<1, 64 by 64 of f16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
  %w = nv.mma_wait 0 of %s : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
  nv.return
}

// -----

// mma_async_c1
nv.kernel @k warps 4 {
  %c0 = arith.constant 0 : index
  %b = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  // expected-error@+1 {{operands and result must agree}}
  %s = nv.mma_async rhs_transposed %b at %c0, %b at %c0 : (!nv.buffer<1, 64 by 64 of bf16, swizzled>, index, !nv.buffer<1, 64 by 64 of bf16, swizzled>, index) -> !nv.in_flight<<64x32xf32>>
  %w = nv.mma_wait 0 of %s : (!nv.in_flight<<64x32xf32>>) -> !nv.fragment<64x32xf32>
  nv.return
}

// -----

// mma_async_c2: the rows of a warp are not those of a warpgroup.
nv.kernel @k warps 2 {
  %c0 = arith.constant 0 : index
  %b = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  // expected-error@+1 {{each warp of a warpgroup has 16 rows, got 64 rows and 2 warps}}
  %s = nv.mma_async rhs_transposed %b at %c0, %b at %c0 : (!nv.buffer<1, 64 by 64 of bf16, swizzled>, index, !nv.buffer<1, 64 by 64 of bf16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
  %w = nv.mma_wait 0 of %s : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
  nv.return
}

// -----

// mma_async_c2
nv.kernel @k warps 4 {
  %c0 = arith.constant 0 : index
  %b = nv.shared : !nv.buffer<1, 64 by 8 of bf16, swizzled>
  // expected-error@+1 {{width must be a multiple of 8 up to 256 and depth one of 16, got 64 and 8}}
  %s = nv.mma_async rhs_transposed %b at %c0, %b at %c0 : (!nv.buffer<1, 64 by 8 of bf16, swizzled>, index, !nv.buffer<1, 64 by 8 of bf16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
  %w = nv.mma_wait 0 of %s : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
  nv.return
}

// -----

// mma_async_c3
nv.kernel @k warps 4 {
  %c0 = arith.constant 0 : index
  %b = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  // expected-error@+1 {{result must be waited for}}
  %s = nv.mma_async rhs_transposed %b at %c0, %b at %c0 : (!nv.buffer<1, 64 by 64 of bf16, swizzled>, index, !nv.buffer<1, 64 by 64 of bf16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
  nv.return
}

// -----

// mma_wait_c1
nv.kernel @k warps 4 {
  %c0 = arith.constant 0 : index
  %b = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  %s = nv.mma_async rhs_transposed %b at %c0, %b at %c0 : (!nv.buffer<1, 64 by 64 of bf16, swizzled>, index, !nv.buffer<1, 64 by 64 of bf16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
  // expected-error@+1 {{result must be the fragment of}}
  %w = nv.mma_wait 0 of %s : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x32xf32>
  nv.return
}

// -----

// mma_wait_c2: the product itself may be pending.
nv.kernel @k warps 4 {
  %c0 = arith.constant 0 : index
  %b = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  %first = nv.mma_async rhs_transposed %b at %c0, %b at %c0 : (!nv.buffer<1, 64 by 64 of bf16, swizzled>, index, !nv.buffer<1, 64 by 64 of bf16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
  %w0 = nv.mma_wait 0 of %first : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
  %s = nv.mma_async rhs_transposed %b at %c0, %b at %c0 : (!nv.buffer<1, 64 by 64 of bf16, swizzled>, index, !nv.buffer<1, 64 by 64 of bf16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
  // expected-error@+1 {{leaves 1 products pending, but 0 began after its own}}
  %w = nv.mma_wait 1 of %s : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
  nv.return
}
