// SPDX-License-Identifier: LGPL-2.1-or-later
// The thread behind an updater: connects, delivers, retries.
#include "worker.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>

namespace npc {

Worker::Worker(std::string name, std::unique_ptr<Updater> updater, const WorkerOptions &options,
               Listener listener, std::function<void()> emptied)
    : name_(std::move(name)),
      updater_(std::move(updater)),
      options_(options),
      listener_(std::move(listener)),
      emptied_(std::move(emptied)),
      queue_(options.capacity),
      random_(std::random_device{}()) {}

Worker::~Worker() {
  request_stop();
  join();
}

void Worker::start() {
  // The application's signals are not ours, and a reader that went away must not end the process
  // with SIGPIPE. Threads that Paho starts from ours inherit this.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Worker::request_stop() {
  thread_.request_stop();
}

void Worker::join() {
  if (thread_.joinable())
    thread_.join();
}

void Worker::push(std::shared_ptr<const Record> record) {
  queue_.push(std::move(record));
}

void Worker::hurry() {
  {
    std::lock_guard lock(mutex_);
    hurry_ = true;
  }
  woken_.notify_all();
}

UpdaterStats Worker::stats() const {
  UpdaterStats stats;
  stats.updater = name_;
  stats.pending = queue_.pending();
  stats.dropped = queue_.dropped();
  std::lock_guard lock(mutex_);
  stats.delivered = delivered_;
  stats.failed = failed_;
  stats.connected = connected_;
  stats.last_error = last_error_;
  return stats;
}

void Worker::run(std::stop_token stop) {
  pthread_setname_np(pthread_self(), ("npc-" + scheme_of(name_)).substr(0, 15).c_str());
  while (!stop.stop_requested()) {
    std::string failure;
    try {
      failure = step(stop);
    } catch (const std::exception &error) {
      failure = "The updater failed: " + std::string(error.what()) + ".";
    }
    if (!failure.empty())
      failed(failure, stop);
  }
  updater_->close();
  if (stats().connected)
    disconnected("The sink was stopped.");
}

std::string Worker::step(std::stop_token stop) {
  const std::vector<Record> batch = queue_.take(options_.batch, options_.idle, stop);
  if (stop.stop_requested() || (batch.empty() && !first_)) {
    queue_.settle(0);
    return {};
  }
  if (!first_)
    first_ = batch.front();

  Outcome outcome;
  bool open = stats().connected;
  if (!open) {
    outcome.failure = updater_->connect(*first_, stop);
    open = outcome.failure.empty() && !stop.stop_requested();
    if (open)
      connected();
  }
  if (open && batch.empty())
    outcome.failure = updater_->idle();
  else if (open)
    outcome = deliver(batch, stop);
  queue_.settle(outcome.confirmed);
  if (outcome.confirmed > 0 && queue_.pending() == 0)
    emptied_();
  if (open && outcome.failure.empty())
    failures_in_a_row_ = 0;
  return outcome.failure;
}

Outcome Worker::deliver(const std::vector<Record> &batch, std::stop_token stop) {
  Outcome outcome = updater_->deliver(batch, stop);
  std::lock_guard lock(mutex_);
  delivered_ += outcome.confirmed;
  return outcome;
}

void Worker::connected() {
  {
    std::lock_guard lock(mutex_);
    connected_ = true;
  }
  said_.clear();
  listener_({stats(), {}});
}

void Worker::disconnected(const std::string &reason) {
  bool was_connected;
  {
    std::lock_guard lock(mutex_);
    was_connected = connected_;
    connected_ = false;
  }
  // An outage of a day is one message, not a thousand.
  if (!was_connected && reason == said_)
    return;
  said_ = reason;
  listener_({stats(), reason});
}

void Worker::failed(const std::string &why, std::stop_token stop) {
  queue_.settle(0);
  {
    std::lock_guard lock(mutex_);
    failed_++;
    last_error_ = why;
  }
  disconnected(why);

  const unsigned doublings = std::min(failures_in_a_row_++, 16u);
  const auto pause = std::min(options_.retry_last, options_.retry_first * (1 << doublings));
  // Many devices that lost one broker must not come back in step.
  std::uniform_real_distribution<double> jitter(0.5, 1.0);
  const std::chrono::duration<double, std::milli> shortened = pause * jitter(random_);
  std::unique_lock lock(mutex_);
  if (woken_.wait_for(lock, stop, shortened, [this] { return hurry_; }))
    failures_in_a_row_ = 0;
  hurry_ = false;
}

}  // namespace npc
