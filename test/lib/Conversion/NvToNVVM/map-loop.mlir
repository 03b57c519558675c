// A region that is too much code for all elements side by side is a loop over
// them: fragments move on by one place, a row is chosen by the number of the
// element, and the stride of a constant index is hidden inside.
// RUN: rapt-opt %s --nv-to-nvvm | FileCheck %s

// 2 rows by 64 columns of a thread.
// CHECK-LABEL: llvm.func @loop(
// CHECK: llvm.br ^[[HEAD:bb[0-9]+]](
// CHECK: llvm.icmp "slt" {{.*}} : i32
// CHECK: llvm.cond_br
// CHECK-COUNT-2: llvm.inline_asm has_side_effects {{.*}} "mov.b64 $0, $1;"
// CHECK: llvm.load
// CHECK-NOT: llvm.load
// CHECK: llvm.br ^[[HEAD]](
// CHECK: llvm.store
nv.kernel @loop warps 1 {
^bb0(%v: !tile.view<f32, 2>):
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : i32
  %i = nv.positions %c0 : !nv.fragment<16xi32, rows>
  %j = nv.positions %c0 : !nv.fragment<256xi32, columns>
  %x = nv.map(%i, %j) : (!nv.fragment<16xi32, rows>, !nv.fragment<256xi32, columns>) -> !nv.fragment<16x256xf32> {
  ^bb0(%a: i32, %b: i32):
    %0 = tile.read %v[%a, %c3] : (!tile.view<f32, 2>, i32, i32) -> f32
    %1 = arith.sitofp %b : i32 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = math.sin %2 : f32
    %4 = math.cos %2 : f32
    %5 = math.sin %4 : f32
    %6 = math.sin %5 : f32
    %7 = arith.addf %3, %6 : f32
    tile.yield %7 : f32
  }
  nv.store %x, %v[%c0, %c0] : !nv.fragment<16x256xf32>, !tile.view<f32, 2>
  nv.return
}
