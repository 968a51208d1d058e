// SPDX-License-Identifier: LGPL-2.1-or-later
// The camera's side: blocks, hellos, acks. See schedule.cpp for when.
#include "transport/lora/sender/sender.h"

#include <algorithm>

namespace npc::lora {
namespace {

// Old boots' blocks are sent again when acks come, but none for them, for so long.
constexpr Time kOldBootWait = std::chrono::seconds(60);
constexpr std::uint64_t kFirstHelloStep = 2;
// In a block, to begin with.
constexpr int kMostWindows = 16 << 10;

std::vector<LineTotals> totals_before(const Block &block) {
  std::vector<LineTotals> totals;
  for (const LineCounts &line : block.lines)
    totals.push_back({static_cast<std::uint32_t>(line.in_total - line.in),
                      static_cast<std::uint32_t>(line.out_total - line.out)});
  return totals;
}

/// Whether totals were set back between two windows that follow one another.
bool were_reset(const std::vector<LineCounts> &before, const Block &window) {
  for (std::size_t i = 0; i < std::min(before.size(), window.lines.size()); ++i) {
    const LineCounts &line = window.lines[i];
    if (line.in_total - line.in < before[i].in_total ||
        line.out_total - line.out < before[i].out_total)
      return true;
  }
  return false;
}

std::size_t lines_that_fit(const SenderSettings &settings) {
  const std::size_t history = 3 * settings.history;
  const std::size_t room = kMostBytes - std::min(counts_frame_bytes(0, 0) + history, kMostBytes);
  return std::min({settings.lines, kMostLinesInFrame, room / 4});
}

}  // namespace

Status check_settings(const SenderSettings &settings) {
  const std::string window = std::to_string(settings.window_ms) + " ms";
  if (settings.camera == 0)
    return Status::failed("The number of a LoRa camera is 1 to 255.");
  if (settings.window_ms == 0 || nearest_window_ms(settings.window_ms) != settings.window_ms)
    return Status::failed("LoRa cannot carry windows of " + window +
                          ": the counter's interval must be 1 to 63 times 0.1, 1, 10 or 60 s.");
  if (settings.period.count() < settings.window_ms ||
      settings.period.count() / settings.window_ms > kMostWindows)
    return Status::failed("The period must be 1 to " + std::to_string(kMostWindows) +
                          " times as long as the counter's interval of " + window + ".");
  if (settings.lines > kMostLines)
    return Status::failed("A camera can have up to 4 lines over LoRa.");
  if (counts_frame_bytes(std::min<std::size_t>(settings.lines, 1), settings.history) > kMostBytes)
    return Status::failed("A history of " + std::to_string(settings.history) +
                          " blocks does not fit into a frame: use up to " +
                          (settings.lines == 0 ? "3." : "2, as there are lines."));
  return {};
}

std::size_t most_frame_bytes(const SenderSettings &settings) {
  const std::size_t hello = hello_frame_bytes(std::min(settings.lines, kMostLinesInFrame));
  return std::max(counts_frame_bytes(lines_that_fit(settings), settings.history), hello);
}

Sender::Sender(const SenderSettings &settings, const Key &key, Time now)
    : settings_(settings),
      keys_(key),
      windows_per_block_(smallest_windows(
          static_cast<std::uint32_t>(settings.period.count() / settings.window_ms))),
      lines_in_frame_(lines_that_fit(settings)),
      hello_parts_(std::max<std::size_t>((settings.lines + 1) / kMostLinesInFrame, 1)),
      longest_(time_on_air(settings.modulation, most_frame_bytes(settings))),
      budget_(settings.duty, now),
      generator_(settings.seed),
      backlog_(settings.most_pending) {}

Status Sender::find_stretch(const Record &record, const BootNumbers::Stretch **found) {
  *found = numbers_.find(record.boot, record.seq);
  const auto boot = *found ? boots_.find((*found)->id) : boots_.end();
  if (*found && (boot == boots_.end() || !were_reset(boot->second.lines, record.window)))
    return {};
  end_block();
  *found = numbers_.begin(record.boot, record.seq);
  if (!*found)
    return Status::failed(
        "All 65535 boot numbers of this LoRa camera are used: give it another number and a new "
        "key, here and at the gateway, and delete its state file.");
  must_save_ = true;
  for (auto at = boots_.begin(); at != boots_.end() && at->first < numbers_.oldest().id;
       at = boots_.erase(at))
    backlog_.forget(at->first);
  return {};
}

void Sender::begin_boot(std::uint32_t id, const Block &window) {
  Boot &boot = boots_[id];
  boot.start = window.seq;
  boot.totals = totals_before(window);
  boot.hellos_due = hello_parts_;
  boot.hello_step = kFirstHelloStep;
  boot.next_hello = fresh_sent_ + boot.hello_step;
}

Status Sender::add(const Record &record) {
  const BootNumbers::Stretch *stretch = nullptr;
  if (Status status = find_stretch(record, &stretch); !status.is_ok())
    return status;
  Block window = record.window;
  window.windows = 1;
  window.seq = static_cast<std::uint32_t>(record.seq - stretch->base());
  window.flags &= 63;
  window.lines.resize(settings_.lines);
  if (!boots_.contains(stretch->id))
    begin_boot(stretch->id, window);
  if (!windows_.empty() && (current_ != stretch->id || windows_.back().seq + 1 != window.seq))
    end_block();
  current_ = stretch->id;
  Boot &boot = boots_[current_];
  boot.next_seq = window.seq + 1;
  boot.lines = window.lines;
  windows_.push_back(std::move(window));
  ++records_;
  // Blocks end at the same windows after a restart, so that acks still name them.
  if (windows_.back().seq % windows_per_block_ == windows_per_block_ - 1)
    end_block();
  return {};
}

void Sender::end_block() {
  std::uint64_t record = records_ - windows_.size();
  for (std::span<const Block> rest = windows_; !rest.empty();) {
    const std::uint32_t count = largest_windows(static_cast<std::uint32_t>(rest.size()));
    backlog_.add(current_, merge(rest.first(count)), record);
    ++blocks_made_;
    record += count;
    rest = rest.subspan(count);
  }
  windows_.clear();
}

void Sender::flush() {
  end_block();
}

std::uint64_t Sender::confirmed() const {
  return backlog_.first_record().value_or(records_ - windows_.size());
}

HelloFrame Sender::make_hello(std::uint32_t id) const {
  const Boot &boot = boots_.at(id);
  const BootNumbers::Stretch &stretch = *numbers_.find(id);
  HelloFrame hello;
  hello.head = {settings_.camera, stretch.number, boot.start, settings_.phase, settings_.ack};
  // A stretch is a boot of its own over the air.
  hello.boot_tag = boot_tag_of(stretch.boot + "/" + std::to_string(stretch.first_seq));
  const std::size_t part = hello_parts_ - boot.hellos_due;
  const std::size_t first = std::min(part * kMostLinesInFrame, boot.totals.size());
  const std::size_t count = std::min(boot.totals.size() - first, kMostLinesInFrame);
  hello.first_line = static_cast<std::uint8_t>(count == 0 ? 0 : first);
  for (std::size_t i = first; i < first + count; ++i)
    hello.lines.push_back(boot.totals[i]);
  return hello;
}

CountsFrame Sender::make_counts(const Choice &choice, Time now) const {
  const Block &block = backlog_.at(*choice.block);
  const std::uint32_t boot = choice.block->first;
  CountsFrame frame;
  frame.head = {settings_.camera, numbers_.find(boot)->number, block.seq, settings_.phase, false};
  const bool is_silent =
      (blocks_made_ - blocks_at_ack_ >= 12 && fresh_sent_ % 4 == 0) || now >= silent_from();
  frame.head.wanted = settings_.ack && (is_silent || boot != numbers_.newest().id);
  frame.windows = block.windows;
  frame.window_ms = nearest_window_ms(block.interval_ms / block.windows);
  frame.age_ms =
      static_cast<std::uint64_t>(std::max<std::int64_t>((now - block.end).count(), 0) / 1000);
  frame.flags = block.flags;
  frame.people = block.people;
  if (lines_in_frame_ > 0) {
    const std::size_t turns = (settings_.lines + lines_in_frame_ - 1) / lines_in_frame_;
    const std::size_t first = (block.seq / windows_per_block_) % turns * lines_in_frame_;
    frame.first_line = static_cast<std::uint8_t>(first);
    for (std::size_t i = first; i < std::min(first + lines_in_frame_, block.lines.size()); ++i)
      frame.lines.push_back({static_cast<std::uint32_t>(block.lines[i].in_total),
                             static_cast<std::uint32_t>(block.lines[i].out_total)});
  }
  frame.history = backlog_.history(*choice.block, settings_.history);
  return frame;
}

std::optional<Bytes> Sender::make_frame(const Choice &choice, Time now) {
  const std::optional<PlainFrame> plain =
      choice.block ? encode(make_counts(choice, now)) : encode(make_hello(choice.hello_of));
  if (!plain)
    return std::nullopt;
  return keys_.seal(*plain, Direction::kUp);
}

void Sender::ask_for_hello(Boot *boot) {
  boot->hello_known = false;
  boot->hellos_due = hello_parts_;
}

bool Sender::received(std::span<const std::uint8_t> bytes) {
  const std::optional<PlainFrame> plain = keys_.open(bytes, Direction::kDown);
  if (!plain || !settings_.ack)
    return false;
  const std::optional<Frame> frame = decode(*plain);
  const AckFrame *ack = frame ? std::get_if<AckFrame>(&*frame) : nullptr;
  if (!ack || ack->head.camera != settings_.camera)
    return false;
  take_ack(*ack);
  return true;
}

void Sender::take_ack(const AckFrame &ack) {
  if (numbers_.empty())
    return;
  if (ack.head.boot > numbers_.newest().number) {
    // This camera has lost its state: the gateway knows later boots of it.
    if (numbers_.jump_past(ack.head.boot)) {
      must_save_ = true;
      backlog_.resend_all();
      for (auto &[id, boot] : boots_) {
        boot.covered = -1;
        ask_for_hello(&boot);
      }
    }
    return;
  }
  const BootNumbers::Stretch *stretch = numbers_.with_number(ack.head.boot);
  const auto found = stretch ? boots_.find(stretch->id) : boots_.end();
  if (found == boots_.end())
    return;
  Boot &boot = found->second;
  const std::int64_t covered = ack.head.seq == kNoSeq ? -1 : std::int64_t{ack.head.seq};
  // An older ack that came late, or that somebody sends again.
  if (covered < boot.covered)
    return;
  boot.covered = covered;
  blocks_at_ack_ = blocks_made_;
  backlog_.acknowledged(stretch->id, ack, sent_at_);
  backlog_.give_up_waiting(stretch->id, sent_at_ - kOldBootWait);
  boot.hello_known = !ack.head.wanted;
  boot.hellos_due = ack.head.wanted ? std::max<std::size_t>(boot.hellos_due, hello_parts_) : 0;
  close_hole(stretch->id, &boot);
}

// A hole that nothing here can fill: a hello says that the gateway need not wait for it.
void Sender::close_hole(std::uint32_t id, Boot *boot) {
  const Block *oldest = backlog_.oldest(id);
  if (!oldest && current_ == id && !windows_.empty())
    oldest = &windows_.front();
  const std::uint32_t first = oldest ? oldest->first() : boot->next_seq;
  if (first <= boot->covered + 1)
    return;
  boot->start = first;
  if (oldest) {
    boot->totals = totals_before(*oldest);
  } else {
    boot->totals.clear();
    for (const LineCounts &line : boot->lines)
      boot->totals.push_back(
          {static_cast<std::uint32_t>(line.in_total), static_cast<std::uint32_t>(line.out_total)});
  }
  ask_for_hello(boot);
}

}  // namespace npc::lora
