// SPDX-License-Identifier: LGPL-2.1-or-later
// The unix receiver: records of programs on this device, through a stream socket.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <vector>

#include "base/uri.h"
#include "npcsrc/receivers/receiver.h"

namespace npc::source {

/// `unix:/path[?site=home]`: listens there for any number of senders, each of which writes JSON
/// lines or one message of the first No-picture Camera, which gets that site.
std::unique_ptr<Receiver> make_unix_receiver(const Uri &uri);

/// Who is at the other end of a socket.
struct Peer {
  uid_t user;
  std::vector<gid_t> groups;
};

/// Whether it may send: the user that we are, root, and members of the socket's group may.
bool may_send(const Peer &peer, uid_t user, gid_t group);

}  // namespace npc::source
