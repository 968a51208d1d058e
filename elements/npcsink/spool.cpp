// SPDX-License-Identifier: LGPL-2.1-or-later
// The spool's file: lines are added at its end, and a hole follows from its front.
#include "spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "shorthash.h"

namespace npc {
namespace {

// Where lines begin: behind the largest page that there is, so that a hole can reach up to here.
constexpr std::int64_t kFront = 65536;

std::runtime_error unusable(const std::string &path, const std::string &why) {
  return std::runtime_error("Records that are not stored yet do not survive a kill: \"" + path +
                            "\" cannot be used: " + why + ".");
}

// The folder is everybody's: a file that somebody else has put there is not for us.
bool is_ours(int descriptor) {
  struct stat status = {};
  return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
         status.st_nlink == 1;
}

}  // namespace

Spool::Spool(const std::string &folder, const std::string &store)
    : path_(folder + "/npcsink-" + short_hash(store)),
      descriptor_(open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)),
      end_(kFront),
      done_(kFront) {
  if (descriptor_ < 0)
    throw unusable(path_, std::generic_category().message(errno));
  const std::string head = "What is not yet in the store of npcsink " + store + "\n";
  std::string found(head.size(), '\0'), why;
  if (!is_ours(descriptor_))
    why = "it is not a file of this user";
  else if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0)
    why = "another process uses it";
  else if (pread(descriptor_, found.data(), found.size(), 0) == 0 && !write(0, head))
    why = "there is no memory for it";
  else if (found != head && found.front() != '\0')
    why = "it is of another store";
  if (why.empty())
    return;
  close(descriptor_);
  throw unusable(path_, why);
}

Spool::~Spool() {
  if (sizes_.empty())
    unlink(path_.c_str());
  close(descriptor_);
}

std::string Spool::read(std::int64_t from) const {
  std::string text;
  char part[65536];
  for (ssize_t size; (size = pread(descriptor_, part, sizeof(part), from)) > 0; from += size)
    text.append(part, static_cast<std::size_t>(size));
  return text;
}

bool Spool::write(std::int64_t at, const std::string &text) {
  return pwrite(descriptor_, text.data(), text.size(), at) == static_cast<ssize_t>(text.size());
}

void Spool::recover(const std::function<bool(std::string line)> &take) {
  const std::int64_t begin = std::max<std::int64_t>(lseek(descriptor_, kFront, SEEK_DATA), kFront);
  const std::string text = read(begin);
  // What was removed of a page are zeros; a line without an end was cut short by the kill.
  std::size_t from = std::min(text.find_first_not_of('\0'), text.size());
  for (std::size_t to; (to = text.find('\n', from)) != std::string::npos; from = to + 1) {
    if (!take(text.substr(from, to - from)))
      continue;
    const std::int64_t end = begin + static_cast<std::int64_t>(to) + 1;
    sizes_.push_back(end - std::exchange(end_, end));
  }
}

void Spool::add(const std::string &line) {
  const auto size = static_cast<std::int64_t>(line.size()) + 1;
  const bool written = write(end_, line + "\n");
  sizes_.push_back(written ? size : 0);
  end_ += sizes_.back();
}

void Spool::remove(std::size_t count) {
  for (; count > 0 && !sizes_.empty(); count--) {
    done_ += sizes_.front();
    sizes_.pop_front();
  }
  if (sizes_.empty() && ftruncate(descriptor_, kFront) == 0)
    done_ = end_ = kFront;
  else
    fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kFront, done_ - kFront);
}

}  // namespace npc
