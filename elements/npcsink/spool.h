// SPDX-License-Identifier: LGPL-2.1-or-later
// What the store has taken and not written yet, where it outlives a kill of the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

namespace npc {

/// A file of lines in the memory of the machine, so that writing to it waits for no disk. It goes
/// with the object if nothing is left in it. Not for several threads at once.
class Spool {
 public:
  /// Opens or makes the spool of that store in `folder`. Throws std::runtime_error with a sentence.
  Spool(const std::string &folder, const std::string &store);
  ~Spool();
  Spool(const Spool &) = delete;
  Spool &operator=(const Spool &) = delete;

  /// Hands out what a process that was killed has left, oldest first. What `take` accepts counts
  /// as added. To be called first.
  void recover(const std::function<bool(std::string line)> &take);

  /// Adds a line. If there is no memory for it, it is counted only.
  void add(const std::string &line);

  /// Removes the oldest of what was added.
  void remove(std::size_t count);

 private:
  std::string read(std::int64_t from) const;
  bool write(std::int64_t at, const std::string &text);

  const std::string path_;
  const int descriptor_;
  std::int64_t end_;   // of the lines
  std::int64_t done_;  // up to where they are not needed any more
  std::deque<std::int64_t> sizes_;
};

}  // namespace npc
