// RUN: rapt-opt %s | rapt-opt | FileCheck %s
// RUN: rapt-opt --mlir-print-op-generic %s | rapt-opt | FileCheck %s

// A matrix, a row and a number carried together; the states given back.
// CHECK-LABEL: func.func @gated(
func.func @gated(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xbf16>, %v: tensor<?x?x?x3xf32>,
                 %g: tensor<?x?x?xf32>, %b: index, %h: index, %m: index, %n: index)
    -> (tensor<?x?x?x3xf32>, tensor<?x?x4x3xf32>, tensor<?x?x4xf32>, tensor<?x?xf32>) {
  // CHECK: attn.scan finals shape(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) queries(%{{.*}}) keys(%{{.*}}, %{{.*}}) captures(%{{.*}}) {names = ["S", "z", "m"]} :
  %out:4 = attn.scan finals shape(%b, %h, %m, %n) queries(%q) keys(%k, %v) captures(%g) {names = ["S", "z", "m"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xbf16>, tensor<?x?x?x3xf32>, tensor<?x?x?xf32>)
      -> (tensor<?x?x?x3xf32>, tensor<?x?x4x3xf32>, tensor<?x?x4xf32>, tensor<?x?xf32>)
  // CHECK: initial {
  initial {
  ^bb0(%b0: i32, %h0: i32, %gates: tensor<?x?x?xf32>):
    %zero = arith.constant 0.0 : f32
    // CHECK: attn.splat %{{.*}} : f32 -> tensor<4x3xf32>
    %s = attn.splat %zero : f32 -> tensor<4x3xf32>
    %z = attn.splat %zero : f32 -> tensor<4xf32>
    %minus = arith.constant 0xFF800000 : f32
    // CHECK: attn.yield %{{.*}}, %{{.*}}, %{{.*}} : tensor<4x3xf32>, tensor<4xf32>, f32
    attn.yield %s, %z, %minus : tensor<4x3xf32>, tensor<4xf32>, f32
  // CHECK: } body {
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4x3xf32>, %z: tensor<4xf32>, %m0: f32,
       %query: tensor<4xf32>, %key: tensor<4xf32>, %value: tensor<3xf32>, %gates: tensor<?x?x?xf32>):
    %gate = attn.read %gates[%b0, %h0, %j] : (tensor<?x?x?xf32>, i32, i32, i32) -> f32
    %m1 = arith.maximumf %m0, %gate : f32
    %difference = arith.subf %m0, %m1 : f32
    %decay = math.exp %difference : f32
    // CHECK: attn.splat %{{.*}} : f32 -> tensor<4x3xf32>
    %decays = attn.splat %decay : f32 -> tensor<4x3xf32>
    %kept = arith.mulf %decays, %S : tensor<4x3xf32>
    // CHECK: attn.outer %{{.*}}, %{{.*}} : (tensor<4xf32>, tensor<3xf32>) -> tensor<4x3xf32>
    %write = attn.outer %key, %value : (tensor<4xf32>, tensor<3xf32>) -> tensor<4x3xf32>
    // CHECK: attn.spread %{{.*}} along 0 : tensor<4xf32> -> tensor<4x3xf32>
    // CHECK: attn.spread %{{.*}} along 1 : tensor<3xf32> -> tensor<4x3xf32>
    %rows = attn.spread %key along 0 : tensor<4xf32> -> tensor<4x3xf32>
    %columns = attn.spread %value along 1 : tensor<3xf32> -> tensor<4x3xf32>
    %same = arith.mulf %rows, %columns : tensor<4x3xf32>
    %both = arith.addf %write, %same : tensor<4x3xf32>
    %S1 = arith.addf %kept, %both : tensor<4x3xf32>
    %z1 = arith.addf %z, %key : tensor<4xf32>
    // CHECK: attn.vecmat %{{.*}}, %{{.*}} : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
    %y = attn.vecmat %query, %S1 : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<3xf32>
    // CHECK: attn.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<4x3xf32>, tensor<4xf32>, f32, tensor<3xf32>
    attn.yield %S1, %z1, %m1, %y : tensor<4x3xf32>, tensor<4xf32>, f32, tensor<3xf32>
  }
  return %out#0, %out#1, %out#2, %out#3 : tensor<?x?x?x3xf32>, tensor<?x?x4x3xf32>, tensor<?x?x4xf32>, tensor<?x?xf32>
}

// Backwards, without queries, with two outputs.
// CHECK-LABEL: func.func @backwards(
func.func @backwards(%k: tensor<?x?x?x4xf32>, %b: index, %n: index) -> (tensor<?x1x?x4xf32>, tensor<?x1x?x1xf32>) {
  %one = arith.constant 1 : index
  // CHECK: attn.scan reverse shape(%{{.*}}) queries() keys(%{{.*}}) :
  %out:2 = attn.scan reverse shape(%b, %one, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x1x?x4xf32>, tensor<?x1x?x1xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %zero = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %zero : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %sum: tensor<4xf32>, %key: tensor<4xf32>):
    %next = arith.addf %sum, %key : tensor<4xf32>
    %total = attn.reduce add %next : (tensor<4xf32>) -> f32
    %totals = attn.splat %total : f32 -> tensor<1xf32>
    attn.yield %next, %next, %totals : tensor<4xf32>, tensor<4xf32>, tensor<1xf32>
  }
  return %out#0, %out#1 : tensor<?x1x?x4xf32>, tensor<?x1x?x1xf32>
}

// Keys that are carried on, beside values that are not; a score per feature.
// CHECK-LABEL: func.func @carry(
func.func @carry(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xbf16>, %v: tensor<?x?x?x3xf32>, %g: tensor<?x?x?x4xf32>, %n: index)
    -> (tensor<?x?x?x3xf32>, tensor<?x?x?xf32>) {
  // CHECK: attn.attend softmax shape({{.*}}) queries(%{{.*}}) keys(%{{.*}}) values(%{{.*}}) steps(%{{.*}}) :
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%q) keys(%k) values(%v) steps(%g)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xbf16>, tensor<?x?x?x3xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x3xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    // CHECK: attn.yield %{{.*}} : tensor<3xf32>
    %scores = attn.splat %dot : f32 -> tensor<3xf32>
    attn.yield %scores : tensor<3xf32>
  // CHECK: } carry {
  // CHECK-NEXT: ^bb0(%{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: tensor<4xf32>, %{{.*}}: tensor<3xf32>, %{{.*}}: tensor<4xf32>):
  } carry {
  ^bb0(%b: i32, %h: i32, %t: i32, %key: tensor<4xf32>, %value: tensor<3xf32>, %gate: tensor<4xf32>):
    %next = arith.mulf %key, %gate : tensor<4xf32>
    // CHECK: attn.yield %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<3xf32>
    attn.yield %next, %value : tensor<4xf32>, tensor<3xf32>
  }
  return %out, %lse : tensor<?x?x?x3xf32>, tensor<?x?x?xf32>
}
