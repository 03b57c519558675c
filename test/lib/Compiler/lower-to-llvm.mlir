// RUN: rapt-opt %s --lower-to-llvm --split-input-file --verify-diagnostics | FileCheck %s
// RUN: rapt-opt %s --lower-to-llvm --split-input-file --verify-diagnostics | FileCheck %s --check-prefix=ONLY

// Nothing but the LLVM dialect is left.

// ONLY-NOT: {{(vector|scf|memref|arith|math|cf|affine|func|index)\.[a-z]}}

// Loops over vectors, as the edge before leaves them.

// CHECK-LABEL: llvm.func @scale(
// CHECK:         llvm.br
// CHECK:         llvm.cond_br
// CHECK:         llvm.load %{{.*}} : !llvm.ptr -> vector<16xf32>
// CHECK:         llvm.intr.fmuladd(%{{.*}}) : (vector<16xf32>, vector<16xf32>, vector<16xf32>) -> vector<16xf32>
// CHECK:         llvm.store %{{.*}} : vector<16xf32>, !llvm.ptr
func.func @scale(%memory: memref<?x16xf32>, %by: vector<16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = memref.dim %memory, %c0 : memref<?x16xf32>
  scf.for %row = %c0 to %rows step %c1 {
    %x = vector.load %memory[%row, %c0] : memref<?x16xf32>, vector<16xf32>
    %y = vector.fma %x, %by, %x : vector<16xf32>
    vector.store %y, %memory[%row, %c0] : memref<?x16xf32>, vector<16xf32>
  }
  return
}

// Masks: of a number that is known, a constant; else a comparison of lane
// numbers in 32 bits.

// CHECK-LABEL: llvm.func @masks(
// CHECK:         llvm.mlir.constant(dense<[true, true, true, false, false, false, false, false]> : vector<8xi1>)
// CHECK:         llvm.intr.masked.load
// CHECK:         llvm.icmp "{{.*}}" %{{.*}}, %{{.*}} : vector<8xi32>
// CHECK:         llvm.intr.masked.load
// CHECK:         llvm.intr.masked.store
func.func @masks(%memory: memref<?xf32>, %count: index) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : vector<8xf32>
  %three = vector.constant_mask [3] : vector<8xi1>
  %x = vector.maskedload %memory[%c0], %three, %zero : memref<?xf32>, vector<8xi1>, vector<8xf32> into vector<8xf32>
  %some = vector.create_mask %count : vector<8xi1>
  %y = vector.maskedload %memory[%c0], %some, %x : memref<?xf32>, vector<8xi1>, vector<8xf32> into vector<8xf32>
  vector.maskedstore %memory[%c0], %some, %y : memref<?xf32>, vector<8xi1>, vector<8xf32>
  return
}

// Mathematics of one number becomes an intrinsic where there is one, and a call
// of the C library where there is none.

// CHECK-LABEL: llvm.func @numbers(
// CHECK:         llvm.intr.exp2
// CHECK:         llvm.call @erff
// CHECK:         llvm.intr.maximum
func.func @numbers(%x: f32) -> f32 {
  %a = math.exp2 %x : f32
  %b = math.erf %a : f32
  %c = arith.maximumf %a, %b : f32
  return %c : f32
}

// Numbers of bf16 are bits: not every target moves vectors of them.

// CHECK-LABEL: llvm.func @bits(
// CHECK-NOT:     bf16
// CHECK-DAG:     llvm.mlir.constant(dense<16256> : vector<8xi16>)
// CHECK-DAG:     llvm.intr.masked.load {{.*}} -> vector<8xi16>
// CHECK-NOT:     bf16
// CHECK:         llvm.store %{{.*}} : vector<8xi16>
// CHECK-NOT:     bf16
// CHECK:         llvm.return %{{.*}} : f32
func.func @bits(%memory: memref<?xbf16>, %mask: vector<8xi1>) -> f32 {
  %c0 = arith.constant 0 : index
  %one = arith.constant dense<1.0> : vector<8xbf16>
  %x = vector.maskedload %memory[%c0], %mask, %one : memref<?xbf16>, vector<8xi1>, vector<8xbf16> into vector<8xbf16>
  %wide = arith.extf %x : vector<8xbf16> to vector<8xf32>
  %narrow = arith.truncf %wide : vector<8xf32> to vector<8xbf16>
  vector.store %narrow, %memory[%c0] : memref<?xbf16>, vector<8xbf16>
  %y = memref.load %memory[%c0] : memref<?xbf16>
  %z = arith.extf %y : bf16 to f32
  return %z : f32
}

// Branches of a condition.

// CHECK-LABEL: llvm.func @branch(
// CHECK:         llvm.cond_br
// CHECK-NOT:     llvm.select
// CHECK:         llvm.return
func.func @branch(%condition: i1, %x: vector<4xf32>) -> vector<4xf32> {
  %result = scf.if %condition -> (vector<4xf32>) {
    %y = arith.addf %x, %x : vector<4xf32>
    scf.yield %y : vector<4xf32>
  } else {
    scf.yield %x : vector<4xf32>
  }
  return %result : vector<4xf32>
}

// -----

// What is not memory, a number or a vector of rank 1 is no input.

// expected-error @below {{failed to legalize operation 'func.func'}}
func.func @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = arith.addf %x, %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
