// SPDX-License-Identifier: LGPL-2.1-or-later
// What InfluxDB's answers mean.
#pragma once

#include <chrono>
#include <string>
#include <unordered_map>

#include "transport/http/http.h"

namespace npc::sink {

/// A database of InfluxDB 1.x, or a bucket of 2.x.
struct InfluxTarget {
  std::string server;    ///< host and port
  std::string database;  ///< of 1.x; empty for 2.x
  std::string policy;    ///< retention policy of 1.x; empty for the default of the database
  std::string org;       ///< of 2.x
  std::string bucket;    ///< of 2.x
  std::string user;      ///< of 1.x; may be empty

  bool is_bucket() const { return database.empty(); }
};

/// What became of the lines of a request.
struct InfluxVerdict {
  enum class Kind {
    kTaken,     ///< all are written
    kBadLines,  ///< some will never be taken, whenever they are sent
    kTooLarge,  ///< less at once may be taken
    kFailed,    ///< none can be said to be written, but they may be later
    kStopped,   ///< a stop cut the request short
  };

  Kind kind = Kind::kTaken;
  std::string error;                   ///< as a sentence; empty if taken or stopped
  std::chrono::milliseconds pause{0};  ///< at least this long before the next request
  /// Those that the server named, and why each was refused, as a sentence.
  std::unordered_map<std::string, std::string> bad_lines{};
};

/// Judges an answer to lines.
InfluxVerdict judge_lines(const http::HttpAnswer &answer, const InfluxTarget &place);

/// Judges an answer to no lines at all: kTaken, kFailed or kStopped. Databases check place and
/// credentials before they look at the lines.
InfluxVerdict judge_probe(const http::HttpAnswer &answer, const InfluxTarget &place);

}  // namespace npc::sink
