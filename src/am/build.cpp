// CREATE INDEX: sample, train, assign and encode, sort by leaf, write, calibrate, log.
//
// Memory: the sample takes at most half of maintenance_work_mem, the sort the other half; both are given back before the next
// needs its share. The tree's pages go past shared buffers (pg/bulk_store.hpp), those of a temporary index and plain rows
// through them, logged all at once at the end; a build that fails leaves nothing but a file that the aborted transaction
// removes.
#include <algorithm>
#include <cmath>
#include <optional>

#include "am/batch.hpp"
#include "am/index.hpp"
#include "longbow/base/random.hpp"
#include "longbow/quant/kmeans.hpp"
#include "longbow/simd/kernels.hpp"
#include "longbow/tree/build.hpp"
#include "longbow/tree/insert.hpp"
#include "longbow/tree/maintain.hpp"
#include "pg/bulk_store.hpp"
#include "pg/context_resource.hpp"

extern "C" {
#include "access/tableam.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "commands/progress.h"
#include "executor/tuptable.h"
#include "optimizer/plancat.h"
#include "pgstat.h"
#include "utils/backend_progress.h"
#include "utils/sampling.h"
#include "utils/tuplesort.h"
}

namespace longbow::am {

namespace {

// Rows of the sample for each leaf. On GloVe, 32 instead of 64 cost 10 % more rows scored for the same recall.
constexpr std::size_t kSampleRowsPerLeaf = 48;
constexpr std::size_t kAssignBatch = 512;
constexpr std::size_t kCalibrationQueries = 1000;
constexpr std::size_t kMostClusterBytes = 16 << 20;

std::uint64_t random_incarnation() {
  std::uint64_t value;
  if (!pg_strong_random(&value, sizeof value))
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random incarnation for an index")));
  return value | 1;
}

// Dimensions that the indexed column declares, 0 if none.
std::uint32_t declared_dims(Relation index) {
  const int32 typmod = TupleDescAttr(RelationGetDescr(index), 0)->atttypmod;
  return typmod > 0 ? static_cast<std::uint32_t>(typmod) : 0;
}

tree::NewIndex new_index(Relation index) {
  const Options* o = index_options(index);
  return {opclass_info(index)->metric, declared_dims(index), static_cast<std::uint32_t>(o->bits),
          static_cast<std::uint32_t>(o->leaf_size), random_incarnation()};
}

void set_phase(BuildPhase phase) { pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, phase); }

// Interrupts between the steps of training.
struct BuildWatch final : quant::Watch {
  void tick(std::size_t, std::size_t) override {
    if (INTERRUPTS_PENDING_CONDITION()) pg::call([] { CHECK_FOR_INTERRUPTS(); });
  }
};

class Build {
 public:
  Build(Relation heap, Relation index, IndexInfo* info, MemoryContext context)
      : heap_(heap),
        index_(index),
        info_(info),
        context_(context),
        memory_(context),
        store_(index, pg::RelationStore::Mode::bulk),
        meta_(tree::new_meta(pg::call([&] { return new_index(index); }))),
        plain_(&memory_),
        centre_(&memory_),
        buffer_(&memory_),
        centroids_(&memory_) {
    row_context_ = pg::call([&] { return AllocSetContextCreate(context, "longbow build row", ALLOCSET_DEFAULT_SIZES); });
  }

  IndexBuildResult* run() {
    sample();
    if (meta_.dims > 0 && sampled_ > 0) {
      train();
      assign();
      write();
      calibrate();
    } else {
      write_without_rows();
    }
    set_phase(kPhaseLog);
    store_.log_unlogged(written_);
    return pg::call([&] {
      auto* result = static_cast<IndexBuildResult*>(palloc(sizeof(IndexBuildResult)));
      result->heap_tuples = heap_tuples_;
      result->index_tuples = index_tuples_;
      return result;
    });
  }

 private:
  // -- sample

  void sample() {
    set_phase(kPhaseSample);
    const BlockNumber blocks = pg::call([&] { return RelationGetNumberOfBlocks(heap_); });
    if (blocks == 0) return;
    double tuples = pg::call([&] {
      BlockNumber pages;
      double rows, visible;
      estimate_rel_size(heap_, nullptr, &pages, &rows, &visible);
      return rows;
    });
    expected_rows_ = tuples;
    // Enough blocks for the sample, twice over, since rows are not spread evenly; all of them if the table is small.
    const double wanted = std::max(static_cast<double>(kSampleRowsPerLeaf) * 1024, std::min(tuples, 1e9) * 0.4);
    const double per_block = std::max(1.0, tuples / blocks);
    const auto targets = static_cast<int>(std::min<double>(blocks, std::max(300.0, 2 * wanted / per_block)));
    std::uint64_t visited = 0;
    pg::call([&] {
      BlockSamplerData sampler;
      BlockSampler_Init(&sampler, blocks, targets, static_cast<uint32>(meta_.incarnation));
      while (BlockSampler_HasMore(&sampler)) {
        CHECK_FOR_INTERRUPTS();
        const BlockNumber block = BlockSampler_Next(&sampler);
        // A concurrent build scans by an MVCC snapshot, where "any visible" has no meaning.
        table_index_build_range_scan(heap_, index_, info_, false, !info_->ii_Concurrent, false, block, 1,
                                     &Build::on_sample, this, nullptr);
        ++visited;
      }
    });
    if (visited > 0) estimated_rows_ = static_cast<double>(seen_) * blocks / static_cast<double>(visited);
  }

  static void on_sample(Relation, ItemPointer, Datum* values, bool* nulls, bool, void* self) {
    pg::enter([&] { static_cast<Build*>(self)->take_sample(values[0], nulls[0]); });
  }

  void take_sample(Datum value, bool null) {
    if (null) return;
    const types::Vector* vector = detoast(value);
    fix_or_check_dims(vector->dim);
    ++seen_;
    const std::size_t n = meta_.dims;
    // No more than training uses, by the table's estimated rows; no more than half of maintenance_work_mem.
    const double leaves = expected_rows_ / meta_.leaf_size + 1;
    const std::size_t useful = std::max<std::size_t>(8192, static_cast<std::size_t>(leaves * kSampleRowsPerLeaf * 1.25));
    const std::size_t room = static_cast<std::size_t>(maintenance_work_mem) * 1024 / 2 / (n * sizeof(float));
    const std::size_t most = std::max<std::size_t>(1000, std::min(useful, room));
    std::size_t at = sampled_;
    if (sampled_ < most) {
      ++sampled_;
      sample_.resize(sampled_ * n);
    } else {
      // Reservoir sampling, algorithm R.
      at = random_.below(seen_);
    }
    if (at < most) std::copy_n(vector->x, n, sample_.data() + at * n);
    pg::call([&] { MemoryContextReset(row_context_); });
  }

  const types::Vector* detoast(Datum value) {
    return pg::call([&] {
      const MemoryContext old = MemoryContextSwitchTo(row_context_);
      const types::Vector* vector = types::DatumGetVector(value);
      MemoryContextSwitchTo(old);
      return vector;
    });
  }

  void fix_or_check_dims(int found) {
    if (meta_.dims == 0) tree::settle(meta_, static_cast<std::uint32_t>(found));
    if (static_cast<int>(meta_.dims) != found)
      pg::call([&] { report_dims(index_, static_cast<int>(meta_.dims), found); });
  }

  // -- train

  void train() {
    set_phase(kPhaseTrain);
    const std::size_t n = meta_.dims;
    // The mean of the sample, in the form that rows have before they are centred.
    std::pmr::vector<float> zero(n, 0.0F, &memory_);
    buffer_.resize(tree::space_floats(n));
    centre_.assign(n, 0.0F);
    const tree::Space uncentred = tree::make_space(meta_, zero.data(), buffer_.data());
    std::pmr::vector<double> sum(n, 0.0, &memory_);
    std::size_t usable = 0;
    std::pmr::vector<float> unit(n, &memory_);
    for (std::size_t i = 0; i < sampled_; ++i) {
      const float* x = sample_.data() + i * n;
      float factor = 1;
      if (meta_.metric == base::Metric::cosine) factor = 1.0F / std::sqrt(simd::kernels().inner_product(x, x, n));
      if (uncentred.prepare_row(x, unit.data()).kind != tree::RowClass::indexed) continue;
      ++usable;
      for (std::size_t d = 0; d < n; ++d) sum[d] += static_cast<double>(x[d]) * factor;
    }
    for (std::size_t d = 0; d < n && usable > 0; ++d) centre_[d] = static_cast<float>(sum[d] / static_cast<double>(usable));
    space_ = tree::make_space(meta_, centre_.data(), buffer_.data());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < sampled_; ++i) {
      float* x = sample_.data() + kept * n;
      if (space_.prepare_row(sample_.data() + i * n, unit.data()).kind != tree::RowClass::indexed) continue;
      std::copy_n(unit.data(), n, x);
      ++kept;
    }
    const double rows = std::max(estimated_rows_, static_cast<double>(kept));
    std::size_t clusters = static_cast<std::size_t>(std::ceil(rows / space_.meta.leaf_size));
    clusters = std::clamp<std::size_t>(clusters, 1, std::max<std::size_t>(1, kept / 8));
    // More of the sample than training can use is only time.
    const std::size_t used = std::min(kept, std::max<std::size_t>(clusters * kSampleRowsPerLeaf, 4096));
    shuffle(kept, used, n);
    const quant::Points points{sample_.data(), used, n};
    centroids_.assign(clusters * n, 0.0F);
    if (kept > 0) {
      // Dividing the largest clusters adds a few: as many fewer are trained. Dividing more of them makes leaves even, but
      // needs more rows scored for the same recall.
      const std::size_t first = std::max<std::size_t>(1, clusters * 19 / 20);
      centroids_.resize(quant::train(points, {first, 8, 2, meta_.rotation_seed}, memory_, watch_, centroids_.data()) * n);
      const double share = static_cast<double>(used) / static_cast<double>(clusters);
      const quant::Balance how{static_cast<std::size_t>(share * 2) + 1, static_cast<std::size_t>(share / 5), 1,
                               meta_.rotation_seed};
      if (clusters > 1) quant::balance(points, how, centroids_, memory_, watch_);
    }
    clusters_ = centroids_.size() / n;
    sample_ = std::pmr::vector<float>(&memory_);
  }

  // Brings a random choice of `used` sample rows to the front.
  void shuffle(std::size_t kept, std::size_t used, std::size_t n) {
    if (used >= kept) return;
    for (std::size_t i = 0; i < used; ++i) {
      const std::size_t j = i + random_.below(kept - i);
      if (j != i) std::swap_ranges(sample_.begin() + static_cast<std::ptrdiff_t>(i * n),
                                   sample_.begin() + static_cast<std::ptrdiff_t>((i + 1) * n),
                                   sample_.begin() + static_cast<std::ptrdiff_t>(j * n));
    }
  }

  // -- assign and encode

  struct Waiting {
    tree::RowId row;
    float norm, raw_norm;
  };

  void assign() {
    set_phase(kPhaseAssign);
    const std::size_t n = meta_.dims;
    const quant::Assigner assigner(centroids_.data(), clusters_, n, memory_);
    assigner_ = &assigner;
    tree::RowEncoder encoder(space_, memory_);
    encoder_ = &encoder;
    batch_.resize(kAssignBatch * n);
    packed_.resize(VARHDRSZ + tree::PackedRow::bytes(space_));
    begin_sort();
    pg::call([&] {
      heap_tuples_ = table_index_build_scan(heap_, index_, info_, true, true, &Build::on_row, this, nullptr);
    });
    flush();
    assigner_ = nullptr;
    encoder_ = nullptr;
  }

  void begin_sort() {
    pg::call([&] {
      const TupleDesc desc = CreateTemplateTupleDesc(2);
      TupleDescInitEntry(desc, 1, "leaf", INT4OID, -1, 0);
      TupleDescInitEntry(desc, 2, "row", BYTEAOID, -1, 0);
      AttrNumber column = 1;
      Oid less = Int4LessOperator;
      Oid collation = InvalidOid;
      bool nulls_first = false;
      sort_ = tuplesort_begin_heap(desc, 1, &column, &less, &collation, &nulls_first, maintenance_work_mem / 2, nullptr,
                                   TUPLESORT_NONE);
      slot_ = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
      read_slot_ = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
    });
  }

  static void on_row(Relation, ItemPointer tid, Datum* values, bool* nulls, bool, void* self) {
    pg::enter([&] { static_cast<Build*>(self)->take_row(tid, values[0], nulls[0]); });
  }

  void take_row(ItemPointer tid, Datum value, bool null) {
    ++index_tuples_;
    if (null) {
      plain_.push_back({tid_block(tid), tid_offset(tid), tree::kPlainNull});
      return;
    }
    const types::Vector* vector = detoast(value);
    fix_or_check_dims(vector->dim);
    const std::size_t n = meta_.dims;
    const tree::PreparedRow how = space_.prepare_row(vector->x, batch_.data() + waiting_.size() * n);
    pg::call([&] { MemoryContextReset(row_context_); });
    if (how.kind != tree::RowClass::indexed) {
      const std::uint16_t flags = how.kind == tree::RowClass::nan ? tree::kPlainNan : tree::kPlainUnknown;
      plain_.push_back({tid_block(tid), tid_offset(tid), flags});
      return;
    }
    waiting_.push_back({row_id(tid), how.norm, how.raw_norm});
    if (waiting_.size() == kAssignBatch) flush();
  }
  static std::uint32_t tid_block(ItemPointer tid) { return ItemPointerGetBlockNumber(tid); }
  static std::uint16_t tid_offset(ItemPointer tid) { return ItemPointerGetOffsetNumber(tid); }

  void flush() {
    if (waiting_.empty()) return;
    const std::size_t n = meta_.dims;
    std::uint32_t nearest[kAssignBatch];
    assigner_->assign(batch_.data(), waiting_.size(), nearest);
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      const Waiting& w = waiting_[i];
      encoder_->encode(batch_.data() + i * n, centroids_.data() + nearest[i] * n, w.norm, w.raw_norm, 0);
      tree::PackedRow::pack(space_, w.row, *encoder_, packed_.data() + VARHDRSZ);
      pg::call([&] {
        SET_VARSIZE(packed_.data(), packed_.size());
        ExecClearTuple(slot_);
        slot_->tts_values[0] = Int32GetDatum(static_cast<int32>(nearest[i]));
        slot_->tts_values[1] = PointerGetDatum(packed_.data());
        slot_->tts_isnull[0] = slot_->tts_isnull[1] = false;
        ExecStoreVirtualTuple(slot_);
        tuplesort_puttupleslot(sort_, slot_);
      });
    }
    waiting_.clear();
  }

  // -- write

  void write() {
    set_phase(kPhaseSort);
    pg::call([&] { tuplesort_performsort(sort_); });
    set_phase(kPhaseWrite);
    std::optional<pg::BulkStore> bulk;
    if (!RelationUsesLocalBuffers(index_)) bulk.emplace(index_, context_);
    tree::PageStore& pages = bulk ? static_cast<tree::PageStore&>(*bulk) : store_;
    tree::write_empty(pages, meta_);
    write_centre(pages);
    tree::TreeBuilder tree(pages, space_, memory_);
    const std::size_t row_bytes = tree::PackedRow::bytes(space_);
    std::pmr::vector<std::uint8_t> rows(&memory_);
    int32 current = -1;
    for (;;) {
      bool null = false;
      int32 leaf = 0;
      const std::uint8_t* row = nullptr;
      const bool more = pg::call([&] {
        CHECK_FOR_INTERRUPTS();
        if (!tuplesort_gettupleslot(sort_, true, false, read_slot_, nullptr)) return false;
        leaf = DatumGetInt32(slot_getattr(read_slot_, 1, &null));
        row = reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(DatumGetPointer(slot_getattr(read_slot_, 2, &null))));
        return true;
      });
      // Equal vectors may fill one cluster beyond any memory: it is written in parts.
      if ((!more || leaf != current || rows.size() >= kMostClusterBytes) && !rows.empty()) {
        tree.add_cluster(centroids_.data() + static_cast<std::size_t>(current) * meta_.dims, rows.data(),
                         rows.size() / row_bytes);
        rows.clear();
      }
      if (!more) break;
      current = leaf;
      rows.insert(rows.end(), row, row + row_bytes);
    }
    pg::call([&] {
      ExecDropSingleTupleTableSlot(slot_);
      ExecDropSingleTupleTableSlot(read_slot_);
      tuplesort_end(sort_);
    });
    tree.finish(watch_);
    if (bulk) written_ = bulk->finish();
    const tree::Meta built = space_.meta;
    tree::update_meta(store_, [&](tree::Meta& m) { m = built; });
    write_plain();
  }

  void write_centre(tree::PageStore& pages) {
    if (std::all_of(centre_.begin(), centre_.end(), [](float c) { return c == 0.0F; })) return;
    space_.meta.centre = tree::write_centre(pages, centre_.data(), centre_.size());
  }

  void write_plain() {
    for (const tree::PlainEntry& e : plain_) tree::insert_plain(store_, {e.block, e.offset}, e.flags);
  }

  // No row that has a vector: an empty index, and what plain rows there are.
  void write_without_rows() {
    pg::call([&] {
      heap_tuples_ = table_index_build_scan(heap_, index_, info_, true, true, &Build::on_plain_row, this, nullptr);
    });
    tree::Meta empty = meta_;
    empty.dims = 0;
    if (meta_.dims == 0 || declared_dims(index_) > 0) empty = tree::new_meta(pg::call([&] { return new_index(index_); }));
    tree::write_empty(store_, empty);
    write_plain();
    if (meta_.dims > 0) tree::fix_dimensions(store_, meta_.dims, memory_);
    insert_late();
  }

  static void on_plain_row(Relation, ItemPointer tid, Datum* values, bool* nulls, bool, void* self) {
    pg::enter([&] { static_cast<Build*>(self)->take_late_row(tid, values[0], nulls[0]); });
  }
  void take_late_row(ItemPointer tid, Datum value, bool null) {
    ++index_tuples_;
    if (null) {
      plain_.push_back({tid_block(tid), tid_offset(tid), tree::kPlainNull});
      return;
    }
    const types::Vector* vector = detoast(value);
    fix_or_check_dims(vector->dim);
    batch_.insert(batch_.end(), vector->x, vector->x + vector->dim);
    waiting_.push_back({row_id(tid), 0, 0});
    pg::call([&] { MemoryContextReset(row_context_); });
  }
  // Rows that came between the sample and the scan (CREATE INDEX CONCURRENTLY on a table that was empty).
  void insert_late() {
    if (waiting_.empty()) return;
    const std::size_t n = meta_.dims;
    space_ = *load_space(index_, store_, row_context_);
    std::pmr::vector<float> prepared(n, &memory_);
    struct NoWatch final : tree::InsertWatch {
      void done(std::size_t) noexcept override {}
    } none;
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      const tree::PreparedRow how = space_.prepare_row(batch_.data() + i * n, prepared.data());
      if (how.kind == tree::RowClass::indexed) {
        const tree::NewRow row[1] = {{waiting_[i].row, prepared.data(), how.norm, how.raw_norm}};
        tree::insert_rows(store_, space_, row, none, memory_);
      } else {
        tree::insert_plain(store_, waiting_[i].row,
                           how.kind == tree::RowClass::nan ? tree::kPlainNan : tree::kPlainUnknown);
      }
    }
  }

  // -- calibrate

  void calibrate() {
    set_phase(kPhaseCalibrate);
    // Thousands of searches over a relation that only this session sees: every block's buffer is worth remembering.
    const BlockNumber blocks = store_.block_count();
    std::pmr::vector<Buffer> buffers(blocks, InvalidBuffer, &memory_);
    pg::BufferHints hints{buffers.data(), blocks, blocks};
    if (!RelationUsesLocalBuffers(index_)) store_.set_hints(&hints);
    const tree::Calibration c = tree::calibrate(store_, space_, kCalibrationQueries, watch_, memory_);
    store_.set_hints(nullptr);
    tree::update_meta(store_, [&](tree::Meta& m) { m.calibration = c; });
  }

  Relation heap_, index_;
  IndexInfo* info_;
  MemoryContext context_;
  pg::ContextResource memory_;
  pg::RelationStore store_;
  tree::Meta meta_;
  tree::Space space_{};
  BuildWatch watch_;
  MemoryContext row_context_ = nullptr;
  std::pmr::vector<tree::PlainEntry> plain_;
  std::pmr::vector<float> centre_, buffer_, centroids_;
  std::pmr::vector<float> sample_{&memory_}, batch_{&memory_};
  std::pmr::vector<std::uint8_t> packed_{&memory_};
  std::pmr::vector<Waiting> waiting_{&memory_};
  std::size_t sampled_ = 0, clusters_ = 0;
  BlockNumber written_ = 0;  // past shared buffers, logged
  std::uint64_t seen_ = 0;
  base::SplitMix64 random_{1};
  double expected_rows_ = 0, estimated_rows_ = 0, heap_tuples_ = 0, index_tuples_ = 0;
  const quant::Assigner* assigner_ = nullptr;
  tree::RowEncoder* encoder_ = nullptr;
  Tuplesortstate* sort_ = nullptr;
  TupleTableSlot* slot_ = nullptr;
  TupleTableSlot* read_slot_ = nullptr;
};

}  // namespace

IndexBuildResult* build(Relation heap, Relation index, IndexInfo* info) {
  if (RelationGetNumberOfBlocks(index) != 0)
    elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
  forget_batch(RelationGetRelid(index));
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow build", ALLOCSET_DEFAULT_SIZES);
  IndexBuildResult* result = nullptr;
  {
    Build build(heap, index, info, context);
    result = build.run();
  }
  MemoryContextDelete(context);
  return result;
}

// The init fork of an unlogged index: a meta page without a root, which the first insert makes.
void build_empty(Relation index) {
  const tree::Meta meta = tree::new_meta(new_index(index));
  const Buffer buffer = ReadBufferExtended(index, INIT_FORKNUM, P_NEW, RBM_NORMAL, nullptr);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  START_CRIT_SECTION();
  const Page page = BufferGetPage(buffer);
  PageInit(page, BLCKSZ, sizeof(tree::Trailer));
  auto* image = reinterpret_cast<std::uint8_t*>(page);
  tree::write_meta_image(image, meta);
  reinterpret_cast<PageHeader>(page)->pd_lower = tree::kPageHeaderBytes + sizeof(tree::Meta);
  MarkBufferDirty(buffer);
  log_newpage_buffer(buffer, true);
  END_CRIT_SECTION();
  UnlockReleaseBuffer(buffer);
}

}  // namespace longbow::am
