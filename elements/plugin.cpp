// SPDX-License-Identifier: LGPL-2.1-or-later
// The entry of the plugin "npc": what counts, what delivers and what receives.
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <gst/gst.h>

#include "npccount/gstnpccount.h"
#include "npcsink/gstnpcsink.h"
#include "npcsrc/gstnpcsrc.h"

static gboolean plugin_init(GstPlugin *plugin) {
  gboolean registered = GST_ELEMENT_REGISTER(npccount, plugin);
  registered |= GST_ELEMENT_REGISTER(npcsink, plugin);
  registered |= GST_ELEMENT_REGISTER(npcsrc, plugin);
  return registered;
}

// gst-inspect-1.0 --exists takes a plugin for there only if its version is at least GStreamer's
// own, so it has the one that it was built for. Ours stands with the package.
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, npc,
                  "Counts people and things, delivers the counts and receives them", plugin_init,
                  GSTREAMER_VERSION, "LGPL", PACKAGE " " VERSION,
                  "https://github.com/bernard357/no-picture-camera")
