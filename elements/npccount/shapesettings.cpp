// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount: its lines, zones and thresholds, and the totals of the lines.
#include <utility>

#include "npccount/engine.h"
#include "npccount/ruleparser.h"

GST_DEBUG_CATEGORY_EXTERN(npccount_debug);
#define GST_CAT_DEFAULT npccount_debug

bool npc::CountEngine::refuse_to_start(const npc::CountSettings &current) {
  for (const auto &[property, shapes] :
       {std::pair{"lines", &current.lines}, std::pair{"zones", &current.zones},
        std::pair{"thresholds", &current.thresholds}}) {
    if (shapes->error.empty())
      continue;
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("The property %s cannot be used. %s", property, shapes->error.c_str()),
                      (nullptr));
    return true;
  }
  const std::string error = npc::count::error_in(*current.definitions);
  if (!error.empty()) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("The property thresholds cannot be used. %s", error.c_str()), (nullptr));
    return true;
  }
  if (!npc::does_record_fit(current.site.value, current.camera.value, *current.definitions)) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("The properties lines and zones cannot be used: %s.", npc::kRecordRule),
                      (nullptr));
    return true;
  }
  return false;
}

template <typename Definition>
void npc::CountEngine::set_shapes(npc::ShapeSetting npc::CountSettings::*which,
                                  std::vector<Definition> npc::count::Definitions::*kind,
                                  const char *property, const gchar *text,
                                  bool (*read)(const char *, std::vector<Definition> &,
                                               std::string &)) {
  std::vector<Definition> found;
  std::string error;
  read(text, found, error);
  {
    npc::ObjectLocker lock(element_);
    const bool running = GST_STATE(element_) >= GST_STATE_PAUSED;
    npc::count::Definitions wanted = *settings.definitions;
    wanted.*kind = std::move(found);
    // What is not running yet is judged as a whole when it starts.
    if (running && error.empty())
      error = npc::count::error_in(wanted);
    if (running && error.empty() &&
        !npc::does_record_fit(settings.site.value, settings.camera.value, wanted))
      error = std::string(1, g_ascii_toupper(*npc::kRecordRule)) + (npc::kRecordRule + 1) + ".";
    if (error.empty() || !running) {
      settings.*which = {text != nullptr ? text : "", error};
      if (error.empty())
        settings.definitions = std::make_shared<const npc::count::Definitions>(std::move(wanted));
      return;
    }
  }
  GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS,
                      ("The property %s stays as it was. %s", property, error.c_str()), (nullptr));
}

void npc::CountEngine::set_lines(const gchar *text) {
  set_shapes(&npc::CountSettings::lines, &npc::count::Definitions::lines, "lines", text,
             npc::read_lines);
}

void npc::CountEngine::set_zones(const gchar *text) {
  set_shapes(&npc::CountSettings::zones, &npc::count::Definitions::zones, "zones", text,
             npc::read_zones);
}

void npc::CountEngine::set_thresholds(const gchar *text) {
  set_shapes(&npc::CountSettings::thresholds, &npc::count::Definitions::thresholds, "thresholds",
             text, npc::read_thresholds);
}

void npc::CountEngine::apply_definitions(const npc::CountSettings &current) {
  if (applied_ == current.definitions)
    return;
  applied_ = current.definitions;
  rules_.define(*applied_);
}

void npc::CountEngine::reset(const gchar *name) {
  const std::string text = name != nullptr ? name : "";
  {
    npc::ObjectLocker lock(element_);
    bool known = text.empty();
    for (const npc::count::LineDefinition &line : settings.definitions->lines)
      known |= line.name == text;
    if (known) {
      resets.insert(text);
      return;
    }
  }
  g_autofree gchar *shown = g_utf8_make_valid(text.c_str(), -1);
  GST_ELEMENT_WARNING(element_, RESOURCE, SETTINGS,
                      ("There is no line \"%s\", so no totals were reset. The property lines names "
                       "those there are.",
                       shown),
                      (nullptr));
}

void npc::CountEngine::apply_resets() {
  std::set<std::string> names;
  {
    npc::ObjectLocker lock(element_);
    names.swap(resets);
  }
  for (const std::string &name : names)
    rules_.reset_totals(name);
  unsaved_ |= !names.empty();
}

void npc::CountEngine::load_totals(const npc::CountSettings &current) {
  // What was counted in this life is newer than the file.
  if (current.state_file.empty() || loaded_ == current.state_file)
    return;
  std::string error;
  rules_.set_totals(npc::count::load_totals(current.state_file, error));
  loaded_ = current.state_file;
  unsaved_ = save_failed_ = false;
  unwritten_.reset();
  if (!error.empty())
    GST_ELEMENT_WARNING(element_, RESOURCE, READ, ("%s", error.c_str()), (nullptr));
}

// Writes the totals if they changed. A file that cannot be written is tried again each time, and
// complained of once; one that comes and goes, seldom.
void npc::CountEngine::save_totals(const npc::CountSettings &current) {
  if (current.state_file.empty() || !unsaved_)
    return;
  std::string error;
  unsaved_ = !npc::count::save_totals(current.state_file, rules_.totals(), error);
  if (!std::exchange(save_failed_, unsaved_) && unsaved_ && unwritten_.ask())
    GST_ELEMENT_WARNING(element_, RESOURCE, WRITE, ("%s", error.c_str()), (nullptr));
  else if (unsaved_)
    GST_DEBUG_OBJECT(element_, "%s", error.c_str());
}

void npc::CountEngine::post(const npc::count::Events &events, GstClockTime pts, Time running,
                            const npc::CountSettings &current) {
  for (const npc::count::Crossing &crossing : events.crossings)
    post(crossing, pts, running, current);
  for (const npc::count::Alarm &alarm : events.alarms)
    post(alarm, running, current);
}

void npc::CountEngine::post(const npc::count::Crossing &crossing, GstClockTime pts, Time running,
                            const npc::CountSettings &current) {
  unsaved_ = true;
  GST_DEBUG_OBJECT(element_, "line %s: one more %s", crossing.line.c_str(),
                   crossing.in ? "in" : "out");
  if (!current.post_messages)
    return;
  const GstClockTime stream_time = gst_segment_to_stream_time(&segment_, GST_FORMAT_TIME, pts);
  GstStructure *fields = gst_structure_new(
      "npc-crossing", "timestamp", G_TYPE_UINT64, pts, "stream-time", G_TYPE_UINT64, stream_time,
      "running-time", G_TYPE_UINT64, static_cast<guint64>(running.count()), "site", G_TYPE_STRING,
      current.site.value.c_str(), "camera", G_TYPE_STRING, current.camera.value.c_str(), "line",
      G_TYPE_STRING, crossing.line.c_str(), "direction", G_TYPE_STRING, crossing.in ? "in" : "out",
      "class", G_TYPE_STRING, crossing.label.c_str(), "in_total", G_TYPE_UINT64, crossing.totals.in,
      "out_total", G_TYPE_UINT64, crossing.totals.out, nullptr);
  gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), fields));
}

void npc::CountEngine::post(const npc::count::Alarm &alarm, Time running,
                            const npc::CountSettings &current) {
  const char *state = alarm.above ? "above" : "below";
  GST_DEBUG_OBJECT(element_, "threshold %s: %s, with %u", alarm.threshold.c_str(), state,
                   alarm.people);
  if (!current.post_messages)
    return;
  const auto since = static_cast<GstClockTime>((running - alarm.held).count());
  const GstClockTime pts =
      gst_segment_position_from_running_time(&segment_, GST_FORMAT_TIME, since);
  const GstClockTime stream_time = gst_segment_to_stream_time(&segment_, GST_FORMAT_TIME, pts);
  GstStructure *fields = gst_structure_new(
      "npc-threshold", "timestamp", G_TYPE_UINT64, pts, "stream-time", G_TYPE_UINT64, stream_time,
      "running-time", G_TYPE_UINT64, since, "duration", G_TYPE_UINT64,
      static_cast<guint64>(alarm.held.count()), "site", G_TYPE_STRING, current.site.value.c_str(),
      "camera", G_TYPE_STRING, current.camera.value.c_str(), "threshold", G_TYPE_STRING,
      alarm.threshold.c_str(), "zone", G_TYPE_STRING, alarm.zone.c_str(), "class", G_TYPE_STRING,
      alarm.label.c_str(), "state", G_TYPE_STRING, state, "people", G_TYPE_UINT, alarm.people,
      nullptr);
  gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), fields));
}
