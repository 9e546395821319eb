// Writes the pages of a new file once, in order of their numbers, by chunks of many pages.
//
// Pages are made in memory and filled in any order while they are held; a chunk is given to its sink when it is full, none
// of its pages is held, and all chunks before it have been given. So a node's head page, held until the node's other pages
// are written, keeps a few chunks waiting: the pool grows for that long. What has been given to the sink is gone from here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

namespace longbow::io {

inline constexpr std::size_t kPageBytes = 8192;
inline constexpr std::size_t kPageAlign = 4096;  // what direct I/O asks for at most

// Consecutive pages of a file.
struct Chunk {
  std::uint8_t* pages = nullptr;  // aligned to kPageAlign
  std::uint32_t first = 0;        // number of the first page
  std::uint32_t used = 0;         // pages in use
  std::uint32_t held = 0;         // of them still being filled
  std::uint32_t pending = 0;      // the sink's own: writes not yet done
  int registered = -1;            // the sink's own: number of its registered memory
};

// Makes pages ready for disk (log position, checksum) just before they are written.
class PageSealer {
 public:
  virtual ~PageSealer() = default;
  virtual void seal(std::uint32_t first, std::uint8_t* pages, std::uint32_t count) = 0;
};

// Where chunks go.
class ChunkSink {
 public:
  virtual ~ChunkSink() = default;
  // Begins to write a chunk, whose pages stay as they are until finished() returns it.
  virtual void begin(Chunk& chunk) = 0;
  // A chunk whose write is done, nullptr if there is none; with `wait` it waits for one unless nothing is under way.
  virtual Chunk* finished(bool wait) = 0;
  // Told once that these chunks will be used over and over.
  virtual void keep(std::span<Chunk* const> /*chunks*/) {}
  // After the last chunk is finished: the file has `pages` pages, and is durable when this returns.
  virtual void finish(std::uint32_t pages) = 0;
  // Waits for all that is under way and gives back what the sink holds. May be called at any time, and more than once.
  virtual void stop() noexcept = 0;
};

class PageWriter {
 public:
  struct Pool {
    std::uint32_t chunk_pages;
    std::uint32_t chunks;  // beyond them it waits for the sink
  };
  PageWriter(ChunkSink& sink, PageSealer& sealer, Pool pool, std::pmr::memory_resource& memory);
  PageWriter(const PageWriter&) = delete;
  PageWriter& operator=(const PageWriter&) = delete;
  ~PageWriter();

  // A new page at the end of the file, held; its bytes are whatever they are.
  std::uint8_t* add();
  // Pages added so far: the number of the next one.
  [[nodiscard]] std::uint32_t pages() const noexcept { return pages_; }
  // A page that has not been given to the sink, nullptr otherwise.
  [[nodiscard]] std::uint8_t* find(std::uint32_t number) noexcept;
  void hold(std::uint32_t number) noexcept;
  void release(std::uint32_t number) noexcept;
  // Writes what is left and makes the file durable. No page may be held.
  void finish();
  void stop() noexcept { sink_.stop(); }

 private:
  Chunk* chunk_of(std::uint32_t number) noexcept;
  Chunk* take_chunk();
  void give(bool all);

  ChunkSink& sink_;
  PageSealer& sealer_;
  Pool pool_;
  std::pmr::memory_resource& memory_;
  std::pmr::vector<Chunk*> chunks_;  // all there are
  std::pmr::vector<Chunk*> open_;    // not yet given, in order
  std::pmr::vector<Chunk*> free_;
  std::uint32_t pages_ = 0;
  bool kept_ = false;
};

}  // namespace longbow::io
