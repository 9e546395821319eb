// Chunks in order, held pages, the pool, and the ring over segments of a few pages.
#include "longbow/io/page_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "longbow/base/error.hpp"
#include "longbow/io/ring_sink.hpp"

namespace longbow::io {
namespace {

std::pmr::memory_resource& memory() { return *std::pmr::new_delete_resource(); }

// Marks the last byte of each page, so that a page that was written before it was sealed shows.
struct Marker final : PageSealer {
  std::uint32_t next = 0;
  void seal(std::uint32_t first, std::uint8_t* pages, std::uint32_t count) override {
    EXPECT_EQ(first, next) << "chunks are sealed in order";
    next = first + count;
    for (std::uint32_t i = 0; i < count; ++i) pages[(i + 1) * kPageBytes - 1] = 0xA5;
  }
};

void fill(std::uint8_t* page, std::uint32_t number) {
  for (std::size_t i = 0; i + 4 <= kPageBytes; i += 4) std::memcpy(page + i, &number, 4);
}

void expect_page(const std::uint8_t* page, std::uint32_t number) {
  for (std::size_t i = 0; i + 8 <= kPageBytes; i += 4) {
    std::uint32_t found;
    std::memcpy(&found, page + i, 4);
    ASSERT_EQ(found, number) << "byte " << i;
  }
  EXPECT_EQ(page[kPageBytes - 1], 0xA5);
}

// Keeps what it is given; a chunk is done only when it is asked for with wait, or at once.
class FakeSink final : public ChunkSink {
 public:
  explicit FakeSink(bool at_once) : at_once_(at_once) {}
  void begin(Chunk& chunk) override {
    EXPECT_EQ(chunk.first, pages.size() / kPageBytes);
    under_way.push_back(&chunk);
    pages.insert(pages.end(), chunk.pages, chunk.pages + chunk.used * kPageBytes);
    most = std::max(most, under_way.size());
  }
  Chunk* finished(bool wait) override {
    if (under_way.empty() || (!wait && !at_once_)) return nullptr;
    Chunk* chunk = under_way.front();
    under_way.erase(under_way.begin());
    return chunk;
  }
  void keep(std::span<Chunk* const> chunks) override { kept += chunks.size(); }
  void finish(std::uint32_t count) override { finished_with = count; }
  void stop() noexcept override { ++stops; }

  std::vector<Chunk*> under_way;
  std::vector<std::uint8_t> pages;
  std::size_t most = 0, kept = 0;
  std::uint32_t finished_with = 0;
  int stops = 0;

 private:
  bool at_once_;
};

void expect_pages(const FakeSink& sink, std::uint32_t count) {
  ASSERT_EQ(sink.pages.size(), count * kPageBytes);
  EXPECT_EQ(sink.finished_with, count);
  for (std::uint32_t i = 0; i < count; ++i) expect_page(sink.pages.data() + i * kPageBytes, i);
}

TEST(PageWriter, WritesPagesInOrderFromAPoolThatDoesNotGrow) {
  for (const bool at_once : {true, false}) {
    FakeSink sink(at_once);
    Marker marker;
    {
      PageWriter writer(sink, marker, {4, 3}, memory());
      for (std::uint32_t i = 0; i < 61; ++i) {
        EXPECT_EQ(writer.pages(), i);
        fill(writer.add(), i);
        writer.release(i);
      }
      writer.finish();
      expect_pages(sink, 61);
      EXPECT_LE(sink.most, 3U);
      EXPECT_EQ(sink.kept, at_once ? 0U : 3U);
    }
    EXPECT_GE(sink.stops, 1) << "the destructor waits for the sink before it frees the chunks";
  }
}

TEST(PageWriter, AHeldPageKeepsItsChunkAndAllAfterIt) {
  FakeSink sink(true);
  Marker marker;
  PageWriter writer(sink, marker, {4, 2}, memory());
  for (std::uint32_t i = 0; i < 6; ++i) {
    fill(writer.add(), i);
    if (i != 5) writer.release(i);
  }
  // Page 5 is a head: it is filled after 40 others, far more than the pool holds.
  for (std::uint32_t i = 6; i < 46; ++i) {
    fill(writer.add(), i);
    writer.release(i);
  }
  EXPECT_EQ(sink.pages.size(), 4 * kPageBytes);
  EXPECT_EQ(writer.find(3), nullptr) << "given to the sink";
  ASSERT_NE(writer.find(5), nullptr);
  expect_page(sink.pages.data() + 3 * kPageBytes, 3);
  EXPECT_THROW(writer.finish(), base::Error) << "a page is still held";
  writer.hold(45);
  writer.release(5);
  EXPECT_THROW(writer.finish(), base::Error);
  writer.release(45);
  writer.finish();
  expect_pages(sink, 46);
}

TEST(PageWriter, AFileWithoutPages) {
  FakeSink sink(true);
  Marker marker;
  PageWriter writer(sink, marker, {4, 2}, memory());
  writer.finish();
  EXPECT_TRUE(sink.pages.empty());
}

struct Failure : std::runtime_error {
  Failure(const char* call, std::uint32_t at, int code) : std::runtime_error(call), segment(at), error(code) {}
  std::uint32_t segment;
  int error;
};

// Segments as files of a folder of their own.
class Folder final : public SegmentFiles {
 public:
  Folder() {
    char name[] = "/tmp/longbow_io_XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
    path = name;
  }
  ~Folder() override {
    EXPECT_EQ(opened, closed);
    std::filesystem::remove_all(path);
  }
  int open(std::uint32_t segment, bool direct) override {
    if (refuse_direct && direct) return -EINVAL;
    if (segment == missing) return -EACCES;
    const int file = ::open(name(segment).c_str(), O_RDWR | O_CREAT | (direct ? O_DIRECT : 0), 0600);
    if (file < 0) return -errno;
    ++opened;
    last = file;
    return file;
  }
  void close(int file) noexcept override {
    ++closed;
    ::close(file);
  }
  int sync(int file) override {
    ++synced;
    return fail_sync ? -EIO : ::fsync(file) == 0 ? 0 : -errno;
  }
  [[noreturn]] void fail(const char* call, std::uint32_t segment, int error) override { throw Failure(call, segment, error); }

  [[nodiscard]] std::string name(std::uint32_t segment) const { return path + "/" + std::to_string(segment); }
  [[nodiscard]] std::vector<std::uint8_t> content(std::uint32_t segment) const {
    std::ifstream in(name(segment), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string path;
  int opened = 0, closed = 0, synced = 0, last = -1;
  std::uint32_t missing = ~0U;
  bool refuse_direct = false, fail_sync = false;
};

// A ring that this kernel refuses (seccomp) is no failure of ours.
#define OPEN_OR_SKIP(ring)                                                                         \
  do {                                                                                             \
    const int result = (ring).open();                                                              \
    if (result == -EPERM || result == -ENOSYS) GTEST_SKIP() << "no io_uring: " << strerror(-result); \
    ASSERT_EQ(result, 0);                                                                          \
  } while (0)

void write_pages(PageWriter& writer, std::uint32_t count) {
  for (; count > 0; --count) {
    const std::uint32_t number = writer.pages();
    fill(writer.add(), number);
    writer.release(number);
  }
}

TEST(RingSink, CrossesSegmentsWithinAChunkAndBetween) {
  // Chunks of 4 pages over segments of 10: chunks end in the middle of, and at, a segment's end.
  for (const bool direct : {true, false})
    for (const std::uint32_t count : {1U, 4U, 9U, 10U, 11U, 20U, 20U * 4, 163U}) {
      Folder folder;
      folder.refuse_direct = !direct;
      Marker marker;
      RingSink ring(folder, {10, 6}, memory());
      OPEN_OR_SKIP(ring);
      PageWriter writer(ring, marker, {4, 5}, memory());
      write_pages(writer, count);
      writer.finish();
      EXPECT_TRUE(direct || !ring.direct());
      const std::uint32_t segments = (count + 9) / 10;
      EXPECT_EQ(folder.synced, static_cast<int>(segments));
      EXPECT_FALSE(std::filesystem::exists(folder.name(segments)));
      for (std::uint32_t s = 0; s < segments; ++s) {
        const std::uint32_t pages = std::min(10U, count - s * 10);
        const auto bytes = folder.content(s);
        ASSERT_EQ(bytes.size(), pages * kPageBytes) << "what was allocated ahead is cut";
        for (std::uint32_t i = 0; i < pages; ++i) expect_page(bytes.data() + i * kPageBytes, s * 10 + i);
      }
    }
}

TEST(RingSink, ManyWritesUnderWayFromRegisteredMemory) {
  Folder folder;
  Marker marker;
  RingSink ring(folder, {100000, 16}, memory());
  OPEN_OR_SKIP(ring);
  PageWriter writer(ring, marker, {8, 16}, memory());
  write_pages(writer, 2000);
  writer.finish();
  const auto bytes = folder.content(0);
  ASSERT_EQ(bytes.size(), 2000 * kPageBytes);
  for (std::uint32_t i = 0; i < 2000; ++i) expect_page(bytes.data() + i * kPageBytes, i);
}

TEST(RingSink, AFullDiskIsReportedAndNothingStaysUnderWay) {
  Folder folder;
  Marker marker;
  RingSink ring(folder, {100000, 8}, memory());
  OPEN_OR_SKIP(ring);
  PageWriter writer(ring, marker, {4, 8}, memory());
  write_pages(writer, 9);
  // The room that is there already is taken away from under the ring.
  const int full = ::open("/dev/full", O_RDWR);
  ASSERT_GE(full, 0);
  ASSERT_GE(::dup2(full, folder.last), 0);
  ::close(full);
  try {
    write_pages(writer, 60);
    writer.finish();
    FAIL() << "writing to a full disk must fail";
  } catch (const Failure& failure) {
    EXPECT_STREQ(failure.what(), "write");
    EXPECT_EQ(failure.error, ENOSPC);
    EXPECT_EQ(failure.segment, 0U);
  }
}

TEST(RingSink, FailuresOfSegmentsAreReported) {
  const auto run = [](Folder& folder) {
    Marker marker;
    RingSink ring(folder, {10, 4}, memory());
    if (ring.open() != 0) return std::string("not opened");
    PageWriter writer(ring, marker, {4, 4}, memory());
    try {
      write_pages(writer, 25);
      writer.finish();
    } catch (const Failure& failure) {
      return std::string(failure.what()) + " " + std::to_string(failure.segment);
    }
    return std::string("no failure");
  };
  Folder probe;
  if (run(probe) == "not opened") GTEST_SKIP() << "no io_uring";
  Folder second;
  second.missing = 1;
  EXPECT_EQ(run(second), "open 1");
  Folder first;
  first.missing = 0;
  EXPECT_EQ(run(first), "not opened");
  Folder unsynced;
  unsynced.fail_sync = true;
  EXPECT_EQ(run(unsynced), "fsync 0");
}

TEST(RingSink, StopsInTheMiddle) {
  Folder folder;
  Marker marker;
  RingSink ring(folder, {100000, 8}, memory());
  OPEN_OR_SKIP(ring);
  {
    PageWriter writer(ring, marker, {4, 8}, memory());
    write_pages(writer, 500);
    writer.stop();
    writer.stop();
  }
  EXPECT_EQ(folder.opened, folder.closed);
}

}  // namespace
}  // namespace longbow::io
