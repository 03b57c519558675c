// RUN: rapt-opt %s "--attn-take-sequences=paged=k,v positions" --attn-to-tile --canonicalize | FileCheck %s

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>>

// Keys and values in pages are views whose rows are listed; documents sort the
// keys, so that the plan composes the two lists. The id of a query is that at
// the position which is given.

// CHECK-LABEL: tile.program @documents
// CHECK:       ^bb0(%[[Q:.*]]: !tile.view<f32, 4>, %[[K:.*]]: !tile.view<f32, 4>, %[[V:.*]]: !tile.view<f32, 4>, %[[DOC:.*]]: !tile.view<i32, 2>, %[[KROWS:.*]]: !tile.view<i32, 1>, %[[VROWS:.*]]: !tile.view<i32, 1>, %[[AT:.*]]: !tile.view<i32, 1>, %[[NUMBER:.*]]: !tile.view<i32, 0>, %{{.*}}: !tile.view<f32, 4>, %{{.*}}: !tile.view<f32, 3>):
// CHECK-DAG:     %[[KEYS:.*]] = tile.extent %[[DOC]][1]
// CHECK:         tile.tabulate
// CHECK:           %[[POSITION:.*]] = tile.read %[[AT]][
// CHECK:           tile.read %[[DOC]][%{{.*}}, %[[POSITION]]]
// CHECK:         %[[ORDER:[a-z0-9_]+]] = tile.sort_rows
// CHECK:         %[[KEYORDER:[a-z0-9_]+]] = tile.sort_rows
// CHECK:         %[[KLIST:.*]] = tile.tabulate {{.*}} length %[[KEYS]] : <i32, 3> {
// CHECK:           %[[KEY:.*]] = tile.read %[[KEYORDER]]
// CHECK:           tile.read %[[KROWS]][%[[KEY]]]
// CHECK:         %[[VLIST:.*]] = tile.tabulate {{.*}} length %[[KEYS]] : <i32, 3> {
// CHECK:           %[[KEY:.*]] = tile.read %[[KEYORDER]]
// CHECK:           tile.read %[[VROWS]][%[[KEY]]]
// CHECK:         tile.launch @documents_attend0 {{.*}}%[[KLIST]], %[[VLIST]])

// CHECK-LABEL: tile.kernel @documents_attend0
// CHECK-DAG:     tile.list_rows {{.*}} -> <f32, 2, rows = paged>
// CHECK-DAG:     tile.list_rows {{.*}} -> <f32, 2, rows = paged>
// CHECK-DAG:     tile.list_rows {{.*}} -> <f32, 2, rows = listed>
// CHECK:         tile.for_runs
func.func @documents(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"},
    %v: tensor<?x?x?x6xf32> {attn.axes = ["batch", "kv_heads", "keys", "vdim"], attn.name = "v"},
    %doc: tensor<?x?xi32> {attn.axes = ["batch", "keys"], attn.name = "doc"})
    -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %b = attn.axis "batch"
  %h = attn.axis "heads"
  %m = attn.axis "queries"
  %n = attn.axis "keys"
  %o, %l = attn.attend softmax shape(%b, %h, %m, %n) queries(%q) keys(%k) values(%v) captures(%doc) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x6xf32>, tensor<?x?xi32>) -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %ids: tensor<?x?xi32>):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %ids: tensor<?x?xi32>):
    %own = attn.read %ids[%b0, %i] : (tensor<?x?xi32>, i32, i32) -> i32
    %other = attn.read %ids[%b0, %j] : (tensor<?x?xi32>, i32, i32) -> i32
    %same = arith.cmpi eq, %own, %other : i32
    attn.yield %same : i1
  }
  return %o, %l : tensor<?x?x?x6xf32>, tensor<?x?x?xf32>
}
