// SPDX-License-Identifier: LGPL-2.1-or-later
// GoogleTest's main for tests that use GStreamer.
#include <gst/gst.h>
#include <gtest/gtest.h>

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  // The sanitizers' runtime does not survive the forked plugin scanner.
  gst_registry_fork_set_enabled(FALSE);
  gst_init(&argc, &argv);
  const int failed = RUN_ALL_TESTS();
  // So that GST_TRACERS=leaks reports.
  gst_deinit();
  return failed;
}
