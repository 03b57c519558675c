// RUN: rapt-opt %s --attn-normalize-recurrences --split-input-file \
// RUN:   --remarks-filter="attn-normalize-recurrences" --remark-policy=all \
// RUN:   --verify-diagnostics | FileCheck %s

// A delta rule with a gate for each channel, in two lines: one decay, one
// correction, one write. The kinds of all other updates are in
// RecurrenceKindTest.cpp.

// CHECK-LABEL: func.func @gated_delta_rule
// CHECK:         attn.affine_scan [#attn.transition<channel rank = 1 writes = 1>] shape({{.*}}) queries(%{{.*}}) keys(%{{.*}}, %{{.*}}, %{{.*}}) {names = ["S"]}
// CHECK:         } step {
// CHECK-NEXT:    ^bb0(%{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %[[S:.*]]: tensor<4x3xf32>, %[[G:.*]]: tensor<4xf32>, %[[K:.*]]: tensor<4xf32>, %[[V:.*]]: tensor<3xf32>):
// CHECK-NEXT:      %[[DECAY:.*]] = math.exp %[[G]]
// CHECK-NEXT:      %[[READ:.*]] = arith.mulf %[[DECAY]], %[[K]]
// CHECK-NEXT:      %[[WRITE:.*]] = arith.negf %[[K]]
// CHECK-NEXT:      attn.yield %[[DECAY]], %[[WRITE]], %[[READ]], %[[K]], %[[V]] :
// CHECK-NEXT:    } read {
// CHECK-NEXT:    ^bb0({{.*}}, %{{[^ ]+}}: tensor<4x3xf32>, %[[AFTER:[^ ]+]]: tensor<4x3xf32>, %[[Q:[^ ]+]]: tensor<4xf32>, %{{[^ ]+}}: tensor<4xf32>, %{{[^ ]+}}: tensor<4xf32>, %{{[^ ]+}}: tensor<3xf32>):
// CHECK-NEXT:      %[[Y:.*]] = attn.vecmat %[[Q]], %[[AFTER]]
// CHECK-NEXT:      attn.yield %[[Y]]
func.func @gated_delta_rule(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %v: tensor<?x?x?x3xf32>, %g: tensor<?x?x?x4xf32>, %n: index) -> tensor<?x?x?x3xf32> {
  // expected-remark @below {{state 'S': diagonal plus rank one}}
  %out = attn.scan shape(%n, %n, %n, %n) queries(%q) keys(%g, %k, %v) {names = ["S"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x3xf32>) -> (tensor<?x?x?x3xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %zero = arith.constant dense<0.0> : tensor<4x3xf32>
    attn.yield %zero : tensor<4x3xf32>
  } body {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S: tensor<4x3xf32>, %query: tensor<4xf32>,
       %gate: tensor<4xf32>, %key: tensor<4xf32>, %value: tensor<3xf32>):
    %decay = math.exp %gate : tensor<4xf32>
    %spread = attn.spread %decay along 0 : tensor<4xf32> -> tensor<4x3xf32>
    %decayed = arith.mulf %spread, %S : tensor<4x3xf32>
    %found = attn.vecmat %key, %decayed : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
    %error = arith.subf %value, %found : tensor<3xf32>
    %write = attn.outer %key, %error : (tensor<4xf32>, tensor<3xf32>) -> tensor<4x3xf32>
    %next = arith.addf %decayed, %write : tensor<4x3xf32>
    %y = attn.vecmat %query, %next : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
    attn.yield %next, %y : tensor<4x3xf32>, tensor<3xf32>
  }
  return %out : tensor<?x?x?x3xf32>
}

// -----

// One state has a kind and one has not: it is computed as it was.

// CHECK-LABEL: func.func @one_of_two
// CHECK:         attn.affine_scan reverse finals [#attn.transition<nonlinear>, #attn.transition<identity writes = -1>]
func.func @one_of_two(%k: tensor<?x?x?x4xf32>, %n: index) -> (tensor<?x?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>) {
  // expected-remark @below {{state '0' is not affine: 'math.tanh' of the state}}
  // expected-remark @below {{state '1': identity}}
  %out:3 = attn.scan reverse finals shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %zero = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %zero, %zero : tensor<4xf32>, tensor<4xf32>
  } body {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %x: tensor<4xf32>, %sum: tensor<4xf32>, %key: tensor<4xf32>):
    %gate = math.tanh %x : tensor<4xf32>
    %next = arith.addf %gate, %key : tensor<4xf32>
    %total = arith.addf %sum, %next : tensor<4xf32>
    attn.yield %next, %total, %total : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  return %out#0, %out#1, %out#2 : tensor<?x?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>
}

// -----

// A product of the state by itself: the scan stays, and says why.

// CHECK-LABEL: func.func @negative_product
// CHECK:         attn.scan shape
func.func @negative_product(%k: tensor<?x?x?x4xf32>, %n: index) -> tensor<?x?x?x4xf32> {
  // expected-remark @below {{state 'S' is not affine: 'arith.mulf' of the state by itself}}
  %out = attn.scan shape(%n, %n, %n, %n) queries() keys(%k) {names = ["S"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %zero = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %zero : tensor<4xf32>
  } body {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %square = arith.mulf %S, %S : tensor<4xf32>
    %next = arith.addf %square, %key : tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return %out : tensor<?x?x?x4xf32>
}

// -----

// A read of the old state with a bonus for the present step: a product with the
// state itself, and a term of its own.

// CHECK-LABEL: func.func @bonus
// CHECK:         attn.affine_scan [#attn.transition<identity writes = 1>]
// CHECK:         } read {
// CHECK-NEXT:    ^bb0({{.*}}, %[[BEFORE:[^ ]+]]: tensor<4x3xf32>, %{{[^ ]+}}: tensor<4x3xf32>, %[[Q:[^ ]+]]: tensor<4xf32>, %[[K:[^ ]+]]: tensor<4xf32>, %[[V:[^ ]+]]: tensor<3xf32>):
// CHECK-NEXT:      %[[QK:.*]] = attn.dot %[[Q]], %[[K]]
// CHECK-NEXT:      %[[SPLAT:.*]] = attn.splat %[[QK]]
// CHECK-NEXT:      %[[BONUS:.*]] = arith.mulf %[[SPLAT]], %[[V]]
// CHECK-NEXT:      %[[READ:.*]] = attn.vecmat %[[Q]], %[[BEFORE]]
// CHECK-NEXT:      %[[Y:.*]] = arith.addf %[[BONUS]], %[[READ]]
// CHECK-NEXT:      attn.yield %[[Y]]
func.func @bonus(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %v: tensor<?x?x?x3xf32>, %n: index) -> tensor<?x?x?x3xf32> {
  // expected-remark @below {{state 'S': identity}}
  %out = attn.scan shape(%n, %n, %n, %n) queries(%q) keys(%k, %v) {names = ["S"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x3xf32>) -> (tensor<?x?x?x3xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %zero = arith.constant dense<0.0> : tensor<4x3xf32>
    attn.yield %zero : tensor<4x3xf32>
  } body {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S: tensor<4x3xf32>, %query: tensor<4xf32>, %key: tensor<4xf32>, %value: tensor<3xf32>):
    %write = attn.outer %key, %value : (tensor<4xf32>, tensor<3xf32>) -> tensor<4x3xf32>
    %with = attn.outer %key, %value : (tensor<4xf32>, tensor<3xf32>) -> tensor<4x3xf32>
    %sum = arith.addf %S, %with : tensor<4x3xf32>
    %y = attn.vecmat %query, %sum : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
    %next = arith.addf %S, %write : tensor<4x3xf32>
    attn.yield %next, %y : tensor<4x3xf32>, tensor<3xf32>
  }
  return %out : tensor<?x?x?x3xf32>
}
