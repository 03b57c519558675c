# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

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

# rapt_add_passes(<Folder>): pass classes and reference page from Passes.td;
# defines the target Rapt<Folder>PassesIncGen.
function(rapt_add_passes folder)
  set(LLVM_TARGET_DEFINITIONS Passes.td)
  mlir_tablegen(Passes.h.inc -gen-pass-decls -name ${folder})
  add_public_tablegen_target(Rapt${folder}PassesIncGen)
  add_mlir_doc(Passes ${folder}Passes passes/ -gen-pass-doc)
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

# The LLVM and MLIR that every executable and shared library of ours links once.
# Static: whole archives by path, since the packaged targets name the shared
# libraries as dependencies, and both together would register types twice. The
# linker takes only the members that are used.
add_library(RaptLLVM INTERFACE)
if(RAPT_STATIC)
  file(GLOB archives ${LLVM_LIBRARY_DIR}/libMLIR*.a ${LLVM_LIBRARY_DIR}/libLLVM*.a)
  target_link_libraries(RaptLLVM INTERFACE
    ${archives} -l:libz.a -l:libzstd.a m ${CMAKE_DL_LIBS})
  target_link_options(RaptLLVM INTERFACE -fuse-ld=lld
    -static-libstdc++ -static-libgcc -Wl,--gc-sections -Wl,--icf=all)
else()
  target_link_libraries(RaptLLVM INTERFACE MLIR LLVM)
endif()

# rapt_link_llvm(<target> ...)
function(rapt_link_llvm)
  foreach(target ${ARGN})
    target_link_libraries(${target} PRIVATE RaptLLVM)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "SHARED_LIBRARY")
      target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL)
    endif()
  endforeach()
endfunction()

# rapt_add_unit_test(<name> <sources> [LINK <libs>] [DEPENDS <targets>])
# A GoogleTest program that check-rapt builds and lit runs case by case. Its name
# ends in Tests, by which lit finds it.
function(rapt_add_unit_test name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  if(NOT name MATCHES "Tests$")
    message(FATAL_ERROR "unit test ${name} must have a name that ends in Tests")
  endif()
  add_executable(${name} EXCLUDE_FROM_ALL ${ARG_UNPARSED_ARGUMENTS})
  # Beside its build files, so that lit finds it where its sources are.
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM RaptPrecompiled)
  rapt_link_llvm(${name})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  set_property(GLOBAL APPEND PROPERTY RAPT_UNIT_TESTS ${name})
endfunction()

# rapt_collect_programs(<variable> <folder>): appends the programs and shared
# libraries that the folder and those below it define.
function(rapt_collect_programs variable folder)
  set(programs ${${variable}})
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(type MATCHES "^(EXECUTABLE|SHARED_LIBRARY)$")
      list(APPEND programs ${target})
    endif()
  endforeach()
  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(subfolder ${subfolders})
    rapt_collect_programs(programs ${subfolder})
  endforeach()
  set(${variable} ${programs} PARENT_SCOPE)
endfunction()
