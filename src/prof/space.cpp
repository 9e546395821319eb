// Reads /proc/PID/maps, walks stacks and names functions.
#include "longbow/prof/space.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace longbow::prof {

namespace {

constexpr std::size_t kMostFrames = 128;

// Takes a hexadecimal number and the character after it.
std::uint64_t take_hex(std::string_view& rest) {
  std::uint64_t value = 0;
  std::size_t i = 0;
  for (; i < rest.size(); i++) {
    const char c = rest[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) break;
    value = value << 4 | static_cast<unsigned>(digit);
  }
  rest.remove_prefix(std::min(rest.size(), i + 1));
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

void Space::find_name(std::uint64_t address, std::pmr::string& out) {
  const Place* place = place_of(address);
  if (place == nullptr) {
    out = "[unknown]";
    return;
  }
  File& file = *place->file;
  const std::string_view function = file.open ? file.image.function_at(in_file(*place, address)) : std::string_view();
  if (!function.empty())
    append_readable(function, out);
  else
    out.append("[").append(file.path, file.path.rfind('/') + 1).append("]");
}

std::string_view Space::name(std::uint64_t address) {
  auto place = std::lower_bound(names_.begin(), names_.end(), address,
                                [](const Name& n, std::uint64_t a) { return n.address < a; });
  if (place == names_.end() || place->address != address) {
    place = names_.insert(place, Name{address, std::pmr::string(memory_)});
    find_name(address, place->text);
  }
  return place->text;
}

void fold(const Profile& profile, Space& space, std::pmr::vector<Folded>& out) {
  for (const auto& [stack, times] : profile.stacks()) {
    Folded& line = out.emplace_back(Folded{std::pmr::string(out.get_allocator().resource()), times});
    for (std::size_t i = stack.size(); i-- > 0;) {
      line.stack.append(space.name(i == 0 ? stack[0] : stack[i] - 1));
      if (i > 0) line.stack.append(";");
    }
  }
  std::sort(out.begin(), out.end(), [](const Folded& a, const Folded& b) { return a.stack < b.stack; });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < out.size(); i++) {
    if (out[i].stack == out[kept].stack)
      out[kept].samples += out[i].samples;
    else if (++kept != i)
      out[kept] = std::move(out[i]);
  }
  if (!out.empty()) out.erase(out.begin() + static_cast<std::ptrdiff_t>(kept) + 1, out.end());
}

}  // namespace longbow::prof
