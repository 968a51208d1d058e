// SPDX-License-Identifier: LGPL-2.1-or-later
// Which kinds of updaters there are.
#include "npcsink/updaters/registry.h"

#include "npcsink/updaters/file.h"
#include "npcsink/updaters/gpio/gpio.h"
#include "npcsink/updaters/influxdb/influxdb.h"
#include "npcsink/updaters/lora/lora.h"
#include "npcsink/updaters/mqtt/mqtt.h"
#include "npcsink/updaters/unix.h"

namespace npc::sink {

const Registry &Registry::standard() {
  static const Registry registry = [] {
    Registry made;
    made.add("file", make_file_updater);
    made.add("gpio", [](const Uri &uri) { return make_gpio_updater(uri); });
    made.add("influxdb", make_influxdb_updater);
    made.add("influxdbs", make_influxdb_updater);
    made.add("lora", make_lora_updater);
    made.add("mqtt", make_mqtt_updater);
    made.add("mqtts", make_mqtt_updater);
    made.add("ws", make_mqtt_updater);
    made.add("wss", make_mqtt_updater);
    made.add("unix", [](const Uri &uri) { return make_unix_updater(uri); });
    return made;
  }();
  return registry;
}

void Registry::add(const std::string &scheme, Factory factory) {
  factories_.insert_or_assign(scheme, std::move(factory));
}

std::unique_ptr<Updater> Registry::make(std::string_view text) const {
  const std::string scheme = scheme_of(text);
  const auto found = factories_.find(scheme);
  if (found != factories_.end())
    return found->second(parse_uri(text));

  std::string known;
  for (const auto &[name, factory] : factories_)
    known.append(known.empty() ? "" : ", ").append(name).append(":");
  throw UriError(text, scheme.empty()
                           ? "it must begin with one of " + known
                           : "there is no updater " + scheme + ":, it must be one of " + known);
}

}  // namespace npc::sink
