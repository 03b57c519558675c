// RUN: rapt-opt %s --attn-to-tile --canonicalize --split-input-file | FileCheck %s

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>>

// The forward pass of flash attention: one work item takes 16 queries of one
// head, walks the runs of keys that the mask may keep, and carries the maximum,
// the sum and the weighted sum.

// CHECK-LABEL: tile.program @causal
// CHECK:       ^bb0(%[[Q:.*]]: !tile.view<f32, 4>, %[[K:.*]]: !tile.view<f32, 4>, %[[V:.*]]: !tile.view<f32, 4>, %[[OUT:.*]]: !tile.view<f32, 4>, %[[LSE:.*]]: !tile.view<f32, 3>):
// CHECK-DAG:     %[[BATCH:.*]] = tile.extent %[[Q]][0]
// CHECK-DAG:     %[[HEADS:.*]] = tile.extent %[[Q]][1]
// CHECK-DAG:     %[[QUERIES:.*]] = tile.extent %[[Q]][2]
// CHECK-DAG:     %[[KEYS:.*]] = tile.extent %[[K]][2]
// The classes of the mask: the largest i and the smallest j, and the reverse.
// CHECK:         %[[TABLE:.*]] = tile.plan_runs for(%[[BATCH]], %[[HEADS]]) rows %[[QUERIES]] step 16 columns %[[KEYS]] step 32 classify {
// CHECK-NEXT:    ^bb0(%{{.*}}: index, %{{.*}}: index, %[[I0:.*]]: index, %[[I1:.*]]: index, %[[J0:.*]]: index, %[[J1:.*]]: index):
// CHECK:           %[[ANY:.*]] = arith.cmpi sge
// CHECK:           %[[ALL:.*]] = arith.cmpi sge
// CHECK:           tile.yield %[[ANY]], %[[ALL]]
// In closed form: keys up to the last query may be kept, those behind the first
// may be dropped.
// CHECK:         } next {
// CHECK-NEXT:    ^bb0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %[[J:.*]]: index):
// CHECK:           %[[KEY:.*]] = arith.index_cast %[[J]]
// CHECK:           %[[IS_BEYOND:.*]] = arith.cmpi sgt, %[[KEY]]
// CHECK:           arith.select %[[IS_BEYOND]], %{{.*}}, %[[KEY]]
// CHECK:           arith.maxsi %[[KEY]]
// CHECK:           tile.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : i64, i64, i64, i64
// CHECK:         %[[BLOCKS:.*]] = arith.ceildivui %[[QUERIES]], %c16
// CHECK:         tile.launch @causal_attend0 items(%[[BATCH]], %[[HEADS]], %[[BLOCKS]]) order %[[TABLE]] args(%[[BATCH]], %[[HEADS]], %[[QUERIES]], %[[KEYS]], %[[Q]], %[[K]], %[[V]], %[[OUT]], %[[LSE]], %[[TABLE]], %[[KEYS]])

// CHECK-LABEL: tile.kernel @causal_attend0 plan <rows = 4, depth = 4, sweep = 4>
// CHECK-DAG:     %[[LOWEST:.*]] = arith.constant 0xFF800000 : f32
// CHECK-DAG:     %[[Q_TILE:.*]] = tile.load %{{.*}} in_bounds [false, true] : <f32, 2> -> <16x8xf32>
// CHECK:         %[[RUNS:.*]] = tile.domain %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}]
// CHECK:         tile.for_runs %[[RUNS]] by 32, 32 carry
// CHECK-SAME:      -> (!tile.tile<16xf32>, !tile.tile<16xf32>, !tile.tile<16x6xf32>) full {
// A full run reads inside the keys and does not ask the mask.
// CHECK-NOT:       arith.cmpi
// CHECK:           %[[K_TILE:.*]] = tile.load %{{.*}} in_bounds [true, true] : <f32, 2> -> <32x8xf32>
// CHECK-NOT:       arith.cmpi
// CHECK:           tile.mma rhs_transposed %[[Q_TILE]], %[[K_TILE]]
// CHECK-NOT:       arith.cmpi
// CHECK:           tile.reduce max %{{.*}} along 1 : <16x32xf32> -> <16xf32>
// CHECK-NOT:       arith.cmpi
// CHECK:           math.exp2 %{{.*}} {tile.nonpositive}
// CHECK-NOT:       arith.cmpi
// CHECK:           tile.reduce add %{{.*}} along 1 : <16x32xf32> -> <16xf32>
// CHECK-NOT:       arith.cmpi
// CHECK:           %[[V_TILE:.*]] = tile.load %{{.*}} in_bounds [true, true] : <f32, 2> -> <32x6xf32>
// CHECK-NOT:       arith.cmpi
// CHECK:           %[[O:.*]] = tile.mma %{{.*}}, %[[V_TILE]] onto
// CHECK:           tile.yield %{{.*}}, %{{.*}}, %[[O]]
// A partial one does both.
// CHECK:         } partial {
// CHECK:           tile.load %{{.*}} in_bounds [false, true] : <f32, 2> -> <32x8xf32>
// CHECK:           arith.cmpi slt
// CHECK:           %[[MASK:.*]] = arith.cmpi sge
// CHECK:           arith.select %{{.*}}, %{{.*}}, %[[LOWEST]]
// CHECK:           tile.load %{{.*}} in_bounds [false, true] : <f32, 2> -> <32x6xf32>
// CHECK:         tile.store set %{{.*}} : <16x6xf32>, <f32, 2>
// CHECK:         math.log
// CHECK:         tile.store set %{{.*}} : <16xf32>, <f32, 1>
// CHECK:         tile.return
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

// -----

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>>

// Without a mask every run but a short one is full. A sum carries one tile and
// needs no maximum.

// CHECK-LABEL: tile.kernel @sum_attend0
// CHECK:         %[[RUNS:.*]] = tile.runs %{{.*}} step 32
// CHECK-NOT:     classify
// CHECK:         tile.for_runs %[[RUNS]] by 32, 32 carry(%{{.*}}) : (!tile.tile<16x6xf32>) -> !tile.tile<16x6xf32> full {
// CHECK-NOT:     tile.reduce
// CHECK:         } partial {
// CHECK-NOT:     tile.reduce
// CHECK:         %[[END:.*]] = arith.cmpi slt
// CHECK:         arith.select %[[END]], %{{.*}}, %cst
// CHECK:         tile.store set %{{.*}} : <16x6xf32>, <f32, 2>
func.func @sum(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"},
    %v: tensor<?x?x?x6xf32> {attn.axes = ["batch", "kv_heads", "keys", "vdim"], attn.name = "v"})
    -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %o, %l = attn.attend sum shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%v) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x6xf32>)
      -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    attn.yield %dot : f32
  }
  return %o, %l : tensor<?x?x?x6xf32>, tensor<?x?x?xf32>
}

// -----

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>>

// What a map computes goes through a workspace: one launch for it, one for the
// attend, in this order. Its rows are cut into blocks of 16.

// CHECK-LABEL: tile.program @mapped
// CHECK:         %[[KEYS:.*]] = tile.extent %arg1[2]
// CHECK-DAG:     %[[BLOCKS:.*]] = arith.ceildivui %[[KEYS]], %c16
// CHECK-DAG:     %[[DOUBLED:.*]] = tile.workspace(%{{.*}}, %{{.*}}, %[[KEYS]], %c8) : <f32, 4>
// CHECK:         tile.launch @mapped_map0 items(%{{.*}}, %{{.*}}, %[[BLOCKS]]) {{.*}}%[[DOUBLED]])
// CHECK:         tile.launch @mapped_attend1 {{.*}}%[[DOUBLED]],

// CHECK-LABEL: tile.kernel @mapped_map0
// CHECK-DAG:     %[[ROWS:.*]] = tile.load %{{.*}} in_bounds [false, true] : <bf16, 2> -> <16x8xf32>
// CHECK:         tile.map(%[[ROWS]], %[[ROWS]]) dims {{\[}}[0, 1], [0, 1]]
// CHECK:           arith.addf
// CHECK:         tile.store set %{{.*}} : <16x8xf32>, <f32, 2>

// CHECK-LABEL: tile.kernel @mapped_attend1
func.func @mapped(%q: tensor<?x?x?x8xbf16> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xbf16> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"},
    %v: tensor<?x?x?x6xbf16> {attn.axes = ["batch", "kv_heads", "keys", "vdim"], attn.name = "v"})
    -> (tensor<?x?x?x6xbf16>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %G = attn.axis "kv_heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %doubled = attn.map keys shape(%B, %G, %M, %N) rows(%k) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xbf16>) -> tensor<?x?x?x8xf32> {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %x: tensor<8xf32>):
    %y = arith.addf %x, %x : tensor<8xf32>
    attn.yield %y : tensor<8xf32>
  }
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%doubled) values(%v) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xbf16>, tensor<?x?x?x8xf32>, tensor<?x?x?x6xbf16>)
      -> (tensor<?x?x?x6xbf16>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32):
    attn.yield %dot : f32
  }
  return %o, %l : tensor<?x?x?x6xbf16>, tensor<?x?x?xf32>
}

// -----

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>>

// Pairs of one document: queries and keys are sorted by it, each batch on its
// own, when the call is planned. The lists say which rows there are, and the ids
// of these rows which runs may be kept.

// CHECK-LABEL: tile.program @documents
// CHECK:         %[[IDS:.*]] = tile.tabulate for(%{{.*}}, %c1) length %{{.*}} : <i32, 3> {
// CHECK:           tile.read
// CHECK:         tile.tabulate for(%{{.*}}, %c1)
// CHECK:         %[[QUERIES:.*]] = tile.sort_rows %[[IDS]]
// CHECK:         %[[KEYS:.*]] = tile.sort_rows
// CHECK:         %[[TABLE:.*]] = tile.plan_runs
// Ids in the order of the lists have their bounds at their ends.
// CHECK:           %[[FIRST:.*]] = tile.read %[[QUERIES]][
// CHECK:           tile.read %arg3[{{.*}}, %{{.*}}]
// Inside a class the next key that is kept is looked for in its list.
// CHECK:         } next {
// CHECK:           tile.find %[[KEYS]][%{{.*}}, %c0] from %{{.*}} to %{{.*}} not_below
// CHECK:         } groups {
// CHECK:           tile.read %[[QUERIES]][%{{.*}}, %c0, %{{.*}}]
// CHECK:           tile.read %[[KEYS]][%{{.*}}, %c0, %{{.*}}]
// CHECK:         tile.launch @documents_attend0 {{.*}} order %[[TABLE]] args({{.*}}, %[[TABLE]], %{{.*}}, %[[QUERIES]], %[[KEYS]])
// CHECK-LABEL: tile.kernel @documents_attend0
// CHECK:         %[[QUERY_LIST:.*]] = tile.window %{{.*}} : <i32, 3> -> <i32, 1>
// CHECK:         tile.list_rows %{{.*}} by %[[QUERY_LIST]]
// Rows that are scattered are asked for at once, also those of the result.
// CHECK:         tile.prefetch %{{.*}} rows 16 : <f32, 2, rows = listed>
// CHECK:         tile.load %{{.*}} : <f32, 2, rows = listed> -> <16x8xf32>
// CHECK:         tile.prefetch %{{.*}} rows 16 for_store : <f32, 2, rows = listed>
// CHECK:         tile.for_runs
// CHECK:           tile.load %{{.*}} : <f32, 2, rows = listed> -> <32x8xf32>
// CHECK:         } partial {
// The key of a pair is what the list says.
// CHECK:           tile.load %{{.*}} : <i32, 1> -> <32xi32>
// CHECK:         tile.store set %{{.*}} : <16x6xf32>, <f32, 2, rows = listed>
// CHECK:         tile.store set %{{.*}} : <16xf32>, <f32, 1, rows = listed>
func.func @documents(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"},
    %v: tensor<?x?x?x6xf32> {attn.axes = ["batch", "kv_heads", "keys", "vdim"], attn.name = "v"},
    %d: tensor<?x?xi32> {attn.axes = ["batch", "keys"], attn.name = "doc"})
    -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%v) captures(%d) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x6xf32>, tensor<?x?xi32>)
      -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %doc: tensor<?x?xi32>):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %doc: tensor<?x?xi32>):
    %a = attn.read %doc[%b, %i] : (tensor<?x?xi32>, i32, i32) -> i32
    %c = attn.read %doc[%b, %j] : (tensor<?x?xi32>, i32, i32) -> i32
    %m = arith.cmpi eq, %a, %c : i32
    attn.yield %m : i1
  }
  return %o, %l : tensor<?x?x?x6xf32>, tensor<?x?x?xf32>
}

// -----

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>, in_order = true>

// A plan may keep the order of positions.

// CHECK-LABEL: tile.program @documents
// CHECK-NOT:     tile.sort_rows
// CHECK:         tile.pyramid %{{.*}} along 1 : <i32, 2>
// CHECK-NOT:     tile.list_rows
func.func @documents(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"},
    %v: tensor<?x?x?x6xf32> {attn.axes = ["batch", "kv_heads", "keys", "vdim"], attn.name = "v"},
    %d: tensor<?x?xi32> {attn.axes = ["batch", "keys"], attn.name = "doc"})
    -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%v) captures(%d) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x6xf32>, tensor<?x?xi32>)
      -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %doc: tensor<?x?xi32>):
    attn.yield %dot : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %doc: tensor<?x?xi32>):
    %a = attn.read %doc[%b, %i] : (tensor<?x?xi32>, i32, i32) -> i32
    %c = attn.read %doc[%b, %j] : (tensor<?x?xi32>, i32, i32) -> i32
    %m = arith.cmpi eq, %a, %c : i32
    attn.yield %m : i1
  }
  return %o, %l : tensor<?x?x?x6xf32>, tensor<?x?x?xf32>
}

// -----

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>>

// Keys that many queries keep are listed once more after all others. In its
// place a pair is kept if it is close; with the marked keys if it is not.

// CHECK-LABEL: tile.program @strided
// CHECK:         %[[MARKS:.*]] = tile.tabulate for(%c1, %c1)
// CHECK:         %[[KEYS:.*]], %[[COUNT:.*]] = tile.list_marked %[[MARKS]]
// CHECK:         tile.plan_runs for({{.*}}) rows %{{.*}} step 16 columns %[[LENGTH:.*]] step 32
// CHECK:         } next {
// CHECK:           tile.find %[[KEYS]]
// CHECK:         tile.launch @strided_attend0 {{.*}}, %[[LENGTH]], %[[KEYS]], %[[COUNT]])
// CHECK-LABEL: tile.kernel @strided_attend0
// Queries stay in their order.
// CHECK:         tile.load %{{.*}} : <f32, 2> -> <16x8xf32>
// CHECK:         } partial {
// CHECK:           tile.load %{{.*}} : <i32, 1> -> <32xi32>
// CHECK:           arith.select
func.func @strided(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
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
    %c16 = arith.constant 16 : i32
    %c14 = arith.constant 14 : i32
    %c9 = arith.constant 9 : i32
    %distance = arith.subi %i, %j : i32
    %near = arith.cmpi slt, %distance, %c9 : i32
    %place = attn.mod %j, %c16 : i32
    %marked = arith.cmpi sge, %place, %c14 : i32
    %m = arith.ori %near, %marked : i1
    attn.yield %m : i1
  }
  return %o, %l : tensor<?x?x?x6xf32>, tensor<?x?x?xf32>
}

// -----

#plan = #tile.plan<queries = 16, keys = 32, cpu = <rows = 4, depth = 4, sweep = 4>, edge = 16>

// What a score says of distances alone is computed once for each of 16 + 32 - 1
// distances, or of 16 + 16 - 1 at the edges.

// CHECK-LABEL: tile.kernel @distances_attend0
// CHECK:         tile.for_runs
// CHECK:           %[[LINE:.*]] = tile.map({{.*}}) dims {{.*}} -> !tile.tile<16x3xf32> {
// CHECK:             tile.read
// CHECK:           tile.skew %[[LINE]] : <16x3xf32> -> <16x32xf32>
// CHECK:         } partial {
// CHECK:           tile.skew %{{.*}} : <16x2xf32> -> <16x16xf32>
func.func @distances(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
    %k: tensor<?x?x?x8xf32> {attn.axes = ["batch", "kv_heads", "keys", "dim"], attn.name = "k"},
    %v: tensor<?x?x?x6xf32> {attn.axes = ["batch", "kv_heads", "keys", "vdim"], attn.name = "v"},
    %t: tensor<?xf32> {attn.axes = ["keys"], attn.name = "t"})
    -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) attributes {attn.spec} {
  %B = attn.axis "batch"
  %H = attn.axis "heads"
  %M = attn.axis "queries"
  %N = attn.axis "keys"
  %o, %l = attn.attend softmax shape(%B, %H, %M, %N) queries(%q) keys(%k) values(%v) captures(%t) {tile.plan = #plan}
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>, tensor<?x?x?x6xf32>, tensor<?xf32>)
      -> (tensor<?x?x?x6xf32>, tensor<?x?x?xf32>) score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %table: tensor<?xf32>):
    %d = arith.subi %i, %j : i32
    %x = attn.read %table[%d] : (tensor<?xf32>, i32) -> f32
    %s = arith.addf %dot, %x : f32
    attn.yield %s : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %table: tensor<?xf32>):
    %m = arith.cmpi sge, %i, %j : i32
    attn.yield %m : i1
  }
  return %o, %l : tensor<?x?x?x6xf32>, tensor<?x?x?xf32>
}
