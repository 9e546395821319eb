// longbow_wal_dump(segment): the records of one segment of the side WAL, for people who look into it.
#include <memory_resource>
#include <vector>

#include "am/index.hpp"
#include "pg/context_resource.hpp"
#include "pg/side_wal.hpp"

extern "C" {
#include "access/xlog.h"
#include "funcapi.h"
#include "utils/builtins.h"
}

namespace {

using longbow::wal::ReadStatus;

const char* status_name(ReadStatus status) {
  switch (status) {
    case ReadStatus::ok: return "ok";
    case ReadStatus::absent: return "never written";
    case ReadStatus::wrong: return "not a record of this place";
    case ReadStatus::no_segment: return "no such segment, or its header is damaged";
    case ReadStatus::too_small: return "too long";
    case ReadStatus::io_error: return "read error";
    case ReadStatus::end: return "end";
  }
  return "unknown";
}

void put(ReturnSetInfo* result, std::uint64_t position, const longbow::wal::Record* record, const char* status) {
  Datum values[11] = {};
  bool nulls[11];
  for (bool& null : nulls) null = true;
  const auto set = [&](int i, Datum value) {
    values[i] = value;
    nulls[i] = false;
  };
  set(0, Int64GetDatum(static_cast<int64>(position)));
  if (record != nullptr) {
    const longbow::wal::RecordHeader& h = record->header;
    set(1, Int32GetDatum(static_cast<int32>(h.length)));
    set(2, ObjectIdGetDatum(h.relation.database));
    set(3, ObjectIdGetDatum(h.relation.relation));
    set(4, Int64GetDatum(static_cast<int64>(h.incarnation)));
    set(5, Int32GetDatum(static_cast<int32>(h.rows)));
    set(6, Int32GetDatum(static_cast<int32>(h.dims)));
    set(7, BoolGetDatum(record->compressed()));
    set(8, Int32GetDatum(static_cast<int32>(h.raw_bytes)));
    set(9, Int32GetDatum(static_cast<int32>(h.stored_bytes)));
  }
  set(10, CStringGetTextDatum(status));
  tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void dump(ReturnSetInfo* result, std::uint64_t segment, MemoryContext context) {
  longbow::pg::ContextResource memory(context, longbow::pg::MemoryKind::other);
  std::pmr::vector<std::byte> buffer(longbow::pg::kSideWalRing / 4, &memory);
  longbow::wal::Reader reader(longbow::pg::kSideWalDirectory, GetSystemIdentifier(), buffer);
  std::uint64_t position = longbow::wal::segment_start(segment);
  for (;;) {
    longbow::pg::call([] { CHECK_FOR_INTERRUPTS(); });
    longbow::wal::Record record{};
    const std::uint64_t at = position;
    const ReadStatus status = reader.next(position, record);
    if (status == ReadStatus::end) return;
    longbow::pg::call([&] { put(result, at, status == ReadStatus::ok ? &record : nullptr, status_name(status)); });
    if (status != ReadStatus::ok) return;
  }
}

}  // namespace

// longbow_wal_dump(segment bigint) returns one row a record, and one that says where the segment's records end.
LB_FUNCTION(longbow_wal_dump) {
  if (!superuser())
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be superuser to read the side WAL")));
  const int64 segment = PG_GETARG_INT64(0);
  if (segment < 0 || segment > (PG_INT64_MAX >> 24))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid segment number: " INT64_FORMAT, segment)));
  InitMaterializedSRF(fcinfo, 0);
  auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow wal dump", ALLOCSET_DEFAULT_SIZES);
  dump(result, static_cast<std::uint64_t>(segment), context);
  MemoryContextDelete(context);
  return static_cast<Datum>(0);
}
