// RUN: rapt-opt %s --canonicalize --split-input-file | FileCheck %s

// A state that no output reads goes, with the operand and the capture that only
// it needs. The state that feeds another one stays.

// CHECK-LABEL: func.func @unused_state(
// CHECK-SAME:    %[[K:.*]]: tensor<?x?x?x4xf32>, %[[V:.*]]: tensor<?x?x?x4xf32>
// CHECK:         attn.scan shape({{.*}}) queries() keys(%[[K]]) {names = ["a", "b"]} :
// CHECK:         initial {
// CHECK-NEXT:    ^bb0(%{{.*}}: i32, %{{.*}}: i32):
// CHECK:         body {
// CHECK-NEXT:    ^bb0(%{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %[[A:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>, %[[KEY:.*]]: tensor<4xf32>):
// CHECK-NEXT:      %[[A1:.*]] = arith.addf %[[A]], %[[KEY]]
// CHECK-NEXT:      %[[B1:.*]] = arith.addf %[[B]], %[[A1]]
// CHECK-NEXT:      attn.yield %[[A1]], %[[B1]], %[[B1]] :
func.func @unused_state(%k: tensor<?x?x?x4xf32>, %v: tensor<?x?x?x4xf32>, %w: tensor<?xf32>, %n: index) -> tensor<?x?x?x4xf32> {
  %out:2 = attn.scan shape(%n, %n, %n, %n) queries() keys(%v, %k) captures(%w) {names = ["unused", "a", "b"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32, %weights: tensor<?xf32>):
    %zero = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %zero, %zero, %zero : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %unused: tensor<4xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>,
       %value: tensor<4xf32>, %key: tensor<4xf32>, %weights: tensor<?xf32>):
    %weight = attn.read %weights[%h0] : (tensor<?xf32>, i32) -> f32
    %splat = attn.splat %weight : f32 -> tensor<4xf32>
    %scaled = arith.mulf %splat, %value : tensor<4xf32>
    %next = arith.addf %unused, %scaled : tensor<4xf32>
    %a1 = arith.addf %a, %key : tensor<4xf32>
    %b1 = arith.addf %b, %a1 : tensor<4xf32>
    attn.yield %next, %a1, %b1, %b1, %next : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  return %out#0 : tensor<?x?x?x4xf32>
}

// -----

// States that are given back all stay.

// CHECK-LABEL: func.func @negative_finals(
// CHECK:         attn.scan finals {{.*}} {names = ["S", "z"]}
func.func @negative_finals(%k: tensor<?x?x?x4xf32>, %n: index) -> tensor<?x?x4xf32> {
  %out:3 = attn.scan finals shape(%n, %n, %n, %n) queries() keys(%k) {names = ["S", "z"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %zero = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %zero, %zero : tensor<4xf32>, tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %z: tensor<4xf32>, %key: tensor<4xf32>):
    %S1 = arith.addf %S, %key : tensor<4xf32>
    %z1 = arith.mulf %z, %key : tensor<4xf32>
    attn.yield %S1, %z1, %S1 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  return %out#1 : tensor<?x?x4xf32>
}

// -----

// A state that never changes is its initial value.

// CHECK-LABEL: func.func @constant_state(
// CHECK:         attn.scan shape({{.*}}) queries() keys(%{{.*}}) captures(%{{.*}}) {names = ["S"]} :
// CHECK:         body {
// CHECK-NEXT:    ^bb0(%[[BATCH:.*]]: i32, %[[HEAD:.*]]: i32, %{{.*}}: i32, %{{.*}}: i32, %[[S:.*]]: tensor<4xf32>, %[[KEY:.*]]: tensor<4xf32>, %[[W:.*]]: tensor<?x4xf32>):
// CHECK-NEXT:      %[[READ:.*]] = attn.read %[[W]][%[[HEAD]]]
// CHECK-NEXT:      %[[PRODUCT:.*]] = arith.mulf %[[READ]], %[[KEY]]
// CHECK-NEXT:      %[[NEXT:.*]] = arith.addf %[[S]], %[[PRODUCT]]
// CHECK-NEXT:      attn.yield %[[NEXT]], %[[NEXT]]
func.func @constant_state(%k: tensor<?x?x?x4xf32>, %w: tensor<?x4xf32>, %n: index) -> tensor<?x?x?x4xf32> {
  %out = attn.scan shape(%n, %n, %n, %n) queries() keys(%k) captures(%w) {names = ["S", "c"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32, %weights: tensor<?x4xf32>):
    %zero = arith.constant dense<0.0> : tensor<4xf32>
    %read = attn.read %weights[%h0] : (tensor<?x4xf32>, i32) -> tensor<4xf32>
    attn.yield %zero, %read : tensor<4xf32>, tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %c: tensor<4xf32>, %key: tensor<4xf32>, %weights: tensor<?x4xf32>):
    %product = arith.mulf %c, %key : tensor<4xf32>
    %S1 = arith.addf %S, %product : tensor<4xf32>
    attn.yield %S1, %c, %S1 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  return %out : tensor<?x?x?x4xf32>
}
