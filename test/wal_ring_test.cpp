// The log buffer: every record arrives once and intact, whatever wraps, crosses, is given up or looks like something.
#include "longbow/wal/ring.hpp"
#include "wal_testing.hpp"

namespace longbow::wal {
namespace {

using testing::Buffer;
using testing::in_child;
using testing::Sample;
using testing::SharedLog;
using testing::status_of;

// Copies what an extent covers, as a write would, and hands over its records.
template <class Take>
void take_extent(LogShared& log, const Extent& extent, Take take) {
  Buffer bytes(static_cast<std::size_t>(extent.to - extent.from));
  for (std::uint64_t at = extent.from; at < extent.to;) {
    std::size_t room;
    const std::byte* const from = log.at(at, room);
    room = static_cast<std::size_t>(std::min<std::uint64_t>(room, extent.to - at));
    std::memcpy(bytes.data() + (at - extent.from), from, room);
    at += room;
  }
  for (std::uint64_t at = extent.begin; at < extent.to;) {
    Record record;
    const auto skip = static_cast<std::size_t>(at - extent.from);
    if (segment_end(at) - at < sizeof(RecordHeader)) break;
    ASSERT_EQ(decode(bytes.span().subspan(skip), at, kAnyIncarnation, record), Verdict::ok);
    if (!record.filler()) take(at, record);
    at += record.header.length;
    if (at >= extent.next) break;
  }
}

TEST(Ring, BlocksAreAligned) {
  SharedLog shared;
  Sample sample(1, 1, 10);
  const std::uint64_t position = shared.log->reserve(sample.length);
  EXPECT_EQ(position, segment_start(1));
  shared.log->publish(position, sample.bytes.data(), sample.length);
  Extent extent;
  ASSERT_TRUE(shared.log->next_extent(true, extent));
  EXPECT_EQ(extent.from % kBlock, 0U);
  EXPECT_EQ(extent.to, extent.from + kBlock);
  EXPECT_EQ(extent.next, position + sample.length);
  EXPECT_EQ(extent.records, 1U);
  std::size_t room;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(shared.log->at(extent.from, room)) % kBlock, 0U);
}

TEST(Ring, FillsUpAndGoesOnWhenSpaceIsFreed) {
  SharedLog shared;
  Sample sample(1, 1, 200);
  std::vector<std::uint64_t> positions;
  for (std::uint64_t p; (p = shared.log->reserve(sample.length)) != 0; positions.push_back(p))
    shared.log->publish(p, sample.bytes.data(), sample.length);
  EXPECT_EQ(positions.size(), LogShared::kMinRing / sample.length);
  Extent extent;
  ASSERT_TRUE(shared.log->next_extent(true, extent));
  shared.log->advance_durable(extent.next);
  // The block that durable lies in is kept: the next write begins with it.
  const std::uint64_t p = shared.log->reserve(sample.length);
  ASSERT_NE(p, 0U);
  EXPECT_EQ(p, positions.back() + sample.length);
}

TEST(Ring, NothingPassesAGap) {
  SharedLog shared;
  Sample sample(1, 1, 20);
  const std::uint64_t first = shared.log->reserve(sample.length), second = shared.log->reserve(sample.length);
  shared.log->publish(second, sample.bytes.data(), sample.length);
  Extent extent;
  EXPECT_FALSE(shared.log->next_extent(true, extent));
  EXPECT_TRUE(shared.log->gap());
  shared.log->abandon(first, sample.length);
  ASSERT_TRUE(shared.log->next_extent(false, extent));
  EXPECT_EQ(extent.records, 1U);
  EXPECT_EQ(extent.next, second + sample.length);
  int seen = 0;
  take_extent(*shared.log, extent, [&](std::uint64_t at, const Record& record) {
    EXPECT_EQ(at, second);
    EXPECT_TRUE(sample.same(record));
    ++seen;
  });
  EXPECT_EQ(seen, 1);
}

TEST(Ring, EarlierLapsAndImitationsAreNotPublished) {
  SharedLog shared;
  // Vectors that contain the bytes of headers for every position of the next lap, position words included.
  std::vector<RowId> row(1);
  std::vector<std::uint64_t> words(1000);
  for (std::uint64_t lap = 0; lap < 6; ++lap) {
    const std::uint64_t here = shared.log->reserved.load() + sizeof(RecordHeader) + 8;
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = here + i * 8 + LogShared::kMinRing - 16;
    std::vector<float> vectors(words.size() * 2);
    std::memcpy(vectors.data(), words.data(), vectors.size() * 4);
    Buffer bytes(RecordWriter::bound(1, vectors.size()));
    const std::size_t length = RecordWriter::encode(
        {{}, 1, 0, row, vectors.data(), static_cast<std::uint32_t>(vectors.size())}, nullptr, nullptr, bytes.data());
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t p = shared.log->reserve(length);
      ASSERT_NE(p, 0U);
      Extent extent;
      EXPECT_FALSE(shared.log->next_extent(true, extent)) << "stale bytes were taken for a record";
      shared.log->publish(p, bytes.data(), length);
      ASSERT_TRUE(shared.log->next_extent(true, extent));
      shared.log->advance_durable(extent.next);
    }
  }
}

TEST(Ring, CopiesOutWhatIsStillThere) {
  SharedLog shared;
  Sample sample(8, 2, 100);
  const std::uint64_t first = shared.log->reserve(sample.length);
  Buffer out(8192);
  EXPECT_EQ(shared.log->copy_out(first, out.span()), 0U);
  shared.log->publish(first, sample.bytes.data(), sample.length);
  ASSERT_EQ(shared.log->copy_out(first, out.span()), sample.length);
  Record record;
  ASSERT_EQ(decode({out.data(), sample.length}, first, 9, record), Verdict::ok);
  EXPECT_TRUE(sample.same(record));
  EXPECT_EQ(shared.log->copy_out(first, out.span().first(100)), 0U);
  EXPECT_EQ(shared.log->copy_out(first + 8, out.span()), 0U);
  Extent extent;
  while (shared.log->reserved.load() < first + LogShared::kMinRing + 4096) {
    const std::uint64_t p = shared.log->reserve(sample.length);
    ASSERT_NE(p, 0U);
    shared.log->publish(p, sample.bytes.data(), sample.length);
    ASSERT_TRUE(shared.log->next_extent(true, extent));
    shared.log->advance_durable(extent.next);
  }
  EXPECT_EQ(shared.log->copy_out(first, out.span()), 0U);
}

TEST(Ring, SegmentsAreCrossedWithoutCuttingARecord) {
  SharedLog shared(1U << 20);
  std::uint64_t written = 0, taken = 0;
  base::SplitMix64 random(5);
  while (segment_of(shared.log->reserved.load()) < 4) {
    Sample sample(written, 1 + random.below(4), static_cast<std::uint32_t>(1 + random.below(16000)));
    const std::uint64_t p = shared.log->reserve(sample.length);
    ASSERT_NE(p, 0U);
    EXPECT_EQ(segment_of(p), segment_of(p + sample.length - 1));
    EXPECT_GE(offset_in_segment(p), kSegmentHeaderBytes);
    shared.log->publish(p, sample.bytes.data(), sample.length);
    ++written;
    Extent extent;
    while (shared.log->next_extent(true, extent)) {
      EXPECT_EQ(segment_of(extent.from), segment_of(extent.to - 1));
      take_extent(*shared.log, extent, [&](std::uint64_t, const Record& record) {
        EXPECT_EQ(record.header.first_ordinal, taken);
        ++taken;
      });
      shared.log->advance_durable(extent.next);
    }
  }
  EXPECT_EQ(written, taken);
}

TEST(Ring, ManyProcessesLoseNothing) {
  constexpr int kChildren = 4, kRecords = 1500;
  SharedLog shared(LogShared::kMinRing, 3);
  std::vector<pid_t> children;
  for (std::uint64_t child = 0; child < kChildren; ++child)
    children.push_back(in_child([&, child] {
      for (std::uint64_t i = 0; i < kRecords; ++i) {
        Sample sample(child * kRecords + i, 1 + i % 3, static_cast<std::uint32_t>(1 + i % 700));
        std::uint64_t p;
        while ((p = shared.log->reserve(sample.length)) == 0) ::usleep(20);
        if (i % 17 == 0) {
          const std::uint64_t void_place = shared.log->reserve(256);
          if (void_place != 0) shared.log->abandon(void_place, 256);
        }
        shared.log->publish(p, sample.bytes.data(), sample.length);
      }
      return 0;
    }));
  std::vector<int> seen(kChildren * kRecords);
  std::size_t all = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (all < seen.size() && std::chrono::steady_clock::now() < until) {
    Extent extent;
    if (!shared.log->next_extent(all % 2 == 0, extent)) {
      ::usleep(10);
      continue;
    }
    take_extent(*shared.log, extent, [&](std::uint64_t, const Record& record) {
      const std::uint64_t number = record.header.first_ordinal, i = number % kRecords;
      ASSERT_LT(number, seen.size());
      ++seen[number];
      ++all;
      EXPECT_TRUE(Sample(number, 1 + i % 3, static_cast<std::uint32_t>(1 + i % 700)).same(record));
    });
    shared.log->advance_durable(extent.next);
  }
  for (const pid_t child : children) EXPECT_EQ(status_of(child), 0);
  for (const int times : seen) EXPECT_EQ(times, 1);
}

}  // namespace
}  // namespace longbow::wal
