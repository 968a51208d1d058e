// SPDX-License-Identifier: LGPL-2.1-or-later
// What the streaming thread of npcsrc does.
#include "npcsrc/engine.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "base/uri.h"
#include "npcsrc/core/coveragefile.h"
#include "npcsrc/receivers/registry.h"

GST_DEBUG_CATEGORY_EXTERN(npcsrc_debug);
#define GST_CAT_DEFAULT npcsrc_debug

namespace npc::source {
namespace {

using std::chrono::seconds;

constexpr seconds kTidy{1}, kSave{10};
// How long the end of the stream waits for confirmations.
constexpr seconds kLastConfirmations{5};
constexpr std::size_t kMostGaps = 1000;
// Strangers can make up cameras, and be turned away, as often as they like.
constexpr double kSenderMessages = 20;

Range range_of(const RecordId &id, std::uint64_t windows) {
  return {id.seq + 1 - std::clamp(windows, std::uint64_t{1}, id.seq + 1), id.seq};
}

}  // namespace

bool Engine::make_receiver_of(const std::string &uri) {
  if (uri.empty()) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("No uri is set: set it to where records come from, as in "
                       "uri=unix:/run/npc/counts.sock."),
                      (nullptr));
    return false;
  }
  try {
    receiver_ = make_receiver(uri);
  } catch (const UriError &error) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS, ("%s", error.what()),
                      ("uri=\"%s\"", redact(uri).c_str()));
    return false;
  }
  Status status;
  try {
    status = receiver_->open();
  } catch (const std::system_error &error) {
    status = Status::failed("The system has no room for it: " + std::string(error.what()) + ".");
  }
  if (status.is_ok())
    return true;
  GST_ELEMENT_ERROR(element_, RESOURCE, OPEN_READ, ("%s", status.error().c_str()),
                    ("uri=\"%s\"", redact(uri).c_str()));
  return false;
}

bool Engine::make_bell() {
  try {
    Lock lock(mutex_);
    if (!bell_)
      bell_ = std::make_unique<Bell>();
    return true;
  } catch (const std::system_error &error) {
    GST_ELEMENT_ERROR(element_, RESOURCE, FAILED,
                      ("There can be no more open files: close some, or raise the limit."),
                      ("%s", error.what()));
    return false;
  }
}

bool Engine::start(const Settings &settings) {
  settings_ = settings;
  queue_.clear();
  last_.reset();
  end_.reset();
  asked_ = confirming_ = changed_ = save_failed_ = flushed_ = false;
  pushed_ = lost_ = 0;
  coverage_ = Coverage();
  in_flight_ = InFlight();
  gap_watch_.clear();
  senders_.clear();
  refusals_.reset();
  const Clock::time_point now = Clock::now();
  sender_messages_.emplace(kSenderMessages, now);
  next_tidy_ = now + kTidy;
  next_save_ = now + kSave;
  {
    Lock lock(mutex_);
    confirmed_.clear();
    stats_ = {};
  }
  if (!make_bell() || !make_receiver_of(settings.uri))
    return false;
  if (!settings.state_file.empty()) {
    const Status loaded = load_coverage(settings.state_file, coverage_);
    if (loaded.is_failed())
      GST_ELEMENT_WARNING(element_, RESOURCE, READ, ("%s", loaded.error().c_str()), (nullptr));
  }
  GST_INFO_OBJECT(element_, "receives from %s", receiver_->origin().c_str());
  return true;
}

void Engine::stop() {
  if (!receiver_)
    return;
  take_confirmations();
  save();
  receiver_->close();
  receiver_.reset();
}

void Engine::interrupt(bool on) {
  interrupted_ = on;
  Lock lock(mutex_);
  if (on && bell_)
    bell_->ring();
}

void Engine::confirm(StoredRecords records) {
  Lock lock(mutex_);
  // One commit of many records that came one by one is one range, also if we are slow.
  StoredRecords *last = confirmed_.empty() ? nullptr : &confirmed_.back();
  if (last != nullptr && last->to + 1 == records.from && last->site == records.site &&
      last->camera == records.camera && last->boot == records.boot)
    last->to = records.to;
  else
    confirmed_.push_back(std::move(records));
  if (bell_)
    bell_->ring();
}

Stats Engine::stats() const {
  Lock lock(mutex_);
  return stats_;
}

void Engine::ask_downstream() {
  GstQuery *query = new_store_query();
  GstPad *pad = gst_element_get_static_pad(element_, "src");
  confirming_ = gst_pad_peer_query(pad, query) != FALSE;
  gst_object_unref(pad);
  gst_query_unref(query);
  asked_ = true;
  GST_INFO_OBJECT(element_, "a record is stored when %s",
                  confirming_ ? "the sink says so" : "it was pushed");
  Lock lock(mutex_);
  stats_.confirming = confirming_;
}

void Engine::note_stored(const RecordId &id, std::uint64_t windows) {
  coverage_.add(id.series, range_of(id, windows));
  // Nobody here can know what is missing.
  if (windows == 0)
    coverage_.give_up({id.series, {0, id.seq}});
  changed_ = true;
}

// The record of the last create() was pushed, or flushed away.
void Engine::settle() {
  if (!last_)
    return;
  Arrival arrival = *std::exchange(last_, std::nullopt);
  const RecordId &id = arrival.id;
  if (flushed_.exchange(false)) {
    in_flight_.take(id.series, {id.seq, id.seq});
    queue_.push_front(std::move(arrival));
    Lock lock(mutex_);
    stats_.received--;
  } else if (!confirming_) {
    note_stored(id, arrival.windows);
    receiver_->stored(id, arrival.ticket);
  }
}

void Engine::take_confirmations() {
  std::vector<StoredRecords> confirmed;
  {
    Lock lock(mutex_);
    confirmed.swap(confirmed_);
  }
  for (const StoredRecords &records : confirmed) {
    const Series series{records.site, records.camera, records.boot};
    const Range range{records.from, records.to};
    coverage_.add(series, range);
    changed_ = true;
    for (const InFlight::Stored &stored : in_flight_.take(series, range)) {
      note_stored(stored.id, stored.windows);
      receiver_->stored(stored.id, stored.ticket);
    }
  }
}

GstFlowReturn Engine::create(GstBuffer **buffer) {
  if (!asked_)
    ask_downstream();
  settle();
  while (true) {
    // Before what it may be rung for.
    bell_->clear();
    if (interrupted_)
      return GST_FLOW_FLUSHING;
    take_confirmations();
    tidy();
    if (hand_on(buffer))
      return GST_FLOW_OK;
    if (is_finished())
      return GST_FLOW_EOS;
    if (const GstFlowReturn result = wait(); result != GST_FLOW_OK)
      return result;
  }
}

GstFlowReturn Engine::wait() {
  if (end_) {
    wait_fd(-1, 0, bell_->get(), std::min(next_tidy_, *end_ + kLastConfirmations));
    return GST_FLOW_OK;
  }
  Reception came;
  const Status status = receiver_->receive(came, bell_->get(), next_tidy_);
  note(came);
  if (!status.is_failed())
    return GST_FLOW_OK;
  GST_ELEMENT_ERROR(element_, RESOURCE, READ, ("%s", status.error().c_str()), (nullptr));
  return GST_FLOW_ERROR;
}

void Engine::note(Reception &came) {
  if (came.refused > 0)
    note_refused(came);
  for (const std::string &reason : came.senders) {
    GST_WARNING_OBJECT(element_, "%s", reason.c_str());
    if (sender_messages_->available(Clock::now()) > 0) {
      sender_messages_->take(1);
      post(structure_of_sender(SenderState::kRefused, {}, reason));
    }
  }
  for (const LinkNews &news : came.news)
    post(structure_of_link(news.connected, news.reason));
  for (const std::string &warning : came.warnings) {
    if (sender_messages_->available(Clock::now()) > 0) {
      sender_messages_->take(1);
      GST_ELEMENT_WARNING(element_, RESOURCE, READ, ("%s", warning.c_str()), (nullptr));
    }
  }
  for (const Gap &gap : came.gaps)
    post(structure_of_gap(gap, false));
  give_up(came.lost);
  for (const Gap &named : came.unavailable)
    give_up(coverage_.missing_of(named));
  if (came.ended && !end_)
    end_ = Clock::now();
  std::ranges::move(came.records, std::back_inserter(queue_));
}

void Engine::note_refused(const Reception &came) {
  guint64 refused;
  {
    Lock lock(mutex_);
    refused = stats_.refused += came.refused;
  }
  GST_DEBUG_OBJECT(element_, "refused: %s", came.reason.c_str());
  if (refusals_.ask())
    GST_ELEMENT_WARNING(element_, STREAM, DECODE,
                        ("A record was refused and not passed on: %s", came.reason.c_str()),
                        ("%" G_GUINT64_FORMAT " records were refused until now", refused));
}

// Whether it is stored, or on its way.
bool Engine::is_duplicate(const Arrival &arrival) {
  if (coverage_.contains(arrival.id)) {
    receiver_->stored(arrival.id, arrival.ticket);
    return true;
  }
  return confirming_ && in_flight_.join(arrival.id, arrival.ticket, Clock::now());
}

void Engine::note_sender(const Arrival &arrival) {
  const Sender sender{arrival.id.series.site, arrival.id.series.camera};
  const Clock::time_point now = Clock::now();
  if (!senders_.note(sender, arrival.interval, now))
    return;
  GST_INFO_OBJECT(element_, "%s/%s sends", sender.site.c_str(), sender.camera.c_str());
  if (sender_messages_->available(now) == 0)
    return;
  sender_messages_->take(1);
  post(structure_of_sender(SenderState::kActive, sender, {}));
}

bool Engine::hand_on(GstBuffer **buffer) {
  while (!queue_.empty()) {
    Arrival arrival = std::move(queue_.front());
    queue_.pop_front();
    note_sender(arrival);
    const bool duplicate = is_duplicate(arrival);
    {
      Lock lock(mutex_);
      stats_.senders = senders_.active();
      stats_.received++;
      stats_.duplicates += duplicate ? 1 : 0;
    }
    if (duplicate)
      continue;
    if (confirming_)
      in_flight_.add(arrival.id, arrival.ticket, Clock::now(), arrival.windows);
    const std::string line = arrival.json + "\n";
    *buffer = gst_buffer_new_memdup(line.data(), line.size());
    GST_BUFFER_OFFSET(*buffer) = pushed_++;
    flushed_ = false;
    last_ = std::move(arrival);
    return true;
  }
  return false;
}

// Whether the end of the stream may follow. What is on its way then is waited for, but not for
// long: it is stored all the same.
bool Engine::is_finished() {
  if (!end_ || (in_flight_.has_any() && Clock::now() < *end_ + kLastConfirmations))
    return false;
  tidy_gaps(std::chrono::nanoseconds(0));
  save();
  return true;
}

void Engine::tidy() {
  const Clock::time_point now = Clock::now();
  if (now < next_tidy_)
    return;
  next_tidy_ = now + kTidy;
  for (const Sender &sender : senders_.silent(now))
    post(structure_of_sender(SenderState::kSilent, sender,
                             "Nothing came from it for longer than its intervals."));
  tidy_gaps(std::chrono::nanoseconds(settings_.gap_timeout));
  if (now >= next_save_)
    save();
}

void Engine::tidy_gaps(std::chrono::nanoseconds patience) {
  if (receiver_->is_one_of_many())
    return;
  const GapWatch::News news =
      gap_watch_.update(coverage_.gaps(kMostGaps), patience, Clock::now(), receiver_->can_ask());
  if (!news.ask.empty())
    receiver_->ask(news.ask);
  for (const Gap &gap : news.found)
    post(structure_of_gap(gap, false));
  give_up(news.old);
  count_gaps();
}

void Engine::give_up(const std::vector<Gap> &gaps) {
  for (const Gap &gap : gaps) {
    if (coverage_.is_given_up(gap))
      continue;
    coverage_.give_up(gap);
    changed_ = true;
    lost_ += gap.range.size();
    count_gaps();
    post(structure_of_gap(gap, true));
  }
}

void Engine::count_gaps() {
  const Coverage::Missing missing = coverage_.missing();
  Lock lock(mutex_);
  stats_.senders = senders_.active();
  stats_.gaps = missing.gaps;
  stats_.missing = missing.records;
  stats_.lost = lost_;
}

void Engine::save() {
  next_save_ = Clock::now() + kSave;
  if (!changed_ || settings_.state_file.empty())
    return;
  const Status saved = save_coverage(settings_.state_file, coverage_);
  // What can be written some day need not be said each time that it cannot.
  if (saved.is_failed() && !save_failed_)
    GST_ELEMENT_WARNING(element_, RESOURCE, WRITE, ("%s", saved.error().c_str()), (nullptr));
  save_failed_ = changed_ = saved.is_failed();
}

void Engine::post(GstStructure *structure) const {
  GST_INFO_OBJECT(element_, "%" GST_PTR_FORMAT, static_cast<void *>(structure));
  gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), structure));
}

}  // namespace npc::source
