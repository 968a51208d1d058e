// SPDX-License-Identifier: LGPL-2.1-or-later
// A mutex and its lock, known to clang's thread safety analysis.
#pragma once

#include <mutex>

// See https://clang.llvm.org/docs/ThreadSafetyAnalysis.html: clang proves at compile time that what
// is guarded is used under its mutex only. The standard library's own mutex has no annotations with
// GCC's library. Other compilers see nothing of it.
#if defined(__clang__)
#define NPC_THREAD_SAFETY(attribute) __attribute__((attribute))
#else
#define NPC_THREAD_SAFETY(attribute)
#endif

/// Of a variable: read and written under this mutex only.
#define NPC_GUARDED_BY(mutex) NPC_THREAD_SAFETY(guarded_by(mutex))
/// Of a function, also of a lambda: to be called with this mutex held.
#define NPC_REQUIRES(...) NPC_THREAD_SAFETY(requires_capability(__VA_ARGS__))
/// Of a function: to be called without this mutex, which it takes itself or waits for.
#define NPC_EXCLUDES(...) NPC_THREAD_SAFETY(locks_excluded(__VA_ARGS__))
/// Of a mutex: the other one, if both are held, is taken later.
#define NPC_ACQUIRED_BEFORE(...) NPC_THREAD_SAFETY(acquired_before(__VA_ARGS__))

namespace npc {

/// A std::mutex.
class NPC_THREAD_SAFETY(capability("mutex")) Mutex {
 public:
  void lock() NPC_THREAD_SAFETY(acquire_capability()) { mutex_.lock(); }
  void unlock() NPC_THREAD_SAFETY(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

/// Holds a mutex as long as it lives, but for the time from unlock() to lock(). Conditions are a
/// std::condition_variable_any, which waits with it.
class NPC_THREAD_SAFETY(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex &mutex) NPC_THREAD_SAFETY(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~Lock() NPC_THREAD_SAFETY(release_capability()) {
    if (held_)
      mutex_.unlock();
  }
  Lock(const Lock &) = delete;
  Lock &operator=(const Lock &) = delete;

  void lock() NPC_THREAD_SAFETY(acquire_capability()) {
    mutex_.lock();
    held_ = true;
  }
  void unlock() NPC_THREAD_SAFETY(release_capability()) {
    held_ = false;
    mutex_.unlock();
  }

 private:
  Mutex &mutex_;
  bool held_ = true;
};

}  // namespace npc
