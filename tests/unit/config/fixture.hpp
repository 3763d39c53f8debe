// SPDX-License-Identifier: Apache-2.0
// A temporary directory with a workspace of its own, a managed layer and a state directory.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/fd.hpp"
#include "config/settings.hpp"
#include "config/workspace.hpp"

namespace fabric::config {

class Fixture {
 public:
  Fixture() {
    ::umask(022);
    REQUIRE(::mkdtemp(top.data()));
    ::setenv("XDG_STATE_HOME", (top + "/state").c_str(), 1);
    ::unsetenv("FABRIC_WORKSPACE");
  }
  ~Fixture() { std::filesystem::remove_all(top); }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  // Path below the temporary directory.
  [[nodiscard]] std::string at(const std::string& name) const { return top + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(at(name)).parent_path());
    std::ofstream(at(name), std::ios::binary) << text;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    return read_file(at(name)).value_or("");
  }
  [[nodiscard]] bool exists(const std::string& name) const {
    return std::filesystem::symlink_status(at(name)).type() !=
           std::filesystem::file_type::not_found;
  }

  // The workspace acme/web, made on first use.
  Workspace workspace() const {
    if (!exists("acme/web/fabric.toml")) {
      std::filesystem::create_directories(at("acme"));
      auto made = init_workspace(at("acme/web"));
      if (!made) FAIL(made.error().message);
    }
    auto found = find(at("acme/web"));
    if (!found) FAIL(found.error().message);
    return *found;
  }
  [[nodiscard]] Result<Workspace> find(const std::string& start) const {
    return find_workspace({start, at("managed")});
  }

  std::string top = "/tmp/fabric-test-XXXXXX";
};

// The only error of a load that must fail, without the path of the temporary directory.
template <class T>
Error error_of(const Fixture& f, const Result<T>& result) {
  REQUIRE_FALSE(result.has_value());
  Error error = result.error();
  for (std::string* text : {&error.message, &error.hint})
    for (size_t i; (i = text->find(f.top + "/")) != std::string::npos;)
      text->erase(i, f.top.size() + 1);
  return error;
}

inline bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("requires root: skipped");
  return false;
}

}  // namespace fabric::config
