// RUN: rapt-opt %s | rapt-opt | FileCheck %s
// RUN: rapt-opt --mlir-print-op-generic %s | rapt-opt | FileCheck %s

// CHECK-LABEL: func.func @spec(
// CHECK-SAME:    {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"}
func.func @spec(%q: tensor<?x?x?x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"], attn.name = "q"},
                %k: tensor<?x?x8xbf16> {attn.axes = ["batch", "keys", "dim"], attn.name = "k"},
                %v: tensor<?x?x?x4xf16> {attn.axes = ["batch", "kv_heads", "keys", "vdim"], attn.name = "v"},
                %doc: tensor<?x?xi32> {attn.axes = ["batch", "keys"], attn.name = "doc"},
                %sink: tensor<?xf32> {attn.axes = ["heads"], attn.name = "sink"})
    -> (tensor<?x?x?x4xf32> {attn.axes = ["batch", "heads", "queries", "vdim"], attn.name = "out"},
        tensor<?x?x?xf32> {attn.axes = ["batch", "heads", "queries"], attn.name = "lse"})
    attributes {attn.spec} {
  // CHECK: %[[B:.*]] = attn.axis "batch"
  // CHECK: %[[H:.*]] = attn.axis "heads"
  // CHECK: %[[M:.*]] = attn.axis "queries"
  // CHECK: %[[N:.*]] = attn.axis "keys"
  %b = attn.axis "batch"
  %h = attn.axis "heads"
  %m = attn.axis "queries"
  %n = attn.axis "keys"
  // CHECK: %[[K4:.*]] = attn.unsqueeze %{{.*}} at 1 : tensor<?x?x8xbf16> -> tensor<?x1x?x8xbf16>
  %k4 = attn.unsqueeze %k at 1 : tensor<?x?x8xbf16> -> tensor<?x1x?x8xbf16>

  // CHECK: %[[KEYS:.*]] = attn.map keys shape(%[[B]], %[[H]], %[[M]], %[[N]]) rows(%[[K4]]) captures(%{{.*}}) : (index, index, index, index, tensor<?x1x?x8xbf16>, tensor<?x?xi32>) -> tensor<?x1x?x8xbf16> {
  // CHECK-NEXT: ^bb0(%{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: tensor<8xf32>, %{{.*}}: tensor<?x?xi32>):
  %keys = attn.map keys shape(%b, %h, %m, %n) rows(%k4) captures(%doc)
      : (index, index, index, index, tensor<?x1x?x8xbf16>, tensor<?x?xi32>) -> tensor<?x1x?x8xbf16> {
  ^bb0(%b0: i32, %h0: i32, %n0: i32, %j: i32, %row: tensor<8xf32>, %ids: tensor<?x?xi32>):
    // CHECK: attn.read %{{.*}}[%{{.*}}, %{{.*}}] : (tensor<?x?xi32>, i32, i32) -> i32
    %id = attn.read %ids[%b0, %j] : (tensor<?x?xi32>, i32, i32) -> i32
    %real = arith.sitofp %id : i32 to f32
    // CHECK: attn.splat %{{.*}} : f32 -> tensor<8xf32>
    %ones = attn.splat %real : f32 -> tensor<8xf32>
    // CHECK: attn.feature : tensor<8xi32>
    %features = attn.feature : tensor<8xi32>
    %floats = arith.sitofp %features : tensor<8xi32> to tensor<8xf32>
    // CHECK: attn.dot %{{.*}}, %{{.*}} : tensor<8xf32>
    %norm = attn.dot %row, %floats : tensor<8xf32>
    // CHECK: attn.slice %{{.*}} from 2 : tensor<8xf32> -> tensor<3xf32>
    %cut = attn.slice %row from 2 : tensor<8xf32> -> tensor<3xf32>
    %rest = attn.slice %ones from 0 : tensor<8xf32> -> tensor<5xf32>
    // CHECK: attn.concat %{{.*}}, %{{.*}} : (tensor<3xf32>, tensor<5xf32>) -> tensor<8xf32>
    %joined = attn.concat %cut, %rest : (tensor<3xf32>, tensor<5xf32>) -> tensor<8xf32>
    // CHECK: attn.reduce add %{{.*}} : (tensor<8xf32>) -> f32
    // CHECK: attn.reduce max %{{.*}} : (tensor<8xf32>) -> f32
    // CHECK: attn.reduce min %{{.*}} : (tensor<8xi32>) -> i32
    // CHECK: attn.reduce argmax %{{.*}} : (tensor<8xf32>) -> i32
    %sum = attn.reduce add %joined : (tensor<8xf32>) -> f32
    %max = attn.reduce max %joined : (tensor<8xf32>) -> f32
    %min = attn.reduce min %features : (tensor<8xi32>) -> i32
    %argmax = attn.reduce argmax %joined : (tensor<8xf32>) -> i32
    // CHECK: attn.yield %{{.*}} : tensor<8xf32>
    attn.yield %joined : tensor<8xf32>
  }

  // CHECK: attn.attend softmax shape(%[[B]], %[[H]], %[[M]], %[[N]]) queries(%{{.*}}) keys(%[[KEYS]]) values(%{{.*}}) captures(%{{.*}}, %{{.*}}) :
  // CHECK-SAME: score {
  %out, %lse = attn.attend softmax shape(%b, %h, %m, %n) queries(%q) keys(%keys) values(%v) captures(%doc, %sink)
      : (index, index, index, index, tensor<?x?x?x8xf32>, tensor<?x1x?x8xbf16>, tensor<?x?x?x4xf16>, tensor<?x?xi32>, tensor<?xf32>)
      -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %ids: tensor<?x?xi32>, %sinks: tensor<?xf32>):
    attn.yield %dot : f32
  // CHECK: } mask {
  } mask {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %ids: tensor<?x?xi32>, %sinks: tensor<?xf32>):
    // CHECK: attn.length queries
    // CHECK: attn.length keys
    %queries = attn.length queries
    %length = attn.length keys
    // CHECK: attn.extent %{{.*}}[1] : tensor<?x?xi32>
    %extent = attn.extent %ids[1] : tensor<?x?xi32>
    // CHECK: attn.share %{{.*}} in %{{.*}}[0] : tensor<?xf32>
    %share = attn.share %h0 in %sinks[0] : tensor<?xf32>
    %two = arith.constant 2 : i32
    // CHECK: attn.floordiv %{{.*}}, %{{.*}} : i32
    // CHECK: attn.mod %{{.*}}, %{{.*}} : i32
    %block = attn.floordiv %i, %two : i32
    %rest = attn.mod %j, %two : i32
    %keep = arith.cmpi sge, %block, %rest : i32
    attn.yield %keep : i1
  // CHECK: } factor {
  } factor {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot: f32, %ids: tensor<?x?xi32>, %sinks: tensor<?xf32>):
    %seed = arith.constant 7 : i64
    // CHECK: attn.uniform %{{.*}} at %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}
    %random = attn.uniform %seed at %b0, %h0, %i, %j
    attn.yield %random : f32
  // CHECK: } sink {
  } sink {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %ids: tensor<?x?xi32>, %sinks: tensor<?xf32>):
    %sink0 = attn.read %sinks[%h0] : (tensor<?xf32>, i32) -> f32
    attn.yield %sink0 : f32
  }
  return %out, %lse : tensor<?x?x?x4xf32>, tensor<?x?x?xf32>
}

// Without products; a row from matrices; the other reductions.
// CHECK-LABEL: func.func @reductions(
func.func @reductions(%q: tensor<2x3x4x8xf32> {attn.axes = ["batch", "heads", "queries", "dim"]},
                      %v: tensor<2x3x5x4xf32> {attn.axes = ["batch", "heads", "keys", "vdim"]},
                      %w: tensor<3x6x8xbf16>, %bytes: tensor<3xi8>) -> (tensor<2x3x4x6xf32>) {
  %b = attn.axis "batch"
  %h = attn.axis "heads"
  %m = attn.axis "queries"
  %n = attn.axis "keys"
  // CHECK: attn.attend ratio epsilon {{.*}} shape(
  // CHECK-SAME: queries() keys() values(
  %out, %lse = attn.attend ratio epsilon 1.0e-06 shape(%b, %h, %m, %n) queries() keys() values(%v)
      : (index, index, index, index, tensor<2x3x5x4xf32>) -> (tensor<2x3x4x4xf32>, tensor<2x3x4xf32>)
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32):
    %one = arith.constant 1.0 : f32
    attn.yield %one : f32
  }
  // CHECK: attn.attend sum shape(
  %out2, %lse2 = attn.attend sum shape(%b, %h, %m, %n) queries(%q, %q) keys(%q, %q) values(%v)
      : (index, index, index, index, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x4x8xf32>, tensor<2x3x5x4xf32>)
      -> (tensor<2x3x4x4xf32>, tensor<2x3x4xf32>)
  score {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %j: i32, %dot0: f32, %dot1: f32):
    %score = arith.addf %dot0, %dot1 : f32
    attn.yield %score : f32
  }
  // CHECK: attn.map queries shape({{.*}}) rows(%{{.*}}) captures(%{{.*}}, %{{.*}}) :
  %rows = attn.map queries shape(%b, %h, %m, %n) rows(%q) captures(%w, %bytes)
      : (index, index, index, index, tensor<2x3x4x8xf32>, tensor<3x6x8xbf16>, tensor<3xi8>) -> tensor<2x3x4x6xf32> {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %i: i32, %x: tensor<8xf32>, %matrices: tensor<3x6x8xbf16>, %byte: tensor<3xi8>):
    // CHECK: attn.read %{{.*}}[%{{.*}}] : (tensor<3x6x8xbf16>, i32) -> tensor<6x8xf32>
    %matrix = attn.read %matrices[%h0] : (tensor<3x6x8xbf16>, i32) -> tensor<6x8xf32>
    // CHECK: attn.read %{{.*}}[%{{.*}}] : (tensor<3xi8>, i32) -> i32
    %small = attn.read %byte[%h0] : (tensor<3xi8>, i32) -> i32
    // CHECK: attn.matvec %{{.*}}, %{{.*}} : (tensor<6x8xf32>, tensor<8xf32>) -> tensor<6xf32>
    %y = attn.matvec %matrix, %x : (tensor<6x8xf32>, tensor<8xf32>) -> tensor<6xf32>
    attn.yield %y : tensor<6xf32>
  }
  return %rows : tensor<2x3x4x6xf32>
}

// CHECK-LABEL: func.func @list_rows
func.func @list_rows(%cache: tensor<?x?x?x8xf32>, %latents: tensor<?x?x3xbf16>, %rows: tensor<?xi32>) {
  // CHECK: attn.list_rows %{{.*}} by %{{.*}} : tensor<?x?x?x8xf32>, tensor<?xi32>
  %0 = attn.list_rows %cache by %rows : tensor<?x?x?x8xf32>, tensor<?xi32>
  // CHECK: attn.list_rows %{{.*}} by %{{.*}} : tensor<?x?x3xbf16>, tensor<?xi32>
  %1 = attn.list_rows %latents by %rows : tensor<?x?x3xbf16>, tensor<?xi32>
  return
}
