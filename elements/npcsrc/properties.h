// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsrc: its properties, and its URI for those who know no property.
#pragma once

#include <glib-object.h>
#include <gst/gst.h>

/// Adds the properties to the class, and what sets and gets them.
void gst_npc_src_install_properties(GObjectClass *klass);

/// Fills the interface GstURIHandler.
void gst_npc_src_init_uri_handler(gpointer iface, gpointer data);
