// SPDX-License-Identifier: LGPL-2.1-or-later
// What npcsink drives through its states: a store, and the updaters on it.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "gstbase/confirmation.h"
#include "npcsink/dispatcher.h"

namespace npc::sink {

/// What the properties of those names say.
struct SinkSettings {
  std::string updaters;
  std::string store;
  guint64 store_retention = 30 * 24 * 3600 * GST_SECOND;
  guint64 store_size = 256 << 20;

  bool same_store(const SinkSettings &other) const {
    return store == other.store && store_retention == other.store_retention &&
           store_size == other.store_size;
  }
};

/// Store and updaters of one element. They post their news, and why they cannot be made, on its
/// bus. State changes call open() to close(); push(), interrupt() and the stats may be called
/// from any thread.
class SinkEngine {
 public:
  /// `element` outlives it.
  explicit SinkEngine(GstElement *element) : element_(element) {}

  /// NULL to READY. Returns whether it went well.
  bool open(const SinkSettings &settings);
  /// READY to PAUSED. What was set since then holds now.
  bool start(const SinkSettings &settings);
  /// Waits until nothing waits.
  Drained drain(GstClockTime timeout);
  /// PAUSED to READY, also after a start() that failed. Drains first, if `timeout` is not 0.
  void stop(GstClockTime timeout);
  /// READY to NULL.
  void close();

  /// Hands a record over. Waits no longer than Store::push() does.
  void push(Record record);
  /// The updaters may publish that the cameras are gone, until push() is called again.
  void end_stream();
  /// Says upstream what is stored, from now on: somebody wants to know.
  void confirm() { confirming_ = true; }
  /// Ends drain(), now and from now on until `on` is false.
  void interrupt(bool on);

  StoreStats store_stats() const;
  std::vector<UpdaterStats> updater_stats() const;

 private:
  bool make_store(const SinkSettings &settings);
  bool make_dispatcher(const std::string &updaters);
  std::shared_ptr<Store> store() const;
  std::shared_ptr<Dispatcher> dispatcher() const;
  void post(GstStructure *structure, bool good) const;
  void post_stored(const std::vector<std::shared_ptr<const Record>> &records) const;
  void post_stored(const StoredRecords &records) const;

  GstElement *const element_;
  SinkSettings made_of_;  // state changes only
  std::atomic<bool> ended_ = false;
  std::atomic<bool> confirming_ = false;

  mutable Mutex mutex_;
  std::shared_ptr<Store> store_ NPC_GUARDED_BY(mutex_);
  std::shared_ptr<Dispatcher> dispatcher_ NPC_GUARDED_BY(mutex_);
};

}  // namespace npc::sink
