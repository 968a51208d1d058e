/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GstNpcCounts in GStreamer: as a structure, and as a message on the bus. */
#ifndef GST_NPC_COUNTS_STRUCTURE_H
#define GST_NPC_COUNTS_STRUCTURE_H

#include <gst/gst.h>
#include <gst/npc/npccounts.h>

G_BEGIN_DECLS

/**
 * GST_NPC_COUNTS_MESSAGE_NAME:
 *
 * The name of the structure in the element message that npccount posts for each record.
 */
#define GST_NPC_COUNTS_MESSAGE_NAME "npc-counts"

/**
 * gst_npc_counts_to_structure:
 * @counts: a record
 *
 * The structure is named %GST_NPC_COUNTS_MESSAGE_NAME. Its fields have the names of the JSON
 * record: `version` (int), `site`, `camera`, `boot` (string), `seq`, `time`, `interval` (guint64),
 * `people`, `people_max`, `moving`, `faces` (guint), `objects` (structure: a guint for each class),
 * `lines` and `zones` (structure: a structure of the numbers for each name), `flags`
 * (#GstNpcCountsFlags). All of them are always there.
 *
 * GStreamer before 1.26 remembers the name of each field for as long as the process lives: do not
 * make structures of records from strangers who may invent a new name each time.
 *
 * Returns: (transfer full): the record as a structure
 */
GST_NPC_API GstStructure *gst_npc_counts_to_structure(const GstNpcCounts *counts);

/**
 * gst_npc_counts_from_structure:
 * @structure: a structure as gst_npc_counts_to_structure() makes them; its name does not matter
 * @error: why it was refused
 *
 * Reads by the rules of gst_npc_counts_from_json(). Whole numbers may be of the types int, guint or
 * guint64. A text becomes such a structure by gst_structure_from_string() only after
 * #GST_TYPE_NPC_COUNTS_FLAGS was used once: GStreamer finds types by name only then.
 *
 * Returns: (transfer full) (nullable): the record, or %NULL with @error set
 */
GST_NPC_API GstNpcCounts *gst_npc_counts_from_structure(const GstStructure *structure,
                                                        GError **error);

/**
 * gst_npc_counts_to_message:
 * @counts: a record
 * @source: (nullable): the element that posts it
 * @timestamp: timestamp of the window's start, in ns
 * @stream_time: stream time of the window's start, in ns
 * @running_time: running time of the window's start, in ns
 * @duration: length of the window, in ns
 *
 * Returns: (transfer full): an element message: `timestamp`, `stream-time`, `running-time`,
 * `duration` (guint64, ns) and then the fields of gst_npc_counts_to_structure()
 */
GST_NPC_API GstMessage *gst_npc_counts_to_message(const GstNpcCounts *counts, GstObject *source,
                                                  GstClockTime timestamp, GstClockTime stream_time,
                                                  GstClockTime running_time, GstClockTime duration);

/**
 * gst_npc_counts_from_message:
 * @message: any message from a bus
 *
 * Returns: (transfer full) (nullable): the record if @message is one of npccount's, else %NULL
 */
GST_NPC_API GstNpcCounts *gst_npc_counts_from_message(GstMessage *message);

G_END_DECLS

#endif
