// SPDX-License-Identifier: LGPL-2.1-or-later
// Which records the store downstream has, and which are missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/ranges.h"
#include "npcsrc/core/recordid.h"

namespace npc::source {

/// Records of one series that are missing.
struct Gap {
  Series series;
  Range range;

  bool operator==(const Gap &) const = default;
};

/// Which records are stored, of each series the ranges of their numbers.
///
/// A series begins with the first of its records that came: what a camera counted before nobody
/// here has asked for. What is forgotten because there is too much of it is the oldest, and then
/// only means that a record that comes twice is taken for a new one, and that a gap is not noticed;
/// never that a record is taken for one that is stored.
class Coverage {
 public:
  struct Limits {
    std::size_t senders = 4096;  ///< cameras; those that were silent for longest are forgotten
    std::size_t boots = 4;       ///< of a camera; likewise
    std::size_t ranges = 128;    ///< of a series; those with the lowest numbers are forgotten
  };

  Coverage() = default;
  explicit Coverage(const Limits &limits) : limits_(limits) {}

  /// The store has these records. Returns how many of them were not known to be there.
  std::uint64_t add(const Series &series, Range range);
  bool contains(const RecordId &id) const;

  /// These will not come any more: they are no gap from now on. If they come all the same, they are
  /// new.
  void give_up(const Gap &gap);
  bool is_given_up(const Gap &gap) const;

  /// What is missing between records of a series that are stored, the newest first: the series to
  /// which add() was called last, and there the highest numbers.
  std::vector<Gap> gaps(std::size_t most) const;
  /// What of these is missing, in order.
  std::vector<Gap> missing_of(const Gap &gap) const;
  /// How many gaps there are, and how many records are missing in them.
  struct Missing {
    std::uint64_t gaps = 0;
    std::uint64_t records = 0;
  };
  Missing missing() const;

  struct Entry {
    Series series;
    Ranges stored;
    Ranges given_up;
  };
  /// All series, those to which add() was called last first.
  const std::list<Entry> &series() const { return entries_; }
  /// Adds what another one has, as if it had come in that order.
  void add_series(const Entry &entry);

 private:
  using Position = std::list<Entry>::iterator;
  using Sender = std::pair<std::string, std::string>;

  Entry &newest(const Series &series);
  void remove(Position entry);
  void bound(Entry &entry) const;

  Limits limits_;
  std::list<Entry> entries_;
  std::map<Series, Position> positions_;
  std::map<Sender, std::size_t> boots_;  // how many series of each
};

}  // namespace npc::source
