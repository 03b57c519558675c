// RUN: rapt-opt %s --split-input-file --verify-diagnostics

// One function per numbered constraint, named after it.

func.func @scan_c1(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op keys operand must have rank 4, got 'tensor<?x?x4xf32>'}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %next = arith.addf %S, %key : tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c1_extent(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x?xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op keys operand must have a static feature extent, got 'tensor<?x?x?x?xf32>'}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x?xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %next = arith.addf %S, %key : tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c2(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op initial region must have arguments ('i32', 'i32'), got ('i32')}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %next = arith.addf %S, %key : tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c2_type(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op a state must be a number, a row or a matrix of f32, got 'i32'}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    attn.yield %b0 : i32
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %next = arith.addf %S, %key : tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c3(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op body region must have arguments ('i32', 'i32', 'i32', 'i32', 'tensor<4xf32>', 'tensor<4xf32>'), got ('i32', 'i32', 'i32', 'i32', 'tensor<4xf32>', 'tensor<3xf32>')}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<3xf32>):
    attn.yield %S, %S : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c4_count(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op body must yield 1 states and 1 rows, got 1 values}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %S : tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c4_state(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op body must yield state S as 'tensor<4xf32>', got 'tensor<2xf32>'}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k) {names = ["S"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %cut = attn.slice %S from 0 : tensor<4xf32> -> tensor<2xf32>
    attn.yield %cut, %S : tensor<2xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c4_row(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op body must yield a row for each output, got 'f32'}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %sum = attn.reduce add %S : (tensor<4xf32>) -> f32
    attn.yield %S, %sum : tensor<4xf32>, f32
  }
  return
}

// -----

func.func @scan_c5(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op output must have rank 4 and the row's extent 4 as its last, got 'tensor<?x?x?x3xf32>'}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x3xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %next = arith.addf %S, %key : tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c6(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op final state 0 must hold 'tensor<4xf32>' for each batch and head, got 'tensor<?x?x3xf32>'}}
  %out:2 = attn.scan finals shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x3xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %next = arith.addf %S, %key : tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c6_element(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op final state 0 must hold 'tensor<4xf32>' for each batch and head, got 'tensor<?x?x4xbf16>'}}
  %out:2 = attn.scan finals shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x4xbf16>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %next = arith.addf %S, %key : tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c7(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op the new state S must not depend on the row or on queries}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries(%q) keys(%k) {names = ["S"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %query: tensor<4xf32>, %key: tensor<4xf32>):
    %sum = arith.addf %query, %key : tensor<4xf32>
    %next = arith.mulf %sum, %S : tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c7_row(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op the new state 0 must not depend on the row or on queries}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %real = arith.sitofp %row : i32 to f32
    %next = attn.splat %real : f32 -> tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c8(%q: tensor<?x?x?x4xf32>, %k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.scan' op must have a name for each of 1 states, got 2}}
  %out:1 = attn.scan shape(%n, %n, %n, %n) queries() keys(%k) {names = ["S", "T"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b0: i32, %h0: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } body {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %S: tensor<4xf32>, %key: tensor<4xf32>):
    %next = arith.addf %S, %key : tensor<4xf32>
    attn.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @outer_c1(%k: tensor<?x?x?x4xf32>, %n: index) {
  %out = attn.map keys shape(%n, %n, %n, %n) rows(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %x: tensor<4xf32>):
    // expected-error @+1 {{'attn.outer' op result must have extents 4 x 4, got 'tensor<4x3xf32>'}}
    %m = attn.outer %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4x3xf32>
    attn.yield %x : tensor<4xf32>
  }
  return
}

// -----

func.func @spread_c1(%k: tensor<?x?x?x4xf32>, %n: index) {
  %out = attn.map keys shape(%n, %n, %n, %n) rows(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %x: tensor<4xf32>):
    // expected-error @+1 {{'attn.spread' op along must be 0 or 1, got 2}}
    %m = attn.spread %x along 2 : tensor<4xf32> -> tensor<4x3xf32>
    attn.yield %x : tensor<4xf32>
  }
  return
}

// -----

func.func @spread_c2(%k: tensor<?x?x?x4xf32>, %n: index) {
  %out = attn.map keys shape(%n, %n, %n, %n) rows(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %x: tensor<4xf32>):
    // expected-error @+1 {{'attn.spread' op result must have extent 4 in dimension 1, got 'tensor<4x3xf32>'}}
    %m = attn.spread %x along 1 : tensor<4xf32> -> tensor<4x3xf32>
    attn.yield %x : tensor<4xf32>
  }
  return
}

// -----

func.func @spread_c2_element(%k: tensor<?x?x?x4xf32>, %n: index) {
  %out = attn.map keys shape(%n, %n, %n, %n) rows(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %x: tensor<4xf32>):
    // expected-error @+1 {{'attn.spread' op needs rows of one element type, got 'tensor<4xf32>' and 'tensor<4x3xi32>'}}
    %m = attn.spread %x along 0 : tensor<4xf32> -> tensor<4x3xi32>
    attn.yield %x : tensor<4xf32>
  }
  return
}

// -----

func.func @vecmat_c1(%k: tensor<?x?x?x4xf32>, %n: index) {
  %out = attn.map keys shape(%n, %n, %n, %n) rows(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %x: tensor<4xf32>):
    %m = arith.constant dense<1.0> : tensor<3x4xf32>
    // expected-error @+1 {{'attn.vecmat' op needs a row [R] and a matrix [R, C], got 'tensor<4xf32>' and 'tensor<3x4xf32>'}}
    %y = attn.vecmat %x, %m : (tensor<4xf32>, tensor<3x4xf32>) -> tensor<4xf32>
    attn.yield %y : tensor<4xf32>
  }
  return
}

// -----

func.func @vecmat_c2(%k: tensor<?x?x?x4xf32>, %n: index) {
  %out = attn.map keys shape(%n, %n, %n, %n) rows(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> tensor<?x?x?x4xf32> {
  ^bb0(%b0: i32, %h0: i32, %row: i32, %j: i32, %x: tensor<4xf32>):
    %m = arith.constant dense<1.0> : tensor<4x3xf32>
    // expected-error @+1 {{'attn.vecmat' op result must have extent 3, got 'tensor<4xf32>'}}
    %y = attn.vecmat %x, %m : (tensor<4xf32>, tensor<4x3xf32>) -> tensor<4xf32>
    attn.yield %y : tensor<4xf32>
  }
  return
}

// -----

func.func @attend_c4_score_extent(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op score region must yield 'f32', got 'tensor<3xf32>'}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    %s = attn.splat %d0 : f32 -> tensor<3xf32>
    attn.yield %s : tensor<3xf32>
  }
  return
}

// -----

func.func @attend_c7(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op carry region must have arguments ('i32', 'i32', 'i32', 'tensor<4xf32>', 'tensor<4xf32>', 'tensor<4xf32>'), got ('i32', 'i32', 'i32')}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x) steps(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  } carry {
  ^bb0(%b: i32, %h: i32, %t: i32):
    attn.yield
  }
  return
}

// -----

func.func @attend_c7_yield(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op carry region must yield ('tensor<4xf32>', 'tensor<4xf32>'), got ('tensor<4xf32>')}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  } carry {
  ^bb0(%b: i32, %h: i32, %t: i32, %key: tensor<4xf32>, %value: tensor<4xf32>):
    attn.yield %key : tensor<4xf32>
  }
  return
}

// -----

func.func @attend_c8(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op steps need a carry region}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x) steps(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}

// -----

func.func @attend_c9(%x: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.attend' op a score per feature has neither factor nor sink}}
  %out, %lse = attn.attend softmax shape(%n, %n, %n, %n) queries(%x) keys(%x) values(%x)
      : (index, index, index, index, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x?xf32>)
  score {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    %s = attn.splat %d0 : f32 -> tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } factor {
  ^bb0(%b: i32, %h: i32, %row: i32, %i: i32, %j: i32, %d0: f32):
    attn.yield %d0 : f32
  }
  return
}
