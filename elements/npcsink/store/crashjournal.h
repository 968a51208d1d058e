// SPDX-License-Identifier: LGPL-2.1-or-later
// What the store has taken and not written yet, where it outlives a kill of the process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace npc::sink {

/// A file of lines in the memory of the machine, so that writing to it waits for no disk. It goes
/// with the object if nothing is left in it. Not for several threads at once.
class CrashJournal {
 public:
  /// Opens or makes the crash journal of that store in `folder`. Throws std::runtime_error with a
  /// sentence.
  CrashJournal(const std::string &folder, const std::string &store);
  ~CrashJournal();
  CrashJournal(const CrashJournal &) = delete;
  CrashJournal &operator=(const CrashJournal &) = delete;

  /// Hands out what the last one has left, oldest first. What `take` accepts counts as added. To be
  /// called first.
  void recover(const std::function<bool(std::string line)> &take);

  /// Adds a line. If there is no memory for it, it is counted only.
  void add(const std::string &line);

  /// Removes the oldest of what was added.
  void remove(std::size_t count);
  /// Removes a single one, behind `before` older ones that stay.
  void remove_behind(std::size_t before);

  /// Removes the crash journals in `folder` of stores whose file is not there, if nobody has used
  /// them for `age`. `uptime` is that of the machine, by which a clock that jumped is known.
  /// Returns a sentence for each that had records.
  static std::vector<std::string> expire(const std::string &folder, std::chrono::seconds age,
                                         std::chrono::milliseconds uptime);

  /// Whether all that was added would be found again.
  bool whole() const { return missing_ == 0; }

 private:
  struct Line {
    std::int64_t size;
    bool missing;
  };

  void open();
  std::string claim() const;
  bool has_name() const;
  std::string read(std::int64_t from) const;
  bool write(std::int64_t at, const std::string &text) const;

  const std::string path_;
  const std::string head_;
  int descriptor_ = -1;
  std::int64_t end_;   // of the lines
  std::int64_t done_;  // up to where they are not needed any more
  std::deque<Line> lines_;
  std::size_t missing_ = 0;
  bool recovered_ = false;
};

}  // namespace npc::sink
