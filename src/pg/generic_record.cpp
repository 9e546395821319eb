// Copies, deltas and the record. Follows GenericXLogFinish(): everything that can fail comes before the critical section, the
// hole of a page is zero in the buffer as it will be after replay, and a fresh page is logged whole.
//
// Locks: the caller has latched the pages exclusively, in the tree's order.
#include "pg/generic_record.hpp"

#include "longbow/base/byte_delta.hpp"
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

std::uint8_t* image_of(int i) { return reinterpret_cast<std::uint8_t*>(work->image[i].data); }

std::size_t delta_of(Buffer buffer, int i) {
  const auto* from = reinterpret_cast<const std::uint8_t*>(BufferGetPage(buffer));
  const auto* before = reinterpret_cast<const PageHeaderData*>(from);
  const std::uint8_t* to = image_of(i);
  const auto* after = reinterpret_cast<const PageHeaderData*>(to);
  // What the buffer holds in its own hole does not count: replay has zeros there.
  std::size_t used = base::write_delta(from, to, 0, before->pd_lower, after->pd_lower, work->delta[i]);
  const std::size_t known = before->pd_upper <= after->pd_upper ? BLCKSZ : after->pd_upper;
  used += base::write_delta(from, to, after->pd_upper, known, BLCKSZ, work->delta[i] + used);
  return used;
}

}  // namespace

void GenericRecord::begin() {
  count_ = 0;
  if (work == nullptr) work = static_cast<Work*>(MemoryContextAlloc(TopMemoryContext, sizeof(Work)));
}

std::uint8_t* GenericRecord::edit(Buffer buffer, bool fresh) {
  std::uint8_t* image = image_of(count_);
  if (fresh)
    PageInit(reinterpret_cast<Page>(image), BLCKSZ, sizeof(tree::Trailer));
  else
    memcpy(image, BufferGetPage(buffer), BLCKSZ);
  pages_[count_++] = {buffer, fresh};
  return image;
}

// mark_hole() has seen that the copy's hole is zero.
void GenericRecord::put(int i) const {
  memcpy(BufferGetPage(pages_[i].buffer), image_of(i), BLCKSZ);
  MarkBufferDirty(pages_[i].buffer);
}

void GenericRecord::finish(Relation index) {
  const bool logged = RelationNeedsWAL(index);
  for (int i = 0; i < count_; i++) mark_hole(image_of(i));
  if (logged) XLogBeginInsert();
  START_CRIT_SECTION();
  for (int i = 0; i < count_; i++) {
    const Entry& page = pages_[i];
    const std::size_t bytes = logged && !page.fresh ? delta_of(page.buffer, i) : 0;
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
