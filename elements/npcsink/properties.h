// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink: its properties.
#pragma once

#include <glib-object.h>

/// Adds the properties to the class, and what sets and gets them.
void gst_npc_sink_install_properties(GObjectClass *klass);
