// The pool of chunks and the order in which they go to the sink.
#include "longbow/io/page_writer.hpp"

#include <new>

#include "longbow/base/error.hpp"

namespace longbow::io {

PageWriter::PageWriter(ChunkSink& sink, PageSealer& sealer, Pool pool, std::pmr::memory_resource& memory)
    : sink_(sink), sealer_(sealer), pool_(pool), memory_(memory), chunks_(&memory), open_(&memory), free_(&memory) {}

PageWriter::~PageWriter() {
  sink_.stop();
  for (Chunk* chunk : chunks_) {
    if (chunk->pages != nullptr) memory_.deallocate(chunk->pages, pool_.chunk_pages * kPageBytes, kPageAlign);
    memory_.deallocate(chunk, sizeof(Chunk), alignof(Chunk));
  }
}

std::uint8_t* PageWriter::add() {
  if (open_.empty() || open_.back()->used == pool_.chunk_pages) {
    give(false);
    Chunk* chunk = take_chunk();
    chunk->first = pages_;
    chunk->used = chunk->held = chunk->pending = 0;
    open_.push_back(chunk);
  }
  Chunk& chunk = *open_.back();
  ++chunk.held;
  ++pages_;
  return chunk.pages + kPageBytes * chunk.used++;
}

Chunk* PageWriter::chunk_of(std::uint32_t number) noexcept {
  if (open_.empty() || number >= pages_ || number < open_.front()->first) return nullptr;
  return open_[(number - open_.front()->first) / pool_.chunk_pages];
}

std::uint8_t* PageWriter::find(std::uint32_t number) noexcept {
  const Chunk* chunk = chunk_of(number);
  return chunk == nullptr ? nullptr : chunk->pages + kPageBytes * (number - chunk->first);
}

void PageWriter::hold(std::uint32_t number) noexcept { ++chunk_of(number)->held; }

void PageWriter::release(std::uint32_t number) noexcept { --chunk_of(number)->held; }

// A free chunk: one that is done, a new one while the pool is small or nothing is being written, else the next to be done.
Chunk* PageWriter::take_chunk() {
  for (Chunk* done; (done = sink_.finished(false)) != nullptr;) free_.push_back(done);
  if (free_.empty() && chunks_.size() >= pool_.chunks) {
    if (!kept_) sink_.keep(chunks_);
    kept_ = true;
    if (Chunk* done = sink_.finished(true)) free_.push_back(done);
  }
  if (free_.empty()) {
    // Entered in the list first, so that the destructor finds whatever has been allocated.
    chunks_.reserve(chunks_.size() + 1);
    auto* chunk = new (memory_.allocate(sizeof(Chunk), alignof(Chunk))) Chunk{};
    chunks_.push_back(chunk);
    chunk->pages = static_cast<std::uint8_t*>(memory_.allocate(pool_.chunk_pages * kPageBytes, kPageAlign));
    return chunk;
  }
  Chunk* chunk = free_.back();
  free_.pop_back();
  return chunk;
}

// Gives the sink the chunks that are ready, the last, partly filled one too if `all`.
void PageWriter::give(bool all) {
  std::size_t given = 0;
  for (; given < open_.size(); ++given) {
    Chunk& chunk = *open_[given];
    if (chunk.held > 0 || (!all && chunk.used < pool_.chunk_pages)) break;
    sealer_.seal(chunk.first, chunk.pages, chunk.used);
    sink_.begin(chunk);
  }
  open_.erase(open_.begin(), open_.begin() + static_cast<std::ptrdiff_t>(given));
}

void PageWriter::finish() {
  give(true);
  if (!open_.empty()) throw base::Error(base::Errc::internal, "page %u of a new file is still being filled", open_.front()->first);
  while (sink_.finished(true) != nullptr) {
  }
  sink_.finish(pages_);
}

}  // namespace longbow::io
