// SPDX-License-Identifier: LGPL-2.1-or-later
// spidev by its ioctls; see Documentation/spi/spidev.rst of the kernel.
#include "transport/lora/chips/spibus.h"

#include <fcntl.h>
#include <linux/spi/spidev.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/openfile.h"
#include "transport/gpio/line.h"

namespace npc::lora {
namespace {

constexpr std::uint32_t kSpeed = 2000000;  // Hz
constexpr const char *kConsumer = "npc-lora";

/// The lines of a board.
struct Lines {
  std::unique_ptr<gpio::Output> reset, select, sending, receiving;
  std::unique_ptr<gpio::Input> interrupt, busy;
  std::vector<std::unique_ptr<gpio::Output>> enable;
};

class SpiBus final : public Bus {
 public:
  SpiBus(std::string path, Descriptor device, Lines lines)
      : path_(std::move(path)), device_(std::move(device)), lines_(std::move(lines)) {}

  std::string name() const override { return "the LoRa chip at " + path_; }

  Status transfer(std::span<const std::uint8_t> out, std::span<std::uint8_t> in) override {
    spi_ioc_transfer transfer = {};
    transfer.tx_buf = reinterpret_cast<std::uintptr_t>(out.data());
    transfer.rx_buf = reinterpret_cast<std::uintptr_t>(in.data());
    transfer.len = static_cast<std::uint32_t>(out.size());
    transfer.speed_hz = kSpeed;
    if (Status status = select(true); !status.is_ok())
      return status;
    const int moved = ioctl(device_.get(), SPI_IOC_MESSAGE(1), &transfer);
    const int error = errno;
    if (Status status = select(false); !status.is_ok())
      return status;
    if (moved < 0)
      return Status::failed("The SPI device \"" + path_ + "\" failed: " + message_of(error) + ".");
    return {};
  }

  Status set_reset(bool active) override { return lines_.reset->set(active); }

  Status read_busy(bool *is_busy) override {
    *is_busy = false;
    return lines_.busy ? lines_.busy->read(is_busy) : Status();
  }

  Status read_interrupt(bool *active) override { return lines_.interrupt->read(active); }

  bool wait_interrupt(Time most, int wake) override {
    bool is_active = false;
    // Edges that came before are forgotten first, the level is looked at next: none is missed.
    lines_.interrupt->clear();
    if (!lines_.interrupt->read(&is_active).is_ok())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::array<pollfd, 2> files = {pollfd{wake, POLLIN, 0},
                                   pollfd{lines_.interrupt->descriptor(), POLLIN, 0}};
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(most);
    const int timeout = is_active ? 0 : static_cast<int>(wait.count());
    return poll(files.data(), files.size(), timeout) <= 0 || files[0].revents == 0;
  }

  Status set_sending(bool sending) override {
    // Never both at once.
    gpio::Output *const off = (sending ? lines_.receiving : lines_.sending).get();
    gpio::Output *const on = (sending ? lines_.sending : lines_.receiving).get();
    Status status = off != nullptr ? off->set(false) : Status();
    return status.is_ok() && on != nullptr ? on->set(true) : status;
  }

  Time now() const override {
    return std::chrono::duration_cast<Time>(std::chrono::steady_clock::now().time_since_epoch());
  }

  std::chrono::milliseconds utc() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
  }

  void sleep(Time time) override { std::this_thread::sleep_for(time); }

 private:
  Status select(bool selected) { return lines_.select ? lines_.select->set(selected) : Status(); }

  const std::string path_;
  const Descriptor device_;
  const Lines lines_;
};

Status open_device(const std::string &path, Descriptor *device) {
  *device = open_anything(path, O_RDWR);
  const std::string named = "SPI device \"" + path + "\"";
  if (!device->is_open()) {
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
      return Status::failed(
          "There is no " + named +
          ": write dtparam=spi=on into /boot/firmware/config.txt and start anew.");
    if (errno == EACCES || errno == EPERM)
      return Status::failed("The " + named + " may not be opened: add the user to the group spi.");
    return Status::failed("The " + named + " cannot be opened: " + message_of(errno) + ".");
  }
  const std::uint8_t mode = SPI_MODE_0, bits = 8;
  if (ioctl(device->get(), SPI_IOC_WR_MODE, &mode) != 0 ||
      ioctl(device->get(), SPI_IOC_WR_BITS_PER_WORD, &bits) != 0 ||
      ioctl(device->get(), SPI_IOC_WR_MAX_SPEED_HZ, &kSpeed) != 0) {
    if (errno == ENOTTY || errno == EINVAL)
      return Status::failed("\"" + path +
                            "\" is no SPI device. A board with a serial line is used by "
                            "its own name, such as lora:/dev/ttyAMA0.");
    return Status::failed("The " + named + " cannot be set up: " + message_of(errno) + ".");
  }
  return {};
}

Status open_lines(const std::string &chip, const BoardPins &pins, Lines *lines) {
  struct Wanted {
    std::optional<unsigned> line;
    bool active_low, active;
    std::unique_ptr<gpio::Output> *output;
  };
  std::vector<Wanted> outputs = {{pins.reset, true, false, &lines->reset},
                                 {pins.select, true, false, &lines->select},
                                 {pins.sending, false, false, &lines->sending},
                                 {pins.receiving, false, true, &lines->receiving}};
  lines->enable.resize(pins.enable.size());
  for (std::size_t i = 0; i < pins.enable.size(); ++i)
    outputs.push_back({pins.enable[i], false, true, &lines->enable[i]});
  for (const Wanted &wanted : outputs) {
    if (!wanted.line)
      continue;
    if (Status status = gpio::open_output({chip, *wanted.line, wanted.active_low}, kConsumer,
                                          wanted.active, wanted.output);
        !status.is_ok())
      return status;
  }
  if (pins.busy) {
    if (Status status = gpio::open_input({chip, *pins.busy, false}, kConsumer, &lines->busy);
        !status.is_ok())
      return status;
  }
  return gpio::open_input({chip, pins.interrupt, false}, kConsumer, &lines->interrupt);
}

}  // namespace

Status open_spi_bus(const std::string &path, const std::string &gpio_chip, const BoardPins &pins,
                    std::unique_ptr<Bus> *bus) {
  Descriptor device;
  if (Status status = open_device(path, &device); !status.is_ok())
    return status;
  Lines lines;
  if (Status status = open_lines(gpio_chip, pins, &lines); !status.is_ok())
    return status;
  *bus = std::make_unique<SpiBus>(path, std::move(device), std::move(lines));
  return {};
}

}  // namespace npc::lora
