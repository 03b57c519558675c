// Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/rapt/Options.h"
#include "lib/Support/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace rapt::tool {

char UsageError::ID = 0;
void UsageError::log(llvm::raw_ostream &os) const { os << message; }
std::error_code UsageError::convertToErrorCode() const {
  return std::make_error_code(std::errc::invalid_argument);
}

Error usageError(const llvm::Twine &message) {
  return llvm::make_error<UsageError>(message.str());
}

Expected<CommandLine> CommandLine::parse(const Subcommand &subcommand,
                                         llvm::ArrayRef<StringRef> words) {
  CommandLine result;
  bool hasFile = false;
  for (size_t w = 0; w < words.size(); ++w) {
    StringRef word = words[w];
    if (!word.starts_with("-") || word == "-") {
      if (!subcommand.takesFile)
        return usageError("'rapt " + subcommand.name +
                          "' takes no argument, found '" + word + "'");
      if (hasFile)
        return usageError("expected one file, found '" + result.file +
                          "' and '" + word + "'");
      result.file = word.str();
      hasFile = true;
      continue;
    }

    auto [flag, value] = word.split('=');
    bool hasValue = word.contains('=');
    const auto *row =
        llvm::find_if(subcommand.options,
                      [&](const OptionRow &row) { return row.flag == flag; });
    if (row == subcommand.options.end()) {
      llvm::SmallVector<StringRef> flags;
      for (const OptionRow &row : subcommand.options)
        flags.push_back(row.flag);
      return usageError("unknown option '" + flag + "' of 'rapt " +
                        subcommand.name + "'" +
                        support::didYouMean(flag, flags));
    }
    if (row->value.empty()) {
      if (hasValue)
        return usageError("option '" + flag + "' takes no value, found '" +
                          value + "'");
    } else if (!hasValue) {
      if (w + 1 == words.size())
        return usageError("option '" + flag + "' expects " + row->value);
      value = words[++w];
    }
    std::vector<std::string> &values = result.values[flag.str()];
    if (!values.empty() && !row->isRepeated)
      return usageError("option '" + flag + "' is given twice");
    values.push_back(value.str());
  }
  if (subcommand.takesFile && !hasFile && !result.has("--help"))
    return usageError("'rapt " + subcommand.name + "' expects a file");
  return result;
}

std::optional<StringRef> CommandLine::get(StringRef flag) const {
  auto found = values.find(flag.str());
  if (found == values.end())
    return std::nullopt;
  return StringRef(found->second.back());
}

llvm::ArrayRef<std::string> CommandLine::getAll(StringRef flag) const {
  auto found = values.find(flag.str());
  if (found == values.end())
    return {};
  return found->second;
}

Expected<int64_t> CommandLine::getInteger(StringRef flag, int64_t byDefault,
                                          int64_t minimum) const {
  std::optional<StringRef> text = get(flag);
  if (!text)
    return byDefault;
  int64_t value = 0;
  if (text->getAsInteger(10, value) || value < minimum)
    return usageError("option '" + flag + "' expects an integer of at least " +
                      llvm::Twine(minimum) + ", found '" + *text + "'");
  return value;
}

Expected<unsigned> CommandLine::getThreads() const {
  constexpr int64_t maxThreads = 1024;
  auto threads = getInteger("--threads", 0, 1);
  if (!threads)
    return threads.takeError();
  if (*threads > maxThreads)
    return usageError("option '--threads' expects at most " +
                      llvm::Twine(maxThreads) + ", found '" +
                      llvm::Twine(*threads) + "'");
  return static_cast<unsigned>(*threads);
}

Expected<std::pair<std::string, std::string>>
splitAssignment(StringRef flag, StringRef form, StringRef text) {
  auto [name, value] = text.split('=');
  if (name.empty() || value.empty())
    return usageError("option '" + flag + "' expects " + form + ", found '" +
                      text + "'");
  return std::pair(name.trim().str(), value.trim().str());
}

Error addAssignments(StringRef flag, StringRef form,
                     llvm::ArrayRef<std::string> texts,
                     std::map<std::string, std::string> &assignments) {
  for (const std::string &text : texts) {
    auto assignment = splitAssignment(flag, form, text);
    if (!assignment)
      return assignment.takeError();
    if (!assignments.insert(*assignment).second)
      return usageError("option '" + flag + "' gives '" + assignment->first +
                        "' twice");
  }
  return Error::success();
}

void printHelp(const Subcommand &subcommand, llvm::raw_ostream &os) {
  os << "usage: rapt " << subcommand.name;
  if (!subcommand.usage.empty())
    os << ' ' << subcommand.usage;
  os << "\n\n" << subcommand.summary << "\n\noptions:\n";
  // Every line of help but the first is moved under the first.
  constexpr unsigned column = 26;
  for (const OptionRow &row : subcommand.options) {
    std::string left = "  " + row.flag.str();
    if (!row.value.empty())
      left += (row.flag.starts_with("--") ? "=" : " ") + row.value.str();
    if (left.size() + 2 > column)
      os << left << '\n' << std::string(column, ' ');
    else
      os << left << std::string(column - left.size(), ' ');
    llvm::SmallVector<StringRef> lines;
    row.help.split(lines, '\n');
    os << lines.front() << '\n';
    for (StringRef line : llvm::drop_begin(lines))
      os << std::string(column, ' ') << line << '\n';
  }
}

} // namespace rapt::tool
