// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink, for the plugin.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

GST_ELEMENT_REGISTER_DECLARE(npcsink)

G_END_DECLS
