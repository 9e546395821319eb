// A disk that fails: the log stops at once for everybody, loses nothing it called durable, and goes on elsewhere.
#include <sys/stat.h>

#include "wal_testing.hpp"

namespace longbow::wal {
namespace {

using testing::Buffer;
using testing::FailingFiles;
using Calls = FailingFiles::Calls;
using testing::Folder;
using testing::has_backend;
using testing::kSystem;
using testing::Sample;
using testing::SharedLog;

constexpr std::uint32_t kPatient = 20'000'000;

// A log over failing files, with a first record that is durable.
class Fault : public ::testing::TestWithParam<BackendKind> {
 protected:
  Fault() : log_(shared_.log, folder_.path(), files_) {}
  void SetUp() override {
    std::string reason;
    if (!has_backend(log_, GetParam(), reason)) GTEST_SKIP() << reason;
    first_ = append(1);
    ASSERT_EQ(log_.wait(first_, kPatient), WaitResult::durable);
  }
  std::uint64_t append(std::uint64_t number) {
    Sample sample(number, 1, 128);
    return log_.append(sample.bytes.data(), sample.length, 1000);
  }
  bool readable(std::uint64_t position, std::uint64_t number) {
    Buffer window(8192);
    Reader reader(folder_.path(), kSystem, window.span());
    Record record;
    return reader.read(position, number + 1, record) == ReadStatus::ok && Sample(number, 1, 128).same(record);
  }
  // The log has failed with `error`, refuses appends, recovers once the disk works, and then logs again.
  void expect_failure_and_recovery(std::uint64_t lost, int error) {
    EXPECT_EQ(log_.wait(lost, kPatient), WaitResult::failed);
    EXPECT_EQ(shared_.log->failed.load(), static_cast<std::uint32_t>(error));
    EXPECT_EQ(shared_.log->last_errno.load(), static_cast<std::uint32_t>(error));
    EXPECT_GE(shared_.log->counters.errors.value(), 1U);
    EXPECT_EQ(append(50), 0U);
    EXPECT_FALSE(log_.flush_async());
    log_.submit(lost);
    EXPECT_EQ(log_.durable_position(), first_end());
    EXPECT_FALSE(log_.try_recover());
    files_.write_error = files_.sync_error = 0;
    EXPECT_EQ(append(51), 0U);
    ASSERT_TRUE(log_.try_recover());
    EXPECT_TRUE(log_.try_recover());
    EXPECT_EQ(log_.wait(lost, kPatient), WaitResult::failed);
    const std::uint64_t again = append(60);
    EXPECT_GT(segment_of(again), segment_of(lost));
    EXPECT_EQ(log_.wait(again, kPatient), WaitResult::durable);
    EXPECT_TRUE(readable(again, 60));
    EXPECT_TRUE(readable(first_, 1));
    EXPECT_EQ(shared_.log->counters.recoveries.value(), 1U);
  }
  [[nodiscard]] std::uint64_t first_end() const { return first_ + Sample(1, 1, 128).length; }

  Folder folder_;
  FailingFiles files_;
  SharedLog shared_;
  Log log_;
  std::uint64_t first_ = 0;
};

TEST_P(Fault, NoSpace) {
  files_.write_error = ENOSPC;
  expect_failure_and_recovery(append(2), ENOSPC);
}

TEST_P(Fault, InputOutputError) {
  files_.write_error = EIO;
  const std::uint64_t p = append(2);
  log_.submit(p);
  expect_failure_and_recovery(p, EIO);
}

TEST_P(Fault, AFailedSyncIsFinal) {
  files_.sync_error = EIO;
  expect_failure_and_recovery(append(2), EIO);
}

TEST_P(Fault, AFailedSyncOfABegunWriteIsFinal) {
  const std::uint64_t p = append(2);
  log_.submit(p);
  files_.sync_error = EIO;
  expect_failure_and_recovery(p, EIO);
}

TEST_P(Fault, WhoWaitsFlushesWhatTheRingWrote) {
  if (GetParam() != BackendKind::io_uring) GTEST_SKIP() << "only io_uring has a ring";
  files_.take_calls();
  const std::uint64_t begun = append(2);
  log_.submit(begun);
  EXPECT_EQ(log_.durable_position(), begun);
  EXPECT_EQ(log_.wait(begun, kPatient), WaitResult::durable);
  EXPECT_EQ(files_.take_calls(), (Calls{0, 0, 0, 1}));
  const std::uint64_t waited = append(3);
  EXPECT_EQ(log_.wait(waited, kPatient), WaitResult::durable);
  EXPECT_EQ(files_.take_calls(), (Calls{1, 1, 0, 0}));
  EXPECT_TRUE(readable(begun, 2) && readable(waited, 3));
}

TEST_P(Fault, ALoneWriteBeginsBeforeItsSync) {
  if (GetParam() != BackendKind::standard) GTEST_SKIP() << "io_uring begins its write through the ring";
  files_.take_calls();
  const std::uint64_t one = append(2);
  log_.submit(one);
  EXPECT_EQ(files_.take_calls(), (Calls{1, 0, 1, 0}));
  EXPECT_EQ(log_.durable_position(), one);
  EXPECT_EQ(log_.wait(one, kPatient), WaitResult::durable);
  EXPECT_EQ(files_.take_calls(), (Calls{0, 0, 0, 1}));
  log_.submit(one);
  EXPECT_EQ(files_.take_calls(), (Calls{0, 0, 0, 0}));
  // Another process finishes what this one began, with a record of its own behind it.
  const std::uint64_t two = append(3);
  log_.submit(two);
  EXPECT_EQ(files_.take_calls(), (Calls{1, 0, 1, 0}));
  Log other(shared_.log, folder_.path(), files_);
  other.set_backend(BackendKind::standard);
  Sample sample(4, 1, 128);
  const std::uint64_t three = other.append(sample.bytes.data(), sample.length, 1000);
  EXPECT_EQ(other.wait(three, kPatient), WaitResult::durable);
  EXPECT_EQ(files_.take_calls(), (Calls{1, 0, 0, 1}));
  EXPECT_EQ(log_.wait(two, kPatient), WaitResult::durable);
  EXPECT_EQ(files_.take_calls(), (Calls{0, 0, 0, 0}));
  // Beside one who waits nothing is begun.
  const std::uint64_t four = append(5);
  shared_.log->sleepers = 1;
  log_.submit(four);
  shared_.log->sleepers = 0;
  EXPECT_EQ(files_.take_calls(), (Calls{0, 0, 0, 0}));
  EXPECT_EQ(log_.wait(four, kPatient), WaitResult::durable);
  EXPECT_TRUE(readable(one, 2) && readable(two, 3) && readable(three, 4) && readable(four, 5));
  // A disk that fails in between is met by whoever syncs, and one that fails at once stops the log.
  const std::uint64_t five = append(6);
  log_.submit(five);
  files_.sync_error = EIO;
  EXPECT_EQ(log_.wait(five, kPatient), WaitResult::failed);
  files_.sync_error = 0;
  ASSERT_TRUE(log_.try_recover());
  const std::uint64_t six = append(7);
  files_.write_error = ENOSPC;
  log_.submit(six);
  EXPECT_EQ(shared_.log->failed.load(), static_cast<std::uint32_t>(ENOSPC));
  files_.write_error = 0;
  ASSERT_TRUE(log_.try_recover());
  const std::uint64_t seven = append(8);
  log_.submit(seven);
  EXPECT_EQ(log_.wait(seven, kPatient), WaitResult::durable);
  EXPECT_TRUE(readable(seven, 8));
}

TEST_P(Fault, ShortWritesAndInterruptsGoOn) {
  files_.short_writes = true;
  for (std::uint64_t i = 0; i < 20; ++i) {
    files_.interrupts = 3;
    log_.set_through_ring(i % 2 == 0);
    Sample sample(i, 10, 200);
    const std::uint64_t p = log_.append(sample.bytes.data(), sample.length, 1000);
    ASSERT_EQ(log_.wait(p, kPatient), WaitResult::durable);
    Buffer window(32768);
    Reader reader(folder_.path(), kSystem, window.span(), files_);
    Record record;
    ASSERT_EQ(reader.read(p, i + 1, record), ReadStatus::ok);
    EXPECT_TRUE(sample.same(record));
  }
  EXPECT_EQ(shared_.log->counters.errors.value(), 0U);
}

TEST_P(Fault, AMissingFolderIsAFailureLikeAnother) {
  std::filesystem::remove_all(folder_.path());
  // What is open goes on to work; the next segment cannot be made.
  while (shared_.log->failed.load() == 0) {
    Sample sample(1, 1, 4000);
    const std::uint64_t p = log_.append(sample.bytes.data(), sample.length, 1'000'000);
    if (p != 0 && log_.half_full()) log_.flush_async();
  }
  EXPECT_EQ(shared_.log->failed.load(), static_cast<std::uint32_t>(ENOENT));
  EXPECT_FALSE(log_.try_recover());
  std::filesystem::create_directory(folder_.path());
  EXPECT_TRUE(log_.try_recover());
  const std::uint64_t p = append(3);
  EXPECT_EQ(log_.wait(p, kPatient), WaitResult::durable);
  EXPECT_TRUE(readable(p, 3));
}

TEST_P(Fault, ADamagedSegmentAheadIsMadeAnew) {
  char name[SegmentStore::kMaxPath + SegmentStore::kNameBytes];
  log_.segments().path(2, name);
  ASSERT_EQ(log_.segments().create(2), 0);
  ASSERT_EQ(::truncate(name, 100), 0);
  std::uint64_t p = 0;
  while (segment_of(p) < 2) {
    Sample sample(7, 1, 4000);
    p = log_.append(sample.bytes.data(), sample.length, 1'000'000);
    ASSERT_NE(p, 0U);
  }
  EXPECT_EQ(log_.wait(p, kPatient), WaitResult::durable);
}

TEST_P(Fault, APlaceLeftOpenStopsTheLogButNotForEver) {
  ASSERT_NE(log_.reserve(256, 0), 0U);
  const std::uint64_t behind = append(2);
  EXPECT_EQ(log_.wait(behind, 10'000), WaitResult::timeout);
  EXPECT_EQ(log_.wait(behind, kPatient), WaitResult::failed);
  EXPECT_EQ(shared_.log->failed.load(), static_cast<std::uint32_t>(ETIMEDOUT));
  ASSERT_TRUE(log_.try_recover());
  const std::uint64_t again = append(3);
  EXPECT_EQ(log_.wait(again, kPatient), WaitResult::durable);
  EXPECT_TRUE(readable(again, 3));
}

INSTANTIATE_TEST_SUITE_P(Log, Fault, ::testing::Values(BackendKind::standard, BackendKind::io_uring),
                         [](const auto& which) { return std::string(backend_name(which.param)); });

TEST(LogOnTmpfs, WorksWithoutDirectWritesAndSaysSoIfNeeded) {
  const std::filesystem::path name = "/dev/shm/longbow-wal-" + std::to_string(::getpid());
  std::error_code error;
  if (!std::filesystem::create_directory(name, error)) GTEST_SKIP() << "no /dev/shm";
  {
    SharedLog shared;
    Log log(shared.log, name.c_str());
    std::string reason;
    if (!has_backend(log, BackendKind::io_uring, reason)) GTEST_SKIP() << reason;
    for (std::uint64_t i = 0; i < 20; ++i) {
      Sample sample(i, 3, 128);
      const std::uint64_t p = log.append(sample.bytes.data(), sample.length, 1000);
      ASSERT_EQ(log.wait(p, kPatient), WaitResult::durable);
    }
    Buffer window(65536);
    Reader reader(name.c_str(), kSystem, window.span());
    std::uint64_t position = segment_start(1);
    Record record;
    int found = 0;
    while (reader.next(position, record) == ReadStatus::ok) ++found;
    EXPECT_EQ(found, 20);
  }
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace longbow::wal
