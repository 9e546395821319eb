// Opens, syncs and closes segment files, and reports what fails with them.
#include "pg/md_segments.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

extern "C" {
#include "storage/fd.h"
}

namespace longbow::pg {

void MdSegments::path(std::uint32_t segment, char (&out)[MAXPGPATH]) {
  lb_file_path(relation_, out);
  const std::size_t length = strlen(out);
  if (segment > 0) snprintf(out + length, sizeof out - length, ".%u", segment);
}

int MdSegments::open(std::uint32_t segment, bool direct) {
  return call([&] {
    if (segment >= made_) {
      alignas(io::kPageAlign) static const char zeros[BLCKSZ] = {};
      lb_extend_file(relation_, segment * static_cast<BlockNumber>(RELSEG_SIZE), zeros);
      made_ = segment + 1;
    }
    char name[MAXPGPATH];
    path(segment, name);
    const int file = BasicOpenFile(name, O_RDWR | O_CLOEXEC | PG_BINARY | (direct ? O_DIRECT : 0));
    if (file < 0) return errno == ENOENT ? -ENOTSUP : -errno;
    struct stat found;
    if (fstat(file, &found) == 0 && S_ISREG(found.st_mode) && found.st_size >= BLCKSZ) return file;
    ::close(file);
    return -ENOTSUP;
  });
}

void MdSegments::close(int file) noexcept { ::close(file); }

int MdSegments::sync(int file) {
  return call([&] { return pg_fsync(file) == 0 ? 0 : -errno; });
}

void MdSegments::fail(const char* what, std::uint32_t segment, int error) {
  call([&] {
    char name[MAXPGPATH];
    path(segment, name);
    errno = error;
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, name),
                    error == ENOSPC ? errhint("Check free disk space.") : 0));
  });
  pg_unreachable();
}

}  // namespace longbow::pg
