// SPDX-License-Identifier: LGPL-2.1-or-later
// Makes, starts and ends the store and the updaters of an element.
#include "npcsink/engine.h"

#include <gst/base/gstbasesink.h>

#include <algorithm>
#include <utility>

#include "npcsink/messages.h"

GST_DEBUG_CATEGORY_EXTERN(npcsink_debug);
#define GST_CAT_DEFAULT npcsink_debug

namespace npc::sink {
namespace {

constexpr std::uint64_t kMostMemory = 16 << 20;
// How long the way out of PAUSED waits for a slow disk, whatever the updaters do.
constexpr auto kStorePatience = std::chrono::seconds(5);

StoredRecords stored_of(const Record &record) {
  const auto seq = static_cast<guint64>(record.seq);
  return {record.site, record.camera, record.boot, seq, seq};
}

}  // namespace

bool SinkEngine::open(const SinkSettings &settings) {
  return make_store(settings) && make_dispatcher(settings.updaters);
}

bool SinkEngine::start(const SinkSettings &settings) {
  if (!store() || !settings.same_store(made_of_)) {
    // The old one ends first: it may be the same file.
    close();
    if (!open(settings))
      return false;
  } else if ((!dispatcher() || settings.updaters != made_of_.updaters) &&
             !make_dispatcher(settings.updaters)) {
    return false;
  }
  end_stream();
  confirming_ = false;
  try {
    store()->interrupt(false);
    dispatcher()->start();
  } catch (const std::exception &error) {
    GST_ELEMENT_ERROR(element_, RESOURCE, FAILED, ("The updaters cannot start."),
                      ("%s", error.what()));
    return false;
  }
  return true;
}

bool SinkEngine::make_store(const SinkSettings &settings) {
  StoreOptions options;
  options.path = settings.store;
  options.retention = std::chrono::nanoseconds(settings.store_retention);
  options.size = settings.store.empty() ? std::min<std::uint64_t>(settings.store_size, kMostMemory)
                                        : settings.store_size;
  options.memory = kMostMemory;
  options.cache = std::min(options.cache, options.size / 4);
  options.complete = complete_record;
  options.stored = [this](const std::vector<std::shared_ptr<const Record>> &records) {
    if (confirming_)
      post_stored(records);
  };
  std::shared_ptr<Store> made;
  try {
    made = std::make_shared<Store>(std::move(options), [this](const StoreEvent &event) {
      post(structure_of_event(event), event.state == StoreEvent::State::kWriting);
    });
  } catch (const std::exception &error) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS, ("%s", error.what()),
                      ("store=\"%s\"", settings.store.c_str()));
    return false;
  }
  made_of_ = settings;
  const Lock lock(mutex_);
  store_.swap(made);
  return true;
}

bool SinkEngine::make_dispatcher(const std::string &updaters) {
  std::shared_ptr<Dispatcher> made;
  try {
    made = std::make_shared<Dispatcher>(updaters, Registry::standard(), store(), WorkerOptions(),
                                        [this](const UpdaterEvent &event) {
                                          post(structure_of_event(event),
                                               event.state == UpdaterEvent::State::kConnected ||
                                                   event.state == UpdaterEvent::State::kCaughtUp);
                                        });
  } catch (const std::exception &error) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS, ("%s", error.what()),
                      ("updaters=\"%s\"", redact(updaters).c_str()));
    return false;
  }
  if (made->empty() && made_of_.store.empty()) {
    GST_ELEMENT_INFO(element_, RESOURCE, SETTINGS,
                     ("No updater is set, so the records are only checked and go nowhere."),
                     ("set the property updaters, as in updaters=mqtt://127.0.0.1:1883"));
  }
  made_of_.updaters = updaters;
  const Lock lock(mutex_);
  dispatcher_.swap(made);
  return true;
}

Drained SinkEngine::drain(GstClockTime timeout) {
  const Drained drained = dispatcher()->drain(std::chrono::nanoseconds(timeout));
  if (drained == Drained::kTimeout) {
    GST_WARNING_OBJECT(element_, "records still wait after %" GST_TIME_FORMAT,
                       GST_TIME_ARGS(timeout));
  }
  return drained;
}

void SinkEngine::stop(GstClockTime timeout) {
  const auto store = this->store();
  if (!store || !dispatcher())
    return;
  store->interrupt(false);
  if (timeout > 0)
    drain(timeout);
  dispatcher()->stop();
  if (!store->flush(kStorePatience))
    GST_WARNING_OBJECT(element_, "the disk is slow: not everything is stored yet");
}

void SinkEngine::close() {
  std::shared_ptr<Store> store;
  std::shared_ptr<Dispatcher> dispatcher;
  {
    const Lock lock(mutex_);
    store_.swap(store);
    dispatcher_.swap(dispatcher);
  }
  if (!store)
    return;
  const StoreStats stats = store->stats();
  if (dispatcher && stats.path.empty()) {
    for (const UpdaterStats &updater : dispatcher->stats()) {
      if (updater.pending > 0) {
        GST_WARNING_OBJECT(element_,
                           "%" G_GUINT64_FORMAT " records for %s are lost: no store is set",
                           guint64{updater.pending}, updater.updater.c_str());
      }
    }
  }
  if (!stats.writing && stats.unstored > 0) {
    GST_WARNING_OBJECT(
        element_, "%" G_GUINT64_FORMAT " records are not stored: %s", guint64{stats.unstored},
        stats.guarded ? "the next start finds them, unless the machine restarts before"
                      : "they are lost unless the store can be written now");
  }
}

void SinkEngine::end_stream() {
  ended_ = true;
  dispatcher()->set_ended(true);
}

void SinkEngine::push(Record record) {
  if (ended_.exchange(false))
    dispatcher()->set_ended(false);
  const auto store = this->store();
  if (!confirming_)
    return store->push(std::move(record));
  const StoredRecords records = stored_of(record);
  store->push(std::move(record));
  // While the file cannot be written, what the crash journal has is safe.
  const StoreStats stats = store->stats();
  if (!stats.writing && stats.guarded)
    post_stored(records);
}

void SinkEngine::interrupt(bool on) {
  if (const auto store = this->store())
    store->interrupt(on);
}

StoreStats SinkEngine::store_stats() const {
  const auto store = this->store();
  return store ? store->stats() : StoreStats();
}

std::vector<UpdaterStats> SinkEngine::updater_stats() const {
  const auto dispatcher = this->dispatcher();
  return dispatcher ? dispatcher->stats() : std::vector<UpdaterStats>();
}

std::shared_ptr<Store> SinkEngine::store() const {
  const Lock lock(mutex_);
  return store_;
}

std::shared_ptr<Dispatcher> SinkEngine::dispatcher() const {
  const Lock lock(mutex_);
  return dispatcher_;
}

// On the threads of the store and the updaters.
void SinkEngine::post(GstStructure *structure, bool good) const {
  if (good)
    GST_INFO_OBJECT(element_, "%" GST_PTR_FORMAT, static_cast<void *>(structure));
  else
    GST_WARNING_OBJECT(element_, "%" GST_PTR_FORMAT, static_cast<void *>(structure));
  gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), structure));
}

// On the thread of the store. Records that follow one another are one event.
void SinkEngine::post_stored(const std::vector<std::shared_ptr<const Record>> &records) const {
  std::optional<StoredRecords> range;
  for (const auto &record : records) {
    StoredRecords next = stored_of(*record);
    if (range && range->to + 1 == next.from && range->site == next.site &&
        range->camera == next.camera && range->boot == next.boot) {
      range->to = next.to;
      continue;
    }
    if (range)
      post_stored(*range);
    range = std::move(next);
  }
  if (range)
    post_stored(*range);
}

void SinkEngine::post_stored(const StoredRecords &records) const {
  gst_pad_push_event(GST_BASE_SINK_PAD(element_), new_stored_event(records));
}

}  // namespace npc::sink
