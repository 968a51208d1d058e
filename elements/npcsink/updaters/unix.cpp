// SPDX-License-Identifier: LGPL-2.1-or-later
// Writing to a socket until its reader has read.
#include "npcsink/updaters/unix.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/descriptor.h"
#include "base/recordrange.h"
#include "base/wait.h"
#include "npcsink/resends.h"

namespace npc::sink {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kTimeout{10000};
constexpr char kGreeting[] = "{\"acknowledge\":true,\"resend\":true}\n";
// Of what a reader writes: no line of npcsrc's is longer.
constexpr std::size_t kMostLine = 4096;
constexpr int kMostReads = 64;
// Neither a full listener nor what a reader has taken can be waited for: one looks again and again.
constexpr milliseconds kFirstLook{1};
constexpr milliseconds kLastLook{50};

// Comes when there was no progress for too long; until then one looks ever more rarely.
class Deadline {
 public:
  explicit Deadline(milliseconds most) : most_(most), end_(Clock::now() + most) {}

  void progress() {
    end_ = Clock::now() + most_;
    look_ = kFirstLook;
  }
  bool is_over() const { return Clock::now() > end_; }
  Clock::time_point end() const { return end_; }
  milliseconds next() {
    const milliseconds look = look_;
    look_ = std::min(look_ * 2, kLastLook);
    return look;
  }

 private:
  const milliseconds most_;
  Clock::time_point end_;
  milliseconds look_ = kFirstLook;
};

class UnixUpdater : public Updater {
 public:
  UnixUpdater(std::string path, bool classic, bool resends, milliseconds timeout)
      : path_(std::move(path)), classic_(classic), resends_(resends), timeout_(timeout) {}

  std::string target() const override { return "unix:" + path_; }
  Status connect(const UpdaterContext &, std::stop_token stop) override;
  DeliveryResult deliver(std::span<const Record> records, const UpdaterContext &context,
                         std::stop_token stop) override;
  // Its messages bear no time: a reader takes an old one for a new one.
  bool live_only() const override { return classic_; }
  Status idle(const UpdaterContext &context, std::stop_token stop) override;
  void close() noexcept override { socket_ = Descriptor(); }

 private:
  Status open(const std::stop_token &stop);
  DeliveryResult deliver_lines(std::span<const Record> records, const std::stop_token &stop);
  DeliveryResult deliver_messages(std::span<const Record> records, const std::stop_token &stop);
  void read_requests(Resends &requests);
  Status answer_requests(const UpdaterContext &context, const std::stop_token &stop);
  Status send_and_await(std::string_view text, const std::stop_token &stop);
  Status send_all(std::string_view text, const StopBell &stop);
  Status await_reader(const StopBell &stop);
  std::string open_error(int error) const;
  Status gone() const { return Status::failed("The reader of \"" + path_ + "\" has gone."); }

  const std::string path_;
  const bool classic_, resends_;
  const milliseconds timeout_;
  Descriptor socket_;
  std::string received_;  // the beginning of a line
};

Status UnixUpdater::connect(const UpdaterContext &, std::stop_token stop) {
  Status status = open(stop);
  if (!status.is_ok() || !resends_)
    return status;
  received_.clear();
  status = send_all(kGreeting, StopBell(stop));
  if (!status.is_ok())
    close();
  return status;
}

// The reader says what is stored, which we learn from the kernel, and what it misses.
void UnixUpdater::read_requests(Resends &requests) {
  char bytes[kMostLine];
  for (int i = 0; i < kMostReads; i++) {
    const ssize_t count = recv(socket_.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    if (count <= 0)
      return;
    received_.append(bytes, static_cast<std::size_t>(count));
    for (auto end = received_.find('\n'); end != received_.npos; end = received_.find('\n')) {
      const auto line = nlohmann::json::parse(received_.substr(0, end), nullptr, false);
      received_.erase(0, end + 1);
      if (!line.is_object() || !line.contains("resend"))
        continue;
      if (const auto request = read_record_range(line["resend"].dump()))
        requests.ask(*request);
      else
        requests.refuse("The reader of \"" + path_ +
                        "\" asks for records in another way than npcsrc.");
    }
    if (received_.size() > kMostLine)
      received_.clear();
  }
}

Status UnixUpdater::answer_requests(const UpdaterContext &context, const std::stop_token &stop) {
  if (!resends_ || context.resends == nullptr || !socket_.is_open())
    return {};
  read_requests(*context.resends);
  const Resends::Answer answer = context.resends->take(Clock::now());
  if (answer.empty())
    return {};
  std::string text;
  for (const Record &record : answer.records)
    text.append(record.json).append("\n");
  for (const RecordRange &gone : answer.gone)
    text.append(R"({"lost":)").append(write_record_range(gone, true)).append("}\n");
  Status status = send_and_await(text, stop);
  if (status.is_ok())
    context.resends->note_sent(answer);
  else
    close();
  return status;
}

Status UnixUpdater::open(const std::stop_token &stop) {
  close();
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  Descriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made.is_open())
    return Status::failed("There can be no more sockets: " + message_of(errno) + ".");
  const StopBell stopped(stop);
  Deadline deadline(timeout_);
  while (::connect(made.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) !=
         0) {
    if (errno == EINTR)
      continue;
    if (errno != EAGAIN)
      return Status::failed(open_error(errno));
    if (deadline.is_over())
      return Status::failed("The reader of \"" + path_ +
                            "\" takes no more connections: it may hang.");
    if (wait_fd(-1, 0, stopped.get(), Clock::now() + deadline.next()) == Waited::kStopped)
      return Status::stopped();
  }
  socket_ = std::move(made);
  return {};
}

DeliveryResult UnixUpdater::deliver(std::span<const Record> records, const UpdaterContext &context,
                                    std::stop_token stop) {
  DeliveryResult outcome =
      classic_ ? deliver_messages(records, stop) : deliver_lines(records, stop);
  // The reader must not take the rest of a line that was cut short for the next one.
  if (outcome.confirmed < records.size())
    close();
  else
    outcome.status = answer_requests(context, stop);
  return outcome;
}

// The kernel does not say which of them were read, so it is all or none.
DeliveryResult UnixUpdater::deliver_lines(std::span<const Record> records,
                                          const std::stop_token &stop) {
  std::string text;
  for (const Record &record : records)
    text.append(record.json).append("\n");
  Status status = send_and_await(text, stop);
  return {status.is_ok() ? records.size() : 0, std::move(status)};
}

DeliveryResult UnixUpdater::deliver_messages(std::span<const Record> records,
                                             const std::stop_token &stop) {
  DeliveryResult outcome;
  for (const Record &record : records) {
    const GstNpcCounts &counts = *record.counts;
    std::string text = record.camera;
    for (const guint number : {counts.people, counts.moving, counts.faces})
      text += " " + std::to_string(number);
    if (!socket_.is_open())
      outcome.status = open(stop);
    if (outcome.status.is_ok())
      outcome.status = send_and_await(text, stop);
    if (!outcome.status.is_ok())
      break;
    close();
    outcome.confirmed++;
  }
  return outcome;
}

Status UnixUpdater::send_and_await(std::string_view text, const std::stop_token &stop) {
  const StopBell stopped(stop);
  Status status = send_all(text, stopped);
  return status.is_ok() ? await_reader(stopped) : status;
}

Status UnixUpdater::send_all(std::string_view text, const StopBell &stop) {
  Deadline deadline(timeout_);
  while (!text.empty()) {
    const ssize_t count = send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
      deadline.progress();
      continue;
    }
    if (errno == EPIPE || errno == ECONNRESET)
      return gone();
    if (errno != EAGAIN && errno != EINTR)
      return Status::failed("Cannot write to \"" + path_ + "\": " + message_of(errno) + ".");
    if (deadline.is_over())
      return Status::failed("The reader of \"" + path_ +
                            "\" does not read, and its buffer is full.");
    if (wait_fd(socket_.get(), POLLOUT, stop.get(), deadline.end()) == Waited::kStopped)
      return Status::stopped();
  }
  return {};
}

// What is in the socket dies with its reader. So we wait until the kernel holds nothing any more;
// a reader that closed before it had read all leaves an error behind.
Status UnixUpdater::await_reader(const StopBell &stop) {
  Deadline deadline(timeout_);
  int before = 0;
  for (;;) {
    int left = 0;
    if (ioctl(socket_.get(), SIOCOUTQ, &left) != 0)
      return Status::failed("Cannot ask what was read from \"" + path_ +
                            "\": " + message_of(errno) + ".");
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
      return Status::failed("The reader of \"" + path_ + "\" has gone before it had read all.");
    if (left == 0)
      return {};
    if (left != before)
      deadline.progress();
    before = left;
    if (deadline.is_over())
      return Status::failed("The reader of \"" + path_ + "\" does not read: it may hang.");
    if (wait_fd(-1, 0, stop.get(), Clock::now() + deadline.next()) == Waited::kStopped)
      return Status::stopped();
  }
}

Status UnixUpdater::idle(const UpdaterContext &context, std::stop_token stop) {
  if (!socket_.is_open())
    return {};
  pollfd poll_on = {socket_.get(), 0, 0};
  if (poll(&poll_on, 1, 0) <= 0)
    return answer_requests(context, stop);
  close();
  return gone();
}

std::string UnixUpdater::open_error(int error) const {
  struct stat status;
  const std::string socket = "\"" + path_ + "\"";
  if (stat(path_.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode))
    return socket + " is not a socket: give the path at which the reader listens.";
  switch (error) {
    case ENOENT:
      return "Nobody listens at " + socket + ": start the reader, or check the path.";
    case ECONNREFUSED:
      return "Nobody listens at " + socket + " any more: start the reader.";
    case EACCES:
      return "We may not write to " + socket + ": check owner and mode of it and its directory.";
    case EPROTOTYPE:
      return socket + " is not a stream socket: its reader must listen on one (SOCK_STREAM).";
    default:
      return "Cannot connect to " + socket + ": " + message_of(error) + ".";
  }
}

}  // namespace

std::unique_ptr<Updater> make_unix_updater(const Uri &uri) {
  return make_unix_updater(uri, kTimeout);
}

std::unique_ptr<Updater> make_unix_updater(const Uri &uri, milliseconds timeout) {
  uri.allow_parameters({"format", "resend"});
  std::string path = uri.local_path("socket", "unix:/run/npc/counts.sock");
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    throw UriError(uri.text, "the path of a socket has at most 107 bytes");
  const std::string format = uri.parameter("format", "json");
  if (format != "json" && format != "classic")
    throw UriError(uri.text, "format must be json or classic");
  const std::string resend = uri.parameter("resend", "0");
  if (resend != "0" && resend != "1")
    throw UriError(uri.text, "resend must be 0 or 1");
  if (resend == "1" && format == "classic")
    throw UriError(uri.text, "nobody can ask for a message of format=classic: leave resend=1 out");
  return std::make_unique<UnixUpdater>(std::move(path), format == "classic", resend == "1",
                                       timeout);
}

}  // namespace npc::sink
