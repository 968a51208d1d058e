// SPDX-License-Identifier: LGPL-2.1-or-later
// An updater that fails on purpose.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "npcsink/updaters/updater.h"

namespace npc::test {

using sink::BacklogStats;
using sink::DeliveryResult;
using sink::Record;
using sink::Updater;
using sink::UpdaterContext;

/// What a fake updater is told to do, and what it saw; shared with the test.
struct Script {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<std::string> connect_failures;  // one for each call, then success
  std::deque<DeliveryResult> outcomes;       // one for each delivery, then success
  std::deque<std::string> idle_failures;
  bool stuck = false;  // deliveries wait for a stop
  bool throws = false;
  bool live_only = false;
  std::size_t batch = 250;
  std::atomic<std::chrono::milliseconds> backlog_age{};
  std::vector<std::string> delivered;
  std::vector<std::uint64_t> backlogs;  // that it was told of, each once in a row
  bool ended = false;                   // what it was told last
  std::string first;
  int connects = 0;
  int closes = 0;

  std::vector<std::string> seen() {
    std::lock_guard lock(mutex);
    return delivered;
  }
  bool told_ended() {
    std::lock_guard lock(mutex);
    return ended;
  }
  int connected() {
    std::lock_guard lock(mutex);
    return connects;
  }
};

template <typename T>
T next(std::deque<T> &list) {
  T item = list.front();
  list.pop_front();
  return item;
}

/// An updater that does as its script says, for faults that no real one has at will.
class FakeUpdater : public Updater {
 public:
  FakeUpdater(std::string target, Script &script) : target_(std::move(target)), script_(script) {}

  std::string target() const override { return target_; }

  Status connect(const UpdaterContext &context, std::stop_token) override {
    std::lock_guard lock(script_.mutex);
    note(context.backlog);
    script_.first = context.first.json;
    script_.connects++;
    if (script_.throws)
      throw std::runtime_error("out of luck");
    return next_status(script_.connect_failures);
  }

  DeliveryResult deliver(std::span<const Record> records, const UpdaterContext &context,
                         std::stop_token stop) override {
    std::unique_lock lock(script_.mutex);
    note(context.backlog);
    if (script_.stuck && !script_.changed.wait(lock, stop, [this] { return !script_.stuck; }))
      return {0, Status::stopped()};
    DeliveryResult outcome =
        script_.outcomes.empty() ? DeliveryResult{records.size(), {}} : next(script_.outcomes);
    outcome.confirmed = std::min(outcome.confirmed, records.size());
    for (const Record &record : records.first(outcome.confirmed))
      script_.delivered.push_back(record.json);
    return outcome;
  }

  std::chrono::milliseconds backlog_age() const override { return script_.backlog_age; }
  std::size_t batch() const override {
    std::lock_guard lock(script_.mutex);
    return script_.batch;
  }

  bool live_only() const override { return script_.live_only; }

  Status idle(const UpdaterContext &context, std::stop_token) override {
    std::lock_guard lock(script_.mutex);
    note(context.backlog);
    return next_status(script_.idle_failures);
  }

  void close() noexcept override {
    std::lock_guard lock(script_.mutex);
    script_.closes++;
  }

 private:
  void note(const BacklogStats &backlog) {
    if (script_.backlogs.empty() || script_.backlogs.back() != backlog.pending)
      script_.backlogs.push_back(backlog.pending);
    script_.ended = backlog.ended;
  }

  static Status next_status(std::deque<std::string> &failures) {
    return failures.empty() ? Status() : Status::failed(next(failures));
  }

  const std::string target_;
  Script &script_;
};

}  // namespace npc::test
