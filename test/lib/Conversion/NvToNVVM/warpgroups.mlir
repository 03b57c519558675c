// Products of warpgroups and their waits are one piece of assembly each, roles
// are the branches of one condition.

// RUN: rapt-opt --nv-to-nvvm --cse %s | FileCheck %s

// 8192 bytes of the buffer, then a barrier. 24 words of the map, from a multiple
// of 8 on: words 8 to 31.
// CHECK: module attributes {rapt.maps = array<i64: 1>, rapt.shared = array<i64: 8200>, rapt.threads = array<i64: 256>}
// CHECK-LABEL: llvm.func @roles(%{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<32 x i64>, nvvm.grid_constant})
// CHECK-SAME: nvvm.maxntid = array<i32: 256>
// CHECK-SAME: nvvm.minctasm = 1
// CHECK: mbarrier.init.shared::cta.b64
// CHECK: fence.mbarrier_init.release.cluster;
// CHECK: nvvm.barrier
// CHECK: nvvm.setmaxregister decrease 240
// CHECK: mbarrier.try_wait.parity.shared::cta.b64
// Four steps of depth 16: 32 bytes further in the piece each, in units of 16.
// CHECK: wgmma.fence.sync.aligned; add.s64 b, ${{[0-9]+}}, 0; add.s64 a, $32, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{.*}}, a, b, no, 1, 1, 0, 0;
// CHECK-SAME: add.s64 b, ${{[0-9]+}}, 2; add.s64 a, $32, 2; wgmma.mma_async
// CHECK-SAME: , a, b, yes, 1, 1, 0, 0;
// CHECK-SAME: add.s64 b, ${{[0-9]+}}, 6; add.s64 a, $32, 6; wgmma.mma_async
// CHECK-SAME: wgmma.commit_group.sync.aligned;
// The registers of the product come anew from the wait.
// CHECK: llvm.inline_asm has_side_effects
// CHECK-SAME: wgmma.wait_group.sync.aligned 0;
// CHECK-SAME: =f
// Pairs of columns are a left operand; 16 rows on the right are 2048 bytes.
// CHECK-COUNT-16: llvm.nvvm.ff2bf16x2.rn
// CHECK: wgmma.fence.sync.aligned; add.s64 b, $[[B:[0-9]+]], 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{.*}}, {$32, $33, $34, $35}, b, yes, 1, 1, 1;
// CHECK-SAME: add.s64 b, $[[B]], 128; wgmma.mma_async
// The operand's registers stay until the wait.
// CHECK: wgmma.wait_group.sync.aligned 0;
// CHECK-SAME: =f,r,r
// CHECK: mbarrier.arrive.shared::cta.b64 _, [$0];
// CHECK: nvvm.setmaxregister decrease 56
// One thread begins the copy of the box, and arrives for all.
// CHECK: mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;
// CHECK: mbarrier.arrive.shared::cta.b64 _, [$0], $1;
// CHECK: cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$3, $4, $5}], [$2];
// Without a map all copy; each arrives when its copies are there, and does not
// wait for them.
// CHECK: llvm.nvvm.cp.async.cg.shared.global.16.s
// CHECK-NOT: bar.sync
// CHECK: cp.async.mbarrier.arrive.noinc.shared::cta.b64 [$0];
nv.kernel @roles warps 4 producers 4 {
^bb0(%v: !tile.view<bf16, 3>, %map: !nv.tensor_map<3>):
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %rows = tile.window %v[%c0] : !tile.view<bf16, 3> -> !tile.view<bf16, 2>
  %buffer = nv.shared : !nv.buffer<1, 64 by 64 of bf16, swizzled>
  %full = nv.barriers arrivals 1 : !nv.barriers<1>
  nv.barrier
  nv.roles consumers registers 240 {
    nv.await %full at %c0 phase %c0 : !nv.barriers<1>
    %s = nv.mma_async rhs_transposed %buffer at %c0, %buffer at %c0 : (!nv.buffer<1, 64 by 64 of bf16, swizzled>, index, !nv.buffer<1, 64 by 64 of bf16, swizzled>, index) -> !nv.in_flight<<64x64xf32>>
    %scores = nv.mma_wait 0 of %s : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
    %p = nv.pack %scores : !nv.fragment<64x64xf32> -> !nv.operand<64 by 64 of bf16>
    %o = nv.mma_async %p, %buffer at %c0 onto %scores : (!nv.operand<64 by 64 of bf16>, !nv.buffer<1, 64 by 64 of bf16, swizzled>, index, !nv.fragment<64x64xf32>) -> !nv.in_flight<<64x64xf32>>
    %done = nv.mma_wait 0 of %o : (!nv.in_flight<<64x64xf32>>) -> !nv.fragment<64x64xf32>
    nv.arrive %full at %c0 : !nv.barriers<1>
    nv.store %done, %rows[%c0, %c0] : !nv.fragment<64x64xf32>, !tile.view<bf16, 2>
  } producers registers 56 active %c0 {
    nv.fetch %rows[%c0, %c0] into %buffer at %c0 signals %full through %map[%c0] : !tile.view<bf16, 2>, !nv.buffer<1, 64 by 64 of bf16, swizzled>, !nv.barriers<1>, !nv.tensor_map<3>
    nv.fetch %rows[%c0, %c0] into %buffer at %c0 signals %full : !tile.view<bf16, 2>, !nv.buffer<1, 64 by 64 of bf16, swizzled>, !nv.barriers<1>
  }
  nv.return
}
