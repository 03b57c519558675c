// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Errors as values: every function of this interface that can fail returns a
/// Result. No exception leaves the library.

#ifndef RAPT_ERROR_H
#define RAPT_ERROR_H

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace rapt {

enum class ErrorCode {
  /// The text of a spec, the value of a param or an extent is wrong. The
  /// message has one diagnostic or several, each with file, line and column.
  InvalidSpec,
  /// A tensor or an option does not fit the kernel.
  InvalidArgument,
  /// Correct, but more than this version compiles.
  NotSupported,
  /// A file cannot be read or written.
  InputOutput,
  /// There is no CUDA driver or no GPU, or one of its functions fails.
  Device,
  /// A defect of the compiler.
  Internal
};

struct Error {
  ErrorCode code = ErrorCode::Internal;
  /// Lower case, without a full stop: what was found and what was expected.
  std::string message;
};

/// Either a value or an error. Ask before taking one of them out.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : state(std::move(value)) {}
  Result(Error error) : state(std::move(error)) {}

  explicit operator bool() const { return state.index() == 0; }

  T &operator*() & { return std::get<0>(state); }
  const T &operator*() const & { return std::get<0>(state); }
  T &&operator*() && { return std::get<0>(std::move(state)); }
  T *operator->() { return &std::get<0>(state); }
  const T *operator->() const { return &std::get<0>(state); }

  const Error &error() const { return std::get<1>(state); }

private:
  std::variant<T, Error> state;
};

/// Success without a value, or an error.
template <> class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : failure(std::move(error)) {}

  explicit operator bool() const { return !failure; }
  const Error &error() const { return *failure; }

private:
  std::optional<Error> failure;
};

} // namespace rapt

#endif // RAPT_ERROR_H
