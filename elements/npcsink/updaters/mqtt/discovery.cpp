// SPDX-License-Identifier: LGPL-2.1-or-later
// The keys are Home Assistant's abbreviations: the message is retained by small brokers, too.
#include "npcsink/updaters/mqtt/discovery.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/shorthash.h"

namespace npc::sink {
namespace {

using Json = nlohmann::ordered_json;

// Between the two forms: Home Assistant lets go of the entities and keeps what their user has made
// of them for the message of the other form that follows.
constexpr const char *kMigrate = R"({"migrate_discovery":true})";
constexpr const char *kUrl = "https://github.com/bernard357/no-picture-camera";

// Names of lines and zones may begin with a digit or hold a dash.
std::string at(const char *table, const std::string &name, const char *field) {
  return std::string("value_json.") + table + "['" + name + "']['" + field + "']";
}

std::string value(const std::string &expression) {
  return "{{ " + expression + " }}";
}

class Builder {
 public:
  explicit Builder(const Device &device)
      : device_(device), id_(device_id(device.site, device.camera)) {}

  Json components() {
    gauge("people", "People", "people");
    gauge("moving", "Moving", "people");
    gauge("faces", "Faces", "faces");
    Json &occupancy = add("occupancy", "binary_sensor", "Occupancy",
                          value("'ON' if value_json.people > 0 else 'OFF'"));
    occupancy["dev_cla"] = "occupancy";
    for (const std::string &line : device_.places.lines) {
      total("line_" + line + "_in", line + " in", at("lines", line, "in_total"));
      total("line_" + line + "_out", line + " out", at("lines", line, "out_total"));
    }
    for (const std::string &zone : device_.places.zones)
      add_zone(zone);
    add_diagnostics();
    return std::move(components_);
  }

 private:
  Json &add(const std::string &key, const char *platform, const std::string &name,
            const std::string &tmpl) {
    Json &component = components_[key];
    component = {{"p", platform}, {"uniq_id", id_ + "_" + key}, {"name", name}, {"val_tpl", tmpl}};
    if (device_.expire_after.count() > 0)
      component["exp_aft"] = device_.expire_after.count();
    return component;
  }

  Json &measure(const std::string &key, const std::string &name, const char *unit,
                const std::string &expression) {
    Json &component = add(key, "sensor", name, value(expression));
    component["stat_cla"] = "measurement";
    component["unit_of_meas"] = unit;
    component["sug_dsp_prc"] = 0;
    return component;
  }

  void gauge(const char *key, const char *name, const char *unit) {
    measure(key, name, unit, std::string("value_json.") + key);
  }

  void total(const std::string &key, const std::string &name, const std::string &expression) {
    Json &component = add(key, "sensor", name, value(expression));
    component["stat_cla"] = "total_increasing";
    component["unit_of_meas"] = "people";
  }

  void add_zone(const std::string &zone) {
    measure("zone_" + zone + "_people", zone + " people", "people", at("zones", zone, "people"));
    measure("zone_" + zone + "_dwell", zone + " dwell", "s",
            "(" + at("zones", zone, "dwell") + " / 1000) | round(0)")["dev_cla"] = "duration";
  }

  void add_diagnostics() {
    Json &problem = add("problem", "binary_sensor", "Problem",
                        value("'ON' if value_json.flags | select('in', ['degraded', 'stalled', "
                              "'shuttered', 'clock-unsynced']) | list else 'OFF'"));
    problem["dev_cla"] = "problem";
    problem["ent_cat"] = "diagnostic";
    if (device_.health_topic.empty())
      return;
    diagnose(measure("uptime", "Uptime", "s", "value_json.uptime"))["dev_cla"] = "duration";
    diagnose(measure("delay", "Dispatcher delay", "ms", "value_json.delay"))["dev_cla"] =
        "duration";
    diagnose(measure("pending", "Waiting records", "records", "value_json.pending"));
    for (const auto &[key, name] :
         {std::pair("dropped", "Dropped records"), std::pair("reconnects", "Reconnects")}) {
      total(key, name, std::string("value_json.") + key);
      components_[key].erase("unit_of_meas");
      diagnose(components_[key]);
    }
  }

  Json &diagnose(Json &component) {
    component["ent_cat"] = "diagnostic";
    component["stat_t"] = device_.health_topic;
    component.erase("exp_aft");
    return component;
  }

  const Device &device_;
  const std::string id_;
  Json components_ = Json::object();
};

Json parse(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json();
}

// What all components have in common.
Json common_config(const Device &device) {
  Json available = Json::array();
  for (const std::string &topic : device.status_topics)
    available.push_back({{"t", topic}});
  return {
      {"dev",
       {{"ids", Json::array({device_id(device.site, device.camera)})},
        {"name", device.site + " " + device.camera},
        {"mf", "No-picture Camera"},
        {"mdl", "No-picture Camera"},
        {"sw", device.version}}},
      {"o", {{"name", "npcsink"}, {"sw", device.version}, {"url", kUrl}}},
      {"avty", available},
      {"avty_mode", "all"},
      {"stat_t", device.state_topic},
      {"qos", 1},
  };
}

std::string device_config(const Device &device, const Json &components) {
  Json config = common_config(device);
  config["cmps"] = components;
  return config.dump();
}

std::string entity_config(const Device &device, const Json &component) {
  Json config = common_config(device);
  config.update(component);
  config.erase("p");  // it is in the topic
  return config.dump();
}

// The components with an entity in a message for a device; none if it is not understood.
Components components_in(std::string_view config) {
  Components components;
  const Json json = parse(config);
  const auto all = json.find("cmps");
  if (all == json.end() || !all->is_object())
    return components;
  for (const auto &item : all->items()) {
    const Json &component = item.value();
    if (!component.is_object() || !component.contains("uniq_id"))
      continue;
    const auto platform = component.find("p");
    if (platform != component.end() && platform->is_string())
      components.emplace(item.key(), platform->get<std::string>());
  }
  return components;
}

}  // namespace

Places places_of(const GstNpcCounts &counts) {
  Places places;
  for (guint i = 0; i < gst_npc_counts_get_n_lines(&counts); i++)
    places.lines.emplace_back(gst_npc_counts_get_line(&counts, i)->name);
  for (guint i = 0; i < gst_npc_counts_get_n_zones(&counts); i++)
    places.zones.emplace_back(gst_npc_counts_get_zone(&counts, i)->name);
  return places;
}

std::string device_id(const std::string &site, const std::string &camera) {
  std::string id = "npc_" + site + "_" + camera;
  // Else a_b of c and b_c of a would be one device.
  if (std::count(id.begin(), id.end(), '_') > 2)
    id += "_" + short_hash(site + "/" + camera);
  return id;
}

std::string DiscoveryTopics::entity(const std::string &platform, const std::string &key) const {
  return prefix_ + platform + tail_ + key + "/config";
}

bool DiscoveryTopics::is_entity(std::string_view topic) const {
  constexpr std::string_view kEnd = "/config";
  if (!topic.starts_with(prefix_) || !topic.ends_with(kEnd))
    return false;
  topic.remove_prefix(prefix_.size());
  topic.remove_suffix(kEnd.size());
  const std::size_t platform = topic.find('/');
  return platform != topic.npos && topic.substr(platform).starts_with(tail_) &&
         topic.find('/', platform + tail_.size()) == topic.npos;
}

std::vector<std::string> DiscoveryTopics::filters() const {
  return {device_, entity("+", "+")};
}

bool Listed::note(const DiscoveryTopics &topics, const std::string &topic,
                  std::string_view payload) {
  if (topic == topics.device()) {
    device.reset();
    if (!payload.empty())
      device = components_in(payload);
    return true;
  }
  if (!topics.is_entity(topic))
    return false;
  if (payload.empty())
    entities.erase(topic);
  else
    entities.insert(topic);
  return true;
}

std::vector<DiscoveryMessage> describe(const Device &device, DiscoveryForm form,
                                       const DiscoveryTopics &topics, Listed &listed) {
  const Json components = Builder(device).components();
  std::map<std::string, std::string> entities;  // message by topic
  Components there;
  for (const auto &[key, component] : components.items()) {
    there.emplace(key, component.at("p").get<std::string>());
    entities.emplace(topics.entity(there[key], key), entity_config(device, component));
  }
  Json removing = components;
  for (const auto &[key, platform] : listed.device.value_or(Components())) {
    if (!there.contains(key))
      removing[key] = {{"p", platform}};
  }
  std::vector<DiscoveryMessage> messages;
  // What has only its platform left is removed; the message without it leaves it as it is.
  if (removing.size() > components.size())
    messages.push_back({topics.device(), device_config(device, removing)});
  if (form == DiscoveryForm::kDevice) {
    for (const std::string &topic : listed.entities) {
      if (entities.contains(topic))
        messages.push_back({topic, kMigrate});
    }
    messages.push_back({topics.device(), device_config(device, components)});
    for (const std::string &topic : listed.entities)
      messages.push_back({topic, ""});
    listed = {there, {}};
    return messages;
  }
  if (listed.device)
    messages.push_back({topics.device(), kMigrate});
  for (const auto &[topic, config] : entities)
    messages.push_back({topic, config});
  for (const std::string &topic : listed.entities) {
    if (!entities.contains(topic))
      messages.push_back({topic, ""});
  }
  if (listed.device)
    messages.push_back({topics.device(), ""});
  listed = {};
  for (const auto &[topic, config] : entities)
    listed.entities.insert(topic);
  return messages;
}

}  // namespace npc::sink
