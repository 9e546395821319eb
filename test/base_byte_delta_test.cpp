// Deltas of page images: applied, they give the other image; they are no longer than they may be.
#include "longbow/base/byte_delta.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace longbow::base {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Applied {
  Bytes image;
  std::size_t fragments = 0, bytes = 0;
};

Applied patched(Bytes image, const Bytes& delta) {
  Applied result{std::move(image)};
  for (std::size_t at = 0; at < delta.size(); ++result.fragments) {
    std::uint16_t offset, length;
    std::memcpy(&offset, &delta[at], 2);
    std::memcpy(&length, &delta[at + 2], 2);
    EXPECT_GT(length, 0);
    EXPECT_LE(at + 4 + length, delta.size());
    EXPECT_LE(std::size_t{offset} + length, result.image.size());
    std::memcpy(&result.image[offset], &delta[at + 4], length);
    result.bytes += length;
    at += 4 + std::size_t{length};
  }
  return result;
}

Bytes delta_of(const Bytes& from, const Bytes& to, std::size_t begin, std::size_t known, std::size_t end) {
  Bytes delta(most_delta_bytes(to.size()), 0xEE);
  const std::size_t used = write_delta(from.data(), to.data(), begin, known, end, delta.data());
  EXPECT_LE(used, most_delta_bytes(end - begin));
  delta.resize(used);
  return delta;
}

TEST(ByteDelta, EqualImagesHaveNone) {
  const Bytes image(8192, 7);
  EXPECT_TRUE(delta_of(image, image, 0, 8192, 8192).empty());
  EXPECT_TRUE(delta_of(image, image, 64, 64, 64).empty());
}

TEST(ByteDelta, OneByteAnywhereIsOneFragmentOfOneByte) {
  const Bytes from(256, 7);
  for (std::size_t at = 0; at < from.size(); ++at) {
    Bytes to = from;
    to[at] = 8;
    const Applied result = patched(from, delta_of(from, to, 0, 256, 256));
    EXPECT_EQ(result.image, to);
    EXPECT_EQ(result.fragments, 1U);
    EXPECT_EQ(result.bytes, 1U);
  }
}

TEST(ByteDelta, WhatIsNotKnownIsWritten) {
  const Bytes image(512, 7);
  for (const std::size_t known : {0U, 8U, 256U, 504U}) {
    const Applied result = patched(Bytes(512, 7), delta_of(image, image, 0, known, 512));
    EXPECT_EQ(result.fragments, 1U);
    EXPECT_EQ(result.bytes, 512 - known);
  }
}

TEST(ByteDelta, RandomChangesComeThrough) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    Bytes from(1024);
    for (auto& b : from) b = static_cast<std::uint8_t>(random() % 3);
    Bytes to = from;
    for (std::size_t changes = random() % 40; changes > 0; --changes) {
      std::size_t at = random() % to.size();
      for (std::size_t length = 1 + random() % 30; length > 0 && at < to.size(); --length, ++at) to[at] = static_cast<std::uint8_t>(random() % 3);
    }
    const std::size_t begin = random() % 64 * 8, end = begin + random() % ((1024 - begin) / 8 + 1) * 8;
    const std::size_t known = round % 2 == 0 ? end : begin + random() % ((end - begin) / 8 + 1) * 8;
    // What is not known of `from` may be anything.
    Bytes spoilt = from;
    std::fill(spoilt.begin() + static_cast<std::ptrdiff_t>(known), spoilt.end(), 0xAA);
    Bytes wanted = spoilt;
    std::copy(to.begin() + static_cast<std::ptrdiff_t>(begin), to.begin() + static_cast<std::ptrdiff_t>(end),
              wanted.begin() + static_cast<std::ptrdiff_t>(begin));
    EXPECT_EQ(patched(spoilt, delta_of(from, to, begin, known, end)).image, wanted) << round;
  }
}

}  // namespace
}  // namespace longbow::base
