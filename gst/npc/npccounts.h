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
 * @GST_NPC_COUNTS_FLAG_REPLAYED: "replayed": sent anew by a program that says so; npcsink delivers
 *   a record after an outage as it was made
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
 * @name: (not nullable): class of the objects; read-only
 * @count: confirmed tracks of that class present, median over the window
 *
 * A class in a record. Only the library makes them: a later version may have more fields at the
 * end.
 */
typedef struct {
  const gchar *name;
  guint count;
} GstNpcObjectCount;

#define GST_TYPE_NPC_OBJECT_COUNT (gst_npc_object_count_get_type())
GST_NPC_API GType gst_npc_object_count_get_type(void);

/**
 * GstNpcLineCount:
 * @name: (not nullable): name of the line; read-only
 * @in: crossings from side A to side B in the window
 * @out: crossings from side B to side A in the window
 * @in_total: crossings from A to B since the totals were last reset
 * @out_total: crossings from B to A since the totals were last reset
 *
 * A line in a record. Only the library makes them: a later version may have more fields at the end.
 */
typedef struct {
  const gchar *name;
  guint in;
  guint out;
  guint64 in_total;
  guint64 out_total;
} GstNpcLineCount;

#define GST_TYPE_NPC_LINE_COUNT (gst_npc_line_count_get_type())
GST_NPC_API GType gst_npc_line_count_get_type(void);

/**
 * GstNpcZoneCount:
 * @name: (not nullable): name of the zone; read-only
 * @people: people in the zone, median over the window
 * @people_max: the most people at once in the window
 * @entered: entries in the window
 * @dwell: mean length of the stays that ended in the window, in ms; 0 if none did
 *
 * A zone in a record. Only the library makes them: a later version may have more fields at the end.
 */
typedef struct {
  const gchar *name;
  guint people;
  guint people_max;
  guint entered;
  guint64 dwell;
} GstNpcZoneCount;

#define GST_TYPE_NPC_ZONE_COUNT (gst_npc_zone_count_get_type())
GST_NPC_API GType gst_npc_zone_count_get_type(void);

/**
 * GstNpcCounts:
 * @site: (not nullable): where the camera is; read-only
 * @camera: (not nullable): which camera; read-only
 * @boot: (not nullable): random name of this run of the counter; read-only
 * @seq: number of the record in that run, from 0; (site, camera, boot, seq) names a record for ever
 * @time: end of the window, UTC, in ms since 1970, at most %GST_NPC_TIME_MAX
 * @interval: length of the window in ms
 * @people: confirmed tracks of the counted class present, median over the window's analysed frames
 * @people_max: the most of them at once
 * @moving: those of them that moved faster than 0.2 body heights a second, median
 * @faces: confirmed face tracks, median
 * @flags: circumstances
 *
 * One record. What it has of other classes, of lines and of zones, in the order of their
 * definition, is behind gst_npc_counts_get_object(), gst_npc_counts_get_line() and
 * gst_npc_counts_get_zone().
 *
 * Only gst_npc_counts_new(), gst_npc_counts_copy() and the functions that read make records: a
 * later version may have more fields at the end, so do not assign or embed the structure. One that
 * was made in another way is answered with a critical warning.
 *
 * Numbers are at most %G_MAXINT64, the largest integer that line protocol has, and those of type
 * guint at most %G_MAXUINT. All names are names as gst_npc_name_is_valid() has them, and no two
 * classes, lines or zones share one. To write a record that breaks these rules is a mistake of the
 * program: the functions that write answer it with a critical warning and %NULL.
 *
 * Since: 1.0
 */
typedef struct {
  const gchar *site;
  const gchar *camera;
  const gchar *boot;
  guint64 seq;
  guint64 time;
  guint64 interval;
  guint people;
  guint people_max;
  guint moving;
  guint faces;
  GstNpcCountsFlags flags;

  /*< private >*/
  gpointer priv;
} GstNpcCounts;

#define GST_TYPE_NPC_COUNTS (gst_npc_counts_get_type())
GST_NPC_API GType gst_npc_counts_get_type(void);

/**
 * gst_npc_counts_new: (constructor)
 * @site: where the camera is
 * @camera: which camera
 * @boot: random name of this run of the counter
 *
 * Names must be as gst_npc_name_is_valid() has them.
 *
 * Returns: (transfer full): a record of zeros; free with gst_npc_counts_free()
 */
GST_NPC_API GstNpcCounts *gst_npc_counts_new(const gchar *site, const gchar *camera,
                                             const gchar *boot);

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
 * gst_npc_counts_get_n_objects:
 * @counts: a record
 *
 * Returns: the number of other classes
 */
GST_NPC_API guint gst_npc_counts_get_n_objects(const GstNpcCounts *counts);

/**
 * gst_npc_counts_get_object:
 * @counts: a record
 * @index: which one, from 0, less than gst_npc_counts_get_n_objects()
 *
 * Returns: (transfer none): the count of a class. It is @counts' own, lives as long as that does,
 * and stays where it is when others are added
 */
GST_NPC_API const GstNpcObjectCount *gst_npc_counts_get_object(const GstNpcCounts *counts,
                                                               guint index);

/**
 * gst_npc_counts_add_object:
 * @counts: a record
 * @name: a class that the record does not have yet
 *
 * In C, the caller writes the numbers to what this returns. Other languages get a copy of it, and
 * write by gst_npc_counts_set_number().
 *
 * Returns: (transfer none): a class at the end, of zeros
 */
GST_NPC_API GstNpcObjectCount *gst_npc_counts_add_object(GstNpcCounts *counts, const gchar *name);

/**
 * gst_npc_counts_remove_object:
 * @counts: a record
 * @index: which one, as in gst_npc_counts_get_object()
 */
GST_NPC_API void gst_npc_counts_remove_object(GstNpcCounts *counts, guint index);

/**
 * gst_npc_counts_get_n_lines:
 * @counts: a record
 *
 * Returns: the number of lines
 */
GST_NPC_API guint gst_npc_counts_get_n_lines(const GstNpcCounts *counts);

/**
 * gst_npc_counts_get_line:
 * @counts: a record
 * @index: which one, from 0, less than gst_npc_counts_get_n_lines()
 *
 * Returns: (transfer none): the line. It is @counts' own, lives as long as that does, and stays
 * where it is when others are added
 */
GST_NPC_API const GstNpcLineCount *gst_npc_counts_get_line(const GstNpcCounts *counts, guint index);

/**
 * gst_npc_counts_add_line:
 * @counts: a record
 * @name: a name that no line of the record has
 *
 * In C, the caller writes the numbers to what this returns. Other languages get a copy of it, and
 * write by gst_npc_counts_set_number().
 *
 * Returns: (transfer none): a line at the end, of zeros
 */
GST_NPC_API GstNpcLineCount *gst_npc_counts_add_line(GstNpcCounts *counts, const gchar *name);

/**
 * gst_npc_counts_remove_line:
 * @counts: a record
 * @index: which one, as in gst_npc_counts_get_line()
 */
GST_NPC_API void gst_npc_counts_remove_line(GstNpcCounts *counts, guint index);

/**
 * gst_npc_counts_get_n_zones:
 * @counts: a record
 *
 * Returns: the number of zones
 */
GST_NPC_API guint gst_npc_counts_get_n_zones(const GstNpcCounts *counts);

/**
 * gst_npc_counts_get_zone:
 * @counts: a record
 * @index: which one, from 0, less than gst_npc_counts_get_n_zones()
 *
 * Returns: (transfer none): the zone. It is @counts' own, lives as long as that does, and stays
 * where it is when others are added
 */
GST_NPC_API const GstNpcZoneCount *gst_npc_counts_get_zone(const GstNpcCounts *counts, guint index);

/**
 * gst_npc_counts_add_zone:
 * @counts: a record
 * @name: a name that no zone of the record has
 *
 * In C, the caller writes the numbers to what this returns. Other languages get a copy of it, and
 * write by gst_npc_counts_set_number().
 *
 * Returns: (transfer none): a zone at the end, of zeros
 */
GST_NPC_API GstNpcZoneCount *gst_npc_counts_add_zone(GstNpcCounts *counts, const gchar *name);

/**
 * gst_npc_counts_remove_zone:
 * @counts: a record
 * @index: which one, as in gst_npc_counts_get_zone()
 */
GST_NPC_API void gst_npc_counts_remove_zone(GstNpcCounts *counts, guint index);

/**
 * gst_npc_counts_get_number:
 * @counts: a record
 * @path: which number, by its keys in the JSON record with dots between them: `people`,
 * `objects.car`, `lines.door.in_total`, `zones.queue.dwell`
 * @number: (out): the number, 0 if there is none
 *
 * Returns: whether the record has that number. It has none of a class that was not seen
 */
GST_NPC_API gboolean gst_npc_counts_get_number(const GstNpcCounts *counts, const gchar *path,
                                               guint64 *number);

/**
 * gst_npc_counts_set_number:
 * @counts: a record
 * @path: which number, as in gst_npc_counts_get_number()
 * @number: the number
 *
 * Returns: whether it is set: the record has that number, and it may be @number
 */
GST_NPC_API gboolean gst_npc_counts_set_number(GstNpcCounts *counts, const gchar *path,
                                               guint64 number);

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

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstNpcCounts, gst_npc_counts_free)

G_END_DECLS

#endif
