// SPDX-License-Identifier: LGPL-2.1-or-later
// Listening at a socket for several senders, none of which can disturb another.
#include "npcsrc/receivers/unix.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/name.h"
#include "base/wait.h"
#include "npcsrc/core/senders.h"
#include "npcsrc/receivers/connection.h"

namespace npc::source {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostConnections = 1024;
// A full receiver disconnects a sender that has sent nothing for so long, for the sake of others.
constexpr std::chrono::seconds kIdle{10};
constexpr std::chrono::milliseconds kFull{100};
constexpr std::size_t kMostRecords = 1000;  // of one call
constexpr std::size_t kMostAskable = 4096;
constexpr mode_t kMode = 0660;

class UnixReceiver final : public Receiver {
 public:
  UnixReceiver(std::string path, const std::string &site) : path_(std::move(path)), site_(site) {}
  ~UnixReceiver() override { close(); }

  std::string origin() const override { return "unix:" + path_; }
  bool can_ask() const override { return true; }
  void ask(const std::vector<Gap> &gaps) override;
  Status open() override;
  Status receive(Reception &came, int bell, Clock::time_point until) override;
  void stored(const RecordId &id, std::uint64_t ticket) override;
  void close() noexcept override;

 private:
  using Connections = std::map<std::uint64_t, Connection>;

  Status bind_to(const Descriptor &made) const;
  Status remove_stale() const;
  bool poll_all(int bell, Clock::time_point until);
  bool make_room(Reception &came, Clock::time_point now);
  void accept_all(Reception &came, Clock::time_point now);
  void accept(Descriptor socket, Reception &came, Clock::time_point now);
  void serve_all(Reception &came, Clock::time_point now);
  void note_senders(const Reception &came);

  const std::string path_, site_;
  Descriptor listener_;
  struct stat status_ = {};  // of the socket in the file system, as we made it
  std::optional<ClassicReader> classic_;
  Connections connections_;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t served_ = 0;  // the ticket of the connection that was served last
  Clock::time_point accept_again_;
  std::vector<std::string> senders_;         // turned away since the last receive()
  std::map<Sender, std::uint64_t> askable_;  // the ticket of who sent its records last

  std::vector<pollfd> files_;
  std::vector<std::uint64_t> tickets_;  // of the connections in files_
};

sockaddr_un address_of(const std::string &path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

bool is_same(const struct stat &one, const struct stat &other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

std::optional<Peer> peer_of(const Descriptor &socket, pid_t &process) {
  ucred who = {};
  socklen_t size = sizeof(who);
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
    return std::nullopt;
  process = who.pid;
  Peer peer{who.uid, {who.gid}};
  // The kernel says how much room it needs if there is none.
  std::vector<gid_t> others;
  size = 0;
  getsockopt(socket.get(), SOL_SOCKET, SO_PEERGROUPS, nullptr, &size);
  others.resize(size / sizeof(gid_t));
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERGROUPS, others.data(), &size) == 0)
    peer.groups.insert(peer.groups.end(), others.begin(), others.end());
  return peer;
}

// A socket that nobody listens at any more was left behind by one that was killed.
Status UnixReceiver::remove_stale() const {
  struct stat there;
  if (lstat(path_.c_str(), &there) != 0)
    return {};
  if (!S_ISSOCK(there.st_mode))
    return Status::failed("\"" + path_ +
                          "\" is there and is no socket: remove it, or choose another path.");
  const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(path_);
  const bool answers =
      connect(probe.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0 ||
      errno != ECONNREFUSED;
  if (answers)
    return Status::failed("Another program listens at \"" + path_ +
                          "\": end it, or choose another path.");
  if (unlink(path_.c_str()) != 0 && errno != ENOENT)
    return Status::failed("Cannot remove the old socket \"" + path_ + "\": " + message_of(errno) +
                          ". Check who may write to its directory.");
  return {};
}

Status UnixReceiver::bind_to(const Descriptor &made) const {
  const sockaddr_un address = address_of(path_);
  // Before anybody can connect; what the umask takes away is given back then.
  fchmod(made.get(), kMode);
  if (bind(made.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0 &&
      chmod(path_.c_str(), kMode) == 0 && listen(made.get(), SOMAXCONN) == 0)
    return {};
  const int error = errno;
  if (error == ENOENT)
    return Status::failed("Cannot listen at \"" + path_ +
                          "\": its directory does not exist. Create the directory, or choose "
                          "another path.");
  return Status::failed("Cannot listen at \"" + path_ + "\": " + message_of(error) +
                        ". Check who may write to its directory, or choose another path.");
}

Status UnixReceiver::open() {
  close();
  if (Status status = remove_stale(); !status.is_ok())
    return status;
  Descriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made.is_open())
    return Status::failed("There can be no more sockets: " + message_of(errno) + ".");
  if (Status status = bind_to(made); !status.is_ok())
    return status;
  if (lstat(path_.c_str(), &status_) != 0)
    return Status::failed("The socket \"" + path_ + "\" was taken away by another program.");
  classic_.emplace(site_);
  accept_again_ = {};
  listener_ = std::move(made);
  return {};
}

void UnixReceiver::close() noexcept {
  connections_.clear();
  askable_.clear();
  if (!listener_.is_open())
    return;
  // Another one may be there by now.
  struct stat there;
  if (lstat(path_.c_str(), &there) == 0 && is_same(there, status_))
    unlink(path_.c_str());
  listener_ = Descriptor();
}

// Returns false if the bell was rung or the time is over.
bool UnixReceiver::poll_all(int bell, Clock::time_point until) {
  const Clock::time_point now = Clock::now();
  std::erase_if(connections_, [&](const auto &each) { return each.second.is_stuck(now); });
  files_ = {{bell, POLLIN, 0}, {accept_again_ > now ? -1 : listener_.get(), POLLIN, 0}};
  tickets_.clear();
  if (accept_again_ > now)
    until = std::min(until, accept_again_);
  // After the one that was served last, so that all have their turn.
  const auto begin = connections_.upper_bound(served_);
  const auto add = [&](Connections::iterator from, Connections::iterator to) {
    for (; from != to; ++from) {
      const short events = from->second.events(now);
      until = std::min(until, from->second.next());
      files_.push_back({events != 0 ? from->second.socket() : -1, events, 0});
      tickets_.push_back(from->first);
    }
  };
  add(begin, connections_.end());
  add(connections_.begin(), begin);
  const int count = poll(files_.data(), files_.size(), milliseconds_until(until));
  return count > 0 && files_[0].revents == 0;
}

Status UnixReceiver::receive(Reception &came, int bell, Clock::time_point until) {
  std::ranges::move(senders_, std::back_inserter(came.senders));
  senders_.clear();
  do {
    if (!poll_all(bell, until))
      return {};
    const Clock::time_point now = Clock::now();
    serve_all(came, now);
    if (files_[1].revents != 0)
      accept_all(came, now);
  } while (came.records.empty() && came.refused == 0 && came.senders.empty() &&
           came.unavailable.empty());
  note_senders(came);
  return {};
}

void UnixReceiver::note_senders(const Reception &came) {
  const Arrival *last = nullptr;
  for (const Arrival &arrival : came.records) {
    const Series &series = arrival.id.series;
    if (last != nullptr && last->ticket == arrival.ticket && last->id.series == series)
      continue;
    last = &arrival;
    const auto found = connections_.find(arrival.ticket);
    if (found != connections_.end() && found->second.takes_requests())
      askable_[{series.site, series.camera}] = arrival.ticket;
  }
  // One that is gone from here is back with its next record.
  while (askable_.size() > kMostAskable)
    askable_.erase(askable_.begin());
}

void UnixReceiver::ask(const std::vector<Gap> &gaps) {
  for (const Gap &gap : gaps) {
    const auto sender = askable_.find({gap.series.site, gap.series.camera});
    if (sender == askable_.end())
      continue;
    const auto found = connections_.find(sender->second);
    if (found == connections_.end())
      askable_.erase(sender);
    else if (!found->second.ask(gap))
      connections_.erase(found);
  }
}

void UnixReceiver::serve_all(Reception &came, Clock::time_point now) {
  for (std::size_t i = 0; i < tickets_.size() && came.records.size() < kMostRecords; i++) {
    const pollfd &file = files_[i + 2];
    if (file.revents == 0)
      continue;
    const auto found = connections_.find(tickets_[i]);
    Connection &connection = found->second;
    served_ = tickets_[i];
    const bool goes_on = ((file.events & POLLOUT) == 0 || connection.write()) &&
                         ((file.events & POLLIN) == 0 || connection.read(*classic_, came, now));
    if (!goes_on)
      connections_.erase(found);
  }
}

// Whether there may be one more. If need be, the sender goes that has sent nothing for longest.
bool UnixReceiver::make_room(Reception &came, Clock::time_point now) {
  if (connections_.size() < kMostConnections)
    return true;
  const auto idle = std::ranges::min_element(
      connections_, {}, [](const auto &each) { return each.second.last_record(); });
  if (now - idle->second.last_record() < kIdle)
    return false;
  came.senders.push_back("There are " + std::to_string(kMostConnections) + " senders at \"" +
                         path_ +
                         "\": one that sent nothing was disconnected. Let programs that are done "
                         "close their connections.");
  connections_.erase(idle);
  return true;
}

void UnixReceiver::accept_all(Reception &came, Clock::time_point now) {
  constexpr int kMostAtOnce = 64;
  for (int i = 0; i < kMostAtOnce; i++) {
    // Nobody has to go for one who may not be there.
    if (i > 0 && connections_.size() >= kMostConnections)
      return;
    const bool has_room = make_room(came, now);
    Descriptor socket(
        has_room ? accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1);
    if (!socket.is_open()) {
      // Full, or out of descriptors: they wait in the kernel's queue.
      if (!has_room || (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED))
        accept_again_ = now + kFull;
      return;
    }
    accept(std::move(socket), came, now);
  }
}

void UnixReceiver::accept(Descriptor socket, Reception &came, Clock::time_point now) {
  pid_t process = 0;
  const auto peer = peer_of(socket, process);
  struct stat there;
  // An administrator may have changed its group.
  const bool is_there = lstat(path_.c_str(), &there) == 0 && is_same(there, status_);
  if (!peer || !may_send(*peer, geteuid(), is_there ? there.st_gid : status_.st_gid)) {
    const std::string who =
        peer ? "user " + std::to_string(peer->user) + " (process " + std::to_string(process) + ")"
             : "somebody unknown";
    came.senders.push_back("A program of " + who + " was turned away at \"" + path_ +
                           "\": add that user to the group of the socket.");
    return;
  }
  const std::uint64_t ticket = ++last_ticket_;
  connections_.emplace(ticket, Connection(std::move(socket),
                                          "process " + std::to_string(process) + " of user " +
                                              std::to_string(peer->user),
                                          ticket, now));
}

void UnixReceiver::stored(const RecordId &id, std::uint64_t ticket) {
  const auto found = connections_.find(ticket);
  if (found == connections_.end())
    return;
  Reception news;
  if (!found->second.stored(id, news))
    connections_.erase(found);
  std::ranges::move(news.senders, std::back_inserter(senders_));
}

}  // namespace

bool may_send(const Peer &peer, uid_t user, gid_t group) {
  return peer.user == 0 || peer.user == user ||
         std::ranges::find(peer.groups, group) != peer.groups.end();
}

std::unique_ptr<Receiver> make_unix_receiver(const Uri &uri) {
  uri.allow_parameters({"site"});
  std::string path = uri.local_path("socket", "unix:/run/npc/counts.sock");
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    throw UriError(uri.text, "the path of a socket has at most 107 bytes");
  const std::string site = uri.parameter("site", "home");
  if (!is_name(site))
    throw UriError(uri.text, "site must be 1 to 64 letters, digits, _ or -");
  return std::make_unique<UnixReceiver>(std::move(path), site);
}

}  // namespace npc::source
