/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every header of libgstnpc-1.0 needs: the export macro, names, and the error domain. */
#ifndef GST_NPC_PRELUDE_H
#define GST_NPC_PRELUDE_H

#include <glib-object.h>

/* As GST_API_EXPORT, but without GStreamer's headers: a record needs none of them. */
#define GST_NPC_API extern __attribute__((visibility("default")))

G_BEGIN_DECLS

/**
 * GST_NPC_NAME_MAX:
 *
 * The longest name of a site, camera, boot, line, zone or object class, in bytes.
 */
#define GST_NPC_NAME_MAX 64

/**
 * GST_NPC_ERROR:
 *
 * The error domain of this library; codes are #GstNpcError.
 */
#define GST_NPC_ERROR (gst_npc_error_quark())

/**
 * GstNpcError:
 * @GST_NPC_ERROR_SYNTAX: the text is not JSON or not line protocol
 * @GST_NPC_ERROR_VERSION: the record's version is not 1
 * @GST_NPC_ERROR_TOO_LARGE: the record is longer than %GST_NPC_RECORD_MAX
 * @GST_NPC_ERROR_FIELD: a field is missing, of the wrong type, or out of range
 *
 * Why a record was refused. The message of the #GError is a sentence that names the field.
 */
typedef enum {
  GST_NPC_ERROR_SYNTAX,
  GST_NPC_ERROR_VERSION,
  GST_NPC_ERROR_TOO_LARGE,
  GST_NPC_ERROR_FIELD,
} GstNpcError;

GST_NPC_API GQuark gst_npc_error_quark(void);

/**
 * gst_npc_name_is_valid:
 * @name: (nullable): a name
 *
 * Names go into MQTT topics, tags of a database and entity ids as they are, so only those
 * characters are allowed that need escaping in none of them.
 *
 * Returns: whether @name matches `[A-Za-z0-9_-]{1,64}`
 */
GST_NPC_API gboolean gst_npc_name_is_valid(const gchar *name);

G_END_DECLS

#endif
