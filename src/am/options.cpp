// Reloptions of an index, and the names of a build's phases.
#include "am/index.hpp"
#include "longbow/tree/geometry.hpp"

extern "C" {
#include "access/reloptions.h"
#include "commands/progress.h"
}

namespace longbow::am {

namespace {

relopt_kind longbow_kind, hnsw_kind, ivfflat_kind;

// An integer option's place in Options; 18 and later have more members, which are 0.
constexpr relopt_parse_elt int_option(const char* name, std::size_t offset) {
  relopt_parse_elt element{};
  element.optname = name;
  element.opttype = RELOPT_TYPE_INT;
  element.offset = static_cast<int>(offset);
  return element;
}

constexpr relopt_parse_elt kLeafSize = int_option("leaf_size", offsetof(Options, leaf_size));
constexpr relopt_parse_elt kBits = int_option("bits", offsetof(Options, bits));

// pgvector's default, for the meaning of ivfflat.probes.
constexpr int kDefaultLists = 100;

template <std::size_t N>
bytea* parse(Datum reloptions, bool validate, relopt_kind kind, const relopt_parse_elt (&elements)[N]) {
  auto* result = static_cast<bytea*>(build_reloptions(reloptions, validate, kind, sizeof(Options), elements, N));
  if (result == nullptr || !validate) return result;
  const auto* parsed = reinterpret_cast<const Options*>(result);
  if (parsed->bits == 3)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("value 3 is not valid for option \"bits\""),
                    errdetail("Valid values are 1, 2, 4, and 0 for automatic.")));
  if (parsed->leaf_size != 0 && parsed->leaf_size < static_cast<int>(tree::kMinLeafSize))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("value %d out of bounds for option \"leaf_size\"", parsed->leaf_size),
                    errdetail("Valid values are between \"%u\" and \"%u\", and 0 for automatic.", tree::kMinLeafSize,
                              tree::kMaxLeafSize)));
  return result;
}

}  // namespace

void register_options() {
  longbow_kind = add_reloption_kind();
  hnsw_kind = add_reloption_kind();
  ivfflat_kind = add_reloption_kind();
  const bits32 all = longbow_kind | hnsw_kind | ivfflat_kind;
  add_int_reloption(all, "leaf_size", "Rows that a leaf of the tree is built for; 0 chooses by the dimensions.",
                    0, 0, static_cast<int>(tree::kMaxLeafSize), AccessExclusiveLock);
  add_int_reloption(all, "bits", "Bits a dimension of the codes that are scanned: 1, 2 or 4; 0 chooses by the dimensions.",
                    0, 0, 4, AccessExclusiveLock);
  // pgvector's bounds; 0, which it refuses, stands for an option that is not given.
  add_int_reloption(hnsw_kind, "m", "Accepted for pgvector's sake, and not used.", 0, 2, 100, AccessExclusiveLock);
  add_int_reloption(hnsw_kind, "ef_construction", "Accepted for pgvector's sake, and not used.", 0, 4, 1000, AccessExclusiveLock);
  add_int_reloption(ivfflat_kind, "lists", "Lists of which ivfflat.probes is a share; the index itself does not use it.",
                    0, 1, 32768, AccessExclusiveLock);
}

bytea* options(Datum reloptions, bool validate) {
  static constexpr relopt_parse_elt kElements[] = {kLeafSize, kBits};
  return parse(reloptions, validate, longbow_kind, kElements);
}

bytea* hnsw_options(Datum reloptions, bool validate) {
  static constexpr relopt_parse_elt kElements[] = {kLeafSize, kBits, int_option("m", offsetof(Options, m)),
                                                   int_option("ef_construction", offsetof(Options, ef_construction))};
  bytea* result = parse(reloptions, validate, hnsw_kind, kElements);
  const auto* parsed = reinterpret_cast<const Options*>(result);
  if (validate && parsed != nullptr && (parsed->m != 0 || parsed->ef_construction != 0))
    ereport(NOTICE, (errmsg("access method \"hnsw\" is longbow's: options \"m\" and \"ef_construction\" are not used"),
                     errdetail("A longbow index is a tree of clusters that is calibrated for longbow.target_recall; it has no graph.")));
  return result;
}

bytea* ivfflat_options(Datum reloptions, bool validate) {
  static constexpr relopt_parse_elt kElements[] = {kLeafSize, kBits, int_option("lists", offsetof(Options, lists))};
  bytea* result = parse(reloptions, validate, ivfflat_kind, kElements);
  const auto* parsed = reinterpret_cast<const Options*>(result);
  if (validate && parsed != nullptr && parsed->lists != 0)
    ereport(NOTICE, (errmsg("access method \"ivfflat\" is longbow's: option \"lists\" only tells which share of the index ivfflat.probes is"),
                     errdetail("A longbow index chooses the number of its clusters itself and splits them as it grows.")));
  return result;
}

int ivfflat_lists(Relation index) {
  const int lists = index_options(index)->lists;
  return lists != 0 ? lists : kDefaultLists;
}

const Options* index_options(Relation index) {
  static const Options kDefaults{};
  return index->rd_options != nullptr ? reinterpret_cast<const Options*>(index->rd_options) : &kDefaults;
}

char* build_phase_name(int64 phase) {
  switch (phase) {
    case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE: return pstrdup("initializing");
    case kPhaseSample: return pstrdup("sampling table");
    case kPhaseTrain: return pstrdup("training centroids");
    case kPhaseAssign: return pstrdup("assigning and encoding tuples");
    case kPhaseSort: return pstrdup("sorting by leaf");
    case kPhaseWrite: return pstrdup("writing leaves");
    case kPhaseCalibrate: return pstrdup("calibrating recall");
    case kPhaseLog: return pstrdup("logging pages");
    default: return nullptr;
  }
}

}  // namespace longbow::am
