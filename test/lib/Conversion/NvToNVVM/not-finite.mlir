// What is not finite: found in registers by products with 0, in memory by
// exponents of which all bits are set.

// RUN: rapt-opt --nv-to-nvvm --cse %s | FileCheck %s

// A flag is a barrier and a word: 4096 bytes of the buffer, then 16.
// CHECK: rapt.shared = array<i64: 4112>
// CHECK-LABEL: llvm.func @careful
// CHECK: mbarrier.init.shared::cta.b64
// CHECK: llvm.intr.fma
// CHECK: llvm.fcmp "uno"
// CHECK: bar.red.or.pred any, 2, 128, own;
// CHECK: llvm.store %{{.*}} : i32, !llvm.ptr<3>
// CHECK: mbarrier.arrive.shared::cta.b64 _, [$0];
// The exponents of two bf16 in a word.
// CHECK-DAG: llvm.mlir.constant(32640 : i32)
// CHECK-DAG: llvm.mlir.constant(2139095040 : i32)
// CHECK: bar.red.or.pred any, 2, 128, own;
// CHECK: llvm.nvvm.shfl.sync.idx.i32
// CHECK: llvm.intr.fma
// CHECK: bar.sync 2, 128;
// CHECK: llvm.store %{{.*}} : vector<4xi32>, !llvm.ptr<3>
// CHECK: fence.proxy.async.shared::cta;
// CHECK: bar.sync 2, 128;
// CHECK: mbarrier.try_wait.parity.shared::cta.b64
// CHECK: ld.volatile.shared.b32 $0, [$1];
nv.kernel @careful warps 4 producers 4 {
^bb0(%n: index, %out: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %buffer = nv.shared : !nv.buffer<1, 32 by 64 of bf16, swizzled>
  %flag = nv.flag
  nv.barrier
  nv.roles consumers registers 240 {
    %sums = nv.load %out[%c0, %c0] : !tile.view<f32, 2> -> !nv.fragment<64x64xf32>
    %scores = nv.load %out[%c0, %c0] : !tile.view<f32, 2> -> !nv.fragment<64x32xf32>
    %any = nv.any_not_finite %sums : !nv.fragment<64x64xf32>
    nv.set_flag %flag, %any
    %p = nv.pack %scores : !nv.fragment<64x32xf32> -> !nv.operand<64 by 32 of bf16>
    %taken = nv.take_not_finite %p, %buffer at %c0 onto %sums : (!nv.operand<64 by 32 of bf16>, !nv.buffer<1, 32 by 64 of bf16, swizzled>, index, !nv.fragment<64x64xf32>) -> !nv.fragment<64x64xf32>
    nv.store %taken, %out[%c0, %c0] : !nv.fragment<64x64xf32>, !tile.view<f32, 2>
  } producers registers 56 active %c0 {
    %again = nv.await_flag %flag time %c0
  }
  nv.return
}
