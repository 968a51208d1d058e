// SPDX-License-Identifier: LGPL-2.1-or-later
// Splitting of requests: by size, around bad lines, and by halves.
#include "npcsink/updaters/influxdb/influxlines.h"

#include <algorithm>
#include <numeric>

namespace npc::sink {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = InfluxVerdict::Kind;
using BadLines = decltype(InfluxVerdict::bad_lines);
using Indices = std::span<const std::size_t>;

constexpr std::size_t kMostLines = 5000;

std::size_t count_lines(const Record &record) {
  const std::string &text = record.line_protocol;
  return 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

const std::string *bad_reason(const Record &record, const BadLines &bad) {
  std::string_view rest = record.line_protocol;
  while (!rest.empty() && !bad.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (const auto found = bad.find(std::string(rest.substr(0, end))); found != bad.end())
      return &found->second;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return nullptr;
}

}  // namespace

// One call of write().
class InfluxLines::Writing {
 public:
  Writing(InfluxLines &lines, std::span<const Record> records, const Send &send)
      : lines_(lines), records_(records), send_(send) {}

  DeliveryResult run();

 private:
  bool write(Indices range);
  bool write_around(Indices range, const InfluxVerdict &verdict);
  bool write_halves(Indices range);
  bool fail(const InfluxVerdict &verdict);
  std::size_t lines_in(Indices range) const;
  void confirm(Indices range) { outcome_.confirmed = range.back() + 1; }
  std::string text_of(Indices range) const;

  InfluxLines &lines_;
  const std::span<const Record> records_;
  const Send &send_;
  const Clock::time_point end_ = Clock::now() + kMostTime;
  DeliveryResult outcome_;
};

DeliveryResult InfluxLines::Writing::run() {
  std::vector<std::size_t> all(records_.size());
  std::iota(all.begin(), all.end(), 0);
  bool going = true;
  for (std::size_t begin = 0, end = 0; going && begin < all.size(); begin = end) {
    std::size_t lines = count_lines(records_[begin]);
    for (end = begin + 1; end < all.size(); end++) {
      lines += count_lines(records_[end]);
      if (lines > std::min(lines_.most_lines_, lines_.pace_))
        break;
    }
    going = write(Indices(all).subspan(begin, end - begin));
  }
  // Those behind the confirmed will be sent, and refused, again.
  std::erase_if(outcome_.refused,
                [this](const auto &refused) { return refused.index >= outcome_.confirmed; });
  std::sort(outcome_.refused.begin(), outcome_.refused.end(),
            [](const auto &one, const auto &other) { return one.index < other.index; });
  return std::move(outcome_);
}

// Whether all of the range is settled.
bool InfluxLines::Writing::write(Indices range) {
  if (outcome_.confirmed > 0 && Clock::now() >= end_)
    return false;
  const InfluxVerdict verdict = send_(text_of(range));
  switch (verdict.kind) {
    case Kind::kTaken:
      lines_.pace_ = std::min(2 * lines_.pace_, kMostLines);
      confirm(range);
      return true;
    case Kind::kBadLines:
      if (range.size() > 1)
        return write_around(range, verdict);
      outcome_.refused.push_back({range.front(), verdict.error});
      confirm(range);
      return true;
    case Kind::kTooLarge:
      if (range.size() == 1)
        return fail(verdict);
      lines_.most_lines_ = std::min(lines_.most_lines_, lines_in(range) / 2);
      return write_halves(range);
    case Kind::kStopped:
      outcome_.status = Status::stopped();
      return false;
    default:
      return fail(verdict);
  }
}

// Writes the records that have none of the lines that the server named; without a name, halves.
bool InfluxLines::Writing::write_around(Indices range, const InfluxVerdict &verdict) {
  std::vector<std::size_t> good;
  const std::size_t before = outcome_.refused.size();
  for (const std::size_t index : range) {
    if (const std::string *error = bad_reason(records_[index], verdict.bad_lines))
      outcome_.refused.push_back({index, *error});
    else
      good.push_back(index);
  }
  if (outcome_.refused.size() == before)
    return write_halves(range);
  if (!good.empty() && !write(good))
    return false;
  confirm(range);
  return true;
}

bool InfluxLines::Writing::write_halves(Indices range) {
  const std::size_t half = range.size() / 2;
  return write(range.first(half)) && write(range.subspan(half));
}

bool InfluxLines::Writing::fail(const InfluxVerdict &verdict) {
  outcome_.status = Status::failed(verdict.error);
  outcome_.pause = verdict.pause;
  return false;
}

std::size_t InfluxLines::Writing::lines_in(Indices range) const {
  std::size_t lines = 0;
  for (const std::size_t index : range)
    lines += count_lines(records_[index]);
  return lines;
}

std::string InfluxLines::Writing::text_of(Indices range) const {
  std::string text;
  for (const std::size_t index : range)
    text.append(records_[index].line_protocol).append("\n");
  return text;
}

DeliveryResult InfluxLines::write(std::span<const Record> records, const Send &send) {
  return Writing(*this, records, send).run();
}

void InfluxLines::slow_down(std::string_view lines) {
  const auto count = static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
  pace_ = std::max<std::size_t>(std::min(count, pace_) / 2, 1);
}

}  // namespace npc::sink
