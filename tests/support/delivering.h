// SPDX-License-Identifier: LGPL-2.1-or-later
// Worker and delivery of npcsink on a store in memory, with updaters that fail on purpose.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "npcsink/dispatcher.h"
#include "support/fakeupdater.h"
#include "support/numbered.h"

namespace npc::test {

using sink::Dispatcher;
using sink::Registry;
using sink::Store;
using sink::StoreEvent;
using sink::StoreOptions;
using sink::UpdaterEvent;
using sink::UpdaterStats;
using sink::WorkerOptions;

class Updaters : public testing::Test {
 protected:
  Updaters() {
    registry_.add("one",
                  [this](const Uri &uri) { return std::make_unique<FakeUpdater>(uri.path, one_); });
    registry_.add("two",
                  [this](const Uri &uri) { return std::make_unique<FakeUpdater>(uri.path, two_); });
    options_.retry_first = std::chrono::milliseconds(1);
    options_.retry_last = std::chrono::milliseconds(4);
    options_.idle = std::chrono::milliseconds(1);
  }

  void make(const std::string &updaters) {
    if (!store_)
      store_ = std::make_shared<Store>(store_options_, [](const StoreEvent &) {});
    delivery_ = std::make_unique<Dispatcher>(updaters, registry_, store_, options_,
                                             [this](const UpdaterEvent &event) {
                                               std::lock_guard lock(mutex_);
                                               events_.push_back(event);
                                             });
  }

  void push(int from, int to) {
    for (int i = from; i < to; i++)
      store_->push(numbered(i));
  }

  UpdaterStats stats(std::size_t index = 0) { return delivery_->stats().at(index); }

  std::vector<UpdaterEvent> events() {
    std::lock_guard lock(mutex_);
    return events_;
  }

  static std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> texts;
    for (int i = from; i < to; i++)
      texts.push_back(numbered(i).json);
    return texts;
  }

  Script one_, two_;
  Registry registry_;
  WorkerOptions options_;
  StoreOptions store_options_;
  std::mutex mutex_;
  std::vector<UpdaterEvent> events_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<Dispatcher> delivery_;
};

}  // namespace npc::test
