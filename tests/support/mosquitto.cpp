// SPDX-License-Identifier: LGPL-2.1-or-later
// Starting, asking and killing of Mosquitto.
#include "support/mosquitto.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "support/listener.h"
#include "support/waiting.h"

namespace npc::test {
namespace {

namespace fs = std::filesystem;

bool accepts_connections(int port) {
  const int descriptor = connect_to(port);
  close(descriptor);
  return descriptor >= 0;
}

std::vector<std::string> subscriber_command(const Mosquitto &broker,
                                            const std::vector<std::string> &more) {
  std::vector<std::string> command = {
      "mosquitto_sub", "-h", "127.0.0.1", "-p", std::to_string(broker.port()), "-F", "%t %p"};
  command.insert(command.end(), more.begin(), more.end());
  if (std::find(more.begin(), more.end(), "-t") == more.end())
    command.insert(command.end(), {"-t", "npc/#"});
  return command;
}

}  // namespace

Mosquitto::Mosquitto(const std::string &configuration) : port_(Listener().port()) {
  std::ofstream(directory_ / "mosquitto.conf")
      << "listener " << port_
      << " 127.0.0.1\n"
      // As root it would become another user, who has no access to the directory.
      << "user root\n"
      << "log_dest stderr\nlog_type all\n"
      // Nothing may wait in the broker's memory that a kill could lose.
      << "max_inflight_messages 0\nmax_queued_messages 0\nqueue_qos0_messages true\n"
      << "persistence true\npersistence_location " << directory_ / ""
      << "\n"
      << configuration;
}

Mosquitto Mosquitto::plain(const std::string &configuration) {
  Mosquitto broker;
  std::ofstream(broker.directory_ / "mosquitto.conf")
      << "listener " << broker.port_ << " 127.0.0.1\nuser root\nlog_dest none\n"
      << configuration;
  return broker;
}

bool Mosquitto::start() {
  process_ = Process({"mosquitto", "-c", directory_ / "mosquitto.conf"}, directory_ / "log");
  return eventually([this] { return !process_.running() || accepts_connections(port_); }) &&
         process_.running();
}

void Mosquitto::kill() {
  process_.signal(SIGKILL);
  process_.wait();
}

bool Mosquitto::save() {
  forget();
  process_.signal(SIGUSR1);
  return eventually([this] { return fs::exists(directory_ / "mosquitto.db"); });
}

void Mosquitto::forget() {
  fs::remove(directory_ / "mosquitto.db");
}

std::string Mosquitto::log() const {
  return content_of(directory_ / "log");
}

Subscriber::Subscriber(const Mosquitto &broker, const std::vector<std::string> &more)
    : process_(subscriber_command(broker, more), directory_ / "output") {}

std::vector<std::string> Subscriber::lines() const {
  return lines_of(directory_ / "output");
}

std::vector<std::string> Subscriber::payloads(const std::string &topic) const {
  std::vector<std::string> payloads;
  for (const std::string &line : lines()) {
    if (line.starts_with(topic + " "))
      payloads.push_back(line.substr(topic.size() + 1));
  }
  return payloads;
}

bool Subscriber::wait_for(const std::string &topic, const std::string &payload) const {
  return eventually([&] {
    const auto all = payloads(topic);
    return !all.empty() && all.back() == payload;
  });
}

std::vector<std::string> lasting() {
  // With QoS 1 it would answer, and a subscriber that cannot answer a killed broker throws away
  // what it has not read yet.
  return {"-i", "audit", "-c", "-q", "0"};
}

bool remember_subscriber(Mosquitto &broker) {
  std::vector<std::string> arguments = lasting();
  arguments.push_back("-E");
  return Subscriber(broker, arguments).wait() == 0 && broker.save();
}

std::vector<std::string> all_retained(const Mosquitto &broker, const std::string &filter) {
  // It comes in the order of the subscriptions: behind it comes what says that this was all.
  constexpr const char *kEnd = "test/end";
  TemporaryDirectory directory;
  Process({"mosquitto_pub", "-h", "127.0.0.1", "-p", std::to_string(broker.port()), "-r", "-q", "1",
           "-t", kEnd, "-m", "end"},
          directory / "output")
      .wait();
  const Subscriber subscriber(broker, {"-t", filter, "-t", kEnd, "--retained-only"});
  if (!subscriber.wait_for(kEnd, "end"))
    throw std::runtime_error("the broker does not say what it retains");
  std::vector<std::string> lines = subscriber.lines();
  std::erase(lines, std::string(kEnd) + " end");
  return lines;
}

std::string retained(const Mosquitto &broker, const std::string &topic) {
  const auto lines = all_retained(broker, topic);
  return lines.empty() ? std::string() : lines.front().substr(topic.size() + 1);
}

}  // namespace npc::test
