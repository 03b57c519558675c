// A script that wants a floordiv keeps nothing else.

// RUN: rapt-reduce %s --reduction-tree="traversal-mode=0 test=%S/Inputs/has_floordiv.sh" | FileCheck %s

// CHECK-NOT: func.func @other
// CHECK: attn.floordiv
// CHECK-NOT: func.func @other
func.func @other(%x: i32) -> i32 {
  return %x : i32
}
func.func @wanted(%x: i32, %y: i32) -> i32 {
  %0 = attn.floordiv %x, %y : i32
  return %0 : i32
}
