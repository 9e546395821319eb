// A process's code as /proc/PID/maps shows it: which file an address belongs to, the stack of a moment, the names of
// its frames.
#pragma once

#include <list>

#include "longbow/prof/image.hpp"
#include "longbow/prof/profile.hpp"

namespace longbow::prof {

class Space {
 public:
  Space(int pid, std::pmr::memory_resource* memory)
      : pid_(pid), memory_(memory), text_(memory), places_(memory), files_(memory), names_(memory) {}

  // Reads the maps; what a process has loaded later is not known before the next time. Returns whether they could be
  // read.
  bool refresh();
  [[nodiscard]] std::string_view maps() const noexcept { return text_; }
  // The stack of a moment, innermost address first; at most 128 frames.
  void unwind(Moment moment, Stack& out);
  // The name of the function at an address, or its file's in brackets where the file names none. Holds until the next
  // call.
  std::string_view name(std::uint64_t address);

 private:
  struct File {
    File(std::string_view p, std::pmr::memory_resource* memory) : path(p, memory), image(memory) {}
    std::pmr::string path;
    Image image;
    bool open = false;
  };
  struct Place {
    std::uint64_t start, end, offset;
    File* file;
  };
  struct Name {
    std::uint64_t address;
    std::pmr::string text;
  };
  void find_name(std::uint64_t address, std::pmr::string& out);
  void parse_line(std::string_view line);
  File* file_of(std::string_view path);
  [[nodiscard]] const Place* place_of(std::uint64_t address) const noexcept;
  [[nodiscard]] static std::uint64_t in_file(const Place& place, std::uint64_t address) noexcept {
    return place.file->image.address_of(address - place.start + place.offset);
  }

  int pid_;
  std::pmr::memory_resource* memory_;
  std::pmr::string text_;
  std::pmr::vector<Place> places_;  // executable ones, by address
  std::pmr::list<File> files_;
  std::pmr::vector<Name> names_;  // by address
};

// A stack by the names of its functions, outermost first, separated by semicolons: what flame graphs are drawn from.
struct Folded {
  std::pmr::string stack;
  std::uint64_t samples;
};

// Adds up a profile's stacks by names.
void fold(const Profile& profile, Space& space, std::pmr::vector<Folded>& out);

}  // namespace longbow::prof
