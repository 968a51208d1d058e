// SPDX-License-Identifier: LGPL-2.1-or-later
// From records to the level of a line: what is on, for how long, and when it must be off.
#include "npcsink/updaters/gpio/gpio.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/wait.h"
#include "npcsink/updaters/gpio/gpiorule.h"

namespace npc::sink {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kMostLine = 65535;
// A line stays as it is when this many records are missing.
constexpr int kMissedRecords = 2;
constexpr milliseconds kMostInterval{24 * 3600 * 1000};

struct GpioSettings {
  gpio::LineId place;
  std::optional<GpioCondition> on;
  std::optional<GpioCondition> off;
  std::optional<GpioField> events;
  milliseconds pulse{0};
  milliseconds stale{10000};
};

milliseconds milliseconds_of(guint64 number) {
  return milliseconds(std::min<guint64>(number, INT64_MAX / 2));
}

std::optional<std::uint64_t> value_in(const GstNpcCounts &counts, const GpioField &field,
                                      std::string *missing) {
  const auto value = field.in(counts);
  if (!value) {
    *missing = "The record has no " + field.place() + ": name one that npccount has, in the gpio " +
               "updater's on and off.";
  }
  return value;
}

class GpioUpdater : public Updater {
 public:
  GpioUpdater(GpioSettings settings, GpioOpener open, GpioClock clock)
      : settings_(std::move(settings)), open_(std::move(open)), clock_(std::move(clock)) {}

  std::string target() const override;
  Status connect(const UpdaterContext &context, std::stop_token stop) override;
  DeliveryResult deliver(std::span<const Record> records, const UpdaterContext &context,
                         std::stop_token stop) override;
  bool live_only() const override { return true; }
  Status idle(const UpdaterContext &context, std::stop_token stop) override;
  void close() noexcept override;

 private:
  bool is_fresh(const GstNpcCounts &counts) const;
  std::optional<bool> wanted(const GstNpcCounts &counts, bool now, std::string *missing) const;
  void follow(const GstNpcCounts &counts, bool *active, std::string *missing);
  Status play(const GstNpcCounts &counts, std::string *missing, const std::stop_token &stop);
  Status set(bool active);

  const GpioSettings settings_;
  const GpioOpener open_;
  const GpioClock clock_;
  std::unique_ptr<gpio::Output> line_;
  bool active_ = false;
  milliseconds valid_until_{0};
};

std::string GpioUpdater::target() const {
  std::string_view chip = settings_.place.chip;
  if (chip.starts_with("/dev/"))
    chip.remove_prefix(5);
  return "gpio:" + std::string(chip) + "/" + std::to_string(settings_.place.line);
}

Status GpioUpdater::connect(const UpdaterContext &, std::stop_token) {
  close();
  active_ = false;
  return open_(settings_.place, &line_);
}

DeliveryResult GpioUpdater::deliver(std::span<const Record> records, const UpdaterContext &,
                                    std::stop_token stop) {
  DeliveryResult outcome;
  bool active = active_;
  for (const Record &record : records) {
    if (stop.stop_requested()) {
      outcome.status = Status::stopped();
      return outcome;
    }
    const GstNpcCounts &counts = *record.counts;
    std::string missing;
    if (is_fresh(counts) && settings_.events)
      outcome.status = play(counts, &missing, stop);
    else if (is_fresh(counts))
      follow(counts, &active, &missing);
    if (!outcome.status.is_ok())
      return outcome;
    if (!missing.empty())
      outcome.refused.push_back({outcome.confirmed, missing});
    outcome.confirmed++;
  }
  if (settings_.events)
    return outcome;
  // Once for all of them: a backlog must not make a lamp flicker.
  Status status = set(active && clock_() < valid_until_);
  if (status.is_ok())
    return outcome;
  // The line that comes after this one must be given them again.
  return {0, std::move(status)};
}

// Counts of a camera that sees nothing, or of another time, say nothing about now.
bool GpioUpdater::is_fresh(const GstNpcCounts &counts) const {
  const milliseconds age = clock_() - milliseconds_of(counts.time);
  return std::chrono::abs(age) <= settings_.stale &&
         (counts.flags & GST_NPC_COUNTS_FLAG_STALLED) == 0;
}

void GpioUpdater::follow(const GstNpcCounts &counts, bool *active, std::string *missing) {
  const auto wish = wanted(counts, *active, missing);
  *active = wish.value_or(false);
  const milliseconds interval = std::min(milliseconds_of(counts.interval), kMostInterval);
  valid_until_ = clock_() + settings_.stale + kMissedRecords * interval;
}

std::optional<bool> GpioUpdater::wanted(const GstNpcCounts &counts, bool now,
                                        std::string *missing) const {
  const auto check = [&](const GpioCondition &condition) -> std::optional<bool> {
    const auto value = value_in(counts, condition.field(), missing);
    return value ? std::optional<bool>(condition.holds(*value)) : std::nullopt;
  };
  const auto on = check(*settings_.on);
  if (!on || *on || !settings_.off)
    return on;
  const auto off = check(*settings_.off);
  if (!off)
    return {};
  return !*off && now;
}

Status GpioUpdater::play(const GstNpcCounts &counts, std::string *missing,
                         const std::stop_token &stop) {
  const auto events = value_in(counts, *settings_.events, missing);
  if (!events)
    return {};
  // What is left when the record has become stale is not played: a crowd must not be heard for
  // minutes after it has gone.
  for (std::uint64_t i = 0; i < *events && is_fresh(counts); i++) {
    for (const bool active : {true, false}) {
      if (Status status = set(active); !status.is_ok())
        return status;
      sleep_for(settings_.pulse, stop);
    }
    if (stop.stop_requested())
      return Status::stopped();
  }
  return {};
}

Status GpioUpdater::set(bool active) {
  if (active == active_)
    return {};
  Status status = line_->set(active);
  if (status.is_ok())
    active_ = active;
  else
    line_.reset();
  return status;
}

Status GpioUpdater::idle(const UpdaterContext &, std::stop_token) {
  return active_ && clock_() >= valid_until_ ? set(false) : Status();
}

void GpioUpdater::close() noexcept {
  if (!line_)
    return;
  try {
    static_cast<void>(line_->set(false));
  } catch (const std::exception &) {
    // Out of memory for a sentence that nobody would read.
  }
  line_.reset();
}

milliseconds duration(const Uri &uri, const std::string &name, const char *otherwise,
                      milliseconds least, milliseconds most, const char *range) {
  const std::string text = uri.parameter(name, otherwise);
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const milliseconds value = unit == "ms" ? milliseconds(number) : milliseconds(seconds(number));
  if (error != std::errc() || (unit != "ms" && unit != "s") || value < least || value > most)
    throw UriError(uri.text, name + " must be a time " + range);
  return value;
}

gpio::LineId read_place(const Uri &uri) {
  constexpr const char *kExample = "write gpio:gpiochip0/17?on=people>=10";
  if (uri.has_authority)
    throw UriError(uri.text, std::string("a GPIO chip is no host; ") + kExample);
  const auto slash = uri.path.rfind('/');
  gpio::LineId place;
  if (slash == uri.path.npos || slash == 0)
    throw UriError(uri.text, std::string("it must name a chip and a line; ") + kExample);
  place.chip = uri.path.substr(0, slash);
  const std::string line = uri.path.substr(slash + 1);
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), place.line);
  if (error != std::errc() || end != line.data() + line.size() || place.line > kMostLine)
    throw UriError(uri.text, "the line must be a number from 0 on, its offset on the chip");
  const std::string active = uri.parameter("active", "high");
  if (active != "high" && active != "low")
    throw UriError(uri.text, "active must be high or low");
  place.active_low = active == "low";
  return place;
}

template <typename T>
T read(const Uri &uri, const std::string &name) {
  try {
    return T(uri.parameter(name, ""));
  } catch (const std::invalid_argument &error) {
    throw UriError(uri.text, "of " + name + "=" + uri.parameter(name, "") + ": " + error.what());
  }
}

void read_conditions(const Uri &uri, GpioSettings &settings) {
  settings.on = read<GpioCondition>(uri, "on");
  if (!uri.parameters.contains("off"))
    return;
  settings.off = read<GpioCondition>(uri, "off");
  if (const auto both = settings.on->common(*settings.off)) {
    throw UriError(uri.text,
                   "on and off must not both hold, as they do for " + std::to_string(*both));
  }
}

void read_events(const Uri &uri, GpioSettings &settings) {
  if (uri.parameters.contains("off"))
    throw UriError(uri.text, "a pulse ends by itself; leave off out");
  if (uri.parameter("on", "").find_first_of("<>=!") == std::string::npos)
    settings.events = read<GpioField>(uri, "on");
  if (!settings.events || !settings.events->counts_events()) {
    throw UriError(uri.text,
                   "a pulse is for each crossing or entry; write on=line.<name>.in, "
                   "on=line.<name>.out or on=zone.<name>.entered, without a comparison");
  }
  settings.pulse = duration(uri, "pulse", "", milliseconds(10), seconds(10), "from 10ms to 10s");
}

}  // namespace

std::unique_ptr<Updater> make_gpio_updater(const Uri &uri) {
  const GpioOpener open = [](const gpio::LineId &place, std::unique_ptr<gpio::Output> *line) {
    return gpio::open_output(place, "npcsink", false, line);
  };
  return make_gpio_updater(uri, open, [] {
    return std::chrono::duration_cast<milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
  });
}

std::unique_ptr<Updater> make_gpio_updater(const Uri &uri, GpioOpener open, GpioClock clock) {
  uri.allow_parameters({"active", "off", "on", "pulse", "stale"});
  GpioSettings settings;
  settings.place = read_place(uri);
  if (!uri.parameters.contains("on"))
    throw UriError(uri.text, "on is missing; write what makes the line active, as on=people>=10");
  if (uri.parameters.contains("pulse"))
    read_events(uri, settings);
  else
    read_conditions(uri, settings);
  settings.stale = duration(uri, "stale", "10s", seconds(1), seconds(3600), "from 1s to 3600s");
  return std::make_unique<GpioUpdater>(std::move(settings), std::move(open), std::move(clock));
}

}  // namespace npc::sink
