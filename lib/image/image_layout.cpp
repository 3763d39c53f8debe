// SPDX-License-Identifier: Apache-2.0
#include "image/image_layout.hpp"

#include "base/json.hpp"
#include "image/byte_source.hpp"
#include "image/layout_name.hpp"

namespace fabric {

namespace {

constexpr size_t k_largest_document = size_t{8} << 20;
constexpr size_t k_most_layers = 256;
constexpr int k_deepest_index = 4;

tl::unexpected<Error> not_understood(const std::string& what) {
  return fail(ErrorCode::usage, "it is no image: " + what,
              "make one with: docker save NAME -o FILE, or skopeo copy ... oci:DIRECTORY");
}

Result<std::string> read_document(const OpenBlob& open, const std::string& name,
                                  const std::string& digest) {
  const Blob blob = TRY(open(name));
  if (blob.size > k_largest_document) return not_understood(name + " is too large");
  std::string text(static_cast<size_t>(blob.size), '\0');
  FileSource source(blob.fd, blob.offset, blob.size);
  TRY_STATUS(read_exactly(source, text.data(), text.size()));
  if (!digest.empty() && sha256_of(text) != digest)
    return fail(ErrorCode::usage, name + " is not what its digest says");
  return text;
}

Result<std::string> digest_of(const json::Value& descriptor) {
  const std::string digest(json::get_string(descriptor, "digest").value_or(""));
  if (!digest.starts_with("sha256:") || !is_sha256(std::string_view(digest).substr(7)))
    return not_understood("a digest is missing, or not of the kind sha256");
  return digest.substr(7);
}

std::string blob_name(const std::string& digest) { return "blobs/sha256/" + digest; }

// The list of all layers' digests once they are unpacked is in the configuration, whose own digest
// names the image.
Status read_config(const std::string& text, Image& image) {
  image.id = sha256_of(text);
  image.config = TRY(parse_image_config(text));
  const json::Document document = TRY(json::parse(text));
  const std::string os(json::get_string(document, "os").value_or("linux"));
  const std::string machine(json::get_string(document, "architecture").value_or("amd64"));
  if (os != "linux" || machine != "amd64")
    return fail(ErrorCode::unavailable, "it is an image for " + os + "/" + machine,
                "get the one for linux/amd64");
  const json::Value* rootfs = json::find(document, "rootfs");
  const json::Value* ids = rootfs != nullptr ? json::find(*rootfs, "diff_ids") : nullptr;
  if (ids == nullptr || !ids->IsArray() || ids->Size() != image.layers.size())
    return not_understood("its configuration does not name its layers");
  for (size_t i = 0; i < image.layers.size(); ++i) {
    const json::Value& id = (*ids)[static_cast<unsigned>(i)];
    const std::string digest(id.IsString() ? json::text_of(id) : std::string_view());
    if (!digest.starts_with("sha256:") || !is_sha256(std::string_view(digest).substr(7)))
      return not_understood("a digest of a layer");
    image.layers[i].diff_id = digest.substr(7);
  }
  return {};
}

bool is_index(const json::Value& document) { return json::find(document, "manifests") != nullptr; }

// Among several that for this machine; what has no platform counts as one for it.
Result<const json::Value*> choose(const json::Value& index) {
  const json::Value* list = json::find(index, "manifests");
  if (list == nullptr || !list->IsArray()) return not_understood("an index without manifests");
  const json::Value* chosen = nullptr;
  size_t count = 0;
  for (const json::Value& one : list->GetArray()) {
    const json::Value* platform = json::find(one, "platform");
    if (platform != nullptr && (json::get_string(*platform, "os").value_or("linux") != "linux" ||
                                json::get_string(*platform, "architecture") != "amd64"))
      continue;
    if (chosen == nullptr) chosen = &one;
    ++count;
  }
  if (count > 1)
    return fail(ErrorCode::usage, "it holds " + std::to_string(count) + " images",
                "give it one with a single image");
  if (chosen == nullptr)
    return fail(ErrorCode::unavailable, "it holds no image for linux/amd64",
                "get the one for linux/amd64");
  return chosen;
}

Result<Image> find_oci(const OpenBlob& open) {
  std::string text = TRY(read_document(open, "index.json", ""));
  for (int depth = 0; depth < k_deepest_index; ++depth) {
    const json::Document document = TRY(json::parse(text));
    if (is_index(document)) {
      const std::string digest = TRY(digest_of(*TRY(choose(document))));
      text = TRY(read_document(open, blob_name(digest), digest));
      continue;
    }
    const json::Value* config = json::find(document, "config");
    const json::Value* layers = json::find(document, "layers");
    if (config == nullptr || layers == nullptr || !layers->IsArray() ||
        layers->Size() > k_most_layers)
      return not_understood("a manifest without configuration or layers");
    Image image;
    for (const json::Value& layer : layers->GetArray()) {
      const std::string digest = TRY(digest_of(layer));
      image.layers.push_back({blob_name(digest), digest, ""});
    }
    const std::string digest = TRY(digest_of(*config));
    TRY_STATUS(read_config(TRY(read_document(open, blob_name(digest), digest)), image));
    return image;
  }
  return not_understood("an index within an index within an index");
}

Result<Image> find_docker(const OpenBlob& open) {
  const json::Document document = TRY(json::parse(TRY(read_document(open, "manifest.json", ""))));
  if (!document.IsArray() || document.Empty()) return not_understood("manifest.json is no list");
  if (document.Size() > 1)
    return fail(ErrorCode::usage, "it holds " + std::to_string(document.Size()) + " images",
                "save one alone: docker save NAME -o FILE");
  const json::Value& manifest = document[0];
  const json::Value* layers = json::find(manifest, "Layers");
  const auto config = json::get_string(manifest, "Config");
  if (!config || layers == nullptr || !layers->IsArray() || layers->Size() > k_most_layers)
    return not_understood("manifest.json names no configuration or no layers");
  Image image;
  for (const json::Value& layer : layers->GetArray()) {
    if (!layer.IsString()) return not_understood("manifest.json");
    image.layers.push_back({std::string(json::text_of(layer)), "", ""});
  }
  TRY_STATUS(read_config(TRY(read_document(open, std::string(*config), "")), image));
  return image;
}

}  // namespace

Result<Image> find_image(const OpenBlob& open) {
  auto image = find_oci(open);
  if (image || image.error().code != ErrorCode::not_found) return image;
  auto docker = find_docker(open);
  if (docker || docker.error().code != ErrorCode::not_found) return docker;
  return not_understood("it has neither index.json nor manifest.json");
}

}  // namespace fabric
