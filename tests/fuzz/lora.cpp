// SPDX-License-Identifier: LGPL-2.1-or-later
// Fuzzes what comes to a gateway of LoRa: frames, of strangers and of cameras whose keys were
// stolen, its cameras file and its state.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "transport/lora/camerasfile.h"
#include "transport/lora/receiver/receiver.h"
#include "transport/lora/sender/sender.h"

namespace {

using namespace npc;
using namespace npc::lora;

void require(bool holds, const char *what) {
  if (holds)
    return;
  std::fprintf(stderr, "It does not hold that %s.\n", what);
  std::abort();
}

Key any_key() {
  std::array<std::uint8_t, kKeyBytes> bytes{};
  bytes.fill(7);
  return Key(bytes);
}

Camera any_camera() {
  Camera camera;
  camera.number = 7;
  camera.lines = {"a", "b"};
  camera.key = any_key();
  return camera;
}

void read_cameras_text(FuzzedDataProvider &data) {
  std::vector<Camera> cameras;
  const std::string error = parse_cameras(data.ConsumeRemainingBytesAsString(), &cameras).error();
  require(error.empty() != cameras.empty(), "there are cameras, or there is an error");
  require(error.size() < 400, "errors are sentences");
  for (const Camera &camera : cameras)
    require(camera.number > 0 && !camera.site.empty() && camera.lines.size() <= kMostLines,
            "a camera is whole");
}

void read_state(FuzzedDataProvider &data) {
  Receiver receiver({any_camera()}, {}, 10000, Time(0));
  const std::string text = data.ConsumeRemainingBytesAsString();
  std::vector<KeptFrame> frames, again;
  if (read_frames("npc-lora-frames 1\n" + text + "end\n", &frames))
    require(read_frames(write_frames(frames), &again) && again == frames,
            "kept frames can be read again");
  if (!receiver.restore("npc-lora 1\n" + text + "end\n").is_ok())
    return;
  const std::string state = receiver.state();
  require(receiver.restore(state).is_ok(), "what is written can be read");
  require(receiver.state() == state, "and is the same then");
}

PlainFrame any_plain(FuzzedDataProvider &data) {
  PlainFrame plain;
  for (std::uint8_t &byte : plain.head)
    byte = data.ConsumeIntegral<std::uint8_t>();
  plain.head[1] = 7;
  // Few boots, early windows: frames that have to do with each other.
  if (data.ConsumeBool()) {
    plain.head[2] = 0;
    plain.head[4] = 0;
    plain.head[5] &= 1;
  }
  const auto body =
      data.ConsumeBytes<std::uint8_t>(data.ConsumeIntegralInRange<std::size_t>(0, 19));
  plain.body.assign(body.begin(), body.end());
  return plain;
}

// Whatever somebody with the key sends, each window is published once, and acks can be made.
void receive_frames(FuzzedDataProvider &data) {
  static const Keys keys(any_key());
  Receiver receiver({any_camera()}, {}, 1000000, Time(-3600000000));
  std::set<std::pair<std::uint16_t, std::uint32_t>> published;
  Time now(0);
  for (int i = 0; i < 200 && data.remaining_bytes() > 0; ++i) {
    now += std::chrono::seconds(data.ConsumeIntegralInRange(0, 60));
    Bytes frame;
    if (data.ConsumeIntegralInRange(0, 7) == 0) {
      const auto bytes =
          data.ConsumeBytes<std::uint8_t>(data.ConsumeIntegralInRange<std::size_t>(0, 40));
      frame.assign(bytes.begin(), bytes.end());
    } else {
      frame = keys.seal(any_plain(data), Direction::kUp);
    }
    const auto began = data.ConsumeIntegralInRange<std::int64_t>(0, 4102444800000);
    const Received received = receiver.receive(frame, began, data.ConsumeIntegral<int>(), now);
    for (const ReceivedBlock &block : received.reception.blocks) {
      require(block.windows >= 1 && block.windows <= block.seq + 1, "windows are of the boot");
      require(published.insert({block.boot, block.seq}).second, "no block is published twice");
    }
    if (data.ConsumeBool())
      receiver.stored(received.ticket);
    if (const auto ack = receiver.next_ack(now))
      require(keys.open(ack->frame, Direction::kDown).has_value(), "acks are sealed");
  }
  const std::string state = receiver.state();
  require(receiver.restore(state).is_ok() && receiver.state() == state, "the state can be kept");
}

void decode_frame(FuzzedDataProvider &data) {
  const PlainFrame plain = any_plain(data);
  const auto frame = decode(plain);
  if (!frame)
    return;
  const auto again = encode(*frame);
  require(again.has_value(), "what can be read can be said");
  require(decode(*again) == frame, "and is the same then");
}

// Acks for a camera, from a gateway that has gone mad.
void answer_camera(FuzzedDataProvider &data) {
  static const Keys keys(any_key());
  SenderSettings settings;
  settings.camera = 7;
  settings.most_pending = 30;
  Sender sender(settings, any_key(), Time(0));
  Record record;
  record.boot = "boot";
  record.window.interval_ms = 2000;
  Time now(0);
  std::uint64_t confirmed = 0, added = 0;
  for (int i = 0; i < 300 && data.remaining_bytes() > 0; ++i) {
    if (data.ConsumeIntegralInRange(0, 3) == 0) {
      PlainFrame plain = any_plain(data);
      plain.head[0] = 0x10 | (plain.head[0] & 4);
      plain.body.resize(5);
      sender.received(keys.seal(plain, Direction::kDown));
    }
    if (data.ConsumeIntegralInRange(0, 15) == 0)
      record.seq += data.ConsumeIntegral<std::uint32_t>();
    for (int windows = data.ConsumeIntegralInRange(0, 30); windows > 0;
         --windows, ++record.seq, ++added) {
      if (!sender.add(record).is_ok())
        return;
    }
    sender.saved();
    now += std::chrono::seconds(data.ConsumeIntegralInRange(0, 60));
    const Action action = sender.next(now);
    if (action.kind == Action::Kind::kSense)
      sender.sensed(data.ConsumeBool(), now);
    else if (action.kind == Action::Kind::kSend)
      sender.sent();
    require(sender.confirmed() >= confirmed && sender.confirmed() <= added,
            "what is confirmed stays so");
    confirmed = sender.confirmed();
    require(sender.pending() <= 4 * settings.most_pending, "there is an end to what is kept");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  FuzzedDataProvider data(bytes, size);
  switch (data.ConsumeIntegralInRange(0, 4)) {
    case 0:
      read_cameras_text(data);
      break;
    case 1:
      read_state(data);
      break;
    case 2:
      decode_frame(data);
      break;
    case 3:
      answer_camera(data);
      break;
    default:
      receive_frames(data);
      break;
  }
  return 0;
}
