// RUN: rapt-opt %s | rapt-opt | FileCheck %s
// RUN: rapt-opt --mlir-print-op-generic %s | rapt-opt | FileCheck %s

// Rows and pairs in windows, with and without weights.
// CHECK-LABEL: func.func @pool(
func.func @pool(%k: tensor<?x?x?x4xbf16>, %w: tensor<?x1x?x1xf32>, %p: tensor<?x?x?x?xf32>, %n: index) {
  // CHECK: attn.pool max %{{.*}} dimension 2 size 32 stride 16 positions %{{.*}} : (tensor<?x?x?x4xbf16>, index) -> tensor<?x?x?x4xf32>
  %0 = attn.pool max %k dimension 2 size 32 stride 16 positions %n : (tensor<?x?x?x4xbf16>, index) -> tensor<?x?x?x4xf32>
  // CHECK: attn.pool mean %{{.*}} weights(%{{.*}}) dimension 2 size 16 stride 16 positions %{{.*}} :
  %1 = attn.pool mean %k weights(%w) dimension 2 size 16 stride 16 positions %n : (tensor<?x?x?x4xbf16>, tensor<?x1x?x1xf32>, index) -> tensor<?x?x?x4xf32>
  // CHECK: attn.pool sum %{{.*}} dimension 3 size 8 stride 8 positions %{{.*}} :
  %2 = attn.pool sum %p dimension 3 size 8 stride 8 positions %n : (tensor<?x?x?x?xf32>, index) -> tensor<?x?x?x?xf32>
  // CHECK: attn.pool min %{{.*}} dimension 2 size 8 stride 4 positions %{{.*}} :
  %3 = attn.pool min %p dimension 2 size 8 stride 4 positions %n : (tensor<?x?x?x?xf32>, index) -> tensor<?x?x?x?xf32>
  return
}

// Windows as blocks, and places in a sort.
// CHECK-LABEL: func.func @regroup_reorder(
func.func @regroup_reorder(%p: tensor<?x?x?x?xf32>, %c: tensor<?x?x?x1xi32>, %x: tensor<?x?x?x1xf32>, %n: index) {
  // CHECK: attn.regroup %{{.*}} size 32 stride 16 into 64 positions %{{.*}} : (tensor<?x?x?x?xf32>, index) -> tensor<?x?x?x?xf32>
  %0 = attn.regroup %p size 32 stride 16 into 64 positions %n : (tensor<?x?x?x?xf32>, index) -> tensor<?x?x?x?xf32>
  // CHECK: attn.reorder rank %{{.*}} : tensor<?x?x?x1xi32> -> tensor<?x?x?x1xi32>
  %1 = attn.reorder rank %c : tensor<?x?x?x1xi32> -> tensor<?x?x?x1xi32>
  // CHECK: attn.reorder permutation %{{.*}} : tensor<?x?x?x1xf32> -> tensor<?x?x?x1xi32>
  %2 = attn.reorder permutation %x : tensor<?x?x?x1xf32> -> tensor<?x?x?x1xi32>
  return
}

// The weights of an attend with everything that they can have.
// CHECK-LABEL: func.func @weights(
func.func @weights(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %b: index, %h: index, %m: index, %n: index) {
  // CHECK: attn.weights softmax shape(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) queries(%{{.*}}) keys(%{{.*}}) captures(%{{.*}}) :
  %0 = attn.weights softmax shape(%b, %h, %m, %n) queries(%q) keys(%k) captures(%q)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> tensor<?x?x?x?xf32>
  // CHECK: score {
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %t: tensor<?x?x?x4xf32>):
    attn.yield %dot : f32
  // CHECK: } mask {
  } mask {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %t: tensor<?x?x?x4xf32>):
    %keep = arith.cmpi sge, %i, %j : i32
    attn.yield %keep : i1
  // CHECK: } factor {
  } factor {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %t: tensor<?x?x?x4xf32>):
    attn.yield %dot : f32
  // CHECK: } sink {
  } sink {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %t: tensor<?x?x?x4xf32>):
    %zero = arith.constant 0.0 : f32
    attn.yield %zero : f32
  }
  return
}

// The blocks of each query that a gate chooses.
// CHECK-LABEL: func.func @select(
func.func @select(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %b: index, %h: index, %m: index, %n: index) -> tensor<?x?x?x?xi1> {
  // CHECK: attn.select top shape(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) queries(%{{.*}}) keys(%{{.*}}) :
  %0 = attn.select top shape(%b, %h, %m, %n) queries(%q) keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> tensor<?x?x?x?xi1>
  // CHECK: limit {
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %three = arith.constant 3 : i32
    attn.yield %three : i32
  // CHECK: } score {
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %c: i32, %dot: f32):
    attn.yield %dot : f32
  // CHECK: } where {
  } where {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %c: i32, %dot: f32):
    %admitted = arith.cmpi sle, %c, %i : i32
    attn.yield %admitted : i1
  // CHECK: } force {
  } force {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %c: i32, %dot: f32):
    %forced = arith.cmpi eq, %c, %i : i32
    attn.yield %forced : i1
  }
  // CHECK: attn.select cover
  %1 = attn.select cover shape(%b, %h, %m, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xi1>
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %mass = arith.constant 0.9 : f32
    attn.yield %mass : f32
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %c: i32):
    %one = arith.constant 1.0 : f32
    attn.yield %one : f32
  }
  return %0 : tensor<?x?x?x?xi1>
}

// Reductions in every direction, of numbers and of rows.
// CHECK-LABEL: func.func @aggregate(
func.func @aggregate(%w: tensor<?x?x?x?xf32>, %k: tensor<?x?x?x4xf32>, %b: index, %h: index, %g: index, %m: index, %n: index) {
  %one = arith.constant 1 : index
  // CHECK: attn.aggregate add over queries shape(%{{.*}}) queries() keys() captures(%{{.*}}) :
  %0 = attn.aggregate add over queries shape(%b, %h, %m, %n) queries() keys() captures(%w)
      : (index, index, index, index, tensor<?x?x?x?xf32>) -> tensor<?x?x?x1xf32>
  // CHECK: body {
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %t: tensor<?x?x?x?xf32>):
    %x = attn.read %t[%b0, %h0, %row, %j] : (tensor<?x?x?x?xf32>, i32, i32, i32, i32) -> f32
    attn.yield %x : f32
  }
  // CHECK: attn.aggregate max over keys shape(%{{.*}}) queries() keys() captures(%{{.*}}) :
  %1 = attn.aggregate max over keys shape(%b, %h, %one, %n) queries() keys() captures(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x1x4xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %t: tensor<?x?x?x4xf32>):
    %x = attn.read %t[%b0, %h0, %j] : (tensor<?x?x?x4xf32>, i32, i32, i32) -> tensor<4xf32>
    attn.yield %x : tensor<4xf32>
  }
  // CHECK: attn.aggregate add over group into %{{.*}} shape(%{{.*}}) queries() keys() captures(%{{.*}}) :
  %2 = attn.aggregate add over group into %g shape(%b, %h, %m, %n) queries() keys() captures(%w)
      : (index, index, index, index, index, tensor<?x?x?x?xf32>) -> tensor<?x?x?x?xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %t: tensor<?x?x?x?xf32>):
    %x = attn.read %t[%b0, %h0, %row, %j] : (tensor<?x?x?x?xf32>, i32, i32, i32, i32) -> f32
    attn.yield %x : f32
  }
  // CHECK: attn.aggregate add over pairs into %{{.*}} shape(%{{.*}}) queries() keys() captures(%{{.*}}) :
  %3 = attn.aggregate add over pairs into %n shape(%b, %h, %m, %n) queries() keys() captures(%w)
      : (index, index, index, index, index, tensor<?x?x?x?xf32>) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %t: tensor<?x?x?x?xf32>):
    %x = attn.read %t[%b0, %h0, %row, %j] : (tensor<?x?x?x?xf32>, i32, i32, i32, i32) -> f32
    attn.yield %x : f32
  // CHECK: } by {
  } by {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %t: tensor<?x?x?x?xf32>):
    %d = arith.subi %i, %j : i32
    attn.yield %d : i32
  }
  // CHECK: attn.aggregate argmax over keys
  %4 = attn.aggregate argmax over keys shape(%b, %h, %m, %n) queries() keys() captures(%w)
      : (index, index, index, index, tensor<?x?x?x?xf32>) -> tensor<?x?x?x1xi32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %t: tensor<?x?x?x?xf32>):
    %x = attn.read %t[%b0, %h0, %row, %j] : (tensor<?x?x?x?xf32>, i32, i32, i32, i32) -> f32
    attn.yield %x : f32
  }
  return
}

// Two branches in one softmax.
// CHECK-LABEL: func.func @merge(
func.func @merge(%a: tensor<?x?x?x4xf32>, %c: tensor<?x?x?x4xf32>, %l: tensor<?x?x?xf32>, %k: tensor<?x?x?xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>) {
  // CHECK: attn.merge branches(%{{.*}}, %{{.*}}) lses(%{{.*}}, %{{.*}}) : (tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  %0, %1 = attn.merge branches(%a, %c) lses(%l, %k) : (tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  return %0, %1 : tensor<?x?x?x4xf32>, tensor<?x?x?xf32>
}
