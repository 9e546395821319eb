// Drawing the queries of longbow_recall().
#include "am/recall_sample.hpp"

#include "am/heap_reader.hpp"

extern "C" {
#include "access/heapam.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "utils/sampling.h"
}

namespace longbow::am {

namespace {

void charge(RecallSample* sample, std::size_t bytes) {
  sample->bytes += bytes;
  if (sample->bytes <= sample->limit) return;
  ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("the sample needs more memory than maintenance_work_mem"),
                  errdetail("%d samples were asked for; it holds %d kB.", sample->most, maintenance_work_mem),
                  errhint("Ask for fewer samples or a lower k, or raise maintenance_work_mem.")));
}

// Offers a value to the reservoir (Vitter's algorithm R). A value of the caller's memory is copied if it is taken.
void offer(RecallSample* sample, Datum value, ItemPointer self) {
  sample->seen += 1;
  RecallQuery* q = &sample->query[sample->count];
  if (sample->count < sample->most) {
    sample->count++;
  } else {
    const double at = pg_prng_double(&pg_global_prng_state) * sample->seen;
    if (at >= sample->most) return;
    q = &sample->query[static_cast<int>(at)];
    sample->bytes -= VARSIZE(DatumGetPointer(q->value));
    pfree(DatumGetPointer(q->value));
    q->value = 0;
  }
  const MemoryContext old = MemoryContextSwitchTo(sample->memory);
  q->value = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
  MemoryContextSwitchTo(old);
  charge(sample, VARSIZE(DatumGetPointer(q->value)));
  if (self != nullptr)
    q->self = *self;
  else
    ItemPointerSetInvalid(&q->self);
}

// Calls f() for each visible row, in `slot`, of as many blocks at random as rows are wanted.
template <class F>
void visit_random_blocks(Relation table, Snapshot snapshot, TupleTableSlot* slot, int wanted, F&& f) {
  if (table->rd_tableam->scan_set_tidrange == nullptr)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("the access method of table \"%s\" cannot be sampled", RelationGetRelationName(table))));
  BlockSamplerData blocks;
  BlockSampler_Init(&blocks, RelationGetNumberOfBlocks(table), wanted, pg_prng_uint32(&pg_global_prng_state));
  while (BlockSampler_HasMore(&blocks)) {
    const BlockNumber block = BlockSampler_Next(&blocks);
    ItemPointerData first, last;
    ItemPointerSet(&first, block, FirstOffsetNumber);
    ItemPointerSet(&last, block, MaxHeapTuplesPerPage);
    const TableScanDesc scan = table_beginscan_tidrange(table, snapshot, &first, &last);
    while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, slot)) {
      CHECK_FOR_INTERRUPTS();
      f();
    }
    table_endscan(scan);
  }
}

}  // namespace

RecallSample new_recall_sample(MemoryContext memory, int most, int k) {
  RecallSample sample{memory, nullptr, most, 0, 0, 0, static_cast<std::size_t>(maintenance_work_mem) * 1024};
  const std::size_t distances = 2 * static_cast<std::size_t>(k);
  charge(&sample, static_cast<std::size_t>(most) * (sizeof(RecallQuery) + distances * sizeof(double)));
  sample.query = static_cast<RecallQuery*>(
      MemoryContextAllocExtended(memory, static_cast<Size>(most) * sizeof(RecallQuery), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
  auto* at = static_cast<double*>(MemoryContextAllocHuge(memory, static_cast<Size>(most) * distances * sizeof(double)));
  for (int i = 0; i < most; i++, at += distances) {
    sample.query[i].exact = at;
    sample.query[i].found = at + k;
  }
  return sample;
}

void sample_own_rows(RecallSample* sample, HeapReader* reader) {
  visit_random_blocks(reader->heap, reader->snapshot, reader->slot, sample->most, [=] {
    if (reader->predicate == nullptr || ExecQual(reader->predicate, GetPerTupleExprContext(reader->estate))) {
      bool null = false;
      const Datum value = reader->value(&null);
      if (!null) offer(sample, value, &reader->slot->tts_tid);
    }
    reader->forget();
  });
}

void sample_column(RecallSample* sample, Relation table, AttrNumber column, Snapshot snapshot) {
  TupleTableSlot* slot = table_slot_create(table, nullptr);
  visit_random_blocks(table, snapshot, slot, sample->most, [=] {
    bool null = false;
    const Datum value = slot_getattr(slot, column, &null);
    if (!null) offer(sample, value, nullptr);
  });
  ExecDropSingleTupleTableSlot(slot);
}

}  // namespace longbow::am
