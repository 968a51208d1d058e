/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application in C: the public headers must stay C, and say all that it needs. */
#include <gst/npc/npc.h>

#include <string.h>

#define CHECK(condition)                                                 \
  do {                                                                   \
    if (!(condition)) {                                                  \
      g_printerr("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      return FALSE;                                                      \
    }                                                                    \
  } while (0)

static gboolean read_a_message(void) {
  g_autoptr(GstNpcCounts) counts = gst_npc_counts_new("home", "door", "5f0c");
  GstNpcLineCount *added = gst_npc_counts_add_line(counts, "entrance");
  added->in = 5;
  added->in_total = 1204;
  counts->people = 3;
  counts->flags = GST_NPC_COUNTS_FLAG_PARTIAL;

  g_autoptr(GstBus) bus = gst_bus_new();
  gst_bus_post(bus, gst_npc_counts_to_message(counts, NULL, 0, 0, 0, 2 * GST_SECOND));
  g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT);
  CHECK(message != NULL);
  g_autoptr(GstNpcCounts) received = gst_npc_counts_from_message(message);
  CHECK(received != NULL);
  CHECK(received->people == 3);
  CHECK(received->flags == GST_NPC_COUNTS_FLAG_PARTIAL);
  CHECK(g_str_equal(received->camera, "door"));
  CHECK(gst_npc_counts_get_n_lines(received) == 1);
  const GstNpcLineCount *line = gst_npc_counts_get_line(received, 0);
  CHECK(g_str_equal(line->name, "entrance") && line->in_total == 1204);
  guint64 in = 0;
  CHECK(gst_npc_counts_get_number(received, "lines.entrance.in", &in) && in == 5);
  return TRUE;
}

static gboolean read_a_text(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GstNpcCounts) counts = gst_npc_counts_from_json("{\"version\":1}", -1, &error);
  CHECK(counts == NULL);
  CHECK(g_error_matches(error, GST_NPC_ERROR, GST_NPC_ERROR_FIELD));
  CHECK(strstr(error->message, "site") != NULL);
  CHECK(gst_npc_name_is_valid("home") && !gst_npc_name_is_valid("my home"));
  CHECK(g_type_is_a(GST_TYPE_NPC_COUNTS, G_TYPE_BOXED));
  CHECK(g_type_is_a(GST_TYPE_NPC_COUNTS_FLAGS, G_TYPE_FLAGS));
  return TRUE;
}

static gboolean read_detections(void) {
  GstNpcDetection detection = {
      .label = "person", .x = 1, .y = 2, .width = 30, .height = 40, .confidence = 0.5};
  gpointer state = NULL;
  g_autoptr(GstBuffer) buffer = gst_buffer_new();
  CHECK(gst_npc_buffer_add_detection(buffer, &detection, 64, 48));
  memset(&detection, 0, sizeof detection);
  CHECK(gst_npc_buffer_iterate_detections(buffer, &state, &detection));
  CHECK(g_str_equal(detection.label, "person") && detection.confidence == 0.5);
  CHECK(!gst_npc_buffer_iterate_detections(buffer, &state, &detection));
  return TRUE;
}

static gboolean know_the_caps(void) {
  g_autoptr(GstCaps) counts = gst_caps_from_string(GST_NPC_COUNTS_CAPS);
  g_autoptr(GstCaps) detections = gst_caps_from_string(GST_NPC_DETECTIONS_CAPS);
  CHECK(counts != NULL && gst_caps_is_fixed(counts));
  CHECK(detections != NULL && !gst_caps_can_intersect(counts, detections));
  return TRUE;
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  const gboolean good = read_a_message() && read_a_text() && read_detections() && know_the_caps();
  gst_deinit();
  return good ? 0 : 1;
}
