// Rows of the table, measured by the very function that the executor will order them by, under its snapshot and as its user.
#include "am/row_distances.hpp"

#include <algorithm>

extern "C" {
#include "access/relscan.h"
#include "access/skey.h"
#include "executor/executor.h"
#include "fmgr.h"
}

namespace longbow::am {

void HeapDistances::measure(std::span<tree::MeasuredRow> rows) {
  std::sort(rows.begin(), rows.end(),
            [](const tree::MeasuredRow& a, const tree::MeasuredRow& b) { return tree::row_key(a.row) < tree::row_key(b.row); });
  pg::call([&] {
    ScanKey order = &scan_->orderByData[0];
    // Opened and closed each time: nothing of it outlives this call, whoever owns the next one.
    HeapReader reader{};
    reader.open(scan_->heapRelation, scan_->indexRelation, scan_->xs_snapshot);
    for (tree::MeasuredRow& r : rows) {
      CHECK_FOR_INTERRUPTS();
      r.visible = reader.find(r.row);
      if (!r.visible) continue;
      bool null = false;
      const Datum value = reader.value(&null);
      r.known = !null;
      if (r.known) {
        const MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(reader.estate));
        r.distance = DatumGetFloat8(FunctionCall2Coll(&order->sk_func, order->sk_collation, value, order->sk_argument));
        MemoryContextSwitchTo(old);
      }
      reader.forget();
    }
    reader.close();
  });
}

}  // namespace longbow::am
