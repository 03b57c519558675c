// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Random masks and weights: as text through the front end and the Reference,
// and by a direct interpreter of the same trees. Every number of a program is a
// small integer or a small multiple of a power of two, so both are exact.
//
// RAPT_SEED=n repeats a run; RAPT_NIGHTLY=1 makes many more cases of a new
// seed.

#include "MechanismFixture.h"
#include <cstdlib>

using namespace rapt::frontend;

namespace {

using Pair = MechanismFixture::Pair;

enum class Kind { Boolean, Integer, Real };

/// An expression that prints itself and knows its value for a pair.
struct Tree {
  std::string text;
  std::function<double(const Pair &)> value;
};

/// Makes trees of one kind. What a tree may hold is what the language allows:
/// divisors are positive, and a quotient is used as an integer or through
/// floor().
class Generator {
public:
  Generator(unsigned seed, const MechanismFixture &fixture)
      : random(seed), fixture(fixture) {}

  Tree make(Kind kind, unsigned depth) {
    if (depth == 0)
      return makeLeaf(kind);
    return kind == Kind::Boolean   ? makeBoolean(depth - 1)
           : kind == Kind::Integer ? makeInteger(depth - 1)
                                   : makeReal(depth - 1);
  }

private:
  unsigned pick(unsigned count) { return random() % count; }

  using Binary = double (*)(double, double);
  static Tree combine(const std::string &text, const Tree &a, const Tree &b,
                      Binary compute) {
    return {text, [a, b, compute](const Pair &p) {
              return compute(a.value(p), b.value(p));
            }};
  }
  static Tree infix(const Tree &a, const std::string &op, const Tree &b,
                    Binary compute) {
    return combine("(" + a.text + " " + op + " " + b.text + ")", a, b, compute);
  }
  static Tree call(const std::string &function, const Tree &a, const Tree &b,
                   Binary compute) {
    return combine(function + "(" + a.text + ", " + b.text + ")", a, b,
                   compute);
  }
  Tree makeSum(const Tree &a, const Tree &b) {
    return pick(2) ? infix(a, "+", b, [](double x, double y) { return x + y; })
                   : infix(a, "-", b, [](double x, double y) { return x - y; });
  }
  Tree makeExtremum(const Tree &a, const Tree &b) {
    return pick(2) ? call("min", a, b,
                          [](double x, double y) { return std::min(x, y); })
                   : call("max", a, b,
                          [](double x, double y) { return std::max(x, y); });
  }
  Tree makeSigned(const Tree &x) {
    if (pick(2))
      return {"abs(" + x.text + ")",
              [x](const Pair &p) { return std::abs(x.value(p)); }};
    return {"(-" + x.text + ")", [x](const Pair &p) { return -x.value(p); }};
  }
  static Tree where(Tree condition, Tree a, Tree b) {
    return {"where(" + condition.text + ", " + a.text + ", " + b.text + ")",
            [condition, a, b](const Pair &p) {
              return condition.value(p) != 0 ? a.value(p) : b.value(p);
            }};
  }
  static Tree constant(const std::string &text, double value) {
    return {text, [value](const Pair &) { return value; }};
  }

  Tree makeLeaf(Kind kind) {
    const MechanismFixture &f = fixture;
    if (kind == Kind::Boolean)
      switch (pick(3)) {
      case 0:
        return {"keep[j]",
                [&f](const Pair &p) { return f.integer("keep", {p.b, p.j}); }};
      case 1:
        return {"full",
                [&f](const Pair &p) { return f.integer("full", {p.h}); }};
      default:
        return {"(i >= j)", [](const Pair &p) { return p.i >= p.j; }};
      }
    if (kind == Kind::Real)
      switch (pick(3)) {
      case 0: {
        int eighths = static_cast<int>(pick(64)) - 32;
        std::string text = std::to_string(std::abs(eighths) / 8.0);
        return constant(eighths < 0 ? "(-" + text + ")" : text, eighths / 8.0);
      }
      case 1:
        return {"scale[h]",
                [&f](const Pair &p) { return f.real("scale", {p.h}); }};
      default:
        return {"bias", [&f](const Pair &p) {
                  return f.real("bias", {p.b, p.h, p.row});
                }};
      }
    switch (pick(9)) {
    case 0:
    case 1:
      return {"i", [](const Pair &p) { return p.i; }};
    case 2:
    case 3:
      return {"j", [](const Pair &p) { return p.j; }};
    case 4:
      return {"row", [](const Pair &p) { return p.row; }};
    case 5:
      return {"(2 * h + b)", [](const Pair &p) { return 2 * p.h + p.b; }};
    case 6:
      return {pick(2) ? "doc[i]" : "doc[row + keys - queries]",
              [&f](const Pair &p) { return f.integer("doc", {p.b, p.i}); }};
    case 7:
      return {"doc",
              [&f](const Pair &p) { return f.integer("doc", {p.b, p.j}); }};
    default: {
      int value = static_cast<int>(pick(24)) - 8;
      return constant(value < 0 ? "(-" + std::to_string(-value) + ")"
                                : std::to_string(value),
                      value);
    }
    }
  }

  /// Positive, by its range alone.
  Tree makeDivisor(unsigned depth) {
    if (pick(2) || depth == 0) {
      unsigned value = 1 + pick(9);
      return constant(std::to_string(value), value);
    }
    Tree x = make(Kind::Integer, depth - 1);
    if (pick(2))
      return {"max(1, " + x.text + ")",
              [x](const Pair &p) { return std::max(1.0, x.value(p)); }};
    return {"(abs(" + x.text + ") + 1)",
            [x](const Pair &p) { return std::abs(x.value(p)) + 1; }};
  }

  Tree makeInteger(unsigned depth) {
    auto sub = [&] { return make(Kind::Integer, depth); };
    const MechanismFixture &f = fixture;
    switch (pick(12)) {
    case 0:
    case 1:
    case 2:
      return makeSum(sub(), sub());
    case 3: {
      unsigned factor = pick(6);
      return infix(sub(), "*", constant(std::to_string(factor), factor),
                   [](double a, double b) { return a * b; });
    }
    case 4:
    case 5:
      return infix(sub(), "/", makeDivisor(depth),
                   [](double a, double b) { return std::floor(a / b); });
    case 6:
    case 7:
      return infix(sub(), "%", makeDivisor(depth), [](double a, double b) {
        return a - b * std::floor(a / b);
      });
    case 8:
      return pick(2) ? makeExtremum(sub(), sub()) : makeSigned(sub());
    case 9:
      return where(make(Kind::Boolean, depth), sub(), sub());
    case 10: {
      Tree x = sub();
      return {"doc[" + x.text + "]", [&f, x](const Pair &p) {
                return f.integer("doc",
                                 {p.b, static_cast<int64_t>(x.value(p))});
              }};
    }
    default: {
      if (pick(2))
        return call("xor", sub(), sub(), [](double a, double b) {
          return static_cast<double>(static_cast<int64_t>(a) ^
                                     static_cast<int64_t>(b));
        });
      Tree x = make(Kind::Real, depth);
      return {"floor(" + x.text + ")",
              [x](const Pair &p) { return std::floor(x.value(p)); }};
    }
    }
  }

  Tree makeReal(unsigned depth) {
    auto sub = [&] { return make(Kind::Real, depth); };
    switch (pick(7)) {
    case 0:
    case 1: {
      Tree x = make(Kind::Integer, depth);
      return {"real(floor(" + x.text + "))", x.value};
    }
    case 2:
      return makeSum(sub(), sub());
    case 3: {
      unsigned power = 1u << pick(3);
      Tree scale = constant(std::to_string(power), power);
      return pick(2) ? infix(sub(), "*", scale,
                             [](double a, double b) { return a * b; })
                     : infix(sub(), "/", scale,
                             [](double a, double b) { return a / b; });
    }
    case 4:
      return makeExtremum(sub(), sub());
    case 5:
      return makeSigned(sub());
    default:
      return where(make(Kind::Boolean, depth), sub(), sub());
    }
  }

  Tree makeBoolean(unsigned depth) {
    auto sub = [&] { return make(Kind::Boolean, depth); };
    switch (pick(8)) {
    case 0:
      return infix(sub(), "&", sub(), [](double a, double b) {
        return static_cast<double>(a != 0 && b != 0);
      });
    case 1:
      return infix(sub(), "|", sub(), [](double a, double b) {
        return static_cast<double>(a != 0 || b != 0);
      });
    case 2: {
      Tree x = sub();
      return {"(!" + x.text + ")",
              [x](const Pair &p) { return x.value(p) == 0; }};
    }
    case 3:
      return pick(2)
                 ? infix(sub(), "==", sub(),
                         [](double a, double b) -> double { return a == b; })
                 : where(sub(), sub(), sub());
    default:
      break;
    }
    // An integer beside a real becomes one.
    Kind kind = pick(4) ? Kind::Integer : Kind::Real;
    Kind other = pick(4) ? kind : Kind::Real;
    auto operand = [&](Kind own, Kind beside) {
      Tree x = make(own, depth);
      if (own == Kind::Integer && beside == Kind::Real)
        x.text = "floor(" + x.text + ")";
      return x;
    };
    static const std::pair<const char *, Binary> comparisons[] = {
        {"==", [](double a, double b) -> double { return a == b; }},
        {"!=", [](double a, double b) -> double { return a != b; }},
        {"<", [](double a, double b) -> double { return a < b; }},
        {"<=", [](double a, double b) -> double { return a <= b; }},
        {">", [](double a, double b) -> double { return a > b; }},
        {">=", [](double a, double b) -> double { return a >= b; }}};
    auto [op, compute] = comparisons[pick(6)];
    Tree left = operand(kind, other), right = operand(other, kind);
    return infix(left, op, right, compute);
  }

  std::mt19937 random;
  const MechanismFixture &fixture;
};

struct RandomExpressionsTest : MechanismFixture {
  /// The weights of the kept pairs themselves, for v is the identity.
  void compareAll(const Tree &mask, const Tree &weight) {
    AttnEvaluator evaluator = evaluate();
    std::vector<RowIndex> rows;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t n = 0; n < queries; ++n)
          rows.push_back({b, h, n});
    std::vector<Row> found = evaluator.evaluateRows(rows);
    for (auto [row, index] : llvm::zip(found, rows))
      for (int64_t j = 0; j < keys; ++j) {
        Pair pair{index.b, index.h, index.i, index.i + keys - queries, j, 0, 0};
        double expected = mask.value(pair) != 0 ? weight.value(pair) : 0;
        ASSERT_EQ(row.out[j], expected) << "b " << index.b << ", h " << index.h
                                        << ", row " << index.i << ", j " << j;
      }
  }

  /// Also those that the front end found not to matter: the interpreter reads
  /// them all the same.
  void setTensors() {
    makeTensor({"doc", ElementType::I32, getAxes({"batch", "keys"})});
    makeTensor({"keep", ElementType::Boolean, getAxes({"batch", "keys"})});
    makeTensor({"full", ElementType::Boolean, getAxes({"heads"})});
    makeTensor({"scale", ElementType::F32, getAxes({"heads"})});
    makeTensor(
        {"bias", ElementType::F32, getAxes({"batch", "heads", "queries"})});
    for (const char *name : {"scale", "bias"})
      for (int64_t n = 0; n < tensors.at(name).count(); ++n)
        tensors.at(name).set(n, static_cast<double>(n * 13 % 29 - 14) / 4);
    OwnedTensor &v = tensors.at("v");
    for (int64_t n = 0; n < v.count(); ++n)
      v.set(n, n % keys == n / keys % keys);
  }
  static std::vector<TensorAxis> getAxes(std::vector<std::string> names) {
    std::vector<TensorAxis> axes;
    for (const std::string &name : names)
      axes.push_back({name, false, std::nullopt});
    return axes;
  }
};

TEST_F(RandomExpressionsTest, AgreeWithAnInterpreter) {
  bool isNightly = std::getenv("RAPT_NIGHTLY") != nullptr;
  const char *given = std::getenv("RAPT_SEED");
  unsigned seed = given       ? std::strtoul(given, nullptr, 10)
                  : isNightly ? std::random_device()()
                              : 20;
  unsigned cases = isNightly ? 20000 : 300;
  std::cout << "RAPT_SEED=" << seed << ", " << cases << " cases\n";
  heads = 2;
  kvHeads = 1;
  for (unsigned n = 0; n < cases; ++n) {
    // More queries than keys in every second case: negative positions.
    setLengths(n % 2 ? 9 : 5, 7);
    instance.extents = {{"dim", 1}, {"vdim", 7}};
    Generator generator(seed + n, *this);
    Tree mask = generator.make(Kind::Boolean, 1 + n % 5);
    Tree weight = generator.make(Kind::Real, n % 4);
    // The product keeps q and k among the arguments.
    std::string text =
        "attention t {\n  input doc: i32[batch, keys]\n  input keep: "
        "bool[batch, keys]\n  input full: bool[heads]\n  input scale: "
        "f32[heads]\n  input bias: f32[batch, heads, queries]\n  mask = " +
        mask.text + "\n  weight = " + weight.text + " + 0 * dot(q, k)\n}\n";
    SCOPED_TRACE("RAPT_SEED=" + std::to_string(seed) + ", case " +
                 std::to_string(n) + "\n" + text);
    compile(text);
    if (HasFatalFailure())
      return;
    setTensors();
    compareAll(mask, weight);
    if (HasFatalFailure())
      return;
  }
}

} // namespace
