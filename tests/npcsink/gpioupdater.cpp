// SPDX-License-Identifier: LGPL-2.1-or-later
// The gpio updater's logic, with a line that remembers what it was set to.
#include "npcsink/updaters/gpio/gpio.h"

#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/numbered.h"
#include "support/waiting.h"

namespace {

using npc::Status;
using npc::gpio::LineId;
using npc::gpio::Output;
using npc::sink::DeliveryResult;
using npc::sink::Record;
using npc::test::eventually;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kNow{1767225600000};

// What happened to the line, as in "open +- close".
struct Log {
  std::mutex mutex;
  std::string text;
  std::string failure;  // of the next open or set
  LineId place;

  bool fails() const { return !failure.empty(); }
  void add(const std::string &part) {
    std::lock_guard lock(mutex);
    text += part;
  }
  std::string read() {
    std::lock_guard lock(mutex);
    return text;
  }
};

class FakeLine : public Output {
 public:
  explicit FakeLine(Log &log) : log_(log) {}
  ~FakeLine() override { log_.add(" close"); }
  Status set(bool active) override {
    log_.add(active ? "+" : "-");
    return log_.fails() ? Status::failed(std::exchange(log_.failure, {})) : Status();
  }

 private:
  Log &log_;
};

struct Numbers {
  std::string rest = R"("people":0)";
  milliseconds time = kNow;
  std::string flags = "";
};

Record record(const Numbers &numbers) {
  return npc::test::record_of("\"time\":" + std::to_string(numbers.time.count()) +
                              ",\"interval\":2000," + numbers.rest + ",\"flags\":[" +
                              numbers.flags + "]");
}

Record people(int count, milliseconds time = kNow) {
  return record({R"("people":)" + std::to_string(count), time});
}

Record crossings(int count, milliseconds time = kNow) {
  return record({R"("people":0,"lines":{"door":{"in":)" + std::to_string(count) + "}}", time});
}

class Gpio : public testing::Test {
 protected:
  void make(const std::string &uri) {
    updater_ = npc::sink::make_gpio_updater(
        npc::parse_uri(uri),
        [this](const LineId &place, std::unique_ptr<Output> *line) {
          log_.place = place;
          if (log_.fails())
            return Status::failed(std::exchange(log_.failure, {}));
          log_.add("open ");
          *line = std::make_unique<FakeLine>(log_);
          return Status();
        },
        [this] { return now_.load(); });
    EXPECT_TRUE(updater_->live_only());
  }
  void open(const std::string &uri) {
    make(uri);
    ASSERT_EQ(updater_->connect({}, {}).error(), "");
    log_.text.clear();
  }
  DeliveryResult deliver(const std::vector<Record> &records) {
    const DeliveryResult outcome = updater_->deliver(records, {}, {});
    EXPECT_EQ(outcome.status.error(), "");
    EXPECT_EQ(outcome.confirmed, records.size());
    return outcome;
  }
  // What a series of records, delivered one by one, does to the line.
  std::string after(const std::vector<Record> &records) {
    log_.text.clear();
    for (const Record &one : records) {
      deliver({one});
      log_.add(".");
    }
    return log_.text;
  }

  Log log_;
  std::atomic<milliseconds> now_ = kNow;
  std::unique_ptr<npc::sink::Updater> updater_;
};

TEST_F(Gpio, FollowsACondition) {
  open("gpio:gpiochip0/17?on=people>=3");
  EXPECT_EQ(after({people(2), people(3), people(9), people(2), people(2), people(4)}),
            "."
            "+."
            "."
            "-."
            "."
            "+.");
}

TEST_F(Gpio, HasAHysteresis) {
  open("gpio:gpiochip0/17?on=people>=10&off=people<8");
  EXPECT_EQ(after({people(9), people(10), people(9), people(8), people(7), people(9), people(11)}),
            "."
            "+."
            "."
            "."
            "-."
            "."
            "+.");
}

TEST_F(Gpio, TakesTwoFieldsForOnAndOff) {
  open("gpio:gpiochip0/17?on=zone.queue.people>=4&off=line.exit.out>0");
  const auto both = [](int queue, int out) {
    return record({R"("people":0,"zones":{"queue":{"people":)" + std::to_string(queue) +
                   R"(}},"lines":{"exit":{"out":)" + std::to_string(out) + "}}"});
  };
  EXPECT_EQ(after({both(4, 0), both(0, 0), both(0, 1), both(5, 1)}),
            "+."
            "."
            "-."
            "+.");
}

TEST_F(Gpio, ReadsEachField) {
  const Record full =
      record({R"("people":1,"people_max":2,"moving":3,"faces":4,"objects":{"car":5},)"
              R"("lines":{"door":{"in":6,"out":7,"in_total":8,"out_total":9}},)"
              R"("zones":{"queue":{"people":10,"people_max":11,"entered":12,"dwell":13}})"});
  int number = 1;
  for (const char *field :
       {"people", "people_max", "moving", "faces", "object.car", "line.door.in", "line.door.out",
        "line.door.in_total", "line.door.out_total", "zone.queue.people", "zone.queue.people_max",
        "zone.queue.entered", "zone.queue.dwell"}) {
    const std::string uri = "gpio:gpiochip0/17?on=" + std::string(field);
    open(uri + "=" + std::to_string(number));
    EXPECT_EQ(after({full}), "+.") << field;
    open(uri + "!=" + std::to_string(number));
    EXPECT_EQ(after({full}), ".") << field;
    open(uri + "<=" + std::to_string(number));
    EXPECT_EQ(after({full}), "+.") << field;
    open(uri + "<" + std::to_string(number));
    EXPECT_EQ(after({full}), ".") << field;
    open(uri + "%3E" + std::to_string(number));
    EXPECT_EQ(after({full}), ".") << field;
    number++;
  }
  // A class that nobody saw.
  open("gpio:gpiochip0/17?on=object.bird=0");
  EXPECT_EQ(after({full}), "+.");
}

TEST_F(Gpio, SaysWhatARecordDoesNotHave) {
  open("gpio:gpiochip0/17?on=zone.queue.people>0");
  const Record queue = record({R"("people":0,"zones":{"queue":{"people":1}})"});
  EXPECT_EQ(after({queue}), "+.");
  const DeliveryResult outcome = deliver({people(1)});
  ASSERT_EQ(outcome.refused.size(), 1u);
  EXPECT_EQ(outcome.refused[0].error,
            "The record has no zone \"queue\": name one that npccount has, in the gpio updater's "
            "on and off.");
  EXPECT_EQ(log_.text, "+.-");  // The safe side.
}

TEST_F(Gpio, DoesNotFlickerThroughABacklog) {
  open("gpio:gpiochip0/17?on=people>0");
  deliver({people(1), people(0), people(1), people(0), people(1)});
  EXPECT_EQ(log_.text, "+");
}

TEST_F(Gpio, IsNotSwitchedByOldOrStalledRecords) {
  open("gpio:gpiochip0/17?on=people>0");
  EXPECT_EQ(after({people(1, kNow - milliseconds(10001)), people(1, kNow + milliseconds(10001)),
                   record({R"("people":1)", kNow, R"("stalled")"})}),
            "...");
  EXPECT_EQ(after({people(1, kNow - seconds(10)), people(0, kNow - seconds(11))}), "+..");
  open("gpio:gpiochip0/17?on=people>0&stale=60s");
  EXPECT_EQ(after({people(1, kNow - seconds(60))}), "+.");
}

TEST_F(Gpio, IsSafeWhenNoRecordsCome) {
  open("gpio:gpiochip0/17?on=people>0");
  EXPECT_EQ(after({people(1)}), "+.");
  // Two intervals of 2 s and what is stale.
  now_ = kNow + milliseconds(13999);
  EXPECT_EQ(updater_->idle({}, {}).error(), "");
  EXPECT_EQ(log_.read(), "+.");
  now_ = kNow + seconds(14);
  EXPECT_EQ(updater_->idle({}, {}).error(), "");
  EXPECT_EQ(updater_->idle({}, {}).error(), "");
  EXPECT_EQ(log_.read(), "+.-");
  EXPECT_EQ(after({people(1, kNow + seconds(14))}), "+.");
  // Nor when only stalled ones come.
  now_ = kNow + seconds(40);
  EXPECT_EQ(after({record({R"("people":1)", kNow + seconds(40), R"("stalled")"})}), "-.");
}

TEST_F(Gpio, IsSafeWhenItStops) {
  open("gpio:gpiochip0/17?on=people>0");
  EXPECT_EQ(after({people(1)}), "+.");
  updater_->close();
  EXPECT_EQ(log_.read(), "+.- close");
  updater_->close();
  EXPECT_EQ(log_.read(), "+.- close");
  // And on again with the next record after that.
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  EXPECT_EQ(after({people(1)}), "+.");
}

TEST_F(Gpio, SaysWhyItFails) {
  make("gpio:gpiochip0/17?on=people>0&active=low");
  log_.failure = "There is no chip.";
  EXPECT_EQ(updater_->connect({}, {}).error(), "There is no chip.");
  EXPECT_EQ(updater_->connect({}, {}).error(), "");
  EXPECT_EQ(log_.place.chip, "gpiochip0");
  EXPECT_EQ(log_.place.line, 17u);
  EXPECT_TRUE(log_.place.active_low);
  log_.failure = "It was pulled out.";
  const DeliveryResult outcome = updater_->deliver(std::vector<Record>{people(1)}, {}, {});
  EXPECT_EQ(outcome.status.error(), "It was pulled out.");
  EXPECT_EQ(log_.read(), "open + close");
}

TEST_F(Gpio, TriesTheRecordAgainThatCouldNotBeSet) {
  open("gpio:gpiochip0/17?on=zone.queue.people>0");
  const Record queue = record({R"("people":0,"zones":{"queue":{"people":1}})"});
  log_.failure = "It was pulled out.";
  const std::vector<Record> records = {people(1), queue};
  DeliveryResult outcome = updater_->deliver(records, {}, {});
  EXPECT_EQ(outcome.status.error(), "It was pulled out.");
  EXPECT_EQ(outcome.confirmed, 0u);
  EXPECT_TRUE(outcome.refused.empty());
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  outcome = deliver(records);
  EXPECT_EQ(outcome.refused.size(), 1u);
  EXPECT_TRUE(log_.read().ends_with("open +")) << log_.read();
}

TEST_F(Gpio, GivesOnePulseForEachCrossing) {
  open("gpio:gpiochip0/17?on=line.door.in&pulse=10ms");
  EXPECT_EQ(after({crossings(0), crossings(3), crossings(1)}),
            "."
            "+-+-+-."
            "+-.");
  open("gpio:gpiochip0/17?on=zone.queue.entered&pulse=10ms");
  EXPECT_EQ(after({record({R"("people":0,"zones":{"queue":{"entered":2}})"})}), "+-+-.");
}

TEST_F(Gpio, PlaysNoPulsesOfABacklog) {
  open("gpio:gpiochip0/17?on=line.door.in&pulse=10ms");
  std::vector<Record> backlog;
  for (int age = 1000; age >= 0; age--)
    backlog.push_back(crossings(5, kNow - seconds(age)));
  deliver(backlog);
  // Those of the last 10 s, and of now.
  std::string pulses;
  for (int i = 0; i < 11 * 5; i++)
    pulses += "+-";
  EXPECT_EQ(log_.read(), pulses);
}

TEST_F(Gpio, EndsPulsesThatTakeTooLong) {
  open("gpio:gpiochip0/17?on=line.door.in&pulse=10ms");
  std::jthread delivering([&] { deliver({crossings(1000000)}); });
  ASSERT_TRUE(eventually([&] { return log_.read().size() > 3; }));
  now_ = kNow + seconds(11);
  delivering.join();
  EXPECT_TRUE(log_.read().ends_with("+-"));
}

TEST_F(Gpio, EndsAPulseWhenItStops) {
  open("gpio:gpiochip0/17?on=line.door.in&pulse=10s");
  DeliveryResult outcome;
  {
    std::jthread delivering([&](std::stop_token stop) {
      outcome = updater_->deliver(std::vector<Record>{crossings(1000)}, {}, stop);
    });
    ASSERT_TRUE(eventually([&] { return log_.read() == "+"; }));
  }
  EXPECT_EQ(log_.read(), "+-");
  EXPECT_EQ(outcome.confirmed, 0u);
  EXPECT_TRUE(outcome.status.is_stopped());
}

// The real libgpiod: there is no such chip on any machine, and here perhaps none at all.
TEST(GpioLines, ThatAreNotThereAreSaid) {
  std::unique_ptr<Output> line;
  EXPECT_EQ(npc::gpio::open_output({"no-such-chip", 3, false}, "test", false, &line).error(),
            "There is no GPIO chip \"no-such-chip\": gpiodetect lists the chips, each "
            "with name and label.");
  for (const char *path : {"/dev/no-such-chip", "/dev/null"}) {
    EXPECT_EQ(npc::gpio::open_output({path, 3, false}, "test", false, &line).error(),
              "There is no GPIO chip \"" + std::string(path) +
                  "\": gpiodetect lists the chips, each with name and label.");
  }
  std::unique_ptr<npc::gpio::Input> input;
  EXPECT_EQ(npc::gpio::open_input({"no-such-chip", 3, false}, "test", &input).error(),
            "There is no GPIO chip \"no-such-chip\": gpiodetect lists the chips, each "
            "with name and label.");
}

TEST(GpioSentences, SayWhatToDo) {
  const LineId place{"gpiochip0", 17, false};
  EXPECT_EQ(npc::gpio::cannot_open_chip(place, EACCES),
            "The GPIO chip \"gpiochip0\" may not be opened: add the user to the group gpio.");
  EXPECT_EQ(npc::gpio::no_such_line(place, 8),
            "There is no line 17 of the GPIO chip \"gpiochip0\": it has 8 lines, from 0 on; "
            "gpioinfo lists them.");
  EXPECT_EQ(npc::gpio::cannot_take_line(place, "an output", EBUSY, "led"),
            "Line 17 of the GPIO chip \"gpiochip0\" is in use by \"led\": gpioinfo lists who uses "
            "what.");
  EXPECT_EQ(npc::gpio::cannot_take_line(place, "an output", EINVAL, nullptr),
            "Line 17 of the GPIO chip \"gpiochip0\" cannot be an output: Invalid argument.");
  EXPECT_EQ(npc::gpio::cannot_set_line(place, ENODEV),
            "Line 17 of the GPIO chip \"gpiochip0\" cannot be set: No such device.");
  EXPECT_EQ(npc::gpio::cannot_read_line(place, ENODEV),
            "Line 17 of the GPIO chip \"gpiochip0\" cannot be read: No such device.");
}

}  // namespace
