/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GstNpcCounts: the one record that the bus, MQTT, sockets, files and databases carry. */
#ifndef GST_NPC_COUNTS_H
#define GST_NPC_COUNTS_H

#include <gst/npc/npcprelude.h>

G_BEGIN_DECLS

/**
 * GST_NPC_COUNTS_CAPS:
 *
 * The caps of a stream of records: each buffer holds one record as UTF-8 JSON with a newline at its
 * end.
 */
#define GST_NPC_COUNTS_CAPS "application/x-npc-counts, version=(int)1, format=(string)json"

/**
 * GST_NPC_COUNTS_MESSAGE_NAME:
 *
 * The name of the structure in the element message that npccount posts for each record.
 */
#define GST_NPC_COUNTS_MESSAGE_NAME "npc-counts"

/**
 * GST_NPC_COUNTS_VERSION:
 *
 * The version of the record that this library writes, and the only one that it reads.
 */
#define GST_NPC_COUNTS_VERSION 1

/**
 * GST_NPC_RECORD_MAX:
 *
 * The longest record that a reader accepts, in bytes of JSON or of line protocol, without the
 * newline at its end. It holds for the text that is read and for the one that would be written of
 * it in the same form, so that whatever was accepted can be passed on.
 */
#define GST_NPC_RECORD_MAX 4096

/**
 * GST_NPC_TIME_MAX:
 *
 * The latest `time` of a record, in ms since 1970: line protocol writes it in ns, as an integer of
 * 64 bits with a sign, of which the last whole ms lies in the year 2262.
 */
#define GST_NPC_TIME_MAX (G_MAXINT64 / G_GINT64_CONSTANT(1000000) - 1)

/**
 * GstNpcCountsFlags:
 * @GST_NPC_COUNTS_FLAG_PARTIAL: "partial": the last window before the end of the stream, shorter
 * than the others
 * @GST_NPC_COUNTS_FLAG_DEGRADED: "degraded": frames were lost, came too late to be looked at, or
 * were damaged
 * @GST_NPC_COUNTS_FLAG_STALLED: "stalled": the camera delivered no frames for 5 s or longer, for
 * some of the window at least. The numbers are those of the frames that did come, and 0 if none
 * did, which does not mean that nobody was there
 * @GST_NPC_COUNTS_FLAG_SHUTTERED: "shuttered": the camera is covered or switched off on purpose
 * @GST_NPC_COUNTS_FLAG_CLOCK_UNSYNCED: "clock-unsynced": the system clock was not set by a time
 * server
 * @GST_NPC_COUNTS_FLAG_REPLAYED: "replayed": delivered from the store, after an outage
 *
 * What a reader must know about the circumstances of a record. The name in quotes is the one in
 * JSON.
 */
typedef enum {
  GST_NPC_COUNTS_FLAG_PARTIAL = 1 << 0,
  GST_NPC_COUNTS_FLAG_DEGRADED = 1 << 1,
  GST_NPC_COUNTS_FLAG_STALLED = 1 << 2,
  GST_NPC_COUNTS_FLAG_SHUTTERED = 1 << 3,
  GST_NPC_COUNTS_FLAG_CLOCK_UNSYNCED = 1 << 4,
  GST_NPC_COUNTS_FLAG_REPLAYED = 1 << 5,
} GstNpcCountsFlags;

#define GST_TYPE_NPC_COUNTS_FLAGS (gst_npc_counts_flags_get_type())
GST_NPC_API GType gst_npc_counts_flags_get_type(void);

/**
 * GstNpcObjectCount:
 * @name: class of the objects
 * @count: confirmed tracks of that class present, median over the window
 */
typedef struct {
  gchar name[GST_NPC_NAME_MAX + 1];
  guint count;
} GstNpcObjectCount;

/**
 * GstNpcLineCount:
 * @name: name of the line
 * @in: crossings from side A to side B in the window
 * @out: crossings from side B to side A in the window
 * @in_total: crossings from A to B since the totals were last reset
 * @out_total: crossings from B to A since the totals were last reset
 */
typedef struct {
  gchar name[GST_NPC_NAME_MAX + 1];
  guint in;
  guint out;
  guint64 in_total;
  guint64 out_total;
} GstNpcLineCount;

/**
 * GstNpcZoneCount:
 * @name: name of the zone
 * @people: people in the zone, median over the window
 * @people_max: the most people at once in the window
 * @entered: entries in the window
 * @dwell: mean length of the stays that ended in the window, in ms; 0 if none did
 */
typedef struct {
  gchar name[GST_NPC_NAME_MAX + 1];
  guint people;
  guint people_max;
  guint entered;
  guint64 dwell;
} GstNpcZoneCount;

/**
 * GstNpcCounts:
 * @site: where the camera is
 * @camera: which camera
 * @boot: random name of this run of the counter
 * @seq: number of the record in that run, from 0; (site, camera, boot, seq) names a record for ever
 * @time: end of the window, UTC, in ms since 1970, at most %GST_NPC_TIME_MAX
 * @interval: length of the window in ms
 * @people: confirmed tracks of the counted class present, median over the window's analysed frames
 * @people_max: the most of them at once
 * @moving: those of them that moved faster than 0.2 body heights a second, median
 * @faces: confirmed face tracks, median
 * @objects: (element-type GstNpcObjectCount): other classes; never %NULL
 * @lines: (element-type GstNpcLineCount): lines in the order of their definition; never %NULL
 * @zones: (element-type GstNpcZoneCount): zones in the order of their definition; never %NULL
 * @flags: circumstances
 *
 * One record. Numbers are at most %G_MAXINT64, the largest integer that line protocol has, and
 * those of type guint at most %G_MAXUINT. All names are names as gst_npc_name_is_valid() has them,
 * and no two objects, lines or zones share one. To write a record that breaks these rules is a
 * mistake of the program: the functions that write answer it with a critical warning and %NULL.
 *
 * Since: 1.0
 */
typedef struct {
  gchar site[GST_NPC_NAME_MAX + 1];
  gchar camera[GST_NPC_NAME_MAX + 1];
  gchar boot[GST_NPC_NAME_MAX + 1];
  guint64 seq;
  guint64 time;
  guint64 interval;
  guint people;
  guint people_max;
  guint moving;
  guint faces;
  GArray *objects;
  GArray *lines;
  GArray *zones;
  GstNpcCountsFlags flags;

  /*< private >*/
  gpointer _gst_reserved[GST_PADDING];
} GstNpcCounts;

#define GST_TYPE_NPC_COUNTS (gst_npc_counts_get_type())
GST_NPC_API GType gst_npc_counts_get_type(void);

/**
 * gst_npc_counts_new: (constructor)
 *
 * Returns: (transfer full): a record with empty names, which must be set before it is written, and
 * zeros; free with gst_npc_counts_free()
 */
GST_NPC_API GstNpcCounts *gst_npc_counts_new(void);

/**
 * gst_npc_counts_copy:
 * @counts: a record
 *
 * Returns: (transfer full): a deep copy
 */
GST_NPC_API GstNpcCounts *gst_npc_counts_copy(const GstNpcCounts *counts);

/**
 * gst_npc_counts_free:
 * @counts: (nullable) (transfer full): a record
 */
GST_NPC_API void gst_npc_counts_free(GstNpcCounts *counts);

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
 * gst_npc_counts_to_json:
 * @counts: a record
 *
 * Returns: (transfer full): one line of JSON, keys in the order of the structure, without a newline
 */
GST_NPC_API gchar *gst_npc_counts_to_json(const GstNpcCounts *counts);

/**
 * gst_npc_counts_from_json:
 * @json: UTF-8 text, not necessarily ended by NUL
 * @length: its length in bytes, or -1 if it ends with NUL
 * @error: why it was refused
 *
 * Reads a record from a stranger: unknown keys and unknown flags are ignored; an unknown version, a
 * text longer than %GST_NPC_RECORD_MAX, two values of the same name, numbers that are not whole
 * (3.0 and 1e3 are not) or out of range, and names that are not names are refused. `version`,
 * `site`, `camera`, `boot`, `seq`, `time`, `interval` and `people` must be there; the others, those
 * of a line or a zone among them, default to none or zero (`people_max` to `people`).
 *
 * Returns: (transfer full) (nullable): the record, or %NULL with @error set
 */
GST_NPC_API GstNpcCounts *gst_npc_counts_from_json(const gchar *json, gssize length,
                                                   GError **error);

/* clang-format off */
/**
 * gst_npc_counts_to_line_protocol:
 * @counts: a record
 *
 * InfluxDB's line protocol, one line for the frame (measurement `npc`) and one for each class
 * (`npc_object`, tag `class`, field `count`), line (`npc_line`, tag `line`) and zone (`npc_zone`,
 * tag `zone`), all with the tags `camera` and `site` and the same time in ns:
 *
 * |[
 * npc,camera=door,site=home people=3i,people_max=4i,moving=1i,faces=1i,seq=48213i,interval=2000i,boot="5f0c" 1767225600000953380
 * npc_line,camera=door,line=main,site=home in=5i,out=4i,in_total=1204i,out_total=1187i 1767225600000953380
 * ]|
 *
 * `flags="partial,degraded"` follows `boot` if there are any.
 *
 * A database knows a point by its tags and its time, and the times of two records may be equal: a
 * clock is set back, a board without one starts again. So the time of the points is that of the
 * record, in ms, and below that
 *
 * |[
 * (FNV-1a of boot, 64 bits, + seq) modulo 1000000
 * ]|
 *
 * A record that is written twice is the same points. Of two with the same ms, those of one boot
 * differ (but for a multiple of 1000000 records between them), and those of two boots are the same
 * points once in a million.
 *
 * Returns: (transfer full): the lines, separated by newlines, without one at the end
 */
/* clang-format on */
GST_NPC_API gchar *gst_npc_counts_to_line_protocol(const GstNpcCounts *counts);

/**
 * gst_npc_counts_from_line_protocol:
 * @text: the lines of one record, as gst_npc_counts_to_line_protocol() writes them, in any order of
 * lines, tags and fields
 * @length: its length in bytes, or -1 if it ends with NUL
 * @error: why it was refused
 *
 * Reads by the rules of gst_npc_counts_from_json(): other measurements, tags and fields, empty
 * lines and those that begin with `#` are ignored. Lines that differ in site, camera or time are
 * refused, and so is a text without the line for the frame. A time of whole milliseconds is read
 * too.
 *
 * Returns: (transfer full) (nullable): the record, or %NULL with @error set
 */
GST_NPC_API GstNpcCounts *gst_npc_counts_from_line_protocol(const gchar *text, gssize length,
                                                            GError **error);

/**
 * gst_npc_counts_new_message:
 * @source: the element that posts it
 * @counts: a record
 * @timestamp: timestamp of the window's start, in ns
 * @stream_time: stream time of the window's start, in ns
 * @running_time: running time of the window's start, in ns
 * @duration: length of the window, in ns
 *
 * Returns: (transfer full): an element message: `timestamp`, `stream-time`, `running-time`,
 * `duration` (guint64, ns) and then the fields of gst_npc_counts_to_structure()
 */
GST_NPC_API GstMessage *gst_npc_counts_new_message(GstObject *source, const GstNpcCounts *counts,
                                                   GstClockTime timestamp, GstClockTime stream_time,
                                                   GstClockTime running_time,
                                                   GstClockTime duration);

/**
 * gst_npc_counts_from_message:
 * @message: any message from a bus
 *
 * Returns: (transfer full) (nullable): the record if @message is one of npccount's, else %NULL
 */
GST_NPC_API GstNpcCounts *gst_npc_counts_from_message(GstMessage *message);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstNpcCounts, gst_npc_counts_free)

G_END_DECLS

#endif
