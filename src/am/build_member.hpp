// What each process of an index build does: sample, train, assign and encode, sort, and its share of the calibration.
//
// Every member calls the same functions in the same order; the leader writes the tree between assign() and calibrate().
// Memory: a batch of rows, the sort's share of maintenance_work_mem, and the crew's region.
#pragma once

#include <memory_resource>
#include <optional>
#include <vector>

#include "am/build_team.hpp"
#include "am/index.hpp"
#include "longbow/base/random.hpp"
#include "longbow/quant/assign.hpp"
#include "longbow/quant/kmeans.hpp"
#include "longbow/tree/build.hpp"

namespace longbow::am {

// Shows the phase in pg_stat_progress_create_index; at DEBUG1 the log says what each took of the leader's time.
void set_phase(BuildPhase phase);
void end_phases();

// The key in the sort of rows that the tree cannot order; they come behind all leaves.
inline constexpr int32 kPlainLeaf = PG_INT32_MAX;
// Such a row as the sort holds it.
struct PlainRow {
  std::uint32_t block;
  std::uint16_t offset, flags;
};

// The floats of a row's value, in `context`.
RowVector row_vector_in(MemoryContext context, Element element, Datum value);

// The sort's columns: the leaf and the row's bytes.
TupleDesc sort_columns();
Tuplesortstate* begin_sort(TupleDesc columns, int memory, SortCoordinate coordinate);

class BuildMember {
 public:
  BuildMember(Relation heap, Relation index, IndexInfo* info, BuildShared& shared, base::Crew& crew,
              MemoryContext context, std::pmr::memory_resource& memory);

  // Fills the sample, then the centroids; returns their number, 0 if no row can be indexed.
  std::size_t train();
  // Reads the table, the whole of it or this member's share of a parallel scan, into a sort; with `sort` that is done when it
  // returns, without it the caller takes the state over by own_sort().
  void assign(ParallelTableScanDesc scan, Sharedsort* sort);
  void calibrate(pg::RelationStore& store, const tree::Space& space);

  [[nodiscard]] tree::Space& space() noexcept { return space_; }
  [[nodiscard]] const float* centre() const noexcept { return centre_->data(); }
  [[nodiscard]] const float* centroid(std::size_t i) const noexcept { return centroids_->data() + i * shared_.meta.dims; }
  [[nodiscard]] Tuplesortstate* own_sort() const noexcept { return sort_; }
  [[nodiscard]] quant::Watch& watch() noexcept { return watch_; }

 private:
  struct Watch final : quant::Watch {
    explicit Watch(bool leads) : leads_(leads) {}
    void tick(std::size_t done, std::size_t total) override;
    void pause() override;

   private:
    bool leads_;
  };
  struct Waiting {
    tree::RowId row;
    float norm, raw_norm;
  };

  void sample();
  static void on_sample(Relation, ItemPointer tid, Datum* values, bool* nulls, bool alive, void* self);
  void take_sample(tree::RowId row, Datum value, bool null);
  void gather_sample();
  static void on_row(Relation, ItemPointer tid, Datum* values, bool* nulls, bool alive, void* self);
  void take_row(ItemPointer tid, Datum value, bool null);
  void put_plain(ItemPointer tid, std::uint16_t flags);
  void flush();
  void put(std::int32_t leaf, std::size_t bytes);
  void check_dims(int found);

  Relation heap_, index_;
  IndexInfo* info_;
  Element element_;
  BuildShared& shared_;
  base::Crew& crew_;
  std::pmr::memory_resource& memory_;
  MemoryContext row_context_ = nullptr;
  Watch watch_;
  tree::Space space_{};
  std::pmr::vector<float> buffer_;
  std::optional<base::Shared<float>> centre_, centroids_, sample_;
  std::size_t clusters_ = 0;
  // The sample: this member's slice.
  float* slice_ = nullptr;
  std::size_t slice_rows_ = 0, sampled_ = 0;
  std::uint64_t seen_ = 0, offered_ = 0;  // rows met, and those that the sample may have
  base::SplitMix64 random_;
  // Rows on their way to the sort.
  std::uint64_t rows_ = 0;
  std::pmr::vector<float> batch_;
  std::pmr::vector<Waiting> waiting_;
  std::pmr::vector<std::uint32_t> nearest_;
  std::pmr::vector<std::uint8_t> packed_;
  quant::GroupAssigner* assigner_ = nullptr;
  tree::RowEncoder* encoder_ = nullptr;
  Tuplesortstate* sort_ = nullptr;
  TupleTableSlot* slot_ = nullptr;
};

}  // namespace longbow::am
