// SPDX-License-Identifier: LGPL-2.1-or-later
// npcdetect: its properties.
#pragma once

#include <gst/gst.h>

namespace npc::detect {

void install_detect_properties(GObjectClass *klass);
void set_detect_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec);
void get_detect_property(GObject *object, guint id, GValue *value, GParamSpec *pspec);

}  // namespace npc::detect
