// RUN: rapt-opt %s --split-input-file --verify-diagnostics

// One function per numbered constraint, named after it.

func.func @pool_c1(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.pool' op dimension must be 2 or 3, got 1}}
  %0 = attn.pool mean %k dimension 1 size 4 stride 4 positions %n : (tensor<?x?x?x4xf32>, index) -> tensor<?x?x?x4xf32>
  return
}

// -----

func.func @pool_c2(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.pool' op size must be positive, got 0}}
  %0 = attn.pool mean %k dimension 2 size 0 stride 4 positions %n : (tensor<?x?x?x4xf32>, index) -> tensor<?x?x?x4xf32>
  return
}

// -----

func.func @pool_c2_stride(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.pool' op stride must be positive, got -1}}
  %0 = attn.pool mean %k dimension 2 size 4 stride -1 positions %n : (tensor<?x?x?x4xf32>, index) -> tensor<?x?x?x4xf32>
  return
}

// -----

func.func @pool_c3(%k: tensor<?x?x?x4xf32>, %w: tensor<?x?x?x1xf32>, %n: index) {
  // expected-error @+1 {{'attn.pool' op weights need mean over dimension 2, got max over dimension 2}}
  %0 = attn.pool max %k weights(%w) dimension 2 size 4 stride 4 positions %n : (tensor<?x?x?x4xf32>, tensor<?x?x?x1xf32>, index) -> tensor<?x?x?x4xf32>
  return
}

// -----

func.func @pool_c3_dimension(%k: tensor<?x?x?x4xf32>, %w: tensor<?x?x?x1xf32>, %n: index) {
  // expected-error @+1 {{'attn.pool' op weights need mean over dimension 2, got mean over dimension 3}}
  %0 = attn.pool mean %k weights(%w) dimension 3 size 4 stride 4 positions %n : (tensor<?x?x?x4xf32>, tensor<?x?x?x1xf32>, index) -> tensor<?x?x?x4xf32>
  return
}

// -----

func.func @pool_c4(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.pool' op result must be the source, pooled in dimension 2, got 'tensor<?x?x?x4xf32>' and 'tensor<?x?x?x5xf32>'}}
  %0 = attn.pool mean %k dimension 2 size 4 stride 4 positions %n : (tensor<?x?x?x4xf32>, index) -> tensor<?x?x?x5xf32>
  return
}

// -----

func.func @pool_c4_element(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.pool' op result must be the source, pooled in dimension 2, got 'tensor<?x?x?x4xf32>' and 'tensor<?x?x?x4xi32>'}}
  %0 = attn.pool mean %k dimension 2 size 4 stride 4 positions %n : (tensor<?x?x?x4xf32>, index) -> tensor<?x?x?x4xi32>
  return
}

// -----

func.func @pool_c5(%k: tensor<?x?x?x4xf32>, %w: tensor<?x?x?x2xf32>, %n: index) {
  // expected-error @+1 {{'attn.pool' op weights must have rank 4 and last extent 1, got 'tensor<?x?x?x2xf32>'}}
  %0 = attn.pool mean %k weights(%w) dimension 2 size 4 stride 4 positions %n : (tensor<?x?x?x4xf32>, tensor<?x?x?x2xf32>, index) -> tensor<?x?x?x4xf32>
  return
}

// -----

func.func @regroup_c1(%p: tensor<?x?x?x?xf32>, %n: index) {
  // expected-error @+1 {{'attn.regroup' op block must be positive, got 0}}
  %0 = attn.regroup %p size 32 stride 16 into 0 positions %n : (tensor<?x?x?x?xf32>, index) -> tensor<?x?x?x?xf32>
  return
}

// -----

func.func @regroup_c2(%p: tensor<?x?x?x?xf32>, %n: index) {
  // expected-error @+1 {{'attn.regroup' op source and result must have rank 4 and elements of f32, got 'tensor<?x?x?x?xf32>' and 'tensor<?x?x?xf32>'}}
  %0 = attn.regroup %p size 32 stride 16 into 64 positions %n : (tensor<?x?x?x?xf32>, index) -> tensor<?x?x?xf32>
  return
}

// -----

func.func @reorder_c1(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.reorder' op keys must have rank 4 and last extent 1, got 'tensor<?x?x?x4xf32>'}}
  %0 = attn.reorder rank %k : tensor<?x?x?x4xf32> -> tensor<?x?x?x4xi32>
  return
}

// -----

func.func @reorder_c2(%k: tensor<?x?x?x1xf32>, %n: index) {
  // expected-error @+1 {{'attn.reorder' op result must have the shape of the keys and elements of i32, got 'tensor<?x?x?x1xf32>'}}
  %0 = attn.reorder rank %k : tensor<?x?x?x1xf32> -> tensor<?x?x?x1xf32>
  return
}

// -----

func.func @weights_c1(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.weights' op must have as many keys as queries, got 0 queries and 1 keys}}
  %0 = attn.weights softmax shape(%n, %n, %n, %n) queries() keys(%k) : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x?xf32>
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @weights_c1_extent(%k: tensor<?x?x?x4xf32>, %l: tensor<?x?x?x5xf32>, %n: index) {
  // expected-error @+1 {{'attn.weights' op queries and keys must have one feature extent, got 4 and 5}}
  %0 = attn.weights softmax shape(%n, %n, %n, %n) queries(%k) keys(%l) : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x5xf32>) -> tensor<?x?x?x?xf32>
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @weights_c2(%k: tensor<?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.weights' op queries operand must have rank 4, got 'tensor<?x?x4xf32>'}}
  %0 = attn.weights softmax shape(%n, %n, %n, %n) queries(%k) keys(%k) : (index, index, index, index, tensor<?x?x4xf32>, tensor<?x?x4xf32>) -> tensor<?x?x?x?xf32>
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @select_c1(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.select' op must have as many keys as queries, got 0 queries and 1 keys}}
  %0 = attn.select top shape(%n, %n, %n, %n) queries() keys(%k) : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x?xi1>
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %x = arith.constant 1 : i32
    attn.yield %x : i32
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @select_c1_extent(%k: tensor<?x?x?x4xf32>, %l: tensor<?x?x?x5xf32>, %n: index) {
  // expected-error @+1 {{'attn.select' op queries and keys must have one feature extent, got 4 and 5}}
  %0 = attn.select top shape(%n, %n, %n, %n) queries(%k) keys(%l) : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x5xf32>) -> tensor<?x?x?x?xi1>
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %x = arith.constant 1 : i32
    attn.yield %x : i32
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @select_c2(%k: tensor<?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.select' op queries operand must have rank 4, got 'tensor<?x?x4xf32>'}}
  %0 = attn.select top shape(%n, %n, %n, %n) queries(%k) keys(%k) : (index, index, index, index, tensor<?x?x4xf32>, tensor<?x?x4xf32>) -> tensor<?x?x?x?xi1>
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %x = arith.constant 1 : i32
    attn.yield %x : i32
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @aggregate_c1(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.aggregate' op must have as many keys as queries, got 0 queries and 1 keys}}
  %0 = attn.aggregate add over keys shape(%n, %n, %n, %n) queries() keys(%k) : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @aggregate_c1_extent(%k: tensor<?x?x?x4xf32>, %l: tensor<?x?x?x5xf32>, %n: index) {
  // expected-error @+1 {{'attn.aggregate' op queries and keys must have one feature extent, got 4 and 5}}
  %0 = attn.aggregate add over keys shape(%n, %n, %n, %n) queries(%k) keys(%l) : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x5xf32>) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @aggregate_c2(%k: tensor<?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.aggregate' op queries operand must have rank 4, got 'tensor<?x?x4xf32>'}}
  %0 = attn.aggregate add over keys shape(%n, %n, %n, %n) queries(%k) keys(%k) : (index, index, index, index, tensor<?x?x4xf32>, tensor<?x?x4xf32>) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @weights_c3(%n: index) {
  // expected-error @+1 {{'attn.weights' op score region must have arguments ('i32', 'i32', 'i32', 'i32', 'i32'), got ('i32', 'i32', 'i32', 'i32')}}
  %0 = attn.weights sum shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xf32>
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @weights_c4(%n: index) {
  // expected-error @+1 {{'attn.weights' op score region must yield 'f32', got 'i32'}}
  %0 = attn.weights sum shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xf32>
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1 : i32
    attn.yield %x : i32
  }
  return
}

// -----

func.func @weights_c4_mask(%n: index) {
  // expected-error @+1 {{'attn.weights' op mask region must yield 'i1', got 'f32'}}
  %0 = attn.weights sum shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xf32>
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  } mask {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @weights_c5(%n: index) {
  // expected-error @+1 {{'attn.weights' op a sink needs softmax, got sum}}
  %0 = attn.weights sum shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xf32>
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  } sink {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @weights_c5_epsilon(%n: index) {
  // expected-error @+1 {{'attn.weights' op epsilon needs ratio, got softmax}}
  %0 = attn.weights softmax epsilon 1.0e-6 shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xf32>
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @weights_c6(%n: index) {
  // expected-error @+1 {{'attn.weights' op result must have rank 4 and elements of f32, got 'tensor<?x?x?x?xi1>'}}
  %0 = attn.weights sum shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xi1>
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @select_c3(%n: index) {
  // expected-error @+1 {{'attn.select' op limit region must have arguments ('i32', 'i32', 'i32', 'i32'), got ('i32', 'i32', 'i32', 'i32', 'i32')}}
  %0 = attn.select top shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xi1>
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1 : i32
    attn.yield %x : i32
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @select_c4(%n: index) {
  // expected-error @+1 {{'attn.select' op limit region must yield 'i32', got 'f32'}}
  %0 = attn.select top shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xi1>
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @select_c4_cover(%n: index) {
  // expected-error @+1 {{'attn.select' op limit region must yield 'f32', got 'i32'}}
  %0 = attn.select cover shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xi1>
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %x = arith.constant 1 : i32
    attn.yield %x : i32
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @select_c4_where(%n: index) {
  // expected-error @+1 {{'attn.select' op where region must yield 'i1', got 'f32'}}
  %0 = attn.select top shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xi1>
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %x = arith.constant 1 : i32
    attn.yield %x : i32
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  } where {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @select_c5(%n: index) {
  // expected-error @+1 {{'attn.select' op result must have rank 4 and elements of i1, got 'tensor<?x?x?x?xi32>'}}
  %0 = attn.select top shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xi32>
  limit {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %x = arith.constant 1 : i32
    attn.yield %x : i32
  } score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @aggregate_c3(%n: index) {
  // expected-error @+1 {{'attn.aggregate' op body region must have arguments ('i32', 'i32', 'i32', 'i32', 'i32'), got ('i32', 'i32', 'i32', 'i32')}}
  %0 = attn.aggregate add over keys shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @aggregate_c4(%n: index) {
  // expected-error @+1 {{'attn.aggregate' op body must yield f32, i32, i64 or a row of them, got 'i1'}}
  %0 = attn.aggregate add over keys shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant true
    attn.yield %x : i1
  }
  return
}

// -----

func.func @aggregate_c4_pairs(%n: index) {
  // expected-error @+1 {{'attn.aggregate' op body must yield f32, i32, i64, got 'tensor<4xf32>'}}
  %0 = attn.aggregate add over pairs into %n shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index, index) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant dense<1.0> : tensor<4xf32>
    attn.yield %x : tensor<4xf32>
  } by {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1 : i32
    attn.yield %x : i32
  }
  return
}

// -----

func.func @aggregate_c4_by(%n: index) {
  // expected-error @+1 {{'attn.aggregate' op by region must yield i32 or i64, got 'f32'}}
  %0 = attn.aggregate add over pairs into %n shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index, index) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  } by {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @aggregate_c5(%n: index) {
  // expected-error @+1 {{'attn.aggregate' op over pairs needs by}}
  %0 = attn.aggregate add over pairs into %n shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index, index) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @aggregate_c5_by(%n: index) {
  // expected-error @+1 {{'attn.aggregate' op over keys takes no by}}
  %0 = attn.aggregate add over keys shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  } by {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1 : i32
    attn.yield %x : i32
  }
  return
}

// -----

func.func @aggregate_c5_into(%n: index) {
  // expected-error @+1 {{'attn.aggregate' op over group needs into}}
  %0 = attn.aggregate add over group shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x?xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @aggregate_c5_argmax(%n: index) {
  // expected-error @+1 {{'attn.aggregate' op argmax needs a number, over keys}}
  %0 = attn.aggregate argmax over queries shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x1xi32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant 1.0 : f32
    attn.yield %x : f32
  }
  return
}

// -----

func.func @aggregate_c6(%n: index) {
  // expected-error @+1 {{'attn.aggregate' op result must have rank 4 and rows of 4 elements of 'f32', got 'tensor<?x?x?x1xf32>'}}
  %0 = attn.aggregate add over keys shape(%n, %n, %n, %n) queries() keys() : (index, index, index, index) -> tensor<?x?x?x1xf32>
  body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %x = arith.constant dense<1.0> : tensor<4xf32>
    attn.yield %x : tensor<4xf32>
  }
  return
}

// -----

func.func @merge_c1(%a: tensor<?x?x?x4xf32>, %c: tensor<?x?x?x5xf32>, %l: tensor<?x?x?xf32>) {
  // expected-error @+1 {{'attn.merge' op needs branches and a log-sum-exp for each, got 2 and 1}}
  %0, %1 = attn.merge branches(%a, %a) lses(%l) : (tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  return
}

// -----

func.func @merge_c2(%a: tensor<?x?x?x4xf32>, %c: tensor<?x?x?x5xf32>, %l: tensor<?x?x?xf32>) {
  // expected-error @+1 {{'attn.merge' op branches and result must have one feature extent, got 'tensor<?x?x?x5xf32>' and 'tensor<?x?x?x4xf32>'}}
  %0, %1 = attn.merge branches(%a, %c) lses(%l, %l) : (tensor<?x?x?x4xf32>, tensor<?x?x?x5xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  return
}

// -----

func.func @merge_c3(%a: tensor<?x?x?x4xf32>, %c: tensor<?x?x?x5xf32>, %l: tensor<?x?x?xf32>) {
  // expected-error @+1 {{'attn.merge' op a log-sum-exp must have rank 3 and elements of f32, got 'tensor<?x?x?x4xf32>'}}
  %0, %1 = attn.merge branches(%a) lses(%a) : (tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  return
}
