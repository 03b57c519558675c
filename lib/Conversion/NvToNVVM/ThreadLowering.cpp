// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Conversion/NvToNVVM/ThreadLowering.h"
#include "lib/Conversion/NvToNVVM/DeviceMath.h"
#include "lib/Support/LaunchWords.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace rapt::conversion {

ThreadLowering::ThreadLowering(OpBuilder &builder, nv::KernelOp kernel)
    : builder(builder), kernel(kernel), location(kernel.getLoc()),
      warps(static_cast<int64_t>(kernel.getWarps())),
      producers(static_cast<int64_t>(kernel.getProducers().value_or(0))) {}

LogicalResult ThreadLowering::notLowered(Operation *op) {
  return op->emitError() << "has no lowering to threads";
}

//===----------------------------------------------------------------------===//
// Small values
//===----------------------------------------------------------------------===//

Value ThreadLowering::i32(int64_t value) {
  return arith::ConstantOp::create(
      builder, location,
      builder.getI32IntegerAttr(static_cast<int32_t>(value)));
}

Value ThreadLowering::i64(int64_t value) {
  return arith::ConstantOp::create(builder, location,
                                   builder.getI64IntegerAttr(value));
}

Value ThreadLowering::toI64(Value value) {
  Type type = builder.getI64Type();
  if (value.getType() == type)
    return value;
  if (value.getType().isIndex())
    return builder.createOrFold<arith::IndexCastOp>(location, type, value);
  return builder.createOrFold<arith::ExtSIOp>(location, type, value);
}

Value ThreadLowering::toI32(Value value) {
  Type type = builder.getI32Type();
  if (value.getType() == type)
    return value;
  if (value.getType().isIndex())
    return builder.createOrFold<arith::IndexCastOp>(location, type, value);
  return builder.createOrFold<arith::TruncIOp>(location, type, value);
}

Value ThreadLowering::toIndex(Value value) {
  if (value.getType().isIndex())
    return value;
  return builder.createOrFold<arith::IndexCastOp>(
      location, builder.getIndexType(), value);
}

Value ThreadLowering::zero(Type type) {
  return arith::ConstantOp::create(builder, location,
                                   builder.getZeroAttr(type));
}

Value ThreadLowering::hide(Value value) {
  return LLVM::InlineAsmOp::create(
             builder, location, value.getType(), value, "mov.b64 $0, $1;",
             "=l,l", /*has_side_effects=*/true, /*is_align_stack=*/false,
             LLVM::TailCallKind::None,
             LLVM::AsmDialectAttr::get(builder.getContext(),
                                       LLVM::AsmDialect::AD_ATT),
             /*operand_attrs=*/ArrayAttr())
      .getResult(0);
}

Value ThreadLowering::call(Type result, StringRef name, ValueRange arguments) {
  return callIntrinsic(builder, location, result, name, arguments);
}

void ThreadLowering::doIf(Value condition, llvm::function_ref<void()> emit) {
  auto branch = scf::IfOp::create(builder, location, condition,
                                  /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  emit();
}

void ThreadLowering::doEither(Value condition,
                              llvm::function_ref<void()> emitThen,
                              llvm::function_ref<void()> emitElse) {
  auto branch = scf::IfOp::create(builder, location, condition,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  emitThen();
  builder.setInsertionPointToStart(branch.elseBlock());
  emitElse();
}

ThreadLowering::Registers
ThreadLowering::choose(Value condition, TypeRange types,
                       llvm::function_ref<Registers()> a,
                       llvm::function_ref<Registers()> b) {
  auto branch = scf::IfOp::create(builder, location, types, condition,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(builder, location, a());
  builder.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(builder, location, b());
  return Registers(branch.getResults());
}

Value ThreadLowering::rowOf(int64_t slot, int64_t rowSlots) {
  Value first = multiply(warp, i32(8 * rowSlots));
  Value own = op<arith::ShRUIOp>(lane, i32(2));
  return add(add(first, own), i32(16 * (slot / 2) + 8 * (slot % 2)));
}

Value ThreadLowering::columnOf(int64_t slot) {
  Value own = op<arith::ShLIOp>(both(lane, i32(3)), i32(1));
  return add(own, i32(columnOffset(slot)));
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

void ThreadLowering::bindArguments() {
  Type wordType = builder.getI64Type();
  int32_t next = 0;
  auto word = [&]() -> Value {
    Value place =
        LLVM::GEPOp::create(builder, location, words.getType(), wordType, words,
                            ArrayRef<LLVM::GEPArg>{next++});
    return LLVM::LoadOp::create(builder, location, wordType, place);
  };
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1);
  for (Value argument : kernel.getBody().front().getArguments()) {
    if (isa<nv::TensorMapType>(argument.getType())) {
      next = llvm::alignTo(next, support::kMapAlignment);
      Value address = LLVM::PtrToIntOp::create(
          builder, location, wordType,
          LLVM::GEPOp::create(builder, location, words.getType(), wordType,
                              words, ArrayRef<LLVM::GEPArg>{next}));
      int32_t end = next + support::kMapWords;
      next += support::kMapRank;
      maps[argument] = {address,
                        compare(arith::CmpIPredicate::ne, word(), i64(0))};
      next = end;
      continue;
    }
    auto type = dyn_cast<tile::ViewType>(argument.getType());
    if (!type) {
      scalars[argument] = toIndex(word());
      continue;
    }
    View view;
    view.element = type.getElementType();
    view.base = LLVM::IntToPtrOp::create(builder, location, pointer, word());
    for (unsigned d = 0; d < type.getRank(); ++d)
      view.sizes.push_back(word());
    for (unsigned d = 0; d < type.getRank(); ++d)
      view.strides.push_back(word());
    views[argument] = view;
  }
}

/// Words of the parameter, and bytes that it begins at a multiple of.
static std::pair<int64_t, int64_t> measureParameter(nv::KernelOp kernel) {
  int64_t count = 0, alignment = 8;
  for (Type type : kernel.getBody().front().getArgumentTypes()) {
    if (isa<nv::TensorMapType>(type)) {
      alignment = 8 * support::kMapAlignment;
      count = llvm::alignTo(count, support::kMapAlignment) + support::kMapWords;
      continue;
    }
    auto view = dyn_cast<tile::ViewType>(type);
    count += view ? support::getViewWords(view.getRank()) : 1;
  }
  return {count, alignment};
}

LogicalResult ThreadLowering::lower() {
  MLIRContext *context = builder.getContext();
  auto pointer = LLVM::LLVMPointerType::get(context);
  auto function = LLVM::LLVMFuncOp::create(
      builder, location, kernel.getSymName(),
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), pointer));
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  function->setAttr(
      NVVM::NVVMDialect::getMaxntidAttrName(),
      builder.getDenseI32ArrayAttr({static_cast<int32_t>(getThreads())}));
  if (producers) // else the assembler ignores how many registers a role has
    function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                      builder.getI32IntegerAttr(1));
  // Subnormal numbers are zero while a kernel runs.
  function.setPassthroughAttr(builder.getArrayAttr({builder.getStrArrayAttr(
      {"denormal-fp-math-f32", "preserve-sign,preserve-sign"})}));
  auto [wordCount, alignment] = measureParameter(kernel);
  auto array = LLVM::LLVMArrayType::get(builder.getI64Type(), wordCount);
  function.setArgAttr(0, LLVM::LLVMDialect::getByValAttrName(),
                      TypeAttr::get(array));
  function.setArgAttr(0, LLVM::LLVMDialect::getAlignAttrName(),
                      builder.getI64IntegerAttr(alignment));
  function.setArgAttr(0, NVVM::NVVMDialect::getGridConstantAttrName(),
                      builder.getUnitAttr());

  OpBuilder::InsertionGuard guard(builder);
  Block *entry = function.addEntryBlock(builder);
  builder.setInsertionPointToStart(entry);
  words = entry->getArgument(0);
  thread = NVVM::ThreadIdXOp::create(builder, location, builder.getI32Type());
  lane = both(thread, i32(31));
  // The same in all threads of a warp, as the compiler of PTX can tell.
  warp = call(builder.getI32Type(), "llvm.nvvm.shfl.sync.idx.i32",
              {i32(-1), op<arith::ShRUIOp>(thread, i32(5)), i32(0), i32(31)});
  bindArguments();
  placeShared();
  if (failed(lowerBlock(kernel.getBody().front())))
    return failure();
  LLVM::ReturnOp::create(builder, location, ValueRange());
  return success();
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

/// How many registers of which type a value is: fragments one for each element
/// of the thread, operands one for two.
std::pair<int64_t, Type> ThreadLowering::registersOf(Type type) {
  if (auto fragment = dyn_cast<nv::FragmentType>(type))
    return {Slots(fragment, warps).count(), fragment.getElementType()};
  if (auto operand = dyn_cast<nv::OperandType>(type))
    return {operand.getRows() * operand.getColumns() / (64 * warps),
            builder.getI32Type()};
  return {0, type};
}

ThreadLowering::Registers ThreadLowering::flatten(ValueRange values) {
  Registers flat;
  for (Value value : values)
    if (registersOf(value.getType()).first)
      llvm::append_range(flat, registers.at(value));
    else
      flat.push_back(scalars.at(value));
  return flat;
}

SmallVector<Type> ThreadLowering::flattenTypes(TypeRange types) {
  SmallVector<Type> flat;
  for (Type type : types) {
    auto [count, element] = registersOf(type);
    flat.append(std::max<int64_t>(count, 1), element);
  }
  return flat;
}

void ThreadLowering::bindFlat(ValueRange values, ValueRange flat) {
  for (Value value : values) {
    auto count = static_cast<size_t>(registersOf(value.getType()).first);
    if (count == 0) {
      scalars[value] = flat.front();
      flat = flat.drop_front();
      continue;
    }
    registers[value] = Registers(flat.take_front(count));
    flat = flat.drop_front(count);
  }
}

LogicalResult ThreadLowering::lowerInside(Block &from, Block *to) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(to);
  return lowerBlock(from);
}

LogicalResult ThreadLowering::lowerIf(scf::IfOp op) {
  auto branch =
      scf::IfOp::create(builder, location, flattenTypes(op.getResultTypes()),
                        scalars.at(op.getCondition()), /*addThenBlock=*/true,
                        /*addElseBlock=*/true);
  auto emit = [&](Block *from, Block *to) -> LogicalResult {
    if (failed(lowerInside(*from, to)))
      return failure();
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(to);
    scf::YieldOp::create(builder, location,
                         flatten(from->getTerminator()->getOperands()));
    return success();
  };
  if (failed(emit(op.thenBlock(), branch.thenBlock())))
    return failure();
  if (op.elseBlock()) {
    if (failed(emit(op.elseBlock(), branch.elseBlock())))
      return failure();
  } else {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(branch.elseBlock());
    scf::YieldOp::create(builder, location);
  }
  bindFlat(op.getResults(), branch.getResults());
  return success();
}

LogicalResult ThreadLowering::lowerWhile(scf::WhileOp op) {
  LogicalResult result = success();
  auto loop = scf::WhileOp::create(
      builder, location, flattenTypes(op.getResultTypes()),
      flatten(op.getInits()),
      [&](OpBuilder &, Location, ValueRange carried) {
        bindFlat(op.getBeforeArguments(), carried);
        if (failed(lowerBlock(*op.getBeforeBody())))
          result = failure();
        scf::ConditionOp condition = op.getConditionOp();
        if (succeeded(result))
          scf::ConditionOp::create(builder, location,
                                   scalars.at(condition.getCondition()),
                                   flatten(condition.getArgs()));
      },
      [&](OpBuilder &, Location, ValueRange carried) {
        bindFlat(op.getAfterArguments(), carried);
        if (succeeded(result) && failed(lowerBlock(*op.getAfterBody())))
          result = failure();
        if (succeeded(result))
          scf::YieldOp::create(builder, location,
                               flatten(op.getYieldOp().getResults()));
      });
  if (failed(result))
    return failure();
  bindFlat(op.getResults(), loop.getResults());
  return success();
}

LogicalResult ThreadLowering::lowerBlock(Block &block) {
  for (Operation &op : block) {
    if (isa<scf::YieldOp, scf::ConditionOp, nv::ReturnOp>(op))
      continue;
    location = op.getLoc();
    if (failed(lowerOperation(&op)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// The combination of two values as an operation of arith.
static Value combine(OpBuilder &builder, Location location, nv::Combiner kind,
                     Value a, Value b) {
  bool isFloat = isa<FloatType>(a.getType());
  switch (kind) {
  case nv::Combiner::Add:
    if (isFloat)
      return arith::AddFOp::create(builder, location, a, b);
    return arith::AddIOp::create(builder, location, a, b);
  case nv::Combiner::Mul:
    if (isFloat)
      return arith::MulFOp::create(builder, location, a, b);
    return arith::MulIOp::create(builder, location, a, b);
  case nv::Combiner::Max:
    if (isFloat)
      return arith::MaximumFOp::create(builder, location, a, b);
    return arith::MaxSIOp::create(builder, location, a, b);
  case nv::Combiner::Min:
    if (isFloat)
      return arith::MinimumFOp::create(builder, location, a, b);
    return arith::MinSIOp::create(builder, location, a, b);
  }
  llvm_unreachable("every combiner is handled");
}

/// In each thread by four chains, then among the four threads of a row.
void ThreadLowering::reduce(nv::ReduceOp op) {
  Slots slots = slotsOf(op.getSource());
  const Registers source = registers.at(op.getSource());
  Registers results;
  Type type = op.getResult().getType().getElementType();
  auto join = [&](Value a, Value b) {
    return combine(builder, location, op.getKind(), a, b);
  };
  for (int64_t r = 0; r < slots.rows; ++r) {
    constexpr int64_t chains = 4;
    Registers partial;
    for (int64_t c = 0; c < slots.columns; ++c) {
      Value value = source[r * slots.columns + c];
      if (c < chains)
        partial.push_back(value);
      else
        partial[c % chains] = join(partial[c % chains], value);
    }
    while (partial.size() > 1) {
      Value last = partial.pop_back_val();
      partial[partial.size() / 2] = join(partial[partial.size() / 2], last);
    }
    Value total = partial.front();
    StringRef name = isa<FloatType>(type) ? "llvm.nvvm.shfl.sync.bfly.f32"
                                          : "llvm.nvvm.shfl.sync.bfly.i32";
    for (int64_t distance : {1, 2}) {
      Value other = call(type, name, {i32(-1), total, i32(distance), i32(31)});
      total = join(total, other);
    }
    results.push_back(total);
  }
  registers[op] = results;
}

LogicalResult ThreadLowering::lowerOperation(Operation *op) {
  auto perSlot =
      [&](Value fragment,
          llvm::function_ref<Value(int64_t row, int64_t column)> make) {
        Slots slots = slotsOf(fragment);
        Registers values;
        for (int64_t r = 0; r < slots.rows; ++r)
          for (int64_t c = 0; c < slots.columns; ++c)
            values.push_back(make(r, c));
        registers[fragment] = values;
        return success();
      };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](scf::IfOp op) { return lowerIf(op); })
      .Case([&](scf::WhileOp op) { return lowerWhile(op); })
      .Case([&](nv::BlockOp op) {
        Value number =
            NVVM::BlockIdXOp::create(builder, location, builder.getI32Type());
        scalars[op] = arith::IndexCastUIOp::create(
            builder, location, builder.getIndexType(), number);
        return success();
      })
      .Case([&](nv::MapOp op) { return lowerMap(op); })
      .Case([&](nv::ReduceOp op) -> LogicalResult {
        Type element = op.getResult().getType().getElementType();
        if (!element.isF32() && !element.isInteger(32))
          return notLowered(op);
        reduce(op);
        return success();
      })
      .Case([&](nv::SplatOp op) {
        Value value = scalars.at(op.getValue());
        return perSlot(op.getResult(), [&](int64_t, int64_t) { return value; });
      })
      .Case([&](nv::PositionsOp op) {
        nv::FragmentType type = op.getResult().getType();
        Type element = type.getElementType();
        Value first = arith::IndexCastOp::create(builder, location, element,
                                                 scalars.at(op.getFirst()));
        Slots slots(type, warps);
        return perSlot(op.getResult(), [&](int64_t r, int64_t c) -> Value {
          Value place = type.hasRows() ? rowOf(r, slots.rows) : columnOf(c);
          if (!element.isInteger(32))
            place = arith::ExtSIOp::create(builder, location, element, place);
          return add(first, place);
        });
      })
      .Case([&](nv::ConstantOp op) -> LogicalResult {
        // A table in memory: which element a thread has depends on the thread.
        nv::FragmentType type = op.getResult().getType();
        auto module = kernel->getParentOfType<ModuleOp>();
        auto values = dyn_cast<DenseElementsAttr>(op.getValue());
        if (!values)
          return notLowered(op);
        Type element = type.getElementType();
        auto array = LLVM::LLVMArrayType::get(element, type.getShape().front());
        std::string name;
        for (unsigned n = 0; name.empty() || module.lookupSymbol(name); ++n)
          name = (kernel.getSymName() + "_constant" + Twine(n)).str();
        {
          OpBuilder::InsertionGuard guard(builder);
          builder.setInsertionPointToStart(module.getBody());
          LLVM::GlobalOp::create(builder, location, array, /*isConstant=*/true,
                                 LLVM::Linkage::Internal, name, values,
                                 /*alignment=*/16, /*addrSpace=*/1);
        }
        auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), 1);
        Value table =
            LLVM::AddressOfOp::create(builder, location, pointer, name);
        Slots slots(type, warps);
        return perSlot(op.getResult(), [&](int64_t r, int64_t c) -> Value {
          Value place = type.hasRows() ? rowOf(r, slots.rows) : columnOf(c);
          return LLVM::LoadOp::create(builder, location, element,
                                      address(table, toI64(place), element));
        });
      })
      .Case([&](nv::SliceOp op) {
        Slots from = slotsOf(op.getSource());
        auto first = static_cast<int64_t>(op.getOffset()) / 4;
        const Registers source = registers.at(op.getSource());
        return perSlot(op.getResult(), [&](int64_t r, int64_t c) {
          return source[r * from.columns + first + c];
        });
      })
      .Case([&](nv::ConcatOp op) {
        SmallVector<std::pair<Value, int64_t>> columns;
        for (Value source : op.getSources())
          for (int64_t c = 0; c < slotsOf(source).columns; ++c)
            columns.push_back({source, c});
        return perSlot(op.getResult(), [&](int64_t r, int64_t c) {
          auto [source, column] = columns[c];
          return registers.at(source)[r * slotsOf(source).columns + column];
        });
      })
      .Case([&](nv::MmaOp op) { return lowerProduct(op); })
      .Case([](nv::SharedOp) { return success(); }) // has its place
      .Case([&](nv::BarriersOp op) {
        lowerBarriers(op);
        return success();
      })
      .Case([&](nv::RolesOp op) { return lowerRoles(op); })
      .Case([&](nv::AwaitOp op) {
        lowerAwait(op);
        return success();
      })
      .Case([&](nv::ArriveOp op) {
        lowerArrive(op);
        return success();
      })
      .Case([&](nv::SeeCopiesOp) {
        assembly("fence.proxy.async.shared::cta;", "", {}, {});
        return success();
      })
      .Case([&](nv::HasMapOp op) {
        scalars[op] = maps.at(op.getMap()).isThere;
        return success();
      })
      .Case([&](nv::FetchOp op) {
        lowerFetch(op);
        return success();
      })
      .Case([&](nv::PackOp op) {
        lowerPack(op);
        return success();
      })
      .Case([&](nv::AnyNotFiniteOp op) {
        findNotFinite(op);
        return success();
      })
      .Case([&](nv::TakeNotFiniteOp op) {
        takeNotFinite(op);
        return success();
      })
      .Case([&](nv::FlagOp op) {
        lowerFlag(op);
        return success();
      })
      .Case([&](nv::SetFlagOp op) {
        setFlag(op);
        return success();
      })
      .Case([&](nv::AwaitFlagOp op) {
        awaitFlag(op);
        return success();
      })
      .Case([&](nv::MmaAsyncOp op) { return beginProduct(op); })
      .Case([&](nv::MmaWaitOp op) {
        awaitProducts(op);
        return success();
      })
      .Case([&](nv::CopyOp op) { return lowerCopy(op); })
      .Case([&](nv::CommitOp) {
        callIntrinsic(builder, location, "llvm.nvvm.cp.async.commit.group", {});
        return success();
      })
      .Case([&](nv::WaitOp op) {
        NVVM::CpAsyncWaitGroupOp::create(
            builder, location, static_cast<uint32_t>(op.getPending()));
        return success();
      })
      .Case([&](nv::BarrierOp) {
        NVVM::Barrier0Op::create(builder, location);
        return success();
      })
      .Case([&](nv::LoadOp op) { return lowerLoad(op); })
      .Case([&](nv::StoreOp op) { return lowerStore(op); })
      .Case([&](tile::WindowOp op) {
        lowerWindow(op);
        return success();
      })
      .Case([&](tile::ListRowsOp op) {
        views[op] = listRows(op.getSource(), op.getList());
        return success();
      })
      .Case([&](tile::ExtentOp op) {
        const View &view = views.at(op.getView());
        bool isListed = view.list && op.getDimension() == 0;
        Value extent =
            isListed ? view.list->sizes[0] : view.sizes[op.getDimension()];
        scalars[op] = toIndex(extent);
        return success();
      })
      .Default([&](Operation *op) -> LogicalResult {
        llvm::DenseMap<Value, Value> inside;
        if (failed(lowerScalar(op, inside)))
          return failure();
        for (Value result : op->getResults())
          scalars[result] = inside.at(result);
        return success();
      });
}

} // namespace rapt::conversion
