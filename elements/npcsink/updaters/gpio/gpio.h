// SPDX-License-Identifier: LGPL-2.1-or-later
// The gpio updater: an output line that follows the counts.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/uri.h"
#include "npcsink/updaters/updater.h"
#include "transport/gpio/line.h"

namespace npc::sink {

/// `gpio:chip/line?on=people>=10&off=people<8`, with the name, label or path of the chip.
///
/// - `on`: a condition (gpiorule.h) that makes the line active
/// - `off`: one that makes it inactive; without it the line is inactive whenever `on` does not hold
/// - `pulse`: 10ms to 10s; `on` is then a number of events, such as `line.door.in`, each of which
///   makes the line active for that long
/// - `active`: `high`, the default, or `low`
/// - `stale`: 1s to 3600s, default 10s; records whose time is further from now do nothing
std::unique_ptr<Updater> make_gpio_updater(const Uri &uri);

using GpioOpener = std::function<Status(const gpio::LineId &, std::unique_ptr<gpio::Output> *)>;
/// Milliseconds since 1970, UTC.
using GpioClock = std::function<std::chrono::milliseconds()>;

/// The same with another line and another clock.
std::unique_ptr<Updater> make_gpio_updater(const Uri &uri, GpioOpener open, GpioClock clock);

}  // namespace npc::sink
