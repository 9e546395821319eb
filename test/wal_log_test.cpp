// The log as processes use it: durable records are in the files, whoever writes and whoever dies.
#include <signal.h>

#include <algorithm>

#include "longbow/wal/log.hpp"
#include "wal_testing.hpp"

namespace longbow::wal {
namespace {

using testing::Buffer;
using testing::Folder;
using testing::has_backend;
using testing::in_child;
using testing::kSystem;
using testing::Sample;
using testing::SharedLog;
using testing::status_of;

constexpr std::uint32_t kPatient = 20'000'000;

class WithBackend : public ::testing::TestWithParam<BackendKind> {
 protected:
  // Skips where the machine has no io_uring.
  void SetUp() override {
    SharedLog probe;
    Folder folder;
    Log log(probe.log, folder.path());
    std::string reason;
    if (!has_backend(log, GetParam(), reason)) GTEST_SKIP() << reason;
  }
};

TEST_P(WithBackend, DurableRecordsAreInTheFiles) {
  Folder folder;
  SharedLog shared;
  Log log(shared.log, folder.path());
  log.set_backend(GetParam());
  std::vector<std::uint64_t> positions;
  for (std::uint64_t i = 0; i < 200; ++i) {
    Sample sample(i, 1 + i % 5, 128);
    positions.push_back(log.append(sample.bytes.data(), sample.length, 1000));
    ASSERT_NE(positions.back(), 0U);
    if (i % 3 == 0) log.submit(positions.back());
    if (i % 3 != 1) {
      ASSERT_EQ(log.wait(positions.back(), kPatient), WaitResult::durable);
    }
  }
  ASSERT_EQ(log.wait(positions.back(), kPatient), WaitResult::durable);
  Buffer window(64 << 10);
  Reader reader(folder.path(), kSystem, window.span());
  for (std::uint64_t i = 0; i < positions.size(); ++i) {
    Record record;
    ASSERT_EQ(reader.read(positions[i], i + 1, record), ReadStatus::ok);
    EXPECT_TRUE(Sample(i, 1 + i % 5, 128).same(record));
  }
  const LogCounters& counters = shared.log->counters;
  EXPECT_EQ(counters.records.value(), 200U);
  EXPECT_EQ(counters.group_records.value(), 200U);
  EXPECT_LE(counters.groups.value(), 200U);
  EXPECT_GT(counters.fsyncs.value(), 0U);
  EXPECT_EQ(counters.errors.value(), 0U);
}

TEST_P(WithBackend, ManyProcessesAcrossSegments) {
  constexpr std::uint64_t kChildren = 4, kRecords = 120;
  Folder folder;
  SharedLog shared(1U << 20);
  std::vector<pid_t> children;
  for (std::uint64_t child = 0; child < kChildren; ++child)
    children.push_back(in_child([&, child] {
      Log log(shared.log, folder.path());
      log.set_backend(GetParam());
      log.set_through_ring(child % 2 == 0);
      for (std::uint64_t i = 0; i < kRecords; ++i) {
        Sample sample(child * kRecords + i, 10, 1600);
        const std::uint64_t p = log.append(sample.bytes.data(), sample.length, kPatient);
        if (p == 0) return 1;
        log.submit(p);
        if (i % 7 == child && log.wait(p, kPatient) != WaitResult::durable) return 2;
        if (i % 50 == 0 && log.prepare_next() != 0) return 3;
        if (i == kRecords - 1 && log.wait(p, kPatient) != WaitResult::durable) return 4;
      }
      return 0;
    }));
  for (const pid_t child : children) EXPECT_EQ(status_of(child), 0);
  std::vector<int> seen(kChildren * kRecords);
  Buffer window(256 << 10);
  Reader reader(folder.path(), kSystem, window.span());
  EXPECT_GE(segment_of(shared.log->durable.load()), 2U);
  for (std::uint64_t segment = 1; segment <= segment_of(shared.log->durable.load()); ++segment) {
    std::uint64_t position = segment_start(segment);
    Record record;
    ReadStatus status;
    while ((status = reader.next(position, record)) == ReadStatus::ok) {
      ASSERT_LT(record.header.first_ordinal, seen.size());
      ++seen[record.header.first_ordinal];
      EXPECT_TRUE(Sample(record.header.first_ordinal, 10, 1600).same(record));
    }
    EXPECT_TRUE(status == ReadStatus::end || position == shared.log->durable.load());
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), static_cast<std::ptrdiff_t>(seen.size()));
}

TEST_P(WithBackend, ADeadLeaderIsReplaced) {
  Folder folder;
  testing::SharedMemory word(4096);
  auto* const told = new (word.get()) std::atomic<std::uint64_t>(0);
  const SharedLog fresh;
  const pid_t child = in_child([&]() -> int {
    Log log(fresh.log, folder.path());
    log.set_backend(GetParam());
    Sample sample(1, 1, 128);
    const std::uint64_t p = log.append(sample.bytes.data(), sample.length, 1000);
    log.submit(p);
    // A leader of `standard` never leaves before it is done: it dies in its system call, which this stands for.
    if (GetParam() == BackendKind::standard) fresh.log->leader.store(static_cast<std::uint64_t>(::getpid()));
    told->store(p);
    for (;;) ::pause();
  });
  while (told->load() == 0) ::usleep(100);
  EXPECT_NE(fresh.log->leader.load(), 0U);
  ::kill(child, SIGKILL);
  status_of(child);
  Log log(fresh.log, folder.path());
  log.set_backend(GetParam());
  EXPECT_EQ(log.wait(told->load(), kPatient), WaitResult::durable);
  EXPECT_EQ(fresh.log->counters.takeovers.value(), 1U);
  Buffer window(8192);
  Reader reader(folder.path(), kSystem, window.span());
  Record record;
  ASSERT_EQ(reader.read(told->load(), 2, record), ReadStatus::ok);
  EXPECT_TRUE(Sample(1, 1, 128).same(record));
}

TEST_P(WithBackend, FlushAsyncEmptiesTheBuffer) {
  Folder folder;
  SharedLog shared;
  Log log(shared.log, folder.path());
  log.set_backend(GetParam());
  EXPECT_TRUE(log.flush_async());
  std::uint64_t last = 0;
  while (!log.half_full()) {
    Sample sample(1, 1, 500);
    last = log.append(sample.bytes.data(), sample.length, 0);
    ASSERT_NE(last, 0U);
  }
  EXPECT_LE(log.durable_position(), last);
  EXPECT_TRUE(log.flush_async());
  EXPECT_GT(log.durable_position(), last);
  EXPECT_EQ(shared.log->counters.groups.value(), 1U);
  EXPECT_FALSE(log.half_full());
}

TEST_P(WithBackend, AFullRingIsEmptiedByWhoNeedsRoom) {
  Folder folder;
  SharedLog shared;
  Log log(shared.log, folder.path());
  log.set_backend(GetParam());
  for (std::uint64_t i = 0; i < 300; ++i) {
    Sample sample(i, 1, 1000);
    ASSERT_NE(log.append(sample.bytes.data(), sample.length, 1'000'000), 0U);
  }
  EXPECT_EQ(shared.log->counters.no_space.value(), 0U);
  // Without patience it is given up, and counted.
  Sample sample(1, 1, 1000);
  while (log.append(sample.bytes.data(), sample.length, 0) != 0) {
  }
  EXPECT_EQ(shared.log->counters.no_space.value(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Log, WithBackend, ::testing::Values(BackendKind::standard, BackendKind::io_uring),
                         [](const auto& which) { return std::string(backend_name(which.param)); });

TEST(Log, AParkedLeaderStallsNobody) {
  Folder folder;
  SharedLog shared;
  Log leader(shared.log, folder.path());
  std::string reason;
  if (!has_backend(leader, BackendKind::io_uring, reason)) GTEST_SKIP() << reason;
  ASSERT_EQ(leader.prepare_next(), 0);
  Sample first(1, 1, 128), second(2, 1, 128);
  const std::uint64_t p = leader.append(first.bytes.data(), first.length, 0);
  leader.submit(p);
  // The leader does not come back, as one that sits in SyncRep.
  const pid_t follower = in_child([&] {
    Log log(shared.log, folder.path());
    log.set_backend(BackendKind::io_uring);
    const std::uint64_t q = log.append(second.bytes.data(), second.length, 0);
    return log.wait(q, kPatient) == WaitResult::durable ? 0 : 1;
  });
  EXPECT_EQ(status_of(follower), 0);
  EXPECT_GE(shared.log->counters.takeovers.value(), 1U);
  EXPECT_EQ(leader.wait(p, kPatient), WaitResult::durable);
  leader.drain();
  EXPECT_EQ(shared.log->leader.load(), 0U);
}

TEST(Log, BackendsChangeAtAnyTime) {
  Folder folder;
  SharedLog shared;
  Log log(shared.log, folder.path());
  std::vector<std::uint64_t> positions;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const BackendKind kind = static_cast<BackendKind>(i / 2 % 3);
    const BackendState& state = log.set_backend(kind);
    EXPECT_EQ(state.requested, kind);
    if (state.effective != kind) {
      EXPECT_STRNE(state.reason, "");
    }
    Sample sample(i, 1, 300);
    const std::uint64_t p = log.append(sample.bytes.data(), sample.length, 1000);
    EXPECT_EQ(p == 0, kind == BackendKind::none);
    EXPECT_EQ(log.wait(p, kPatient), p == 0 ? WaitResult::failed : WaitResult::durable);
    log.submit(p);
    if (p != 0) positions.push_back(p);
  }
  EXPECT_EQ(shared.log->counters.skipped.value(), 20U);
  Buffer window(8192);
  Reader reader(folder.path(), kSystem, window.span());
  Record record;
  for (const std::uint64_t p : positions) EXPECT_EQ(reader.read(p, kAnyIncarnation, record), ReadStatus::ok);
}

TEST(Log, RefusesWhatIsTooLong) {
  Folder folder;
  SharedLog shared;
  Log log(shared.log, folder.path());
  log.set_backend(BackendKind::standard);
  Sample sample(1, 10, 1000);
  EXPECT_GT(sample.length, shared.log->max_record());
  EXPECT_EQ(log.append(sample.bytes.data(), sample.length, 1000), 0U);
  EXPECT_EQ(shared.log->counters.skipped.value(), 1U);
}

TEST(Log, OldSegmentsAreRecycledOrRemoved) {
  Folder folder;
  SharedLog shared(LogShared::kMinRing, 10);
  Log log(shared.log, folder.path());
  log.set_backend(BackendKind::standard);
  for (std::uint64_t segment = 1; segment <= 10; ++segment) ASSERT_EQ(log.segments().create(segment), 0);
  EXPECT_EQ(log.recycle(4, 100 * kSegmentBytes), 4);
  std::uint64_t numbers[16];
  // 1 and 2 wait as 11 and 12; two spare ones are enough, so 3 is gone.
  ASSERT_EQ(log.segments().list(numbers), 9);
  EXPECT_EQ(numbers[0], 4U);
  EXPECT_EQ(numbers[8], 12U);
  EXPECT_EQ(log.recycle(4, 5 * kSegmentBytes), 8);
  EXPECT_EQ(log.segments().list(numbers), 5);
  // The one in use stays, whatever is asked for.
  EXPECT_EQ(log.recycle(99, 0), 10);
  EXPECT_EQ(log.segments().list(numbers), 3);
  EXPECT_EQ(numbers[0], 10U);
}

}  // namespace
}  // namespace longbow::wal
