// SPDX-License-Identifier: LGPL-2.1-or-later
// A real Mosquitto of our own for system tests, and its subscribers.
#pragma once

#include <string>
#include <vector>

#include "support/process.h"

namespace npc::test {

/// A broker on a free loopback port that keeps retained messages and sessions over restarts, if it
/// was told to save() them.
class Mosquitto {
 public:
  /// `configuration` is added to the configuration file.
  explicit Mosquitto(const std::string &configuration = "allow_anonymous true\n");
  /// One with the defaults of Mosquitto, and no log.
  static Mosquitto plain(const std::string &configuration);

  /// Starts it, and waits until it takes connections.
  bool start();
  void signal(int number) { process_.signal(number); }
  /// Like a power cut.
  void kill();
  /// Saves sessions and retained messages, which a kill() survives then.
  bool save();
  /// Forgets what was saved.
  void forget();

  int port() const { return port_; }
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string log() const;
  const TemporaryDirectory &directory() const { return directory_; }

 private:
  TemporaryDirectory directory_;
  int port_;
  Process process_;
};

/// What a `mosquitto_sub` prints: a line `topic payload` for each message.
class Subscriber {
 public:
  /// A subscriber of npc/#, with more arguments if need be.
  explicit Subscriber(const Mosquitto &broker, const std::vector<std::string> &more = {});

  std::vector<std::string> lines() const;
  /// The payloads of one topic, in their order.
  std::vector<std::string> payloads(const std::string &topic) const;
  /// Waits until a payload came last on a topic.
  bool wait_for(const std::string &topic, const std::string &payload) const;
  /// Waits for the end of a subscriber that ends by itself.
  int wait() { return process_.wait(); }

 private:
  TemporaryDirectory directory_;
  Process process_;
};

/// The arguments of a subscriber whose session the broker keeps, so that it misses nothing.
std::vector<std::string> lasting();

/// Makes the broker know the session of the lasting subscriber, even after a kill.
[[nodiscard]] bool remember_subscriber(Mosquitto &broker);

/// What the broker retains now on the topics of a filter, as a Subscriber prints it.
std::vector<std::string> all_retained(const Mosquitto &broker, const std::string &filter);

/// What the broker retains on a topic now, or nothing.
std::string retained(const Mosquitto &broker, const std::string &topic);

}  // namespace npc::test
