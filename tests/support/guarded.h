// SPDX-License-Identifier: LGPL-2.1-or-later
// Memory of a frame behind which nothing may be read, not even by libraries that no sanitizer sees.
#pragma once

#include <gst/gst.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

namespace npc::test {

/// `size` bytes, all zero, at the end of a page; the pages after it cannot be read.
inline GstMemory *guarded_memory(gsize size) {
  constexpr gsize kGuard = 16 << 20;
  struct Pages {
    void *start;
    gsize size;
  };
  const auto page = static_cast<gsize>(sysconf(_SC_PAGESIZE));
  const gsize room = (size / page + 1) * page;
  void *start =
      mmap(nullptr, room + kGuard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED || mprotect(static_cast<char *>(start) + room, kGuard, PROT_NONE) != 0)
    std::abort();
  return gst_memory_new_wrapped(static_cast<GstMemoryFlags>(0), start, room, room - size, size,
                                new Pages{start, room + kGuard}, [](gpointer data) {
                                  auto *pages = static_cast<Pages *>(data);
                                  munmap(pages->start, pages->size);
                                  delete pages;
                                });
}

}  // namespace npc::test
