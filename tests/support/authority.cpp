// SPDX-License-Identifier: LGPL-2.1-or-later
// Certificates by OpenSSL's command.
#include "support/authority.h"

#include <fstream>

namespace npc::test {

Authority::Authority() {
  openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
           "-subj", "/CN=authority", "-days", "2", "-keyout", directory_ / "ca.key", "-out",
           directory_ / "ca.crt"});
}

bool Authority::sign(const std::string &name, const std::string &subject, int days) const {
  std::ofstream(directory_ / (name + ".ext")) << "subjectAltName=" << subject << "\n";
  std::vector<std::string> certify = {"x509",
                                      "-req",
                                      "-in",
                                      directory_ / (name + ".csr"),
                                      "-CA",
                                      directory_ / "ca.crt",
                                      "-CAkey",
                                      directory_ / "ca.key",
                                      "-CAcreateserial",
                                      "-extfile",
                                      directory_ / (name + ".ext"),
                                      "-out",
                                      directory_ / (name + ".crt")};
  std::vector<std::string> long_ago = certify;
  certify.insert(certify.end(), {"-days", std::to_string(days)});
  // OpenSSL 3.5 signs nothing for less than a day, and 3.0 for no other time than now.
  long_ago.insert(long_ago.end(),
                  {"-not_before", "20200101000000Z", "-not_after", "20200102000000Z"});
  return openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                  "-subj", "/CN=" + name, "-keyout", directory_ / (name + ".key"), "-out",
                  directory_ / (name + ".csr")}) &&
         (openssl(certify) || (days < 0 && openssl(long_ago)));
}

bool Authority::openssl(const std::vector<std::string> &arguments) const {
  std::vector<std::string> command = {"openssl"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return Process(command, directory_ / "log").wait() == 0;
}

}  // namespace npc::test
