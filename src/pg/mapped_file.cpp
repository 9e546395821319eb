// Temporary files, all their blocks reserved before they are mapped: a full disk is an error here, not a SIGBUS later.
#include "pg/mapped_file.hpp"

#include <sys/mman.h>

#include <cerrno>

#include "pg/boundary.hpp"

extern "C" {
#include "postgres.h"

#include <fcntl.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/fileset.h"
#include "utils/guc.h"
}

namespace longbow::pg {

namespace {

constexpr char kName[] = "longbow";

struct Mapping {
  MemoryContextCallback callback;
  void* at;
  Size bytes;
};

void unmap(void* mapping) {
  auto* m = static_cast<Mapping*>(mapping);
  munmap(m->at, m->bytes);
}

void reserve(File file, Size bytes) {
  if (temp_file_limit >= 0 && bytes / 1024 > static_cast<Size>(temp_file_limit))
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("temporary file size exceeds temp_file_limit (%dkB)", temp_file_limit),
                    errdetail("An index build needs %zu kB for its training sample.", bytes / 1024),
                    errhint("Raise maintenance_work_mem to twice that, or temp_file_limit.")));
  int failure;
  do {
    CHECK_FOR_INTERRUPTS();
    failure = posix_fallocate(FileGetRawDesc(file), 0, static_cast<off_t>(bytes));
  } while (failure == EINTR);
  if (failure != 0) {
    errno = failure;
    ereport(ERROR, (errcode_for_file_access(),
                    errmsg("could not reserve %zu bytes in temporary file \"%s\": %m", bytes, FilePathName(file)),
                    errhint("Free disk space, or raise maintenance_work_mem.")));
  }
}

// Maps a file and closes it: the mapping keeps it alive.
char* map_and_close(File file, Size bytes, MemoryContext context) {
  auto* mapping = static_cast<Mapping*>(MemoryContextAlloc(context, sizeof(Mapping)));
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, FileGetRawDesc(file), 0);
  if (at == MAP_FAILED)
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not map temporary file \"%s\": %m", FilePathName(file))));
  *mapping = {{unmap, mapping, nullptr}, at, bytes};
  MemoryContextRegisterResetCallback(context, &mapping->callback);
  FileClose(file);
  return static_cast<char*>(at);
}

}  // namespace

char* map_temporary_file(Size bytes, MemoryContext context) {
  const File file = OpenTemporaryFile(false);
  reserve(file, bytes);
  return map_and_close(file, bytes, context);
}

char* map_shared_file(SharedFileSet* set, Size bytes, bool make, MemoryContext context) {
  const File file = make ? FileSetCreate(&set->fs, kName) : FileSetOpen(&set->fs, kName, O_RDWR);
  if (make) reserve(file, bytes);
  return map_and_close(file, bytes, context);
}

}  // namespace longbow::pg
