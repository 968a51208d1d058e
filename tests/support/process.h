// SPDX-License-Identifier: LGPL-2.1-or-later
// Real processes for system tests, and where they may write.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace npc::test {

/// A directory that goes with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(TemporaryDirectory &&other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  std::string operator/(const std::string &name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// A child process. It is killed with the object, and if the test itself dies.
class Process {
 public:
  Process() = default;
  /// Runs `arguments`, the first of which is a program in PATH or in /usr/sbin. Standard output and
  /// error go to the end of the file `output`.
  Process(const std::vector<std::string> &arguments, const std::string &output);
  Process(Process &&other) noexcept;
  Process &operator=(Process &&other) noexcept;
  ~Process();

  bool running();
  void signal(int number);
  /// Waits for the end. Returns the exit status, or minus the signal.
  int wait();

 private:
  pid_t pid_ = -1;
  int status_ = 0;
};

/// Whether a program is installed.
bool have_program(const std::string &name);

/// All of a file.
std::string content_of(const std::string &path);
std::vector<std::string> lines_of(const std::string &path);

}  // namespace npc::test
