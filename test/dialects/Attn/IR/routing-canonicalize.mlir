// RUN: rapt-opt %s --canonicalize | FileCheck %s

// Blocks that are the windows already.
// CHECK-LABEL: func.func @regroup_of_blocks(
// CHECK-SAME: %[[P:[a-z0-9]+]]: tensor<?x?x?x?xf32>
func.func @regroup_of_blocks(%p: tensor<?x?x?x?xf32>, %n: index) -> (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) {
  %0 = attn.regroup %p size 16 stride 16 into 16 positions %n : (tensor<?x?x?x?xf32>, index) -> tensor<?x?x?x?xf32>
  // CHECK: %[[R:.*]] = attn.regroup %[[P]] size 32 stride 16 into 16
  %1 = attn.regroup %p size 32 stride 16 into 16 positions %n : (tensor<?x?x?x?xf32>, index) -> tensor<?x?x?x?xf32>
  // CHECK: return %[[P]], %[[R]]
  return %0, %1 : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
}

// A condition that always holds is none.
// CHECK-LABEL: func.func @true_conditions(
func.func @true_conditions(%b: index) -> (tensor<?x?x?x?xf32>, tensor<?x?x?x?xi1>) {
  // CHECK: attn.weights sum
  // CHECK-NOT: mask
  %0 = attn.weights sum shape(%b, %b, %b, %b) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xf32>
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %one = arith.constant 1.0 : f32
    attn.yield %one : f32
  } mask {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %true = arith.constant true
    attn.yield %true : i1
  }
  // CHECK: attn.select top
  // CHECK-NOT: where
  // CHECK: force {
  %1 = attn.select top shape(%b, %b, %b, %b) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xi1>
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %three = arith.constant 3 : i32
    attn.yield %three : i32
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %c: i32):
    %one = arith.constant 1.0 : f32
    attn.yield %one : f32
  } where {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %c: i32):
    %true = arith.constant true
    attn.yield %true : i1
  } force {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %c: i32):
    %true = arith.constant true
    attn.yield %true : i1
  }
  return %0, %1 : tensor<?x?x?x?xf32>, tensor<?x?x?x?xi1>
}

// One branch that is an attend is its own merge.
// CHECK-LABEL: func.func @merge_of_one(
func.func @merge_of_one(%v: tensor<?x?x?x4xf32>, %b: index) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>) {
  // CHECK: %[[R:.*]], %[[L:.*]] = attn.attend
  %r, %l = attn.attend softmax shape(%b, %b, %b, %b) queries() keys() values(%v) : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %one = arith.constant 1.0 : f32
    attn.yield %one : f32
  }
  // CHECK-NOT: attn.merge
  %0, %1 = attn.merge branches(%r) lses(%l) : (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  // CHECK: return %[[R]], %[[L]]
  return %0, %1 : tensor<?x?x?x4xf32>, tensor<?x?x?xf32>
}

// What a map made of a branch need not be 0 where its row is empty.
// CHECK-LABEL: func.func @negative_merge_of_a_map(
func.func @negative_merge_of_a_map(%r: tensor<?x?x?x4xf32>, %l: tensor<?x?x?xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>) {
  // CHECK: attn.merge
  %0, %1 = attn.merge branches(%r) lses(%l) : (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  return %0, %1 : tensor<?x?x?x4xf32>, tensor<?x?x?xf32>
}
