// SPDX-License-Identifier: LGPL-2.1-or-later
// From one record to many updaters.
#include "delivery.h"

#include <algorithm>
#include <map>
#include <sstream>

namespace npc {

Delivery::Delivery(std::string_view updaters, const Registry &registry,
                   const WorkerOptions &options, const Worker::Listener &listener) {
  const auto emptied = [this] {
    // Taken so that drain() is either not yet looking or already waiting.
    { std::lock_guard lock(mutex_); }
    changed_.notify_all();
  };
  std::map<std::string, std::string> targets;
  std::istringstream words{std::string(updaters)};
  for (std::string text; words >> text;) {
    auto updater = registry.make(text);
    const auto [other, is_new] = targets.emplace(updater->target(), text);
    if (!is_new)
      throw UriError(text, "\"" + other->second + "\" delivers to the same place");
    workers_.push_back(
        std::make_unique<Worker>(text, std::move(updater), options, listener, emptied));
  }
}

Delivery::~Delivery() {
  stop();
}

void Delivery::start() {
  try {
    for (auto &worker : workers_)
      worker->start();
  } catch (...) {
    stop();
    throw;
  }
}

void Delivery::stop() {
  for (auto &worker : workers_)
    worker->request_stop();
  for (auto &worker : workers_)
    worker->join();
}

void Delivery::push(Record record) {
  const auto shared = std::make_shared<const Record>(std::move(record));
  for (auto &worker : workers_)
    worker->push(shared);
}

Drained Delivery::drain(std::chrono::nanoseconds timeout) {
  for (auto &worker : workers_)
    worker->hurry();
  // A later end overflows the clock.
  const auto wait = std::min<std::chrono::nanoseconds>(timeout, std::chrono::hours(24));
  std::unique_lock lock(mutex_);
  const bool ended =
      changed_.wait_for(lock, wait, [this] { return interrupted_ || nothing_waits(); });
  if (!ended)
    return Drained::kTimeout;
  return nothing_waits() ? Drained::kAll : Drained::kInterrupted;
}

void Delivery::interrupt(bool on) {
  {
    std::lock_guard lock(mutex_);
    interrupted_ = on;
  }
  changed_.notify_all();
}

std::vector<UpdaterStats> Delivery::stats() const {
  std::vector<UpdaterStats> all;
  all.reserve(workers_.size());
  for (const auto &worker : workers_)
    all.push_back(worker->stats());
  return all;
}

bool Delivery::nothing_waits() const {
  return std::all_of(workers_.begin(), workers_.end(),
                     [](const auto &worker) { return worker->empty(); });
}

}  // namespace npc
