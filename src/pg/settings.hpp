// The settings of longbow: one variable a setting, defined by define_settings() when the library is loaded.
#pragma once

namespace longbow::pg {

// The settings' current values.
struct Settings {
  double target_recall;  // 0.5 .. 1
  int probes;            // leaves a search visits first; 0 = as target_recall needs
  int max_scan_tuples;   // index rows a search scores before it stops; 0 = no limit
  bool strict_order;
  bool explain;          // a NOTICE for each scan that ends
  int wal_batch_size;    // rows a statement collects before they go into the index
  bool storage_wal;          // keep the side WAL at all
  bool storage_use_iouring;
  bool storage_async_fsync;
  bool wal_compression;
  int wal_flush_interval;    // ms between writes of an asynchronous side WAL
  int side_wal_size;         // MB that segments of the side WAL may take (longbow.max_wal_size)
  int delta_memory;          // MB
  bool numa_interleave;      // spread shared memory over NUMA nodes
  int gc_percent;            // growth of pending rows that starts a merge; -1 = never by itself
  int workers;               // background workers that merge
};
extern Settings settings;

// Defines every longbow.* setting and reserves the prefix. Called once, by _PG_init.
void define_settings();

}  // namespace longbow::pg
