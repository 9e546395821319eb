// What background processes do for the log: the next segment, old segments, recovery after a failure.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "longbow/wal/log.hpp"

namespace longbow::wal {
namespace {

constexpr std::size_t kListed = 4096;  // more segments than this are dealt with in the next call
constexpr std::uint64_t kSpare = 2;    // recycled segments that wait for use

}  // namespace

int Log::prepare_next() noexcept {
  const std::uint64_t next = segment_of(shared_->reserved.load()) + 1;
  if (prepared_ == next) return 0;
  const int file = store_.open_for_read(next);
  if (file >= 0) store_.files().close(file);
  const int result = file == -ENOENT ? store_.create(next) : std::min(file, 0);
  if (result != 0 && result != -EEXIST) return result;
  prepared_ = next;
  return 0;
}

long long Log::recycle(std::uint64_t keep_from_segment, std::uint64_t max_bytes) noexcept {
  std::uint64_t numbers[kListed];
  const long found = store_.list(numbers);
  if (found < 0) return found;
  const std::span<std::uint64_t> all(numbers, std::min(static_cast<std::size_t>(found), kListed));
  const std::uint64_t in_use = segment_of(shared_->durable.load()), last = segment_of(shared_->reserved.load());
  const std::uint64_t most = std::max<std::uint64_t>(max_bytes / kSegmentBytes, 1);
  auto ahead = static_cast<std::uint64_t>(std::count_if(all.begin(), all.end(), [&](auto n) { return n > last; }));
  std::uint64_t left = all.size(), next = last + 1;
  for (const std::uint64_t number : all) {
    if (number >= in_use) return static_cast<long long>(number);
    if (number >= keep_from_segment && left <= most) return static_cast<long long>(number);
    int result = -EEXIST;
    if (ahead < kSpare && left <= most) {
      while (result == -EEXIST && next <= last + kSpare) result = store_.recycle(number, next++);
      if (result == 0) {
        ++ahead;
        continue;
      }
    }
    // No spare is wanted, or the file is damaged.
    result = store_.remove(number);
    if (result != 0 && result != -ENOENT) return result;
    --left;
  }
  return static_cast<long long>(in_use);
}

bool Log::try_recover() noexcept {
  if (shared_->failed.load() == 0) return true;
  drain();
  std::uint64_t word = shared_->leader.load();
  if (!may_lead(word) || !take_lead(word, false)) return false;
  const auto finish = [&](bool works) {
    give_up_lead(word);
    wake_all();
    return works;
  };
  if (shared_->failed.load() == 0) return finish(true);
  close_file();
  // A file that saw no failed sync. If one was prepared it is made again: that tries the disk.
  const std::uint64_t before = shared_->durable.load();
  const std::uint64_t segment = segment_of(std::max(shared_->reserved.load(), before)) + 1;
  int error = store_.remove(segment);
  if (error == 0 || error == -ENOENT) error = store_.create(segment);
  if (error != 0) {
    shared_->last_errno.store(static_cast<std::uint32_t>(-error));
    return finish(false);
  }
  // `durable` first: until `reserved` follows, the difference makes every reserve() fail.
  const std::uint64_t start = segment_start(segment);
  shared_->lost_from.store(before);
  shared_->lost_to.store(start);
  shared_->generation.fetch_add(1);
  shared_->durable.store(start);
  shared_->reserved.store(start);
  shared_->counters.recoveries.add();
  shared_->failed.store(0);
  return finish(true);
}

}  // namespace longbow::wal
