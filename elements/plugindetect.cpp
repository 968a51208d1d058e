// SPDX-License-Identifier: LGPL-2.1-or-later
// The entry of the plugin "npcdetect": all that needs OpenCV, which a gateway has no use for.
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <gst/gst.h>

#include "npcdetect/gstnpcdetect.h"

static gboolean plugin_init(GstPlugin *plugin) {
  return GST_ELEMENT_REGISTER(npcdetect, plugin);
}

// Its version is GStreamer's: see plugin.cpp.
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, npcdetect,
                  "Detects people and things on the device and lets no picture out", plugin_init,
                  GSTREAMER_VERSION, "LGPL", PACKAGE " " VERSION,
                  "https://github.com/bernard357/no-picture-camera")
