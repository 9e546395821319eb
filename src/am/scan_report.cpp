// Sums of scans; longbow_last_scan().
#include "am/scan_report.hpp"

#include "pg/settings.hpp"

extern "C" {
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
}

namespace longbow::am {

namespace {

ScanReport last;

long long shown(std::uint64_t n) { return static_cast<long long>(n); }

void say(const ScanReport& r) {
  const char* name = get_rel_name(r.index);
  ereport(NOTICE, (errmsg("longbow scan of index \"%s\": %lld leaves of %u, %lld rows scanned, %lld refined, %lld rechecked, %lld returned",
                          name != nullptr ? name : "?", shown(r.leaves), r.leaves_there, shown(r.scanned), shown(r.refined),
                          shown(r.rechecked), shown(r.returned)),
                   errdetail("Effort by %s, %lld leaves planned; %lld searches in %lld waves; %lld pending rows scanned; %s.",
                             effort_name(r.effort), shown(r.planned), shown(r.searches), shown(r.waves), shown(r.pending),
                             r.stopped > 0 ? "stopped early by longbow.max_scan_tuples" : "not stopped early")));
}

}  // namespace

const char* effort_name(Effort effort) noexcept {
  switch (effort) {
    case Effort::none: break;
    case Effort::target: return "target recall";
    case Effort::uncalibrated: return "target recall, not calibrated";
    case Effort::probes: return "probes";
    case Effort::whole: return "whole index";
  }
  return "none";
}

void add_search(ScanReport& report, const tree::SearchCounters& c, std::uint64_t returned, bool ordered) {
  report.searches++;
  report.waves += c.waves;
  report.leaves += c.leaves;
  report.scanned += c.rows_scored;
  report.refined += c.rows_refined;
  report.rechecked += c.rows_measured + (ordered ? returned : 0);
  report.pending += c.pending;
  report.returned += returned;
  report.stopped += c.stopped ? 1 : 0;
  report.planned = c.planned;
}

void publish_scan(const ScanReport& report, pg::IndexEntry* entry) {
  if (report.searches == 0) return;
  last = report;
  pg::IndexSums sums;
  sums[pg::IndexCount::scans] = report.searches;
  sums[pg::IndexCount::leaves] = report.leaves;
  sums[pg::IndexCount::scanned] = report.scanned;
  sums[pg::IndexCount::refined] = report.refined;
  sums[pg::IndexCount::rechecked] = report.rechecked;
  sums[pg::IndexCount::pending] = report.pending;
  sums[pg::IndexCount::stopped] = report.stopped;
  pg::add_index_sums(entry, sums);
  if (pg::settings.explain) pg::call([&] { say(report); });
}

}  // namespace longbow::am

// longbow_last_scan(): one row of what the session's latest index scan did; NULLs if there was none.
LB_FUNCTION(longbow_last_scan) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");
  const longbow::am::ScanReport& r = longbow::am::last;
  const auto number = [](std::uint64_t n) { return Int64GetDatum(static_cast<int64>(n)); };
  Datum values[] = {ObjectIdGetDatum(r.index),
                    number(r.searches),
                    number(r.waves),
                    number(r.leaves),
                    Int32GetDatum(static_cast<int32>(r.leaves_there)),
                    number(r.scanned),
                    number(r.refined),
                    number(r.rechecked),
                    number(r.pending),
                    number(r.returned),
                    CStringGetTextDatum(longbow::am::effort_name(r.effort)),
                    Float8GetDatum(r.target_recall),
                    number(r.planned),
                    BoolGetDatum(r.stopped > 0)};
  bool nulls[lengthof(values)];
  for (bool& null : nulls) null = r.searches == 0;
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
