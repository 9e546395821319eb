// CREATE INDEX: the leader's part. Survey, then with the workers: sample, train, assign and encode, sort by leaf; write;
// calibrate with the workers; log.
//
// Memory: half of maintenance_work_mem for training (or a file, where that needs more), then half for the sorts of all
// members together. The tree's pages go past shared buffers (pg/bulk_store.hpp), those of a temporary index and plain rows
// through them, logged all at once at the end; a build that fails leaves nothing but a file that the aborted transaction
// removes.
#include "am/build_member.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "am/batch.hpp"
#include "longbow/quant/feature_hash.hpp"
#include "longbow/tree/insert.hpp"
#include "longbow/tree/maintain.hpp"
#include "longbow/tree/train.hpp"
#include "pg/activity.hpp"
#include "pg/bulk_store.hpp"
#include "pg/context_resource.hpp"

extern "C" {
#include "access/tableam.h"
#include "access/xloginsert.h"
#include "catalog/pg_type_d.h"
#include "commands/progress.h"
#include "executor/tuptable.h"
#include "utils/backend_progress.h"
#include "utils/sampling.h"
#include "utils/timestamp.h"
}

namespace longbow::am {

namespace {

constexpr std::size_t kMostClusterBytes = 16 << 20;
// Blocks that tell how many rows a block has, and the dimensions where the column does not.
constexpr int kSurveyBlocks = 64;
// Blocks that are looked at, at most, for a row that has a vector.
constexpr int kMostSurveyBlocks = 1000;

std::uint64_t random_incarnation() {
  std::uint64_t value;
  if (!pg_strong_random(&value, sizeof value))
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random incarnation for an index")));
  return value | 1;
}

// Dimensions that the indexed column declares, 0 if none. Those of varbit are only the most that there may be.
std::uint32_t declared_dims(Relation index) {
  const FormData_pg_attribute* column = TupleDescAttr(RelationGetDescr(index), 0);
  if (opclass_info(index)->element == Element::sparsevec) {
    // Nothing in the index would tell rows of other dimensions apart.
    if (column->atttypmod <= 0)
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("column does not have dimensions"),
                      errdetail("An index of sparsevecs needs to know that all of them have the same."),
                      errhint("Give the column dimensions, such as sparsevec(100000), or index an expression that has them.")));
    return quant::kHashedDims;
  }
  if (column->atttypmod <= 0 || column->atttypid == VARBITOID) return 0;
  const Element element = opclass_info(index)->element;
  if (column->atttypmod > most_dims(element))
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("column cannot have more than %d %s for longbow index", most_dims(element), length_unit(element)),
                    errdetail("It has %d.", column->atttypmod)));
  return static_cast<std::uint32_t>(column->atttypmod);
}

tree::NewIndex new_index(Relation index) {
  const Options* o = index_options(index);
  const OpclassInfo* info = opclass_info(index);
  return {info->metric, declared_dims(index), static_cast<std::uint32_t>(o->bits),
          static_cast<std::uint32_t>(o->leaf_size), random_incarnation(), static_cast<std::uint8_t>(info->element)};
}

double cpu_seconds() {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
         static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

// What the leader has spent on the phase that it is in.
struct PhaseClock {
  BuildPhase phase;
  TimestampTz since;
  double cpu;
};
PhaseClock phase_clock;

class Build {
 public:
  Build(Relation heap, Relation index, IndexInfo* info, MemoryContext context)
      : heap_(heap),
        index_(index),
        info_(info),
        element_(pg::call([&] { return opclass_info(index)->element; })),
        context_(context),
        memory_(context, pg::MemoryKind::build),
        store_(index, pg::RelationStore::Mode::bulk),
        meta_(tree::new_meta(pg::call([&] { return new_index(index); }))) {
    row_context_ = pg::call([&] { return AllocSetContextCreate(context, "longbow build row", ALLOCSET_DEFAULT_SIZES); });
  }

  IndexBuildResult* run() {
    set_phase(kPhaseSample);
    survey();
    if (meta_.dims == 0 || !seen_ || !build_tree()) write_without_rows();
    set_phase(kPhaseLog);
    store_.log_unlogged(written_);
    end_phases();
    return pg::call([&] {
      auto* result = static_cast<IndexBuildResult*>(palloc(sizeof(IndexBuildResult)));
      result->heap_tuples = heap_tuples_;
      result->index_tuples = index_tuples_;
      return result;
    });
  }

 private:
  // -- survey

  // Looks at some blocks for the dimensions and for the number of rows.
  void survey() {
    const BlockNumber blocks = pg::call([&] { return RelationGetNumberOfBlocks(heap_); });
    blocks_ = blocks;
    if (blocks == 0) return;
    int visited = 0;
    std::uint64_t rows = 0;
    rows_seen_ = &rows;
    pg::call([&] {
      BlockSamplerData sampler;
      BlockSampler_Init(&sampler, blocks, kMostSurveyBlocks, static_cast<uint32>(meta_.incarnation >> 32));
      while (BlockSampler_HasMore(&sampler) && (visited < kSurveyBlocks || rows == 0)) {
        CHECK_FOR_INTERRUPTS();
        table_index_build_range_scan(heap_, index_, info_, false, !info_->ii_Concurrent, false,
                                     BlockSampler_Next(&sampler), 1, &Build::on_survey, this, nullptr);
        ++visited;
      }
    });
    seen_ = rows > 0;
    expected_rows_ = static_cast<double>(rows) * blocks / std::max(visited, 1);
  }

  static void on_survey(Relation, ItemPointer, Datum* values, bool* nulls, bool, void* self) {
    pg::enter([&] { static_cast<Build*>(self)->take_survey(values[0], nulls[0]); });
  }
  void take_survey(Datum value, bool null) {
    if (null) return;
    if ((*rows_seen_)++ == 0) fix_or_check_dims(row_vector_in(row_context_, element_, value).dim);
    pg::call([&] { MemoryContextReset(row_context_); });
  }

  void fix_or_check_dims(int found) {
    if (meta_.dims == 0) tree::settle(meta_, static_cast<std::uint32_t>(found));
    if (static_cast<int>(meta_.dims) != found)
      pg::call([&] { report_dims(index_, static_cast<int>(meta_.dims), found); });
  }

  // -- the tree, with workers

  BuildShared plan(int workers) const {
    BuildShared shared{};
    shared.heap = RelationGetRelid(heap_);
    shared.index = RelationGetRelid(index_);
    shared.concurrent = info_->ii_Concurrent;
    shared.meta = meta_;
    shared.expected_rows = expected_rows_;
    shared.heap_blocks = blocks_;
    const tree::TrainingPlan training = tree::plan_training(meta_, expected_rows_);
    shared.sample_rows = training.sample_rows;
    shared.room = training.room;
    // Twice the blocks that hold so many rows, since rows are not spread evenly.
    const double per_block = std::max(expected_rows_ / blocks_, 0.01);
    shared.sample_blocks =
        static_cast<BlockNumber>(std::min<double>(blocks_, std::max(300.0, 2.0 * static_cast<double>(shared.sample_rows) / per_block)));
    const std::size_t members = static_cast<std::size_t>(workers) + 1;
    shared.region_bytes = std::max(training.shared_bytes + base::Shared<std::size_t>::bytes(members),
                                   tree::calibration_bytes(meta_, kCalibrationQueries, members));
    return shared;
  }

  // False if no row can be indexed.
  bool build_tree() {
    const int workers = pg::call([&] { return lb_build_workers(heap_, index_, info_); });
    BuildTeam team(heap_, plan(workers), workers, context_, memory_);
    BuildMember member(heap_, index_, info_, team.shared(), team.crew(), context_, memory_);
    const bool indexed = member.train() > 0;
    if (indexed) {
      member.assign(team.scan(), team.sort());
      write(team, member);
      team.crew().barrier();
      member.space().meta = tree::read_meta(store_);
      member.calibrate(store_, member.space());
    }
    pg::call([&] { team.finish(); });
    heap_tuples_ = static_cast<double>(pg_atomic_read_u64(&team.shared().heap_tuples));
    index_tuples_ = static_cast<double>(pg_atomic_read_u64(&team.shared().index_tuples));
    if (pg_atomic_read_u32(&team.shared().broken_hot_chain) != 0) info_->ii_BrokenHotChain = true;
    return indexed;
  }

  // The sort of all members' rows.
  Tuplesortstate* sorted(BuildTeam& team, BuildMember& member) {
    Tuplesortstate* sort = member.own_sort();
    if (team.sort() != nullptr) {
      SortCoordinateData coordinate{};
      coordinate.isWorker = false;
      coordinate.nParticipants = static_cast<int>(team.crew().members());
      coordinate.sharedsort = team.sort();
      sort = begin_sort(sort_columns(), maintenance_work_mem / 2, &coordinate);
    }
    tuplesort_performsort(sort);
    return sort;
  }

  void write(BuildTeam& team, BuildMember& member) {
    set_phase(kPhaseSort);
    Tuplesortstate* sort = pg::call([&] { return sorted(team, member); });
    TupleTableSlot* slot = pg::call([&] { return MakeSingleTupleTableSlot(sort_columns(), &TTSOpsMinimalTuple); });
    set_phase(kPhaseWrite);
    tree::Space& space = member.space();
    std::optional<pg::BulkStore> bulk;
    if (!RelationUsesLocalBuffers(index_)) bulk.emplace(index_, context_);
    tree::PageStore& pages = bulk ? static_cast<tree::PageStore&>(*bulk) : store_;
    tree::write_empty(pages, meta_);
    write_centre(pages, space, member.centre());
    tree::TreeBuilder tree(pages, space, memory_);
    const std::size_t row_bytes = tree::PackedRow::bytes(space);
    std::pmr::vector<std::uint8_t> rows(&memory_);  // of the cluster so far, in its first `used` bytes
    std::size_t used = 0;
    const double total = static_cast<double>(pg_atomic_read_u64(&team.shared().index_tuples));
    std::size_t done = 0;
    int32 current = -1;
    bool plain = false;
    for (;;) {
      SortedRow next = next_row(sort, slot);
      // Equal vectors may fill one cluster beyond any memory: it is written in parts.
      if ((next.leaf != current || used >= kMostClusterBytes) && used > 0) {
        tree.add_cluster(member.centroid(static_cast<std::size_t>(current)), rows.data(), used / row_bytes);
        done += used / row_bytes;
        used = 0;
        member.watch().tick(done, static_cast<std::size_t>(total));
      }
      if (!plain && next.leaf == kPlainLeaf) {
        plain = true;
        tree.finish(member.watch());
        if (bulk) written_ = bulk->finish();
        const tree::Meta built = space.meta;
        tree::update_meta(store_, [&](tree::Meta& m) { m = built; });
      }
      if (next.bytes == nullptr) break;
      if (plain) {
        PlainRow row;
        memcpy(&row, next.bytes, sizeof row);
        tree::insert_plain(store_, {row.block, row.offset}, row.flags);
        continue;
      }
      current = next.leaf;
      if (used + row_bytes > rows.size()) rows.resize(std::max(rows.size() * 2, used + row_bytes));
      memcpy(rows.data() + used, next.bytes, row_bytes);
      used += row_bytes;
    }
    pg::call([&] {
      ExecDropSingleTupleTableSlot(slot);
      tuplesort_end(sort);
    });
  }

  struct SortedRow {
    int32 leaf;
    const std::uint8_t* bytes;  // null at the end, whose leaf is kPlainLeaf
  };
  static SortedRow next_row(Tuplesortstate* sort, TupleTableSlot* slot) {
    return pg::call([&]() -> SortedRow {
      CHECK_FOR_INTERRUPTS();
      if (!tuplesort_gettupleslot(sort, true, false, slot, nullptr)) return {kPlainLeaf, nullptr};
      bool null = false;
      const int32 leaf = DatumGetInt32(slot_getattr(slot, 1, &null));
      return {leaf, reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(DatumGetPointer(slot_getattr(slot, 2, &null))))};
    });
  }

  void write_centre(tree::PageStore& pages, tree::Space& space, const float* centre) {
    if (std::all_of(centre, centre + meta_.dims, [](float c) { return c == 0.0F; })) return;
    space.meta.centre = tree::write_centre(pages, centre, meta_.dims);
  }

  // -- an index without a row that has a place in the tree

  struct Late {
    tree::RowId row;
    std::uint16_t flags;  // 0: a vector, in its turn in late_vectors_
  };

  void write_without_rows() {
    heap_tuples_ = index_tuples_ = 0;
    heap_tuples_ = pg::call(
        [&] { return table_index_build_scan(heap_, index_, info_, true, true, &Build::on_late_row, this, nullptr); });
    tree::Meta empty = meta_;
    empty.dims = 0;
    if (meta_.dims == 0 || declared_dims(index_) > 0) empty = tree::new_meta(pg::call([&] { return new_index(index_); }));
    tree::write_empty(store_, empty);
    for (const Late& l : late_)
      if (l.flags != 0) tree::insert_plain(store_, l.row, l.flags);
    if (meta_.dims > 0) tree::fix_dimensions(store_, meta_.dims, memory_);
    insert_late();
  }

  static void on_late_row(Relation, ItemPointer tid, Datum* values, bool* nulls, bool, void* self) {
    pg::enter([&] { static_cast<Build*>(self)->take_late_row(tid, values[0], nulls[0]); });
  }
  void take_late_row(ItemPointer tid, Datum value, bool null) {
    ++index_tuples_;
    if (null) {
      late_.push_back({row_id(tid), tree::kPlainNull});
      return;
    }
    const RowVector vector = row_vector_in(row_context_, element_, value);
    fix_or_check_dims(vector.dim);
    late_vectors_.insert(late_vectors_.end(), vector.x, vector.x + vector.cells);
    late_.push_back({row_id(tid), 0});
    pg::call([&] { MemoryContextReset(row_context_); });
  }
  // Rows that cannot be indexed, and those that the survey did not meet.
  void insert_late() {
    if (late_vectors_.empty()) return;
    const std::size_t n = meta_.dims;
    const tree::Space space = *load_space(index_, store_, row_context_);
    std::pmr::vector<float> prepared(n, &memory_);
    struct NoWatch final : tree::InsertWatch {
      void done(std::size_t) noexcept override {}
    } none;
    const float* vector = late_vectors_.data();
    for (const Late& l : late_) {
      if (l.flags != 0) continue;
      const tree::PreparedRow how = space.prepare_row(vector, prepared.data());
      vector += space.raw_cells();
      if (how.kind == tree::RowClass::indexed) {
        const tree::NewRow row[1] = {{l.row, prepared.data(), how.norm, how.raw_norm}};
        tree::insert_rows(store_, space, row, none, memory_);
      } else {
        tree::insert_plain(store_, l.row, how.kind == tree::RowClass::nan ? tree::kPlainNan : tree::kPlainUnknown);
      }
    }
  }

  Relation heap_, index_;
  IndexInfo* info_;
  Element element_;
  MemoryContext context_;
  pg::ContextResource memory_;
  pg::RelationStore store_;
  tree::Meta meta_;
  MemoryContext row_context_ = nullptr;
  BlockNumber blocks_ = 0;   // of the table
  BlockNumber written_ = 0;  // past shared buffers, logged
  std::uint64_t* rows_seen_ = nullptr;
  bool seen_ = false;
  double expected_rows_ = 0, heap_tuples_ = 0, index_tuples_ = 0;
  std::pmr::vector<Late> late_{&memory_};
  std::pmr::vector<float> late_vectors_{&memory_};
};

}  // namespace

void end_phases() {
  if (phase_clock.since == 0) return;
  const TimestampTz now = GetCurrentTimestamp();
  ereport(DEBUG1, (errmsg_internal("longbow build: %s took %.2f s, %.2f s of processor time", build_phase_name(phase_clock.phase),
                                   static_cast<double>(now - phase_clock.since) * 1e-6, cpu_seconds() - phase_clock.cpu)));
  phase_clock.since = 0;
}

void set_phase(BuildPhase phase) {
  end_phases();
  pg::flush_memory_stats();
  phase_clock = {phase, GetCurrentTimestamp(), cpu_seconds()};
  pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, phase);
}

IndexBuildResult* build(Relation heap, Relation index, IndexInfo* info) {
  if (RelationGetNumberOfBlocks(index) != 0)
    elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
  forget_batch(RelationGetRelid(index));
  phase_clock.since = 0;
  const pg::Doing before = pg::call([&] { return pg::begin_activity(pg::Phase::build, RelationGetRelid(index)); });
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow build", ALLOCSET_DEFAULT_SIZES);
  IndexBuildResult* result = nullptr;
  {
    Build build(heap, index, info, context);
    result = build.run();
  }
  MemoryContextDelete(context);
  pg::end_activity(before);
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
