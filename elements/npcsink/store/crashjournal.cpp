// SPDX-License-Identifier: LGPL-2.1-or-later
// The crash journal's file: lines are added at its end, and a hole follows from its front.
#include "npcsink/store/crashjournal.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/descriptor.h"
#include "base/openfile.h"
#include "base/shorthash.h"

namespace npc::sink {
namespace {

// Where lines begin: behind the largest page that there is, so that a hole can reach up to here.
constexpr std::int64_t kFront = 65536;
constexpr int kMostAttempts = 10;
constexpr char kForeign[] = "it is not a file of this user alone";
constexpr char kPrefix[] = "npcsink-";
constexpr std::string_view kHead = "What is not yet in the store of npcsink ";

std::runtime_error unusable(const std::string &path, const std::string &error) {
  return std::runtime_error("Records that are not stored yet do not outlive this process: \"" +
                            path + "\" cannot be used: " + error + ".");
}

// The store that a crash journal is of, or nothing if it is none.
std::string store_of(int descriptor, const std::string &name) {
  std::string head(kFront, '\0');
  const ssize_t size = pread(descriptor, head.data(), head.size(), 0);
  head.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  head.resize(std::min(head.find('\0'), head.size()));
  if (!head.starts_with(kHead) || !head.ends_with('\n'))
    return {};
  std::string store = head.substr(kHead.size(), head.size() - kHead.size() - 1);
  return name == kPrefix + short_hash(store) ? store : std::string();
}

bool is_gone(const std::string &store) {
  struct stat status = {};
  return stat(store.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

// Returns a sentence if records went with it.
std::string expire_one(const std::filesystem::path &path, std::chrono::seconds age,
                       std::chrono::milliseconds uptime) {
  const Descriptor file(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status = {};
  if (!file.is_open() || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_uid != geteuid() || status.st_nlink != 1)
    return {};
  const std::string store = store_of(file.get(), path.filename());
  if (store.empty() || !is_gone(store))
    return {};
  const std::chrono::seconds idle(time(nullptr) - status.st_mtim.tv_sec);
  // Such memory does not outlive the machine: the clock jumped, so the time begins anew.
  if (idle.count() < 0 || idle > uptime) {
    futimens(file.get(), nullptr);
    return {};
  }
  if (idle < age || flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return {};
  unlink(path.c_str());
  if (status.st_size <= kFront)
    return {};
  return "Records that waited for the store \"" + store + "\", which is gone, were given up: \"" +
         path.string() + "\" had them, and nobody used it any more.";
}

}  // namespace

CrashJournal::CrashJournal(const std::string &folder, const std::string &store)
    : path_(folder + "/" + kPrefix + short_hash(store)),
      head_(std::string(kHead) + store + "\n"),
      end_(kFront),
      done_(kFront) {
  open();
}

CrashJournal::~CrashJournal() {
  if (recovered_ && lines_.empty() && has_name())
    unlink(path_.c_str());
  close(descriptor_);
}

void CrashJournal::open() {
  for (int attempt = 0; attempt < kMostAttempts; attempt++) {
    Opened opened = open_file(path_, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!opened.file.is_open())
      throw unusable(path_, opened.is_other ? kForeign : message_of(opened.error));
    descriptor_ = opened.file.release();
    struct stat status = {};
    std::string error;
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0)
      error = "another process uses it";
    // The folder is everybody's: what somebody else has put there is not for us.
    else if (fstat(descriptor_, &status) != 0 || status.st_uid != geteuid() || status.st_nlink > 1)
      error = kForeign;
    else if (status.st_nlink == 1)
      error = claim();
    if (error.empty() && status.st_nlink == 1)
      return;
    close(std::exchange(descriptor_, -1));
    if (!error.empty())
      throw unusable(path_, error);
    // Its last user removed it between our two steps.
  }
  throw unusable(path_, "it is removed again and again");
}

// Why it is none for us, or nothing. A head that was cut short is of a crash journal that nobody
// has used.
std::string CrashJournal::claim() const {
  std::string found(head_.size(), '\0');
  const ssize_t size = pread(descriptor_, found.data(), found.size(), 0);
  found.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (!head_.starts_with(found))
    return "it is of another store";
  return found == head_ || write(0, head_) ? "" : "there is no memory for it";
}

bool CrashJournal::has_name() const {
  struct stat status = {};
  return fstat(descriptor_, &status) == 0 && status.st_nlink > 0;
}

std::string CrashJournal::read(std::int64_t from) const {
  std::string text;
  char part[65536];
  for (ssize_t size; (size = pread(descriptor_, part, sizeof(part), from)) > 0; from += size)
    text.append(part, static_cast<std::size_t>(size));
  return text;
}

bool CrashJournal::write(std::int64_t at, const std::string &text) const {
  return pwrite(descriptor_, text.data(), text.size(), at) == static_cast<ssize_t>(text.size());
}

void CrashJournal::recover(const std::function<bool(std::string line)> &take) {
  const std::int64_t begin = std::max<std::int64_t>(lseek(descriptor_, kFront, SEEK_DATA), kFront);
  const std::string text = read(begin);
  // What was removed of a page are zeros; a line without an end was cut short by a kill.
  std::size_t from = std::min(text.find_first_not_of('\0'), text.size());
  for (std::size_t to; (to = text.find('\n', from)) != std::string::npos; from = to + 1) {
    if (to == from || !take(text.substr(from, to - from)))
      continue;
    const std::int64_t end = begin + static_cast<std::int64_t>(to) + 1;
    lines_.push_back({end - std::exchange(end_, end), false});
  }
  recovered_ = true;
}

void CrashJournal::add(const std::string &line) {
  // Whoever clears the folder, as logind does after a user, must not cost more than what was in it.
  if (lines_.empty() && !has_name()) {
    close(std::exchange(descriptor_, -1));
    try {
      open();
    } catch (const std::runtime_error &) {
      // Nothing can be written, which whole() says.
    }
  }
  const bool written = write(end_, line + "\n");
  lines_.push_back({written ? static_cast<std::int64_t>(line.size()) + 1 : 0, !written});
  end_ += lines_.back().size;
  missing_ += !written;
}

void CrashJournal::remove(std::size_t count) {
  for (; count > 0 && !lines_.empty(); count--) {
    done_ += lines_.front().size;
    missing_ -= lines_.front().missing;
    lines_.pop_front();
  }
  if (lines_.empty() && ftruncate(descriptor_, kFront) == 0)
    done_ = end_ = kFront;
  else
    fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kFront, done_ - kFront);
}

void CrashJournal::remove_behind(std::size_t before) {
  if (before == 0 || before >= lines_.size())
    return remove(before == 0 ? 1 : 0);
  const auto line = lines_.begin() + static_cast<std::ptrdiff_t>(before);
  std::int64_t at = done_;
  for (auto each = lines_.begin(); each != line; ++each)
    at += each->size;
  // Empty lines are none.
  write(at, std::string(static_cast<std::size_t>(line->size), '\n'));
  std::prev(line)->size += line->size;
  missing_ -= line->missing;
  lines_.erase(line);
}

std::vector<std::string> CrashJournal::expire(const std::string &folder, std::chrono::seconds age,
                                              std::chrono::milliseconds uptime) {
  std::vector<std::string> sentences;
  std::error_code error;
  for (std::filesystem::directory_iterator each(folder, error), end; !error && each != end;
       each.increment(error)) {
    if (!each->path().filename().string().starts_with(kPrefix))
      continue;
    if (std::string sentence = expire_one(each->path(), age, uptime); !sentence.empty())
      sentences.push_back(std::move(sentence));
  }
  return sentences;
}

}  // namespace npc::sink
