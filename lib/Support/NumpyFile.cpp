// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Support/NumpyFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace rapt::support {

static constexpr llvm::StringLiteral kMagic("\x93NUMPY");
/// NumPy's own limit on the rank of an array is 64.
static constexpr size_t kMaxRank = 64;

static Error makeError(StringRef name, const llvm::Twine &message) {
  return llvm::createStringError(llvm::Twine(name) + ": " + message);
}

//===----------------------------------------------------------------------===//
// The header: a Python dictionary with three known keys
//===----------------------------------------------------------------------===//

namespace {
struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> sizes;
};

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
class HeaderParser {
public:
  HeaderParser(StringRef text, StringRef name) : rest(text), name(name) {}

  Expected<Header> parse() {
    Header header;
    bool hasDescr = false, hasOrder = false, hasShape = false;
    if (!take('{'))
      return expected("'{'");
    while (!take('}')) {
      std::string key;
      if (!takeString(key))
        return expected("a quoted key");
      if (!take(':'))
        return expected("':'");
      bool &seen = key == "descr"           ? hasDescr
                   : key == "fortran_order" ? hasOrder
                                            : hasShape;
      if (key != "descr" && key != "fortran_order" && key != "shape")
        return makeError(name, "bad .npy header: unknown key '" +
                                   printable(key) + "'");
      if (seen)
        return makeError(name, "bad .npy header: key '" + key + "' twice");
      seen = true;
      if (Error error = parseValue(key, header))
        return error;
      if (!take(',') && !peek('}'))
        return expected("',' or '}'");
    }
    if (!rest.trim().empty())
      return expected("the end of the header");
    if (!hasDescr || !hasOrder || !hasShape)
      return makeError(name, llvm::Twine("bad .npy header: no key '") +
                                 (!hasDescr   ? "descr"
                                  : !hasOrder ? "fortran_order"
                                              : "shape") +
                                 "'");
    return header;
  }

private:
  Error parseValue(StringRef key, Header &header) {
    if (key == "descr") {
      if (peek('['))
        return makeError(name, "structured element types are not supported");
      if (!takeString(header.descr))
        return expected("a quoted element type");
      return Error::success();
    }
    if (key == "fortran_order") {
      if (takeWord("True"))
        header.fortranOrder = true;
      else if (!takeWord("False"))
        return expected("True or False");
      return Error::success();
    }
    if (!take('('))
      return expected("'('");
    while (!take(')')) {
      int64_t size;
      if (!takeSize(size))
        return expected("a size of 0 or more");
      header.sizes.push_back(size);
      if (header.sizes.size() > kMaxRank)
        return makeError(name, "bad .npy header: more than " +
                                   llvm::Twine(kMaxRank) + " dimensions");
      if (!take(',') && !peek(')'))
        return expected("',' or ')'");
    }
    return Error::success();
  }

  bool peek(char c) {
    rest = rest.ltrim();
    return rest.starts_with(StringRef(&c, 1));
  }
  bool take(char c) {
    if (!peek(c))
      return false;
    rest = rest.drop_front();
    return true;
  }
  bool takeWord(StringRef word) {
    rest = rest.ltrim();
    return rest.consume_front(word);
  }
  bool takeString(std::string &text) {
    rest = rest.ltrim();
    if (rest.empty() || (rest.front() != '\'' && rest.front() != '"'))
      return false;
    size_t end = rest.find(rest.front(), 1);
    if (end == StringRef::npos)
      return false;
    text = rest.slice(1, end).str();
    rest = rest.drop_front(end + 1);
    return true;
  }
  bool takeSize(int64_t &size) {
    rest = rest.ltrim();
    uint64_t value;
    if (rest.consumeInteger(10, value) ||
        value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return false;
    rest.consume_front("L"); // Python 2 wrote long integers so
    size = static_cast<int64_t>(value);
    return true;
  }

  static std::string printable(StringRef text) {
    std::string result;
    llvm::raw_string_ostream stream(result);
    llvm::printEscapedString(text.take_front(24), stream);
    return result;
  }
  Error expected(const llvm::Twine &what) {
    std::string found =
        rest.empty() ? "the end" : "'" + printable(rest.take_front(12)) + "'";
    return makeError(name,
                     "bad .npy header: expected " + what + ", found " + found);
  }

  StringRef rest, name;
};
} // namespace

/// The element type that a `descr` string such as "<f4" stands for.
static Expected<ElementType> parseDescr(StringRef descr, StringRef name) {
  if (descr.size() < 2)
    return makeError(name, "unknown element type '" + descr + "'");
  char order = descr.front();
  StringRef kind = descr.drop_front();
  if (order == '>' && kind != "i1" && kind != "u1" && kind != "b1")
    return makeError(name, "big-endian elements ('" + descr +
                               "') are not supported, expected little-endian");
  if (!StringRef("<>|=").contains(order))
    return makeError(name, "unknown element type '" + descr + "'");
  static constexpr std::pair<StringRef, ElementType> kKinds[] = {
      {"f2", ElementType::F16}, {"V2", ElementType::BF16},
      {"f4", ElementType::F32}, {"f8", ElementType::F64},
      {"i1", ElementType::I8},  {"i2", ElementType::I16},
      {"i4", ElementType::I32}, {"i8", ElementType::I64},
      {"u1", ElementType::U8},  {"b1", ElementType::Boolean}};
  for (auto [text, type] : kKinds)
    if (text == kind)
      return type;
  return makeError(name,
                   "element type '" + descr +
                       "' is not supported, expected f16, bf16 (V2), f32, "
                       "f64, i8, i16, i32, i64, u8 or bool");
}

static StringRef getDescr(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return "<f2";
  case ElementType::BF16:
    return "<V2";
  case ElementType::F32:
    return "<f4";
  case ElementType::F64:
    return "<f8";
  case ElementType::I8:
    return "|i1";
  case ElementType::I16:
    return "<i2";
  case ElementType::I32:
    return "<i4";
  case ElementType::I64:
    return "<i8";
  case ElementType::U8:
    return "|u1";
  case ElementType::Boolean:
    return "|b1";
  }
  llvm_unreachable("unknown element type");
}

/// The bytes of an array; nothing if they do not fit 63 bits.
static std::optional<int64_t> getByteCount(ElementType type,
                                           llvm::ArrayRef<int64_t> sizes) {
  // A zero makes the array empty whatever the other sizes multiply to.
  if (llvm::is_contained(sizes, 0))
    return 0;
  int64_t bytes = getElementSize(type);
  for (int64_t size : sizes)
    if (llvm::MulOverflow(bytes, size, bytes))
      return std::nullopt;
  return bytes;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

Expected<NumpyArray> parseNumpy(StringRef bytes, StringRef name) {
  StringRef rest = bytes;
  if (!rest.consume_front(kMagic))
    return makeError(name,
                     "not a .npy file: it does not start with \\x93NUMPY");
  if (rest.size() < 2)
    return makeError(name, "truncated .npy file: no version");
  unsigned major = static_cast<uint8_t>(rest[0]);
  unsigned minor = static_cast<uint8_t>(rest[1]);
  if (major < 1 || major > 3 || minor != 0)
    return makeError(name, llvm::formatv("unknown .npy version {0}.{1}, "
                                         "expected 1.0, 2.0 or 3.0",
                                         major, minor));
  rest = rest.drop_front(2);
  size_t lengthBytes = major == 1 ? 2 : 4;
  if (rest.size() < lengthBytes)
    return makeError(name, "truncated .npy file: no header length");
  size_t length = major == 1 ? llvm::support::endian::read16le(rest.data())
                             : llvm::support::endian::read32le(rest.data());
  rest = rest.drop_front(lengthBytes);
  if (rest.size() < length)
    return makeError(name,
                     llvm::formatv("truncated .npy file: header of {0} bytes, "
                                   "found {1}",
                                   length, rest.size()));
  Expected<Header> header = HeaderParser(rest.take_front(length), name).parse();
  if (!header)
    return header.takeError();
  rest = rest.drop_front(length);

  Expected<ElementType> type = parseDescr(header->descr, name);
  if (!type)
    return type.takeError();
  // With at most one dimension the two orders are the same.
  if (header->fortranOrder && header->sizes.size() > 1)
    return makeError(name, "array is in Fortran order, expected C order (save "
                           "numpy.ascontiguousarray(x))");
  std::optional<int64_t> byteCount = getByteCount(*type, header->sizes);
  if (!byteCount)
    return makeError(name, "array is too large: its bytes overflow 63 bits");
  if (rest.size() < static_cast<uint64_t>(*byteCount))
    return makeError(name, llvm::formatv("truncated .npy file: expected {0} "
                                         "bytes of elements, found {1}",
                                         *byteCount, rest.size()));
  NumpyArray array;
  array.type = *type;
  array.sizes = std::move(header->sizes);
  array.data.assign(rest.data(), rest.data() + *byteCount);
  return array;
}

Expected<NumpyArray> readNumpyFile(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError(path, "cannot read: " + buffer.getError().message());
  return parseNumpy((*buffer)->getBuffer(), path);
}

Error expectNumpyArray(const NumpyArray &array, StringRef path,
                       ElementType type, size_t rank) {
  if (array.type != type)
    return makeError(path, "element type is " + getElementTypeName(array.type) +
                               ", expected " + getElementTypeName(type));
  if (array.sizes.size() != rank)
    return makeError(path, llvm::formatv("array has {0} dimensions, expected "
                                         "{1}",
                                         array.sizes.size(), rank));
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// Magic, version and header, padded so that the elements start at a multiple
/// of 64 bytes, as NumPy does it.
static std::string makePreamble(ElementType type,
                                llvm::ArrayRef<int64_t> sizes) {
  std::string dictionary;
  llvm::raw_string_ostream stream(dictionary);
  stream << "{'descr': '" << getDescr(type)
         << "', 'fortran_order': False, 'shape': (";
  for (int64_t size : sizes)
    stream << size << (sizes.size() == 1 ? "," : ", ");
  StringRef text = StringRef(dictionary).rtrim(' ');
  if (sizes.size() > 1)
    text = text.drop_back(); // "(2, 3, " becomes "(2, 3"
  std::string header = (text + "), }").str();
  size_t fixed = kMagic.size() + 2 + 2;
  header.append(llvm::alignTo(fixed + header.size() + 1, 64) -
                    (fixed + header.size() + 1),
                ' ');
  header.push_back('\n');
  std::string result(kMagic);
  result += {'\x01', '\x00'};
  result.push_back(static_cast<char>(header.size() & 0xff));
  result.push_back(static_cast<char>(header.size() >> 8));
  return result + header;
}

Error writeNumpyFile(StringRef path, ElementType type,
                     llvm::ArrayRef<int64_t> sizes, const void *data) {
  std::optional<int64_t> byteCount = getByteCount(type, sizes);
  if (!byteCount || sizes.size() > kMaxRank)
    return makeError(path, "array is too large for a .npy file");
  auto file = llvm::sys::fs::TempFile::create(path + ".tmp-%%%%%%%%");
  if (!file)
    return makeError(path, "cannot write: " + toString(file.takeError()));
  std::error_code code;
  {
    llvm::raw_fd_ostream stream(file->FD, /*shouldClose=*/false);
    stream << makePreamble(type, sizes);
    stream.write(static_cast<const char *>(data), *byteCount);
    stream.flush();
    code = stream.error();
    stream.clear_error(); // reported below; an unseen error would abort
  }
  if (code) {
    llvm::consumeError(file->discard());
    return makeError(path, "cannot write: " + code.message());
  }
  if (Error error = file->keep(path)) {
    std::string message = toString(std::move(error));
    llvm::consumeError(file->discard());
    return makeError(path, "cannot write: " + message);
  }
  return Error::success();
}

} // namespace rapt::support
