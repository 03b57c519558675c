// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "lib/Compiler/CodedError.h"
#include "llvm/Support/raw_ostream.h"

namespace rapt {

char CodedError::ID = 0;

void CodedError::log(llvm::raw_ostream &os) const { os << message; }

std::error_code CodedError::convertToErrorCode() const {
  return llvm::inconvertibleErrorCode();
}

llvm::Error makeError(ErrorCode code, const llvm::Twine &message) {
  return llvm::make_error<CodedError>(code, message.str());
}

llvm::Error withCode(ErrorCode code, llvm::Error error) {
  if (!error)
    return error;
  return makeError(code, llvm::toString(std::move(error)));
}

llvm::Error asDeviceError(llvm::Error error) {
  if (!error || error.isA<CodedError>())
    return error;
  return withCode(ErrorCode::Device, std::move(error));
}

Error toError(llvm::Error error) {
  Error result;
  auto add = [&](ErrorCode code, const std::string &message) {
    result.code = code;
    result.message += (result.message.empty() ? "" : "\n") + message;
  };
  llvm::handleAllErrors(
      std::move(error),
      [&](const CodedError &coded) {
        add(coded.getCode(), coded.getMessage());
      },
      [&](const llvm::ErrorInfoBase &other) {
        bool isArgument =
            other.convertToErrorCode() == std::errc::invalid_argument;
        add(isArgument ? ErrorCode::InvalidArgument : ErrorCode::Internal,
            other.message());
      });
  return result;
}

} // namespace rapt
