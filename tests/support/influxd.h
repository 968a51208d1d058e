// SPDX-License-Identifier: LGPL-2.1-or-later
// A real InfluxDB 1.x of our own for system tests, and a stand-in for what it cannot do.
#pragma once

#include <string>
#include <vector>

#include "support/process.h"

namespace npc::test {

/// An `influxd` on free loopback ports, with its data in a directory of its own.
class Influxd {
 public:
  /// `http` is added to the section [http] of its configuration.
  explicit Influxd(const std::string &http = {});

  /// Starts it, and waits until it answers.
  bool start();
  void signal(int number) { process_.signal(number); }
  /// Like a power cut.
  void kill();

  /// Runs a statement, as that user if one is given, and returns the answer.
  std::string query(const std::string &statement, const std::string &login = {}) const;
  /// The sequence numbers of all points of `npc` in the database npc, in the order of their time.
  std::vector<int> sequence() const;

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string log() const { return content_of(directory_ / "log"); }
  const TemporaryDirectory &directory() const { return directory_; }

 private:
  TemporaryDirectory directory_;
  int port_;
  bool tls_;
  Process process_;
};

/// A server with the write path of InfluxDB 2, tests/system/influxfake.py, that answers what it is
/// told to.
class InfluxFake {
 public:
  InfluxFake();
  /// The next requests with lines get these answers, one each: JSON with `status`, `headers`,
  /// `body`, `hang`, `drip`. Without one it is 204.
  void tell(const std::vector<std::string> &answers);
  /// Each request with lines: `connection lines status`.
  std::vector<std::string> requests() const;
  std::vector<std::string> lines() const;
  bool started() const { return port_ != 0; }
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string token_file() const { return directory_ / "token"; }
  std::string uri() const;
  const TemporaryDirectory &directory() const { return directory_; }

 private:
  TemporaryDirectory directory_;
  Process process_;
  int port_ = 0;
};

}  // namespace npc::test
