// A change of a few pages: a generic WAL record, made here instead of by GenericXLogFinish(), whose comparison of pages byte by
// byte was a sixth of a single-row INSERT's time in its backend. Replay is PostgreSQL's own and knows no difference.
#pragma once

#include "longbow/tree/page_store.hpp"

extern "C" {
#include "postgres.h"

#include "storage/buf.h"
#include "utils/rel.h"
}

namespace longbow::pg {

// One at a time in a session: copies of pages that are changed, until they are logged and take the pages' places together. Pages
// of a relation that is logged as a whole later are changed in place.
class GenericRecord {
 public:
  // May fail for want of memory, once in a session.
  void begin(bool in_place);
  // The copy of an exclusively latched page, the same one each time; an empty page if it is fresh. At most tree::kMaxChangePages.
  std::uint8_t* edit(Buffer buffer, bool fresh);
  // Logs what differs, if the index is logged, and puts the copies into the buffers.
  void finish(Relation index);
  void abandon() noexcept { count_ = 0; }

 private:
  struct Entry {
    Buffer buffer;
    bool fresh;
  };
  [[nodiscard]] std::uint8_t* image(int i) const;
  void finish_in_place();
  void put(int i) const;

  Entry pages_[tree::kMaxChangePages] = {};
  int count_ = 0;
  bool in_place_ = false;
};

}  // namespace longbow::pg
