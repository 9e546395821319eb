// The session's caches, filling them, and showing what they have.
#include "am/pending_cache.hpp"

#include <algorithm>
#include <new>

#include "pg/boundary.hpp"

extern "C" {
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/memutils.h"
}

namespace longbow::am {

namespace {

constexpr std::size_t kAlign = 64;  // of a block: a kernel's widest load
// What a pointer to a block counts for: the array of them may be twice as long as it need be.
constexpr std::size_t kPointer = 2 * sizeof(void*);

PendingCache* caches;
std::size_t bytes_in_use;  // of all of them
bool registered;

std::size_t limit() { return static_cast<std::size_t>(work_mem) * 1024; }

}  // namespace

PendingCache::PendingCache(MemoryContext context, Relation index, const tree::Space& space)
    : context_(context),
      memory_(context, pg::MemoryKind::fill),
      file_(lb_locator(index)),
      relation_(RelationGetRelid(index)),
      incarnation_(space.meta.incarnation),
      first_(space.meta.pending_from / tree::kDeltaRows),
      blocks_(&memory_) {
  const tree::DeltaLayout layout = tree::delta_layout(space);
  block_bytes_ = layout.block_bytes;
  refine_bytes_ = layout.refine_bytes;
}

PendingCache::~PendingCache() {
  for (std::uint8_t*& block : blocks_) free_block(block);
  bytes_in_use -= blocks_.size() * kPointer;
}

void PendingCache::free_block(std::uint8_t*& block) noexcept {
  if (block == nullptr) return;
  memory_.deallocate(block, bytes(), kAlign);
  block = nullptr;
  bytes_in_use -= bytes();
}

void PendingCache::drop(PendingCache* cache) noexcept {
  const MemoryContext context = cache->context_;
  cache->~PendingCache();
  MemoryContextDelete(context);
}

template <class Which>
void PendingCache::drop_those(Which&& which) noexcept {
  for (PendingCache** link = &caches; *link != nullptr;) {
    PendingCache* cache = *link;
    if (!which(cache)) {
      link = &cache->next_;
      continue;
    }
    *link = cache->next_;
    drop(cache);
  }
}

// Only takes note: whoever is being searched may be in the middle of its cache.
void PendingCache::invalidate(Datum, Oid relation) {
  for (PendingCache* c = caches; c != nullptr; c = c->next_)
    if (relation == InvalidOid || relation == c->relation_) c->suspect_ = true;
}

PendingCache* PendingCache::find(Relation index, const tree::Space& space) noexcept {
  for (PendingCache* c = caches; c != nullptr; c = c->next_)
    if (lb_same_file(c->file_, lb_locator(index)) && c->incarnation_ == space.meta.incarnation) return c;
  return nullptr;
}

PendingCache* PendingCache::of(Relation index, const tree::Space& space) {
  PendingCache* cache = find(index, space);
  // Of an index that was changed only the one that is open, with the same file and incarnation, is known to be as it was.
  drop_those([cache](PendingCache* c) { return c != cache && c->suspect_; });
  if (cache == nullptr) {
    const MemoryContext context = pg::call([] {
      if (!registered) CacheRegisterRelcacheCallback(invalidate, static_cast<Datum>(0));
      registered = true;
      return AllocSetContextCreate(TopMemoryContext, "longbow pending rows", ALLOCSET_DEFAULT_SIZES);
    });
    void* at = MemoryContextAllocExtended(context, sizeof(PendingCache), MCXT_ALLOC_NO_OOM);
    if (at == nullptr) {
      MemoryContextDelete(context);
      throw std::bad_alloc();
    }
    cache = new (at) PendingCache(context, index, space);
    cache->next_ = caches;
    caches = cache;
  }
  cache->suspect_ = false;
  cache->used_ = GetCurrentTransactionStartTimestamp();
  cache->forget_below(space.meta.pending_from);
  cache->shrink();
  return cache;
}

void PendingCache::forget_below(std::uint64_t ordinal) noexcept {
  const std::uint64_t number = ordinal / tree::kDeltaRows;
  if (number <= first_) return;
  const auto gone = std::min<std::size_t>(number - first_, blocks_.size());
  for (std::size_t i = 0; i < gone; ++i) free_block(blocks_[i]);
  blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(gone));
  bytes_in_use -= gone * kPointer;
  first_ = number;
}

// work_mem may be less than it was.
void PendingCache::shrink() noexcept {
  if (bytes_in_use > limit()) drop_those([this](const PendingCache* c) { return c != this && c->used_ != used_; });
  if (bytes_in_use <= limit()) return;
  while (bytes_in_use > limit() && !blocks_.empty()) {
    free_block(blocks_.back());
    blocks_.pop_back();
    bytes_in_use -= kPointer;
  }
  blocks_.shrink_to_fit();
}

// Caches of other indexes go, but not those that this transaction uses: a join of two would fill them in turn.
bool PendingCache::make_room(std::size_t wanted) noexcept {
  if (bytes_in_use + wanted > limit()) drop_those([this](const PendingCache* c) { return c != this && c->used_ != used_; });
  return bytes_in_use + wanted <= limit();
}

tree::DeltaBlock PendingCache::block_of(std::uint64_t ordinal, std::size_t& lane) const noexcept {
  const std::uint64_t number = ordinal / tree::kDeltaRows;
  if (number < first_ || number - first_ >= blocks_.size() || blocks_[number - first_] == nullptr) return {nullptr, nullptr};
  lane = ordinal % tree::kDeltaRows;
  std::uint8_t* block = blocks_[number - first_];
  return {block, block + block_bytes_};
}

bool PendingCache::reserve(std::uint64_t ordinal) {
  const std::uint64_t number = ordinal / tree::kDeltaRows;
  if (number < first_) return false;
  const std::size_t at = number - first_;
  if (at < blocks_.size() && blocks_[at] != nullptr) return true;
  const std::size_t more = at < blocks_.size() ? 0 : at + 1 - blocks_.size();
  if (more > limit() || !make_room(bytes() + more * kPointer)) return false;
  if (more > 0) blocks_.resize(at + 1, nullptr);
  bytes_in_use += more * kPointer;
  blocks_[at] = static_cast<std::uint8_t*>(memory_.allocate(bytes(), kAlign));
  std::memset(blocks_[at], 0, bytes());
  bytes_in_use += bytes();
  return true;
}

// -- filling

namespace {

// What a cache, if there is one, has of a block's entries; also where.
SlotMatch match_cached(const PendingCache* cache, const OldEntries& old, const tree::DeltaLayout& layout, std::uint64_t block,
                       tree::DeltaBlock* codes = nullptr) {
  std::size_t lane = 0;
  const tree::DeltaBlock there = cache != nullptr ? cache->block_of(block, lane) : tree::DeltaBlock{nullptr, nullptr};
  if (codes != nullptr) *codes = there;
  return old.match(block, there.codes != nullptr ? &layout.ids_of(there) : nullptr);
}

}  // namespace

void CacheFiller::list_missing() {
  const PendingCache* cache = PendingCache::of(index_, space_);
  if (wanted_ == nullptr) {
    for (std::uint64_t block = old_.first_block(); block < old_.end(); block += tree::kDeltaRows)
      add_missing(block, match_cached(cache, old_, layout_, block).missing);
    return;
  }
  for (const std::uint64_t ordinal : *wanted_) {
    const std::uint64_t lane = ordinal % tree::kDeltaRows;
    add_missing(ordinal - lane, match_cached(cache, old_, layout_, ordinal - lane).missing & 1U << lane);
  }
}

// Of the entries that do not all fit, those that come first go in, and the others are not read.
bool CacheFiller::has_room(std::size_t from, std::size_t to) {
  PendingCache* cache = PendingCache::find(index_, space_);
  if (cache == nullptr) return false;
  for (std::size_t at = from; at < to; ++at)
    if (!cache->reserve(todo_[at])) {
      todo_.resize(at);
      return at > from;
    }
  return true;
}

bool CacheFiller::publish() {
  // A search in between may have dropped it, or taken the list's head further.
  const PendingCache* cache = PendingCache::find(index_, space_);
  if (cache == nullptr) return false;
  std::size_t lane = 0;
  for (std::size_t i = 0; i < found_.size(); ++i)
    if (const tree::DeltaBlock block = cache->block_of(found_[i], lane); block.codes != nullptr)
      tree::put_delta_row(layout_, block, lane, codes_[i]);
  for (const std::uint64_t ordinal : stale_)
    if (const tree::DeltaBlock block = cache->block_of(ordinal, lane); block.codes != nullptr)
      tree::mark_delta_stale(layout_, block, lane);
  return true;
}

// -- showing

void show_cached(const PendingCache* cache, const OldEntries& old, const tree::DeltaLayout& layout, std::uint64_t block,
                 std::uint32_t wanted, tree::PendingVisitor& visitor) {
  tree::DeltaBlock codes{nullptr, nullptr};
  const SlotMatch m = match_cached(cache, old, layout, block, &codes);
  if ((m.there & wanted) != 0) visitor.block(codes, m.there & wanted);
  for (std::uint32_t bare = m.missing & wanted; bare != 0; bare &= bare - 1)
    visitor.bare(old.row(block + static_cast<std::uint64_t>(__builtin_ctz(bare))));
}

}  // namespace longbow::am
