// One round of the merge: plan, append in the plan's order, move the list's head.
#include "longbow/tree/merge.hpp"

#include <algorithm>
#include <numeric>

#include "descend.hpp"
#include "insert_in_order.hpp"
#include "longbow/mem/flat_set.hpp"
#include "longbow/tree/build.hpp"
#include "longbow/tree/insert.hpp"
#include "split.hpp"
#include "writer.hpp"

namespace longbow::tree {

namespace {

// Copies the entries of [from, cut).
class Collector final : public PendingReader {
 public:
  Collector(std::size_t most, std::pmr::memory_resource& memory) : most_(most), entries_(&memory) {}
  bool entries(std::uint64_t, std::span<const PendingEntry> entries) override {
    const std::size_t take = std::min(entries.size(), most_ - entries_.size());
    entries_.insert(entries_.end(), entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(take));
    return entries_.size() < most_;
  }
  [[nodiscard]] const std::pmr::vector<PendingEntry>& all() const noexcept { return entries_; }

 private:
  std::size_t most_;
  std::pmr::vector<PendingEntry> entries_;
};

// Says in an append's own record how far the plan has come.
class PlanProgress final : public RecordRider {
 public:
  // `position[i]`: the place in the plan of the i-th row that goes into the tree.
  PlanProgress(PageStore& store, const std::pmr::vector<std::uint32_t>& position) : store_(store), position_(position) {}
  void ride(Change& change, std::size_t count) override {
    page_ = PageRef(store_, kMetaBlock, Latch::exclusive);
    done_ += count;
    meta_of(change.edit(page_)).merge_done = position_[done_ - 1] + 1;
  }
  void committed() noexcept override { page_.reset(); }

 private:
  PageStore& store_;
  const std::pmr::vector<std::uint32_t>& position_;
  PageRef page_;
  std::size_t done_ = 0;
};

class Merger {
 public:
  Merger(PageStore& store, const Space& space, VectorSource& source, std::pmr::memory_resource& memory)
      : store_(store),
        space_(space),
        source_(source),
        memory_(memory),
        order_(&memory),
        loaded_(&memory),
        vectors_(&memory) {}

  MergeResult run(std::size_t most) {
    const Meta meta = read_meta(store_);
    result_.from = meta.pending_from;
    result_.resumed = meta.merge_plan != kNoBlock;
    if (result_.resumed) most = meta.merge_cut - std::min(meta.merge_cut, meta.pending_from);
    Collector list(most, memory_);
    if (most > 0) read_pending(store_, meta.pending_from, list);
    if (list.all().empty() && !result_.resumed) return result_;
    std::uint64_t cut = meta.pending_from + list.all().size();
    const std::size_t loaded = load(list.all());
    if (loaded < list.all().size()) {
      // A standing plan is not cut short: who can read all of it carries it on.
      if (result_.resumed || loaded == 0) return result_;
      cut = meta.pending_from + loaded;
      loaded_.resize(loaded);
    }
    if (result_.resumed) {
      if (cut != meta.merge_cut) throw_corrupted(meta.merge_plan, "a plan names entries that are not in the list");
      read_plan(meta, list.all().size());
    } else {
      make_plan(meta.pending_from);
    }
    append(list.all(), result_.resumed ? meta.merge_done : 0);
    finish(cut);
    result_.from = cut;
    return result_;
  }

 private:
  // What is known of an entry.
  struct Loaded {
    bool wanted = false;  // to go into the index
    PreparedRow how{RowClass::unknown, 0, 0};
    NodeRef leaf{kNoBlock, 0};  // the nearest one, where the plan was made in this round
  };

  void read_plan(const Meta& meta, std::size_t entries) {
    BlockId block = meta.merge_plan;
    while (order_.size() < entries) {
      if (block == kNoBlock) throw_corrupted(meta.merge_plan, "a plan ends too early");
      store_.tick();
      const PageRef page(store_, block, Latch::share);
      const Trailer& t = trailer(page.data());
      if (t.magic != kTrailerMagic || t.kind != PageKind::plan || t.used > kPlanCapacity || t.used == 0 ||
          list_ordinal(page.data()) != meta.merge_cut)
        throw_corrupted(block, "a page of the merge's plan was expected");
      const auto* offsets = reinterpret_cast<const std::uint32_t*>(page.data() + kPlanEntriesOffset);
      order_.insert(order_.end(), offsets, offsets + t.used);
      block = t.next;
    }
    mem::FlatSet seen(memory_);
    for (const std::uint32_t offset : order_)
      if (offset >= entries || !seen.insert(std::uint64_t{offset} + 1))
        throw_corrupted(meta.merge_plan, "a plan names an entry that cannot be");
    if (order_.size() != entries) throw_corrupted(meta.merge_plan, "a plan is too long");
  }

  // Gets the vectors of the entries in the index's space, up to the first that is not to be had now; returns how many.
  std::size_t load(const std::pmr::vector<PendingEntry>& entries) {
    const std::size_t n = space_.dims();
    std::pmr::vector<float> raw(space_.raw_cells(), &memory_);
    vectors_.resize(entries.size() * n);
    loaded_.resize(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      store_.tick();
      if ((entries[i].flags & kPendingDead) != 0) continue;
      const Fetched fetched = source_.fetch(entries[i], raw.data());
      if (fetched == Fetched::later) return i;
      Loaded& to = loaded_[i];
      to.wanted = fetched != Fetched::stale;
      if (fetched == Fetched::stale) ++result_.stale;
      if (fetched == Fetched::found) to.how = space_.prepare_row(raw.data(), vectors_.data() + i * n);
    }
    return entries.size();
  }

  // Orders the entries by the leaf that is nearest now; those without a leaf come last.
  void make_plan(std::uint64_t from) {
    Descent descent(store_, space_, memory_);
    for (std::size_t i = 0; i < loaded_.size(); ++i) {
      store_.tick();
      if (loaded_[i].wanted && loaded_[i].how.kind == RowClass::indexed)
        loaded_[i].leaf = descent.leaf_of(vectors_.data() + i * space_.dims());
    }
    order_.resize(loaded_.size());
    std::iota(order_.begin(), order_.end(), 0U);
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
      return loaded_[a].leaf.head != loaded_[b].leaf.head ? loaded_[a].leaf.head < loaded_[b].leaf.head : a < b;
    });
    write_plan(from + order_.size());
  }

  void write_plan(std::uint64_t cut) {
    BlockId next = kNoBlock;
    const std::size_t pages = (order_.size() + kPlanCapacity - 1) / kPlanCapacity;
    for (std::size_t p = pages; p-- > 0;) {
      const PageRef page = PageRef::allocate(store_);
      Change change(store_);
      std::uint8_t* image = change.create(page);
      set_trailer(image, PageKind::plan, 0, kNoBlock, p);
      const std::size_t count = std::min(kPlanCapacity, order_.size() - p * kPlanCapacity);
      std::memcpy(image + kBodyOffset, &cut, sizeof cut);
      std::memcpy(image + kPlanEntriesOffset, order_.data() + p * kPlanCapacity, count * sizeof(std::uint32_t));
      trailer(image).next = next;
      trailer(image).used = static_cast<std::uint16_t>(count);
      change.commit();
      next = page.block();
    }
    update_meta(store_, [&](Meta& m) {
      m.merge_cut = cut;
      m.merge_done = 0;
      m.merge_plan = next;
    });
  }

  // Appends the plan's entries from `done` on.
  void append(const std::pmr::vector<PendingEntry>& entries, std::uint64_t done) {
    std::pmr::vector<RowId> plain(&memory_);
    std::pmr::vector<NewRow> rows(&memory_);
    std::pmr::vector<NodeRef> leaves(&memory_);
    std::pmr::vector<std::uint32_t> position(&memory_);
    for (std::size_t at = done; at < order_.size(); ++at) {
      const std::uint32_t i = order_[at];
      const Loaded& from = loaded_[i];
      if (!from.wanted) continue;
      const RowId row{entries[i].block, entries[i].offset};
      if (from.how.kind != RowClass::indexed) {
        plain.push_back(row);
        continue;
      }
      rows.push_back({row, vectors_.data() + i * space_.dims(), from.how.norm, from.how.raw_norm});
      leaves.push_back(from.leaf);
      position.push_back(static_cast<std::uint32_t>(at));
    }
    PlanProgress progress(store_, position);
    insert_in_order(store_, space_, rows, leaves, progress, memory_);
    result_.rows += rows.size();
    keep_unknown(plain);
  }

  // Rows whose vectors cannot be read: plain, until VACUUM removes them. A round that was interrupted may have put some of
  // them there.
  void keep_unknown(const std::pmr::vector<RowId>& plain) {
    if (plain.empty()) return;
    mem::FlatSet there(memory_);
    struct Plain final : RowVisitor {
      mem::FlatSet* there;
      void row(RowId row, const float*, float, std::uint16_t) override { there->insert(row_key(row)); }
    } visitor;
    visitor.there = &there;
    if (result_.resumed) visit_plain(store_, visitor);
    for (const RowId row : plain) {
      ++result_.unknown;
      if (!there.contains(row_key(row))) insert_plain(store_, row, kPlainUnknown);
    }
  }

  // Moves the list's head to the cut and takes the plan away; then frees the pages that are behind.
  void finish(std::uint64_t cut) {
    const Meta before = read_meta(store_);
    std::pmr::vector<BlockId> passed(&memory_);
    BlockId head = before.pending_head;
    while (head != kNoBlock) {
      store_.tick();
      const PageRef page(store_, head, Latch::share);
      const Trailer& t = trailer(page.data());
      if (t.magic != kTrailerMagic || t.kind != PageKind::pending) throw_corrupted(head, "a pending page was expected");
      if (list_ordinal(page.data()) + kPendingCapacity > cut || t.next == kNoBlock) break;
      passed.push_back(head);
      head = t.next;
    }
    update_meta(store_, [&](Meta& m) {
      m.pending_from = cut;
      m.pending_head = head;
      m.merge_cut = m.merge_done = 0;
      m.merge_plan = kNoBlock;
    });
    for (BlockId block = before.merge_plan; block != kNoBlock;) {
      PageRef page(store_, block, Latch::exclusive);
      const Trailer t = trailer(page.data());
      if (t.magic != kTrailerMagic || t.kind != PageKind::plan || list_ordinal(page.data()) != cut) break;
      free_page(store_, page, 0);
      block = t.next;
    }
    for (const BlockId block : passed) {
      PageRef page(store_, block, Latch::exclusive);
      free_page(store_, page, 0);
    }
  }

  PageStore& store_;
  const Space& space_;
  VectorSource& source_;
  std::pmr::memory_resource& memory_;
  MergeResult result_;
  std::pmr::vector<std::uint32_t> order_;  // the plan
  std::pmr::vector<Loaded> loaded_;        // of each entry
  std::pmr::vector<float> vectors_;
};

}  // namespace

MergeResult merge_pending(PageStore& store, const Space& space, VectorSource& source, std::size_t most,
                          std::pmr::memory_resource& memory) {
  return Merger(store, space, source, memory).run(most);
}

}  // namespace longbow::tree
