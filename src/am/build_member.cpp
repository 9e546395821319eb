// One process's part of an index build.
#include "am/build_member.hpp"

#include <algorithm>
#include <cstring>

#include "longbow/tree/maintain.hpp"
#include "longbow/tree/train.hpp"

extern "C" {
#include "access/tableam.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "commands/progress.h"
#include "executor/tuptable.h"
#include "utils/backend_progress.h"
#include "utils/sampling.h"
}

namespace longbow::am {

namespace {

constexpr std::size_t kSampleGrain = 8;  // blocks

}  // namespace

TupleDesc sort_columns() {
  const TupleDesc columns = CreateTemplateTupleDesc(2);
  TupleDescInitEntry(columns, 1, "leaf", INT4OID, -1, 0);
  TupleDescInitEntry(columns, 2, "row", BYTEAOID, -1, 0);
  return columns;
}

Tuplesortstate* begin_sort(TupleDesc columns, int memory, SortCoordinate coordinate) {
  AttrNumber column = 1;
  Oid less = Int4LessOperator;
  Oid collation = InvalidOid;
  bool nulls_first = false;
  return tuplesort_begin_heap(columns, 1, &column, &less, &collation, &nulls_first, memory, coordinate, TUPLESORT_NONE);
}

void BuildMember::Watch::pause() {
  if (INTERRUPTS_PENDING_CONDITION()) pg::call([] { CHECK_FOR_INTERRUPTS(); });
}

void BuildMember::Watch::tick(std::size_t done, std::size_t total) {
  pause();
  if (!leads_) return;
  const int what[] = {PROGRESS_CREATEIDX_TUPLES_DONE, PROGRESS_CREATEIDX_TUPLES_TOTAL};
  const int64 values[] = {static_cast<int64>(done), static_cast<int64>(total)};
  pgstat_progress_update_multi_param(2, what, values);
}

BuildMember::BuildMember(Relation heap, Relation index, IndexInfo* info, BuildShared& shared, base::Crew& crew,
                         MemoryContext context, std::pmr::memory_resource& memory)
    : heap_(heap),
      index_(index),
      info_(info),
      element_(pg::call([&] { return opclass_info(index)->element; })),
      shared_(shared),
      crew_(crew),
      memory_(memory),
      watch_(crew.leads()),
      buffer_(tree::space_floats(shared.meta), &memory),
      random_(shared.meta.rotation_seed + crew.me()),
      batch_(&memory),
      waiting_(&memory),
      nearest_(&memory),
      packed_(&memory) {
  row_context_ = pg::call([&] { return AllocSetContextCreate(context, "longbow build row", ALLOCSET_DEFAULT_SIZES); });
}

RowVector row_vector_in(MemoryContext context, Element element, Datum value) {
  return pg::call([&] {
    const MemoryContext old = MemoryContextSwitchTo(context);
    const RowVector vector = row_vector(element, value);
    MemoryContextSwitchTo(old);
    return vector;
  });
}

void BuildMember::check_dims(int found) {
  const int expected = static_cast<int>(shared_.meta.dims);
  if (found != expected) pg::call([&] { report_dims(index_, expected, found); });
}

// -- sample

// Each member fills its slice of the sample from the blocks that it takes.
void BuildMember::sample() {
  const std::size_t members = crew_.members();
  slice_rows_ = shared_.sample_rows / members;
  slice_ = sample_->data() + crew_.me() * slice_rows_ * tree::raw_cells(shared_.meta);
  BlockSamplerData sampler;
  BlockSampler_Init(&sampler, shared_.heap_blocks, static_cast<int>(shared_.sample_blocks), static_cast<uint32>(shared_.meta.incarnation));
  std::size_t next = 0;
  std::uint64_t visited = 0;
  crew_.for_each(shared_.sample_blocks, kSampleGrain, [&](std::size_t first, std::size_t end) {
    watch_.tick(first, shared_.sample_blocks);
    pg::call([&] {
      for (; next < end && BlockSampler_HasMore(&sampler); ++next) {
        const BlockNumber block = BlockSampler_Next(&sampler);
        if (next < first) continue;
        CHECK_FOR_INTERRUPTS();
        // A concurrent build scans by an MVCC snapshot, where "any visible" has no meaning.
        table_index_build_range_scan(heap_, index_, info_, false, !shared_.concurrent, false, block, 1,
                                     &BuildMember::on_sample, this, nullptr);
        ++visited;
      }
    });
  });
  pg_atomic_fetch_add_u64(&shared_.seen, static_cast<int64>(seen_));
  pg_atomic_fetch_add_u64(&shared_.visited, static_cast<int64>(visited));
  gather_sample();
}

void BuildMember::on_sample(Relation, ItemPointer tid, Datum* values, bool* nulls, bool, void* self) {
  pg::enter([&] { static_cast<BuildMember*>(self)->take_sample(row_id(tid), values[0], nulls[0]); });
}

void BuildMember::take_sample(tree::RowId row, Datum value, bool null) {
  if (null) return;
  ++seen_;
  if (sampled_ >= tree::kLeastTrained && tree::held_out(row)) return;
  ++offered_;
  // Reservoir sampling, algorithm R.
  std::size_t at = sampled_;
  if (sampled_ < slice_rows_)
    ++sampled_;
  else
    at = random_.below(offered_);
  if (at >= slice_rows_) return;
  const RowVector vector = row_vector_in(row_context_, element_, value);
  check_dims(vector.dim);
  std::copy_n(vector.x, vector.cells, slice_ + at * tree::raw_cells(shared_.meta));
  pg::call([&] { MemoryContextReset(row_context_); });
}

// Brings the members' slices together.
void BuildMember::gather_sample() {
  const base::Shared<std::size_t> filled(crew_, crew_.members());
  filled[crew_.me()] = sampled_;
  crew_.barrier();
  crew_.lead([&] {
    const std::size_t n = tree::raw_cells(shared_.meta);
    std::size_t kept = 0;
    for (std::size_t m = 0; m < filled.size(); ++m) {
      const float* from = sample_->data() + m * slice_rows_ * n;
      std::memmove(sample_->data() + kept * n, from, filled[m] * n * sizeof(float));
      kept += filled[m];
    }
    pg_atomic_write_u64(&shared_.sampled, kept);
  });
}

// -- train

std::size_t BuildMember::train() {
  const std::size_t n = shared_.meta.dims;
  centre_.emplace(crew_, n);
  centroids_.emplace(crew_, shared_.room * n);
  sample_.emplace(crew_, shared_.sample_rows * tree::raw_cells(shared_.meta));
  sample();
  const std::uint64_t visited = pg_atomic_read_u64(&shared_.visited);
  double rows = shared_.expected_rows;
  if (visited > 0)
    rows = static_cast<double>(pg_atomic_read_u64(&shared_.seen)) * shared_.heap_blocks / static_cast<double>(visited);
  if (crew_.leads()) set_phase(kPhaseTrain);
  clusters_ = tree::train_leaves(shared_.meta, sample_->data(), pg_atomic_read_u64(&shared_.sampled), rows, shared_.room,
                                 centre_->data(), centroids_->data(), crew_, memory_, watch_);
  sample_.reset();
  space_ = tree::make_space(shared_.meta, centre_->data(), buffer_.data());
  return clusters_;
}

// -- assign and encode

void BuildMember::assign(ParallelTableScanDesc scan, Sharedsort* sort) {
  if (crew_.leads()) set_phase(kPhaseAssign);
  const std::size_t n = shared_.meta.dims;
  quant::GroupAssigner assigner(centroids_->data(), clusters_, n, crew_, memory_, watch_);
  assigner_ = &assigner;
  tree::RowEncoder encoder(space_, memory_);
  encoder_ = &encoder;
  batch_.resize(assigner.batch() * n);
  nearest_.resize(assigner.batch());
  waiting_.reserve(assigner.batch());
  packed_.resize(VARHDRSZ + std::max(tree::PackedRow::bytes(space_), sizeof(PlainRow)));
  SortCoordinateData coordinate{};
  const double tuples = pg::call([&] {
    coordinate.isWorker = true;
    coordinate.nParticipants = -1;
    coordinate.sharedsort = sort;
    const TupleDesc columns = sort_columns();
    sort_ = begin_sort(columns, shared_.sort_memory, sort != nullptr ? &coordinate : nullptr);
    slot_ = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
    const TableScanDesc share = scan != nullptr ? table_beginscan_parallel(heap_, scan) : nullptr;
    return table_index_build_scan(heap_, index_, info_, true, crew_.leads(), &BuildMember::on_row, this, share);
  });
  flush();
  pg_atomic_fetch_add_u64(&shared_.heap_tuples, static_cast<int64>(tuples));
  pg_atomic_fetch_add_u64(&shared_.index_tuples, static_cast<int64>(rows_));
  if (info_->ii_BrokenHotChain) pg_atomic_write_u32(&shared_.broken_hot_chain, 1);
  pg::call([&] {
    ExecDropSingleTupleTableSlot(slot_);
    if (sort == nullptr) return;
    tuplesort_performsort(sort_);
    tuplesort_end(sort_);
    sort_ = nullptr;
  });
  assigner_ = nullptr;
  encoder_ = nullptr;
  crew_.barrier();
}

void BuildMember::on_row(Relation, ItemPointer tid, Datum* values, bool* nulls, bool, void* self) {
  pg::enter([&] { static_cast<BuildMember*>(self)->take_row(tid, values[0], nulls[0]); });
}

void BuildMember::take_row(ItemPointer tid, Datum value, bool null) {
  ++rows_;
  if (null) {
    put_plain(tid, tree::kPlainNull);
    return;
  }
  const RowVector vector = row_vector_in(row_context_, element_, value);
  check_dims(vector.dim);
  const tree::PreparedRow how = space_.prepare_row(vector.x, batch_.data() + waiting_.size() * shared_.meta.dims);
  pg::call([&] { MemoryContextReset(row_context_); });
  if (how.kind != tree::RowClass::indexed) {
    put_plain(tid, how.kind == tree::RowClass::nan ? tree::kPlainNan : tree::kPlainUnknown);
    return;
  }
  waiting_.push_back({row_id(tid), how.norm, how.raw_norm});
  if (waiting_.size() == nearest_.size()) flush();
}

void BuildMember::put_plain(ItemPointer tid, std::uint16_t flags) {
  const PlainRow row{ItemPointerGetBlockNumber(tid), ItemPointerGetOffsetNumber(tid), flags};
  std::memcpy(packed_.data() + VARHDRSZ, &row, sizeof row);
  put(kPlainLeaf, sizeof row);
}

void BuildMember::flush() {
  if (waiting_.empty()) return;
  const std::size_t n = shared_.meta.dims;
  assigner_->assign(batch_.data(), waiting_.size(), nearest_.data());
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    const Waiting& w = waiting_[i];
    encoder_->encode(batch_.data() + i * n, centroid(nearest_[i]), w.norm, w.raw_norm, 0);
    tree::PackedRow::pack(space_, w.row, *encoder_, packed_.data() + VARHDRSZ);
    put(static_cast<std::int32_t>(nearest_[i]), tree::PackedRow::bytes(space_));
  }
  waiting_.clear();
}

void BuildMember::put(std::int32_t leaf, std::size_t bytes) {
  pg::call([&] {
    SET_VARSIZE(packed_.data(), VARHDRSZ + bytes);
    ExecClearTuple(slot_);
    slot_->tts_values[0] = Int32GetDatum(leaf);
    slot_->tts_values[1] = PointerGetDatum(packed_.data());
    slot_->tts_isnull[0] = slot_->tts_isnull[1] = false;
    ExecStoreVirtualTuple(slot_);
    tuplesort_puttupleslot(sort_, slot_);
  });
}

// -- calibrate

void BuildMember::calibrate(pg::RelationStore& store, const tree::Space& space) {
  if (crew_.leads()) set_phase(kPhaseCalibrate);
  centroids_.reset();
  centre_.reset();
  // Thousands of searches over a relation that only this build sees: every block's buffer is worth remembering.
  const BlockNumber blocks = store.block_count();
  std::pmr::vector<Buffer> buffers(blocks, InvalidBuffer, &memory_);
  pg::BufferHints hints{buffers.data(), blocks, blocks};
  if (!RelationUsesLocalBuffers(index_)) store.set_hints(&hints);
  const tree::Calibration c = tree::calibrate(store, space, kCalibrationQueries, crew_, watch_, memory_);
  store.set_hints(nullptr);
  if (!crew_.leads()) return;
  tree::update_meta(store, [&](tree::Meta& m) {
    m.calibration = c;
    m.trained_at = GetCurrentTimestamp();
    m.trained_rows = c.rows;
  });
}

}  // namespace longbow::am
