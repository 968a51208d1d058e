// SPDX-License-Identifier: LGPL-2.1-or-later
// What became of something that may fail, or be stopped.
#pragma once

#include <string>
#include <utility>

namespace npc {

/// It worked, it was ended by a stop request, of which there is nothing to say, or it failed.
class [[nodiscard]] Status {
 public:
  /// It worked.
  Status() = default;
  /// A stop request came before it was done.
  static Status stopped() { return Status(Kind::kStopped, {}); }
  /// `error` says why, as a sentence.
  static Status failed(std::string error) { return Status(Kind::kFailed, std::move(error)); }

  bool is_ok() const { return kind_ == Kind::kOk; }
  bool is_stopped() const { return kind_ == Kind::kStopped; }
  bool is_failed() const { return kind_ == Kind::kFailed; }
  /// Why it failed, as a sentence; empty if it did not.
  const std::string &error() const { return error_; }

 private:
  enum class Kind { kOk, kStopped, kFailed };

  Status(Kind kind, std::string error) : kind_(kind), error_(std::move(error)) {}

  Kind kind_ = Kind::kOk;
  std::string error_;
};

}  // namespace npc
