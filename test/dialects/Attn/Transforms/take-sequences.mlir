// RUN: rapt-opt %s --split-input-file --verify-diagnostics \
// RUN:   "--attn-take-sequences=paged=k,c positions" | FileCheck %s
// RUN: rapt-opt %s --split-input-file --attn-take-sequences \
// RUN:   | FileCheck %s --check-prefix=PLAIN

// Keys in pages, positions of queries, and the sequence behind the counter of
// uniform. What reads none of them stays as it is.

// CHECK-LABEL: func.func @all(
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: tensor<?x?x?x4xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"}
// CHECK-SAME:    %[[K:[a-z0-9]+]]: tensor<?x?x?x4xf32> {attn.axes = ["batch", "kv_heads", "rows", "dim"], attn.name = "k"}
// CHECK-SAME:    %[[C:[a-z0-9]+]]: tensor<?x?x3xf32> {attn.axes = ["batch", "rows", "3"], attn.name = "c"}
// CHECK-SAME:    %[[KROWS:[a-z0-9]+]]: tensor<?xi32> {attn.axes = ["keys"], attn.name = "k_rows"}
// CHECK-SAME:    %[[CROWS:[a-z0-9]+]]: tensor<?xi32> {attn.axes = ["keys"], attn.name = "c_rows"}
// CHECK-SAME:    %[[AT:[a-z0-9]+]]: tensor<?xi32> {attn.axes = ["queries"], attn.name = "query_positions"}
// CHECK-SAME:    %[[SEQUENCE:[a-z0-9]+]]: tensor<i32> {attn.axes = [], attn.name = "sequence"}
// CHECK-DAG:     %[[KEYS:.*]] = attn.list_rows %[[K]] by %[[KROWS]]
// CHECK-DAG:     %[[CACHE:.*]] = attn.list_rows %[[C]] by %[[CROWS]]
// CHECK:         %[[VALUES:.*]] = attn.unsqueeze %[[CACHE]]
// CHECK:         attn.map queries {{.*}} captures(%[[AT]])
// CHECK:         ^bb0(%{{.*}}: i32, %{{.*}}: i32, %[[N:.*]]: i32, %{{.*}}: i32, %{{.*}}: tensor<4xf32>, %[[OWN:.*]]: tensor<?xi32>):
// CHECK-NEXT:      attn.read %[[OWN]][%[[N]]]
// CHECK:         attn.attend softmax {{.*}} keys(%[[KEYS]]) values(%[[VALUES]]) captures(%[[AT]], %[[SEQUENCE]])
// CHECK:         score {
// CHECK:         ^bb0({{.*}}, %[[ROW:.*]]: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: f32, %[[POSITIONS:.*]]: tensor<?xi32>, %[[NUMBER:.*]]: tensor<i32>):
// CHECK:           %[[I:.*]] = attn.read %[[POSITIONS]][%[[ROW]]]
// CHECK:           %[[B:.*]] = attn.read %[[NUMBER]][] : (tensor<i32>) -> i32
// CHECK-NEXT:      attn.uniform %{{.*}} at %[[B]], %{{.*}}, %[[I]], %{{.*}}
// CHECK:         mask {
// CHECK:           %[[I2:.*]] = attn.read
// CHECK:           arith.cmpi sge, %[[I2]]

// PLAIN-LABEL: func.func @all(
// PLAIN-NOT:     "k_rows"
// PLAIN-NOT:     "query_positions"
// PLAIN:         attn.name = "sequence"
// PLAIN:         captures(%{{[a-z0-9]+}}) :
func.func @all(
    %q: tensor<?x?x?x4xf32> {attn.name = "q", attn.axes = ["batch", "heads", "queries", "dim"]},
    %k: tensor<?x?x?x4xf32> {attn.name = "k", attn.axes = ["batch", "kv_heads", "keys", "dim"]},
    %c: tensor<?x?x3xf32> {attn.name = "c", attn.axes = ["batch", "keys", "3"]})
    -> (tensor<?x?x?x3xf32> {attn.name = "out", attn.axes = ["batch", "heads", "queries", "3"]},
        tensor<?x?x?xf32> {attn.name = "lse", attn.axes = ["batch", "heads", "queries"]})
    attributes {attn.spec} {
  %batch = attn.axis "batch"
  %heads = attn.axis "heads"
  %queries = attn.axis "queries"
  %keys = attn.axis "keys"
  %v = attn.unsqueeze %c at 1 : tensor<?x?x3xf32> -> tensor<?x1x?x3xf32>
  %turned = attn.map queries shape(%batch, %heads, %queries, %keys) rows(%q)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b: i32, %h: i32, %n: i32, %position: i32, %row: tensor<4xf32>):
    %angle = arith.sitofp %position : i32 to f32
    %wide = attn.splat %angle : f32 -> tensor<4xf32>
    %sum = arith.addf %row, %wide : tensor<4xf32>
    attn.yield %sum : tensor<4xf32>
  }
  %out, %lse = attn.attend softmax shape(%batch, %heads, %queries, %keys)
      queries(%turned) keys(%k) values(%v)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x1x?x3xf32>) -> (tensor<?x?x?x3xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    %seed = arith.constant 7 : i64
    %u = attn.uniform %seed at %b, %h, %i, %j
    %s = arith.addf %dot, %u : f32
    attn.yield %s : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    %keep = arith.cmpi sge, %i, %j : i32
    attn.yield %keep : i1
  }
  return %out, %lse : tensor<?x?x?x3xf32>, tensor<?x?x?xf32>
}

// -----

// expected-error @below {{has no argument 'k'}}
func.func @other(%x: tensor<?x?x?x4xf32> {attn.name = "x", attn.axes = ["batch", "heads", "keys", "dim"]})
    attributes {attn.spec} {
  return
}
