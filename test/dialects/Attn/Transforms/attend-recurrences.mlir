// RUN: rapt-opt %s --attn-attend-recurrences --split-input-file \
// RUN:   --remarks-filter="attn-attend-recurrences" --remark-policy=all \
// RUN:   --verify-diagnostics | FileCheck %s

// A decay for each step becomes a difference of running sums, taken before the
// exponential. What is turned otherwise is in SeparableWeightsTest.cpp.

// CHECK-LABEL: func.func @decay
// CHECK:         %[[Q:.*]] = attn.map queries
// CHECK:         %[[K:.*]] = attn.map keys
// CHECK:         %[[V:.*]] = attn.map keys
// CHECK:         %[[G:.*]] = attn.map keys
// CHECK:         %[[SUMS:.*]] = attn.scan shape({{.*}}) queries() keys(%[[G]]) {names = ["gates"]}
// CHECK:         attn.attend sum shape({{.*}}) queries(%[[Q]]) keys(%[[K]]) values(%[[V]]) captures(%[[SUMS]])
// CHECK:           %[[DIFFERENCE:.*]] = arith.subf
// CHECK-NEXT:      %[[WEIGHT:.*]] = math.exp %[[DIFFERENCE]]
// CHECK:           arith.cmpi sge
func.func @decay(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %v: tensor<?x?x?x3xf32>, %g: tensor<?x?x?x1xf32>, %n: index) -> tensor<?x?x?x3xf32> {
  // expected-remark @below {{the recurrence is a sum over keys}}
  %out = attn.affine_scan [#attn.transition<scalar writes = 1>] shape(%n, %n, %n, %n) queries(%q) keys(%k, %v, %g)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x3xf32>, tensor<?x?x?x1xf32>) -> tensor<?x?x?x3xf32>
  initial {
  ^bb0(%b: i32, %h: i32):
    %zero = arith.constant dense<0.0> : tensor<4x3xf32>
    attn.yield %zero : tensor<4x3xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S: tensor<4x3xf32>, %key: tensor<4xf32>, %value: tensor<3xf32>, %gate: tensor<1xf32>):
    %number = attn.reduce add %gate : (tensor<1xf32>) -> f32
    %decay = math.exp %number : f32
    attn.yield %decay, %key, %value : f32, tensor<4xf32>, tensor<3xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S: tensor<4x3xf32>, %after: tensor<4x3xf32>, %query: tensor<4xf32>, %key: tensor<4xf32>, %value: tensor<3xf32>, %gate: tensor<1xf32>):
    %y = attn.vecmat %query, %after : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
    attn.yield %y : tensor<3xf32>
  }
  return %out : tensor<?x?x?x3xf32>
}

// -----

// A correction is no sum over keys.

// CHECK-LABEL: func.func @negative_correction
// CHECK:         attn.affine_scan
func.func @negative_correction(%k: tensor<?x?x?x4xf32>, %n: index) -> tensor<?x?x?x4xf32> {
  // expected-remark @below {{the recurrence is no sum over keys: the transition is no number with one product of rows}}
  %out = attn.affine_scan [#attn.transition<identity rank = 1 writes = 1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32>
  initial {
  ^bb0(%b: i32, %h: i32):
    %zero = arith.constant dense<0.0> : tensor<4x4xf32>
    attn.yield %zero : tensor<4x4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S: tensor<4x4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key, %key, %key : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S: tensor<4x4xf32>, %after: tensor<4x4xf32>, %key: tensor<4xf32>):
    %y = attn.vecmat %key, %after : (tensor<4xf32>, tensor<4x4xf32>) -> tensor<4xf32>
    attn.yield %y : tensor<4xf32>
  }
  return %out : tensor<?x?x?x4xf32>
}
