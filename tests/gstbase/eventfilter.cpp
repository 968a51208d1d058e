// SPDX-License-Identifier: LGPL-2.1-or-later
// Every kind of event and query that GStreamer has, and some that it does not have yet, with a
// picture in it: the few that pass npcdetect and npccount leave it behind, in both directions.
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "support/kinds.h"
#include "support/scene.h"

namespace npc::test {
namespace {

// Fields that hold a picture: put in by who sends, and by who answers.
constexpr const char *kSent = "picture", *kAnswered = "answer";
const cv::Size kSize(kWidth, kHeight);

/// Other numbers with each call, and the same in each test.
struct Series {
  gint64 operator()() { return next += 1000; }
  gint64 next = 0;
};
GstQuery *query_of(GstQueryType type) {
  return make_query(type, Series());
}
GstEvent *event_of(GstEventType type) {
  return make_event(type, Series());
}
/// The fields as text, without what the sender put in and without the name, which says nothing.
std::string fields_of(const GstStructure *structure) {
  if (structure == nullptr)
    return {};
  const Owned<GstStructure> fields(gst_structure_copy(structure));
  gst_structure_remove_field(fields.get(), kSent);
  gst_structure_set_name(fields.get(), "fields");
  g_autofree gchar *text = gst_structure_to_string(fields.get());
  return text;
}

/// By the name of its kind, what arrived: its fields.
using Arrived = std::map<std::string, std::string>;

std::set<std::string> names_of(const Arrived &arrived) {
  std::set<std::string> names;
  for (const auto &[name, fields] : arrived)
    names.insert(name);
  return names;
}

class Passage : public testing::TestWithParam<const char *> {
 protected:
  void SetUp() override { start(); }

  void start() {
    harness_.reset(gst_harness_new_parse(GetParam()));
    gst_harness_set_src_caps(harness_.get(), frame_caps(GST_VIDEO_FORMAT_GRAY8, kSize).release());
    Owned<GstBuffer> frame = make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_GRAY8);
    EXPECT_EQ(gst_harness_push(harness_.get(), frame.release()), GST_FLOW_OK);
  }

  GstPad *source() { return harness_->srcpad; }
  GstPad *sink() { return harness_->sinkpad; }
  bool counts() const { return std::strstr(GetParam(), "npccount") != nullptr; }

  void add_picture(GstStructure *structure, const char *field) {
    if (structure != nullptr)
      gst_structure_set(structure, field, GST_TYPE_BUFFER, picture_.get(), nullptr);
  }

  void note(const char *name, const GstStructure *structure) {
    arrived_[name] = fields_of(structure);
    EXPECT_FALSE(structure != nullptr && gst_structure_has_field(structure, kSent)) << name;
  }

  static GstPadProbeReturn answer(GstPad *, GstPadProbeInfo *info, gpointer data) {
    auto *self = static_cast<Passage *>(data);
    GstQuery *query = GST_PAD_PROBE_INFO_QUERY(info);
    self->note(GST_QUERY_TYPE_NAME(query), gst_query_get_structure(query));
    set_answer(query, Series());
    self->add_picture(gst_query_writable_structure(query), kAnswered);
    return GST_PAD_PROBE_HANDLED;
  }

  static GstPadProbeReturn take(GstPad *, GstPadProbeInfo *info, gpointer data) {
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    static_cast<Passage *>(data)->note(GST_EVENT_TYPE_NAME(event), gst_event_get_structure(event));
    return GST_PAD_PROBE_DROP;
  }

  /// Asks from `asker` what `far` answers, if it is asked at all.
  void ask(GstPad *asker, GstPad *far, GstQueryType type) {
    const Owned<GstQuery> query(query_of(type));
    add_picture(gst_query_writable_structure(query.get()), kSent);
    const gulong probe =
        gst_pad_add_probe(far, GST_PAD_PROBE_TYPE_QUERY_BOTH, answer, this, nullptr);
    const bool answered = gst_pad_peer_query(asker, query.get()) != FALSE;
    gst_pad_remove_probe(far, probe);
    const GstStructure *structure = gst_query_get_structure(query.get());
    EXPECT_FALSE(structure != nullptr && gst_structure_has_field(structure, kAnswered))
        << GST_QUERY_TYPE_NAME(query.get());
    if (answered)
      answers_[GST_QUERY_TYPE_NAME(query.get())] = fields_of(structure);
  }

  void ask_all(GstPad *asker, GstPad *far, GstQueryTypeFlags direction) {
    for (int kind : kinds_of(GST_TYPE_QUERY_TYPE, GST_QUERY_TYPE_BOTH))
      if ((kind & direction) != 0)
        ask(asker, far, static_cast<GstQueryType>(kind));
  }

  bool send(GstPad *from, GstPad *far, GstEvent *event) {
    add_picture(gst_event_writable_structure(event), kSent);
    const gulong probe =
        gst_pad_add_probe(far,
                          static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_EVENT_BOTH |
                                                       GST_PAD_PROBE_TYPE_EVENT_FLUSH),
                          take, this, nullptr);
    const bool sent = gst_pad_push_event(from, event) != FALSE;
    gst_pad_remove_probe(far, probe);
    return sent;
  }

  /// Each kind in a life of its own, for some end the stream.
  void send_all(GstEventTypeFlags direction) {
    for (int kind :
         kinds_of(GST_TYPE_EVENT_TYPE, GST_EVENT_TYPE_BOTH | GST_EVENT_TYPE_SERIALIZED)) {
      if ((kind & direction) == 0)
        continue;
      start();
      const bool down = direction == GST_EVENT_TYPE_DOWNSTREAM;
      send(down ? source() : sink(), down ? sink() : source(),
           event_of(static_cast<GstEventType>(kind)));
    }
  }

  /// What arrived is what was sent, but for `except`.
  void expect_same_events(const std::set<std::string> &except) {
    for (int kind : kinds_of(GST_TYPE_EVENT_TYPE, 0)) {
      const Owned<GstEvent> sent(event_of(static_cast<GstEventType>(kind)));
      const std::string name = GST_EVENT_TYPE_NAME(sent.get());
      if (arrived_.contains(name) && !except.contains(name)) {
        EXPECT_EQ(arrived_[name], fields_of(gst_event_get_structure(sent.get()))) << name;
      }
    }
  }

  std::string id_for(const std::string &id) {
    EXPECT_TRUE(send(source(), sink(), gst_event_new_stream_start(id.c_str())));
    const Owned<GstStructure> fields(
        gst_structure_from_string(arrived_["stream-start"].c_str(), nullptr));
    return gst_structure_get_string(fields.get(), "stream-id");
  }

  Owned<GstBuffer> picture_ = make_frame(draw_scene(kSize), GST_VIDEO_FORMAT_GRAY8);
  Owned<GstHarness> harness_;
  Arrived arrived_, answers_;
};

const std::set<std::string> kAsked = {"position", "duration", "latency",
                                      "seeking",  "segment",  "convert"};

TEST_P(Passage, QueriesFromDownstreamLeavePicturesWhereTheyAre) {
  ask_all(sink(), source(), GST_QUERY_TYPE_UPSTREAM);
  EXPECT_EQ(names_of(arrived_), kAsked);
  for (int kind : kinds_of(GST_TYPE_QUERY_TYPE, 0)) {
    const Owned<GstQuery> query(query_of(static_cast<GstQueryType>(kind)));
    const std::string name = GST_QUERY_TYPE_NAME(query.get());
    if (!kAsked.contains(name))
      continue;
    EXPECT_EQ(arrived_[name], fields_of(gst_query_get_structure(query.get()))) << name;
    set_answer(query.get(), Series());
    EXPECT_EQ(answers_[name], fields_of(gst_query_get_structure(query.get()))) << name;
  }
}

TEST_P(Passage, QueriesFromUpstreamLeavePicturesWhereTheyAre) {
  ask_all(source(), sink(), GST_QUERY_TYPE_DOWNSTREAM);
  EXPECT_EQ(names_of(arrived_), kAsked);
  std::set<std::string> answered = kAsked;
  answered.insert({"accept-caps", "allocation", "caps", "drain"});
  EXPECT_EQ(names_of(answers_), answered);
}

// A URI may be the picture itself.
TEST_P(Passage, NobodyIsAskedForAUri) {
  ask(sink(), source(), GST_QUERY_URI);
  EXPECT_TRUE(arrived_.empty());
  EXPECT_TRUE(answers_.empty());
}

TEST_P(Passage, EventsFromUpstreamLeavePicturesBehind) {
  send_all(GST_EVENT_TYPE_DOWNSTREAM);
  std::set<std::string> expected = {"stream-start",      "caps",         "segment",
                                    "stream-group-done", "segment-done", "flush-start",
                                    "flush-stop",        "eos"};
  // npccount keeps gaps: they end windows.
  if (!counts())
    expected.insert("gap");
  EXPECT_EQ(names_of(arrived_), expected);
  expect_same_events({"stream-start", "caps"});
  EXPECT_EQ(arrived_["stream-start"].find("stream=("), std::string::npos)
      << arrived_["stream-start"];
}

TEST_P(Passage, EventsFromDownstreamLeavePicturesBehind) {
  send_all(GST_EVENT_TYPE_UPSTREAM);
  EXPECT_EQ(names_of(arrived_), std::set<std::string>({"flush-start", "flush-stop", "latency",
                                                       "qos", "reconfigure", "seek"}));
  expect_same_events({});
}

TEST_P(Passage, AnEventThatIsRefusedUpstreamIsNotHandled) {
  EXPECT_FALSE(send(sink(), source(), event_of(GST_EVENT_NAVIGATION)));
  EXPECT_TRUE(send(sink(), source(), event_of(GST_EVENT_SEEK)));
}

TEST_P(Passage, StreamIdsTellStreamsApartAndNothingElse) {
  const std::string picture(1 << 20, 'Q');
  const std::string one = id_for(picture), other = id_for("other");
  EXPECT_EQ(one.size(), 64u);
  EXPECT_EQ(one.find_first_not_of("0123456789abcdef"), std::string::npos) << one;
  EXPECT_NE(one, other);
  EXPECT_EQ(one, id_for(picture));
}

// What goes up is what came, with its number and with the offsets of pads: else seeks would be done
// twice, and latencies and QoS were of another time.
TEST_P(Passage, NumbersAndOffsetsStay) {
  for (GstEvent *event :
       {event_of(GST_EVENT_SEEK), gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 1.5, -1000, 1000)}) {
    gst_event_set_running_time_offset(event, -2500);
    const Owned<GstEvent> sent(gst_event_ref(event));
    GstEvent *taken = nullptr;
    const gulong probe = gst_pad_add_probe(
        source(), GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
        [](GstPad *, GstPadProbeInfo *info, gpointer data) {
          *static_cast<GstEvent **>(data) = gst_event_ref(GST_PAD_PROBE_INFO_EVENT(info));
          return GST_PAD_PROBE_DROP;
        },
        &taken, nullptr);
    gst_pad_push_event(sink(), event);
    gst_pad_remove_probe(source(), probe);
    const Owned<GstEvent> arrived(taken);
    ASSERT_TRUE(arrived);
    EXPECT_EQ(gst_event_get_seqnum(arrived.get()), gst_event_get_seqnum(sent.get()));
    EXPECT_EQ(gst_event_get_running_time_offset(arrived.get()), -2500);
    EXPECT_EQ(fields_of(gst_event_get_structure(arrived.get())),
              fields_of(gst_event_get_structure(sent.get())));
  }
}

// An application, or gdpdepay, can make one of any kind that lacks what that kind is about. The
// pads' functions are called as they are: GStreamer itself does not bear some of them.
TEST_P(Passage, EventsThatLackTheirFieldsEndThere) {
  GstElement *elements[] = {gst_harness_find_element(harness_.get(), "npcdetect"),
                            gst_harness_find_element(harness_.get(), "npccount")};
  for (GstElement *element : elements) {
    if (element == nullptr)
      continue;
    const Owned<GstElement> owner(element);
    for (const char *name : {"sink", "src"}) {
      const Owned<GstPad> pad(gst_element_get_static_pad(element, name));
      for (int kind : kinds_of(GST_TYPE_EVENT_TYPE, GST_EVENT_TYPE_BOTH)) {
        const auto type = static_cast<GstEventType>(kind);
        const Owned<GstEvent> whole(event_of(type));
        const GstStructure *fields = whole ? gst_event_get_structure(whole.get()) : nullptr;
        // Each field away, and each of another type.
        for (int i = 0; i < (fields != nullptr ? gst_structure_n_fields(fields) : 0); i++) {
          for (const bool other : {false, true}) {
            GstStructure *broken = gst_structure_copy(fields);
            const std::string field = gst_structure_nth_field_name(fields, i);
            if (other)
              gst_structure_set(broken, field.c_str(), G_TYPE_UCHAR, 7, nullptr);
            else
              gst_structure_remove_field(broken, field.c_str());
            GST_PAD_EVENTFUNC(pad.get())
            (pad.get(), GST_OBJECT(element), gst_event_new_custom(type, broken));
          }
        }
        GST_PAD_EVENTFUNC(pad.get())
        (pad.get(), GST_OBJECT(element), gst_event_new_custom(type, nullptr));
      }
    }
  }
  // EOS and flushes need nothing, and were acted on: only that it lives is asked here.
  EXPECT_TRUE(GST_IS_ELEMENT(harness_->element));
}

/// Collects what the elements of this library log.
void collect(GstDebugCategory *category, GstDebugLevel, const gchar *, const gchar *, gint,
             GObject *, GstDebugMessage *message, gpointer data) {
  if (g_str_has_prefix(gst_debug_category_get_name(category), "npc"))
    static_cast<std::string *>(data)->append(gst_debug_message_get(message)).append("\n");
}

// Encoders' and cameras' caps hold buffers: codec_data, streamheader.
TEST_P(Passage, CapsAreLoggedWithoutWhatElseTheyHold) {
  std::string log;
  gst_debug_set_threshold_from_string("npc*:9", FALSE);
  // In brackets: the macros of these names are no ISO C++.
  (gst_debug_add_log_function)(collect, &log, nullptr);
  Owned<GstBuffer> header(gst_buffer_new_memdup("\xc0\xff\xee\xba\xbe", 5));
  for (const char *format : {"GRAY8", "c0ffeebabe"}) {
    GstCaps *caps = frame_caps(GST_VIDEO_FORMAT_GRAY8, kSize, 5).release();
    gst_caps_set_simple(caps, "format", G_TYPE_STRING, format, "streamheader", GST_TYPE_BUFFER,
                        header.get(), "note", G_TYPE_STRING, "c0ffeebabe", nullptr);
    gst_pad_push_event(source(), gst_event_new_caps(caps));
    gst_caps_unref(caps);
  }
  (gst_debug_remove_log_function)(collect);
  // Others keep theirs: the leaks tracer tells what it knows by the log.
  gst_debug_set_threshold_from_string("npc*:0", FALSE);
  EXPECT_EQ(log.find("c0ffeebabe"), std::string::npos) << log;
  if (std::string(GetParam()).starts_with("npcdetect")) {
    EXPECT_NE(log.find("GRAY8 frames of 64x48"), std::string::npos) << log;
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Passage,
                         testing::Values("npcdetect", "npccount", "npcdetect ! npccount"),
                         [](const testing::TestParamInfo<const char *> &info) {
                           std::string name = info.param;
                           std::erase_if(name, [](char c) { return !g_ascii_isalnum(c); });
                           return name;
                         });

}  // namespace
}  // namespace npc::test
