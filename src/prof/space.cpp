// Reads /proc/PID/maps, walks stacks and names functions.
#include "longbow/prof/space.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace longbow::prof {

namespace {

constexpr std::size_t kMostFrames = 128;

// Takes a hexadecimal number and the character after it.
std::uint64_t take_hex(std::string_view& rest) {
  std::uint64_t value = 0;
  const char* end = std::from_chars(rest.data(), rest.data() + rest.size(), value, 16).ptr;
  rest.remove_prefix(std::min(rest.size(), static_cast<std::size_t>(end - rest.data()) + 1));
  return value;
}

}  // namespace

bool Space::refresh() {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/maps", pid_);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct Close {
    int fd;
    ~Close() { close(fd); }
  } closer{fd};
  std::pmr::string text(memory_);
  char piece[4096];
  for (ssize_t n = 0; (n = read(fd, piece, sizeof piece)) > 0;) text.append(piece, static_cast<std::size_t>(n));
  if (text.empty()) return false;  // the process has gone
  text_ = std::move(text);
  places_.clear();
  for (std::string_view rest = text_; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    parse_line(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return true;
}

// start-end rwxp offset device inode path
void Space::parse_line(std::string_view line) {
  Place place{};
  std::string_view rest = line;
  place.start = take_hex(rest);
  place.end = take_hex(rest);
  if (rest.size() < 5 || rest[2] != 'x') return;
  rest.remove_prefix(5);
  place.offset = take_hex(rest);
  const std::size_t path = rest.find('/');
  if (path == std::string_view::npos) return;
  rest.remove_prefix(path);
  // A path begins behind spaces: a slash inside of "(deleted)" or a device's name does not.
  place.file = file_of(rest);
  places_.push_back(place);
}

Space::File* Space::file_of(std::string_view path) {
  for (File& f : files_)
    if (f.path == path) return &f;
  File& f = files_.emplace_back(path, memory_);
  f.open = f.image.open(f.path.c_str());
  return &f;
}

const Space::Place* Space::place_of(std::uint64_t address) const noexcept {
  const auto after = std::upper_bound(places_.begin(), places_.end(), address,
                                      [](std::uint64_t a, const Place& p) { return a < p.start; });
  if (after == places_.begin() || address >= (after - 1)->end) return nullptr;
  return &*(after - 1);
}

void Space::unwind(Moment moment, Stack& out) {
  out.clear();
  while (out.size() < kMostFrames) {
    const std::uint64_t code = moment.reg[kCode];
    // A return address may be the first one behind a function that never returns.
    const std::uint64_t at = out.empty() ? code : code - 1;
    const Place* place = place_of(at);
    if (place == nullptr && !out.empty()) return;  // no return address: this is where it ends
    out.push_back(code);
    if (place == nullptr || !place->file->open || !place->file->image.step(in_file(*place, at), moment)) return;
  }
}

std::string_view Space::name(std::uint64_t address) {
  const auto [found, fresh] = names_.try_emplace(address);
  std::pmr::string& out = found->second;
  if (!fresh) return out;
  const Place* place = place_of(address);
  if (place == nullptr) {
    out = "[unknown]";
    return out;
  }
  File& file = *place->file;
  const std::string_view function = file.open ? file.image.function_at(in_file(*place, address)) : std::string_view();
  if (!function.empty()) {
    append_readable(function, out);
    return out;
  }
  const std::size_t slash = file.path.rfind('/');
  out.append("[").append(file.path, slash + 1).append("]");
  return out;
}

void fold(const Profile& profile, Space& space, std::pmr::map<std::pmr::string, std::uint64_t>& out) {
  std::pmr::string line(out.get_allocator().resource());
  for (const auto& [stack, times] : profile.stacks()) {
    line.clear();
    for (std::size_t i = stack.size(); i-- > 0;) {
      line.append(space.name(i == 0 ? stack[0] : stack[i] - 1));
      if (i > 0) line.append(";");
    }
    out.try_emplace(line, 0).first->second += times;
  }
}

}  // namespace longbow::prof
