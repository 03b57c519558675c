// RUN: rapt-opt %s --attn-to-tile --split-input-file | FileCheck %s

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>>

// What a table of runs is made by, and why it is not better: the mask reads one
// tensor by ranges, and another by query and key at once.

// CHECK:      module attributes {rapt.remarks = [
// CHECK-SAME:   {kind = "missed", text = "the mask reads 'seen' over two axes at once: what that leaves out is known pair by pair, not tile by tile"},
// CHECK-SAME:   {kind = "structure", text = "tiles that the mask leaves empty are not visited, full ones are not masked; least and largest over ranges of 'doc'"}]}
func.func @two_tensors(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"},
    %doc: tensor<?xi32> {attn.axes = ["keys"], attn.name = "doc"},
    %seen: tensor<?x?xi1> {attn.axes = ["queries", "keys"], attn.name = "seen"})
    -> (tensor<?x?x?x8xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%k) captures(%doc, %seen) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?xi32>, tensor<?x?xi1>)
      -> (tensor<?x?x?x8xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %d: tensor<?xi32>, %s: tensor<?x?xi1>):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %d: tensor<?xi32>, %s: tensor<?x?xi1>):
    %x = attn.read %d[%j] : (tensor<?xi32>, i32) -> i32
    %y = attn.read %s[%row, %j] : (tensor<?x?xi1>, i32, i32) -> i1
    %c = arith.cmpi sge, %i, %x : i32
    %m = arith.andi %c, %y : i1
    attn.yield %m : i1
  }
  return %o, %l : tensor<?x?x?x8xf32>, tensor<?x?x?xf32>
}

// -----

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>>

// What an earlier kernel computes is looked at once it has run.

// CHECK:      module attributes {rapt.remarks = [
// CHECK-SAME:   {kind = "structure", text = "tiles that the mask leaves empty are not visited, full ones are not masked; least and largest over ranges of a tensor that an earlier kernel computes"}]
// CHECK:      tile.launch @computed_map0
// CHECK-NEXT: tile.pyramid
// CHECK-NEXT: tile.plan_runs
// CHECK:      tile.launch @computed_attend1
func.func @computed(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"})
    -> (tensor<?x?x?x8xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %t = attn.map keys shape(%B, %H, %M, %N) rows(%k) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>) -> tensor<?x?x?x1xi32> {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %x: tensor<8xf32>):
    %one = attn.splat %i : i32 -> tensor<1xi32>
    attn.yield %one : tensor<1xi32>
  }
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%k) captures(%t) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x1xi32>)
      -> (tensor<?x?x?x8xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %u: tensor<?x?x?x1xi32>):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %u: tensor<?x?x?x1xi32>):
    %zero = arith.constant 0 : i32
    %x = attn.read %u[%b, %h, %j, %zero] : (tensor<?x?x?x1xi32>, i32, i32, i32, i32) -> i32
    %m = arith.cmpi sge, %x, %zero : i32
    attn.yield %m : i1
  }
  return %o, %l : tensor<?x?x?x8xf32>, tensor<?x?x?xf32>
}

// -----

#plan = #tile.plan<queries = 16, keys = 32, gpu = <warps = 1, stages = 1>>

// The processor that plans for a GPU does not see it, and then there is nothing
// that the table is good for.

// CHECK:      module attributes {rapt.remarks = [
// CHECK-SAME:   {kind = "missed", text = "the mask reads a tensor that an earlier kernel computes: what that leaves out is known pair by pair, not tile by tile"}]
func.func @computed_for_gpu(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"})
    -> (tensor<?x?x?x8xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %t = attn.map keys shape(%B, %H, %M, %N) rows(%k) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>) -> tensor<?x?x?x1xi32> {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %x: tensor<8xf32>):
    %one = attn.splat %i : i32 -> tensor<1xi32>
    attn.yield %one : tensor<1xi32>
  }
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%k) captures(%t) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x1xi32>)
      -> (tensor<?x?x?x8xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %u: tensor<?x?x?x1xi32>):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %u: tensor<?x?x?x1xi32>):
    %zero = arith.constant 0 : i32
    %x = attn.read %u[%b, %h, %j, %zero] : (tensor<?x?x?x1xi32>, i32, i32, i32, i32) -> i32
    %m = arith.cmpi sge, %x, %zero : i32
    attn.yield %m : i1
  }
  return %o, %l : tensor<?x?x?x8xf32>, tensor<?x?x?xf32>
}
