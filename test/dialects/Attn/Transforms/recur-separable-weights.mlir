// RUN: rapt-opt %s --attn-recur-separable-weights --split-input-file \
// RUN:   --remarks-filter="attn-recur-separable-weights" --remark-policy=all \
// RUN:   --verify-diagnostics | FileCheck %s

// A causal ratio of products of rows: a sum of outer products and one of keys.
// The log-sum-exp, 0 for a ratio, is that of an attend without pairs.

// CHECK-LABEL: func.func @ratio
// CHECK:         %[[OUT:.*]] = attn.scan shape({{.*}}) queries(%{{.*}}) keys(%{{.*}}, %{{.*}}) {names = ["sum0", "weight0"]}
// CHECK:         body {
// CHECK:           %[[WRITE:.*]] = attn.outer %[[K:.*]], %{{.*}} :
// CHECK-NEXT:      %[[SUM:.*]] = arith.addf %{{.*}}, %[[WRITE]]
// CHECK-NEXT:      %[[READ:.*]] = attn.vecmat %[[Q:.*]], %[[SUM]]
// CHECK-NEXT:      %[[WEIGHT:.*]] = arith.addf %{{.*}}, %[[K]]
// CHECK-NEXT:      %[[TOTAL:.*]] = attn.dot %[[Q]], %[[WEIGHT]]
// CHECK:           arith.divf
// CHECK-NEXT:      attn.yield %[[SUM]], %[[WEIGHT]], %{{.*}}
// CHECK:         %{{.*}}, %[[LSE:.*]] = attn.attend sum
// CHECK:           arith.constant false
// CHECK:         return %[[OUT]], %[[LSE]]
func.func @ratio(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %v: tensor<?x?x?x3xf32>, %n: index) -> (tensor<?x?x?x3xf32>, tensor<?x?x?xf32>) {
  // expected-remark @below {{the weights are a recurrence}}
  %out, %lse = attn.attend ratio shape(%n, %n, %n, %n) queries(%q) keys(%k) values(%v)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x3xf32>) -> (tensor<?x?x?x3xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    %keep = arith.cmpi sge, %i, %j : i32
    attn.yield %keep : i1
  }
  return %out, %lse : tensor<?x?x?x3xf32>, tensor<?x?x?xf32>
}

// -----

// A window is no recurrence: keys leave the sum.

// CHECK-LABEL: func.func @negative_window
// CHECK-NOT:     attn.scan
func.func @negative_window(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %v: tensor<?x?x?x3xf32>, %n: index) -> tensor<?x?x?x3xf32> {
  // expected-remark @below {{the weights are no recurrence: the mask is not i >= j}}
  %out, %lse = attn.attend sum shape(%n, %n, %n, %n) queries(%q) keys(%k) values(%v)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x3xf32>) -> (tensor<?x?x?x3xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    %eight = arith.constant 8 : i32
    %distance = arith.subi %i, %j : i32
    %near = arith.cmpi slt, %distance, %eight : i32
    %past = arith.cmpi sge, %i, %j : i32
    %keep = arith.andi %near, %past : i1
    attn.yield %keep : i1
  }
  return %out : tensor<?x?x?x3xf32>
}

// -----

// A function of the product is none of its factors.

// CHECK-LABEL: func.func @negative_function
// CHECK-NOT:     attn.scan
func.func @negative_function(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %v: tensor<?x?x?x3xf32>, %n: index) -> tensor<?x?x?x3xf32> {
  // expected-remark @below {{the weights are no recurrence: 'math.tanh' of a query and a key together}}
  %out, %lse = attn.attend sum shape(%n, %n, %n, %n) queries(%q) keys(%k) values(%v)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x3xf32>) -> (tensor<?x?x?x3xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    %score = math.tanh %dot : f32
    attn.yield %score : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    %keep = arith.cmpi sge, %i, %j : i32
    attn.yield %keep : i1
  }
  return %out : tensor<?x?x?x3xf32>
}
