/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public API of libgstnpc-1.0: include this one header. */
#ifndef GST_NPC_H
#define GST_NPC_H

#include <gst/npc/npccounts.h>
#include <gst/npc/npccountsstructure.h>
#include <gst/npc/npcdetections.h>

#endif
