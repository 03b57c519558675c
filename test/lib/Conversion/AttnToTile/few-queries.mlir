// RUN: rapt-opt %s --attn-to-tile --canonicalize | FileCheck %s

// Few queries: the rows of an item are the queries of all heads that share a head
// of keys, and the keys that a mask leaves are split over items.

#plan = #tile.plan<queries = 4, keys = 32, cpu = <rows = 16, depth = 4, sweep = 1, columns = true>,
                   edge = 16, in_order = true, group = true, split = 64>

// CHECK-LABEL: tile.program @causal
// CHECK:       ^bb0(%[[Q:.*]]: !tile.view<f32, 4>, %[[K:.*]]: !tile.view<f32, 4>, %[[V:.*]]: !tile.view<f32, 4>, %[[OUT:.*]]: !tile.view<f32, 4>, %[[LSE:.*]]: !tile.view<f32, 3>):
// CHECK-DAG:     %[[BATCH:.*]] = tile.extent %[[Q]][0]
// CHECK-DAG:     %[[HEADS:.*]] = tile.extent %[[Q]][1]
// Items are heads of keys or of values, of which there are more, if the others
// are shared by whole ones of these.
// CHECK:         arith.maxui
// CHECK:         %[[MORE:.*]] = arith.maxui
// CHECK:         %[[SOME:.*]] = arith.select %{{.*}}, %[[MORE]], %[[HEADS]]
// CHECK:         %[[KEY_HEADS:.*]] = arith.select %{{.*}}, %[[SOME]], %[[HEADS]]
// CHECK:         %[[SHARE:.*]] = arith.divui %[[HEADS]], %[[KEY_HEADS]]
// CHECK:         %[[GROUP:.*]] = arith.maxui %[[SHARE]], %c1
// CHECK:         arith.muli %{{.*}}, %[[GROUP]]
// CHECK:         %[[ROWS:.*]] = arith.muli %{{.*}}, %[[GROUP]]
// CHECK:         %[[TABLE:.*]] = tile.plan_runs for(%[[BATCH]], %[[KEY_HEADS]]) rows %[[ROWS]] step 4
// The position of a row: its number by the heads of the group.
// CHECK:           arith.divui %{{.*}}, %[[GROUP]]
// CHECK:         %[[MOST:.*]] = tile.longest %[[TABLE]]
// A split is 64 keys, or as many times that as leave 16 splits.
// CHECK:         %[[TIMES:.*]] = arith.divui %[[MOST]], %c1024
// CHECK:         %[[WHOLE:.*]] = arith.maxui %[[TIMES]], %c1
// CHECK:         %[[EACH:.*]] = arith.muli %[[WHOLE]], %c64
// CHECK:         %[[SPLITS:.*]] = arith.ceildivui %[[MOST]], %[[EACH]]
// There are 32 of them at most, and memory for as many as any fewer keys have.
// CHECK:         %[[SHORT:.*]] = arith.ceildivui %[[MOST]], %c64
// CHECK:         %[[ROOM:.*]] = arith.maxui %[[SHORT]], %c1
// CHECK:         arith.minui %[[ROOM]], %c32
// CHECK:         tile.workspace(%[[BATCH]], %[[KEY_HEADS]], %{{.*}}) : <f32, 3>
// CHECK:         tile.workspace(%[[BATCH]], %[[KEY_HEADS]], %{{.*}}) : <f32, 3>
// CHECK:         tile.workspace(%[[BATCH]], %[[KEY_HEADS]], %{{.*}}, %c6) : <f32, 4>
// CHECK-NOT:     order
// CHECK:         tile.launch @causal_attend0 items(%[[BATCH]], %[[KEY_HEADS]], %{{.*}})
// CHECK:         tile.launch @causal_merge1 items(%[[BATCH]], %[[KEY_HEADS]], %{{.*}})

// CHECK-LABEL: tile.kernel @causal_attend0
// CHECK-SAME:    columns = true
// CHECK:         tile.group_rows %{{.*}} heads %{{.*}} count %{{.*}} of %{{.*}} : <f32, 3> -> <f32, 2, rows = grouped>
// CHECK:         %[[RUNS:.*]] = tile.domain
// CHECK:         %[[PART:.*]] = tile.within %[[RUNS]] from
// CHECK:         tile.for_runs %[[PART]] by 32, 16
// What a split finds is kept as it is, and divided by no sum.
// CHECK-NOT:     arith.divf
// CHECK-COUNT-3: tile.store set
// CHECK:         tile.return

// CHECK-LABEL: tile.kernel @causal_merge1
// CHECK:         tile.for
// CHECK-COUNT-3: tile.load
// CHECK-COUNT-2: math.exp2
// CHECK:         arith.divf
// CHECK:         tile.group_rows
// CHECK:         tile.store set
func.func @causal(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"},
    %v: tensor<?x?x?x6xf32> {attn.axes = ["batch", "kv_heads", "keys", "vdim"], attn.name = "v"})
    -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%v) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x6xf32>)
      -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    %m = arith.cmpi sge, %i, %j : i32
    attn.yield %m : i1
  }
  return %o, %l : tensor<?x?x?x6xf32>, tensor<?x?x?xf32>
}

// A mask that tells heads apart: an item visits what any of its heads keeps, and
// each row asks for its own.

// CHECK-LABEL: tile.program @heads
// CHECK:         tile.plan_runs for(%{{.*}}, %{{.*}}) group %[[GROUP:.*]] rows %{{.*}} step 4
// CHECK:         ^bb0(%{{.*}}: index, %[[HEAD:[a-z0-9]+]]: index,
// CHECK:           arith.index_cast %[[HEAD]]
// CHECK:         tile.launch @heads_attend{{[0-9]}}
// CHECK-LABEL: tile.kernel @heads_attend
// CHECK:         tile.for_runs
// CHECK:         tile.map
// CHECK:           arith.cmpi sge
func.func @heads(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"},
    %v: tensor<?x?x?x6xf32> {attn.axes = ["batch", "kv_heads", "keys", "vdim"], attn.name = "v"})
    -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%v) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x6xf32>)
      -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    %last = arith.addi %j, %h : i32
    %m = arith.cmpi sge, %i, %last : i32
    attn.yield %m : i1
  }
  return %o, %l : tensor<?x?x?x6xf32>, tensor<?x?x?xf32>
}
