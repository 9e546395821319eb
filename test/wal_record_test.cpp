// Records: round trips, and everything that must be refused.
#include <array>
#include <cmath>

#include "longbow/wal/record.hpp"
#include "wal_testing.hpp"

namespace longbow::wal {
namespace {

using testing::Buffer;
using testing::Sample;

TEST(Record, ComesBackAsItWas) {
  for (const bool compress : {false, true})
    for (const auto& [rows, dims] :
         std::array<std::pair<std::size_t, std::uint32_t>, 5>{{{1, 1}, {1, 128}, {3, 7}, {100, 128}, {1, 16000}}}) {
      CompressState state{};
      Sample sample(rows * dims, rows, dims, compress ? &state : nullptr);
      EXPECT_LE(sample.length, RecordWriter::bound(rows, dims));
      EXPECT_EQ(sample.length % kRecordAlign, 0U);
      RecordWriter::seal(sample.bytes.data(), 4096, 77);
      Record record;
      ASSERT_EQ(decode({sample.bytes.data(), sample.length}, 4096, rows * dims + 1, record), Verdict::ok);
      EXPECT_TRUE(sample.same(record));
      EXPECT_EQ(record.header.first_ordinal, rows * dims);
      EXPECT_EQ(record.header.relation, (RelationIds{1663, 5, 16384}));
      EXPECT_EQ(record.header.dims, dims);
      if (!compress || rows * dims >= 128) {
        EXPECT_EQ(record.compressed(), compress);
      }
    }
}

TEST(Record, NeedsItsPositionAndIncarnation) {
  Sample sample(9, 2, 4);
  RecordWriter::seal(sample.bytes.data(), 4096, 0);
  Record record;
  const std::span<const std::byte> bytes(sample.bytes.data(), sample.length);
  EXPECT_EQ(decode(bytes, 4096, 10, record), Verdict::ok);
  EXPECT_EQ(decode(bytes, 4096, kAnyIncarnation, record), Verdict::ok);
  EXPECT_EQ(decode(bytes, 4104, 10, record), Verdict::wrong);
  EXPECT_EQ(decode(bytes, 4096 + kSegmentBytes, 10, record), Verdict::wrong);
  EXPECT_EQ(decode(bytes, 4096, 11, record), Verdict::wrong);
}

TEST(Record, EveryFlippedBitIsRefused) {
  for (const bool compress : {false, true}) {
    CompressState state{};
    Sample sample(5, 2, compress ? 64 : 5, compress ? &state : nullptr);
    RecordWriter::seal(sample.bytes.data(), 8192, 3);
    for (std::size_t bit = 0; bit < sample.length * 8; ++bit) {
      Buffer copy(sample.length);
      std::memcpy(copy.data(), sample.bytes.data(), sample.length);
      copy.data()[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
      Record record;
      EXPECT_NE(decode({copy.data(), sample.length}, 8192, 6, record), Verdict::ok) << bit;
    }
  }
}

TEST(Record, EveryTruncationIsRefused) {
  Sample sample(5, 3, 5);
  RecordWriter::seal(sample.bytes.data(), 8192, 3);
  for (std::size_t bytes = 0; bytes < sample.length; ++bytes) {
    // Memory of just that size: the sanitiser sees a read behind it.
    std::vector<std::uint64_t> words((bytes + 7) / 8 + 1);
    std::byte* const at = reinterpret_cast<std::byte*>(words.data() + words.size()) - (bytes + 7) / 8 * 8;
    std::memcpy(at, sample.bytes.data(), bytes);
    Record record;
    EXPECT_EQ(decode({at, bytes}, 8192, 6, record), Verdict::truncated);
  }
}

TEST(Record, ZerosAreAbsentAndRandomBytesAreWrong) {
  Record record;
  Buffer bytes(4096);
  EXPECT_EQ(decode(bytes.span(), 4096, 1, record), Verdict::absent);
  base::SplitMix64 random(11);
  for (int i = 0; i < 2000; ++i) {
    for (auto& b : bytes.span()) b = static_cast<std::byte>(random.next());
    RecordHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    // Half of them with a right start, so that the lengths are looked at; some of these with a right CRC.
    if (i % 2 == 0) {
      header.magic = kRecordMagic;
      header.position = 4096;
      if (i % 4 == 0) header.flags &= kRecordCompressed;
      if (i % 4 == 0) header.length = static_cast<std::uint32_t>(random.below(600)) * 8;
      std::memcpy(bytes.data(), &header, sizeof header);
      if (header.length >= sizeof header && header.length <= 4096) RecordWriter::seal(bytes.data(), 4096, 0);
    }
    const Verdict verdict = decode(bytes.span(), 4096, 1, record);
    EXPECT_NE(verdict, Verdict::ok);
    EXPECT_NE(verdict, Verdict::absent);
  }
}

TEST(Record, LengthsOfCompressedBytesAreNotTrusted) {
  CompressState state{};
  Sample sample(5, 2, 640, &state);
  // snappy begins with its own length: another one, though the CRC is right.
  sample.bytes.data()[sizeof(RecordHeader) + 2 * sizeof(RowId)] ^= std::byte{0x40};
  RecordWriter::seal(sample.bytes.data(), 8192, 3);
  Record record;
  ASSERT_EQ(decode({sample.bytes.data(), sample.length}, 8192, 6, record), Verdict::ok);
  ASSERT_TRUE(record.compressed());
  std::vector<float> out(1280);
  Buffer scratch(5120);
  EXPECT_FALSE(record.vectors(out.data(), scratch.data()));
}

TEST(Record, CompressionThatDoesNotPayIsTriedSeldom) {
  base::SplitMix64 random(4);
  std::vector<RowId> rows(10);
  std::vector<float> noise(10 * 128), redundant(10 * 128, 3.0F);
  for (float& x : noise) {
    const auto bits = static_cast<std::uint32_t>(random.next()) & 0xBFFFFFFFU;
    std::memcpy(&x, &bits, sizeof x);
  }
  Buffer scratch(RecordWriter::scratch_bytes(10, 128)), bytes(RecordWriter::bound(10, 128));
  const auto encode = [&](const std::vector<float>& vectors, CompressState* state) {
    return RecordWriter::encode({{}, 1, 0, rows, vectors.data(), 128}, state, scratch.data(), bytes.data());
  };
  const std::size_t plain = encode(noise, nullptr);
  CompressState state{};
  int tries = 0;
  for (int i = 0; i < 1000; ++i) {
    tries += state.skip == 0 ? 1 : 0;
    EXPECT_EQ(encode(noise, &state), plain);
  }
  EXPECT_LE(tries, 25);
  std::size_t length = plain;
  for (int i = 0; i < 64 && length == plain; ++i) length = encode(redundant, &state);
  EXPECT_LT(length, plain / 4);
  EXPECT_EQ(state.failures, 0U);
}

TEST(Record, BoundsRefuseWhatCannotBe) {
  EXPECT_EQ(RecordWriter::bound(0, 4), 0U);
  EXPECT_EQ(RecordWriter::bound(4, 0), 0U);
  EXPECT_EQ(RecordWriter::bound(std::size_t{1} << 40, std::size_t{1} << 40), 0U);
  EXPECT_EQ(RecordWriter::bound(300, 16000), 0U);
  EXPECT_NE(RecordWriter::bound(200, 16000), 0U);
}

}  // namespace
}  // namespace longbow::wal
