// A thread has two rows of every 16 and two columns of every 8, in registers of
// its own.

// RUN: rapt-opt --nv-to-nvvm --cse %s -split-input-file | FileCheck %s

// CHECK: module attributes {rapt.maps = array<i64: 0>, rapt.shared = array<i64: 3328>, rapt.threads = array<i64: 32>}
// CHECK-LABEL: llvm.func @product(%{{.*}}: !llvm.ptr {llvm.align = 8 : i64, llvm.byval = !llvm.array<5 x i64>, nvvm.grid_constant})
// CHECK-SAME: nvvm.kernel, nvvm.maxntid = array<i32: 32>
// CHECK-SAME: denormal-fp-math-f32
// 64 parts of 16 bytes: two for each thread, zeros where the view ends.
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.cp.async.cg.shared.global.16.s"
// CHECK: llvm.call_intrinsic "llvm.nvvm.cp.async.commit.group"
// CHECK: nvvm.cp.async.wait.group 0
// CHECK: nvvm.barrier
// 16 rows by 32 columns of depth 16: the left operand once, the right one twice.
// CHECK: llvm.call_intrinsic "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16"
// CHECK: llvm.call_intrinsic "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16"
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"
// CHECK: llvm.call_intrinsic "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16"
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"
// CHECK-NOT: llvm.nvvm.mma
// CHECK-NOT: llvm.call @
nv.kernel @product warps 1 {
^bb0(%v: !tile.view<bf16, 2>):
  %c0 = arith.constant 0 : index
  %left = nv.shared : !nv.buffer<1, 16 by 16 of bf16>
  %right = nv.shared : !nv.buffer<2, 16 by 32 of bf16>
  nv.copy %v[%c0, %c0] into %right at %c0 : !tile.view<bf16, 2>, !nv.buffer<2, 16 by 32 of bf16>
  nv.commit
  nv.wait 0
  nv.barrier
  %s = nv.mma %left at %c0, %right at %c0 : (!nv.buffer<1, 16 by 16 of bf16>, index, !nv.buffer<2, 16 by 32 of bf16>, index) -> !nv.fragment<16x32xf32>
  nv.store %s, %v[%c0, %c0] : !nv.fragment<16x32xf32>, !tile.view<bf16, 2>
  nv.return
}

// -----

// What is the same along a side is computed once for it, and for a column just
// before its elements: of 2 rows by 4 columns, 2 conversions of rows, and for
// each column one and 2 sums.
// CHECK-LABEL: llvm.func @map(
// CHECK-COUNT-2: llvm.sitofp
// CHECK: llvm.uitofp
// CHECK-COUNT-2: llvm.fadd
// CHECK: llvm.uitofp
// CHECK-COUNT-2: llvm.fadd
// CHECK: llvm.uitofp
// CHECK-COUNT-2: llvm.fadd
// CHECK: llvm.uitofp
// CHECK-COUNT-2: llvm.fadd
// The largest of a row: in the thread, then among four threads.
// CHECK-COUNT-3: llvm.intr.maximum
// CHECK: llvm.nvvm.shfl.sync.bfly.f32
// CHECK: llvm.intr.maximum
// CHECK: llvm.nvvm.shfl.sync.bfly.f32
// CHECK: llvm.intr.maximum
nv.kernel @map warps 1 {
^bb0(%v: !tile.view<f32, 1>):
  %c0 = arith.constant 0 : index
  %i = nv.positions %c0 : !nv.fragment<16xi32, rows>
  %j = nv.positions %c0 : !nv.fragment<16xi32, columns>
  %x = nv.map(%i, %j) : (!nv.fragment<16xi32, rows>, !nv.fragment<16xi32, columns>) -> !nv.fragment<16x16xf32> {
  ^bb0(%a: i32, %b: i32):
    %0 = arith.sitofp %a : i32 to f32
    %1 = arith.uitofp %b : i32 to f32
    %2 = arith.addf %0, %1 : f32
    tile.yield %2 : f32
  }
  %m = nv.reduce max %x : !nv.fragment<16x16xf32> -> !nv.fragment<16xf32, rows>
  nv.store %m, %v[%c0] : !nv.fragment<16xf32, rows>, !tile.view<f32, 1>
  nv.return
}

// -----

// Functions are instructions of the machine, never calls; a read outside is one
// of zeros, without a branch.
// CHECK-LABEL: llvm.func @functions(
// CHECK: llvm.select {{.*}} : i1, !llvm.ptr<1>
// CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"
// CHECK: llvm.call_intrinsic "llvm.nvvm.rcp.approx.ftz.f"
// CHECK-NOT: llvm.call @
nv.kernel @functions warps 1 {
^bb0(%v: !tile.view<f32, 1>):
  %c0 = arith.constant 0 : index
  %x = nv.load %v[%c0] : !tile.view<f32, 1> -> !nv.fragment<16xf32, rows>
  %y = nv.map(%x) : (!nv.fragment<16xf32, rows>) -> !nv.fragment<16xf32, rows> {
  ^bb0(%a: f32):
    %0 = math.exp2 %a : f32
    %1 = math.tanh %0 : f32
    tile.yield %1 : f32
  }
  nv.store %y, %v[%c0] : !nv.fragment<16xf32, rows>, !tile.view<f32, 1>
  nv.return
}
