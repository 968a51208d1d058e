// SPDX-License-Identifier: LGPL-2.1-or-later
// One program that sends records through a stream socket.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "base/ratelimit.h"
#include "npcsrc/receivers/lines.h"
#include "npcsrc/receivers/receiver.h"

namespace npc::source {

/// The socket of one sender, which may be hostile: nothing here waits, and all is bounded.
///
/// Records are looked at with MSG_PEEK, and taken out of the socket when they are stored. So a
/// sender that waits until the kernel holds nothing of its records any more, as the updater `unix:`
/// does, knows then that they are stored, and sends them again if we end before.
class Connection {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Records of one look.
  static constexpr unsigned kMostRecords = 256;
  /// A record that nobody stores in that time, and nobody gives back, was lost on its way.
  static constexpr std::chrono::seconds kLost{60};
  /// Records a second; more wait in the socket.
  static constexpr double kMostRate = 2000;
  /// Cameras that it may name lost records of, because it was asked for some.
  static constexpr std::size_t kMostAsked = 1024;

  /// `name` says who it is, `ticket` is that of all of its records.
  Connection(Descriptor socket, std::string name, std::uint64_t ticket, Time now);

  /// What poll() is to wait for; 0: for nothing, not even the end.
  short events(Time now);
  /// When to ask events() again, whatever poll() says.
  Time next() const { return next_; }

  /// Whether records of it were lost: it must end, for its sender to send them again.
  bool is_stuck(Time now) const { return outstanding_ > 0 && now - last_record_ >= kLost; }

  /// Reads what came. `classic` reads the messages of the first No-picture Camera. Returns false if
  /// the connection has ended, or must: then `came` says why, if the sender is to blame.
  bool read(ClassicReader &classic, Reception &came, Time now);
  /// One of its records is stored. Returns false as read() does.
  bool stored(const RecordId &id, Reception &came);
  /// Whether its sender takes requests for records that are missing.
  bool takes_requests() const { return takes_requests_; }
  /// Writes one, unless too much waits already. Returns false as read() does.
  bool ask(const Gap &gap);
  /// Writes acknowledgements that wait. Returns false as read() does.
  bool write();

  int socket() const { return socket_.get(); }
  /// When its last record came; before that, when it began.
  Time last_record() const { return last_record_; }

 private:
  bool read_lines(std::string_view peeked, ClassicReader &classic, Reception &came, Time now);
  bool read_end(ClassicReader &classic, Reception &came, Time now);
  void read_line(std::string_view line, ClassicReader &classic, Reception &came, Time now);
  bool read_request(std::string_view line, Reception &came);
  void refuse(std::string reason, Reception &came);
  bool consume(std::size_t count);
  bool consume_held();
  void end_range();
  bool acknowledge(Reception &came);

  Descriptor socket_;
  const std::string name_;
  const std::uint64_t ticket_;
  std::set<std::pair<std::string, std::string>> asked_;  // site, camera
  RateLimit rate_;
  Time last_record_;
  Time next_ = Time::max();

  std::string begin_;         // of a line whose rest did not come yet; it is out of the socket
  bool skipping_ = false;     // the rest of a line that is too long
  std::size_t held_ = 0;      // bytes that were looked at and are in the socket
  unsigned outstanding_ = 0;  // records that are not stored
  bool ended_ = false;        // nothing more comes, but acknowledgements wait

  bool acknowledging_ = false;   // the sender asked for it
  bool takes_requests_ = false;  // likewise
  RecordId range_begin_;         // of records that are stored and not acknowledged
  std::uint64_t range_size_ = 0;
  std::string answers_;  // that are to be written
};

}  // namespace npc::source
