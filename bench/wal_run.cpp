// One run of the side WAL's benchmark: writer processes that append records and wait until each is durable.
//
//   wal_run MODE DIR WRITERS ROWS BATCH SECONDS RATE
//     MODE  each     every writer syncs every record by itself: pwrite + fdatasync
//           own      every writer syncs every batch by itself: one pwrite + fdatasync
//           standard, io_uring, none    the log's backends
//           ring     io_uring with every write through the ring, those that are waited for too
//           submit   io_uring with submit() before the wait, as a commit does
//     ROWS  vectors of 128 dimensions a record
//     BATCH records that a writer appends before it waits until all of them are durable; `each` syncs every one
//     RATE  batches a second of all writers together; 0 as fast as they can
//
// Prints one line of JSON. Latency is a record's, from before its encoding until it is durable. Beside the writers runs one process that prepares and recycles segments, as the extension's
// launcher does; its CPU time counts.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "longbow/base/random.hpp"
#include "longbow/stats/histogram.hpp"
#include "longbow/wal/log.hpp"

namespace {

namespace base = longbow::base;
namespace stats = longbow::stats;
namespace wal = longbow::wal;

constexpr std::uint32_t kDims = 128;
constexpr std::size_t kRing = 1U << 20;
constexpr std::uint64_t kSystem = 42;
constexpr std::uint64_t kEachSegments = 4;

struct Board {
  std::atomic<std::uint32_t> ready, go, stop, measured;
  stats::Counter appends, not_durable, position, pss;
  stats::Histogram latency;
};

struct Options {
  std::string mode, directory;
  int writers;
  std::size_t rows, batch;
  double seconds, rate;
};

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}
void sleep_for(double seconds) {
  const timespec time{time_t(seconds), long((seconds - double(time_t(seconds))) * 1e9)};
  nanosleep(&time, nullptr);
}

// This process's share of memory in kB: private pages, and shared ones divided by those who share them.
std::uint64_t proportional_kb() {
  std::uint64_t kb = 0;
  if (std::FILE* file = std::fopen("/proc/self/smaps_rollup", "r")) {
    char line[256];
    while (std::fgets(line, sizeof line, file))
      if (std::sscanf(line, "Pss: %lu kB", &kb) == 1) break;
    std::fclose(file);
  }
  return kb;
}

// Appends batches of records by append(record, length); sync() makes them durable and says whether they are.
template <class Append, class Sync>
void write_records(const Options& options, Board& board, int number, Append append, Sync sync) {
  base::SplitMix64 random(std::uint64_t(number) + 1);
  std::vector<wal::RowId> rows(options.rows);
  std::vector<float> vectors(options.rows * kDims);
  for (float& x : vectors) x = float(random.next() >> 40) * 0x1p-24F - 0.5F;
  std::vector<std::uint64_t> memory(wal::RecordWriter::bound(options.rows, kDims) / 8);
  auto* const record = reinterpret_cast<std::byte*>(memory.data());
  board.ready.fetch_add(1);
  while (board.go.load() == 0) sleep_for(1e-4);
  const double gap = options.rate > 0 ? options.writers / options.rate : 0;
  double due = now() + gap * number / options.writers;
  std::uint64_t done = 0;
  std::vector<double> started(options.batch);
  const bool each = options.mode == "each";
  while (board.stop.load(std::memory_order_relaxed) == 0) {
    if (gap > 0) {
      for (double left; (left = due - now()) > 0;) sleep_for(left);
      due += gap;
    }
    for (double& time : started) {
      time = now();
      rows[0].block = std::uint32_t(done);
      const std::size_t length =
          wal::RecordWriter::encode({{1, 2, 3}, 1, done, rows, vectors.data(), kDims}, nullptr, nullptr, record);
      append(record, length);
      if (each) {
        if (!sync()) board.not_durable.add();
        board.latency.record(std::uint64_t((now() - time) * 1e9));
      }
      ++done;
    }
    if (each) continue;
    if (!sync()) board.not_durable.add(options.batch);
    const double ended = now();
    for (const double time : started) board.latency.record(std::uint64_t((ended - time) * 1e9));
  }
  board.appends.add(done);
  board.pss.add(proportional_kb());
  // Shared pages are divided by those who still live.
  board.measured.fetch_add(1);
  while (board.measured.load() < std::uint32_t(options.writers)) sleep_for(1e-3);
}

// `each` and `own`.
void write_alone(const Options& options, Board& board, int number) {
  std::vector<int> files;
  const wal::SegmentStore store(options.directory.c_str(), kSystem);
  for (std::uint64_t segment = 1; segment <= kEachSegments; ++segment)
    files.push_back(store.open_for_write(segment, 0));
  constexpr std::uint64_t kRoom = wal::kSegmentBytes - wal::kSegmentHeaderBytes;
  std::vector<std::byte> records;
  const auto append = [&](std::byte* record, std::size_t length) {
    wal::RecordWriter::seal(record, 0, 0);
    records.insert(records.end(), record, record + length);
  };
  const auto sync = [&] {
    const std::size_t length = records.size();
    std::uint64_t at;
    // The position of a place that does not cross a segment's end.
    for (;;) {
      at = __atomic_fetch_add(reinterpret_cast<std::uint64_t*>(&board.position), length, __ATOMIC_RELAXED);
      if (at / kRoom == (at + length - 1) / kRoom) break;
    }
    const int file = files[at / kRoom % kEachSegments];
    const int error =
        wal::write_fully(wal::system_files(), file, records.data(), length, wal::kSegmentHeaderBytes + at % kRoom);
    records.clear();
    return error == 0 && fdatasync(file) == 0;
  };
  write_records(options, board, number, append, sync);
}

void write_log(const Options& options, Board& board, wal::LogShared* shared, wal::BackendKind kind, int number) {
  wal::Log log(shared, options.directory.c_str());
  if (log.set_backend(kind).effective != kind) {
    std::fprintf(stderr, "%s\n", log.backend().reason);
    std::_Exit(1);
  }
  log.set_through_ring(options.mode == "ring");
  const bool submit = options.mode == "submit";
  std::uint64_t position = 0;
  bool logged = true;
  const auto append = [&](std::byte* record, std::size_t length) {
    position = log.append(record, length, 1'000'000);
    logged = logged && position != 0;
  };
  const auto sync = [&] {
    if (kind == wal::BackendKind::none) return true;
    if (submit) log.submit(position);
    return std::exchange(logged, true) && log.wait(position, 10'000'000) == wal::WaitResult::durable;
  };
  write_records(options, board, number, append, sync);
}

void keep_segments(const Options& options, Board& board, wal::LogShared* shared) {
  wal::Log log(shared, options.directory.c_str());
  while (board.stop.load() == 0) {
    log.prepare_next();
    log.recycle(wal::segment_of(shared->durable.load()), 8 * wal::kSegmentBytes);
    sleep_for(1e-3);
  }
}

double cpu_of_children() {
  rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  return double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

int run(const Options& options) {
  const bool alone = options.mode == "each" || options.mode == "own";
  const wal::BackendKind kind = options.mode == "standard"       ? wal::BackendKind::standard
                                : alone || options.mode == "none" ? wal::BackendKind::none
                                                                 : wal::BackendKind::io_uring;
  const auto share = [](std::size_t bytes) {
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    return memory;
  };
  auto* const board = new (share(sizeof(Board))) Board();
  const wal::SegmentStore store(options.directory.c_str(), kSystem);
  for (std::uint64_t segment = 1; segment <= kEachSegments; ++segment)
    if (const int error = store.create(segment); error != 0 && error != -EEXIST) {
      std::fprintf(stderr, "%s: %s\n", options.directory.c_str(), std::strerror(-error));
      return 1;
    }
  wal::LogShared* shared = nullptr;
  if (!alone) shared = wal::LogShared::init(share(wal::LogShared::bytes(kRing)), kRing, kSystem, 1);
  std::vector<pid_t> children;
  for (int i = 0; i <= options.writers; ++i) {
    if (i == options.writers && (alone || kind == wal::BackendKind::none)) break;
    const pid_t pid = fork();
    if (pid == 0) {
      if (i == options.writers)
        keep_segments(options, *board, shared);
      else if (alone)
        write_alone(options, *board, i);
      else
        write_log(options, *board, shared, kind, i);
      std::_Exit(0);
    }
    children.push_back(pid);
  }
  while (board->ready.load() < std::uint32_t(options.writers)) sleep_for(1e-3);
  const double started = now();
  board->go.store(1);
  sleep_for(options.seconds);
  board->stop.store(1);
  const double took = now() - started;
  bool good = true;
  for (const pid_t pid : children) {
    int status;
    waitpid(pid, &status, 0);
    good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  const double appends = double(board->appends.value());
  std::printf(
      "{\"appends\": %.0f, \"not_durable\": %lu, \"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
      "\"cpu_us\": %.3f, \"memory_kb\": %lu",
      appends, board->not_durable.value(), appends / took, double(board->latency.quantile(0.5)) / 1e3,
      double(board->latency.quantile(0.99)) / 1e3, cpu_of_children() * 1e6 / appends, board->pss.value());
  if (shared != nullptr) {
    const wal::LogCounters& c = shared->counters;
    std::printf(
        ", \"write_ops\": %lu, \"bytes_written\": %lu, \"bytes_logged\": %lu, \"groups\": %lu, "
        "\"group_records\": %lu, \"takeovers\": %lu, \"segments_made\": %lu, \"no_space\": %lu, \"errors\": %lu",
        c.write_ops.value(), c.bytes_written.value(), c.bytes_logged.value(), c.groups.value(), c.group_records.value(),
        c.takeovers.value(), c.segments_made.value(), c.no_space.value(), c.errors.value());
  }
  std::printf("}\n");
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::fprintf(stderr, "usage: wal_run each|own|standard|io_uring|ring|submit|none DIR WRITERS ROWS BATCH SECONDS RATE\n");
    return 2;
  }
  return run({argv[1], argv[2], std::atoi(argv[3]), std::size_t(std::atol(argv[4])), std::size_t(std::atol(argv[5])),
              std::atof(argv[6]), std::atof(argv[7])});
}
