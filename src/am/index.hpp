// What the access method's callbacks share: options, opclass metric, the index's space, vectors out of datums.
#pragma once

#include <memory_resource>

#include "am/element.hpp"
#include "longbow/base/metric.hpp"
#include "longbow/tree/space.hpp"
#include "pg/boundary.hpp"
#include "pg/compat.hpp"
#include "pg/relation_store.hpp"

extern "C" {
#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "nodes/execnodes.h"
#include "storage/itemptr.h"
#include "utils/rel.h"
}

namespace longbow::am {

// Number of the one support function of an opclass: it returns a pointer to an OpclassInfo.
inline constexpr int kSupportProc = 1;

struct OpclassInfo {
  base::Metric metric;
  Element element;
};

// Reloptions; 0 means automatic, or not given.
struct Options {
  int32 vl_len_;
  int leaf_size;
  int bits;
  // Of the aliases hnsw and ivfflat.
  int m;
  int ef_construction;
  int lists;
};

// Steps of a build, as numbers for pg_stat_progress_create_index; 1 is PostgreSQL's "initializing".
enum BuildPhase : int64 { kPhaseSample = 2, kPhaseTrain, kPhaseAssign, kPhaseSort, kPhaseWrite, kPhaseCalibrate, kPhaseLog };

// Rows of an index that are searched to calibrate it, at the end of a build and once in a doubling by a flush.
inline constexpr std::size_t kCalibrationQueries = 1000;

// -- callbacks, one file each
IndexBuildResult* build(Relation heap, Relation index, IndexInfo* info);
void build_empty(Relation index);
bool insert(Relation index, Datum* values, bool* nulls, ItemPointer tid, Relation heap, IndexUniqueCheck check,
            bool unchanged, IndexInfo* info);
IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats, IndexBulkDeleteCallback dead,
                                   void* state);
IndexBulkDeleteResult* vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats);
void cost_estimate(PlannerInfo* root, IndexPath* path, double loops, Cost* startup, Cost* total,
                   Selectivity* selectivity, double* correlation, double* pages);
bytea* options(Datum reloptions, bool validate);
bytea* hnsw_options(Datum reloptions, bool validate);
bytea* ivfflat_options(Datum reloptions, bool validate);
char* build_phase_name(int64 phase);
bool validate(Oid opclass);
bool property(Oid index, int column, IndexAMProperty which, const char* name, bool* result, bool* null);
IndexScanDesc begin_scan(Relation index, int keys, int orderbys);
void rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys);
bool get_tuple(IndexScanDesc scan, ScanDirection direction);
void end_scan(IndexScanDesc scan);

// Registers the reloptions; called when the library is loaded.
void register_options();
const Options* index_options(Relation index);
// The lists that an index of the alias ivfflat would have with pgvector.
int ivfflat_lists(Relation index);
const OpclassInfo* opclass_info(Relation index);

// The index's space, with the meta page as it is now, in the memory of `user`. Centre, rotation and the hints that the
// store receives are the session's and stay while `user` is neither reset nor deleted.
const tree::Space* load_space(Relation index, pg::RelationStore& store, MemoryContext user);

inline tree::RowId row_id(ItemPointer tid) { return {ItemPointerGetBlockNumber(tid), ItemPointerGetOffsetNumber(tid)}; }

// Reports a vector whose dimension is not the index's.
[[noreturn]] void report_dims(Relation index, int expected, int found);

// Calibrates anew when splits have doubled the leaves since the last time: a split between scales the probes.
void recalibrate_if_grown(tree::PageStore& store, const tree::Space& space, std::pmr::memory_resource& memory);

// Opens an index of ours by OID for a function; checks the access method and, where asked, ownership.
Relation open_index(Oid oid, LOCKMODE mode, bool owner_only);
// Opens its table too, which is locked first (AccessShareLock); for the owner.
Relation open_index_and_table(Oid oid, LOCKMODE index_mode, Relation* heap);

}  // namespace longbow::am
