// RUN: rapt-opt %s --split-input-file --verify-diagnostics

// One function per numbered constraint, named after it.

func.func @attend_c1(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op must have as many keys as queries, got 2 queries and 1 keys}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x, %x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32, %d1: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c1_extents(%x: tensor<?x?x?x4xf32>, %y: tensor<?x?x?x5xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op queries and keys must have one feature extent, got 4 and 5}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%y) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x5xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c2_rank(%x: tensor<?x?x?x4xf32>, %y: tensor<?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op queries operand must have rank 4, got 'tensor<?x?x4xf32>'}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%y) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c2_keys(%x: tensor<?x?x?x4xf32>, %y: tensor<?x?x?x?xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op keys operand must have a static feature extent, got 'tensor<?x?x?x?xf32>'}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%y) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x?xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c2_values(%x: tensor<?x?x?x4xf32>, %y: tensor<?x?x?x?xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op values operand must have a static feature extent, got 'tensor<?x?x?x?xf32>'}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%y)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x?xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c3_score(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op score region must have arguments ('i32', 'i32', 'i32', 'i32', 'i32', 'f32'), got ('i32', 'i32', 'i32', 'i32', 'i32')}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32):
    %d0 = arith.constant 1.0 : f32
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c3_mask(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op mask region must have arguments ('i32', 'i32', 'i32', 'i32', 'i32', 'f32'), got ('i32')}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  } mask {
  ^bb0(%b: i32):
    %t = arith.constant true
    attn.yield %t : i1
  }
  return
}

// -----

func.func @attend_c3_sink(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op sink region must have arguments ('i32', 'i32', 'i32', 'i32'), got ('i32', 'i32', 'i32', 'i32', 'i32', 'f32')}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  } sink {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c4_score(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op score region must yield 'f32', got 'i32'}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %i : i32
  }
  return
}

// -----

func.func @attend_c4_mask(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op mask region must yield 'i1', got 'f32'}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  } mask {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c4_factor(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op factor region must yield 'f32', got 'i32'}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  } factor {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %j : i32
  }
  return
}

// -----

func.func @attend_c4_sink(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op sink region must yield 'f32', got 'i32'}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  } sink {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32):
    attn.yield %i : i32
  }
  return
}

// -----

func.func @attend_c5_sink(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op a sink needs softmax, got sum}}
  %out, %lse = attn.attend sum shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  } sink {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32):
    %s = arith.constant 1.0 : f32
    attn.yield %s : f32
  }
  return
}

// -----

func.func @attend_c5_epsilon(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op epsilon needs ratio, got softmax}}
  %out, %lse = attn.attend softmax epsilon 1.0 shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c6_extent(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op result must have the feature extent of values, 4, got 'tensor<?x?x?x5xf32>'}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x5xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c6_type(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op result must have element type f32 or that of values, got 'f16'}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf16>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @map_c1(%x: tensor<?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.map' op rows operand must have rank 4, got 'tensor<?x4xf32>'}}
  %out = attn.map queries shape(%n, %n, %n, %n) rows(%x) : (index, index, index, index, tensor<?x4xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b: i32, %h: i32, %n0: i32, %i: i32, %r: tensor<4xf32>):
    attn.yield %r : tensor<4xf32>
  }
  return
}

// -----

func.func @map_c2(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.map' op body region must have arguments ('i32', 'i32', 'i32', 'i32', 'tensor<4xf32>'), got ('i32', 'tensor<4xf32>')}}
  %out = attn.map queries shape(%n, %n, %n, %n) rows(%x) : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b: i32, %r: tensor<4xf32>):
    attn.yield %r : tensor<4xf32>
  }
  return
}

// -----

func.func @map_c3(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.map' op body must yield a row of the result 'tensor<?x?x?x5xf32>', got 'tensor<4xf32>'}}
  %out = attn.map queries shape(%n, %n, %n, %n) rows(%x) : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x5xf32> {
  ^bb0(%b: i32, %h: i32, %n0: i32, %i: i32, %r: tensor<4xf32>):
    attn.yield %r : tensor<4xf32>
  }
  return
}

// -----

func.func @map_c3_scalar(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.map' op body must yield a row of the result 'tensor<?x?x?x4xf32>', got 'i32'}}
  %out = attn.map queries shape(%n, %n, %n, %n) rows(%x) : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b: i32, %h: i32, %n0: i32, %i: i32, %r: tensor<4xf32>):
    attn.yield %i : i32
  }
  return
}

// -----

func.func @axis_c1(%x: tensor<?xf32> {attn.axes = ["heads"]}) {
  // expected-error @+1 {{'attn.axis' op names axis "batch", which no argument of the enclosing function has}}
  %0 = attn.axis "batch"
  return
}

// -----

func.func @list_rows_c1(%x: tensor<?x?x3xf32>, %list: tensor<?xi64>) {
  // expected-error @+1 {{'attn.list_rows' op list must be a tensor of i32 of rank 1, got 'tensor<?xi64>'}}
  %0 = attn.list_rows %x by %list : tensor<?x?x3xf32>, tensor<?xi64>
  return
}

// -----

func.func @list_rows_c2(%x: tensor<?x7x3xf32>, %list: tensor<?xi32>) {
  // expected-error @+1 {{'attn.list_rows' op source must have rank 3 or 4 and a dynamic number of rows, got 'tensor<?x7x3xf32>'}}
  %0 = attn.list_rows %x by %list : tensor<?x7x3xf32>, tensor<?xi32>
  return
}

// -----

func.func @unsqueeze_c1(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'attn.unsqueeze' op position must lie in 0 .. 2, got 3}}
  %0 = attn.unsqueeze %x at 3 : tensor<2x3xf32> -> tensor<2x3x1xf32>
  return
}

// -----

func.func @unsqueeze_c2(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'attn.unsqueeze' op result must be 'tensor<1x2x3xf32>', got 'tensor<2x1x3xf32>'}}
  %0 = attn.unsqueeze %x at 0 : tensor<2x3xf32> -> tensor<2x1x3xf32>
  return
}

// -----

func.func @read_c1(%x: tensor<2x3xf32>, %i: i32) {
  // expected-error @+1 {{'attn.read' op has 3 indices for a tensor of rank 2}}
  %0 = attn.read %x[%i, %i, %i] : (tensor<2x3xf32>, i32, i32, i32) -> f32
  return
}

// -----

func.func @read_c1_dynamic(%x: tensor<2x?xf32>, %i: i32) {
  // expected-error @+1 {{'attn.read' op keeps a dimension that is not static in 'tensor<2x?xf32>'}}
  %0 = attn.read %x[%i] : (tensor<2x?xf32>, i32) -> tensor<3xf32>
  return
}

// -----

func.func @read_c1_extent(%x: tensor<2x3xf32>, %i: i32) {
  // expected-error @+1 {{'attn.read' op result must be 'tensor<3xf32>', got 'tensor<2xf32>'}}
  %0 = attn.read %x[%i] : (tensor<2x3xf32>, i32) -> tensor<2xf32>
  return
}

// -----

func.func @read_c2(%x: tensor<2x3xi8>, %i: i32) {
  // expected-error @+1 {{'attn.read' op result must be 'i32', got 'f32'}}
  %0 = attn.read %x[%i, %i] : (tensor<2x3xi8>, i32, i32) -> f32
  return
}

// -----

func.func @extent_c1(%x: tensor<2x3xi8>) {
  // expected-error @+1 {{'attn.extent' op dimension 2 of a tensor of rank 2}}
  %0 = attn.extent %x[2] : tensor<2x3xi8>
  return
}

// -----

func.func @share_c1(%x: tensor<2x3xi8>, %h: i32) {
  // expected-error @+1 {{'attn.share' op dimension -1 of a tensor of rank 2}}
  %0 = attn.share %h in %x[-1] : tensor<2x3xi8>
  return
}

// -----

func.func @matvec_c1(%m: tensor<2x3xf32>, %r: tensor<2xf32>) {
  // expected-error @+1 {{'attn.matvec' op needs a matrix [R, C] and a row [C], got 'tensor<2x3xf32>' and 'tensor<2xf32>'}}
  %0 = attn.matvec %m, %r : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @matvec_c2(%m: tensor<2x3xf32>, %r: tensor<3xf32>) {
  // expected-error @+1 {{'attn.matvec' op result must have extent 2, got 'tensor<3xf32>'}}
  %0 = attn.matvec %m, %r : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @dot_of_matrices(%m: tensor<2x3xf32>) {
  // expected-error @+1 {{'attn.dot' op operand #0 must be row of f32, but got 'tensor<2x3xf32>'}}
  %0 = attn.dot %m, %m : tensor<2x3xf32>
  return
}

// -----

func.func @reduce_of_matrix(%m: tensor<2x3xf32>) {
  // expected-error @+1 {{'attn.reduce' op operand #0 must be row of f32, i32, i64 or i1, but got 'tensor<2x3xf32>'}}
  %0 = attn.reduce add %m : (tensor<2x3xf32>) -> f32
  return
}

// -----

func.func @reduce_c1(%r: tensor<3xf32>) {
  // expected-error @+1 {{'attn.reduce' op result must be 'f32', got 'i32'}}
  %0 = attn.reduce max %r : (tensor<3xf32>) -> i32
  return
}

// -----

func.func @reduce_c1_argmax(%r: tensor<3xf32>) {
  // expected-error @+1 {{'attn.reduce' op result must be 'i32', got 'f32'}}
  %0 = attn.reduce argmax %r : (tensor<3xf32>) -> f32
  return
}

// -----

func.func @splat_c1(%x: f32) {
  // expected-error @+1 {{'attn.splat' op result must be a row of 'f32', got 'tensor<3xi32>'}}
  %0 = attn.splat %x : f32 -> tensor<3xi32>
  return
}

// -----

func.func @feature_of_booleans() {
  // expected-error @+1 {{'attn.feature' op result #0 must be row of f32, i32 or i64, but got 'tensor<3xi1>'}}
  %0 = attn.feature : tensor<3xi1>
  return
}

// -----

func.func @slice_c1(%r: tensor<3xf32>) {
  // expected-error @+1 {{'attn.slice' op cuts 2 features from 2 of a row of 3}}
  %0 = attn.slice %r from 2 : tensor<3xf32> -> tensor<2xf32>
  return
}

// -----

func.func @slice_c2(%r: tensor<3xf32>) {
  // expected-error @+1 {{'attn.slice' op needs rows of one element type, got 'tensor<3xf32>' and 'tensor<2xi32>'}}
  %0 = attn.slice %r from 0 : tensor<3xf32> -> tensor<2xi32>
  return
}

// -----

func.func @concat_c1(%r: tensor<3xf32>) {
  // expected-error @+1 {{'attn.concat' op result must have extent 6, got 5}}
  %0 = attn.concat %r, %r : (tensor<3xf32>, tensor<3xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @concat_c2(%r: tensor<3xf32>, %s: tensor<2xi32>) {
  // expected-error @+1 {{'attn.concat' op needs rows of one element type, got 'tensor<2xi32>' and 'tensor<5xf32>'}}
  %0 = attn.concat %r, %s : (tensor<3xf32>, tensor<2xi32>) -> tensor<5xf32>
  return
}
