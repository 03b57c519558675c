// RUN: rapt-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @drop_true_mask(
func.func @drop_true_mask(%x: tensor<?x?x?x4xf32>, %n: index) -> tensor<?x?x?x4xf32> {
  // CHECK: attn.attend
  // CHECK-NOT: mask {
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>)
      -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    %true = arith.constant true
    attn.yield %true : i1
  } factor {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    attn.yield %dot : f32
  }
  // CHECK: return
  return %out : tensor<?x?x?x4xf32>
}

// CHECK-LABEL: func.func @keep_other_masks(
func.func @keep_other_masks(%x: tensor<?x?x?x4xf32>, %n: index) -> tensor<?x?x?x4xf32> {
  // CHECK: mask {
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>)
      -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    %false = arith.constant false
    attn.yield %false : i1
  }
  return %out : tensor<?x?x?x4xf32>
}

// Rounded down, and a remainder that is never negative.
// CHECK-LABEL: func.func @fold_constants(
func.func @fold_constants() -> (i32, i32, i64, i64, i32, i32) {
  %minus7 = arith.constant -7 : i32
  %3 = arith.constant 3 : i32
  %minus6 = arith.constant -6 : i64
  %wide3 = arith.constant 3 : i64
  %7 = arith.constant 7 : i32
  // CHECK-DAG: %[[QUOTIENT:.*]] = arith.constant -3 : i32
  // CHECK-DAG: %[[REST:.*]] = arith.constant 2 : i32
  // CHECK-DAG: %[[WIDE_QUOTIENT:.*]] = arith.constant -2 : i64
  // CHECK-DAG: %[[WIDE_REST:.*]] = arith.constant 0 : i64
  // CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
  %a = attn.floordiv %minus7, %3 : i32
  %b = attn.mod %minus7, %3 : i32
  %c = attn.floordiv %minus6, %wide3 : i64
  %d = attn.mod %minus6, %wide3 : i64
  %e = attn.floordiv %7, %3 : i32
  %f = attn.mod %7, %3 : i32
  // CHECK: return %[[QUOTIENT]], %[[REST]], %[[WIDE_QUOTIENT]], %[[WIDE_REST]], %[[REST]], %[[ONE]]
  return %a, %b, %c, %d, %e, %f : i32, i32, i64, i64, i32, i32
}

// CHECK-LABEL: func.func @fold_rows(
func.func @fold_rows() -> (tensor<3xi32>, tensor<3xi32>) {
  %x = arith.constant dense<[-4, -3, 5]> : tensor<3xi32>
  %3 = arith.constant dense<3> : tensor<3xi32>
  // CHECK-DAG: %[[QUOTIENT:.*]] = arith.constant dense<[-2, -1, 1]> : tensor<3xi32>
  // CHECK-DAG: %[[REST:.*]] = arith.constant dense<[2, 0, 2]> : tensor<3xi32>
  %a = attn.floordiv %x, %3 : tensor<3xi32>
  %b = attn.mod %x, %3 : tensor<3xi32>
  // CHECK: return %[[QUOTIENT]], %[[REST]]
  return %a, %b : tensor<3xi32>, tensor<3xi32>
}

// CHECK-LABEL: func.func @by_one(
// CHECK-SAME:    %[[X:.*]]: i32, %[[ROW:.*]]: tensor<4xi32>)
func.func @by_one(%x: i32, %row: tensor<4xi32>) -> (i32, i32, tensor<4xi32>, tensor<4xi32>) {
  %1 = arith.constant 1 : i32
  %ones = arith.constant dense<1> : tensor<4xi32>
  // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
  // CHECK-DAG: %[[ZEROS:.*]] = arith.constant dense<0> : tensor<4xi32>
  %a = attn.floordiv %x, %1 : i32
  %b = attn.mod %x, %1 : i32
  %c = attn.floordiv %row, %ones : tensor<4xi32>
  %d = attn.mod %row, %ones : tensor<4xi32>
  // CHECK: return %[[X]], %[[ZERO]], %[[ROW]], %[[ZEROS]]
  return %a, %b, %c, %d : i32, i32, tensor<4xi32>, tensor<4xi32>
}

// A divisor that is not positive has no meaning and is left alone.
// CHECK-LABEL: func.func @no_divisor(
func.func @no_divisor(%x: i32) -> (i32, i32) {
  %0 = arith.constant 0 : i32
  %7 = arith.constant 7 : i32
  // CHECK: attn.floordiv
  // CHECK: attn.mod
  %a = attn.floordiv %7, %0 : i32
  %b = attn.mod %7, %0 : i32
  return %a, %b : i32, i32
}
