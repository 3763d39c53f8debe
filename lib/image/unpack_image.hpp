// SPDX-License-Identifier: Apache-2.0
// A whole image into a directory.
#pragma once

#include "image/image_layout.hpp"
#include "image/layer_unpack.hpp"

namespace fabric {

// `open` hands out the parts. Every digest is checked; what is in `root` after a failure is to be
// thrown away.
Result<Image> unpack_image(const OpenBlob& open, Fd root, bool owners, UnpackLimits limits = {});

// An archive (docker save, or an image layout as one); packed with gzip it is first unpacked into a
// nameless file in `root`.
Result<Image> unpack_archive(const Fd& archive, Fd root, bool owners, UnpackLimits limits = {});

}  // namespace fabric
