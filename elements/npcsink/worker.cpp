// SPDX-License-Identifier: LGPL-2.1-or-later
// The thread behind an updater: connects, delivers, retries.
#include "npcsink/worker.h"

#include <algorithm>
#include <utility>

#include "base/threads.h"
#include "base/uri.h"
#include "base/wait.h"

namespace npc::sink {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Worker::Worker(std::string name, std::unique_ptr<Updater> updater, std::shared_ptr<Store> store,
               const WorkerOptions &options, Listener listener)
    : name_(std::move(name)),
      updater_(std::move(updater)),
      options_(options),
      listener_(std::move(listener)),
      retention_(std::chrono::duration_cast<std::chrono::seconds>(store->retention())),
      cursor_(store, updater_->target(), updater_->live_only()),
      resends_(std::move(store)),
      random_(std::random_device{}()) {}

Worker::~Worker() {
  request_stop();
  join();
}

void Worker::start() {
  thread_ = start_thread("npc-" + scheme_of(name_), [this](std::stop_token stop) { run(stop); });
}

void Worker::request_stop() {
  thread_.request_stop();
}

void Worker::join() {
  if (thread_.joinable())
    thread_.join();
}

void Worker::retry_now() {
  {
    Lock lock(mutex_);
    retry_now_ = true;
  }
  woken_.notify_all();
}

void Worker::set_ended(bool ended) {
  Lock lock(mutex_);
  ended_ = ended;
}

bool Worker::ended() const {
  Lock lock(mutex_);
  return ended_;
}

UpdaterStats Worker::stats() const {
  UpdaterStats stats;
  stats.updater = name_;
  stats.pending = cursor_.pending();
  stats.dropped = cursor_.dropped();
  stats.oldest = cursor_.oldest();
  const Resends::Stats resends = resends_.stats();
  stats.resent = resends.records;
  stats.requests_refused = resends.refused;
  Lock lock(mutex_);
  stats.delivered = delivered_;
  stats.refused = refused_;
  stats.failed = failed_;
  stats.connected = connected_;
  stats.last_error = last_error_;
  return stats;
}

void Worker::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    DeliveryResult outcome;
    try {
      outcome = step(stop);
    } catch (const std::exception &error) {
      outcome.status = Status::failed("The updater failed: " + std::string(error.what()) + ".");
    }
    tell_complaints();
    watch();
    if (outcome.status.is_failed())
      failed(outcome, stop);
    else if (outcome.pause.count() > 0)
      sleep_for(outcome.pause, stop);
  }
  updater_->close();
  open_ = false;
  if (stats().connected)
    disconnected("The sink was stopped.");
}

DeliveryResult Worker::step(std::stop_token stop) {
  const std::vector<Record> batch = cursor_.take(updater_->batch(), options_.idle, stop);
  DeliveryResult outcome;
  if (stop.stop_requested() || (batch.empty() && !context_))
    return outcome;
  if (!context_)
    context_ = UpdaterContext{batch.front(), retention_, {}, &resends_};
  const std::uint64_t pending = cursor_.pending();
  context_->backlog = {pending - std::min<std::uint64_t>(pending, batch.size()), cursor_.dropped(),
                       ended()};

  if (!open_) {
    outcome.status = updater_->connect(*context_, stop);
    open_ = outcome.status.is_ok();
  }
  // A full disk lets a file be opened again and again: after a failure that is no news yet.
  if (open_ && !in_doubt_)
    connected();
  if (open_ && batch.empty())
    outcome.status = updater_->idle(*context_, stop);
  else if (open_)
    outcome = deliver(batch, stop);
  acknowledge(batch.size(), outcome);
  if (!open_)
    return outcome;
  if (!outcome.status.is_failed())
    failures_in_a_row_ = 0;
  if (outcome.confirmed > 0 || outcome.status.is_ok()) {
    in_doubt_ = false;
    connected();
  }
  return outcome;
}

DeliveryResult Worker::deliver(std::span<const Record> batch, std::stop_token stop) {
  struct Note {
    explicit Note(Worker *worker) : worker(worker) { set(steady_clock::now()); }
    ~Note() { set(std::nullopt); }
    void set(std::optional<steady_clock::time_point> since) const {
      Lock lock(worker->mutex_);
      worker->delivering_since_ = since;
    }
    Worker *const worker;
  };
  const Note note(this);
  return updater_->deliver(batch, *context_, std::move(stop));
}

void Worker::acknowledge(std::size_t taken, const DeliveryResult &outcome) {
  const std::size_t confirmed = std::min(taken, outcome.confirmed);
  {
    Lock lock(mutex_);
    delivered_ += confirmed - std::min(confirmed, outcome.refused.size());
    refused_ += outcome.refused.size();
  }
  cursor_.acknowledge(confirmed, outcome.refused);
  for (const std::string &notice : outcome.notices)
    listener_({UpdaterEvent::State::kNotice, stats(), notice});
  for (const RefusedRecord &refused : outcome.refused) {
    if (refused.error == refusal_said_)
      continue;
    refusal_said_ = refused.error;
    listener_({UpdaterEvent::State::kRefused, stats(), refused.error});
  }
}

void Worker::tell_complaints() {
  while (const auto complaint = resends_.take_complaint())
    listener_({UpdaterEvent::State::kNotAnswered, stats(), *complaint});
}

void Worker::connected() {
  {
    Lock lock(mutex_);
    if (std::exchange(connected_, true))
      return;
  }
  said_.clear();
  listener_({UpdaterEvent::State::kConnected, stats(), {}});
}

void Worker::disconnected(const std::string &reason) {
  bool was_connected;
  {
    Lock lock(mutex_);
    was_connected = connected_;
    connected_ = false;
  }
  // An outage of a day is one message, not a thousand.
  if (!was_connected && reason == said_)
    return;
  said_ = reason;
  listener_({UpdaterEvent::State::kDisconnected, stats(), reason});
}

void Worker::failed(const DeliveryResult &outcome, std::stop_token stop) {
  cursor_.acknowledge(0, {});
  in_doubt_ = in_doubt_ || open_;
  open_ = false;
  {
    Lock lock(mutex_);
    failed_++;
    last_error_ = outcome.status.error();
  }
  disconnected(outcome.status.error());

  const unsigned doublings = std::min(failures_in_a_row_++, 16u);
  const auto pause = std::min(options_.retry_last, options_.retry_first * (1 << doublings));
  // Many devices that lost one broker must not come back in step.
  std::uniform_real_distribution<double> jitter(0.5, 1.0);
  const milliseconds shortened(
      static_cast<std::int64_t>(static_cast<double>(pause.count()) * jitter(random_)));
  // The remote has asked for it.
  if (outcome.pause.count() > 0)
    sleep_for(outcome.pause, stop);
  Lock lock(mutex_);
  if (woken_.wait_for(lock, stop, std::max(shortened - outcome.pause, milliseconds(0)),
                      [this]() NPC_REQUIRES(mutex_) { return retry_now_; }))
    failures_in_a_row_ = 0;
  retry_now_ = false;
}

bool Worker::is_behind(const UpdaterStats &now) const {
  const milliseconds age = updater_->backlog_age();
  if (now.pending == 0 || (age.count() == 0 && now.pending >= options_.backlog))
    return now.pending > 0;
  auto waiting = cursor_.behind();
  Lock lock(mutex_);
  if (delivering_since_) {
    const auto delivering = steady_clock::now() - *delivering_since_;
    waiting = std::max(waiting, std::chrono::duration_cast<milliseconds>(delivering));
  }
  return waiting >= (age.count() > 0 ? age : options_.backlog_age);
}

// Not at each record, but at each doubling.
void Worker::watch() {
  Lock lock(watching_);
  const UpdaterStats now = stats();
  if (now.dropped > 0 && now.dropped >= 2 * dropped_said_) {
    dropped_said_ = now.dropped;
    listener_({UpdaterEvent::State::kDropped, now,
               "Records were given up before they were delivered: the store was full or damaged."});
  }
  if (is_behind(now) && now.pending >= 2 * backlog_said_) {
    backlog_said_ = now.pending;
    listener_({UpdaterEvent::State::kBacklog, now, {}});
  } else if (now.pending == 0 && backlog_said_ > 0) {
    backlog_said_ = 0;
    listener_({UpdaterEvent::State::kCaughtUp, now, {}});
  }
}

}  // namespace npc::sink
