// Reloptions of an index, and the names of a build's phases.
#include "am/index.hpp"
#include "longbow/tree/geometry.hpp"

extern "C" {
#include "access/reloptions.h"
#include "commands/progress.h"
}

namespace longbow::am {

namespace {

relopt_kind option_kind;

// An integer option's place in Options; 18 and later have more members, which are 0.
constexpr relopt_parse_elt int_option(const char* name, std::size_t offset) {
  relopt_parse_elt element{};
  element.optname = name;
  element.opttype = RELOPT_TYPE_INT;
  element.offset = static_cast<int>(offset);
  return element;
}

}  // namespace

void register_options() {
  option_kind = add_reloption_kind();
  add_int_reloption(option_kind, "leaf_size", "Rows that a leaf of the tree is built for; 0 chooses by the dimensions.",
                    0, 0, static_cast<int>(tree::kMaxLeafSize), AccessExclusiveLock);
  add_int_reloption(option_kind, "bits", "Bits a dimension of the codes that are scanned: 1, 2 or 4; 0 chooses by the dimensions.",
                    0, 0, 4, AccessExclusiveLock);
}

bytea* options(Datum reloptions, bool validate) {
  static constexpr relopt_parse_elt kElements[] = {
      int_option("leaf_size", offsetof(Options, leaf_size)),
      int_option("bits", offsetof(Options, bits)),
  };
  auto* result = static_cast<bytea*>(
      build_reloptions(reloptions, validate, option_kind, sizeof(Options), kElements, lengthof(kElements)));
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

const Options* index_options(Relation index) {
  static const Options kDefaults{0, 0, 0};
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
