// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// \file
/// Errors inside the library on their way to the codes of the interface.

#ifndef RAPT_LIB_COMPILER_CODEDERROR_H
#define RAPT_LIB_COMPILER_CODEDERROR_H

#include "rapt/Error.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

namespace rapt {

/// A message with the code that the interface gives it.
class CodedError : public llvm::ErrorInfo<CodedError> {
public:
  static char ID;
  CodedError(ErrorCode code, std::string message)
      : code(code), message(std::move(message)) {}

  ErrorCode getCode() const { return code; }
  const std::string &getMessage() const { return message; }
  void log(llvm::raw_ostream &os) const override;
  std::error_code convertToErrorCode() const override;

private:
  ErrorCode code;
  std::string message;
};

llvm::Error makeError(ErrorCode code, const llvm::Twine &message);

/// The error with another code, whatever it was.
llvm::Error withCode(ErrorCode code, llvm::Error error);

/// ErrorCode::Device, unless the error has a code of its own.
llvm::Error asDeviceError(llvm::Error error);

/// What the caller of the interface gets. An error without a code is
/// InvalidArgument if it says std::errc::invalid_argument, else Internal.
Error toError(llvm::Error error);

} // namespace rapt

#endif // RAPT_LIB_COMPILER_CODEDERROR_H
