include_guard()

# rapt_add_dialect(<Folder> <mnemonic>): C++ and reference page from
# <Folder>Ops.td; defines the target Rapt<Folder>IncGen.
function(rapt_add_dialect folder mnemonic)
  set(LLVM_TARGET_DEFINITIONS ${folder}Ops.td)
  mlir_tablegen(${folder}Dialect.h.inc -gen-dialect-decls -dialect=${mnemonic})
  mlir_tablegen(${folder}Dialect.cpp.inc -gen-dialect-defs -dialect=${mnemonic})
  mlir_tablegen(${folder}Types.h.inc -gen-typedef-decls -typedefs-dialect=${mnemonic})
  mlir_tablegen(${folder}Types.cpp.inc -gen-typedef-defs -typedefs-dialect=${mnemonic})
  mlir_tablegen(${folder}Enums.h.inc -gen-enum-decls)
  mlir_tablegen(${folder}Enums.cpp.inc -gen-enum-defs)
  mlir_tablegen(${folder}Attrs.h.inc -gen-attrdef-decls -attrdefs-dialect=${mnemonic})
  mlir_tablegen(${folder}Attrs.cpp.inc -gen-attrdef-defs -attrdefs-dialect=${mnemonic})
  mlir_tablegen(${folder}Ops.h.inc -gen-op-decls)
  mlir_tablegen(${folder}Ops.cpp.inc -gen-op-defs)
  add_public_tablegen_target(Rapt${folder}IncGen)
  add_mlir_doc(${folder}Ops ${folder} dialects/ -gen-dialect-doc -dialect=${mnemonic})
endfunction()

# One precompiled header of the MLIR headers that nearly every file includes:
# five times faster per file. Every library that links MLIR reuses it.
function(rapt_add_precompiled_header)
  add_library(RaptPrecompiled OBJECT ${PROJECT_SOURCE_DIR}/cmake/Precompiled.cpp)
  target_precompile_headers(RaptPrecompiled PRIVATE
    <mlir/IR/PatternMatch.h> <mlir/Pass/Pass.h>
    <mlir/Transforms/DialectConversion.h> <mlir/IR/BuiltinOps.h>
    <mlir/Bytecode/BytecodeOpInterface.h> <mlir/IR/OpImplementation.h>
    <mlir/Interfaces/SideEffectInterfaces.h>
    <mlir/Dialect/Arith/IR/Arith.h> <mlir/Dialect/Func/IR/FuncOps.h>
    <mlir/Dialect/Math/IR/Math.h> <mlir/Dialect/SCF/IR/SCF.h>
    <mlir/Dialect/MemRef/IR/MemRef.h> <mlir/Dialect/Vector/IR/VectorOps.h>)
endfunction()

# rapt_add_library(<name> <sources> [LINK <libs>] [DEPENDS <targets>] [PLAIN])
# A static library of one folder. PLAIN: no MLIR headers (no precompiled header).
function(rapt_add_library name)
  cmake_parse_arguments(ARG "PLAIN" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(NOT ARG_PLAIN)
    target_precompile_headers(${name} REUSE_FROM RaptPrecompiled)
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# rapt_link_llvm(<target> ...): the LLVM and MLIR that every executable and
# shared library of ours links once.
function(rapt_link_llvm)
  foreach(target ${ARGN})
    target_link_libraries(${target} PRIVATE MLIR LLVM)
  endforeach()
endfunction()
