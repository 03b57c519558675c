// RUN: rapt-opt %s | rapt-opt | FileCheck %s
// RUN: rapt-opt --mlir-print-op-generic %s | rapt-opt | FileCheck %s

// Every kind of transition, with what the step yields for it.
// CHECK-LABEL: func.func @kinds(
func.func @kinds(%k: tensor<?x?x?x4xf32>, %w: tensor<?x4x3xf32>, %n: index) -> tensor<?x?x?x4xf32> {
  // CHECK: attn.affine_scan reverse [#attn.transition<identity writes = -1>, #attn.transition<reset rank = 1>, #attn.transition<scalar steady = true>,
  // CHECK-SAME: #attn.transition<channel axis = 1 writes = 2>, #attn.transition<element writes = -1>, #attn.transition<max_plus writes = -1>,
  // CHECK-SAME: #attn.transition<rotation partners = [7]>, #attn.transition<rotation partners = [6]>, #attn.transition<hold partners = [1]>, #attn.transition<nonlinear>]
  // CHECK-SAME: shape({{.*}}) queries() keys(%{{.*}}) captures(%{{.*}}) :
  %out = attn.affine_scan reverse [
        #attn.transition<identity writes = -1>, #attn.transition<reset rank = 1>,
        #attn.transition<scalar steady = true>, #attn.transition<channel axis = 1 writes = 2>,
        #attn.transition<element writes = -1>, #attn.transition<max_plus writes = -1>,
        #attn.transition<rotation partners = [7]>, #attn.transition<rotation partners = [6]>,
        #attn.transition<hold partners = [1]>, #attn.transition<nonlinear>]
      shape(%n, %n, %n, %n) queries() keys(%k) captures(%w)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x4x3xf32>) -> tensor<?x?x?x4xf32>
  // CHECK: initial {
  initial {
  ^bb0(%b: i32, %h: i32, %weights: tensor<?x4x3xf32>):
    %number = arith.constant 0.0 : f32
    %row = arith.constant dense<0.0> : tensor<4xf32>
    %matrix = arith.constant dense<0.0> : tensor<4x3xf32>
    attn.yield %row, %row, %number, %matrix, %matrix, %number, %row, %row, %row, %row
        : tensor<4xf32>, tensor<4xf32>, f32, tensor<4x3xf32>, tensor<4x3xf32>, f32, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  // CHECK: } step {
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %s0: tensor<4xf32>, %s1: tensor<4xf32>, %s2: f32, %s3: tensor<4x3xf32>, %s4: tensor<4x3xf32>, %s5: f32,
       %s6: tensor<4xf32>, %s7: tensor<4xf32>, %s8: tensor<4xf32>, %s9: tensor<4xf32>, %key: tensor<4xf32>, %weights: tensor<?x4x3xf32>):
    %matrix = attn.read %weights[%h] : (tensor<?x4x3xf32>, i32) -> tensor<4x3xf32>
    %row = attn.vecmat %key, %matrix : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
    %number = attn.reduce add %key : (tensor<4xf32>) -> f32
    %opposite = arith.negf %key : tensor<4xf32>
    %zero = arith.constant 0 : i32
    %is = arith.cmpi eq, %j, %zero : i32
    %next = math.tanh %s9 : tensor<4xf32>
    attn.yield %key, %key, %key, %number, %row, %key, %row, %key, %row, %matrix, %matrix, %number, %number,
        %key, %key, %key, %opposite, %is, %next
        : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, f32, tensor<3xf32>, tensor<4xf32>, tensor<3xf32>, tensor<4xf32>, tensor<3xf32>,
          tensor<4x3xf32>, tensor<4x3xf32>, f32, f32, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, i1, tensor<4xf32>
  // CHECK: } read {
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %s0: tensor<4xf32>, %s1: tensor<4xf32>, %s2: f32, %s3: tensor<4x3xf32>, %s4: tensor<4x3xf32>, %s5: f32,
       %s6: tensor<4xf32>, %s7: tensor<4xf32>, %s8: tensor<4xf32>, %s9: tensor<4xf32>,
       %a0: tensor<4xf32>, %a1: tensor<4xf32>, %a2: f32, %a3: tensor<4x3xf32>, %a4: tensor<4x3xf32>, %a5: f32,
       %a6: tensor<4xf32>, %a7: tensor<4xf32>, %a8: tensor<4xf32>, %a9: tensor<4xf32>, %key: tensor<4xf32>, %weights: tensor<?x4x3xf32>):
    %sum = arith.addf %s0, %a9 : tensor<4xf32>
    attn.yield %sum : tensor<4xf32>
  }
  return %out : tensor<?x?x?x4xf32>
}
