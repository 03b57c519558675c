// RUN: rapt-opt %s --attn-to-tile --split-input-file --verify-diagnostics

// A plan says how; nothing is chosen here.

func.func @no_plan(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"})
    -> (tensor<?x?x?x8xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  // expected-error @below {{'attn.attend' op has no tile.plan}}
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%k)
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>)
      -> (tensor<?x?x?x8xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    attn.yield %dot : f32
  }
  return %o, %l : tensor<?x?x?x8xf32>, tensor<?x?x?xf32>
}

// -----

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>>

// A pair has numbers only.

func.func @row_of_a_pair(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"})
    -> (tensor<?x?x?x8xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%k) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>)
      -> (tensor<?x?x?x8xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    // expected-error @below {{a row is not compiled yet where one number for each pair is expected}}
    %x = attn.splat %dot : f32 -> tensor<4xf32>
    %sum = attn.reduce add %x : (tensor<4xf32>) -> f32
    attn.yield %sum : f32
  }
  return %o, %l : tensor<?x?x?x8xf32>, tensor<?x?x?xf32>
}

// -----

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>>

// A matrix for each row.

func.func @matrix_of_a_row(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"},
    %w: tensor<?x4x8xf32> {attn.axes = ["keys", "four", "dim"], attn.name = "w"})
    -> tensor<?x?x?x4xf32> attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %o = attn.map queries shape(%B, %H, %M, %N) rows(%q) captures(%w) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x4x8xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %x: tensor<8xf32>, %c: tensor<?x4x8xf32>):
    // expected-error @below {{a matrix that varies from row to row is not compiled yet}}
    %m = attn.read %c[%i] : (tensor<?x4x8xf32>, i32) -> tensor<4x8xf32>
    %y = attn.matvec %m, %x : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4xf32>
    attn.yield %y : tensor<4xf32>
  }
  return %o : tensor<?x?x?x4xf32>
}
