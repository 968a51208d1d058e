// SPDX-License-Identifier: LGPL-2.1-or-later
// Fuzzes events and queries through the pads of npcdetect and npccount: whatever comes in whatever
// order, with whatever numbers, nothing is handed on but numbers.
#include <fuzzer/FuzzedDataProvider.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "support/kinds.h"

GST_ELEMENT_REGISTER_DECLARE(npcdetect)
GST_ELEMENT_REGISTER_DECLARE(npccount)

using namespace npc::fuzz;
using namespace npc::test;

namespace {

// Few, for names of fields are never forgotten by GLib.
constexpr const char *kForeign[] = {"picture", "uri", "format", "taglist", "stream", "flags"};

const std::vector<int> &event_kinds() {
  static const auto all =
      kinds_of(GST_TYPE_EVENT_TYPE, GST_EVENT_TYPE_BOTH | GST_EVENT_TYPE_SERIALIZED);
  static const std::vector<int> kinds(all.begin(), all.end());
  return kinds;
}

const std::vector<int> &query_kinds() {
  static const auto all = kinds_of(GST_TYPE_QUERY_TYPE, GST_QUERY_TYPE_BOTH);
  static const std::vector<int> kinds(all.begin(), all.end());
  return kinds;
}

/// One that was added, not one that the kind has: those are numbers.
bool is_foreign(const GValue *value) {
  return GST_VALUE_HOLDS_BUFFER(value) || GST_VALUE_HOLDS_STRUCTURE(value) ||
         G_VALUE_HOLDS(value, GST_TYPE_STREAM);
}

/// Nothing that arrives on the other side holds more than numbers, and an id of known length.
void require_plain(const GstStructure *structure) {
  for (gint i = 0; structure != nullptr && i < gst_structure_n_fields(structure); i++) {
    const gchar *name = gst_structure_nth_field_name(structure, static_cast<guint>(i));
    const GValue *value = gst_structure_get_value(structure, name);
    require(!is_foreign(value), "nothing foreign passes");
    if (G_VALUE_HOLDS_STRING(value))
      require(std::strlen(g_value_get_string(value)) == 64, "the only text is a digest");
  }
}

class Stream {
 public:
  Stream(const char *line, FuzzedDataProvider &data)
      : data_(data), picture_(gst_buffer_new_memdup("a picture", 9)) {
    harness_ = gst_harness_new_parse(line);
    gst_harness_set_src_caps(harness_, video_caps());
    constexpr auto kAll = static_cast<GstPadProbeType>(
        GST_PAD_PROBE_TYPE_EVENT_BOTH | GST_PAD_PROBE_TYPE_EVENT_FLUSH |
        GST_PAD_PROBE_TYPE_QUERY_BOTH | GST_PAD_PROBE_TYPE_BUFFER);
    gst_pad_add_probe(harness_->srcpad, kAll, meet, this, nullptr);
    gst_pad_add_probe(harness_->sinkpad, kAll, meet, this, nullptr);
  }
  ~Stream() {
    gst_harness_teardown(harness_);
    require(GST_MINI_OBJECT_REFCOUNT_VALUE(picture_) == 1, "nobody keeps the picture");
    gst_buffer_unref(picture_);
  }
  Stream(const Stream &) = delete;
  Stream &operator=(const Stream &) = delete;

  void step() {
    switch (data_.ConsumeIntegralInRange<int>(0, 5)) {
      case 0:
        push_frame();
        break;
      case 1:
      case 2:
        send(static_cast<GstEventType>(pick(event_kinds())));
        break;
      default:
        ask(static_cast<GstQueryType>(pick(query_kinds())));
        break;
    }
    while (GstBuffer *output = gst_harness_try_pull(harness_))
      gst_buffer_unref(output);
    while (GstEvent *event = gst_harness_try_pull_event(harness_))
      gst_event_unref(event);
  }

 private:
  int pick(const std::vector<int> &kinds) {
    return kinds[data_.ConsumeIntegralInRange<std::size_t>(0, kinds.size() - 1)];
  }
  auto number() {
    return [this] { return data_.ConsumeIntegral<gint64>(); };
  }

  void add_foreign(GstStructure *structure) {
    if (structure == nullptr || !data_.ConsumeBool())
      return;
    const char *name = data_.PickValueInArray(kForeign);
    // What the kind has itself is not overwritten: GStreamer relies on its type.
    if (!gst_structure_has_field(structure, name))
      gst_structure_set(structure, name, GST_TYPE_BUFFER, picture_, nullptr);
  }

  static GstPadProbeReturn meet(GstPad *pad, GstPadProbeInfo *info, gpointer data) {
    auto *self = static_cast<Stream *>(data);
    if (pad == self->sender_)
      return GST_PAD_PROBE_OK;
    if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
      self->require_no_picture(GST_PAD_PROBE_INFO_BUFFER(info));
      return GST_PAD_PROBE_OK;
    }
    if ((info->type & GST_PAD_PROBE_TYPE_QUERY_BOTH) == 0) {
      GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
      require_plain(gst_event_get_structure(event));
      // A pad without its sticky events would be a mistake of ours.
      const bool sticky =
          (gst_event_type_get_flags(GST_EVENT_TYPE(event)) & GST_EVENT_TYPE_STICKY) != 0;
      return sticky || self->data_.ConsumeBool() ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
    }
    GstQuery *query = GST_PAD_PROBE_INFO_QUERY(info);
    // Pads ask these for themselves.
    if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS || GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS)
      return GST_PAD_PROBE_OK;
    require_plain(gst_query_get_structure(query));
    set_answer(query, self->number());
    if (GstStructure *structure = gst_query_writable_structure(query))
      gst_structure_set(structure, "answer", GST_TYPE_BUFFER, self->picture_, nullptr);
    return self->data_.ConsumeBool() ? GST_PAD_PROBE_HANDLED : GST_PAD_PROBE_DROP;
  }

  void require_no_picture(GstBuffer *buffer) {
    GstMapInfo map;
    require(gst_buffer_map(buffer, &map, GST_MAP_READ), "a buffer can be read");
    require(map.size == 0 || map.data[0] == '{', "there is nothing in a buffer, or a record");
    gst_buffer_unmap(buffer, &map);
  }

  void push_frame() {
    GstBuffer *frame = gst_buffer_new_allocate(nullptr, kWidth * kHeight, nullptr);
    gst_buffer_memset(frame, 0, data_.ConsumeIntegral<guint8>(), kWidth * kHeight);
    GST_BUFFER_PTS(frame) = data_.ConsumeIntegralInRange<guint64>(0, 1000 * GST_SECOND);
    sender_ = harness_->srcpad;
    gst_buffer_add_video_region_of_interest_meta(frame, "person", 5, 5, 20, 40);
    gst_harness_push(harness_, frame);
  }

  void send(GstEventType type) {
    const bool down =
        (type & static_cast<int>(GST_EVENT_TYPE_DOWNSTREAM)) != 0 &&
        ((type & static_cast<int>(GST_EVENT_TYPE_UPSTREAM)) == 0 || data_.ConsumeBool());
    sender_ = down ? harness_->srcpad : harness_->sinkpad;
    GstEvent *event = make_event(type, number());
    if (data_.ConsumeBool())
      gst_event_set_running_time_offset(event, data_.ConsumeIntegral<gint32>());
    add_foreign(gst_event_writable_structure(event));
    gst_pad_push_event(sender_, event);
    if (type == GST_EVENT_FLUSH_START || type == GST_EVENT_FLUSH_STOP) {
      gst_pad_push_event(sender_, gst_event_new_flush_stop(TRUE));
      // Without one, frames would be a mistake of whoever pushes them.
      GstSegment segment;
      gst_segment_init(&segment, GST_FORMAT_TIME);
      gst_pad_push_event(harness_->srcpad, gst_event_new_segment(&segment));
    }
  }

  void ask(GstQueryType type) {
    const bool down =
        (type & static_cast<int>(GST_QUERY_TYPE_DOWNSTREAM)) != 0 &&
        ((type & static_cast<int>(GST_QUERY_TYPE_UPSTREAM)) == 0 || data_.ConsumeBool());
    sender_ = down ? harness_->srcpad : harness_->sinkpad;
    GstQuery *query = make_query(type, number());
    add_foreign(gst_query_writable_structure(query));
    gst_pad_peer_query(sender_, query);
    const GstStructure *structure = gst_query_get_structure(query);
    require(structure == nullptr || !gst_structure_has_field(structure, "answer"),
            "nothing foreign comes back");
    gst_query_unref(query);
  }

  FuzzedDataProvider &data_;
  GstBuffer *picture_;
  GstHarness *harness_;
  GstPad *sender_ = nullptr;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const bool registered =
      GST_ELEMENT_REGISTER(npcdetect, nullptr) && GST_ELEMENT_REGISTER(npccount, nullptr);
  require(registered, "the elements are there");
  FuzzedDataProvider data(bytes, size);
  Stream stream(data.PickValueInArray({"npcdetect detector=motion", "npccount interval=100000000",
                                       "npcdetect detector=motion ! npccount interval=100000000"}),
                data);
  while (data.remaining_bytes() > 0)
    stream.step();
  return 0;
}
