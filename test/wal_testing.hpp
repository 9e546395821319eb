// What the tests of the side WAL share: a folder, shared memory, records that can be told from each other, failing
// files.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "longbow/base/random.hpp"
#include "longbow/wal/log.hpp"
#include "longbow/wal/reader.hpp"

namespace longbow::wal::testing {

constexpr std::uint64_t kSystem = 0x1122334455667788;

// A folder that goes with its owner. Not on a tmpfs, if there is a choice, so that O_DIRECT is tried.
class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::exists("/var/tmp") ? "/var/tmp/longbow-wal-XXXXXX" : "/tmp/longbow-wal-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

// Memory that children share.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes) : bytes_(bytes) {
    memory_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) std::abort();
  }
  ~SharedMemory() { ::munmap(memory_, bytes_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  [[nodiscard]] void* get() const { return memory_; }

 private:
  std::size_t bytes_;
  void* memory_;
};

struct SharedLog {
  explicit SharedLog(std::size_t ring = LogShared::kMinRing, std::uint64_t first_segment = 1)
      : memory(LogShared::bytes(ring)), log(LogShared::init(memory.get(), ring, kSystem, first_segment)) {}
  SharedMemory memory;
  LogShared* log;
};

// 8-byte aligned bytes.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) : words_((bytes + 7) / 8), bytes_(bytes) {}
  [[nodiscard]] std::byte* data() { return reinterpret_cast<std::byte*>(words_.data()); }
  [[nodiscard]] std::span<std::byte> span() { return {data(), bytes_}; }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t bytes_;
};

// A record whose content follows from a number.
struct Sample {
  Sample(std::uint64_t number, std::size_t row_count, std::uint32_t dimensions, CompressState* state = nullptr)
      : rows(row_count), vectors(row_count * dimensions), bytes(RecordWriter::bound(row_count, dimensions)) {
    base::SplitMix64 random(number);
    for (RowId& row : rows)
      row = {static_cast<std::uint32_t>(random.next()), static_cast<std::uint16_t>(random.next()), 0};
    for (float& x : vectors) x = static_cast<float>(random.below(1000)) - 500;
    Buffer scratch(RecordWriter::scratch_bytes(row_count, dimensions));
    length = RecordWriter::encode({{1663, 5, 16384}, number + 1, number, rows, vectors.data(), dimensions}, state,
                                  scratch.data(), bytes.data());
  }
  // Whether a decoded record is this one.
  [[nodiscard]] bool same(const Record& record) const {
    std::vector<float> out(vectors.size());
    Buffer scratch(record.header.raw_bytes + 8);
    return record.rows.size() == rows.size() &&
           std::memcmp(record.rows.data(), rows.data(), rows.size() * sizeof(RowId)) == 0 &&
           record.header.raw_bytes == vectors.size() * sizeof(float) && record.vectors(out.data(), scratch.data()) &&
           out == vectors;
  }
  std::vector<RowId> rows;
  std::vector<float> vectors;
  Buffer bytes;
  std::size_t length;
};

// Runs a function in a child process; its return value is the child's status.
inline pid_t in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  return pid;
}
inline int status_of(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Files that fail as they are told, and count.
class FailingFiles final : public FileOps {
 public:
  ssize_t pwrite(int file, const void* data, std::size_t bytes, off_t at) noexcept override {
    const ssize_t refused = before_write(bytes);
    return refused != 0 ? refused : FileOps::pwrite(file, data, bytes, at);
  }
  ssize_t pwritev_durable(int file, const iovec* pieces, int count, off_t at) noexcept override {
    iovec first = pieces[0];
    const ssize_t refused = before_write(first.iov_len);
    if (refused != 0) return refused;
    if (sync_error != 0) return -sync_error;
    ++calls.durable_writes;
    return short_writes ? FileOps::pwritev_durable(file, &first, 1, at) : FileOps::pwritev_durable(file, pieces, count, at);
  }
  ssize_t pread(int file, void* data, std::size_t bytes, off_t at) noexcept override {
    if (read_error != 0) return -read_error;
    return FileOps::pread(file, data, short_writes ? std::min<std::size_t>(bytes, 100) : bytes, at);
  }
  int fdatasync(int file) noexcept override {
    ++calls.syncs;
    return sync_error != 0 ? -sync_error : FileOps::fdatasync(file);
  }
  int start_writes(int file, off_t from, off_t bytes) noexcept override {
    ++calls.starts;
    return FileOps::start_writes(file, from, bytes);
  }
  int fsync(int file) noexcept override { return sync_error != 0 ? -sync_error : FileOps::fsync(file); }
  int ring_result(int result) noexcept override {
    if (write_error != 0) return -write_error;
    return short_writes && result > 512 ? result - 512 : result;
  }
  int write_error = 0, read_error = 0, sync_error = 0, interrupts = 0;
  // Calls that came through, those of pwritev_durable() among the writes.
  struct Calls {
    int writes = 0, durable_writes = 0, starts = 0, syncs = 0;
    bool operator==(const Calls&) const = default;
  } calls;
  Calls take_calls() { return std::exchange(calls, {}); }
  bool short_writes = false;

 private:
  // Fails, or shortens a write, as it is told.
  ssize_t before_write(std::size_t& bytes) {
    if (interrupts > 0) {
      --interrupts;
      return -EINTR;
    }
    if (write_error != 0) return -write_error;
    ++calls.writes;
    if (short_writes) bytes = std::min<std::size_t>(bytes, 4096);
    return 0;
  }
};

// Chooses a backend; false, with the reason, if the machine does not have it.
inline bool has_backend(Log& log, BackendKind kind, std::string& reason) {
  const BackendState& state = log.set_backend(kind);
  reason = state.reason;
  return state.effective == kind;
}

}  // namespace longbow::wal::testing
