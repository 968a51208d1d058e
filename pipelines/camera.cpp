// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds a camera for npc-try.
#include "camera.h"

#include <gst/gst.h>

namespace npc {
namespace {

GList *list_devices(const char *provider_name) {
  g_autoptr(GstDeviceProvider) provider = gst_device_provider_factory_get_by_name(provider_name);
  return provider != nullptr ? gst_device_provider_get_devices(provider) : nullptr;
}

void free_devices(GList *devices) {
  g_list_free_full(devices, gst_object_unref);
}

std::string display_name(GstDevice *device) {
  return Text(gst_device_get_display_name(device)).get();
}

std::optional<Camera> find_libcamera() {
  GList *devices = list_devices("libcameraprovider");
  std::optional<Camera> camera;
  if (devices != nullptr) {
    // Left open, libcamerasrc may choose a format without colour; the frame rate must be fixed too.
    camera = {display_name(GST_DEVICE(devices->data)),
              {"libcamerasrc", "!",
               "video/x-raw,format=(string){NV12,YUY2},width=640,height=480,framerate=10/1"}};
  }
  free_devices(devices);
  return camera;
}

// The Raspberry Pi's image processors and bare sensors are video nodes too, but no cameras: what
// they give makes a picture only through libcamera.
bool is_camera(const GstStructure *properties) {
  const gchar *driver = gst_structure_get_string(properties, "v4l2.device.driver");
  const gchar *const others[] = {"bcm2835-codec", "bcm2835-isp", "pispbe",
                                 "rp1-cfe",       "unicam",      nullptr};
  return driver == nullptr || !g_strv_contains(others, driver);
}

std::optional<Camera> as_v4l2_camera(GstDevice *device) {
  g_autoptr(GstStructure) properties = gst_device_get_properties(device);
  if (properties == nullptr || !gst_device_has_classes(device, "Video/Source") ||
      !is_camera(properties))
    return std::nullopt;
  const gchar *path = gst_structure_get_string(properties, "device.path");
  if (path == nullptr)
    return std::nullopt;

  // Left open, v4l2src takes the largest picture there is.
  const std::string size = ",width=(int)[160,800],height=(int)[120,600]";
  for (const Words &format : {Words{"video/x-raw"}, Words{"image/jpeg", "!", "jpegdec"}}) {
    const std::string filter = format.front() + size;
    g_autoptr(GstCaps) wanted = gst_caps_from_string(filter.c_str());
    g_autoptr(GstCaps) offered = gst_device_get_caps(device);
    if (offered == nullptr || !gst_caps_can_intersect(wanted, offered))
      continue;
    Camera camera = {display_name(device), {"v4l2src", std::string("device=") + path, "!", filter}};
    camera.words.insert(camera.words.end(), format.begin() + 1, format.end());
    return camera;
  }
  return std::nullopt;
}

std::optional<Camera> find_v4l2() {
  GList *devices = list_devices("v4l2deviceprovider");
  std::optional<Camera> camera;
  for (GList *item = devices; item != nullptr && !camera; item = item->next)
    camera = as_v4l2_camera(GST_DEVICE(item->data));
  free_devices(devices);
  return camera;
}

}  // namespace

std::optional<Camera> find_camera() {
  std::optional<Camera> camera = find_libcamera();
  return camera ? camera : find_v4l2();
}

}  // namespace npc
