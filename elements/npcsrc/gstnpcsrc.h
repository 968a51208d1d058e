// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsrc, for the plugin.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

GST_ELEMENT_REGISTER_DECLARE(npcsrc)

G_END_DECLS
