// The segment files of a relation, opened beside the storage manager that makes them.
//
// A segment's first block is written through smgr, which so makes the file by its own rules; descriptors are the caller's,
// who reserves one (AcquireExternalFD) since only one segment is open at a time.
#pragma once

#include "longbow/io/ring_sink.hpp"
#include "pg/compat.hpp"

namespace longbow::pg {

class MdSegments final : public io::SegmentFiles {
 public:
  explicit MdSegments(Relation relation) : relation_(relation) {}
  // -ENOTSUP if the storage manager did not put the segment into a plain file at the usual path.
  int open(std::uint32_t segment, bool direct) override;
  void close(int file) noexcept override;
  int sync(int file) override;
  [[noreturn]] void fail(const char* call, std::uint32_t segment, int error) override;

 private:
  void path(std::uint32_t segment, char (&out)[MAXPGPATH]);

  Relation relation_;
  std::uint32_t made_ = 0;  // segments
};

}  // namespace longbow::pg
