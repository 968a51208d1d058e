// SPDX-License-Identifier: LGPL-2.1-or-later
// Appends records to a file so that a reader never finds half a line that stays half.
#include "npcsink/updaters/file.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/openfile.h"
#include "base/wait.h"

namespace npc::sink {
namespace {

using Clock = std::chrono::steady_clock;

// For one that has no room for a whole newline.
constexpr std::chrono::milliseconds kTerminal{50};

class FileUpdater : public Updater {
 public:
  FileUpdater(std::string path, bool sync) : path_(std::move(path)), sync_(sync) {}

  std::string target() const override { return "file:" + path_; }
  Status connect(const UpdaterContext &, std::stop_token) override { return open(); }
  DeliveryResult deliver(std::span<const Record> records, const UpdaterContext &context,
                         std::stop_token stop) override;
  Status idle(const UpdaterContext &, std::stop_token) override { return follow(); }
  void close() noexcept override { file_ = Descriptor(); }

 private:
  Status open();
  Descriptor open_file() const;
  Status open_error(int error) const;
  Status write_error(int error) const;
  bool ends_within_a_line() const;
  bool was_moved() const;
  Status sync_directory() const;
  Status follow();
  DeliveryResult write_lines(std::span<const Record> records, const std::stop_token &stop);
  Status write_regular(std::string_view line);
  Status write_stream(std::string_view line, const std::stop_token &stop);
  void take_back(off_t count);

  const std::string path_;
  const bool sync_;
  Descriptor file_;
  bool regular_ = false;
  bool named_ = false;  // opened by its path, so a rename can take it away
  bool socket_ = false;
  bool torn_ = false;  // a stream has the beginning of a line only
};

// The process's own streams are duplicated: opened anew, a redirected file would be written from
// two places at once, and a socket, as systemd gives it, cannot be opened at all.
int standard_stream(const std::string &path) {
  if (path == "/dev/stdout")
    return STDOUT_FILENO;
  return path == "/dev/stderr" ? STDERR_FILENO : -1;
}

Descriptor FileUpdater::open_file() const {
  // A pipe or a terminal is as good as a file here.
  const auto by_name = [this] { return open_anything(path_, O_WRONLY | O_APPEND | O_CREAT, 0644); };
  const int stream = standard_stream(path_);
  if (stream < 0)
    return by_name();
  // A terminal that froze would hold up a write, and O_NONBLOCK is not for us to set on what we
  // share. One that belongs to another user cannot be opened.
  Descriptor terminal(isatty(stream) != 0 ? by_name() : Descriptor());
  return terminal.is_open() ? std::move(terminal) : Descriptor(fcntl(stream, F_DUPFD_CLOEXEC, 3));
}

Status FileUpdater::open() {
  close();
  Descriptor file = open_file();
  struct stat status;
  if (file.get() < 0 || fstat(file.get(), &status) < 0)
    return open_error(errno);
  if (S_ISBLK(status.st_mode))
    return Status::failed("Will not write to \"" + path_ +
                          "\": it is a disk, not a file. Choose another path.");
  if (sync_ && !S_ISREG(status.st_mode))
    return Status::failed("There is no disk behind \"" + path_ + "\": leave fsync out.");
  file_ = std::move(file);
  regular_ = S_ISREG(status.st_mode);
  socket_ = S_ISSOCK(status.st_mode);
  named_ = regular_ && standard_stream(path_) < 0;
  torn_ = torn_ && !regular_;
  Status result;
  if (named_ && sync_)
    result = sync_directory();
  // Left by a power cut: the next line must not be glued to it.
  if (result.is_ok() && named_ && ends_within_a_line())
    result = write_regular("\n");
  if (!result.is_ok())
    close();
  return result;
}

// A file that has just been made is only there after a power cut if its directory says so.
Status FileUpdater::sync_directory() const {
  const int error = sync_folder_of(path_);
  if (error == 0)
    return {};
  return Status::failed("Cannot bring \"" + std::filesystem::path(path_).parent_path().string() +
                        "\" to the disk: " + message_of(error) + ".");
}

bool FileUpdater::was_moved() const {
  struct stat ours, named;
  return named_ && fstat(file_.get(), &ours) == 0 &&
         (stat(path_.c_str(), &named) != 0 || named.st_dev != ours.st_dev ||
          named.st_ino != ours.st_ino);
}

// Goes on in a new file if somebody, as logrotate does, has moved ours away.
Status FileUpdater::follow() {
  return was_moved() ? open() : Status();
}

DeliveryResult FileUpdater::deliver(std::span<const Record> records, const UpdaterContext &,
                                    std::stop_token stop) {
  if (Status status = follow(); !status.is_ok())
    return {0, std::move(status)};
  DeliveryResult outcome = write_lines(records, stop);
  if (sync_ && outcome.confirmed > 0 && fdatasync(file_.get()) != 0)
    outcome = {0, Status::failed("Cannot bring \"" + path_ +
                                 "\" to the disk: " + message_of(errno) + ".")};
  if (outcome.status.is_failed())
    close();
  return outcome;
}

DeliveryResult FileUpdater::write_lines(std::span<const Record> records,
                                        const std::stop_token &stop) {
  DeliveryResult outcome;
  for (const Record &record : records) {
    if (stop.stop_requested()) {
      outcome.status = Status::stopped();
      break;
    }
    const std::string line = (torn_ ? "\n" : "") + record.json + '\n';
    outcome.status = regular_ ? write_regular(line) : write_stream(line, stop);
    if (!outcome.status.is_ok())
      break;
    outcome.confirmed++;
  }
  return outcome;
}

Status FileUpdater::write_regular(std::string_view line) {
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t count = write(file_.get(), line.data() + done, line.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      const int error = errno;
      take_back(static_cast<off_t>(done));
      return write_error(error);
    }
  }
  return {};
}

// Cuts off the last `count` bytes that were written, unless another process wrote after them.
void FileUpdater::take_back(off_t count) {
  const off_t end = lseek(file_.get(), 0, SEEK_CUR);
  struct stat status;
  if (count == 0 || end < count || fstat(file_.get(), &status) < 0 || status.st_size != end)
    return;
  if (ftruncate(file_.get(), end - count) == 0)
    lseek(file_.get(), end - count, SEEK_SET);
}

Status FileUpdater::write_stream(std::string_view line, const std::stop_token &stop) {
  const StopBell stopped(stop);
  while (!line.empty()) {
    if (wait_fd(file_.get(), POLLOUT, stopped.get(), Clock::time_point::max()) != Waited::kReady)
      return Status::stopped();
    // Up to PIPE_BUF bytes a pipe that is ready takes whole and at once.
    const std::size_t most = std::min<std::size_t>(line.size(), PIPE_BUF);
    const ssize_t count = socket_ ? send(file_.get(), line.data(), most, MSG_DONTWAIT)
                                  : write(file_.get(), line.data(), most);
    if (count >= 0) {
      line.remove_prefix(static_cast<std::size_t>(count));
      torn_ = !line.empty();
    } else if (errno == EAGAIN) {
      // A terminal is ready for one byte, but a newline is two.
      wait_fd(-1, 0, stopped.get(), Clock::now() + kTerminal);
    } else if (errno != EINTR) {
      const int error = errno;
      torn_ = torn_ && error != EPIPE;  // Which the reader has taken with it.
      return write_error(error);
    }
  }
  return {};
}

bool FileUpdater::ends_within_a_line() const {
  const Descriptor file = npc::open_file(path_, O_RDONLY).file;
  char last = '\n';
  if (!file.is_open() || lseek(file.get(), -1, SEEK_END) < 0 || read(file.get(), &last, 1) != 1)
    return false;
  return last != '\n';
}

Status FileUpdater::open_error(int error) const {
  struct stat status;
  const bool there = stat(path_.c_str(), &status) == 0;
  if (error == ENXIO && there && S_ISFIFO(status.st_mode))
    return Status::failed("Nobody reads the pipe \"" + path_ + "\".");
  if (error == ENOENT) {
    return Status::failed(
        "Cannot open \"" + path_ +
        "\": its directory does not exist. Create the directory, or choose another path.");
  }
  return Status::failed("Cannot open \"" + path_ + "\" for writing: " + message_of(error) + ".");
}

Status FileUpdater::write_error(int error) const {
  if (error == EPIPE)
    return Status::failed("Nobody reads \"" + path_ + "\" any more.");
  return Status::failed("Cannot write to \"" + path_ + "\": " + message_of(error) + ".");
}

}  // namespace

std::unique_ptr<Updater> make_file_updater(const Uri &uri) {
  uri.allow_parameters({"fsync"});
  std::string path = uri.local_path("file", "file:/var/log/npc/counts.jsonl");
  const std::string sync = uri.parameter("fsync", "0");
  if (sync != "0" && sync != "1")
    throw UriError(uri.text, "fsync must be 0 or 1");
  return std::make_unique<FileUpdater>(std::move(path), sync == "1");
}

}  // namespace npc::sink
