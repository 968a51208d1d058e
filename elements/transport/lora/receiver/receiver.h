// SPDX-License-Identifier: LGPL-2.1-or-later
// The gateway's side of LoRa, without a radio: it is given what was received, and says what to
// publish and what to answer.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "transport/lora/camerasfile.h"
#include "transport/lora/frame/block.h"
#include "transport/lora/frame/frame.h"
#include "transport/lora/frame/sealing.h"
#include "transport/lora/radio/airtime.h"
#include "transport/lora/radio/dutybudget.h"
#include "transport/lora/receiver/camerastate.h"
#include "transport/lora/receiver/keptframes.h"

namespace npc::lora {

/// What came of what was received.
struct Received {
  enum class Outcome {
    kAccepted,  ///< something new; its ticket is due
    kRepeated,  ///< all of it was known
    kStale,     ///< of a boot that is too old
    kRefused,   ///< forged, damaged, or none of ours
    kBusy,      ///< as kRefused, because the store is so far behind
  };
  Outcome outcome = Outcome::kRefused;
  const Camera *camera = nullptr;  ///< whose it is; null if it was refused
  std::uint64_t ticket = 0;        ///< to be given to Receiver::stored()
  Reception reception;
};

/// The rules of a gateway.
///
/// What was received is not acknowledged, and not part of state(), before stored() was called for
/// it: a gateway that is killed gets it from the camera again.
class Receiver {
 public:
  /// As many frames may wait for the store.
  static constexpr std::size_t kMostUnstored = 4096;

  struct Ack {
    std::uint8_t camera = 0;
    Bytes frame;
    Time airtime{0};
  };

  /// `duty`, in millionths, is what the gateway itself may send. Throws std::runtime_error if
  /// libsodium does not work.
  Receiver(const std::vector<Camera> &cameras, const Modulation &modulation, std::uint32_t duty,
           Time now);

  /// A frame was received. `began_ms` is the UTC time at which it began: its end less its airtime.
  Received receive(std::span<const std::uint8_t> bytes, std::int64_t began_ms, int rssi, Time now);

  /// The store downstream has everything up to and with this ticket.
  void stored(std::uint64_t ticket);
  /// The store has failed: what it does not have is forgotten, and accepted when it comes again.
  void forget_unstored();

  /// The frames that the store does not have yet, in their order. Whoever keeps them with state(),
  /// before their records are handed on, and gives them to receive() again after restore(), gets
  /// the same records again: a store that has them drops those.
  std::vector<KeptFrame> unstored() const;
  /// The next ack to send, now, or nothing. Its airtime is taken from the budget. One that is over
  /// the budget is dropped: a later frame of the camera will cause another one.
  std::optional<Ack> next_ack(Time now);

  /// Everything that must outlive the process, of what the store has. It holds no keys.
  std::string state() const;
  /// Takes what state() gave. If it fails, nothing has changed.
  Status restore(std::string_view text);

  /// What is missing of a camera, boot by boot.
  std::map<std::uint16_t, std::vector<Range>> gaps(std::uint8_t camera) const;

 private:
  struct Link {
    explicit Link(const Camera &of);

    Camera camera;
    Keys key;
    std::unique_ptr<Keys> next_key;
    CameraState live;    // with what was received
    CameraState stored;  // with what the store has
    int since_ack = 0;   // frames
    bool ack_is_due = false;
    std::uint16_t ack_boot = 0;
    std::uint64_t ack_ticket = 0;  // what must be stored before
    std::optional<Time> acked;
    bool phase = false;
    int rssi = 0;
  };
  struct Unstored {
    std::uint64_t ticket;
    Link *link;
    Frame frame;
    KeptFrame kept;
    std::string key_id;
    bool has_records;
  };

  const Keys *open(const Link &link, std::span<const std::uint8_t> bytes, Frame *frame) const;
  void accept(Link *link, const Frame &frame, const std::string &key_id, KeptFrame kept,
              Received *received);
  void consider_ack(Link *link, const Frame &frame, const Received &received, Time now);
  void store_front();

  std::map<std::uint8_t, Link> links_;
  const Modulation modulation_;
  DutyBudget budget_;
  std::deque<Unstored> unstored_;
  std::uint64_t last_ticket_ = 0, stored_ticket_ = 0;
};

/// The boot of published records.
std::string boot_name(std::uint16_t boot);

}  // namespace npc::lora
