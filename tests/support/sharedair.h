// SPDX-License-Identifier: LGPL-2.1-or-later
// Models of LoRa chips that are used on several threads, in one simulated time.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "support/lorachips.h"
#include "transport/lora/chips/boards.h"

namespace npc::test {

/// The time goes on when all who use the air wait for it. Somebody who is busy elsewhere holds it
/// up for a moment only: so no two threads miss each other, and none hangs.
class SharedAir {
 public:
  /// The one that is there while it is: what open_spi_bus() of these tests opens is in it.
  SharedAir();
  ~SharedAir();
  SharedAir(const SharedAir &) = delete;
  SharedAir &operator=(const SharedAir &) = delete;
  static SharedAir *current();

  /// The bus to a new chip of a kind.
  std::unique_ptr<Bus> join(Board::Chip kind);
  void set_faults(const AirFaults &faults);
  /// No chip answers any more, or they do again.
  void cut(bool is_cut);
  /// Waits as those who use a chip do.
  void pause(Time time);
  Time now();
  std::chrono::milliseconds utc();
  int lost();

 private:
  friend class SharedBus;
  struct User {
    ChipModel *chip = nullptr;
    int wake = -1;
    bool waits = false;
    Time until{0};
  };
  using Users = std::list<User>;

  Users::iterator enter(ChipModel *chip);
  void leave(Users::iterator user);
  void wait(Users::iterator user, Time until, int wake);
  bool is_due(const User &user) const;
  void go_on(Time most);

  std::mutex mutex_;
  std::condition_variable changed_;
  ChipAir air_;
  BusFaults bus_faults_;
  std::list<std::unique_ptr<ChipModel>> chips_;  // those that are gone stay silent
  Users users_;
};

}  // namespace npc::test
