// RUN: rapt-opt %s --split-input-file --verify-diagnostics

// One function per numbered constraint, named after it.

func.func @affine_scan_c1(%k: tensor<?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op keys operand must have rank 4, got 'tensor<?x?x4xf32>'}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c2(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op initial region must have arguments ('i32', 'i32'), got ('i32')}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c2_type(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op a state must be a number, a row or a matrix of f32, got 'i32'}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    attn.yield %b : i32
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c3_count(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op must have a transition for each of 1 states, got 2}}
  %out:1 = attn.affine_scan [#attn.transition<identity>, #attn.transition<identity>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c3_axis(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op transition #attn.transition<channel axis = 1 writes = -1> of state 0 does not fit 'tensor<4xf32>'}}
  %out:1 = attn.affine_scan [#attn.transition<channel axis = 1 writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c3_writes(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op transition #attn.transition<channel writes = 1> of state 0 does not fit 'tensor<4xf32>'}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = 1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c3_rank(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op transition #attn.transition<element rank = 1> of state 0 does not fit 'tensor<4xf32>'}}
  %out:1 = attn.affine_scan [#attn.transition<element rank = 1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c3_partner(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op transition #attn.transition<coupled partners = [0]> of state 0 does not fit 'tensor<4xf32>'}}
  %out:1 = attn.affine_scan [#attn.transition<coupled partners = [0]>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c3_alone(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op transition #attn.transition<rotation> of state 0 does not fit 'tensor<4xf32>'}}
  %out:1 = attn.affine_scan [#attn.transition<rotation>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c3_partner_type(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op state R and its partner I must have one type}}
  %out:1 = attn.affine_scan [#attn.transition<coupled partners = [1]>, #attn.transition<nonlinear>] shape(%n, %n, %n, %n) queries() keys(%k) {names = ["R", "I"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    %t = arith.constant 0.0 : f32
    attn.yield %s, %t : tensor<4xf32>, f32
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %S1: f32, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %S1: f32, %A0: tensor<4xf32>, %A1: f32, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c4(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op step region must have arguments ('i32', 'i32', 'i32', 'tensor<4xf32>', 'tensor<4xf32>'), got ('i32', 'i32', 'i32', 'tensor<4xf32>')}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c4_yield(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op step must yield ('tensor<4xf32>', 'tensor<4xf32>'), got ('tensor<4xf32>')}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key : tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c5(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op the values of state S must not depend on it or its partners}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k) {names = ["S"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    %x = arith.addf %key, %S0 : tensor<4xf32>
    attn.yield %key, %x : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c5_partner(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op the values of state 0 must not depend on it or its partners}}
  %out:1 = attn.affine_scan [#attn.transition<coupled partners = [1]>, #attn.transition<identity>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s, %s : tensor<4xf32>, tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %S1: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %S1 : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %S1: tensor<4xf32>, %A0: tensor<4xf32>, %A1: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c6(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op read region must have arguments ('i32', 'i32', 'i32', 'i32', 'tensor<4xf32>', 'tensor<4xf32>', 'tensor<4xf32>'), got ('i32', 'i32', 'i32', 'i32', 'tensor<4xf32>')}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %A0: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c6_count(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op read must yield 1 rows, got 2 values}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0, %A0 : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c6_row(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op read must yield a row for each output, got 'i32'}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %j : i32
  }
  return
}

// -----

func.func @affine_scan_c7(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op output must have rank 4 and the row's extent 4 as its last, got 'tensor<?x?x?x3xf32>'}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x3xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c7_final(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op final state 0 must hold 'tensor<4xf32>' for each batch and head, got 'tensor<?x?x3xf32>'}}
  %out:2 = attn.affine_scan finals [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k)
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>, tensor<?x?x3xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}

// -----

func.func @affine_scan_c8(%k: tensor<?x?x?x4xf32>, %n: index) {
  // expected-error @+1 {{'attn.affine_scan' op must have a name for each of 1 states, got 2}}
  %out:1 = attn.affine_scan [#attn.transition<channel writes = -1>] shape(%n, %n, %n, %n) queries() keys(%k) {names = ["S", "T"]}
      : (index, index, index, index, tensor<?x?x?x4xf32>) -> (tensor<?x?x?x4xf32>)
  initial {
  ^bb0(%b: i32, %h: i32):
    %s = arith.constant dense<0.0> : tensor<4xf32>
    attn.yield %s : tensor<4xf32>
  } step {
  ^bb0(%b: i32, %h: i32, %j: i32, %S0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %key, %key : tensor<4xf32>, tensor<4xf32>
  } read {
  ^bb0(%b: i32, %h: i32, %row: i32, %j: i32, %S0: tensor<4xf32>, %A0: tensor<4xf32>, %key: tensor<4xf32>):
    attn.yield %A0 : tensor<4xf32>
  }
  return
}
