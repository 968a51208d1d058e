// SPDX-License-Identifier: LGPL-2.1-or-later
// One program that sends records through a stream socket.
#include "npcsrc/receivers/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/recordrange.h"

namespace npc::source {
namespace {

constexpr std::size_t kMostPeeked = 65536;
constexpr std::size_t kMostAnswers = 65536;

}  // namespace

Connection::Connection(Descriptor socket, std::string name, std::uint64_t ticket, Time now)
    : socket_(std::move(socket)),
      name_(std::move(name)),
      ticket_(ticket),
      rate_(kMostRate, now),
      last_record_(now) {}

short Connection::events(Time now) {
  next_ = Time::max();
  const short writing = answers_.empty() ? 0 : POLLOUT;
  // What is not stored yet is still in the socket, and would be seen again and again.
  if (outstanding_ > 0)
    next_ = last_record_ + kLost;
  if (ended_ || outstanding_ > 0)
    return writing;
  if (rate_.available(now) == 0) {
    next_ = rate_.next();
    return writing;
  }
  return static_cast<short>(POLLIN | writing);
}

bool Connection::read(ClassicReader &classic, Reception &came, Time now) {
  char peeked[kMostPeeked];
  const ssize_t count = recv(socket_.get(), peeked, sizeof(peeked), MSG_PEEK | MSG_DONTWAIT);
  if (count > 0)
    return read_lines({peeked, static_cast<std::size_t>(count)}, classic, came, now);
  if (count < 0)
    return errno == EAGAIN || errno == EINTR;
  return read_end(classic, came, now);
}

bool Connection::read_lines(std::string_view peeked, ClassicReader &classic, Reception &came,
                            Time now) {
  const unsigned most = std::clamp(rate_.available(now), 1u, kMostRecords);
  std::string_view rest = peeked;
  unsigned lines = 0;
  for (; lines < most; lines++) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos)
      break;
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (std::exchange(skipping_, false))
      continue;
    if (begin_.size() + line.size() > kMostLine)
      refuse(kTooLong, came);
    else
      read_line(begin_.empty() ? std::string(line) : begin_ + std::string(line), classic, came,
                now);
    begin_.clear();
  }
  rate_.take(lines);
  held_ = peeked.size() - rest.size();
  if (lines > 0)
    return acknowledge(came) && (outstanding_ > 0 || consume_held());
  // The beginning of a line, which poll() would report again and again.
  if (!skipping_) {
    begin_ += rest;
    if (begin_.size() > kMostLine) {
      skipping_ = true;
      begin_.clear();
      refuse(kTooLong, came);
    }
  }
  return consume(peeked.size());
}

// A message of the first No-picture Camera ends with its connection. A record without the end of
// its line is sent again as a whole, on another one.
bool Connection::read_end(ClassicReader &classic, Reception &came, Time now) {
  if (!begin_.empty() && !begin_.starts_with('{'))
    read_line(std::exchange(begin_, {}), classic, came, now);
  ended_ = true;
  return outstanding_ > 0 || !answers_.empty();
}

void Connection::read_line(std::string_view line, ClassicReader &classic, Reception &came,
                           Time now) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos)
    return;
  std::string error;
  auto arrival = line.starts_with('{') ? read_record(line, error) : classic.read(line, error);
  if (!arrival) {
    if (!read_request(line, came))
      refuse(std::move(error), came);
    return;
  }
  arrival->ticket = ticket_;
  outstanding_++;
  last_record_ = now;
  came.records.push_back(*std::move(arrival));
}

// `{"acknowledge":true}`: the sender wants to read what is stored, and with `"resend":true` what is
// missing. `{"lost":{…}}`: it does not have that any more.
bool Connection::read_request(std::string_view line, Reception &came) {
  const auto request = nlohmann::json::parse(line, nullptr, false);
  if (!request.is_object())
    return false;
  if (const auto lost = request.find("lost"); request.size() == 1 && lost != request.end()) {
    const auto records = read_record_range(lost->dump());
    // It speaks for those only that it was asked about.
    if (records && asked_.contains({records->site, records->camera}))
      came.unavailable.push_back({{records->site, records->camera, records->boot}, records->range});
    return records.has_value();
  }
  const bool wants = request.value("acknowledge", nlohmann::json()) == true;
  const bool takes = request.value("resend", nlohmann::json()) == true;
  if (!wants || request.size() != (takes ? 2u : 1u))
    return false;
  acknowledging_ = true;
  takes_requests_ = takes_requests_ || takes;
  return true;
}

bool Connection::ask(const Gap &gap) {
  if (answers_.size() > kMostAnswers / 2)
    return true;
  const Series &series = gap.series;
  if (asked_.size() >= kMostAsked)
    asked_.clear();
  asked_.insert({series.site, series.camera});
  answers_ += R"({"resend":)" +
              write_record_range({series.site, series.camera, series.boot, gap.range}, true) +
              "}\n";
  return write();
}

void Connection::refuse(std::string reason, Reception &came) {
  if (acknowledging_)
    answers_ += nlohmann::json{{"refused", reason}}.dump(-1, ' ', false,
                                                         nlohmann::json::error_handler_t::replace) +
                "\n";
  came.refused++;
  came.reason = std::move(reason) + " It came from " + name_ + ".";
}

bool Connection::stored(const RecordId &id, Reception &came) {
  if (outstanding_ == 0)
    return true;
  outstanding_--;
  if (acknowledging_) {
    if (range_size_ > 0 &&
        (id.series != range_begin_.series || id.seq != range_begin_.seq + range_size_))
      end_range();
    if (range_size_++ == 0)
      range_begin_ = id;
  }
  if (outstanding_ > 0)
    return true;
  end_range();
  return consume_held() && acknowledge(came) && !(ended_ && answers_.empty());
}

void Connection::end_range() {
  if (range_size_ == 0)
    return;
  const nlohmann::ordered_json stored = {
      {"site", range_begin_.series.site},
      {"camera", range_begin_.series.camera},
      {"boot", range_begin_.series.boot},
      {"from", range_begin_.seq},
      {"to", range_begin_.seq + std::exchange(range_size_, 0) - 1}};
  answers_ += nlohmann::ordered_json{{"stored", stored}}.dump() + "\n";
}

bool Connection::acknowledge(Reception &came) {
  if (!write())
    return false;
  if (answers_.size() <= kMostAnswers)
    return true;
  came.senders.push_back(name_ +
                         " asks for acknowledgements and does not read them: it was "
                         "disconnected.");
  return false;
}

bool Connection::write() {
  while (!answers_.empty()) {
    const ssize_t count =
        send(socket_.get(), answers_.data(), answers_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
      return true;
    // Nobody reads them any more. What was sent is read all the same.
    if (count < 0) {
      acknowledging_ = false;
      answers_.clear();
      break;
    }
    answers_.erase(0, static_cast<std::size_t>(count));
  }
  return !ended_ || outstanding_ > 0;
}

bool Connection::consume_held() {
  return consume(std::exchange(held_, 0));
}

// Takes bytes that were looked at out of the socket. They are there, so it does not wait.
bool Connection::consume(std::size_t count) {
  char taken[4096];
  while (count > 0) {
    const ssize_t got = recv(socket_.get(), taken, std::min(count, sizeof(taken)), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace npc::source
