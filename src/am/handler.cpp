// The access method's routine table and the support functions of its opclasses.
#include "am/index.hpp"

extern "C" {
#include "nodes/makefuncs.h"
#include "commands/vacuum.h"
}

namespace am = longbow::am;
namespace pg = longbow::pg;
using am::Element;
using longbow::base::Metric;

namespace {

// The routines of an access method, whose options are what its names differ in.
IndexAmRoutine* make_routine(amoptions_function options) {
  IndexAmRoutine* am = makeNode(IndexAmRoutine);
  am->amstrategies = 0;
  am->amsupport = am::kSupportProc;
  am->amoptsprocnum = 0;
  am->amcanorder = false;
  am->amcanorderbyop = true;
  am->amcanbackward = false;
  am->amcanunique = false;
  am->amcanmulticol = false;
  am->amoptionalkey = true;
  am->amsearcharray = false;
  am->amsearchnulls = false;
  am->amstorage = false;
  am->amclusterable = false;
  am->ampredlocks = false;
  am->amcanparallel = false;
  am->amcaninclude = false;
  lb_can_build_parallel(am);
  am->amusemaintenanceworkmem = false;
  am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
  am->amkeytype = InvalidOid;
  am->ambuild = pg::guarded<&am::build>;
  am->ambuildempty = pg::guarded<&am::build_empty>;
  am->aminsert = pg::guarded<&am::insert>;
  am->ambulkdelete = pg::guarded<&am::bulk_delete>;
  am->amvacuumcleanup = pg::guarded<&am::vacuum_cleanup>;
  am->amcostestimate = pg::guarded<&am::cost_estimate>;
  am->amoptions = options;
  am->ambuildphasename = pg::guarded<&am::build_phase_name>;
  am->amproperty = pg::guarded<&am::property>;
  am->amvalidate = pg::guarded<&am::validate>;
  am->ambeginscan = pg::guarded<&am::begin_scan>;
  am->amrescan = pg::guarded<&am::rescan>;
  am->amgettuple = pg::guarded<&am::get_tuple>;
  am->amendscan = pg::guarded<&am::end_scan>;
  return am;
}

}  // namespace

LB_FUNCTION(longbow_handler) { PG_RETURN_POINTER(make_routine(pg::guarded<&am::options>)); }
LB_FUNCTION(longbow_hnsw_handler) { PG_RETURN_POINTER(make_routine(pg::guarded<&am::hnsw_options>)); }
LB_FUNCTION(longbow_ivfflat_handler) { PG_RETURN_POINTER(make_routine(pg::guarded<&am::ivfflat_options>)); }

namespace {
const am::OpclassInfo kVectorL2{Metric::l2, Element::vector};
const am::OpclassInfo kVectorIp{Metric::ip, Element::vector};
const am::OpclassInfo kVectorCosine{Metric::cosine, Element::vector};
const am::OpclassInfo kVectorL1{Metric::l1, Element::vector};
const am::OpclassInfo kHalfvecL2{Metric::l2, Element::halfvec};
const am::OpclassInfo kHalfvecIp{Metric::ip, Element::halfvec};
const am::OpclassInfo kHalfvecCosine{Metric::cosine, Element::halfvec};
const am::OpclassInfo kHalfvecL1{Metric::l1, Element::halfvec};
const am::OpclassInfo kBitHamming{Metric::l2, Element::bit};
const am::OpclassInfo kBitJaccard{Metric::cosine, Element::bit};
const am::OpclassInfo kSparsevecL2{Metric::l2, Element::sparsevec};
const am::OpclassInfo kSparsevecIp{Metric::ip, Element::sparsevec};
const am::OpclassInfo kSparsevecCosine{Metric::cosine, Element::sparsevec};
}  // namespace

LB_FUNCTION(longbow_vector_l2_support) { PG_RETURN_POINTER(&kVectorL2); }
LB_FUNCTION(longbow_vector_ip_support) { PG_RETURN_POINTER(&kVectorIp); }
LB_FUNCTION(longbow_vector_cosine_support) { PG_RETURN_POINTER(&kVectorCosine); }
LB_FUNCTION(longbow_vector_l1_support) { PG_RETURN_POINTER(&kVectorL1); }
LB_FUNCTION(longbow_halfvec_l2_support) { PG_RETURN_POINTER(&kHalfvecL2); }
LB_FUNCTION(longbow_halfvec_ip_support) { PG_RETURN_POINTER(&kHalfvecIp); }
LB_FUNCTION(longbow_halfvec_cosine_support) { PG_RETURN_POINTER(&kHalfvecCosine); }
LB_FUNCTION(longbow_halfvec_l1_support) { PG_RETURN_POINTER(&kHalfvecL1); }
LB_FUNCTION(longbow_bit_hamming_support) { PG_RETURN_POINTER(&kBitHamming); }
LB_FUNCTION(longbow_bit_jaccard_support) { PG_RETURN_POINTER(&kBitJaccard); }
LB_FUNCTION(longbow_sparsevec_l2_support) { PG_RETURN_POINTER(&kSparsevecL2); }
LB_FUNCTION(longbow_sparsevec_ip_support) { PG_RETURN_POINTER(&kSparsevecIp); }
LB_FUNCTION(longbow_sparsevec_cosine_support) { PG_RETURN_POINTER(&kSparsevecCosine); }
