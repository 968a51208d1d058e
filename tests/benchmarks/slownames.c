/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loaded before the C library: the host "broker.invalid" is on the loopback interface, but as long
 * as the file $NPC_SLOW_NAMES exists, the name server takes four seconds to say nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int Lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
  Lookup *real;
  *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  if (node == NULL || strcmp(node, "broker.invalid") != 0)
    return real(node, service, hints, result);
  const char *slow = getenv("NPC_SLOW_NAMES");
  if (slow == NULL || access(slow, F_OK) != 0)
    return real("127.0.0.1", service, hints, result);
  sleep(4);
  return EAI_AGAIN;
}
