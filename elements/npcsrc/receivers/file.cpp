// SPDX-License-Identifier: LGPL-2.1-or-later
// The file receiver: a recording, played again.
#include "npcsrc/receivers/file.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "base/openfile.h"
#include "base/wait.h"
#include "npcsrc/receivers/lines.h"

namespace npc::source {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kStep = 65536;
constexpr std::size_t kMostRecords = 250;  // of one call
// A clock that was set, or a camera that was off, would hold up the rest for years.
constexpr std::chrono::hours kLongestPause{1};
constexpr std::chrono::seconds kMostLag{1};

class FileReceiver final : public Receiver {
 public:
  FileReceiver(std::string path, double speed) : path_(std::move(path)), speed_(speed) {}

  std::string origin() const override { return "file:" + path_; }
  Status open() override;
  Status receive(Reception &came, int bell, Clock::time_point until) override;
  // The file stays.
  void stored(const RecordId &, std::uint64_t) override {}
  void close() noexcept override { file_ = Descriptor(); }

 private:
  Status read_more();
  std::optional<std::string> next_line(Reception &came);
  void refuse(Reception &came, std::string reason);
  void read_line(std::string_view line, Reception &came);
  Clock::time_point due(std::int64_t time);

  const std::string path_;
  const double speed_;
  Descriptor file_;
  std::string text_;       // what was read and is not used
  std::size_t used_ = 0;   // of it
  bool skipping_ = false;  // the rest of a line that is too long
  bool at_end_ = false;
  std::optional<Arrival> next_;  // for which it is too early
  Clock::time_point due_;
  std::optional<std::int64_t> last_time_;  // of a record
};

Status FileReceiver::open() {
  Opened opened = open_file(path_, O_RDONLY);
  if (opened.is_other)
    return Status::failed("\"" + path_ +
                          "\" is no plain file: give the path of a file of records.");
  if (opened.error != 0)
    return Status::failed("Cannot open \"" + path_ + "\": " + message_of(opened.error) +
                          ". Check the path, and who may read it.");
  file_ = std::move(opened.file);
  text_.clear();
  used_ = 0;
  skipping_ = at_end_ = false;
  next_.reset();
  last_time_.reset();
  return {};
}

Status FileReceiver::read_more() {
  text_.erase(0, std::exchange(used_, 0));
  const std::size_t size = text_.size();
  text_.resize(size + kStep);
  ssize_t got;
  do {
    got = read(file_.get(), text_.data() + size, kStep);
  } while (got < 0 && errno == EINTR);
  text_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0)
    return Status::failed("Cannot read \"" + path_ + "\": " + message_of(errno) + ".");
  at_end_ = got == 0;
  return {};
}

void FileReceiver::refuse(Reception &came, std::string reason) {
  came.refused++;
  came.reason = std::move(reason);
}

// The next line that was read, if there is a whole one.
std::optional<std::string> FileReceiver::next_line(Reception &came) {
  const auto end = text_.find('\n', used_);
  if (end != std::string::npos) {
    std::string line = text_.substr(used_, end - used_);
    used_ = end + 1;
    if (std::exchange(skipping_, false))
      return std::string();
    if (line.size() > kMostLine) {
      refuse(came, kTooLong);
      return std::string();
    }
    return line;
  }
  const std::size_t rest = text_.size() - used_;
  if (rest > kMostLine) {
    if (!std::exchange(skipping_, true))
      refuse(came, kTooLong);
    used_ = text_.size();
  } else if (at_end_ && rest > 0) {
    used_ = text_.size();
    if (!std::exchange(skipping_, false))
      refuse(came, "The last line of \"" + path_ + "\" has no end: it was cut off.");
  }
  return std::nullopt;
}

// When a record of that time is to be handed on.
Clock::time_point FileReceiver::due(std::int64_t time) {
  const auto last = last_time_;
  last_time_ = time;
  if (!last)
    return Clock::now();
  if (speed_ == 0 || time <= *last)
    return due_;
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const Milliseconds pause(static_cast<double>(time - *last) / speed_);
  // After a pause of the pipeline the rest is not hurried on.
  const auto base = std::max(due_, Clock::now() - kMostLag);
  return base + std::chrono::ceil<Clock::duration>(std::min(pause, Milliseconds(kLongestPause)));
}

void FileReceiver::read_line(std::string_view line, Reception &came) {
  if (line.empty())
    return;
  std::string error;
  auto arrival = read_record(line, error);
  if (!arrival)
    return refuse(came, std::move(error));
  due_ = due(arrival->time.count());
  next_ = std::move(arrival);
}

Status FileReceiver::receive(Reception &came, int bell, Clock::time_point until) {
  const std::size_t before = came.records.size();
  const std::uint64_t most_refused = came.refused + kMostRecords;
  while (came.records.size() < before + kMostRecords) {
    if (next_) {
      if (speed_ > 0 && due_ > Clock::now()) {
        if (came.records.size() > before)
          return {};
        const Waited waited = wait_fd(-1, 0, bell, std::min(due_, until));
        if (waited == Waited::kStopped || due_ > Clock::now())
          return {};
      }
      came.records.push_back(*std::exchange(next_, std::nullopt));
      continue;
    }
    if (const auto line = next_line(came)) {
      read_line(*line, came);
      // Lines of nothing but nonsense must not keep us here.
      if (came.refused >= most_refused)
        return {};
    } else if (at_end_) {
      came.ended = true;
      return {};
    } else if (const Status status = read_more(); !status.is_ok()) {
      return status;
    }
  }
  return {};
}

}  // namespace

std::unique_ptr<Receiver> make_file_receiver(const Uri &uri) {
  uri.allow_parameters({"speed"});
  std::string path = uri.local_path("file", "file:/var/log/npc/counts.jsonl");
  const std::string text = uri.parameter("speed", "1");
  double speed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), speed);
  if (error != std::errc() || end != text.data() + text.size() || !(speed >= 0 && speed <= 1000) ||
      (speed > 0 && speed < 0.001))
    throw UriError(uri.text,
                   "speed must be a number from 0.001 to 1000, or 0 for as fast as it "
                   "goes");
  return std::make_unique<FileReceiver>(std::move(path), speed);
}

}  // namespace npc::source
