// The reader over files that are missing, cut, of others, or full of anything.
#include <fcntl.h>

#include "longbow/wal/reader.hpp"
#include "wal_testing.hpp"

namespace longbow::wal {
namespace {

using testing::Buffer;
using testing::FailingFiles;
using testing::Folder;
using testing::kSystem;
using testing::Sample;
using testing::SharedLog;

class ReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Log log(shared_.log, folder_.path());
    log.set_backend(BackendKind::standard);
    for (std::uint64_t i = 0; i < 40; ++i) {
      Sample sample(i, 2, 64);
      positions_.push_back(log.append(sample.bytes.data(), sample.length, 0));
      if (i % 5 == 0) {
        const std::uint64_t unused = log.reserve(160, 0);
        log.abandon(unused, 160);
      }
    }
    ASSERT_EQ(log.wait(positions_.back(), 20'000'000), WaitResult::durable);
    char name[SegmentStore::kMaxPath + SegmentStore::kNameBytes];
    log.segments().path(1, name);
    file_ = name;
  }
  // Overwrites bytes of the segment.
  void damage(std::uint64_t offset, const std::vector<char>& bytes) {
    const int file = ::open(file_.c_str(), O_WRONLY);
    ASSERT_EQ(::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
    ::close(file);
  }
  ReadStatus read(std::uint64_t position, std::uint64_t incarnation) {
    return reader_.read(position, incarnation, record_);
  }

  Folder folder_;
  SharedLog shared_;
  std::vector<std::uint64_t> positions_;
  std::string file_;
  Buffer window_{8192};
  Reader reader_{folder_.path(), kSystem, window_.span()};
  Record record_;
};

TEST_F(ReaderTest, ReadsByPositionAndInOrder) {
  for (std::size_t i = positions_.size(); i-- > 0;) {
    ASSERT_EQ(read(positions_[i], i + 1), ReadStatus::ok);
    EXPECT_TRUE(Sample(i, 2, 64).same(record_));
    EXPECT_EQ(read(positions_[i], i + 2), ReadStatus::wrong);
  }
  std::uint64_t position = segment_start(1);
  for (const std::uint64_t expected : positions_) {
    ASSERT_EQ(reader_.next(position, record_), ReadStatus::ok);
    EXPECT_EQ(record_.header.position, expected);
  }
  EXPECT_EQ(reader_.next(position, record_), ReadStatus::absent);
}

TEST_F(ReaderTest, PositionsThatCannotBeAreRefused) {
  for (const std::uint64_t p : {std::uint64_t{0}, std::uint64_t{8}, positions_[1] + 1, positions_[1] + 8, kSegmentBytes,
                                2 * kSegmentBytes - 8, ~std::uint64_t{7}, ~std::uint64_t{0}})
    EXPECT_NE(read(p, kAnyIncarnation), ReadStatus::ok) << p;
  EXPECT_EQ(read(segment_start(9), 1), ReadStatus::no_segment);
}

TEST_F(ReaderTest, SeesWhatIsWrittenAfterItLooked) {
  ASSERT_EQ(read(positions_.back(), 40), ReadStatus::ok);
  Log log(shared_.log, folder_.path());
  log.set_backend(BackendKind::standard);
  Sample sample(70, 2, 64);
  const std::uint64_t p = log.append(sample.bytes.data(), sample.length, 0);
  EXPECT_EQ(read(p, 71), ReadStatus::absent);
  Buffer copy(4096);
  EXPECT_EQ(log.read_ring(p, copy.span()), sample.length);
  ASSERT_EQ(log.wait(p, 20'000'000), WaitResult::durable);
  EXPECT_EQ(read(p, 71), ReadStatus::ok);
}

TEST_F(ReaderTest, SaysHowMuchRoomARecordNeeds) {
  Log log(shared_.log, folder_.path());
  log.set_backend(BackendKind::standard);
  Sample sample(70, 1, 3000);
  const std::uint64_t p = log.append(sample.bytes.data(), sample.length, 0);
  ASSERT_EQ(log.wait(p, 20'000'000), WaitResult::durable);
  ASSERT_EQ(read(p, 71), ReadStatus::too_small);
  EXPECT_EQ(reader_.needed(), sample.length);
  Buffer larger(reader_.needed());
  reader_.set_buffer(larger.span());
  ASSERT_EQ(read(p, 71), ReadStatus::ok);
  EXPECT_TRUE(sample.same(record_));
  reader_.set_buffer(window_.span());
}

TEST_F(ReaderTest, MissingCutAndForeignFilesAreNoSegments) {
  Reader foreign(folder_.path(), kSystem + 1, window_.span());
  EXPECT_EQ(foreign.read(positions_[0], 1, record_), ReadStatus::no_segment);
  const auto middle = static_cast<off_t>(offset_in_segment(positions_[3]) + 100);
  ASSERT_EQ(::truncate(file_.c_str(), middle), 0);
  EXPECT_EQ(read(positions_[2], 3), ReadStatus::ok);
  EXPECT_EQ(read(positions_[3], 4), ReadStatus::wrong);
  EXPECT_NE(read(positions_[4], 5), ReadStatus::ok);
  ASSERT_EQ(::truncate(file_.c_str(), 10), 0);
  reader_.reset();
  EXPECT_EQ(read(positions_[0], 1), ReadStatus::no_segment);
  ASSERT_EQ(::unlink(file_.c_str()), 0);
  reader_.reset();
  EXPECT_EQ(read(positions_[0], 1), ReadStatus::no_segment);
  std::filesystem::create_directory(file_);
  EXPECT_NE(read(positions_[0], 1), ReadStatus::ok);
}

TEST_F(ReaderTest, AFlippedBitSpoilsItsRecordOnly) {
  damage(offset_in_segment(positions_[7]) + 200, {'x'});
  EXPECT_EQ(read(positions_[6], 7), ReadStatus::ok);
  EXPECT_EQ(read(positions_[7], 8), ReadStatus::wrong);
  EXPECT_EQ(read(positions_[8], 9), ReadStatus::ok);
}

TEST_F(ReaderTest, RandomBytesAreSurvived) {
  base::SplitMix64 random(17);
  std::vector<char> bytes(64 << 10);
  for (int round = 0; round < 20; ++round) {
    for (char& b : bytes) b = static_cast<char>(random.next());
    // Magic and position are right here and there, so that lengths are looked at.
    for (const std::uint64_t p : positions_) {
      const std::uint64_t at = offset_in_segment(p) - kSegmentHeaderBytes;
      std::memcpy(&bytes[at], &kRecordMagic, 4);
      std::memcpy(&bytes[at + 8], &p, 8);
      if (round % 2 == 0) std::memset(&bytes[at + 34], 0, 14);
    }
    damage(kSegmentHeaderBytes, bytes);
    reader_.reset();
    for (const std::uint64_t p : positions_) EXPECT_NE(read(p, kAnyIncarnation), ReadStatus::ok);
    std::uint64_t position = segment_start(1);
    EXPECT_NE(reader_.next(position, record_), ReadStatus::ok);
  }
  damage(0, bytes);
  reader_.reset();
  EXPECT_EQ(read(positions_[0], 1), ReadStatus::no_segment);
}

TEST_F(ReaderTest, ReportsErrorsOfTheDisk) {
  FailingFiles files;
  files.read_error = EIO;
  Reader reader(folder_.path(), kSystem, window_.span(), files);
  EXPECT_EQ(reader.read(positions_[0], 1, record_), ReadStatus::io_error);
  EXPECT_EQ(reader.error(), EIO);
}

}  // namespace
}  // namespace longbow::wal
