// SPDX-License-Identifier: LGPL-2.1-or-later
// Models of LoRa chips that are used on several threads, in one simulated time. This open_spi_bus()
// takes the place of that of spibus.cpp in the programs that it is linked into.
#include "support/sharedair.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "support/remotebus.h"
#include "transport/lora/chips/spibus.h"

namespace npc::test {
namespace {

using namespace std::chrono_literals;

constexpr Time kStep = 1ms;
// For each moment that somebody is busy elsewhere.
constexpr std::chrono::milliseconds kMoment{2};
constexpr Time kCreep = 100ms;

std::atomic<SharedAir *> current_air = nullptr;

bool is_readable(int file) {
  pollfd one = {file, POLLIN, 0};
  return file >= 0 && poll(&one, 1, 0) > 0;
}

}  // namespace

/// The bus to one of its chips.
class SharedBus final : public Bus {
 public:
  SharedBus(SharedAir &air, ChipModel &chip)
      : air_(air), user_(air.enter(&chip)), bus_(air.air_, chip, air.bus_faults_) {}
  ~SharedBus() override {
    (void)set_reset(true);
    air_.leave(user_);
  }

  std::string name() const override { return bus_.name(); }
  Status transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) override {
    std::lock_guard lock(air_.mutex_);
    return bus_.transfer(out, in);
  }
  Status set_reset(bool active) override {
    std::lock_guard lock(air_.mutex_);
    return bus_.set_reset(active);
  }
  Status read_busy(bool *is_busy) override {
    std::lock_guard lock(air_.mutex_);
    return bus_.read_busy(is_busy);
  }
  Status read_interrupt(bool *active) override {
    std::lock_guard lock(air_.mutex_);
    return bus_.read_interrupt(active);
  }
  bool wait_interrupt(Time most, int wake) override {
    if (is_readable(wake))
      return false;
    air_.wait(user_, now() + most, wake);
    return !is_readable(wake);
  }
  Status set_sending(bool sending) override {
    std::lock_guard lock(air_.mutex_);
    return bus_.set_sending(sending);
  }
  Time now() const override { return air_.now(); }
  std::chrono::milliseconds utc() const override { return air_.utc(); }
  // Until the time is over, whatever the line says.
  void sleep(Time time) override {
    std::lock_guard lock(air_.mutex_);
    bus_.sleep(time);
  }

 private:
  SharedAir &air_;
  const SharedAir::Users::iterator user_;
  ModelBus bus_;
};

SharedAir::SharedAir() {
  current_air = this;
}

SharedAir::~SharedAir() {
  current_air = nullptr;
}

SharedAir *SharedAir::current() {
  return current_air;
}

std::unique_ptr<Bus> SharedAir::join(Board::Chip kind) {
  ChipModel *chip = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (kind == Board::Chip::kSx1276)
      chips_.push_back(std::make_unique<Sx1276Model>(air_));
    else
      chips_.push_back(std::make_unique<Sx1262Model>(air_));
    chip = chips_.back().get();
  }
  return std::make_unique<SharedBus>(*this, *chip);
}

void SharedAir::set_faults(const AirFaults &faults) {
  std::lock_guard lock(mutex_);
  air_.faults = faults;
}

void SharedAir::cut(bool is_cut) {
  std::lock_guard lock(mutex_);
  bus_faults_.answers_zeros = is_cut;
}

Time SharedAir::now() {
  std::lock_guard lock(mutex_);
  return air_.now;
}

std::chrono::milliseconds SharedAir::utc() {
  return kUtcAtStart + std::chrono::duration_cast<std::chrono::milliseconds>(now());
}

int SharedAir::lost() {
  std::lock_guard lock(mutex_);
  return air_.lost;
}

SharedAir::Users::iterator SharedAir::enter(ChipModel *chip) {
  std::lock_guard lock(mutex_);
  return users_.insert(users_.end(), {chip, -1, false, Time(0)});
}

void SharedAir::leave(Users::iterator user) {
  std::lock_guard lock(mutex_);
  users_.erase(user);
  changed_.notify_all();
}

bool SharedAir::is_due(const User &user) const {
  return air_.now >= user.until || (user.chip != nullptr && user.chip->interrupt());
}

// Until somebody has to do something.
void SharedAir::go_on(Time most) {
  const Time until = air_.now + most;
  for (bool is_over = false; !is_over;) {
    Time step = kStep;
    for (const User &user : users_) {
      if (user.waits)
        step = std::min(step, user.until - air_.now);
    }
    air_.advance(std::max(step, Time(1)));
    is_over = air_.now >= until;
    for (User &user : users_) {
      if (user.waits && is_due(user)) {
        user.waits = false;
        is_over = true;
      }
    }
  }
  for (User &user : users_)
    user.waits = user.waits && !is_readable(user.wake);
  changed_.notify_all();
}

void SharedAir::wait(Users::iterator user, Time until, int wake) {
  std::unique_lock lock(mutex_);
  user->until = until;
  user->wake = wake;
  user->waits = !is_due(*user) && !is_readable(wake);
  while (user->waits) {
    if (std::all_of(users_.begin(), users_.end(), [](const User &each) { return each.waits; }))
      go_on(kStep * 1000);
    else if (changed_.wait_for(lock, kMoment) == std::cv_status::timeout && user->waits)
      go_on(kCreep);
  }
}

void SharedAir::pause(Time time) {
  const auto user = enter(nullptr);
  wait(user, now() + time, -1);
  leave(user);
}

}  // namespace npc::test

npc::Status npc::lora::open_spi_bus(const std::string &path, const std::string &,
                                    const BoardPins &pins, std::unique_ptr<Bus> *bus) {
  if (const char *socket = std::getenv("NPC_LORA_BUS")) {
    *bus = test::make_remote_bus(std::stoi(socket));
    return {};
  }
  test::SharedAir *air = test::SharedAir::current();
  if (air == nullptr)
    return Status::failed("There is no air for " + path + ".");
  *bus = air->join(pins.busy ? Board::Chip::kSx1262 : Board::Chip::kSx1276);
  return {};
}
