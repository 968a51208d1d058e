// SPDX-License-Identifier: LGPL-2.1-or-later
// From one store to many updaters.
#include "npcsink/dispatcher.h"

#include <map>
#include <sstream>

#include "base/threads.h"
#include "base/wait.h"

namespace npc::sink {

Dispatcher::Dispatcher(std::string_view updaters, const Registry &registry,
                       std::shared_ptr<Store> store, const WorkerOptions &options,
                       const Worker::Listener &listener)
    : store_(std::move(store)), watch_interval_(options.idle) {
  std::map<std::string, std::string> targets;
  std::vector<std::pair<std::string, std::unique_ptr<Updater>>> made;
  std::istringstream words{std::string(updaters)};
  for (std::string text; words >> text;) {
    auto updater = registry.make(text);
    const auto [other, is_new] = targets.emplace(updater->target(), text);
    if (!is_new)
      throw UriError(text, "\"" + redact(other->second) + "\" delivers to the same place");
    made.emplace_back(text, std::move(updater));
  }
  // Only now: a list that is refused leaves no cursor behind.
  for (auto &[text, updater] : made)
    workers_.push_back(
        std::make_unique<Worker>(redact(text), std::move(updater), store_, options, listener));
}

Dispatcher::~Dispatcher() {
  stop();
}

void Dispatcher::start() {
  try {
    for (auto &worker : workers_)
      worker->start();
    if (!workers_.empty())
      watcher_ =
          start_thread("npc-watch", [this](std::stop_token stop) { watch(std::move(stop)); });
  } catch (...) {
    stop();
    throw;
  }
}

void Dispatcher::stop() {
  watcher_.request_stop();
  for (auto &worker : workers_)
    worker->request_stop();
  for (auto &worker : workers_)
    worker->join();
  if (watcher_.joinable())
    watcher_.join();
}

// An updater that is stuck cannot say so itself.
void Dispatcher::watch(std::stop_token stop) {
  while (sleep_for(watch_interval_, stop)) {
    for (auto &worker : workers_)
      worker->watch();
  }
}

Drained Dispatcher::drain(std::chrono::nanoseconds timeout) {
  for (auto &worker : workers_)
    worker->retry_now();
  return store_->drain(timeout);
}

void Dispatcher::set_ended(bool ended) {
  for (auto &worker : workers_)
    worker->set_ended(ended);
}

std::vector<UpdaterStats> Dispatcher::stats() const {
  std::vector<UpdaterStats> all;
  all.reserve(workers_.size());
  for (const auto &worker : workers_)
    all.push_back(worker->stats());
  return all;
}

}  // namespace npc::sink
