// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "image/layer_unpack.hpp"

using namespace fabric;
namespace fs = std::filesystem;

namespace {

std::string octal(uint64_t value, int width) {
  std::string text(static_cast<size_t>(width), '0');
  for (auto at = text.rbegin(); at != text.rend(); ++at, value /= 8)
    *at = static_cast<char>('0' + value % 8);
  return text;
}

// A member of a ustar archive, by hand.
std::string member(const std::string& name, char type, const std::string& data = "",
                   const std::string& link = "", uint64_t mode = 0644) {
  std::string header(512, '\0');
  auto put = [&header](size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  put(0, name.substr(0, 100));
  put(100, octal(mode, 7));
  put(108, octal(::geteuid(), 7));
  put(116, octal(::getegid(), 7));
  put(124, octal(data.size(), 11));
  put(136, octal(1700000000, 11));
  put(148, std::string(8, ' '));
  put(156, std::string(1, type));
  put(157, link.substr(0, 100));
  put(257, std::string("ustar\0", 6) + "00");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + std::string("\0 ", 2));
  std::string padded = data;
  padded.resize((data.size() + 511) / 512 * 512);
  return header + padded;
}
std::string pax(const std::string& key, const std::string& value) {
  const std::string tail = " " + key + "=" + value + "\n";
  size_t length = tail.size() + 1;
  while (std::to_string(length).size() + tail.size() != length) ++length;
  return member("pax", 'x', std::to_string(length) + tail);
}
const std::string k_end(1024, '\0');

struct Scratch {
  std::string path = "/tmp/fabric-image-XXXXXX";
  Scratch() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Scratch() { fs::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] LayerUnpacker unpacker(UnpackLimits limits = {}) const {
    return {*open_file(path, O_RDONLY | O_DIRECTORY), true, limits};
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    return read_file(path + "/" + name).value_or("(none)");
  }
};

Status unpack(LayerUnpacker& unpacker, const std::string& archive) {
  StringSource source(archive);
  return unpacker.unpack(source);
}

}  // namespace

TEST_CASE("a member's long names and sizes come from extensions") {
  const std::string name = std::string(150, 'd') + "/" + std::string(200, 'f');
  const std::string archive = pax("path", name) + member("short", '0', "one") +
                              member("././@LongLink", 'L', name + std::string(1, '\0')) +
                              member("short", '0', "two") + k_end;
  StringSource source(archive);
  TarReader tar(source);
  for (const char* text : {"one", "two"}) {
    auto found = tar.next();
    REQUIRE(found.has_value());
    REQUIRE(found->has_value());
    CHECK((*found)->name == name);
    char bytes[8] = {};
    CHECK(tar.read(bytes, sizeof bytes).value_or(0) == 3);
    CHECK(std::string(bytes) == text);
  }
  auto end = tar.next();
  REQUIRE(end.has_value());
  CHECK(!end->has_value());
}

TEST_CASE("a damaged or senseless archive is refused") {
  std::string flipped = member("a", '0', "x");
  flipped[0] ^= 1;
  for (const std::string& archive :
       {flipped, member("a", '0', std::string(2000, 'x')).substr(0, 900), member("a", 'S'),
        member("a", 'Z'), pax("size", "99999999999999999999") + member("a", '0'), member("", '0'),
        member("pax", 'x', "5 a=b\n"), member("pax", 'x', "999 a=b\n")}) {
    Scratch scratch;
    LayerUnpacker unpacker = scratch.unpacker();
    CHECK(!unpack(unpacker, archive + k_end).has_value());
  }
}

TEST_CASE("layers cover, remove and clear what is below") {
  Scratch scratch;
  LayerUnpacker unpacker = scratch.unpacker();
  REQUIRE(unpack(unpacker, member("d/", '5', "", "", 0755) + member("d/old", '0', "old") +
                               member("d/gone", '0', "gone") + member("o/old", '0', "old") +
                               member("link", '2', "", "d") + k_end));
  REQUIRE(unpack(unpacker, member("d/old", '0', "new") + member("d/.wh.gone", '0') +
                               member("o/new", '0', "new") + member("o/.wh..wh..opq", '0') +
                               member("link/through", '0', "in d") + k_end));
  CHECK(scratch.text("d/old") == "new");
  CHECK(!fs::exists(scratch.path + "/d/gone"));
  CHECK(!fs::exists(scratch.path + "/o/old"));
  CHECK(scratch.text("o/new") == "new");
  CHECK(scratch.text("d/through") == "in d");
  CHECK(fs::is_symlink(scratch.path + "/link"));
}

TEST_CASE("no name leads out of the root") {
  Scratch outside, scratch;
  REQUIRE(write_file_atomically(outside.path + "/victim", "victim", 0644));
  for (const std::string& archive :
       {member("../" + outside.path + "/new", '0', "x"),
        member("way", '2', "", outside.path) + member("way/new", '0', "x"),
        member("way", '2', "", "../../../../.." + outside.path) + member("way/new", '0', "x"),
        member("way", '2', "", outside.path) + member("way/.wh.victim", '0'),
        member("way", '2', "", outside.path) + member("way/.wh..wh..opq", '0'),
        member("hard", '1', "", outside.path + "/victim") + member("hard", '0', "x"),
        member(outside.path + "/victim", '0', "x")}) {
    LayerUnpacker unpacker = scratch.unpacker();
    (void)unpack(unpacker, archive + k_end);
    CHECK(outside.text("victim") == "victim");
    CHECK(!fs::exists(outside.path + "/new"));
  }
}

TEST_CASE("no setuid bit, no device, and no more than is allowed") {
  Scratch scratch;
  LayerUnpacker unpacker = scratch.unpacker({100, 4});
  REQUIRE(unpack(unpacker, member("suid", '0', "x", "", 06755) + member("device", '3') + k_end));
  struct stat status {};
  REQUIRE(::stat((scratch.path + "/suid").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0755);
  CHECK(!fs::exists(scratch.path + "/device"));
  CHECK(unpacker.devices_left_out() == 1);
  CHECK(!unpack(unpacker, member("big", '0', std::string(200, 'x')) + k_end).has_value());
  CHECK(!unpack(unpacker, member("a", '0') + member("b", '0') + member("c", '0') + k_end)
             .has_value());
}
