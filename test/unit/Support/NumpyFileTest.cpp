// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Support/NumpyFile.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"
#include <random>

using namespace rapt::support;

namespace {

/// A .npy file of version 1 with the given header, which need not be right.
std::string makeFile(std::string header, std::string elements = "",
                     char major = 1) {
  std::string file = std::string("\x93NUMPY") + major + '\0';
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  if (major > 1)
    file += std::string(2, '\0');
  return file + header + elements;
}

std::string getError(const std::string &bytes) {
  llvm::Expected<NumpyArray> array = parseNumpy(bytes, "x.npy");
  return array ? "no error" : toString(array.takeError());
}

struct NumpyFileTest : testing::Test {
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("numpy-test", folder));
  }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }
  std::string path(llvm::StringRef name) {
    llvm::SmallString<128> result = folder;
    llvm::sys::path::append(result, name);
    return result.str().str();
  }
  llvm::SmallString<128> folder;
};

TEST_F(NumpyFileTest, WritesAndReadsEveryType) {
  for (ElementType type :
       {ElementType::F16, ElementType::BF16, ElementType::F32, ElementType::F64,
        ElementType::I8, ElementType::I16, ElementType::I32, ElementType::I64,
        ElementType::U8, ElementType::Boolean}) {
    for (std::vector<int64_t> sizes :
         {std::vector<int64_t>{}, {5}, {2, 3}, {2, 0, 4}, {1, 2, 3, 4}}) {
      int64_t bytes = getElementSize(type);
      for (int64_t size : sizes)
        bytes *= size;
      std::vector<char> data(bytes);
      for (int64_t k = 0; k < bytes; ++k)
        data[k] = static_cast<char>(k + 1);
      std::string file = path("a.npy");
      ASSERT_FALSE(writeNumpyFile(file, type, sizes, data.data()));
      llvm::Expected<NumpyArray> array = readNumpyFile(file);
      ASSERT_TRUE(static_cast<bool>(array));
      EXPECT_EQ(array->type, type);
      EXPECT_EQ(array->sizes, sizes);
      EXPECT_EQ(array->data, data);
    }
  }
}

/// Byte for byte what numpy.save writes for numpy.float32([[1, 2, 3]]).
TEST_F(NumpyFileTest, SameBytesAsNumpy) {
  float data[] = {1, 2, 3};
  ASSERT_FALSE(writeNumpyFile(path("a.npy"), ElementType::F32, {1, 3}, data));
  auto buffer = llvm::MemoryBuffer::getFile(path("a.npy"));
  ASSERT_TRUE(static_cast<bool>(buffer));
  std::string header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }";
  header += std::string(117 - header.size(), ' ') + '\n';
  EXPECT_EQ((*buffer)->getBuffer().str(),
            makeFile(header, std::string(reinterpret_cast<char *>(data), 12)));
}

TEST_F(NumpyFileTest, HeadersAsOthersWriteThem) {
  for (std::string header :
       {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n",
        "{'shape':(2,),'fortran_order':False,'descr':'<f4'}",
        "{\"descr\": \"=f4\", 'shape': (2L,), 'fortran_order': True}   \n"}) {
    for (char version : {1, 2, 3}) {
      auto array = parseNumpy(makeFile(header, "abcdefgh", version), "x.npy");
      ASSERT_TRUE(static_cast<bool>(array)) << toString(array.takeError());
      EXPECT_EQ(array->sizes, (std::vector<int64_t>{2}));
      EXPECT_EQ(array->data.size(), 8u);
    }
  }
}

TEST_F(NumpyFileTest, SaysWhatIsWrongWithAHeader) {
  std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
  EXPECT_EQ(getError("hello"),
            "x.npy: not a .npy file: it does not start with \\x93NUMPY");
  EXPECT_EQ(getError(""),
            "x.npy: not a .npy file: it does not start with \\x93NUMPY");
  EXPECT_EQ(getError("\x93NUMPY"), "x.npy: truncated .npy file: no version");
  EXPECT_EQ(getError(makeFile(good, "", 4)),
            "x.npy: unknown .npy version 4.0, expected 1.0, 2.0 or 3.0");
  EXPECT_EQ(getError(makeFile(good).substr(0, 9)),
            "x.npy: truncated .npy file: no header length");
  EXPECT_EQ(getError(makeFile(good).substr(0, 30)),
            "x.npy: truncated .npy file: header of 55 bytes, found 20");
  EXPECT_EQ(
      getError(makeFile(good, "1234567")),
      "x.npy: truncated .npy file: expected 8 bytes of elements, found 7");
  EXPECT_EQ(getError(makeFile("")),
            "x.npy: bad .npy header: expected '{', found the end");
  EXPECT_EQ(getError(makeFile("{'descr': '<f4'}")),
            "x.npy: bad .npy header: no key 'fortran_order'");
  EXPECT_EQ(getError(makeFile("{'colour': 1}")),
            "x.npy: bad .npy header: unknown key 'colour'");
  EXPECT_EQ(getError(makeFile("{'descr': '<f4', 'descr': '<f4'}")),
            "x.npy: bad .npy header: key 'descr' twice");
  EXPECT_EQ(getError(makeFile("{'descr': [('a', '<f4')]}")),
            "x.npy: structured element types are not supported");
  EXPECT_EQ(getError(makeFile("{'fortran_order': Maybe}")),
            "x.npy: bad .npy header: expected True or False, found 'Maybe}'");
  EXPECT_EQ(
      getError(makeFile("{'shape': (-1,)}")),
      "x.npy: bad .npy header: expected a size of 0 or more, found '-1,)}'");
  EXPECT_EQ(getError(makeFile("{'shape': (1 2)}")),
            "x.npy: bad .npy header: expected ',' or ')', found '2)}'");
  EXPECT_EQ(
      getError(makeFile(good + "}")),
      "x.npy: bad .npy header: expected the end of the header, found '}'");
}

TEST_F(NumpyFileTest, SaysWhatIsWrongWithAnArray) {
  auto header = [](std::string descr, std::string order, std::string shape) {
    return makeFile("{'descr': '" + descr + "', 'fortran_order': " + order +
                    ", 'shape': " + shape + "}");
  };
  EXPECT_EQ(getError(header(">f4", "False", "(2,)")),
            "x.npy: big-endian elements ('>f4') are not supported, expected "
            "little-endian");
  EXPECT_EQ(getError(header("<f4", "True", "(2, 3)")),
            "x.npy: array is in Fortran order, expected C order (save "
            "numpy.ascontiguousarray(x))");
  EXPECT_EQ(getError(header("<c8", "False", "(2,)")),
            "x.npy: element type '<c8' is not supported, expected f16, bf16 "
            "(V2), f32, f64, i8, i16, i32, i64, u8 or bool");
  EXPECT_EQ(getError(header("", "False", "()")),
            "x.npy: unknown element type ''");
  EXPECT_EQ(getError(header("<f4", "False", "(4611686018427387904, 4)")),
            "x.npy: array is too large: its bytes overflow 63 bits");
  EXPECT_EQ(getError(header("<f4", "False", "(99999999999999999999,)")),
            "x.npy: bad .npy header: expected a size of 0 or more, found "
            "'999999999999'");
  std::string many = "(";
  for (int d = 0; d < 65; ++d)
    many += "1, ";
  EXPECT_EQ(getError(header("<f4", "False", many + ")")),
            "x.npy: bad .npy header: more than 64 dimensions");
}

TEST_F(NumpyFileTest, ExpectNumpyArray) {
  NumpyArray array{ElementType::F64, {2, 3}, std::vector<char>(48)};
  EXPECT_FALSE(expectNumpyArray(array, "x.npy", ElementType::F64, 2));
  EXPECT_EQ(toString(expectNumpyArray(array, "x.npy", ElementType::F32, 2)),
            "x.npy: element type is f64, expected f32");
  EXPECT_EQ(toString(expectNumpyArray(array, "x.npy", ElementType::F64, 4)),
            "x.npy: array has 2 dimensions, expected 4");
}

TEST_F(NumpyFileTest, NoFileIsLeftBehind) {
  float data[] = {1};
  std::string missing = path("no/such/folder/a.npy");
  std::string message =
      toString(writeNumpyFile(missing, ElementType::F32, {1}, data));
  EXPECT_EQ(message.rfind(missing + ": cannot write: ", 0), 0u) << message;
  // A folder stands where the file should go: the rename fails.
  ASSERT_FALSE(llvm::sys::fs::create_directory(path("taken.npy")));
  EXPECT_NE(
      toString(writeNumpyFile(path("taken.npy"), ElementType::F32, {1}, data)),
      "");
  std::error_code code;
  int entries = 0;
  for (llvm::sys::fs::directory_iterator entry(folder, code), end;
       entry != end && !code; entry.increment(code))
    ++entries;
  EXPECT_EQ(entries, 1); // only the folder itself, no temporary file
  auto array = readNumpyFile(path("absent.npy"));
  ASSERT_FALSE(static_cast<bool>(array));
  EXPECT_EQ(toString(array.takeError()),
            path("absent.npy") + ": cannot read: No such file or directory");
}

/// Damaged files give an error or an array, never a crash (run under asan).
TEST_F(NumpyFileTest, DamagedFiles) {
  std::string good =
      makeFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
               "0123456789abcdef01234567");
  std::mt19937 random(7);
  for (int k = 0; k < 20000; ++k) {
    std::string bytes = good.substr(0, random() % (good.size() + 1));
    for (int edit = random() % 4; edit > 0 && !bytes.empty(); --edit)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    llvm::Expected<NumpyArray> array = parseNumpy(bytes, "x.npy");
    if (!array) {
      EXPECT_NE(toString(array.takeError()), "");
      continue;
    }
    int64_t expected = getElementSize(array->type);
    for (int64_t size : array->sizes)
      expected *= size;
    EXPECT_EQ(static_cast<int64_t>(array->data.size()), expected);
  }
}

} // namespace
