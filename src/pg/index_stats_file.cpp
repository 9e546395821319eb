// Index counters over a restart: written when the postmaster ends a clean shutdown, read and removed at the next start.
//
// The file: a header, then a record an index. It counts only if magic, version, this cluster's identifier, length and checksum are
// right; otherwise counting begins anew, and the log says so. What a crash leaves is nothing, since the file goes at the start.
#include <cerrno>
#include <cstring>
#include <new>

#include "longbow/base/crc32c.hpp"
#include "pg/index_stats.hpp"
#include "pg/shared.hpp"
#include "pg/side_wal.hpp"

extern "C" {
#include <unistd.h>

#include "access/xlog.h"
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"
}

namespace longbow::pg {

namespace {

constexpr char kFile[] = "longbow/index_stats", kTemporary[] = "longbow/index_stats.tmp";
constexpr std::uint32_t kMagic = 0x4C425354, kVersion = 1;

struct Header {
  std::uint32_t magic, version;
  std::uint64_t system;
  std::int64_t since;
  std::uint32_t records;
  std::uint32_t crc;  // of the header with zero here, and of the records
};

struct Record {
  std::uint64_t key;
  std::uint64_t count[kIndexCounters];
  char schema[NAMEDATALEN], name[NAMEDATALEN];
};

std::uint32_t add_crc(std::uint32_t crc, const void* bytes, std::size_t length) { return base::crc32c(crc, bytes, length); }

void fill(Record& r, const IndexEntry& e, std::uint64_t key) {
  std::memset(&r, 0, sizeof r);
  r.key = key;
  for (std::size_t i = 0; i < kIndexCounters; i++) r.count[i] = e.counter[i].value();
  (void)index_names(e, r.schema, r.name);
}

// Calls f(record) for each place in use. Records are made one at a time: this runs while the postmaster exits.
template <class F>
void for_each_record(F&& f) {
  for (const IndexEntry& e : shared_parts.indexes->entry) {
    const std::uint64_t key = e.key.load();
    if (!is_index_key(key)) continue;
    Record r;
    fill(r, e, key);
    f(r);
  }
}

bool write_all(FILE* file) {
  Header h{kMagic, kVersion, GetSystemIdentifier(), shared_parts.indexes->since.load(), 0, 0};
  for_each_record([&](const Record&) { h.records++; });
  std::uint32_t crc = add_crc(0, &h, sizeof h);
  for_each_record([&](const Record& r) { crc = add_crc(crc, &r, sizeof r); });
  h.crc = crc;
  bool good = fwrite(&h, sizeof h, 1, file) == 1;
  for_each_record([&](const Record& r) { good = good && fwrite(&r, sizeof r, 1, file) == 1; });
  return good;
}

// Whether the cluster was shut down; the postmaster's exit status is 0 after an immediate shutdown too.
bool is_shut_down() {
  bool good = false;
  const ControlFileData* control = get_controlfile(DataDir, &good);
  return good && (control->state == DB_SHUTDOWNED || control->state == DB_SHUTDOWNED_IN_RECOVERY);
}

void save(int code, Datum) {
  if (code != 0 || shared_parts.indexes == nullptr || !is_shut_down()) return;
  if (!make_side_wal_directory()) return;
  FILE* file = AllocateFile(kTemporary, PG_BINARY_W);
  bool good = file != nullptr && write_all(file);
  if (file != nullptr && FreeFile(file) != 0) good = false;
  if (!good) {
    ereport(LOG, (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", kTemporary)));
    unlink(kTemporary);
    return;
  }
  (void)durable_rename(kTemporary, kFile, LOG);
}

// Puts a record where a search will find it. Nobody else looks at the table yet.
void restore(IndexTable* table, const Record& r) {
  IndexEntry* e = take_index_place(table, r.key);
  if (e == nullptr) return;
  for (std::size_t i = 0; i < kIndexCounters; i++) e->counter[i].add(r.count[i]);
  std::memcpy(e->schema, r.schema, NAMEDATALEN);
  std::memcpy(e->name, r.name, NAMEDATALEN);
}

// Returns what is wrong with the file, or nullptr. Looks at it whole before anything of it counts.
const char* read_all(FILE* file, IndexTable* table) {
  Header h;
  if (fread(&h, sizeof h, 1, file) != 1) return "it is too short";
  if (h.magic != kMagic) return "it is no such file";
  if (h.version != kVersion) return "another version wrote it";
  if (h.system != GetSystemIdentifier()) return "another cluster wrote it";
  if (h.records > kMostStatIndexes) return "it has too many records";
  const std::uint32_t expected = h.crc;
  h.crc = 0;
  std::uint32_t crc = add_crc(0, &h, sizeof h);
  Record r;
  for (std::uint32_t i = 0; i < h.records; i++) {
    if (fread(&r, sizeof r, 1, file) != 1) return "it is too short";
    crc = add_crc(crc, &r, sizeof r);
  }
  if (crc != expected || fgetc(file) != EOF) return "its checksum is wrong";
  if (fseek(file, sizeof h, SEEK_SET) != 0) return "it cannot be read twice";
  for (std::uint32_t i = 0; i < h.records; i++) {
    if (fread(&r, sizeof r, 1, file) != 1) return "it cannot be read twice";
    r.schema[NAMEDATALEN - 1] = r.name[NAMEDATALEN - 1] = '\0';
    if (is_index_key(r.key)) restore(table, r);
  }
  table->since = h.since;
  return nullptr;
}

void load(IndexTable* table) {
  FILE* file = AllocateFile(kFile, PG_BINARY_R);
  if (file == nullptr) {
    if (errno != ENOENT) ereport(LOG, (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", kFile)));
    return;
  }
  const char* fault = read_all(file, table);
  FreeFile(file);
  if (fault != nullptr)
    ereport(LOG, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("ignoring longbow's index counters in file \"%s\": %s", kFile, fault)));
  // Also where it is damaged: it must not come back after a crash.
  if (unlink(kFile) != 0) ereport(LOG, (errcode_for_file_access(), errmsg("could not remove file \"%s\": %m", kFile)));
}

}  // namespace

void init_index_stats(IndexTable* table) {
  new (table) IndexTable{};
  table->since = GetCurrentTimestamp();
  load(table);
}

void save_index_stats_at_exit() { on_shmem_exit(save, static_cast<Datum>(0)); }

}  // namespace longbow::pg
