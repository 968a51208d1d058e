// SPDX-License-Identifier: LGPL-2.1-or-later
// The plugin's entry: registers its elements.
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <gst/gst.h>

#include "../elements/npccount/gstnpccount.h"
#include "../elements/npcdetect/gstnpcdetect.h"
#include "../elements/npcsink/gstnpcsink.h"

static gboolean plugin_init(GstPlugin *plugin) {
  gboolean registered = GST_ELEMENT_REGISTER(npcdetect, plugin);
  registered |= GST_ELEMENT_REGISTER(npccount, plugin);
  registered |= GST_ELEMENT_REGISTER(npcsink, plugin);
  return registered;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, npc,
                  "Counts people and things on the device and lets no picture out", plugin_init,
                  VERSION, "LGPL", PACKAGE, "https://github.com/bernard357/no-picture-camera")
