// The delta's table and chunks.
#include "pg/delta.hpp"

#include <new>

namespace longbow::pg {

namespace {

LWLock* table_lock() { return &shared_parts.table_lock->lock; }
int number_of(const DeltaIndex* entry) { return static_cast<int>(entry - shared_parts.delta->index); }

DeltaChunk& chunk(std::int32_t number) {
  DeltaShared* s = shared_parts.delta;
  return reinterpret_cast<DeltaChunk*>(reinterpret_cast<char*>(s) + s->chunk_at)[number];
}

std::uint8_t* memory(std::int32_t number) {
  DeltaShared* s = shared_parts.delta;
  return reinterpret_cast<std::uint8_t*>(s) + s->memory_at + static_cast<Size>(number) * kDeltaChunkBytes;
}

// Puts a chunk into an entry's list, which is in the order of ordinals.
void insert_chunk(DeltaIndex* entry, std::int32_t c, std::uint64_t first) {
  std::int32_t before = -1, after = entry->first;
  while (after >= 0 && chunk(after).first < first) before = after, after = chunk(after).next;
  chunk(c) = {after, first};
  (before < 0 ? entry->first : chunk(before).next) = c;
  if (after < 0) entry->last = c;
}

// The chunk that begins at an ordinal, -1 = none. Mostly it is the last one.
std::int32_t chunk_at(const DeltaIndex* entry, std::uint64_t first) {
  if (entry->last >= 0 && chunk(entry->last).first == first) return entry->last;
  std::int32_t c = entry->first;
  while (c >= 0 && chunk(c).first != first) c = chunk(c).next;
  return c;
}

// Gives back an entry's chunks whose ordinals are all below; the caller holds its `chunks` lock exclusively.
void free_chunks(DeltaIndex* entry, std::uint64_t below) {
  DeltaShared* s = shared_parts.delta;
  const SharedLock lock(table_lock(), LW_EXCLUSIVE);
  while (entry->first >= 0 && chunk(entry->first).first + entry->chunk_rows <= below) {
    const std::int32_t c = entry->first;
    entry->first = chunk(c).next;
    if (entry->first < 0) entry->last = -1;
    chunk(c) = {s->free, 0};
    s->free = c;
    s->free_count++;
  }
}

DeltaIndex* find(const LbLocator& file) {
  for (DeltaIndex& e : shared_parts.delta->index)
    if (e.used && lb_same_file(e.file, file)) return &e;
  return nullptr;
}

// Whether nothing would be lost with an entry. Its index gets one again with its next rows.
bool is_idle(const DeltaIndex& e) { return e.used && e.first < 0 && e.pending() == 0 && e.log_floor.load() == 0; }
bool is_any(const DeltaIndex&) { return true; }

// Forgets an entry if it still is `what` once nobody uses it, and gives its chunks back.
bool forget_if(int number, bool (*what)(const DeltaIndex&)) {
  DeltaIndex* e = &shared_parts.delta->index[number];
  const SharedLock append(&shared_parts.append_locks[number].lock, LW_EXCLUSIVE);
  const SharedLock chunks(&shared_parts.chunk_locks[number].lock, LW_EXCLUSIVE);
  if (!what(*e)) return false;
  free_chunks(e, ~std::uint64_t{0});
  const SharedLock lock(table_lock(), LW_EXCLUSIVE);
  e->used = false;
  e->covered = 0;
  return true;
}

// Frees the places of indexes that have nothing in memory, which a table of many indexes is full of after a while. Returns
// whether there were any.
bool forget_idle() {
  bool any = false;
  for (int i = 0; i < kMostDeltaIndexes; i++)
    if (is_idle(shared_parts.delta->index[i]) && forget_if(i, is_idle)) any = true;
  return any;
}

void begin(DeltaIndex* e, const LbLocator& file, const tree::Space& space) {
  e->file = file;
  e->incarnation = space.meta.incarnation;
  const tree::DeltaLayout layout = tree::delta_layout(space);
  e->block_bytes = static_cast<std::uint32_t>(layout.block_bytes);
  e->refine_bytes = static_cast<std::uint32_t>(layout.refine_bytes);
  e->chunk_rows = delta_chunk_rows(layout);
  e->covered = 0;
  e->from = space.meta.pending_from;
  e->next = space.meta.pending_from;
  e->tree_rows = std::uint64_t{space.meta.leaves} * space.meta.leaf_size;
  e->log_floor = 0;
  e->used = true;
}

// The index's entry, made if there is a free place; nullptr if there is none.
DeltaIndex* find_or_begin(const LbLocator& file, const tree::Space& space) {
  const SharedLock lock(table_lock(), LW_EXCLUSIVE);
  if (DeltaIndex* there = find(file); there != nullptr) return there;
  for (DeltaIndex& e : shared_parts.delta->index) {
    if (e.used) continue;
    begin(&e, file, space);
    return &e;
  }
  return nullptr;
}

}  // namespace

std::uint32_t delta_chunk_rows(const tree::DeltaLayout& layout) {
  const Size rows = layout.block_bytes + tree::kDeltaRows * layout.refine_bytes;
  return static_cast<std::uint32_t>(kDeltaChunkBytes / rows * tree::kDeltaRows);
}

Size delta_shared_bytes(Size memory) {
  const Size chunks = memory / kDeltaChunkBytes;
  return MAXALIGN(sizeof(DeltaShared)) + MAXALIGN(chunks * sizeof(DeltaChunk)) + 64 + chunks * kDeltaChunkBytes;
}

void init_delta(DeltaShared* shared, Size memory) {
  new (shared) DeltaShared{};
  shared->chunks = shared->free_count = static_cast<std::int32_t>(memory / kDeltaChunkBytes);
  shared->chunk_at = MAXALIGN(sizeof(DeltaShared));
  const Size after = shared->chunk_at + static_cast<Size>(shared->chunks) * sizeof(DeltaChunk);
  const auto base = reinterpret_cast<std::uintptr_t>(shared);
  shared->memory_at = TYPEALIGN(64, base + after) - base;
  auto* chunk = reinterpret_cast<DeltaChunk*>(reinterpret_cast<char*>(shared) + shared->chunk_at);
  for (std::int32_t i = 0; i < shared->chunks; i++) chunk[i] = {i + 1 < shared->chunks ? i + 1 : -1, 0};
  shared->free = shared->chunks > 0 ? 0 : -1;
  for (DeltaIndex& e : shared->index) e.first = e.last = -1;
}

DeltaChunk& Delta::chunk(std::int32_t number) noexcept { return pg::chunk(number); }

tree::DeltaBlock Delta::block(std::int32_t number, std::uint64_t row) const noexcept {
  std::uint8_t* at = memory(number);
  const Size blocks = entry_->chunk_rows / tree::kDeltaRows;
  return {at + row / tree::kDeltaRows * entry_->block_bytes,
          at + blocks * entry_->block_bytes + row / tree::kDeltaRows * tree::kDeltaRows * entry_->refine_bytes};
}

LWLock* Delta::append_lock() const noexcept { return &shared_parts.append_locks[number_of(entry_)].lock; }
LWLock* Delta::chunks_lock() const noexcept { return &shared_parts.chunk_locks[number_of(entry_)].lock; }

Delta Delta::of(Relation index, const tree::Space& space, bool create) {
  Delta delta;
  delta.file_ = lb_locator(index);
  delta.incarnation_ = space.meta.incarnation;
  if (!have_shared_memory() || space.dims() == 0 || delta_chunk_rows(tree::delta_layout(space)) == 0) return delta;
  bool other = false;
  {
    const SharedLock lock(table_lock(), LW_SHARED);
    delta.entry_ = find(delta.file_);
    other = delta.entry_ != nullptr && delta.entry_->incarnation != delta.incarnation_;
  }
  if (other) {
    // The file was built anew in place: rows of before are nobody's.
    forget_delta(number_of(delta.entry_));
    delta.entry_ = nullptr;
  }
  if (delta.entry_ != nullptr || !create) return delta;
  delta.entry_ = find_or_begin(delta.file_, space);
  if (delta.entry_ == nullptr && forget_idle()) delta.entry_ = find_or_begin(delta.file_, space);
  return delta;
}

template <class F>
void Delta::for_each_missing(std::uint64_t from, std::uint64_t count, F&& f) const {
  const std::uint64_t rows = entry_->chunk_rows;
  for (std::uint64_t first = from / rows * rows; first < from + count; first += rows)
    if (chunk_at(entry_, first) < 0) f(first);
}

std::int32_t Delta::count_missing(std::uint64_t from, std::uint64_t count) const {
  std::int32_t missing = 0;
  for_each_missing(from, count, [&](std::uint64_t) { ++missing; });
  return missing;
}

bool Delta::has_room(std::uint64_t count) {
  const SharedLock chunks(chunks_lock(), LW_SHARED);
  return still_ours() && count_missing(entry_->next, count) <= shared_parts.delta->free_count;
}

bool Delta::reserve(std::uint64_t from, std::uint64_t count) {
  {
    const SharedLock chunks(chunks_lock(), LW_SHARED);
    if (count_missing(from, count) == 0) return true;
  }
  const SharedLock chunks(chunks_lock(), LW_EXCLUSIVE);
  const SharedLock lock(table_lock(), LW_EXCLUSIVE);
  DeltaShared* s = shared_parts.delta;
  if (s->free_count < count_missing(from, count)) return false;
  for_each_missing(from, count, [&](std::uint64_t first) {
    const std::int32_t c = s->free;
    s->free = pg::chunk(c).next;
    s->free_count--;
    memset(memory(c), 0, kDeltaChunkBytes);
    insert_chunk(entry_, c, first);
  });
  return true;
}

tree::DeltaBlock Delta::block_of(std::uint64_t ordinal, std::size_t& lane) noexcept {
  const std::uint64_t first = ordinal / entry_->chunk_rows * entry_->chunk_rows;
  const std::int32_t c = chunk_at(entry_, first);
  if (c < 0) return {nullptr, nullptr};
  lane = (ordinal - first) % tree::kDeltaRows;
  return block(c, ordinal - first);
}

void Delta::drop_row(std::uint64_t ordinal, const tree::DeltaLayout& layout) {
  const SharedLock lock(chunks_lock(), LW_SHARED);
  if (!still_ours()) return;
  std::size_t lane = 0;
  const tree::DeltaBlock block = block_of(ordinal, lane);
  if (block.codes != nullptr) tree::drop_delta_row(layout, block, lane);
}

void Delta::note_logged(std::uint64_t position) noexcept {
  std::uint64_t none = 0;
  if (position != 0) entry_->log_floor.compare_exchange_strong(none, position);
}

void Delta::drop_below(std::uint64_t ordinal, std::uint64_t position) {
  const SharedLock chunks(chunks_lock(), LW_EXCLUSIVE);
  if (!still_ours()) return;
  entry_->from = ordinal;
  entry_->log_floor = position;
  free_chunks(entry_, ordinal);
}

void Delta::drop_all(std::uint64_t next) {
  const SharedLock chunks(chunks_lock(), LW_EXCLUSIVE);
  if (!still_ours()) return;
  entry_->from = entry_->next = next;
  entry_->log_floor = 0;
  free_chunks(entry_, ~std::uint64_t{0});
}

bool delta_half_full() { return shared_parts.delta->free_count * 2 <= shared_parts.delta->chunks; }

GcCounters* gc_counters() { return have_shared_memory() ? &shared_parts.delta->gc : nullptr; }

void forget_delta(int number) { forget_if(number, is_any); }

}  // namespace longbow::pg
