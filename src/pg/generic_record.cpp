// Copies, deltas and the record. Follows GenericXLogFinish(): everything that can fail comes before the critical section, the
// hole of a page is zero in the buffer as it will be after replay, and a fresh page is logged whole.
//
// Locks: the caller has latched the pages exclusively, in the tree's order.
#include "pg/generic_record.hpp"

#include "longbow/base/byte_delta.hpp"
#include "longbow/base/error.hpp"
#include "pg/page_hole.hpp"

extern "C" {
#include "access/generic_xlog.h"
#include "access/rmgr.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
}

namespace longbow::pg {

static_assert(tree::kMaxChangePages <= MAX_GENERIC_XLOG_PAGES, "replay takes so many pages a record");

namespace {

// The lower part of a page and its trailer are compared each for itself.
constexpr std::size_t kDeltaBytes = base::most_delta_bytes(BLCKSZ) + base::most_delta_bytes(0);

// A session's working memory: too much to be had anew for each record.
struct Work {
  PGAlignedBlock image[tree::kMaxChangePages];
  std::uint8_t delta[tree::kMaxChangePages][kDeltaBytes];
};
Work* work;

std::uint8_t* page_of(Buffer buffer) { return reinterpret_cast<std::uint8_t*>(BufferGetPage(buffer)); }

// Writes what turns the buffer's page into its copy to work->delta[i]; returns how many bytes that took.
std::size_t write_page_delta(Buffer buffer, const std::uint8_t* to, int i) {
  const std::uint8_t* from = page_of(buffer);
  const auto* before = reinterpret_cast<const PageHeaderData*>(from);
  const auto* after = reinterpret_cast<const PageHeaderData*>(to);
  // What the buffer holds in its own hole does not count: replay has zeros there.
  std::size_t used = base::write_delta(from, to, 0, before->pd_lower, after->pd_lower, work->delta[i]);
  const std::size_t known = before->pd_upper <= after->pd_upper ? BLCKSZ : after->pd_upper;
  used += base::write_delta(from, to, after->pd_upper, known, BLCKSZ, work->delta[i] + used);
  return used;
}

}  // namespace

void GenericRecord::begin(bool in_place) {
  count_ = 0;
  in_place_ = in_place;
  if (!in_place && work == nullptr) work = static_cast<Work*>(MemoryContextAlloc(TopMemoryContext, sizeof(Work)));
}

std::uint8_t* GenericRecord::image(int i) const {
  return in_place_ ? page_of(pages_[i].buffer) : reinterpret_cast<std::uint8_t*>(work->image[i].data);
}

std::uint8_t* GenericRecord::edit(Buffer buffer, bool fresh) {
  for (int i = 0; i < count_; i++)
    if (pages_[i].buffer == buffer) return image(i);
  if (count_ == static_cast<int>(tree::kMaxChangePages)) throw base::Error(base::Errc::internal, "a change covers too many pages");
  pages_[count_++] = {buffer, fresh};
  std::uint8_t* copy = image(count_ - 1);
  if (fresh)
    PageInit(reinterpret_cast<Page>(copy), BLCKSZ, sizeof(tree::Trailer));
  else if (!in_place_)
    memcpy(copy, page_of(buffer), BLCKSZ);
  return copy;
}

void GenericRecord::finish_in_place() {
  for (int i = 0; i < count_; i++) {
    mark_hole(image(i));
    MarkBufferDirty(pages_[i].buffer);
  }
  count_ = 0;
}

// mark_hole() has seen that the copy's hole is zero.
void GenericRecord::put(int i) const {
  memcpy(page_of(pages_[i].buffer), image(i), BLCKSZ);
  MarkBufferDirty(pages_[i].buffer);
}

void GenericRecord::finish(Relation index) {
  if (in_place_) return finish_in_place();
  const bool logged = RelationNeedsWAL(index);
  for (int i = 0; i < count_; i++) mark_hole(image(i));
  if (logged) XLogBeginInsert();
  START_CRIT_SECTION();
  for (int i = 0; i < count_; i++) {
    const Entry& page = pages_[i];
    const std::size_t bytes = logged && !page.fresh ? write_page_delta(page.buffer, image(i), i) : 0;
    put(i);
    if (!logged) continue;
    XLogRegisterBuffer(static_cast<uint8>(i), page.buffer, REGBUF_STANDARD | (page.fresh ? REGBUF_FORCE_IMAGE : 0));
    if (!page.fresh) XLogRegisterBufData(static_cast<uint8>(i), reinterpret_cast<char*>(work->delta[i]), static_cast<uint32>(bytes));
  }
  if (logged) {
    const XLogRecPtr lsn = XLogInsert(RM_GENERIC_ID, 0);
    for (int i = 0; i < count_; i++) PageSetLSN(BufferGetPage(pages_[i].buffer), lsn);
  }
  END_CRIT_SECTION();
  count_ = 0;
}

}  // namespace longbow::pg
